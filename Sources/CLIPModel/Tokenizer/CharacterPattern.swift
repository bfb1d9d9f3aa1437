/// A sequence of character classes, as a regular expression has them.
///
/// Classes are separated by spaces. A class is made of characters, ranges (`a-z`), names of other classes (`{bad}`), and
/// `\_` for a space, `\s` for any space, `\w` for what words are made of. `!` before a class means all others, `.` any
/// character, and `^` first means that the text begins here.
struct CharacterPattern: Sendable {
    private struct Element: Sendable {
        var scalars: Set<UInt32> = []
        var takesSpaces = false
        var takesWords = false
        var isNegated = false

        func contains(_ value: UInt32) -> Bool {
            if scalars.contains(value) { return !isNegated }
            guard takesSpaces || takesWords, let scalar = Unicode.Scalar(value) else { return isNegated }
            let isMeant = takesSpaces && scalar.properties.isWhitespace || takesWords && scalar.isOfWords
            return isMeant != isNegated
        }
    }

    private var elements: [Element] = []
    private let isAtStart: Bool

    init(_ text: String, names: [String: String] = [:]) {
        var parts = text.split(separator: " ").map { Array(String($0).unicodeScalars) }
        isAtStart = parts.first == ["^"]
        if isAtStart { parts.removeFirst() }
        elements = parts.map { Self.element($0, names: names) }
    }

    private static func element(_ text: [Unicode.Scalar], names: [String: String]) -> Element {
        var element = Element()
        var position = 0
        if text == ["."] {
            element.isNegated = true
            element.scalars = [0x0A]
            return element
        }
        while position < text.count {
            let scalar = text[position]
            position += 1
            switch scalar {
            case "!" where position == 1 && text.count > 1: element.isNegated = true
            case "{":
                let name = text[position...].prefix { $0 != "}" }
                position += name.count + 1
                let inner = names[String(String.UnicodeScalarView(name))] ?? ""
                element.scalars.formUnion(Self.element(Array(inner.unicodeScalars), names: [:]).scalars)
            case "\\":
                guard position < text.count else { break }
                switch text[position] {
                case "s": element.takesSpaces = true
                case "w": element.takesWords = true
                default: element.scalars.insert(0x20)
                }
                position += 1
            default:
                if position + 1 < text.count, text[position] == "-", scalar.value <= text[position + 1].value {
                    element.scalars.formUnion(scalar.value...text[position + 1].value)
                    position += 2
                } else {
                    element.scalars.insert(scalar.value)
                }
            }
        }
        return element
    }

    /// How many values from `position` on fit; nil where these do not.
    func length(in values: [UInt32], at position: Int) -> Int? {
        guard !isAtStart || position == 0, position + elements.count <= values.count else { return nil }
        for (offset, element) in elements.enumerated() where !element.contains(values[position + offset]) { return nil }
        return elements.count
    }
}

extension [CharacterPattern] {
    /// The length of the first pattern that fits.
    func length(in values: [UInt32], at position: Int) -> Int? {
        for pattern in self { if let length = pattern.length(in: values, at: position) { return length } }
        return nil
    }
}

extension Unicode.Scalar {
    /// Python's `\w`: letters, numbers and the underscore.
    fileprivate var isOfWords: Bool {
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
            .decimalNumber, .letterNumber, .otherNumber:
            true
        default: self == "_"
        }
    }
}
