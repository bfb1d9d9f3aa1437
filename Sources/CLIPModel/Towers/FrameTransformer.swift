import Tensors

/// A transformer over the frames of one clip: each frame's features, and its place in time, see those of all others.
///
///     x = frames + positions;  x = block(x) for each block
///
/// Source of the blocks: Radford et al. 2021, as in CLIP's own towers, without a mask.
package struct FrameTransformer: Sendable {
    package struct Parameters<Element: Sendable>: Sendable {
        /// `[most frames, width]`
        package let positions: Element
        package let blocks: [BlockParameters<Element>]

        /// - Parameter elements: as `all` has them.
        package init(_ elements: [Element]) {
            let size = BlockParameters<Element>.elementCount
            positions = elements[0]
            blocks = stride(from: 1, to: elements.count, by: size).map { BlockParameters(Array(elements[$0..<$0 + size])) }
        }

        /// The positions, then block after block.
        package var all: [Element] { [positions] + blocks.flatMap(\.all) }
    }

    package let parameters: Parameters<MutableMatrix>
    private let tower: CLIPArchitecture.Tower
    private let blocks: [TransformerBlock]

    /// - Parameters:
    ///   - parameters: read anew in each pass.
    ///   - headCount: divides the width.
    package init(parameters: Parameters<MutableMatrix>, headCount: Int, normEpsilon: Float) {
        self.parameters = parameters
        tower = Self.tower(width: parameters.positions.columnCount, layerCount: parameters.blocks.count, headCount: headCount)
        blocks = parameters.blocks.map { block in
            TransformerBlock(
                parameters: block.map(\.reading), headCount: headCount, activation: .quickGELU, isCausal: false, isLast: false,
                precision: .float32, normEpsilon: normEpsilon)
        }
    }

    private static func tower(width: Int, layerCount: Int, headCount: Int) -> CLIPArchitecture.Tower {
        CLIPArchitecture.Tower(width: width, layerCount: layerCount, headCount: headCount)
    }

    static let positionsName = "positional_embedding"

    /// Name and shape of every tensor.
    package static func specifications(frameCount: Int, width: Int, layerCount: Int) -> Parameters<TensorSpecification> {
        let tower = tower(width: width, layerCount: layerCount, headCount: 1)
        return Parameters(
            [TensorSpecification(name: positionsName, shape: [frameCount, width])]
                + (0..<layerCount).flatMap { BlockParameters<TensorSpecification>.named("resblocks.\($0)", tower: tower).all })
    }

    /// What a backward pass needs of one clip.
    package struct Activations {
        let blocks: [BlockActivations]
        let scratch: BlockScratch
        /// `[frames, width]`
        package let output: MutableMatrix
    }

    /// - Parameter frames: `[frames, width]`, no more than there are positions.
    package func forward(_ frames: Matrix) -> Activations {
        let count = frames.rowCount
        precondition(count <= parameters.positions.rowCount, "\(count) frames where there are \(parameters.positions.rowCount) positions")
        let shape = BlockShape(groups: RowGroups(lengths: [count]), sharedCount: 0, queries: .every)
        let saved = Activations(
            blocks: blocks.map { _ in BlockActivations(shapes: [shape], tower: tower, keeping: .weights) },
            scratch: BlockScratch(for: [shape], tower: tower, keeping: .weights),
            output: MutableMatrix(rows: count, columns: tower.width))
        let input = saved.blocks.first?.input ?? saved.output
        input.copy(frames)
        add(parameters.positions.rows(0..<count), to: input)
        for (layer, block) in blocks.enumerated() {
            block.forward(
                saved: saved.blocks[layer], shared: nil,
                output: layer + 1 < blocks.count ? saved.blocks[layer + 1].input : saved.output, scratch: saved.scratch)
        }
        return saved
    }

    /// The gradient of `forward`.
    ///
    /// - Parameters:
    ///   - outputGradient: `[frames, width]`.
    ///   - frameGradient: `[frames, width]`, added to.
    ///   - gradients: of the parameters, added to; nil where they stay as they are.
    package func backward(
        _ outputGradient: MutableMatrix, saved: Activations, addingTo frameGradient: MutableMatrix, gradients: Parameters<MutableMatrix>?
    ) {
        let turnstile = Turnstile(gateCount: blocks.count * BlockContribution.gateCount)
        var gradient = outputGradient
        for layer in blocks.indices.reversed() {
            let inputGradient = MutableMatrix(rows: gradient.rowCount, columns: gradient.columnCount)
            func back(_ sink: some BlockGradientSink) {
                blocks[layer].backward(
                    outputGradient: gradient, saved: saved.blocks[layer], shared: nil, sharedGradient: nil, inputGradient: inputGradient,
                    weights: sink, scratch: saved.scratch)
            }
            if let gradients {
                back(LearningBlock(gradients: gradients.blocks[layer], turn: Turn(turnstile: turnstile, layer: layer, item: 0)))
            } else {
                back(FrozenBlock())
            }
            gradient = inputGradient
        }
        if let gradients { add(gradient, to: gradients.positions.rows(0..<gradient.rowCount)) }
        add(gradient, to: frameGradient)
    }
}
