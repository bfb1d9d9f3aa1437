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
    /// Layers with prompts of their own.
    let promptLayers: Range<Int>
    /// Tokens by which each layer but the last makes a frame shorter; 0 where none merge.
    let mergedTokens: Int
    /// Whether the first layer's prompts pass the input norm; where there is none, they do not.
    let normalizesPrompts: Bool
    /// Whether something is added to the pixels of every frame.
    let promptsPixels: Bool

    package init(architecture: CLIPArchitecture, prompts: PromptConfiguration) {
        precondition(
            architecture.crossFrame == nil || !prompts.promptsVision && prompts.mergedTokens == 0,
            "frames that see each other have no prompts and merge no tokens")
        self.architecture = architecture
        promptTokens = prompts.visionTokens
        promptsPixels = prompts.pixels != nil
        promptLayers = prompts.visionLayers
        mergedTokens = prompts.mergedTokens
        normalizesPrompts = prompts.visionLayers.first == 0 && !prompts.isBehindNorm && !architecture.form.hasSigLIPEnds
    }

    var layerCount: Int { architecture.vision.layerCount }
    /// Whether a clip's frames see each other, so that they go through the tower together, and their patches come out of it.
    var mixesFrames: Bool { architecture.crossFrame != nil }
    /// Layers `0 ..< promptFreeLayerCount` see no prompts: where only prompts learn, they are the same in every step.
    package var promptFreeLayerCount: Int { promptLayers.lowerBound }
    /// Whether every row leaves the last block, and not only the class token.
    var readsEveryRow: Bool { mixesFrames || architecture.poolingHeadCount != nil }
    /// Rows of a frame that leave the last block.
    var outputRows: Int { readsEveryRow ? rows(of: layerCount - 1) : 1 }
    /// Class token and patches.
    var frameRows: Int { architecture.frameTokenCount }
    /// What of them is left where `layer` begins.
    func frameRows(of layer: Int) -> Int { frameRows - layer * mergedTokens }

    func mode(of layer: Int) -> PromptMode {
        if promptLayers.isEmpty || layer < promptLayers.lowerBound { return .none }
        return layer < promptLayers.upperBound - 1 || promptLayers.upperBound == layerCount ? .shared : .own
    }

    /// The layer at which prompts become rows of every frame.
    var joinLayer: Int? {
        !promptLayers.isEmpty && promptLayers.upperBound < layerCount ? promptLayers.upperBound - 1 : nil
    }

    func rows(of layer: Int) -> Int { frameRows(of: layer) + (mode(of: layer) == .own ? promptTokens : 0) }

    func shape(of layer: Int, frameCount: Int) -> BlockShape {
        BlockShape(
            groups: RowGroups(lengths: repeatElement(rows(of: layer), count: frameCount)),
            sharedCount: mixesFrames ? 1 : mode(of: layer) == .shared ? promptTokens : 0,
            queries: layer == layerCount - 1 && !readsEveryRow ? .first : .every,
            merging: mergedTokens == 0
                ? nil : TokenMerging(tokenCount: frameRows(of: layer), pairCount: layer == layerCount - 1 ? 0 : mergedTokens))
    }

    /// The numbers in which rows of `layer` are held between products in a tower of `precision`. Layers of different
    /// lengths take turns with memory, so that all of these hold what each of them can. Angles are taken in float32.
    func rowPrecision(of layer: Int, _ precision: Precision) -> Precision {
        if architecture.form.isRotary { return .float32 }
        let sharing = mergedTokens > 0 && layer < layerCount - 1 ? 0..<layerCount - 1 : layer..<layer + 1
        let isShort = sharing.contains {
            shape(of: $0, frameCount: 1).rowPrecision(precision, headWidth: architecture.vision.headWidth) == .float32
        }
        return isShort ? .float32 : .bfloat16
    }
}

/// What the vision tower keeps of a batch of frames.
package final class VisionActivations: Sendable {
    package let frameCount: Int
    let layout: VisionLayout
    /// Layers below are not kept; they take turns with memory of the scratch.
    let firstKept: Int
    /// From layer `firstKept` on.
    private let blocks: [BlockActivations]
    /// `[frames × frameRows, width]`, patches and positions before the first norm; nil where neither weights nor pixels learn from them.
    let embedded: MutableMatrix?
    let inputNorm: LayerNormStatistics
    /// `[frames × frameRows, width]`, what the prompts join; empty where they do not.
    let beforeJoin: MutableMatrix
    /// `[1, frames × frameRows]`, how many patches each of its tokens stands for; empty where none merge.
    private let sizesBeforeJoin: MutableMatrix
    /// What each block's messages between frames need; empty where there are none.
    let messages: [MessageActivations]
    /// `[frames × outputRows, width]` after the last block; empty where only the class token leaves it.
    let outputRows: MutableMatrix
    /// `[frames, width]`, the class token after the last block; not filled where all tokens are pooled.
    let classRows: MutableMatrix
    let outputNorm: LayerNormStatistics
    /// Nil where the class token is read.
    let pooling: PoolingActivations?
    /// `[frames, width]`, what the projection takes in.
    let normalized: MutableMatrix
    /// `[frames, featureWidth]`, not normalized; patches follow the embedding where they come out.
    package let features: MutableMatrix

    /// - Parameters:
    ///   - keeping: nothing lets layers of one shape take turns with two memories.
    ///   - recomputedMLPLayers: the first so many layers do not keep the hidden rows of their MLP, almost half of
    ///     their activations, for a third of a forward pass more work.
    ///   - keepsPrefix: also layers below the first prompts, where somebody looks at them.
    ///   - precision: of the tower's products.
    package init(
        layout: VisionLayout, frameCount: Int, keeping: Keeping, recomputedMLPLayers: Int = 0, keepsPrefix: Bool = false,
        precision: Precision = .float32
    ) {
        let width = layout.architecture.vision.width
        let rows = frameCount * layout.frameRows
        var blocks: [BlockActivations] = []
        firstKept = keepsPrefix ? 0 : Self.firstKept(layout, keeping)
        for layer in firstKept..<layout.layerCount {
            let shape = layout.shape(of: layer, frameCount: frameCount)
            if keeping == .nothing, layer >= 2, blocks[layer - 2].shape == shape {
                blocks.append(blocks[layer - 2])
            } else if keeping == .nothing, layer >= 2, blocks[layer - 2].hasRoom(for: shape) {
                blocks.append(blocks[layer - 2].viewed(as: shape))
            } else {
                blocks.append(BlockActivations(
                    shapes: [shape], tower: layout.architecture.vision, keeping: keeping, keepsHidden: layer >= recomputedMLPLayers,
                    precision: layout.rowPrecision(of: layer, precision)))
            }
        }
        self.blocks = blocks
        self.layout = layout
        self.frameCount = frameCount
        embedded = Self.keepsEmbedded(layout, keeping) ? MutableMatrix(rows: rows, columns: width) : nil
        inputNorm = LayerNormStatistics(rows: rows)
        let joinRows = layout.joinLayer.map { frameCount * layout.frameRows(of: $0) } ?? 0
        beforeJoin = MutableMatrix(rows: joinRows, columns: width)
        sizesBeforeJoin = MutableMatrix(rows: 1, columns: layout.mergedTokens == 0 ? 0 : joinRows)
        messages = layout.mixesFrames
            ? (0..<layout.layerCount).map { _ in MessageActivations(frameCount: frameCount, tower: layout.architecture.vision) } : []
        outputRows = MutableMatrix(rows: layout.readsEveryRow ? frameCount * layout.outputRows : 0, columns: width)
        classRows = MutableMatrix(rows: frameCount, columns: width)
        pooling = PoolingActivations(layout: layout, frameCount: frameCount)
        outputNorm = LayerNormStatistics(rows: pooling?.tokens.rowCount ?? frameCount)
        normalized = MutableMatrix(rows: frameCount, columns: width)
        features = MutableMatrix(rows: frameCount, columns: layout.architecture.featureWidth)
    }

    /// Where only prompts learn, no backward pass comes below the first layer that has some.
    static func firstKept(_ layout: VisionLayout, _ keeping: Keeping) -> Int { keeping == .prompts ? layout.promptFreeLayerCount : 0 }

    /// Whether a backward pass comes down to the patches.
    static func keepsEmbedded(_ layout: VisionLayout, _ keeping: Keeping) -> Bool {
        keeping == .weights || (keeping == .prompts && layout.promptsPixels)
    }

    func block(_ layer: Int, scratch: VisionScratch) -> BlockActivations {
        layer < firstKept
            ? scratch.prefix[layer % 2].viewed(as: layout.shape(of: layer, frameCount: frameCount)) : blocks[layer - firstKept]
    }

    /// Where the residual stream of the frames' own rows goes that `layer` takes in.
    func stream(into layer: Int, scratch: VisionScratch) -> MutableMatrix {
        layer == layout.layerCount
            ? layout.readsEveryRow ? outputRows : classRows
            : layer == layout.joinLayer ? beforeJoin : block(layer, scratch: scratch).input
    }

    /// How many patches each token of the stream into `layer` stands for, `[1, frames × frameRows]`; nil where none merge,
    /// and behind the last layer.
    func sizes(into layer: Int, scratch: VisionScratch) -> MutableMatrix? {
        guard layout.mergedTokens > 0, layer < layout.layerCount else { return nil }
        return layer == layout.joinLayer ? sizesBeforeJoin : block(layer, scratch: scratch).merging?.sizes
    }

    /// What passes the last norm: the class tokens, or all rows.
    var lastRows: MutableMatrix { pooling == nil ? classRows : outputRows }

    /// The memory of the first `frameCount` frames as activations of their own.
    func prefix(_ frameCount: Int) -> VisionActivations {
        frameCount == self.frameCount ? self : VisionActivations(memory: self, frameCount: frameCount)
    }

    private init(memory: VisionActivations, frameCount: Int) {
        precondition(!memory.layout.mixesFrames, "frames that see each other stay together")
        layout = memory.layout
        messages = memory.messages
        outputRows = memory.outputRows.rows(0..<(layout.readsEveryRow ? frameCount * layout.outputRows : 0))
        pooling = memory.pooling?.prefix(frameCount)
        self.frameCount = frameCount
        let rows = 0..<frameCount * layout.frameRows
        let frames = 0..<frameCount
        firstKept = memory.firstKept
        blocks = memory.blocks.enumerated().map { index, block in
            block.viewed(as: memory.layout.shape(of: memory.firstKept + index, frameCount: frameCount))
        }
        embedded = memory.embedded?.rows(rows)
        inputNorm = memory.inputNorm
        let joinRows = 0..<(memory.layout.joinLayer.map { frameCount * memory.layout.frameRows(of: $0) } ?? 0)
        beforeJoin = memory.beforeJoin.rows(joinRows)
        sizesBeforeJoin = layout.mergedTokens == 0 ? memory.sizesBeforeJoin : memory.sizesBeforeJoin.columns(joinRows)
        classRows = memory.classRows.rows(frames)
        outputNorm = memory.outputNorm
        normalized = memory.normalized.rows(frames)
        features = memory.features.rows(frames)
    }

    /// Bytes that one frame's activations take.
    package static func bytesPerFrame(
        layout: VisionLayout, keeping: Keeping, recomputedMLPLayers: Int = 0, precision: Precision = .float32
    ) -> Int {
        let tower = layout.architecture.vision
        let streams = (keepsEmbedded(layout, keeping) ? 1 : 0) + (layout.joinLayer == nil ? 0 : 1)
        let messages = layout.mixesFrames
            ? layout.layerCount * MessageActivations.bytesPerFrame(tower: tower) : 0
        let output = !layout.readsEveryRow ? 0
            : 4 * layout.outputRows * tower.width + (layout.mixesFrames ? 0 : PoolingActivations.bytesPerFrame(layout: layout))
        let outside = 4 * streams * layout.frameRows * tower.width + messages + output
        return (firstKept(layout, keeping)..<layout.layerCount).reduce(outside) { sum, layer in
            let rows = layout.rows(of: layer)
            // Of the last layer little more than its input, keys and values is there.
            if layer == layout.layerCount - 1, !layout.readsEveryRow { return sum + 4 * rows * 3 * tower.width }
            let precision = layout.rowPrecision(of: layer, precision)
            let left = layer < recomputedMLPLayers ? BlockActivations.hiddenBytesPerRow(tower: tower, precision: precision) : 0
            return sum + rows * (BlockActivations.bytesPerRow(tower: tower, keeping: keeping, precision: precision) - left)
        }
    }
}

/// Memory that a worker reuses from batch to batch.
package final class VisionScratch: Sendable {
    let block: BlockScratch
    /// Layers below those that are kept take turns with these.
    let prefix: [BlockActivations]
    /// What activations do not keep of patches and positions.
    let embedded: MutableMatrix
    let patches: MutableMatrix
    /// Two gradients of the residual stream take turns; a third holds what remains after prompts split off.
    let gradients: [MutableMatrix]
    let classGradient: MutableMatrix
    /// Behind the output norm, `[frames, width]`.
    let outputNormGradient: MutableMatrix
    /// Nil where no frames see each other.
    let messages: AttentionScratch?
    /// Nil where the class token is read.
    let pooling: AttentionScratch?

    package init(
        layout: VisionLayout, frameCount: Int, keeping: Keeping, recomputedMLPLayers: Int = 0, precision: Precision = .float32
    ) {
        let architecture = layout.architecture
        let shapes = (0..<layout.layerCount).map { layout.shape(of: $0, frameCount: frameCount) }
        let rows = keeping.hasBackward ? frameCount * (layout.frameRows + layout.promptTokens) : 0
        let prefixLayers = VisionActivations.firstKept(layout, keeping)
        block = BlockScratch(
            for: shapes, tower: architecture.vision, keeping: keeping, keepsHidden: recomputedMLPLayers == 0 && prefixLayers == 0,
            precision: precision)
        prefix = (0..<min(2, prefixLayers)).map {
            BlockActivations(
                shapes: [shapes[$0]], tower: architecture.vision, keeping: .nothing,
                precision: layout.rowPrecision(of: $0, precision))
        }
        // Frames that no backward pass goes through keep nothing, whatever the others keep for pixels.
        embedded = MutableMatrix(rows: keeping == .weights ? 0 : frameCount * layout.frameRows, columns: architecture.vision.width)
        patches = MutableMatrix(rows: architecture.patchCount, columns: architecture.patchWidth)
        gradients = (0..<3).map { MutableMatrix(rows: $0 == 2 && layout.joinLayer == nil ? 0 : rows, columns: architecture.vision.width) }
        classGradient = MutableMatrix(rows: frameCount, columns: architecture.vision.width)
        outputNormGradient = MutableMatrix(rows: frameCount, columns: architecture.vision.width)
        messages = layout.mixesFrames
            ? AttentionScratch(
                scoreCount: frameCount * frameCount, keyCount: frameCount, headWidth: architecture.vision.headWidth,
                forGradients: keeping.hasBackward)
            : nil
        pooling = architecture.poolingHeadCount.map {
            AttentionScratch(
                scoreCount: layout.frameRows, keyCount: layout.frameRows, headWidth: architecture.vision.width / $0, forGradients: keeping.hasBackward)
        }
    }
}
