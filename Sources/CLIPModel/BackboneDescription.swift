import Files

/// How pixels were normalised when a backbone was trained, on the scale 0…255.
package struct PixelNormalisation: Sendable, Equatable {
    package let name: String
    package let mean: [Float]
    package let deviation: [Float]

    /// torchvision's constants; ViFi-CLIP uses them on CLIP weights (`methods.md` 1.6).
    package static let imageNet = PixelNormalisation(
        name: "imagenet", mean: [123.675, 116.28, 103.53], deviation: [58.395, 57.12, 57.375])
    /// The constants that CLIP itself was trained with (Radford et al. 2021, openai/CLIP).
    package static let clip = PixelNormalisation(
        name: "clip", mean: [0.48145466 * 255, 0.4578275 * 255, 0.40821073 * 255],
        deviation: [0.26862954 * 255, 0.26130258 * 255, 0.27577711 * 255])

    package static let all = [imageNet, clip]

    /// - Throws: `ModelError` for a name that no constants are known for.
    init(named name: String) throws(ModelError) {
        guard let known = Self.all.first(where: { $0.name == name }) else {
            throw .badMetadata(
                key: "normalisation", value: name, expected: Self.all.map { "\"\($0.name)\"" }.joined(separator: " or "))
        }
        self = known
    }

    private init(name: String, mean: [Float], deviation: [Float]) {
        self.name = name
        self.mean = mean
        self.deviation = deviation
    }
}

/// Which tokens a backbone's text tower reads.
package enum TokenizerKind: String, Sendable, CaseIterable {
    /// CLIP's byte-pair vocabulary of 49,408 tokens.
    case clipBPE = "clip-bpe"
    /// UTF-8 bytes, start 256, end 257.
    case bytes
}

/// What a backbone file says of itself beside its tensors.
package struct BackboneDescription: Sendable, Equatable {
    package var name: String
    package var normalisation: PixelNormalisation
    package var tokenizer: TokenizerKind
    /// How the weights came about, in words.
    package var provenance: String

    package init(name: String, normalisation: PixelNormalisation, tokenizer: TokenizerKind, provenance: String) {
        self.name = name
        self.normalisation = normalisation
        self.tokenizer = tokenizer
        self.provenance = provenance
    }

    private enum Key {
        static let format = "vifi_backbone_format"
        static let name = "name"
        static let activation = "activation"
        static let normalisation = "normalisation"
        static let tokenizer = "tokenizer"
        static let provenance = "provenance"
    }

    /// The string metadata of a backbone file.
    package var metadata: [String: String] {
        [
            Key.format: "1", Key.name: name, Key.activation: "quick_gelu", Key.normalisation: normalisation.name,
            Key.tokenizer: tokenizer.rawValue, Key.provenance: provenance,
        ]
    }

    /// Reads the metadata; a file without any is taken for an untouched CLIP.
    init(metadata: [String: String], path: String) throws(ModelError) {
        name = metadata[Key.name] ?? path.lastPathComponent
        provenance = metadata[Key.provenance] ?? "unknown"
        if let format = metadata[Key.format], format != "1" {
            throw .badMetadata(key: Key.format, value: format, expected: "\"1\"")
        }
        if let activation = metadata[Key.activation], activation != "quick_gelu" {
            throw .badMetadata(key: Key.activation, value: activation, expected: "\"quick_gelu\"")
        }
        let normalisationName = metadata[Key.normalisation] ?? PixelNormalisation.clip.name
        normalisation = try PixelNormalisation(named: normalisationName)
        let tokenizerName = metadata[Key.tokenizer] ?? TokenizerKind.clipBPE.rawValue
        guard let tokenizer = TokenizerKind(rawValue: tokenizerName) else {
            throw .badMetadata(
                key: Key.tokenizer, value: tokenizerName,
                expected: TokenizerKind.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or "))
        }
        self.tokenizer = tokenizer
    }
}
