import Tensors

/// CLIP's pre-norm transformer block over packed groups of rows.
///
///     middle = x + W_o · attention(LN₁(x)) + b_o
///     output = middle + W_p · activation(W_f · LN₂(middle) + b_f) + b_p
///
/// Where tokens merge (`TokenMerging`), they do so in `middle`.
///
/// Two things make it serve both towers, with and without prompts: groups may attend to keys and
/// values beside their own (prompts of a vision layer, the common prefix of all class names: the same
/// for every group; messages between frames: others for each), and only the rows that are needed query.
package struct TransformerBlock: Sendable {
    let parameters: BlockParameters<Matrix>
    let headCount: Int
    let activation: Activation
    let isCausal: Bool
    /// Of both norms.
    let normEpsilon: Float
    /// Turns queries and keys by their places; nil where only embeddings tell these.
    let rotation: RotaryPositions?
    let weights: BlockWeights

    /// - Parameter isLast: whether this block is the last of its tower, where not every row queries.
    package init(
        parameters: BlockParameters<Matrix>, headCount: Int, activation: Activation, isCausal: Bool, isLast: Bool,
        precision: Precision, normEpsilon: Float = usualNormEpsilon, rotation: RotaryPositions? = nil
    ) {
        self.rotation = rotation
        self.normEpsilon = normEpsilon
        self.parameters = parameters
        self.headCount = headCount
        self.activation = activation
        self.isCausal = isCausal
        weights = BlockWeights(parameters, isLast: isLast, precision: precision)
    }

    private var width: Int { parameters.attentionNorm.weight.columnCount }

    /// Keys and values of rows that all groups share.
    ///
    /// - Parameters:
    ///   - rows: `[shared, width]`, before the block's first norm.
    ///   - normalized: `[shared, width]`, overwritten.
    ///   - keyValue: `[shared, 2 × width]`, overwritten.
    func sharedKeyValue(
        of rows: some Readable, normalized: MutableMatrix, statistics: LayerNormStatistics, into keyValue: MutableMatrix
    ) {
        let norm = parameters.attentionNorm
        layerNorm(rows, weight: norm.weight, bias: norm.bias, into: normalized, saving: statistics, epsilon: normEpsilon)
        let bias = parameters.attentionInput.bias.columns(width..<3 * width)
        linear(normalized, weight: weights.keyValue, bias: bias, into: keyValue)
    }

    /// Adds the gradient of `sharedKeyValue` to `rowGradient`, `[shared, width]`.
    func sharedKeyValueBackward(
        keyValueGradient: some Readable, rows: some Readable, statistics: LayerNormStatistics, rowGradient: MutableMatrix
    ) {
        let normGradient = sharedNormGradient(keyValueGradient)
        layerNormBackward(
            outputGradient: normGradient, input: rows, weight: parameters.attentionNorm.weight, saved: statistics,
            inputGradient: rowGradient)
    }

    /// The gradient of shared rows behind the block's first norm, `[shared, width]`.
    func sharedNormGradient(_ keyValueGradient: some Readable) -> MutableMatrix {
        let normGradient = MutableMatrix(rows: keyValueGradient.rowCount, columns: width)
        multiplyBackward(keyValueGradient, weights.keyValue, into: normGradient)
        return normGradient
    }

    /// - Parameters:
    ///   - saved: its `input` holds the block's input; the rest is overwritten.
    ///   - shared: keys and values that groups see beside their own, `[shared, 2 × width]` for each.
    ///   - output: `[outputs, width]`; nil only where no row queries.
    ///   - mergedSizes: where tokens merge, `[1, outputs]`, overwritten with how many patches each row of the output stands for.
    ///   - branch: low-rank updates whose inputs pass dropout.
    package func forward(
        saved: BlockActivations, shared: SharedRows<Matrix>?, output: MutableMatrix?, mergedSizes: MutableMatrix? = nil,
        branch: LowRankBranch? = nil, scratch: BlockScratch
    ) {
        let groups = saved.shape.groups
        let p = parameters
        saved.merging?.weighKeys(headWidth: width / headCount)
        let normalized = saved.view(scratch.normalized, rows: groups.rowCount)
        layerNorm(saved.input, weight: p.attentionNorm.weight, bias: p.attentionNorm.bias, into: normalized, saving: saved.attentionNorm, epsilon: normEpsilon)
        if saved.shape.queries == .every {
            linear(normalized, weight: weights.queryKeyValue, bias: p.attentionInput.bias, into: saved.queryKeyValue)
        } else {
            let bias = p.attentionInput.bias
            linear(normalized, weight: weights.keyValue, bias: bias.columns(width..<3 * width), into: saved.queryKeyValue)
            linear(
                saved.selectedRows(of: normalized.float32, scratch: scratch.selected), weight: weights.query,
                bias: bias.columns(0..<width), into: saved.queries)
        }
        if let branch { addDropout(of: branch, normalized: normalized.float32, saved: saved, scratch: scratch) }
        turnQueriesAndKeys(of: saved.queryKeyValue, shape: saved.shape)
        guard let output, saved.shape.queries != .none else { return }

        let attended = saved.attended ?? saved.view(scratch.attended, rows: saved.shape.queryCount)
        attend(saved: saved, shared: shared, into: attended, scratch: scratch)
        let isMerging = saved.shape.mergedPairCount > 0
        let middle = isMerging ? unmerged(saved: saved, scratch: scratch) : saved.middle
        add(p.attentionOutput.bias, toRowsOf: saved.selectedRows(of: saved.input, scratch: scratch.selected), into: middle)
        multiply(attended, weights.attentionOutput, into: middle, adding: true)
        if isMerging { merge(middle, saved: saved, mergedSizes: mergedSizes, scratch: scratch) }

        let outputCount = saved.shape.outputCount
        let mlpNormalized = saved.view(scratch.normalized, rows: outputCount)
        layerNorm(saved.middle, weight: p.mlpNorm.weight, bias: p.mlpNorm.bias, into: mlpNormalized, saving: saved.mlpNorm, epsilon: normEpsilon)
        let hidden = saved.hidden ?? saved.view(scratch.hidden, rows: outputCount)
        let activated = saved.view(scratch.activated, rows: outputCount)
        linear(
            mlpNormalized, weight: weights.mlpInput, bias: p.mlpInput.bias, hidden: hidden, activation: activation, into: activated)
        add(p.mlpOutput.bias, toRowsOf: saved.middle, into: output)
        multiply(activated, weights.mlpOutput, into: output, adding: true)
    }

    /// Turns queries and keys, or their gradients the other way, by the places of their rows; values stay.
    private func turnQueriesAndKeys(of queryKeyValue: Rows, shape: BlockShape, isInverse: Bool = false) {
        guard let rotation else { return }
        precondition(shape.queries == .every, "where rows have places, every row queries")
        rotation.turn(queryKeyValue.float32.columns(0..<2 * width), of: shape.groups, headCount: 2 * headCount, isInverse: isInverse)
    }

    /// Fills `attended`, `[queries, width]`, a group after the other.
    private func attend(saved: BlockActivations, shared: SharedRows<Matrix>?, into attended: Rows, scratch: BlockScratch) {
        let groups = saved.shape.groups
        for group in 0..<groups.count {
            let queryRows = saved.shape.queryRows(of: group)
            switch (saved.queryKeyValue, attended) {
            case (.bfloat16(let queryKeyValue), .bfloat16(let attended)):
                precondition(!isCausal, "rows of bfloat16 are not masked")
                attention(
                    queryKeyValue: queryKeyValue.rows(queryRows), shared: shared?.rows(of: group), keyBias: saved.keyBias(of: group),
                    headCount: headCount, logSums: saved.logSums(of: group), scratch: scratch.attention, output: attended.rows(queryRows))
            default:
                attention(
                    queries: saved.queries.rows(queryRows),
                    sources: saved.attentionSources(of: group, shared: shared), headCount: headCount, mask: saved.shape.mask(of: group, isCausal: isCausal),
                    logSums: saved.logSums(of: group), scratch: scratch.attention, output: attended.float32.rows(queryRows),
                    precision: weights.precision.besideProducts)
            }
        }
    }

    /// The gradient of `forward`.
    ///
    /// - Parameters:
    ///   - outputGradient: `[outputs, width]`; nil where the output leads nowhere.
    ///   - keyValueGradient: `[rows, 2 × width]`, what others that share these rows' keys and values add.
    ///   - sharedGradient: like `shared`, added to.
    ///   - learnedShared: the rows behind `shared` and `sharedGradient`, where weights learn from these as well.
    ///   - inputGradient: `[rows, width]`, overwritten; nil where only the shared keys and values learn.
    ///   - weights: where weight gradients go; `FrozenBlock` computes none.
    ///   - branch: as in `forward`.
    package func backward(
        outputGradient: MutableMatrix?, saved: BlockActivations, shared: SharedRows<Matrix>?,
        keyValueGradient: Matrix? = nil, sharedGradient: SharedRows<MutableMatrix>?, learnedShared: LearnedSharedRows? = nil,
        inputGradient: MutableMatrix?, weights sink: some BlockGradientSink, branch: LowRankBranch? = nil, scratch: BlockScratch
    ) {
        let rows = saved.shape.groups.rowCount
        if let outputGradient { mlpBackward(outputGradient: outputGradient, saved: saved, scratch: scratch) }
        // Only now: it may be the memory of the MLP's hidden rows.
        let ownGradient = saved.view(scratch.queryKeyValueGradient, rows: rows)
        if case .float32(let gradient) = ownGradient {
            let ownKeyValueGradient = gradient.columns(width..<3 * width)
            if let keyValueGradient { ownKeyValueGradient.copy(keyValueGradient) } else { ownKeyValueGradient.fill(0) }
        }
        if outputGradient != nil {
            let attendedGradient = saved.view(scratch.attendedGradient, rows: saved.shape.queryCount)
            multiplyBackward(
                scratch.middleGradient.rows(0..<saved.shape.queryCount), weights.attentionOutput, into: attendedGradient)
            attendBackward(
                attendedGradient, saved: saved, shared: shared, ownGradient: ownGradient, sharedGradient: sharedGradient,
                learnsOwn: inputGradient != nil, scratch: scratch)
        }
        guard let inputGradient else { return }
        attentionInputBackward(hasQueries: outputGradient != nil, saved: saved, inputGradient: inputGradient, branch: branch, scratch: scratch)
        sink.add(BlockContribution(
            block: self, saved: saved, outputGradient: outputGradient, shared: learnedShared, branch: branch, scratch: scratch))
    }

    /// The gradient of `attend`; fills `ownGradient` and the scratch memory's `queryGradient`.
    private func attendBackward(
        _ attendedGradient: Rows, saved: BlockActivations, shared: SharedRows<Matrix>?, ownGradient: Rows, sharedGradient: SharedRows<MutableMatrix>?,
        learnsOwn: Bool, scratch: BlockScratch
    ) {
        let groups = saved.shape.groups
        switch (attendedGradient, saved.queryKeyValue, ownGradient) {
        case (.bfloat16(let attendedGradient), .bfloat16(let queryKeyValue), .bfloat16(let ownGradient)):
            for group in 0..<groups.count {
                let rows = groups.rows(of: group)
                attentionBackward(
                    outputGradient: attendedGradient.rows(rows), queryKeyValue: queryKeyValue.rows(rows), shared: shared?.rows(of: group),
                    keyBias: saved.keyBias(of: group), headCount: headCount, logSums: saved.logSums(of: group), scratch: scratch.attention,
                    gradient: learnsOwn ? ownGradient.rows(rows) : nil, sharedGradient: sharedGradient?.rows(of: group))
            }
        default:
            let attendedGradient = attendedGradient.float32
            let ownGradient = ownGradient.float32
            let ownKeyValueGradient = ownGradient.columns(width..<3 * width)
            let queryGradient = saved.shape.queries == .every
                ? ownGradient.columns(0..<width) : scratch.queryGradient.rows(0..<saved.shape.queryCount)
            for group in 0..<groups.count {
                let queryRows = saved.shape.queryRows(of: group)
                let ownRows = groups.rows(of: group)
                attentionBackward(
                    outputGradient: attendedGradient.rows(queryRows), queries: saved.queries.rows(queryRows),
                    sources: saved.attentionSources(of: group, shared: shared), headCount: headCount,
                    mask: saved.shape.mask(of: group, isCausal: isCausal), logSums: saved.logSums(of: group),
                    scratch: scratch.attention,
                    queryGradient: learnsOwn ? queryGradient.rows(queryRows) : nil,
                    sourceGradients: AttentionSources(shared: sharedGradient?.rows(of: group), own: ownKeyValueGradient.rows(ownRows)),
                    precision: weights.precision)
            }
        }
    }

    /// From the block's output down to the residual stream between attention and MLP, before tokens merged there:
    /// fills `hiddenGradient`, `mlpNormGradient` and `middleGradient` of the scratch memory.
    func mlpBackward(outputGradient: MutableMatrix, saved: BlockActivations, scratch: BlockScratch) {
        let rows = 0..<saved.shape.outputCount
        let isMerging = saved.shape.mergedPairCount > 0
        let hiddenGradient = saved.view(scratch.hiddenGradient, rows: saved.shape.outputCount)
        let normGradient = scratch.mlpNormGradient.rows(rows)
        let middleGradient = isMerging ? unmerged(saved: saved, scratch: scratch).rows(rows) : scratch.middleGradient.rows(rows)
        let hidden = saved.hidden ?? hiddenAgain(saved: saved, scratch: scratch)
        multiplyBackward(outputGradient, weights.mlpOutput, into: hiddenGradient)
        activation.backward(input: hidden, gradient: hiddenGradient)
        multiplyBackward(hiddenGradient, weights.mlpInput, into: normGradient)
        middleGradient.copy(outputGradient)
        layerNormBackward(
            outputGradient: normGradient, input: saved.middle, weight: parameters.mlpNorm.weight, saved: saved.mlpNorm,
            inputGradient: middleGradient)
        if isMerging { mergeBackward(middleGradient, saved: saved, into: scratch.middleGradient.rows(0..<saved.shape.queryCount)) }
    }

    /// The MLP's hidden rows where they were not kept, as `forward` computed them.
    private func hiddenAgain(saved: BlockActivations, scratch: BlockScratch) -> Rows {
        let normalized = saved.view(scratch.normalized, rows: saved.shape.outputCount)
        let hidden = saved.view(scratch.hidden, rows: saved.shape.outputCount)
        let norm = parameters.mlpNorm
        layerNorm(saved.middle, weight: norm.weight, bias: norm.bias, into: normalized, saving: saved.mlpNorm, epsilon: normEpsilon)
        linear(normalized, weight: weights.mlpInput, bias: parameters.mlpInput.bias, into: hidden)
        return hidden
    }

    /// From queries, keys and values down to the block's input: fills `attentionNormGradient`.
    private func attentionInputBackward(
        hasQueries: Bool, saved: BlockActivations, inputGradient: MutableMatrix, branch: LowRankBranch?, scratch: BlockScratch
    ) {
        let shape = saved.shape
        let rows = 0..<shape.groups.rowCount
        let normGradient = scratch.attentionNormGradient.rows(rows)
        let ownGradient = saved.view(scratch.queryKeyValueGradient, rows: shape.groups.rowCount)
        if hasQueries && shape.queries == .every {
            turnQueriesAndKeys(of: ownGradient, shape: shape, isInverse: true)
            multiplyBackward(ownGradient, weights.queryKeyValue, into: normGradient)
            inputGradient.copy(scratch.middleGradient.rows(rows))
        } else {
            multiplyBackward(ownGradient.columns(width..<3 * width), weights.keyValue, into: normGradient)
            inputGradient.fill(0)
            if hasQueries {
                for query in 0..<shape.queryCount {
                    let row = shape.selectedRow(of: query)
                    multiplyBackward(scratch.queryGradient.row(query), weights.query, into: normGradient.row(row), adding: true)
                    inputGradient.row(row).copy(scratch.middleGradient.row(query))
                }
            }
        }
        if let branch {
            addDropoutGradient(
                of: branch, hasQueries: hasQueries, ownGradient: ownGradient.float32, saved: saved, normGradient: normGradient, scratch: scratch)
        }
        layerNormBackward(
            outputGradient: normGradient, input: saved.input, weight: parameters.attentionNorm.weight,
            saved: saved.attentionNorm, inputGradient: inputGradient)
    }
}
