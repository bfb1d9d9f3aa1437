import CLIPModel
import Experiments
import Files

/// A backbone that `import` made of others, in its file; also what `--json` prints of it.
struct MadeBackbone: Encodable {
    let file: String
    let sha256: String
    let backboneSha256: String
    let vocabularyFile: String?
    /// Of two that were mixed, the share of the first.
    var ratio: Float?
    /// Shares that were tried.
    var compared: [BlendSweep.Entry]?
    /// Of the low-rank updates that were merged.
    var rank: Int?

    /// Writes the file, which `BridgeImport.target` has found a place for.
    ///
    /// - Parameter vocabulary: to be kept beside it; nil for none.
    init(_ backbone: Backbone, to target: String, isHalf: Bool, vocabulary: String?) throws {
        try createDirectory(target.parentDirectory)
        file = target
        sha256 = try backbone.save(to: target, elementType: isHalf ? .float16 : .float32)
        vocabularyFile = try vocabulary.map { try keepVocabulary($0, beside: target, for: backbone.description.tokenizer) }
        backboneSha256 = (isHalf ? backbone.roundedToFloat16() : backbone).digest
    }

    /// For people.
    ///
    /// - Parameter making: what the backbone's provenance is called.
    func show(_ backbone: Backbone, making: String) {
        var rows = [
            ("backbone", file), (making, backbone.description.provenance), ("architecture", backbone.architecture.summary), ("SHA-256", sha256),
            ("digest", backboneSha256),
        ]
        if let vocabularyFile { rows.append(("vocabulary", vocabularyFile)) }
        Console.result(Inspection.aligned(rows.map { ($0.0, $0.1.escapedForDisplay) }).joined(separator: "\n"))
    }
}
