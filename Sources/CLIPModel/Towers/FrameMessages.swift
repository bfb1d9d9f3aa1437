import Tensors

/// What the frames of a clip say to each other before a block of the vision tower: each sends a message made of its class token,
/// and each attends to its own message beside its own rows, once the messages have seen each other.
///
///     message  = W · class token + b
///     messages = message + W_o · attention(LN(message)) + b_o
///
/// Source: Ni et al., ECCV 2022 (X-CLIP), section 3.2, cross-frame attention; `methods.md` 6.
package struct FrameMessages: Sendable {
    let parameters: MessageParameters<Matrix>
    let headCount: Int

    private var width: Int { parameters.norm.weight.columnCount }

    /// Fills `saved.messages`.
    ///
    /// - Parameter rows: `[frames × rows, width]`, each frame's class token first.
    func forward(rows: MutableMatrix, saved: MessageActivations, scratch: AttentionScratch) {
        let frameCount = saved.messages.rowCount
        let frameRows = rows.rowCount / frameCount
        for frame in 0..<frameCount { saved.classTokens.row(frame).copy(rows.row(frame * frameRows)) }
        let p = parameters
        linear(saved.classTokens, weight: p.message.weight, bias: p.message.bias, into: saved.sent)
        let normalized = normalized(saved)
        linear(normalized, weight: p.attentionInput.weight, bias: p.attentionInput.bias, into: saved.queryKeyValue)
        attention(
            queries: saved.queryKeyValue.columns(0..<width), sources: sources(saved), headCount: headCount, mask: .none, logSums: saved.logSums,
            scratch: scratch, output: saved.attended)
        add(p.attentionOutput.bias, toRowsOf: saved.sent, into: saved.messages)
        multiply(saved.attended, .asStored, p.attentionOutput.weight, .transposed, into: saved.messages, adding: true)
    }

    private func normalized(_ saved: MessageActivations) -> MutableMatrix {
        let normalized = MutableMatrix(rows: saved.sent.rowCount, columns: width)
        layerNorm(saved.sent, weight: parameters.norm.weight, bias: parameters.norm.bias, into: normalized, saving: saved.norm)
        return normalized
    }

    private func sources(_ saved: MessageActivations) -> AttentionSources<MutableMatrix> {
        AttentionSources(shared: nil, own: saved.queryKeyValue.columns(width..<3 * width))
    }

    /// The gradient of `forward`.
    ///
    /// - Parameters:
    ///   - messageGradient: `[frames, width]`.
    ///   - rowGradient: of `rows`, added to.
    ///   - addingWeights: given the gradients of the parameters' outputs, to add up the parameters' own.
    func backward(
        _ messageGradient: MutableMatrix, saved: MessageActivations, rowGradient: MutableMatrix, scratch: AttentionScratch,
        addingWeights: (Contribution) -> Void
    ) {
        let frameCount = saved.messages.rowCount
        func memory(_ columns: Int) -> MutableMatrix { MutableMatrix(rows: frameCount, columns: columns) }
        let p = parameters
        let attendedGradient = memory(width)
        multiply(messageGradient, .asStored, p.attentionOutput.weight, .asStored, into: attendedGradient)
        let inputGradient = memory(3 * width)
        attentionBackward(
            outputGradient: attendedGradient, queries: saved.queryKeyValue.columns(0..<width), sources: sources(saved), headCount: headCount,
            mask: .none, logSums: saved.logSums, scratch: scratch, queryGradient: inputGradient.columns(0..<width),
            sourceGradients: AttentionSources(shared: nil, own: inputGradient.columns(width..<3 * width)))
        let normGradient = memory(width)
        multiply(inputGradient, .asStored, p.attentionInput.weight, .asStored, into: normGradient)
        let sentGradient = memory(width)
        sentGradient.copy(messageGradient)
        layerNormBackward(
            outputGradient: normGradient, input: saved.sent, weight: p.norm.weight, saved: saved.norm, inputGradient: sentGradient)
        let classGradient = memory(width)
        multiply(sentGradient, .asStored, p.message.weight, .asStored, into: classGradient)
        let frameRows = rowGradient.rowCount / frameCount
        for frame in 0..<frameCount { add(classGradient.row(frame), to: rowGradient.row(frame * frameRows)) }
        addingWeights(Contribution(
            messages: self, saved: saved, messageGradient: messageGradient, inputGradient: inputGradient, normGradient: normGradient,
            sentGradient: sentGradient))
    }

    /// What the parameters' gradients are made of, right after a clip's backward pass.
    package struct Contribution {
        fileprivate let messages: FrameMessages
        fileprivate let saved: MessageActivations
        /// `[frames, width]`, and `[frames, 3 × width]` of queries, keys and values.
        fileprivate let messageGradient, inputGradient, normGradient, sentGradient: MutableMatrix

        func add(to gradients: MessageParameters<MutableMatrix>) {
            gradients.attentionOutput.add(outputGradient: messageGradient, input: saved.attended)
            gradients.attentionInput.add(outputGradient: inputGradient, input: messages.normalized(saved))
            gradients.norm.add(outputGradient: normGradient, input: saved.sent, saved: saved.norm)
            gradients.message.add(outputGradient: sentGradient, input: saved.classTokens)
        }
    }
}

/// What `FrameMessages` keeps of a clip for the backward pass, and what the block sees of it.
package struct MessageActivations: Sendable {
    /// `[frames, width]`, what each frame says, and what it is once messages have seen each other.
    let classTokens, sent, messages: MutableMatrix
    let norm: LayerNormStatistics
    /// `[frames, 3 × width]`
    let queryKeyValue: MutableMatrix
    /// `[1, heads × frames]`
    let logSums: MutableMatrix
    /// `[frames, width]`
    let attended: MutableMatrix
    /// Of the block's first norm, which messages pass as rows do.
    let blockNorm: LayerNormStatistics
    /// `[frames, 2 × width]`: as the block's keys and values.
    let keyValue: MutableMatrix

    init(frameCount: Int, tower: CLIPArchitecture.Tower) {
        func memory(_ columns: Int) -> MutableMatrix { MutableMatrix(rows: frameCount, columns: columns) }
        let width = tower.width
        (classTokens, sent, messages, attended) = (memory(width), memory(width), memory(width), memory(width))
        (queryKeyValue, keyValue) = (memory(3 * width), memory(2 * width))
        logSums = MutableMatrix(rows: 1, columns: tower.headCount * frameCount)
        (norm, blockNorm) = (LayerNormStatistics(rows: frameCount), LayerNormStatistics(rows: frameCount))
    }

    /// Bytes for one frame.
    static func bytesPerFrame(tower: CLIPArchitecture.Tower) -> Int { 4 * (9 * tower.width + tower.headCount + 4) }

    /// As a block's groups see it, a message for each frame.
    var shared: SharedRows<Matrix> { .perGroup(keyValue.reading, shared: 1) }

    /// As a block's backward pass sees it, with a gradient of zeros.
    func learned() -> LearnedSharedRows {
        LearnedSharedRows(
            rows: messages, statistics: blockNorm, keyValueGradient: MutableMatrix(rows: keyValue.rowCount, columns: keyValue.columnCount))
    }
}

extension LearnedSharedRows {
    /// What a block adds to: a row for each frame.
    var gradient: SharedRows<MutableMatrix> { .perGroup(keyValueGradient, shared: 1) }
}

// MARK: - In the tower

extension VisionTower {
    /// Fills the messages that the frames see in a block.
    ///
    /// - Parameter rows: the block's input.
    func exchangeMessages(into layer: Int, rows: MutableMatrix, saved: VisionActivations, scratch: VisionScratch) {
        guard let attentionScratch = scratch.messages else { return }
        let own = saved.messages[layer]
        messages[layer].forward(rows: rows, saved: own, scratch: attentionScratch)
        blocks[layer].sharedKeyValue(
            of: own.messages, normalized: MutableMatrix(rows: own.messages.rowCount, columns: own.messages.columnCount), statistics: own.blockNorm,
            into: own.keyValue)
    }

    /// The gradient of `exchangeMessages`.
    ///
    /// - Parameters:
    ///   - learned: what came back to the messages' keys and values.
    ///   - rowGradient: of the block's input, added to.
    func pullBack(
        _ learned: LearnedSharedRows, layer: Int, saved: VisionActivations, rowGradient: MutableMatrix, weights: some VisionGradientSink,
        scratch: VisionScratch
    ) {
        guard let attentionScratch = scratch.messages else { return }
        let messageGradient = MutableMatrix(rows: learned.rows.rowCount, columns: learned.rows.columnCount)
        blocks[layer].sharedKeyValueBackward(
            keyValueGradient: learned.keyValueGradient, rows: learned.rows, statistics: learned.statistics, rowGradient: messageGradient)
        messages[layer].backward(messageGradient, saved: saved.messages[layer], rowGradient: rowGradient, scratch: attentionScratch) {
            weights.addMessages($0, layer: layer)
        }
    }

    /// Takes class tokens and patches out of the last block's rows.
    func takePatches(saved: VisionActivations) {
        let (rows, width) = (saved.layout.frameRows, architecture.embeddingWidth)
        for frame in 0..<saved.frameCount {
            saved.classRows.row(frame).copy(saved.outputRows.row(frame * rows))
            saved.features.row(frame).columns(width..<architecture.featureWidth)
                .reshaped(rows: rows - 1, columns: architecture.vision.width)
                .copy(saved.outputRows.rows(frame * rows + 1..<(frame + 1) * rows))
        }
    }

    /// The gradient of `takePatches`: that of the last block's rows.
    func outputGradient(
        _ classGradient: MutableMatrix, patches featureGradient: Matrix, saved: VisionActivations, into memory: MutableMatrix
    ) -> MutableMatrix {
        let (rows, width) = (saved.layout.frameRows, architecture.vision.width)
        let gradient = memory.rows(0..<saved.frameCount * rows)
        for frame in 0..<saved.frameCount {
            gradient.row(frame * rows).copy(classGradient.row(frame))
            let patches = featureGradient.row(frame).columns(architecture.embeddingWidth..<architecture.featureWidth)
                .reshaped(rows: rows - 1, columns: width)
            gradient.rows(frame * rows + 1..<(frame + 1) * rows).copy(patches)
        }
        return gradient
    }
}
