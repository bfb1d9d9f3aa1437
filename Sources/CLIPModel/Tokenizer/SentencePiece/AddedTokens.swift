/// Tokens that are looked for in a text before anything else is done with it.
struct AddedTokens: Sendable {
    struct Token: Sendable {
        let id: Int
        let text: String
        /// Whether spaces before and behind it belong to it.
        var takesSpaceBefore = false
        var takesSpaceBehind = false
    }

    private let tokens: [Token]
    private var trie = PieceTrie()

    init(_ tokens: [Token]) {
        self.tokens = tokens
        for (index, token) in tokens.enumerated() where !token.text.isEmpty { trie.insert(token.text.utf8, value: index) }
    }

    enum Part {
        case token(Int)
        case text(String, isFirst: Bool)
    }

    /// Tokens and the texts between them; the longest token at each place.
    func parts(of text: String) -> [Part] {
        guard !trie.isEmpty else { return [.text(text, isFirst: true)] }
        let bytes = Array(text.utf8)
        var result: [Part] = []
        var start = 0
        var position = 0
        func add(_ range: Range<Int>) {
            if !range.isEmpty { result.append(.text(String(decoding: bytes[range], as: UTF8.self), isFirst: range.lowerBound == 0)) }
        }
        while position < bytes.count {
            guard let found = trie.longest(in: bytes, at: position) else {
                position += 1
                continue
            }
            let token = tokens[found.value]
            var (first, end) = (position, found.end)
            if token.takesSpaceBefore {
                let before = String(decoding: bytes[start..<position], as: UTF8.self)
                first = start + before.unicodeScalars.withoutTrailingSpace.reduce(0) { $0 + UTF8.width($1) }
            }
            if token.takesSpaceBehind {
                let behind = String(decoding: bytes[end...], as: UTF8.self).unicodeScalars.prefix { $0.properties.isWhitespace }
                end += behind.reduce(0) { $0 + UTF8.width($1) }
            }
            add(start..<first)
            result.append(.token(token.id))
            start = end
            position = end
        }
        add(start..<bytes.count)
        return result
    }
}

extension String.UnicodeScalarView {
    fileprivate var withoutTrailingSpace: SubSequence {
        var result = self[...]
        while let last = result.last, last.properties.isWhitespace { result.removeLast() }
        return result
    }
}
