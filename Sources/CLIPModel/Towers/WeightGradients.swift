import Tensors

/// Where a block's backward pass leaves the gradients of its weights.
///
/// The two stages of training differ in this type, not in a flag: the prompt path carries
/// `FrozenBlock`, which has no memory to write to.
package protocol BlockGradientSink: Sendable {
    func add(_ contribution: BlockContribution)
}

/// Weights that do not learn.
package struct FrozenBlock: BlockGradientSink {
    package init() {}
    package func add(_ contribution: BlockContribution) {}
}

/// Weights that learn; items add in their order, so that sums do not depend on the number of threads.
package struct LearningBlock: BlockGradientSink {
    let gradients: BlockParameters<MutableMatrix>
    let turn: Turn

    package func add(_ contribution: BlockContribution) {
        contribution.addWeightGradients(to: gradients, turn: turn)
    }
}

/// One item's place at the gates of one block.
package struct Turn: Sendable {
    let turnstile: Turnstile
    let layer: Int
    let item: Int

    /// - Parameter gate: in `0 ..< BlockContribution.gateCount`.
    func take(_ gate: Int, _ body: () -> Void) {
        turnstile.pass(gate: layer * BlockContribution.gateCount + gate, item: item, body)
    }
}

/// Rows whose keys and values the groups of a block saw beside their own, and what came back to them.
package struct LearnedSharedRows {
    /// `[shared of all groups, width]`, before the block's first norm.
    let rows: MutableMatrix
    /// Of that norm.
    let statistics: LayerNormStatistics
    /// `[shared of all groups, 2 × width]`, complete once attention has been pulled back.
    let keyValueGradient: MutableMatrix

    /// - Parameter part: 1 for keys, 2 for values.
    fileprivate func addAttentionInputGradient(part: Int, block: TransformerBlock, weight: MutableMatrix, bias: MutableMatrix) {
        guard part > 0 else { return }
        let width = rows.columnCount
        let norm = block.parameters.attentionNorm
        let normalized = MutableMatrix(rows: rows.rowCount, columns: width)
        layerNorm(
            rows, weight: norm.weight, bias: norm.bias, into: normalized, saving: LayerNormStatistics(rows: rows.rowCount),
            epsilon: block.normEpsilon)
        linearWeightBackward(
            outputGradient: keyValueGradient.columns((part - 1) * width..<part * width), input: normalized, weightGradient: weight,
            biasGradient: bias)
    }

    fileprivate func addNormGradients(to gradients: NormParameters<MutableMatrix>, block: TransformerBlock) {
        gradients.add(outputGradient: block.sharedNormGradient(keyValueGradient), input: rows, saved: statistics)
    }
}

/// What a block's weight gradients are made of, right after its backward pass on one batch.
package struct BlockContribution {
    let block: TransformerBlock
    let saved: BlockActivations
    let outputGradient: MutableMatrix?
    /// Rows beside the block's own that gave keys and values; nil where weights learn nothing from these.
    let shared: LearnedSharedRows?
    /// Low-rank updates whose inputs passed dropout.
    let branch: LowRankBranch?
    let scratch: BlockScratch

    /// Gates of one block. The gradient of each weight is added in bands of its outputs, all bands as much work, each
    /// behind a gate of its own: so many items can add to one block at the same time.
    static let gateCount = 13

    /// The first gate of each weight, and how many bands it has.
    private enum Bands {
        static let mlpOutput = (gate: 0, count: 4)
        static let mlpInput = (gate: 4, count: 4)
        static let attentionOutput = (gate: 8, count: 1)
        /// Queries, keys and values.
        static let attentionInput = (gate: 9, count: 3)
        static let norms = 12
    }

    /// Adds the gradients of all weights and biases. Normalized and activated rows are computed anew,
    /// which is cheaper than keeping them. Every item passes every gate, also where it has nothing to add.
    func addWeightGradients(to gradients: BlockParameters<MutableMatrix>, turn: Turn) {
        addMLPGradients(to: gradients, turn: turn)
        let width = saved.input.columnCount
        let rows = saved.shape.groups.rowCount
        let normalized = normalizedInput()
        let (weight, bias) = (gradients.attentionInput.weight, gradients.attentionInput.bias)
        for part in 0..<Bands.attentionInput.count {
            let columns = part * width..<(part + 1) * width
            turn.take(Bands.attentionInput.gate + part) {
                addAttentionInputGradient(part: part, normalized: normalized, weight: weight.rows(columns), bias: bias.columns(columns))
                shared?.addAttentionInputGradient(part: part, block: block, weight: weight.rows(columns), bias: bias.columns(columns))
            }
        }
        turn.take(Bands.norms) {
            if hasQueries {
                gradients.mlpNorm.add(
                    outputGradient: scratch.mlpNormGradient.rows(0..<saved.shape.queryCount), input: saved.middle, saved: saved.mlpNorm)
            }
            gradients.attentionNorm.add(
                outputGradient: scratch.attentionNormGradient.rows(0..<rows), input: saved.input, saved: saved.attentionNorm)
            shared?.addNormGradients(to: gradients.attentionNorm, block: block)
        }
    }

    private var hasQueries: Bool { outputGradient != nil }

    /// What queries, keys and values were made of, `[rows, width]`.
    private func normalizedInput() -> Rows {
        let norm = block.parameters.attentionNorm
        let normalized = saved.view(scratch.normalized, rows: saved.shape.groups.rowCount)
        layerNorm(saved.input, weight: norm.weight, bias: norm.bias, into: normalized, saving: saved.attentionNorm, epsilon: block.normEpsilon)
        return normalized
    }

    /// Adds the gradient of the weight that makes queries, keys or values.
    ///
    /// - Parameters:
    ///   - part: 0 for queries, 1 for keys, 2 for values.
    ///   - weight: `[width, width]`
    ///   - bias: `[1, width]`
    private func addAttentionInputGradient(part: Int, normalized: Rows, weight: MutableMatrix, bias: MutableMatrix) {
        if part == 0, saved.shape.queries != .every || !hasQueries {
            guard hasQueries else { return }
            linearWeightBackward(
                outputGradient: scratch.queryGradient.rows(0..<saved.shape.queryCount),
                input: saved.selectedRows(of: normalized.float32, scratch: scratch.selected),
                weightGradient: weight, biasGradient: bias, precision: block.weights.precision)
        } else {
            let width = saved.input.columnCount
            let gradient = saved.view(scratch.queryKeyValueGradient, rows: saved.shape.groups.rowCount)
            linearWeightBackward(
                outputGradient: gradient.columns(part * width..<(part + 1) * width), input: normalized, weightGradient: weight,
                biasGradient: bias, precision: block.weights.precision)
        }
    }

    /// The gradients of the weights that make queries, keys and values, and of nothing else; with dropout as if these weights
    /// had read what the updates read.
    ///
    /// - Parameter add: given the part and its gradient, `[width, width]`, behind that part's gate.
    func eachAttentionInputGradient(turn: Turn, _ add: (_ part: Int, _ gradient: MutableMatrix) -> Void) {
        let width = saved.input.columnCount
        let normalized = normalizedInput()
        for part in 0..<Bands.attentionInput.count {
            let gradient = MutableMatrix(rows: width, columns: width)
            addAttentionInputGradient(
                part: part, normalized: branch.map { .float32($0.dropped(normalized.float32, part: part)) } ?? normalized, weight: gradient, bias: MutableMatrix(rows: 1, columns: width))
            turn.take(Bands.attentionInput.gate + part) { add(part, gradient) }
        }
    }

    /// What lies between attention and the block's output.
    private func addMLPGradients(to gradients: BlockParameters<MutableMatrix>, turn: Turn) {
        guard let outputGradient else {
            for gate in 0..<Bands.attentionInput.gate { turn.take(gate) {} }
            return
        }
        guard let attended = saved.attended else { preconditionFailure("activations were kept for prompts only") }
        let queryCount = saved.shape.queryCount
        let p = block.parameters
        let activated = saved.view(scratch.activated, rows: queryCount)
        block.activation(saved.hidden ?? saved.view(scratch.hidden, rows: queryCount), into: activated)
        add(.float32(outputGradient), input: activated, to: gradients.mlpOutput, bands: Bands.mlpOutput, turn: turn)
        let normalized = saved.view(scratch.normalized, rows: queryCount)
        layerNorm(saved.middle, weight: p.mlpNorm.weight, bias: p.mlpNorm.bias, into: normalized, saving: saved.mlpNorm, epsilon: block.normEpsilon)
        add(
            saved.view(scratch.hiddenGradient, rows: queryCount), input: normalized, to: gradients.mlpInput, bands: Bands.mlpInput,
            turn: turn)
        add(
            .float32(scratch.middleGradient.rows(0..<queryCount)), input: attended, to: gradients.attentionOutput,
            bands: Bands.attentionOutput, turn: turn)
    }

    /// One weight's and bias's gradients, band after band.
    private func add(
        _ outputGradient: Rows, input: Rows, to gradients: LinearParameters<MutableMatrix>, bands: (gate: Int, count: Int), turn: Turn
    ) {
        let outputs = outputGradient.columnCount
        for band in 0..<bands.count {
            let columns = band * outputs / bands.count..<(band + 1) * outputs / bands.count
            turn.take(bands.gate + band) {
                linearWeightBackward(
                    outputGradient: outputGradient.columns(columns), input: input, weightGradient: gradients.weight.rows(columns),
                    biasGradient: gradients.bias.columns(columns), precision: block.weights.precision)
            }
        }
    }
}

// MARK: - Gradients of parameters

extension LinearParameters<MutableMatrix> {
    /// Adds the gradients of `linear`, to these.
    func add(outputGradient: MutableMatrix, input: some Readable) {
        linearWeightBackward(outputGradient: outputGradient, input: input, weightGradient: weight, biasGradient: bias)
    }
}

extension NormParameters<MutableMatrix> {
    /// Adds the gradients of `layerNorm`, to these.
    func add(outputGradient: some Readable, input: some Readable, saved statistics: LayerNormStatistics) {
        layerNormWeightBackward(
            outputGradient: outputGradient, input: input, saved: statistics, weightGradient: weight, biasGradient: bias)
    }
}
