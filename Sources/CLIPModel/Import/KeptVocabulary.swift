import Files

/// A vocabulary that is kept beside a backbone file: CLIP's merges as text, a SigLIP's tokenizer as it came.
struct KeptVocabulary {
    let digest: String
    let tokenCount: Int
    private let bytes: [UInt8]
    private let ending: String

    /// Reads a vocabulary of the kind that `tokenizer` needs.
    init(path: String, for tokenizer: TokenizerKind) throws(TokenizerError) {
        switch tokenizer {
        case .clipBPE, .bytes:
            let vocabulary = try BPEVocabulary(path: path)
            digest = vocabulary.digest
            tokenCount = vocabulary.endToken + 1
            bytes = Array(vocabulary.mergesText.utf8)
            ending = Self.mergesEnding
        case .siglip, .siglip2:
            do {
                bytes = try InputFile.contents(of: path, limit: SentencePieceTokenizer.byteLimit)
            } catch {
                throw .file(error)
            }
            let tokenizer = try SentencePieceTokenizer(bytes, path: path, isSecond: tokenizer == .siglip2)
            digest = tokenizer.digest
            tokenCount = tokenizer.vocabularySize
            // Protobuf's message begins with the tag of its first field.
            ending = bytes.first == 0x0A ? Self.messageEnding : Self.jsonEnding
        }
    }

    private static let mergesEnding = ".merges.txt"
    private static let jsonEnding = ".tokenizer.json"
    private static let messageEnding = ".spiece.model"

    /// Writes the vocabulary where that of a backbone file is looked for, and says where.
    func keep(beside path: String) throws -> String {
        let kept = Self.path(beside: path, ending: ending)
        try DurableFile.write(bytes, to: kept)
        return kept
    }

    private static func path(beside path: String, ending: String) -> String {
        (path.hasSuffix(".safetensors") ? String(path.dropLast(".safetensors".count)) : path) + ending
    }

    fileprivate static func paths(beside path: String, for tokenizer: TokenizerKind) -> [String] {
        switch tokenizer {
        case .clipBPE, .bytes: [Self.path(beside: path, ending: mergesEnding)]
        case .siglip, .siglip2: [jsonEnding, messageEnding].map { Self.path(beside: path, ending: $0) }
        }
    }

    /// The vocabulary beside a backbone file, if there is one.
    static func path(beside path: String, for tokenizer: TokenizerKind) -> String? {
        paths(beside: path, for: tokenizer).first(where: fileExists)
    }
}

/// Where the vocabulary of a backbone file lies, of whatever kind it is: beside it, in one of these.
package func keptVocabularyPaths(beside path: String) -> [String] {
    [TokenizerKind.clipBPE, .siglip].flatMap { KeptVocabulary.paths(beside: path, for: $0) }
}

/// Keeps a vocabulary, in any of its forms, beside a backbone file.
///
/// - Returns: where it lies.
package func keepVocabulary(_ file: String, beside path: String, for tokenizer: TokenizerKind) throws -> String {
    try KeptVocabulary(path: file, for: tokenizer).keep(beside: path)
}
