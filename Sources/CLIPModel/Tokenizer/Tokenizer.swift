/// Turns text into token ids for the text tower.
package protocol Tokenizer: Sendable {
    /// The ids of `text`, without start, end and padding tokens; as many as it has.
    func encode(_ text: String) -> [Int]
    /// What every sequence begins with; nil where it begins with its text.
    var startToken: Int? { get }
    /// What every text ends with. Where there is no padding it is the highest id: CLIP takes its text feature at the position of the
    /// largest id.
    var endToken: Int { get }
    /// What sequences are filled up with behind the end token, up to the context length; nil where they end with the end token.
    var paddingToken: Int? { get }
    /// Ids are `0 ..< vocabularySize`.
    var vocabularySize: Int { get }
    /// Whether a text has no tokens of its own.
    func isEmpty(_ text: String) -> Bool
}

extension Tokenizer {
    package var paddingToken: Int? { nil }

    package func isEmpty(_ text: String) -> Bool { cleanedText(text).isEmpty }

    /// Tokens before a text, which is where learned prompts begin.
    package var startCount: Int { startToken == nil ? 0 : 1 }

    /// Tokens of a sequence that are none of its text's and no padding.
    package var frameCount: Int { startCount + 1 }

    /// Whether `ids` hold a token that marks where texts begin, end or are filled up.
    package func holdsSpecialToken(_ ids: [Int]) -> Bool { ids.contains { $0 == startToken || $0 == endToken || $0 == paddingToken } }

    /// What the text tower reads: start token, places for prompts, text and end token, and padding where the tokenizer has some.
    ///
    /// - Parameter length: the context length; a text that does not fit loses its end.
    package func sequence(of ids: [Int], prompts: [Int] = [], length: Int) -> [Int] {
        let kept = ids.prefix(max(0, length - prompts.count - frameCount))
        let sequence = (startToken.map { [$0] } ?? []) + prompts + kept + [endToken]
        guard let paddingToken else { return sequence }
        return sequence + Array(repeating: paddingToken, count: max(0, length - sequence.count))
    }
}

/// UTF-8 bytes as ids, for models trained from nothing: no vocabulary file, any language.
package struct ByteTokenizer: Tokenizer {
    package let startToken: Int? = 256
    package let endToken = 257
    package let vocabularySize = 258

    package init() {}

    package func encode(_ text: String) -> [Int] { cleanedText(text).utf8.map(Int.init) }
}
