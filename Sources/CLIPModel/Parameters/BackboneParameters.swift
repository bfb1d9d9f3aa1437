import Tensors

/// A layer norm's weight and bias, `[width]` each.
package struct NormParameters<Element: Sendable>: Sendable {
    package var weight: Element
    package var bias: Element
}

/// A linear layer's weight `[outputWidth, inputWidth]` and bias `[outputWidth]`.
package struct LinearParameters<Element: Sendable>: Sendable {
    package var weight: Element
    package var bias: Element
}

/// A norm and the two layers of an MLP behind it.
package struct ResidualMLPParameters<Element: Sendable>: Sendable {
    package var norm: NormParameters<Element>
    package var input: LinearParameters<Element>
    package var output: LinearParameters<Element>
}

/// One pre-norm transformer block.
package struct BlockParameters<Element: Sendable>: Sendable {
    package var attentionNorm: NormParameters<Element>
    /// Queries, keys and values packed: `[3 × width, width]`.
    package var attentionInput: LinearParameters<Element>
    package var attentionOutput: LinearParameters<Element>
    package var mlpNorm: NormParameters<Element>
    package var mlpInput: LinearParameters<Element>
    package var mlpOutput: LinearParameters<Element>
}

package struct VisionParameters<Element: Sendable>: Sendable {
    /// `[width, 3, patch, patch]`, a convolution.
    package var patchProjection: Element
    /// `[width]`; nil in a convolution without bias.
    package var patchBias: Element?
    /// Nil where no class token stands before the patches.
    package var classEmbedding: Element?
    /// `[class token and patches, width]`
    package var positionalEmbedding: Element
    /// Nil where the first block follows the positions.
    package var inputNorm: NormParameters<Element>?
    package var blocks: [BlockParameters<Element>]
    package var outputNorm: NormParameters<Element>
    /// Nil where the class token is read.
    package var pooling: PoolingParameters<Element>?
    /// `[width, embeddingWidth]`; nil where both are the same.
    package var projection: Element?
}

package struct TextParameters<Element: Sendable>: Sendable {
    /// `[vocabulary, width]`
    package var tokenEmbedding: Element
    /// `[context, width]`
    package var positionalEmbedding: Element
    package var blocks: [BlockParameters<Element>]
    package var outputNorm: NormParameters<Element>
    /// `[width, embeddingWidth]`
    package var projection: Element
    /// `[embeddingWidth]`; nil in a projection without bias.
    package var projectionBias: Element?
}

/// Everything that a CLIP learns, in one shape for weights, gradients, moments and descriptions.
package struct BackboneParameters<Element: Sendable>: Sendable {
    package var vision: VisionParameters<Element>
    package var text: TextParameters<Element>
    /// ln of the factor on the cosine similarities.
    package var logitScale: Element
    /// What is added to the scaled cosine similarities before a sigmoid: kept, and of no use for the order of classes. Nil where a
    /// softmax takes them.
    package var logitBias: Element?
    /// Nil where frames do not see each other in the vision tower.
    package var crossFrame: CrossFrameParameters<Element>?
}

// MARK: - One walk over all of them

extension NormParameters {
    func map<Other>(_ transform: (Element) throws -> Other) rethrows -> NormParameters<Other> {
        NormParameters<Other>(weight: try transform(weight), bias: try transform(bias))
    }
    var all: [Element] { [weight, bias] }
}

extension LinearParameters {
    func map<Other>(_ transform: (Element) throws -> Other) rethrows -> LinearParameters<Other> {
        LinearParameters<Other>(weight: try transform(weight), bias: try transform(bias))
    }
    var all: [Element] { [weight, bias] }
}

extension ResidualMLPParameters {
    func map<Other>(_ transform: (Element) throws -> Other) rethrows -> ResidualMLPParameters<Other> {
        ResidualMLPParameters<Other>(norm: try norm.map(transform), input: try input.map(transform), output: try output.map(transform))
    }
    var all: [Element] { norm.all + input.all + output.all }
}

extension BlockParameters {
    func map<Other>(_ transform: (Element) throws -> Other) rethrows -> BlockParameters<Other> {
        BlockParameters<Other>(
            attentionNorm: try attentionNorm.map(transform), attentionInput: try attentionInput.map(transform),
            attentionOutput: try attentionOutput.map(transform), mlpNorm: try mlpNorm.map(transform),
            mlpInput: try mlpInput.map(transform), mlpOutput: try mlpOutput.map(transform))
    }
    /// - Parameter elements: as `all` has them.
    init(_ elements: [Element]) {
        precondition(elements.count == Self.elementCount, "a block has \(Self.elementCount) tensors")
        self.init(
            attentionNorm: .init(weight: elements[0], bias: elements[1]), attentionInput: .init(weight: elements[2], bias: elements[3]),
            attentionOutput: .init(weight: elements[4], bias: elements[5]), mlpNorm: .init(weight: elements[6], bias: elements[7]),
            mlpInput: .init(weight: elements[8], bias: elements[9]), mlpOutput: .init(weight: elements[10], bias: elements[11]))
    }

    static var elementCount: Int { 12 }

    var all: [Element] {
        attentionNorm.all + attentionInput.all + attentionOutput.all + mlpNorm.all + mlpInput.all + mlpOutput.all
    }
}

extension VisionParameters {
    func map<Other>(_ transform: (Element) throws -> Other) rethrows -> VisionParameters<Other> {
        VisionParameters<Other>(
            patchProjection: try transform(patchProjection), patchBias: try patchBias.map(transform), classEmbedding: try classEmbedding.map(transform),
            positionalEmbedding: try transform(positionalEmbedding), inputNorm: try inputNorm?.map(transform),
            blocks: try blocks.map { try $0.map(transform) }, outputNorm: try outputNorm.map(transform),
            pooling: try pooling?.map(transform), projection: try projection.map(transform))
    }
    package var all: [Element] {
        [patchProjection] + [patchBias, classEmbedding].compactMap(\.self) + [positionalEmbedding] + (inputNorm?.all ?? [])
            + blocks.flatMap(\.all) + outputNorm.all + (pooling?.all ?? []) + [projection].compactMap(\.self)
    }
}

extension TextParameters {
    func map<Other>(_ transform: (Element) throws -> Other) rethrows -> TextParameters<Other> {
        TextParameters<Other>(
            tokenEmbedding: try transform(tokenEmbedding), positionalEmbedding: try transform(positionalEmbedding),
            blocks: try blocks.map { try $0.map(transform) }, outputNorm: try outputNorm.map(transform),
            projection: try transform(projection), projectionBias: try projectionBias.map(transform))
    }
    package var all: [Element] {
        [tokenEmbedding, positionalEmbedding] + blocks.flatMap(\.all) + outputNorm.all + [projection] + [projectionBias].compactMap(\.self)
    }
}

extension BackboneParameters {
    /// The same structure with each element transformed.
    package func map<Other>(_ transform: (Element) throws -> Other) rethrows -> BackboneParameters<Other> {
        BackboneParameters<Other>(
            vision: try vision.map(transform), text: try text.map(transform), logitScale: try transform(logitScale),
            logitBias: try logitBias.map(transform), crossFrame: try crossFrame?.map(transform))
    }

    /// Of what frames say to each other in the vision tower; none where they do not.
    var messages: [Element] { crossFrame?.messages.flatMap(\.all) ?? [] }

    /// Every element, in the order of the structure.
    package var all: [Element] { vision.all + text.all + [logitScale] + [logitBias].compactMap(\.self) + (crossFrame?.all ?? []) }
}

extension BackboneParameters where Element: Readable {
    /// The same values in memory of their own, to be trained.
    package func mutableCopy() -> BackboneParameters<MutableMatrix> {
        map { element in
            let copy = MutableMatrix(rows: element.rowCount, columns: element.columnCount)
            copy.copy(element)
            return copy
        }
    }

    /// Zeros of the same shapes: gradients and moments start here.
    package func zeros() -> BackboneParameters<MutableMatrix> {
        map { MutableMatrix(rows: $0.rowCount, columns: $0.columnCount) }
    }
}
