import Tensors

/// CLIP's text encoder over all class names at once.
///
/// The prefix that all classes share goes through the layers first, alone; each class's own tokens
/// then attend to the prefix's keys and values. Where texts are not masked nothing is shared, and each goes
/// through whole, with prompts as its first rows. Source: Radford et al. 2021; prompts: ViFi-CLIP 3.3.
package struct TextTower: Sendable {
    package let architecture: CLIPArchitecture
    let parameters: TextParameters<Matrix>
    let blocks: [TransformerBlock]

    init(architecture: CLIPArchitecture, parameters: TextParameters<Matrix>, precision: Precision = .float32) {
        self.architecture = architecture
        self.parameters = parameters
        blocks = parameters.blocks.enumerated().map { layer, block in
            TransformerBlock(
                parameters: block, headCount: architecture.text.headCount, activation: architecture.otherTextActivation ?? architecture.activation,
                isCausal: architecture.form.isTextCausal, isLast: layer == parameters.blocks.count - 1, precision: precision,
                normEpsilon: architecture.form.normEpsilon)
        }
    }

    /// Weights that must be refreshed when their values have changed.
    var weights: [Weight] { blocks.flatMap(\.weights.all) }

    /// Fills `saved.features`, `[classes, embeddingWidth]`, not normalized.
    ///
    /// - Parameters:
    ///   - prompts: one `[tokens, width]` a prompted layer; none for plain text.
    ///   - words: learned words, `[words, width]`, which tokens from the vocabulary's size on stand for.
    ///   - dropout: of low-rank updates; chunks of classes have draws of their own, and so has the prefix.
    ///   - hasCachedInputs: whether `saved` still holds what layers without prompts came to: an earlier call filled it,
    ///     and no weight has changed.
    package func forward(
        prompts: [Matrix], words: Matrix? = nil, dropout: LowRankDropout? = nil, saved: TextActivations, pool: WorkerPool,
        hasCachedInputs: Bool = false
    ) {
        precondition(
            architecture.form.isTextCausal || saved.layout.batch.suffixes.allSatisfy { $0.count == architecture.contextLength },
            "texts without a mask fill the context, whose last place speaks for them")
        saved.turn.lock()
        defer { saved.turn.unlock() }
        let first = hasCachedInputs && !saved.cachedInputs.isEmpty ? saved.layout.promptFreeLayerCount : 0
        prefixForward(prompts: prompts, words: words, from: first, dropout: dropout, saved: saved)
        keepOwnPrompts(prompts, saved: saved)
        pool.parallelFor(saved.layout.chunks.count) { worker, index in
            chunkForward(
                saved.activations(of: index, worker: worker), index: index, words: words, from: first, dropout: dropout, saved: saved,
                scratch: saved.scratch[worker])
        }
    }

    /// The gradient of `forward`.
    ///
    /// - Parameters:
    ///   - featureGradient: `[classes, embeddingWidth]`.
    ///   - promptGradients: like `prompts`, added to.
    ///   - words: as in `forward`, like `dropout`.
    package func backward(
        featureGradient: Matrix, saved: TextActivations, promptGradients: [MutableMatrix], words: Matrix? = nil,
        dropout: LowRankDropout? = nil, weights: some TextGradientSink, pool: WorkerPool
    ) {
        saved.turn.lock()
        defer { saved.turn.unlock() }
        pool.parallelFor(saved.layout.chunks.count) { worker, index in
            let chunk = saved.activations(of: index, worker: worker)
            if !saved.isStored(index) {
                let first = saved.cachedInputs.isEmpty ? 0 : saved.layout.promptFreeLayerCount
                chunkForward(chunk, index: index, words: words, from: first, dropout: dropout, saved: saved, scratch: saved.scratch[worker])
            }
            chunkBackward(
                chunk, index: index, featureGradient: featureGradient, dropout: dropout, saved: saved, weights: weights,
                scratch: saved.scratch[worker])
        }
        prefixBackward(saved: saved, promptGradients: promptGradients, dropout: dropout, weights: weights)
        for gradients in saved.ownPromptGradients {
            for (gradient, sum) in zip(gradients, promptGradients) { add(gradient, to: sum) }
        }
    }

    // MARK: Prefix

    /// - Parameter first: layers below are as they were; 0, or the first with prompts.
    private func prefixForward(prompts: [Matrix], words: Matrix?, from first: Int, dropout: LowRankDropout?, saved: TextActivations) {
        let layout = saved.layout
        guard !layout.batch.prefix.isEmpty else { return }
        let dropout = dropout?.at(chunk: layout.chunks.count)
        let promptRows = 1..<1 + layout.batch.promptTokens
        if first == 0 { embed(layout.batch.prefix, words: words, from: 0, into: saved.prefix[0].input) }
        if layout.replacesPrompts(at: 0) {
            let target = saved.prefix[0].input.rows(promptRows)
            target.copy(prompts[0])
            add(parameters.positionalEmbedding.rows(promptRows), to: target)
        }
        for (layer, block) in blocks.enumerated().dropFirst(first) {
            let activations = saved.prefix[layer]
            if layer > 0, layout.replacesPrompts(at: layer) {
                activations.input.rows(promptRows).copy(prompts[layer - layout.promptFreeLayerCount])
            }
            let output: MutableMatrix? = switch activations.shape.queries {
            case .none: nil
            case .every: saved.prefix[layer + 1].input
            case .first, .last: saved.prefix[layer + 1].input.row(0)
            }
            block.forward(saved: activations, shared: nil, output: output, branch: dropout?.branch(of: layer), scratch: saved.prefixScratch)
        }
    }

    /// The prefix learns through its keys and values, and through its outputs where these go on.
    private func prefixBackward(
        saved: TextActivations, promptGradients: [MutableMatrix], dropout: LowRankDropout?, weights: some TextGradientSink
    ) {
        let layout = saved.layout
        guard !layout.batch.prefix.isEmpty else { return }
        let dropout = dropout?.at(chunk: layout.chunks.count)
        let rows = layout.batch.prefix.count
        let promptRows = 1..<1 + layout.batch.promptTokens
        let memory = (0..<2).map { _ in MutableMatrix(rows: rows, columns: architecture.text.width) }
        var streamGradient: MutableMatrix?
        for layer in stride(from: blocks.count - 1, through: layout.promptFreeLayerCount, by: -1) {
            // Where the next layer replaces the prompts, only the start token goes on. It sees nothing but
            // itself, so with frozen weights nothing that learns lies behind it.
            let goesOn = saved.prefix[layer].shape.queries == .every
            let keyValueGradient = MutableMatrix(rows: rows, columns: 2 * architecture.text.width)
            for gradients in saved.sharedGradients { add(gradients[layer], to: keyValueGradient) }
            let inputGradient = memory[layer % 2]
            blocks[layer].backward(
                outputGradient: goesOn ? streamGradient : nil, saved: saved.prefix[layer], shared: nil,
                keyValueGradient: keyValueGradient.reading, sharedGradient: nil, inputGradient: inputGradient,
                weights: weights.block(layer, item: layout.chunks.count), branch: dropout?.branch(of: layer), scratch: saved.prefixScratch)
            if layout.replacesPrompts(at: layer) { add(inputGradient.rows(promptRows), to: promptGradients[layer - layout.promptFreeLayerCount]) }
            streamGradient = inputGradient
        }
        if let streamGradient {
            weights.addInput(gradient: streamGradient, tokens: layout.batch.prefix, firstPosition: 0, item: layout.chunks.count)
        }
    }

    // MARK: Classes

    /// - Parameter first: 0, or the first layer with prompts, whose input `cachedInputs` holds.
    private func chunkForward(
        _ chunk: TextChunkActivations, index: Int, words: Matrix?, from first: Int, dropout: LowRankDropout?, saved: TextActivations,
        scratch: TextScratch
    ) {
        let batch = saved.layout.batch
        if first == 0 {
            embed(chunk.classes.map { batch.suffixes[$0] }, words: words, from: batch.prefix.count, into: chunk.blocks[0].input)
        } else {
            chunk.blocks[first].input.copy(saved.cachedInputs[index])
        }
        for (layer, block) in blocks.enumerated().dropFirst(first) {
            if first == 0, layer == saved.layout.promptFreeLayerCount, !saved.cachedInputs.isEmpty { saved.cachedInputs[index].copy(chunk.blocks[layer].input) }
            placeOwnPrompts(in: chunk.blocks[layer].input, at: layer, chunk: index, saved: saved)
            let output = layer == blocks.count - 1 ? chunk.endRows : chunk.blocks[layer + 1].input
            block.forward(
                saved: chunk.blocks[layer], shared: saved.sharedKeyValue(of: layer), output: output,
                branch: dropout?.at(chunk: index).branch(of: layer), scratch: scratch.block)
        }
        let norm = parameters.outputNorm
        layerNorm(chunk.endRows, weight: norm.weight, bias: norm.bias, into: chunk.normalized, saving: chunk.outputNorm, epsilon: architecture.form.normEpsilon)
        let features = saved.features.rows(chunk.classes)
        if let bias = parameters.projectionBias { fillRows(of: features, with: bias) }
        multiply(chunk.normalized, .asStored, parameters.projection, .asStored, into: features, adding: parameters.projectionBias != nil)
    }

    private func chunkBackward(
        _ chunk: TextChunkActivations, index: Int, featureGradient: Matrix, dropout: LowRankDropout?, saved: TextActivations,
        weights: some TextGradientSink, scratch: TextScratch
    ) {
        let classes = 0..<chunk.classes.count
        let ownGradient = featureGradient.rows(chunk.classes)
        let normGradient = scratch.block.selected.rows(classes)
        let endGradient = scratch.endGradient.rows(classes)
        endGradient.fill(0)
        multiply(ownGradient, .asStored, parameters.projection, .transposed, into: normGradient)
        layerNormBackward(
            outputGradient: normGradient, input: chunk.endRows, weight: parameters.outputNorm.weight,
            saved: chunk.outputNorm, inputGradient: endGradient)
        weights.addOutput(
            featureGradient: ownGradient, normGradient: normGradient, endRows: chunk.endRows, normalized: chunk.normalized,
            statistics: chunk.outputNorm, item: index)

        var streamGradient = endGradient
        let lowest = saved.layout.promptFreeLayerCount
        for layer in stride(from: blocks.count - 1, through: lowest, by: -1) {
            let rows = 0..<chunk.blocks[layer].shape.groups.rowCount
            let needsInput = layer > lowest || weights.learns || saved.layout.hasOwnPrompts
            let inputGradient = needsInput ? scratch.gradients[layer % 2].rows(rows) : nil
            let sharedGradient = saved.sharedGradients[index][layer]
            sharedGradient.fill(0)
            blocks[layer].backward(
                outputGradient: streamGradient, saved: chunk.blocks[layer], shared: saved.sharedKeyValue(of: layer),
                sharedGradient: sharedGradient.rowCount == 0 ? nil : .everyGroup(sharedGradient), inputGradient: inputGradient,
                weights: weights.block(layer, item: index), branch: dropout?.at(chunk: index).branch(of: layer), scratch: scratch.block)
            guard let inputGradient else { continue }
            takeOwnPrompts(from: inputGradient, at: layer, chunk: index, saved: saved)
            streamGradient = inputGradient
        }
        guard weights.learns else { return }
        weights.addInput(
            gradient: streamGradient, suffixes: chunk.classes.map { saved.layout.batch.suffixes[$0] },
            firstPosition: saved.layout.batch.prefix.count, item: index)
    }

    // MARK: Embedding

    private func embed(_ tokens: [Int], words: Matrix?, from position: Int, into rows: MutableMatrix) {
        rows.copy(parameters.positionalEmbedding.rows(position..<position + tokens.count))
        let vocabularySize = parameters.tokenEmbedding.rowCount
        for (row, token) in tokens.enumerated() {
            if let words, token >= vocabularySize {
                add(words.row(token - vocabularySize), to: rows.row(row))
            } else {
                add(parameters.tokenEmbedding.row(token), to: rows.row(row))
            }
        }
    }

    private func embed(_ suffixes: [[Int]], words: Matrix?, from position: Int, into rows: MutableMatrix) {
        var start = 0
        for suffix in suffixes {
            embed(suffix, words: words, from: position, into: rows.rows(start..<start + suffix.count))
            start += suffix.count
        }
    }
}
