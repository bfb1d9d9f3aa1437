import Tensors

/// How prompts enter each layer of the vision tower, and the row counts that follow.
package struct VisionLayout: Sendable, Equatable {
    package enum PromptMode: Sendable, Equatable {
        case none
        /// The next layer replaces the prompts' outputs (or nothing follows), so they need keys and
        /// values only, and these are the same for every frame.
        case shared
        /// Prompts are rows of every frame, because their outputs go on to the next layer.
        case own
    }

    let architecture: CLIPArchitecture
    let promptTokens: Int
    let promptDepth: Int

    init(architecture: CLIPArchitecture, prompts: PromptConfiguration) {
        self.architecture = architecture
        promptTokens = prompts.visionTokens
        promptDepth = prompts.visionDepth
    }

    var layerCount: Int { architecture.vision.layerCount }
    /// Class token and patches.
    var frameRows: Int { architecture.patchCount + 1 }

    func mode(of layer: Int) -> PromptMode {
        if promptDepth == 0 { return .none }
        return layer < promptDepth - 1 || promptDepth == layerCount ? .shared : .own
    }

    /// The layer at which prompts become rows of every frame.
    var joinLayer: Int? {
        promptDepth > 0 && promptDepth < layerCount ? promptDepth - 1 : nil
    }

    func rows(of layer: Int) -> Int { frameRows + (mode(of: layer) == .own ? promptTokens : 0) }

    func shape(of layer: Int, frameCount: Int) -> BlockShape {
        BlockShape(
            groups: RowGroups(lengths: repeatElement(rows(of: layer), count: frameCount)),
            sharedCount: mode(of: layer) == .shared ? promptTokens : 0,
            queries: layer == layerCount - 1 ? .first : .every)
    }
}

/// What the vision tower keeps of a batch of frames.
package final class VisionActivations: Sendable {
    package let frameCount: Int
    let layout: VisionLayout
    let blocks: [BlockActivations]
    /// `[frames × frameRows, width]`, patches and positions before the first norm.
    let embedded: MutableMatrix
    let inputNorm: LayerNormStatistics
    /// `[frames × frameRows, width]`, what the prompts join; empty where they do not.
    let beforeJoin: MutableMatrix
    /// `[frames, width]`, the class token after the last block.
    let classRows: MutableMatrix
    let outputNorm: LayerNormStatistics
    let normalised: MutableMatrix
    /// `[frames, embeddingWidth]`, not normalised.
    package let features: MutableMatrix

    /// - Parameter forGradients: without, layers of one shape take turns with two memories.
    package init(layout: VisionLayout, frameCount: Int, forGradients: Bool) {
        let width = layout.architecture.vision.width
        let rows = frameCount * layout.frameRows
        var blocks: [BlockActivations] = []
        for layer in 0..<layout.layerCount {
            let shape = layout.shape(of: layer, frameCount: frameCount)
            if !forGradients, layer >= 2, blocks[layer - 2].shape == shape {
                blocks.append(blocks[layer - 2])
            } else {
                blocks.append(BlockActivations(shape: shape, tower: layout.architecture.vision))
            }
        }
        self.blocks = blocks
        self.layout = layout
        self.frameCount = frameCount
        embedded = MutableMatrix(rows: rows, columns: width)
        inputNorm = LayerNormStatistics(rows: rows)
        beforeJoin = MutableMatrix(rows: layout.joinLayer == nil ? 0 : rows, columns: width)
        classRows = MutableMatrix(rows: frameCount, columns: width)
        outputNorm = LayerNormStatistics(rows: frameCount)
        normalised = MutableMatrix(rows: frameCount, columns: width)
        features = MutableMatrix(rows: frameCount, columns: layout.architecture.embeddingWidth)
    }

    /// Bytes that one frame's activations take.
    package static func bytesPerFrame(layout: VisionLayout) -> Int {
        let tower = layout.architecture.vision
        let floats = (0..<layout.layerCount).reduce(0) { sum, layer in
            let rows = layout.rows(of: layer)
            return sum + rows * (6 * tower.width + tower.mlpWidth) + tower.headCount * rows * (rows + layout.promptTokens)
        }
        return 4 * floats
    }
}

/// Memory that a worker reuses from batch to batch.
package final class VisionScratch: Sendable {
    let block: BlockScratch
    let patches: MutableMatrix
    /// Two gradients of the residual stream take turns; a third holds what remains after prompts split off.
    let gradients: [MutableMatrix]
    let classGradient: MutableMatrix

    package init(layout: VisionLayout, frameCount: Int, forGradients: Bool) {
        let architecture = layout.architecture
        let shapes = (0..<layout.layerCount).map { layout.shape(of: $0, frameCount: frameCount) }
        let rows = forGradients ? frameCount * (layout.frameRows + layout.promptTokens) : 0
        block = BlockScratch(for: shapes, tower: architecture.vision, forGradients: forGradients)
        patches = MutableMatrix(rows: architecture.patchCount, columns: architecture.patchWidth)
        gradients = (0..<3).map { _ in MutableMatrix(rows: rows, columns: architecture.vision.width) }
        classGradient = MutableMatrix(rows: frameCount, columns: architecture.vision.width)
    }
}
