import Tensors

/// CLIP's image encoder: patches, a pre-norm transformer, the class token's projection; or, as `TowerForm` says, that of all
/// tokens pooled by attention.
///
/// Frames are independent, and a call takes a few of them together; in an X-CLIP they see each other (`FrameMessages`), and a
/// call takes those of a clip. Prompts enter as `VisionLayout` says.
/// Source: Radford et al. 2021; prompts: ViFi-CLIP section 3.3.
package struct VisionTower: Sendable {
    package let architecture: CLIPArchitecture
    private(set) var parameters: VisionParameters<Matrix>
    let blocks: [TransformerBlock]
    /// One per block; empty where frames do not see each other.
    let messages: [FrameMessages]
    /// Nil where the class token is read.
    let pooling: AttentionPooling?
    let patchProjection: Weight
    /// Of products with weights.
    package let precision: Precision

    /// - Parameter messages: between the frames of a clip, for each block; none where the architecture has none.
    init(
        architecture: CLIPArchitecture, parameters: VisionParameters<Matrix>, messages: [MessageParameters<Matrix>] = [],
        precision: Precision = .float32
    ) {
        precondition(messages.count == (architecture.crossFrame == nil ? 0 : parameters.blocks.count), "each block has its messages")
        self.messages = messages.map { FrameMessages(parameters: $0, headCount: architecture.vision.headCount) }
        self.architecture = architecture
        self.parameters = parameters
        self.precision = precision
        let pooling = architecture.poolingHeadCount.flatMap { headCount in
            parameters.pooling.map {
                AttentionPooling(
                    parameters: $0, headCount: headCount, activation: architecture.activation, normEpsilon: architecture.form.normEpsilon)
            }
        }
        self.pooling = pooling
        let rotation = architecture.form.isRotary ? RotaryPositions(architecture: architecture) : nil
        blocks = parameters.blocks.enumerated().map { layer, block in
            TransformerBlock(
                parameters: block, headCount: architecture.vision.headCount, activation: architecture.activation,
                isCausal: false, isLast: layer == parameters.blocks.count - 1 && pooling == nil, precision: precision,
                normEpsilon: architecture.form.normEpsilon, rotation: rotation)
        }
        patchProjection = Weight(parameters.patchProjection, precision: precision)
    }

    /// The same tower with another last product.
    ///
    /// - Parameter projection: `[width, embeddingWidth]`.
    func projecting(through projection: Matrix) -> VisionTower {
        var tower = self
        tower.parameters.projection = projection
        return tower
    }

    /// Weights that must be refreshed when their values have changed.
    var weights: [Weight] { blocks.flatMap(\.weights.all) + [patchProjection] }

    /// Fills `saved.features`, `[frames, featureWidth]`, not normalized.
    ///
    /// - Parameters:
    ///   - frames: `[frames, 3 × side × side]`, normalized pixels; channels, rows, columns. With a cached prefix
    ///     what `keepCachedPrefix` made of them.
    package func forward(
        frames: Matrix, input: ClipInput = .pixels, context: VisionPromptContext?, saved: VisionActivations, scratch: VisionScratch
    ) {
        let layout = saved.layout
        switch input {
        case .pixels: cachedPrefix(frames: frames, pixelRows: context?.pixelRows, saved: saved, scratch: scratch)
        case .cachedPrefix: takeUp(cachedPrefix: frames, saved: saved, scratch: scratch)
        }
        for layer in layout.promptFreeLayerCount..<blocks.count {
            let block = saved.block(layer, scratch: scratch)
            if layer == layout.joinLayer, let context {
                join(prompts: context.rows(of: layer), saved: saved, block: block)
                joinSizes(saved: saved, block: block, scratch: scratch)
            }
            exchangeMessages(into: layer, rows: block.input, saved: saved, scratch: scratch)
            blocks[layer].forward(
                saved: block, shared: shared(in: layer, context: context, saved: saved), output: saved.stream(into: layer + 1, scratch: scratch),
                mergedSizes: saved.sizes(into: layer + 1, scratch: scratch), branch: context?.dropout?.branch(of: layer), scratch: scratch.block)
        }
        readOut(saved: saved, scratch: scratch)
        let embeddings = saved.features.columns(0..<architecture.embeddingWidth)
        if let projection = parameters.projection {
            multiply(saved.normalized, .asStored, projection, .asStored, into: embeddings)
        } else {
            embeddings.copy(saved.normalized)
        }
    }

    /// From the last block's output to what the projection takes in.
    private func readOut(saved: VisionActivations, scratch: VisionScratch) {
        if saved.layout.mixesFrames { takePatches(saved: saved) }
        layerNorm(
            saved.lastRows, weight: parameters.outputNorm.weight, bias: parameters.outputNorm.bias,
            into: saved.pooling?.tokens ?? saved.normalized, saving: saved.outputNorm, epsilon: architecture.form.normEpsilon)
        if let pooling, let own = saved.pooling, let attention = scratch.pooling {
            pooling.forward(saved: own, output: saved.normalized, scratch: attention)
        }
    }

    /// Keys and values beside those of the frames: of prompts, or of messages between the frames.
    func shared(in layer: Int, context: VisionPromptContext?, saved: VisionActivations) -> SharedRows<Matrix>? {
        messages.isEmpty ? context?.keyValue(of: layer).map { .everyGroup($0) } : saved.messages[layer].shared
    }

    /// What no prompt changes: pixels through the layers below the first one that has prompts.
    ///
    /// - Parameter pixelRows: what prompts in pixels add to the projected patches, `[patches, width]`, which then is the same no more; nil
    ///   for nothing.
    /// - Returns: `[frames × frameRows, width]`, a view of the activations: the input of that layer.
    @discardableResult
    package func cachedPrefix(
        frames: Matrix, pixelRows: Matrix? = nil, saved: VisionActivations, scratch: VisionScratch
    ) -> MutableMatrix {
        let layout = saved.layout
        precondition(frames.rowCount == saved.frameCount, "\(frames.rowCount) frames for a memory of \(saved.frameCount)")
        let embedded = saved.embedded ?? scratch.embedded.rows(0..<saved.frameCount * layout.frameRows)
        embed(frames: frames, pixelRows: pixelRows, into: embedded, scratch: scratch)
        let stream = saved.stream(into: 0, scratch: scratch)
        if let norm = parameters.inputNorm {
            layerNorm(embedded, weight: norm.weight, bias: norm.bias, into: stream, saving: saved.inputNorm, epsilon: architecture.form.normEpsilon)
        } else {
            stream.copy(embedded)
        }
        saved.sizes(into: 0, scratch: scratch)?.fill(1)
        for layer in 0..<layout.promptFreeLayerCount {
            blocks[layer].forward(
                saved: saved.block(layer, scratch: scratch), shared: nil, output: saved.stream(into: layer + 1, scratch: scratch),
                mergedSizes: saved.sizes(into: layer + 1, scratch: scratch), scratch: scratch.block)
        }
        return saved.stream(into: layout.promptFreeLayerCount, scratch: scratch)
    }

    /// The gradient of `forward`.
    ///
    /// - Parameters:
    ///   - featureGradient: `[frames, featureWidth]`.
    ///   - frames: pixels as in `forward`; read only when weights learn.
    ///   - promptAccumulator: added to.
    package func backward(
        featureGradient: Matrix, frames: Matrix, context: VisionPromptContext?, saved: VisionActivations,
        promptAccumulator: VisionPromptAccumulator?, weights: some VisionGradientSink, scratch: VisionScratch
    ) {
        let layout = saved.layout
        var streamGradient = outputGradient(of: featureGradient, saved: saved, weights: weights, scratch: scratch).stream
        let lowest = weights.learns ? 0 : layout.promptFreeLayerCount
        let needsPatches = weights.learns || layout.promptsPixels
        for layer in stride(from: blocks.count - 1, through: lowest, by: -1) {
            // Below the first prompts only weights learn: shared prompts need no gradient of the frames' rows.
            let isLast = layer == lowest && layout.mode(of: layer) != .own && !needsPatches
            streamGradient = blockBackward(
                layer, outputGradient: streamGradient, needsInput: !isLast, context: context, saved: saved, promptAccumulator: promptAccumulator,
                weights: weights, scratch: scratch)
        }
        if needsPatches, let embedded = saved.embedded {
            let embeddedGradient = scratch.gradients[1].rows(0..<embedded.rowCount)
            if let norm = parameters.inputNorm {
                embeddedGradient.fill(0)
                layerNormBackward(
                    outputGradient: streamGradient, input: embedded, weight: norm.weight, saved: saved.inputNorm,
                    inputGradient: embeddedGradient)
            } else {
                embeddedGradient.copy(streamGradient)
            }
            weights.addInput(
                normGradient: streamGradient, embeddedGradient: embeddedGradient, frames: frames, saved: saved, scratch: scratch)
            if let sum = promptAccumulator?.pixelRows { addPatchRows(of: embeddedGradient, to: sum) }
        }
    }

    /// From the gradient of the features to that of the last block's output, in scratch memory.
    ///
    /// - Returns: also what the pooling leaves behind; nil where the class token is read.
    func outputGradient(
        of featureGradient: Matrix, saved: VisionActivations, weights: some VisionGradientSink, scratch: VisionScratch
    ) -> (stream: MutableMatrix, pooled: AttentionPooling.Contribution?) {
        let projectedGradient = scratch.outputNormGradient.rows(0..<saved.frameCount)
        let embeddingGradient = featureGradient.columns(0..<architecture.embeddingWidth)
        if let projection = parameters.projection {
            multiply(embeddingGradient, .asStored, projection, .transposed, into: projectedGradient)
        } else {
            projectedGradient.copy(embeddingGradient)
        }
        var pooled: AttentionPooling.Contribution?
        if let pooling, let own = saved.pooling, let attention = scratch.pooling {
            pooled = pooling.backward(projectedGradient, saved: own, scratch: attention)
        }
        let normGradient = pooled?.tokenGradient ?? projectedGradient
        let lastGradient = pooled == nil
            ? scratch.classGradient.rows(0..<saved.frameCount) : scratch.gradients[blocks.count % 2].rows(0..<saved.outputRows.rowCount)
        lastGradient.fill(0)
        layerNormBackward(
            outputGradient: normGradient, input: saved.lastRows, weight: parameters.outputNorm.weight,
            saved: saved.outputNorm, inputGradient: lastGradient)
        weights.addOutput(featureGradient: embeddingGradient, normGradient: normGradient, pooled: pooled, saved: saved)
        guard saved.layout.mixesFrames else { return (lastGradient, pooled) }
        return (outputGradient(lastGradient, patches: featureGradient, saved: saved, into: scratch.gradients[blocks.count % 2]), pooled)
    }

    /// One block back.
    ///
    /// - Parameter needsInput: whether the frames' own rows learn, and not only what they share.
    /// - Returns: the gradient of the frames' own rows before the block, without prompts that joined there; in scratch memory.
    func blockBackward(
        _ layer: Int, outputGradient: MutableMatrix, needsInput: Bool = true, context: VisionPromptContext?, saved: VisionActivations,
        promptAccumulator: VisionPromptAccumulator?, weights: some VisionGradientSink, scratch: VisionScratch
    ) -> MutableMatrix {
        let layout = saved.layout
        let inputGradient = scratch.gradients[layer % 2].rows(0..<saved.frameCount * layout.rows(of: layer))
        let learnedMessages = messages.isEmpty ? nil : saved.messages[layer].learned()
        blocks[layer].backward(
            outputGradient: outputGradient, saved: saved.block(layer, scratch: scratch), shared: shared(in: layer, context: context, saved: saved),
            sharedGradient: learnedMessages?.gradient
                ?? (context?.keyValue(of: layer) == nil ? nil : promptAccumulator.map { .everyGroup($0.sum(of: layer)) }),
            learnedShared: learnedMessages, inputGradient: needsInput ? inputGradient : nil, weights: weights.block(layer),
            branch: context?.dropout?.branch(of: layer), scratch: scratch.block)
        if let learnedMessages, needsInput {
            pullBack(learnedMessages, layer: layer, saved: saved, rowGradient: inputGradient, weights: weights, scratch: scratch)
        }
        guard layer == layout.joinLayer, let promptAccumulator else { return inputGradient }
        return split(inputGradient, saved: saved, promptRows: promptAccumulator.sum(of: layer), into: scratch.gradients[2])
    }

    /// Class token and projected patches plus positions, a frame after the other.
    private func embed(frames: Matrix, pixelRows: Matrix?, into embedded: MutableMatrix, scratch: VisionScratch) {
        let rows = embedded.rowCount / frames.rowCount
        for frame in 0..<frames.rowCount {
            let target = embedded.rows(frame * rows..<(frame + 1) * rows)
            target.copy(parameters.positionalEmbedding)
            if let classEmbedding = parameters.classEmbedding { add(classEmbedding, to: target.row(0)) }
            cutPatches(frame: frames.row(frame), side: architecture.imagePixels, patch: architecture.patchPixels, into: scratch.patches)
            let patches = target.rows(rows - architecture.patchCount..<rows)
            if let patchBias = parameters.patchBias { add(patchBias, toRowsOf: patches, into: patches) }
            multiply(scratch.patches, patchProjection, into: patches, adding: true)
            if let pixelRows { add(pixelRows, to: patches) }
        }
    }

    /// The gradient of `embed` at what pixels add: the patches' rows, summed over frames.
    private func addPatchRows(of gradient: MutableMatrix, to sum: MutableMatrix) {
        let rows = architecture.frameTokenCount
        for frame in 0..<gradient.rowCount / rows {
            add(gradient.rows((frame + 1) * rows - architecture.patchCount..<(frame + 1) * rows), to: sum)
        }
    }

    /// Appends the prompts to every frame's rows.
    private func join(prompts: Matrix, saved: VisionActivations, block: BlockActivations) {
        let rows = saved.beforeJoin.rowCount / saved.frameCount
        let joined = rows + prompts.rowCount
        for frame in 0..<saved.frameCount {
            let target = block.input.rows(frame * joined..<(frame + 1) * joined)
            target.rows(0..<rows).copy(saved.beforeJoin.rows(frame * rows..<(frame + 1) * rows))
            target.rows(rows..<joined).copy(prompts)
        }
    }

    /// The gradient of `join`: sums the prompts' rows over frames, returns the frames' own rows.
    private func split(
        _ gradient: MutableMatrix, saved: VisionActivations, promptRows: MutableMatrix, into memory: MutableMatrix
    ) -> MutableMatrix {
        let rows = saved.beforeJoin.rowCount / saved.frameCount
        let joined = gradient.rowCount / saved.frameCount
        let own = memory.rows(0..<saved.frameCount * rows)
        for frame in 0..<saved.frameCount {
            let source = gradient.rows(frame * joined..<(frame + 1) * joined)
            own.rows(frame * rows..<(frame + 1) * rows).copy(source.rows(0..<rows))
            add(source.rows(rows..<joined), to: promptRows)
        }
        return own
    }
}

/// Where the vision tower's backward pass leaves the gradients of its weights.
package protocol VisionGradientSink: Sendable {
    associatedtype Block: BlockGradientSink
    var learns: Bool { get }
    func block(_ layer: Int) -> Block
    /// - Parameters:
    ///   - normGradient: behind the last norm, of the class tokens or of all rows.
    ///   - pooled: nil where the class token is read.
    func addOutput(featureGradient: Matrix, normGradient: MutableMatrix, pooled: AttentionPooling.Contribution?, saved: VisionActivations)
    func addInput(
        normGradient: MutableMatrix, embeddedGradient: MutableMatrix, frames: Matrix, saved: VisionActivations,
        scratch: VisionScratch)
    /// - Parameter layer: before whose block frames said it.
    func addMessages(_ contribution: FrameMessages.Contribution, layer: Int)
}

extension VisionGradientSink {
    /// Messages that do not learn.
    package func addMessages(_ contribution: FrameMessages.Contribution, layer: Int) {}
}

/// The prompt path: no weight of the vision tower learns.
package struct FrozenVision: VisionGradientSink {
    package init() {}
    package var learns: Bool { false }
    package func block(_ layer: Int) -> FrozenBlock { FrozenBlock() }
    package func addOutput(
        featureGradient: Matrix, normGradient: MutableMatrix, pooled: AttentionPooling.Contribution?, saved: VisionActivations
    ) {}
    package func addInput(
        normGradient: MutableMatrix, embeddedGradient: MutableMatrix, frames: Matrix, saved: VisionActivations,
        scratch: VisionScratch
    ) {}
}

/// The bridge path: every weight of the vision tower learns. `item` is the batch's place in the step.
package struct LearningVision: VisionGradientSink {
    let gradients: VisionParameters<MutableMatrix>
    /// Of what frames say to each other, for each block; empty where they do not.
    let messageGradients: [MessageParameters<MutableMatrix>]
    let architecture: CLIPArchitecture
    let turnstile: Turnstile
    let item: Int

    /// Gates that a turnstile for this tower needs: of its blocks, its input, its output, and messages.
    package static func gateCount(of architecture: CLIPArchitecture) -> Int {
        blockGateCount(of: architecture) + 2 + (architecture.crossFrame == nil ? 0 : architecture.vision.layerCount)
    }

    private static func blockGateCount(of architecture: CLIPArchitecture) -> Int {
        architecture.vision.layerCount * BlockContribution.gateCount
    }

    package init(
        gradients: BackboneParameters<MutableMatrix>, architecture: CLIPArchitecture, turnstile: Turnstile, item: Int
    ) {
        self.gradients = gradients.vision
        messageGradients = gradients.crossFrame?.messages ?? []
        self.architecture = architecture
        self.turnstile = turnstile
        self.item = item
    }

    package var learns: Bool { true }

    package func block(_ layer: Int) -> LearningBlock {
        LearningBlock(gradients: gradients.blocks[layer], turn: Turn(turnstile: turnstile, layer: layer, item: item))
    }

    package func addOutput(
        featureGradient: Matrix, normGradient: MutableMatrix, pooled: AttentionPooling.Contribution?, saved: VisionActivations
    ) {
        turnstile.pass(gate: Self.blockGateCount(of: architecture), item: item) {
            if let projection = gradients.projection {
                multiply(saved.normalized, .transposed, featureGradient, .asStored, into: projection, adding: true)
            }
            gradients.outputNorm.add(outputGradient: normGradient, input: saved.lastRows, saved: saved.outputNorm)
            if let pooled, let pooling = gradients.pooling { pooled.add(to: pooling) }
        }
    }

    package func addMessages(_ contribution: FrameMessages.Contribution, layer: Int) {
        turnstile.pass(gate: Self.blockGateCount(of: architecture) + 2 + layer, item: item) { contribution.add(to: messageGradients[layer]) }
    }

    package func addInput(
        normGradient: MutableMatrix, embeddedGradient: MutableMatrix, frames: Matrix, saved: VisionActivations,
        scratch: VisionScratch
    ) {
        let rows = saved.layout.frameRows
        guard let embedded = saved.embedded else { preconditionFailure("activations were kept for prompts only") }
        turnstile.pass(gate: Self.blockGateCount(of: architecture) + 1, item: item) {
            gradients.inputNorm?.add(outputGradient: normGradient, input: embedded, saved: saved.inputNorm)
            for frame in 0..<saved.frameCount {
                let gradient = embeddedGradient.rows(frame * rows..<(frame + 1) * rows)
                add(gradient, to: gradients.positionalEmbedding)
                if let classEmbedding = gradients.classEmbedding { add(gradient.row(0), to: classEmbedding) }
                cutPatches(
                    frame: frames.row(frame), side: architecture.imagePixels, patch: architecture.patchPixels, into: scratch.patches)
                let patches = gradient.rows(rows - architecture.patchCount..<rows)
                if let patchBias = gradients.patchBias { sumRows(of: patches, into: patchBias) }
                multiply(
                    patches, .transposed, scratch.patches, .asStored, into: gradients.patchProjection, adding: true)
            }
        }
    }
}
