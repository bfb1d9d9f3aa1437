import Files

/// How pixels were normalized when a backbone was trained. What the names stand for is known where pixels are.
package enum PixelNormalization: String, Sendable, CaseIterable {
    /// torchvision's constants; ViFi-CLIP uses them on CLIP weights (`methods.md` 1.6).
    case imageNet = "imagenet"
    /// The constants that CLIP itself was trained with.
    case clip
    /// Mean and deviation of a half: pixels from −1 to 1, as Perception Encoders and SigLIPs have them.
    case centered

    package var name: String { rawValue }

    /// - Throws: `ModelError` for another name.
    init(named name: String) throws(ModelError) {
        guard let known = Self(rawValue: name) else {
            throw .badMetadata(
                key: "normalization", value: name,
                expected: Self.allCases.map { "\"\($0.name)\"" }.joined(separator: " or "))
        }
        self = known
    }
}

/// Which tokens a backbone's text tower reads.
package enum TokenizerKind: String, Sendable, CaseIterable {
    /// CLIP's byte-pair vocabulary of 49,408 tokens.
    case clipBPE = "clip-bpe"
    /// UTF-8 bytes, start 256, end 257.
    case bytes
    /// SigLIP's SentencePiece unigram of 32,000 tokens.
    case siglip
    /// SigLIP 2's byte pairs (Gemma's) of 256,000 tokens.
    case siglip2

    /// The two have vocabularies of very different sizes: 32,000 and 256,000.
    static func ofSigLIP(vocabularySize: Int) -> TokenizerKind { vocabularySize > 100_000 ? .siglip2 : .siglip }
}

/// What a backbone file says of itself beside its tensors.
package struct BackboneDescription: Sendable, Equatable {
    package var name: String
    package var normalization: PixelNormalization
    package var tokenizer: TokenizerKind
    /// How the weights came about, in words.
    package var provenance: String
    /// SHA-256 of the vocabulary's merges (`BPEVocabulary.digest`) or of a SigLIP's tokenizer file, where it came with the weights.
    package var vocabularyDigest: String?

    package init(
        name: String, normalization: PixelNormalization, tokenizer: TokenizerKind, provenance: String,
        vocabularyDigest: String? = nil
    ) {
        self.vocabularyDigest = vocabularyDigest
        self.name = name
        self.normalization = normalization
        self.tokenizer = tokenizer
        self.provenance = provenance
    }

    private enum Key {
        static let format = "vifi_backbone_format"
        static let name = "name"
        static let normalization = "normalization"
        /// As files of before the American spelling have it.
        static let formerNormalization = "normalisation"
        static let tokenizer = "tokenizer"
        static let provenance = "provenance"
        static let vocabularyDigest = "vocabulary_sha256"
    }

    /// The string metadata of a backbone file, but for `CLIPArchitecture.metadata`.
    package var metadata: [String: String] {
        var result = [
            Key.format: "1", Key.name: name, Key.normalization: normalization.name, Key.tokenizer: tokenizer.rawValue,
            Key.provenance: provenance,
        ]
        if let vocabularyDigest { result[Key.vocabularyDigest] = vocabularyDigest }
        return result
    }

    /// Whether a file's metadata say that this program wrote it.
    static func isClaimed(by metadata: [String: String]) -> Bool { metadata[Key.format] != nil }

    /// Reads the metadata of a backbone file of ours.
    init(metadata: [String: String], path: String) throws(ModelError) {
        name = metadata[Key.name] ?? path.lastPathComponent
        provenance = metadata[Key.provenance] ?? "unknown"
        if let format = metadata[Key.format], format != "1" {
            throw .badMetadata(key: Key.format, value: format, expected: "\"1\"")
        }
        vocabularyDigest = metadata[Key.vocabularyDigest]
        let normalizationName = metadata[Key.normalization] ?? metadata[Key.formerNormalization] ?? PixelNormalization.clip.name
        normalization = try PixelNormalization(named: normalizationName)
        let tokenizerName = metadata[Key.tokenizer] ?? TokenizerKind.clipBPE.rawValue
        guard let tokenizer = TokenizerKind(rawValue: tokenizerName) else {
            throw .badMetadata(
                key: Key.tokenizer, value: tokenizerName,
                expected: TokenizerKind.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or "))
        }
        self.tokenizer = tokenizer
    }
}
