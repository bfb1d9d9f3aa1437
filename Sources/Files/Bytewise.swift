/// A text that is compared, hashed and ordered by its bytes.
///
/// Swift takes strings for equal that Unicode calls canonically equivalent: an `é` of one character and one of two.
/// To the file system, to archives and to weight files these are two names. Paths and names that serve as keys are
/// keyed by this.
package struct Bytewise: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let text: String

    package init(_ text: String) { self.text = text }

    package static func == (left: Bytewise, right: Bytewise) -> Bool { left.text.hasSameBytes(as: right.text) }

    package static func < (left: Bytewise, right: Bytewise) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    package func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { unsafe hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }

    package var description: String { text }
}

extension String {
    package func hasSameBytes(as other: String) -> Bool { utf8.elementsEqual(other.utf8) }

    /// Whether its bytes begin with those of `prefix`, whatever Unicode says of the characters there.
    package func startsWithBytes(of prefix: String) -> Bool { utf8.starts(with: prefix.utf8) }

    package func endsWithBytes(of suffix: String) -> Bool { utf8.reversed().starts(with: suffix.utf8.reversed()) }
}

extension Sequence<String> {
    /// In order of their bytes.
    package func sortedBytewise() -> [String] { sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }
}

extension Set<Bytewise> {
    package init(texts: some Sequence<String>) { self.init(texts.map(Bytewise.init)) }

    package func contains(_ text: String) -> Bool { contains(Bytewise(text)) }

    /// Returns whether it was not there before.
    @discardableResult
    package mutating func insert(_ text: String) -> Bool { insert(Bytewise(text)).inserted }
}

extension Dictionary where Key == Bytewise {
    package subscript(text: String) -> Value? {
        get { self[Bytewise(text)] }
        set { self[Bytewise(text)] = newValue }
        _modify { yield &self[Bytewise(text)] }
    }

    package subscript(text: String, default value: @autoclosure () -> Value) -> Value {
        get { self[Bytewise(text), default: value()] }
        _modify { yield &self[Bytewise(text), default: value()] }
    }
}
