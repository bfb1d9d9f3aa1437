import Files
import Tensors

/// Backbones of one architecture mixed weight by weight.
///
/// Fine-tuning forgets; a mixture with the original keeps more of what that knew (patching: Ilharco et al., NeurIPS 2022, as
/// Open-VCLIP and FROSTER use it), and a mean over epochs generalizes better than the last one.
extension Backbone {
    /// θ = Σ shareₖ · θₖ, over every tensor, ln of the logit scale among them. A share of 1 gives that backbone's weights to the bit.
    ///
    /// - Parameters:
    ///   - parts: at least one, with shares that sum to 1. The last one says what the mixture is called and how its pixels are
    ///     normalized.
    ///   - name: of the mixture.
    /// - Throws: `ModelError.cannotBlend` where architectures or vocabularies differ.
    package static func blended(_ parts: [(backbone: Backbone, share: Float)], named name: String) throws(ModelError) -> Backbone {
        precondition(!parts.isEmpty, "at least one part")
        let parts = parts.filter { $0.share != 0 }
        let last = parts[parts.count - 1].backbone
        for (other, _) in parts.dropLast() { try last.checkAlike(other) }
        let tensors = parts.map { $0.backbone.parameters.all }
        var index = 0
        let parameters = last.parameters.map { element in
            defer { index += 1 }
            guard parts.count > 1 || parts[0].share != 1 else { return element }
            let sum = MutableMatrix(rows: element.rowCount, columns: element.columnCount)
            for (part, tensors) in zip(parts, tensors) { add(tensors[index], times: part.share, to: sum) }
            return sum.reading
        }
        var description = last.description
        description.name = name
        description.provenance = parts.map { "\($0.share) × \($0.backbone.description.name) (\($0.backbone.digest.prefix(12)))" }
            .joined(separator: " + ")
        description.vocabularyDigest = parts.lazy.compactMap(\.backbone.description.vocabularyDigest).last
        return Backbone(
            architecture: last.architecture, parameters: parameters, description: description,
            weightsDigest: parameters.digest(of: last.architecture),
            vocabularyPath: parts.lazy.compactMap(\.backbone.vocabularyPath).last, warnings: [])
    }

    private func checkAlike(_ other: Backbone) throws(ModelError) {
        func refuse(_ what: String, _ mine: String, _ theirs: String) throws(ModelError) {
            if mine != theirs {
                throw .cannotBlend(first: other.description.name, second: description.name, what: what, values: [theirs, mine])
            }
        }
        try refuse("architecture", architecture.summary, other.architecture.summary)
        guard architecture == other.architecture else {
            throw .cannotBlend(
                first: other.description.name, second: description.name, what: "heads or activation",
                values: [other.architecture, architecture].map { "\($0.vision.headCount), \($0.text.headCount), \($0.activation.rawValue)" })
        }
        try refuse("tokens", description.tokenizer.rawValue, other.description.tokenizer.rawValue)
        if let mine = description.vocabularyDigest, let theirs = other.description.vocabularyDigest { try refuse("vocabulary", mine, theirs) }
    }
}
