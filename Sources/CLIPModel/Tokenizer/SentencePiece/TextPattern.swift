/// A string or a small regular expression of a `tokenizer.json`.
///
/// Of expressions these parts are known, which is what tokenizers of this kind hold: alternatives of characters, classes, `.`, `\s` and
/// `\d`, each with `+`, `*`, `?` or `{n,m}`, between `\A` or `^` and `\z` or `$`.
struct TextPattern: Sendable {
    private struct Element: Sendable {
        var ranges: [ClosedRange<UInt32>] = []
        var takesSpaces = false
        var takesDigits = false
        var isNegated = false
        var least = 1
        var most = 1

        /// The same for each ASCII character, which most are.
        private var isASCIIMeant: [Bool] = []

        init(ranges: [ClosedRange<UInt32>] = [], isNegated: Bool = false) {
            self.ranges = ranges
            self.isNegated = isNegated
        }

        /// Once everything but the quantifier is known.
        var prepared: Element {
            var result = self
            result.isASCIIMeant = (0..<0x80).map { isMeant(Unicode.Scalar(UInt8($0))) }
            return result
        }

        func contains(_ scalar: Unicode.Scalar) -> Bool {
            scalar.value < 0x80 ? isASCIIMeant[Int(scalar.value)] : isMeant(scalar)
        }

        private func isMeant(_ scalar: Unicode.Scalar) -> Bool {
            let isMeant = ranges.contains { $0.contains(scalar.value) } || takesSpaces && scalar.properties.isWhitespace
                || takesDigits && scalar.properties.generalCategory == .decimalNumber
            return isMeant != isNegated
        }
    }

    private struct Alternative: Sendable {
        var elements: [Element] = []
        var isAtStart = false
        var isAtEnd = false
    }

    private var alternatives: [Alternative] = []

    private static let elementLimit = 256

    init(string: String) throws(SentencePieceFault) {
        guard !string.isEmpty, string.unicodeScalars.count <= Self.elementLimit else {
            throw .field("pattern", problem: "a string of \(string.unicodeScalars.count) characters; 1 to \(Self.elementLimit) are read")
        }
        alternatives = [Alternative(elements: string.unicodeScalars.map { Element(ranges: [$0.value...$0.value]).prepared })]
    }

    init(expression: String) throws(SentencePieceFault) {
        let unsupported = SentencePieceFault.unsupported(field: "pattern", value: "the expression \(expression)")
        var parser = Parser(scalars: Array(expression.unicodeScalars))
        guard parser.scalars.count <= 4 * Self.elementLimit, let found = parser.alternatives() else { throw unsupported }
        // Bounds the time that a text may take; a match of nothing would replace for ever.
        guard found.reduce(0, { $0 + $1.elements.count }) <= Self.elementLimit,
            found.allSatisfy({ part in
                part.elements.contains { $0.least > 0 } && part.elements.count { $0.most > $0.least } <= 2
            })
        else { throw unsupported }
        alternatives = found
    }

    /// Where the pattern fits, from left to right; matches do not overlap.
    func matches(in text: [Unicode.Scalar]) -> [Range<Int>] {
        var result: [Range<Int>] = []
        var position = 0
        while position < text.count {
            if let end = end(in: text, at: position) {
                result.append(position..<end)
                position = end
            } else {
                position += 1
            }
        }
        return result
    }

    /// Where a match ends that begins at `position`: that of the first alternative that fits.
    private func end(in text: [Unicode.Scalar], at position: Int) -> Int? {
        for alternative in alternatives where !alternative.isAtStart || position == 0 {
            if let end = Self.end(of: alternative, from: 0, in: text, at: position) { return end }
        }
        return nil
    }

    /// As many characters as possible for each element, fewer where the rest does not fit.
    private static func end(of alternative: Alternative, from index: Int, in text: [Unicode.Scalar], at position: Int) -> Int? {
        guard index < alternative.elements.count else {
            return alternative.isAtEnd && position < text.count ? nil : position
        }
        let element = alternative.elements[index]
        var count = 0
        while count < element.most, position + count < text.count, element.contains(text[position + count]) { count += 1 }
        while count >= element.least {
            if let end = end(of: alternative, from: index + 1, in: text, at: position + count) { return end }
            count -= 1
        }
        return nil
    }

    private struct Parser {
        let scalars: [Unicode.Scalar]
        var position = 0

        init(scalars: [Unicode.Scalar]) { self.scalars = scalars }

        var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

        mutating func alternatives() -> [Alternative]? {
            var result: [Alternative] = []
            var current = Alternative()
            while let scalar = next {
                // Nothing follows the end.
                guard !current.isAtEnd || scalar == "|" else { return nil }
                position += 1
                switch scalar {
                case "|":
                    result.append(current)
                    current = Alternative()
                case "^" where current.elements.isEmpty: current.isAtStart = true
                case "$": current.isAtEnd = true
                case "\\" where next == "A" && current.elements.isEmpty:
                    position += 1
                    current.isAtStart = true
                case "\\" where next == "z":
                    position += 1
                    current.isAtEnd = true
                default:
                    guard var element = element(scalar), quantify(&element) else { return nil }
                    current.elements.append(element.prepared)
                }
            }
            return result + [current]
        }

        private mutating func element(_ scalar: Unicode.Scalar) -> Element? {
            switch scalar {
            case "(", ")", "{", "}", "]", "*", "+", "?", "^": return nil
            case ".": return Element(ranges: [0x0A...0x0A], isNegated: true)
            case "[": return characterClass()
            case "\\":
                var element = Element()
                return escape(into: &element) ? element : nil
            default: return Element(ranges: [scalar.value...scalar.value])
            }
        }

        /// What follows a backslash: a class, or a character that stands for itself.
        private mutating func escape(into element: inout Element) -> Bool {
            guard let scalar = next else { return false }
            position += 1
            switch scalar {
            case "s": element.takesSpaces = true
            case "d": element.takesDigits = true
            case "n": element.ranges.append(0x0A...0x0A)
            case "t": element.ranges.append(0x09...0x09)
            case "r": element.ranges.append(0x0D...0x0D)
            case _ where scalar.properties.isAlphabetic || scalar.properties.numericType != nil: return false
            default: element.ranges.append(scalar.value...scalar.value)
            }
            return true
        }

        private mutating func characterClass() -> Element? {
            var element = Element()
            if next == "^" {
                element.isNegated = true
                position += 1
            }
            while let scalar = next {
                position += 1
                switch scalar {
                case "]": return element.ranges.isEmpty && !element.takesSpaces && !element.takesDigits ? nil : element
                // Classes within classes, and what both of two classes hold.
                case "[": return nil
                case "&" where next == "&": return nil
                case "\\": guard escape(into: &element) else { return nil }
                default:
                    if next == "-", position + 1 < scalars.count, scalars[position + 1] != "]" {
                        let last = scalars[position + 1]
                        guard last != "\\", last != "[", last.value >= scalar.value else { return nil }
                        element.ranges.append(scalar.value...last.value)
                        position += 2
                    } else {
                        element.ranges.append(scalar.value...scalar.value)
                    }
                }
            }
            return nil
        }

        private mutating func quantify(_ element: inout Element) -> Bool {
            switch next {
            case "+": element.most = .max
            case "*": (element.least, element.most) = (0, .max)
            case "?": element.least = 0
            case "{":
                let inner = scalars[(position + 1)...].prefix { $0 != "}" }
                let bounds = String(String.UnicodeScalarView(inner)).split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
                guard position + 1 + inner.count < scalars.count, let least = bounds.first ?? nil, (0...1000).contains(least) else { return false }
                let most: Int?
                switch bounds.count {
                case 1: most = least
                case 2: most = inner.last == "," ? Int.max : bounds[1]
                default: most = nil
                }
                guard let most, most >= max(1, least) else { return false }
                (element.least, element.most) = (least, most)
                position += inner.count + 1
            default: return true
            }
            position += 1
            // Lazy and possessive ones.
            return next != "?" && next != "+"
        }
    }
}
