import CLIPModel
import Tensors

extension PromptMethod {
    /// MaPLe: vision prompts are linear images of the text prompts. Source: Khattak et al., CVPR 2023, "MaPLe: Multi-modal
    /// Prompt Learning", trainers/maple.py; `methods.md` 7.
    package static let maple = PromptMethod(
        "maple", summary: "vision prompts are projections of the text prompts, layer by layer (MaPLe, CVPR 2023)",
        shape: Shape(visionTokens: 2, visionDepth: 9, textTokens: 2, textDepth: 9)
    ) { start throws(PromptMethodError) in
        try CoupledPrompts(start)
    }
}

/// Text prompts of each layer, and a linear map per layer that makes the vision prompts of the same layer from them.
package struct CoupledPrompts: PromptSource {
    /// `[tokens, text width]` for each layer.
    private let texts: [MutableMatrix]
    private let textGradients: [MutableMatrix]
    private let projections: [Projection]
    package let configuration: PromptConfiguration
    package let promptGradients: PromptSet<MutableMatrix>

    /// From text to vision prompts of one layer, `y = x · weightᵀ + bias`.
    package struct Projection: Sendable {
        /// `[vision width, text width]`
        package let weight: MutableMatrix
        /// `[1, vision width]`
        package let bias: MutableMatrix

        package init(weight: MutableMatrix, bias: MutableMatrix) { (self.weight, self.bias) = (weight, bias) }

        fileprivate var zeros: Projection {
            Projection(
                weight: MutableMatrix(rows: weight.rowCount, columns: weight.columnCount),
                bias: MutableMatrix(rows: 1, columns: bias.columnCount))
        }
    }

    private let projectionGradients: [Projection]

    /// - Parameters:
    ///   - texts: `[tokens, text width]` for each layer of the vision tower with prompts; those above the text tower's layers
    ///     only make vision prompts.
    ///   - projections: one for each of `texts`.
    package init(texts: [MutableMatrix], projections: [Projection], architecture: CLIPArchitecture, mergedTokens: Int = 0, isBehindNorm: Bool = false) {
        precondition(texts.count == projections.count, "each layer has a projection of its own")
        self.texts = texts
        self.projections = projections
        let tokens = texts.first?.rowCount ?? 0
        configuration = PromptConfiguration(
            visionTokens: tokens, visionLayers: 0..<texts.count, textTokens: tokens,
            textLayers: 0..<min(texts.count, architecture.text.layerCount), mergedTokens: mergedTokens, isBehindNorm: isBehindNorm)
        promptGradients = PromptSet(zeros: configuration, architecture: architecture)
        textGradients = texts.map { MutableMatrix(rows: $0.rowCount, columns: $0.columnCount) }
        projectionGradients = projections.map(\.zeros)
    }

    /// Projections as PyTorch starts linear layers, uniform in ±1/√(text width). Those behind the first layer start equal, as
    /// clones of one.
    init(_ start: PromptMethod.Start) throws(PromptMethodError) {
        let (prompts, architecture) = (start.prompts.configuration, start.architecture)
        guard prompts.startsAtFirstLayers, prompts.visionTokens == prompts.textTokens, prompts.visionDepth >= prompts.textDepth,
            prompts.textDepth == min(prompts.visionDepth, architecture.text.layerCount), prompts.textDepth > 0
        else {
            throw .unequalSides(method: PromptMethod.maple.name, vision: prompts.visionWords, text: prompts.textWords)
        }
        let (width, textWidth) = (architecture.vision.width, architecture.text.width)
        func projection(_ item: Int) -> Projection {
            var source = RandomSource(seed: start.seed, purpose: .projections, item: item)
            let bound = 1 / Float(textWidth).squareRoot()
            func drawn(rows: Int, columns: Int) -> MutableMatrix {
                MutableMatrix(rows: rows, columns: columns, (0..<rows * columns).map { _ in source.uniform(in: -bound...bound) })
            }
            return Projection(weight: drawn(rows: width, columns: textWidth), bias: drawn(rows: 1, columns: width))
        }
        // Where the vision tower has more layers than the text tower, the sets above it are drawn like the others.
        let above = (prompts.textDepth..<prompts.visionDepth).map { layer in
            var source = RandomSource(seed: start.seed, purpose: .projections, item: 1 + layer)
            return MutableMatrix(
                rows: prompts.textTokens, columns: textWidth, (0..<prompts.textTokens * textWidth).map { _ in 0.02 * source.normal() })
        }
        self.init(
            texts: start.prompts.text + above, projections: (0..<prompts.visionDepth).map { projection(min($0, 1)) },
            architecture: architecture, mergedTokens: prompts.mergedTokens, isBehindNorm: prompts.isBehindNorm)
    }

    package var tensors: [LearnedTensor] {
        zip(texts, textGradients).enumerated().map { LearnedTensor(name: "text.\($0)", value: $1.0, gradient: $1.1) }
            + zip(projections, projectionGradients).enumerated().flatMap { layer, pair in
                [
                    LearnedTensor(name: "projection.\(layer).weight", value: pair.0.weight, gradient: pair.1.weight),
                    LearnedTensor(name: "projection.\(layer).bias", value: pair.0.bias, gradient: pair.1.bias),
                ]
            }
    }

    package func forward() -> PromptSet<Matrix> {
        for gradient in promptGradients.all { gradient.fill(0) }
        let vision = zip(texts, projections).map { text, projection in
            let prompts = MutableMatrix(rows: text.rowCount, columns: projection.weight.rowCount)
            linear(text, weight: projection.weight, bias: projection.bias, into: prompts)
            return prompts.reading
        }
        return PromptSet(
            vision: vision, text: texts.prefix(configuration.textDepth).map(\.reading), mergedTokens: configuration.mergedTokens,
            isBehindNorm: configuration.isBehindNorm)
    }

    package func backward() {
        for (gradient, sum) in zip(promptGradients.text, textGradients) { add(gradient, to: sum) }
        for (layer, gradient) in promptGradients.vision.enumerated() {
            multiply(gradient, .asStored, projections[layer].weight, .asStored, into: textGradients[layer], adding: true)
            multiply(gradient, .transposed, texts[layer], .asStored, into: projectionGradients[layer].weight, adding: true)
            sumRows(of: gradient, into: projectionGradients[layer].bias)
        }
    }
}
