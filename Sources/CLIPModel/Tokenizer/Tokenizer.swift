/// Turns text into token ids for the text tower.
///
/// `endToken` is the highest id: CLIP takes its text feature at the position of the largest id.
package protocol Tokenizer: Sendable {
    /// The ids of `text`, without start and end token; as many as it has.
    func encode(_ text: String) -> [Int]
    var startToken: Int { get }
    var endToken: Int { get }
    /// Ids are `0 ..< vocabularySize`.
    var vocabularySize: Int { get }
}

/// UTF-8 bytes as ids, for models trained from nothing: no vocabulary file, any language.
package struct ByteTokenizer: Tokenizer {
    package let startToken = 256
    package let endToken = 257
    package let vocabularySize = 258

    package init() {}

    package func encode(_ text: String) -> [Int] { cleanedText(text).utf8.map(Int.init) }
}
