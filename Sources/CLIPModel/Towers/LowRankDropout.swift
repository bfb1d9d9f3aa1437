import Tensors

/// The inputs of low-rank updates that a step leaves out while it learns, in one tower.
///
///     W x + alpha / √rank · B · A · (m ⊙ x) / (1 − rate)
///
/// m is 0 with the probability `rate` and 1 otherwise, for each number of a block's normalized rows and for queries, keys and
/// values apart, so that the mean over all draws is the update without dropout. Source: `methods_more.md` 2. Rows that all class
/// names share go through the text tower once, and share what is left out of them.
///
/// The towers compute with merged weights, W + alpha / √rank · B · A; a block adds what is left of the difference
/// (`LowRankBranch`). Without dropout there is nothing of this.
package struct LowRankDropout: Sendable {
    enum Tower: Int { case text, vision }

    /// Of each block of the tower those of queries, keys and values.
    let factors: [[LowRankUpdates.Factors]]
    let scale: Float
    let rate: Float
    let seed: UInt64
    let step: Int
    let tower: Tower
    /// Place in the step of the first clip.
    var clip: Int
    /// Of the rows that go through the tower together.
    var chunk = 0

    /// The same for one chunk.
    ///
    /// - Parameter clip: place among the clips in flight.
    func at(clip: Int = 0, chunk: Int) -> LowRankDropout {
        var result = self
        result.clip += clip
        result.chunk = chunk
        return result
    }

    /// What it does in one block. Draws follow from seed, step, clip, chunk, tower, layer and part alone.
    func branch(of layer: Int) -> LowRankBranch {
        LowRankBranch(
            factors: factors[layer], scale: scale, rate: rate, seed: seed, step: step, place: ((clip << 16 | chunk) << 10 | layer) << 1 | tower.rawValue)
    }
}

/// The low-rank updates of one block, whose inputs pass dropout.
package struct LowRankBranch: Sendable {
    /// Of queries, keys and values.
    private let factors: [LowRankUpdates.Factors]
    private let scale: Float
    private let rate: Float
    private let seed: UInt64
    private let step: Int
    private let place: Int

    /// - Parameters:
    ///   - scale: of the updates.
    ///   - rate: in `0 ..< 1`.
    ///   - place: names the block and the rows that go through it, within the step.
    package init(factors: [LowRankUpdates.Factors], scale: Float, rate: Float, seed: UInt64, step: Int, place: Int) {
        precondition((0..<1).contains(rate), "a rate of \(rate) leaves nothing")
        (self.factors, self.scale, self.rate) = (factors, scale, rate)
        (self.seed, self.step, self.place) = (seed, step, place)
    }

    /// The rows as the updates read them: some numbers are 0, the others larger.
    package func dropped(_ rows: some Readable, part: Int) -> MutableMatrix { multiplied(rows, part: part, kept: 1 / (1 - rate), dropped: 0) }

    /// What of `dropped` is not in the rows themselves.
    package func change(of rows: some Readable, part: Int) -> MutableMatrix { multiplied(rows, part: part, kept: 1 / (1 - rate) - 1, dropped: -1) }

    private func multiplied(_ rows: some Readable, part: Int, kept: Float, dropped: Float) -> MutableMatrix {
        var random = RandomSource(seed: seed, purpose: .dropout, epoch: step, item: place * LowRankUpdates.parts.count + part)
        return MutableMatrix(
            rows: rows.rowCount, columns: rows.columnCount, rows.values.map { $0 * (random.uniform() < rate ? dropped : kept) })
    }

    /// Adds the update of `input`, `[rows, width]`, to `output` of the same shape.
    package func add(_ input: MutableMatrix, part: Int, to output: MutableMatrix) {
        let low = MutableMatrix(rows: input.rowCount, columns: factors[part].a.rowCount)
        multiply(input, .asStored, factors[part].a, .transposed, into: low)
        multiply(low, .asStored, factors[part].b, .transposed, into: output, scale: scale, adding: true)
    }

    /// The gradient of `add` with regard to `input`.
    package func inputGradient(_ outputGradient: MutableMatrix, part: Int) -> MutableMatrix {
        let low = MutableMatrix(rows: outputGradient.rowCount, columns: factors[part].a.rowCount)
        let gradient = MutableMatrix(rows: outputGradient.rowCount, columns: factors[part].a.columnCount)
        multiply(outputGradient, .asStored, factors[part].b, .asStored, into: low, scale: scale)
        multiply(low, .asStored, factors[part].a, .asStored, into: gradient)
        return gradient
    }
}

extension TransformerBlock {
    /// Adds to queries, keys and values what dropout changes of the updates in merged weights.
    ///
    /// - Parameter normalized: `[rows, width]`, what the weights have read.
    func addDropout(of branch: LowRankBranch, normalized: MutableMatrix, saved: BlockActivations, scratch: BlockScratch) {
        let (shape, width) = (saved.shape, normalized.columnCount)
        let hasEveryQuery = shape.queries == .every
        for part in LowRankUpdates.parts.indices where part > 0 || shape.queries != .none {
            let change = branch.change(of: normalized, part: part)
            if part == 0, !hasEveryQuery {
                branch.add(saved.selectedRows(of: change, scratch: scratch.selected), part: part, to: saved.queries)
            } else {
                let first = (hasEveryQuery ? part : part - 1) * width
                branch.add(change, part: part, to: saved.queryKeyValue.float32.columns(first..<first + width))
            }
        }
    }

    /// The gradient of `addDropout`: what dropout changes of the gradient of the normalized rows, `[rows, width]`, is added to it.
    ///
    /// - Parameter ownGradient: `[rows, 3 × width]`, of queries, keys and values.
    func addDropoutGradient(
        of branch: LowRankBranch, hasQueries: Bool, ownGradient: MutableMatrix, saved: BlockActivations, normGradient: MutableMatrix,
        scratch: BlockScratch
    ) {
        let (shape, width) = (saved.shape, normGradient.columnCount)
        for part in LowRankUpdates.parts.indices where part > 0 || hasQueries {
            let gradient: MutableMatrix
            if part == 0, shape.queries != .every {
                let selected = branch.inputGradient(scratch.queryGradient.rows(0..<shape.queryCount), part: part)
                gradient = MutableMatrix(rows: shape.groups.rowCount, columns: width)
                for query in 0..<shape.queryCount { gradient.row(shape.selectedRow(of: query)).copy(selected.row(query)) }
            } else {
                gradient = branch.inputGradient(ownGradient.columns(part * width..<(part + 1) * width), part: part)
            }
            add(branch.change(of: gradient, part: part), to: normGradient)
        }
    }
}
