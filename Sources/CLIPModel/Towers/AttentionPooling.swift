import Tensors

/// What makes one row of all tokens of a frame: a learned probe attends to them, and an MLP follows.
///
///     pooled = W_o · attention(W_q · probe + b_q; keys and values of the tokens) + b_o
///     output = pooled + W_p · activation(W_f · LN(pooled) + b_f) + b_p
///
/// Nothing goes round the attention. Prompts that are rows of a frame are not among the tokens that it sees.
/// Source: Zhai et al. 2022, "Scaling Vision Transformers", as PE-Core and SigLIP have it (`methods_more.md` 5).
package struct AttentionPooling: Sendable {
    let parameters: PoolingParameters<Matrix>
    let headCount: Int
    let activation: Activation
    let normEpsilon: Float

    private var width: Int { parameters.probe.columnCount }
    private var mlp: ResidualMLP<Matrix> { ResidualMLP(parameters: parameters.mlp, activation: activation, normEpsilon: normEpsilon) }

    /// - Parameters:
    ///   - saved: its `tokens` hold the frames' rows; the rest is overwritten.
    ///   - output: `[frames, width]`.
    func forward(saved: PoolingActivations, output: MutableMatrix, scratch: AttentionScratch) {
        let p = parameters
        let input = p.attentionInput
        linear(p.probe, weight: input.weight.rows(0..<width), bias: input.bias.columns(0..<width), into: saved.query)
        linear(saved.tokens, weight: input.weight.rows(width..<3 * width), bias: input.bias.columns(width..<3 * width), into: saved.keyValue)
        for frame in 0..<saved.frameCount {
            attention(
                queries: saved.query, sources: AttentionSources(shared: nil, own: saved.keyValue.rows(saved.rows(of: frame))),
                headCount: headCount, mask: .none, logSums: saved.logSums(of: frame), scratch: scratch, output: saved.attended.row(frame))
        }
        linear(saved.attended, weight: p.attentionOutput.weight, bias: p.attentionOutput.bias, into: saved.mlp.input)
        mlp.forward(saved: saved.mlp, output: output)
    }

    /// The gradient of `forward`.
    ///
    /// - Parameter outputGradient: `[frames, width]`.
    /// - Returns: the gradient of the tokens, with what the parameters' own are made of.
    func backward(_ outputGradient: MutableMatrix, saved: PoolingActivations, scratch: AttentionScratch) -> Contribution {
        let p = parameters
        func memory(_ columns: Int) -> MutableMatrix { MutableMatrix(rows: saved.frameCount, columns: columns) }
        let behindAttention = mlp.backward(outputGradient, saved: saved.mlp)
        let (attendedGradient, queryGradient) = (memory(width), memory(width))
        multiply(behindAttention.inputGradient, .asStored, p.attentionOutput.weight, .asStored, into: attendedGradient)
        let keyValueGradient = MutableMatrix(rows: saved.tokens.rowCount, columns: 2 * width)
        for frame in 0..<saved.frameCount {
            let rows = saved.rows(of: frame)
            attentionBackward(
                outputGradient: attendedGradient.row(frame), queries: saved.query,
                sources: AttentionSources(shared: nil, own: saved.keyValue.rows(rows)), headCount: headCount, mask: .none,
                logSums: saved.logSums(of: frame), scratch: scratch, queryGradient: queryGradient.row(frame),
                sourceGradients: AttentionSources(shared: nil, own: keyValueGradient.rows(rows)))
        }
        let tokenGradient = MutableMatrix(rows: saved.tokens.rowCount, columns: width)
        multiply(keyValueGradient, .asStored, p.attentionInput.weight.rows(width..<3 * width), .asStored, into: tokenGradient)
        return Contribution(
            pooling: self, saved: saved, mlp: behindAttention, attendedGradient: attendedGradient, queryGradient: queryGradient,
            keyValueGradient: keyValueGradient, tokenGradient: tokenGradient)
    }

    /// What the probe looks at in one frame, as `addRelevance` has it: a number for each of the frame's tokens.
    ///
    /// - Parameters:
    ///   - contribution: of a backward pass, whose gradient weighs the probabilities; nil for these alone.
    ///   - heads: over which the mean is taken.
    func seen(in frame: Int, by contribution: Contribution?, heads: Range<Int>, saved: PoolingActivations) -> [Float] {
        let keyValue = saved.keyValue.rows(saved.rows(of: frame)).reading
        let result = MutableMatrix(rows: 1, columns: keyValue.rowCount)
        addRelevance(
            outputGradient: contribution?.attendedGradient.row(frame).reading, queries: saved.query.reading,
            sources: AttentionSources(shared: nil, own: keyValue), headCount: headCount, heads: heads,
            logSums: saved.logSums(of: frame).reading, rowWeights: MutableMatrix(rows: 1, columns: 1, [1]).reading, into: result)
        return result.values
    }

    /// What the parameters' gradients are made of, right after a backward pass.
    package struct Contribution {
        fileprivate let pooling: AttentionPooling
        fileprivate let saved: PoolingActivations
        fileprivate let mlp: ResidualMLPContribution
        /// `[frames, width]`, of the heads' outputs side by side.
        fileprivate let attendedGradient: MutableMatrix
        /// `[frames, width]`
        fileprivate let queryGradient: MutableMatrix
        /// `[frames × rows, 2 × width]`
        fileprivate let keyValueGradient: MutableMatrix
        /// `[frames × rows, width]`
        let tokenGradient: MutableMatrix

        func add(to gradients: PoolingParameters<MutableMatrix>) {
            let width = tokenGradient.columnCount
            mlp.add(to: gradients.mlp)
            gradients.attentionOutput.add(outputGradient: mlp.inputGradient, input: saved.attended)
            let (weight, bias) = (gradients.attentionInput.weight, gradients.attentionInput.bias)
            linearWeightBackward(
                outputGradient: keyValueGradient, input: saved.tokens, weightGradient: weight.rows(width..<3 * width),
                biasGradient: bias.columns(width..<3 * width))
            // The probe asks every frame the same.
            let query = MutableMatrix(rows: 1, columns: width)
            sumRows(of: queryGradient, into: query)
            linearWeightBackward(
                outputGradient: query, input: pooling.parameters.probe, weightGradient: weight.rows(0..<width),
                biasGradient: bias.columns(0..<width))
            multiply(
                query, .asStored, pooling.parameters.attentionInput.weight.rows(0..<width), .asStored, into: gradients.probe, adding: true)
        }
    }
}

/// What `AttentionPooling` keeps of a batch of frames.
struct PoolingActivations: Sendable {
    let frameCount: Int
    /// Rows of a frame: its tokens, then prompts that nobody asks.
    private let frameRows: Int
    private let tokenCount: Int
    private let headCount: Int
    /// `[frames × rows, width]`, behind the tower's last norm.
    let tokens: MutableMatrix
    /// `[frames × rows, 2 × width]`
    let keyValue: MutableMatrix
    /// `[1, width]`
    let query: MutableMatrix
    /// `[1, frames × heads]`
    private let logSums: MutableMatrix
    /// `[frames, width]`
    let attended: MutableMatrix
    /// Behind the attention.
    let mlp: ResidualMLPActivations

    /// Nil where the class token is read.
    init?(layout: VisionLayout, frameCount: Int) {
        guard let headCount = layout.architecture.poolingHeadCount else { return nil }
        let tower = layout.architecture.vision
        self.frameCount = frameCount
        (self.headCount, tokenCount, frameRows) = (headCount, layout.frameRows, layout.outputRows)
        func memory(_ rows: Int, _ columns: Int) -> MutableMatrix { MutableMatrix(rows: rows, columns: columns) }
        (tokens, keyValue) = (memory(frameCount * frameRows, tower.width), memory(frameCount * frameRows, 2 * tower.width))
        (query, logSums) = (memory(1, tower.width), memory(1, frameCount * headCount))
        attended = memory(frameCount, tower.width)
        mlp = ResidualMLPActivations(rows: frameCount, width: tower.width, mlpWidth: layout.architecture.poolingMLPWidth)
    }

    /// The memory of the first `frameCount` frames.
    func prefix(_ frameCount: Int) -> PoolingActivations { PoolingActivations(memory: self, frameCount: frameCount) }

    private init(memory: PoolingActivations, frameCount: Int) {
        self.frameCount = frameCount
        (frameRows, tokenCount, headCount) = (memory.frameRows, memory.tokenCount, memory.headCount)
        let rows = 0..<frameCount * frameRows
        (tokens, keyValue) = (memory.tokens.rows(rows), memory.keyValue.rows(rows))
        (query, logSums) = (memory.query, memory.logSums)
        (attended, mlp) = (memory.attended.rows(0..<frameCount), memory.mlp.prefix(frameCount))
    }

    /// The tokens of one frame among all rows.
    func rows(of frame: Int) -> Range<Int> { frame * frameRows..<frame * frameRows + tokenCount }

    /// `[1, heads]`
    func logSums(of frame: Int) -> MutableMatrix { logSums.columns(frame * headCount..<(frame + 1) * headCount) }

    /// Bytes for one frame, beside the block's output.
    static func bytesPerFrame(layout: VisionLayout) -> Int {
        let width = layout.architecture.vision.width
        return 4 * (3 * layout.outputRows * width + 3 * width + 2 * layout.architecture.poolingMLPWidth)
    }
}
