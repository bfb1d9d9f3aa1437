import CKernels

/// Which keys a query sees.
package enum AttentionMask: Sendable, Equatable {
    /// Every key.
    case none
    /// The shared keys, and of its own group the keys up to its own row. `firstQueryRow` is the row
    /// of the first query within its group.
    case causal(firstQueryRow: Int)

    /// Query r sees the first `first + r × step` keys, shared ones first.
    fileprivate func visible(sharedCount: Int, keyCount: Int) -> (first: Int, step: Int) {
        switch self {
        case .none: (keyCount, 0)
        case .causal(let firstQueryRow): (sharedCount + firstQueryRow + 1, 1)
        }
    }
}

/// The keys and values that one group of queries attends to: some shared by all groups, some its own.
package struct AttentionSources<Element: Readable>: Sendable {
    /// `[shared, 2 × width]`, keys then values; nil where nothing is shared.
    package let shared: Element?
    /// `[own, 2 × width]`.
    package let own: Element
    /// `[1, own]`, added to the products of queries and own keys before these are scaled; nil for none. Nothing
    /// learns from it.
    package let keyBias: Matrix?

    package init(shared: Element?, own: Element, keyBias: Matrix? = nil) {
        precondition(keyBias.map { $0.rowCount == 1 && $0.columnCount == own.rowCount } ?? true, "one bias per own key")
        self.shared = shared
        self.own = own
        self.keyBias = keyBias
    }

    package var sharedCount: Int { shared?.rowCount ?? 0 }
    package var keyCount: Int { sharedCount + own.rowCount }
}

extension AttentionSources {
    /// Copies some columns of all rows into memory without gaps.
    fileprivate func gather(_ columns: Range<Int>, into target: MutableMatrix) {
        if let shared { target.rows(0..<sharedCount).copy(shared.columns(columns)) }
        target.rows(sharedCount..<keyCount).copy(own.columns(columns))
    }

    /// Adds the bias of own keys to their columns of `scores`, `[queries, keys]`.
    func addKeyBias(to scores: MutableMatrix) {
        guard let keyBias else { return }
        let ownScores = scores.columns(sharedCount..<keyCount)
        add(keyBias, toRowsOf: ownScores, into: ownScores)
    }
}

extension AttentionSources<MutableMatrix> {
    /// The opposite of `gather`: adds rows to some columns.
    fileprivate func scatter(_ rows: MutableMatrix, to columns: Range<Int>) {
        if let shared { add(rows.rows(0..<sharedCount), to: shared.columns(columns)) }
        guard rows.rowCount == keyCount else { return }
        add(rows.rows(sharedCount..<keyCount), to: own.columns(columns))
    }
}

/// Memory that attention reuses from group to group.
package struct AttentionScratch: Sendable {
    fileprivate let scores: MutableMatrix
    fileprivate let scoreGradient: MutableMatrix
    fileprivate let keys: MutableMatrix
    fileprivate let values: MutableMatrix
    fileprivate let gathered: MutableMatrix
    fileprivate let bfloat16: MutableMatrix

    /// - Parameters:
    ///   - scoreCount: the most queries × keys of a group.
    ///   - keyCount: the most keys of a group.
    ///   - bfloat16Counts: the most queries and keys of a group whose rows are bfloat16.
    package init(
        scoreCount: Int, keyCount: Int, headWidth: Int, forGradients: Bool, bfloat16Counts: (queries: Int, keys: Int) = (0, 0)
    ) {
        bfloat16 = MutableMatrix(
            rows: 1, columns: bfloat16Counts.keys == 0 ? 0 : (vifi_attention_bf16_bytes(bfloat16Counts.queries, bfloat16Counts.keys, headWidth) + 3) / 4)
        scores = MutableMatrix(rows: 1, columns: max(scoreCount, 2 * keyCount))
        scoreGradient = MutableMatrix(rows: 1, columns: forGradients ? scoreCount : 0)
        keys = MutableMatrix(rows: keyCount, columns: headWidth)
        values = MutableMatrix(rows: keyCount, columns: headWidth)
        gathered = MutableMatrix(rows: forGradients ? keyCount : 0, columns: headWidth)
    }
}

/// Up to so many queries a loop over pairs is faster than products, whose calls cost more than their work.
private let fewQueries = 16

/// Scaled dot-product attention of one group, all heads.
///
///     output = softmax((Q Kᵀ + bias) / √headWidth) V
///
/// Source: Vaswani et al. 2017, equation 1, where there is no bias. Probabilities are not kept: `attentionBackward` computes them
/// again from `logSums`, for a sixth more work in attention and a quarter less memory in a tower.
/// - Parameters:
///   - queries: `[queries, width]`.
///   - sources: keys and values, shared and own.
///   - logSums: `[1, headCount × queries]`, log Σ exp of each row of scores, kept for the gradient.
///   - output: `[queries, width]`, the heads side by side.
///   - precision: of the products' factors; scores and probabilities are float32.
package func attention(
    queries: some Readable, sources: AttentionSources<some Readable>, headCount: Int, mask: AttentionMask,
    logSums: MutableMatrix, scratch: AttentionScratch, output: MutableMatrix, precision: Precision = .float32
) {
    let start = WorkMeter.now
    let headWidth = queries.columnCount / headCount
    let queryCount = queries.rowCount
    let scale = 1 / Float(headWidth).squareRoot()
    precondition(logSums.count == headCount * queryCount, "attention keeps one number a head and query")
    guard queryCount > fewQueries else {
        fewQueriesForward(queries, sources, headCount: headCount, mask: mask, logSums: logSums, scratch: scratch, output: output)
        WorkMeter.addAttention(operations: 2 * headWidth * headCount * visiblePairs(queryCount, sources, mask) * 2, since: start)
        return
    }
    var operations = 0
    let scores = scratch.scores.reshaped(rows: queryCount, columns: sources.keyCount)
    let keys = scratch.keys.reshaped(rows: sources.keyCount, columns: headWidth)
    let values = scratch.values.reshaped(rows: sources.keyCount, columns: headWidth)
    for head in 0..<headCount {
        let columns = head * headWidth..<(head + 1) * headWidth
        sources.gather(columns, into: keys)
        sources.gather(valueColumns(columns, of: queries), into: values)
        operations += product(queries.columns(columns), .asStored, keys, .transposed, into: scores, precision: precision)
        sources.addKeyBias(to: scores)
        softmax(
            scores, scale: scale, mask: mask, sharedCount: sources.sharedCount,
            logSums: logSums.columns(head * queryCount..<(head + 1) * queryCount))
        operations += product(scores, .asStored, values, .asStored, into: output.columns(columns), precision: precision)
    }
    WorkMeter.addAttention(operations: operations, since: start)
}

/// The gradient of `attention`.
///
/// - Parameters:
///   - outputGradient: `[queries, width]`.
///   - mask, logSums: as in `attention`.
///   - queryGradient: `[queries, width]`, overwritten; nil where it is not needed.
///   - sourceGradients: keys and values like `sources`; added to. Own gradients are skipped when
///     `queryGradient` is nil: then only what is shared learns.
package func attentionBackward(
    outputGradient: some Readable, queries: some Readable, sources: AttentionSources<some Readable>, headCount: Int,
    mask: AttentionMask, logSums: some Readable, scratch: AttentionScratch,
    queryGradient: MutableMatrix?, sourceGradients: AttentionSources<MutableMatrix>, precision: Precision = .float32
) {
    precondition(
        sourceGradients.sharedCount == sources.sharedCount && sourceGradients.keyCount == sources.keyCount,
        "attention's source gradients have other shapes than its sources")
    let start = WorkMeter.now
    let headWidth = queries.columnCount / headCount
    let queryCount = queries.rowCount
    let scale = 1 / Float(headWidth).squareRoot()
    // Where queries do not learn, nothing learns but what is shared.
    let learningCount = queryGradient == nil ? sources.sharedCount : sources.keyCount
    guard queryCount > fewQueries else {
        fewQueriesBackward(
            outputGradient, queries, sources, headCount: headCount, mask: mask, logSums: logSums, scratch: scratch,
            queryGradient: queryGradient, sourceGradients: sourceGradients)
        let pairs = visiblePairs(queryCount, sources, mask)
        let learning = queryGradient == nil ? queryCount * sources.sharedCount : pairs
        let productCount = 2 * pairs + 2 * learning + (queryGradient == nil ? 0 : pairs)
        WorkMeter.addAttention(operations: 2 * headWidth * headCount * productCount, since: start)
        return
    }
    var operations = 0
    let scores = scratch.scores.reshaped(rows: queryCount, columns: sources.keyCount)
    let scoreGradient = scratch.scoreGradient.reshaped(rows: queryCount, columns: sources.keyCount)
    let keys = scratch.keys.reshaped(rows: sources.keyCount, columns: headWidth)
    let values = scratch.values.reshaped(rows: sources.keyCount, columns: headWidth)
    let learned = scratch.gathered.reshaped(rows: learningCount, columns: headWidth)
    for head in 0..<headCount {
        let columns = head * headWidth..<(head + 1) * headWidth
        let headQueries = queries.columns(columns)
        let headGradient = outputGradient.columns(columns)
        sources.gather(columns, into: keys)
        sources.gather(valueColumns(columns, of: queries), into: values)

        // output = P V: dP = dO Vᵀ, dV = Pᵀ dO
        operations += product(headQueries, .asStored, keys, .transposed, into: scores, precision: precision)
        operations += product(headGradient, .asStored, values, .transposed, into: scoreGradient, precision: precision)
        sources.addKeyBias(to: scores)
        softmaxBackward(
            scores: scores, gradient: scoreGradient, scale: scale, mask: mask, sharedCount: sources.sharedCount,
            logSums: logSums.columns(head * queryCount..<(head + 1) * queryCount))
        operations += product(scores.columns(0..<learningCount), .transposed, headGradient, .asStored, into: learned, precision: precision)
        sourceGradients.scatter(learned, to: valueColumns(columns, of: queries))

        // scores = Q Kᵀ: dK = dSᵀ Q, dQ = dS K
        operations += product(
            scoreGradient.columns(0..<learningCount), .transposed, headQueries, .asStored, into: learned, precision: precision)
        sourceGradients.scatter(learned, to: columns)
        if let queryGradient {
            operations += product(scoreGradient, .asStored, keys, .asStored, into: queryGradient.columns(columns), precision: precision)
        }
    }
    WorkMeter.addAttention(operations: operations, since: start)
}

// MARK: - Rows of bfloat16

/// Whether `attention` takes rows of bfloat16 in these sizes. Few queries are the business of a loop in float32.
package func attentionTakesBFloat16(queryCount: Int, headWidth: Int) -> Bool { queryCount > fewQueries && headWidth % 2 == 0 }

/// `attention` where every row of a group queries and sees all keys, from bfloat16 to bfloat16: scores,
/// probabilities and sums are float32, the factors of all products bfloat16.
///
/// - Parameters:
///   - queryKeyValue: `[rows, 3 × width]`.
///   - shared: `[shared, 2 × width]`, keys then values that come before the group's own.
///   - keyBias: as in `AttentionSources`.
///   - logSums: `[1, headCount × rows]`.
///   - output: `[rows, width]`.
package func attention(
    queryKeyValue: BFloat16Matrix, shared: Matrix?, keyBias: Matrix? = nil, headCount: Int, logSums: MutableMatrix,
    scratch: AttentionScratch, output: BFloat16Matrix
) {
    let start = WorkMeter.now
    let sizes = BFloat16Sizes(queryKeyValue, shared: shared, keyBias: keyBias, headCount: headCount, scratch: scratch)
    precondition(
        output.rowCount == sizes.rows && output.columnCount == sizes.width && logSums.count == headCount * sizes.rows,
        "attention shapes differ")
    let keyValue = queryKeyValue.columns(sizes.width..<3 * sizes.width)
    unsafe vifi_attention_bf16(
        queryKeyValue.pointer, queryKeyValue.stride, shared?.pointer, shared?.stride ?? 0, keyValue.pointer, keyValue.stride,
        output.pointer, output.stride, logSums.pointer, scratch.bfloat16.pointer, sizes.rows, sizes.shared, sizes.rows, headCount,
        sizes.headWidth, sizes.scale, keyBias?.pointer)
    WorkMeter.addAttention(operations: 4 * sizes.pairs * sizes.width, since: start)
}

/// Its gradient.
///
/// - Parameters:
///   - outputGradient: `[rows, width]`.
///   - gradient: `[rows, 3 × width]`, overwritten; nil where only what is shared learns.
///   - sharedGradient: `[shared, 2 × width]`, added to.
package func attentionBackward(
    outputGradient: BFloat16Matrix, queryKeyValue: BFloat16Matrix, shared: Matrix?, keyBias: Matrix? = nil, headCount: Int,
    logSums: MutableMatrix, scratch: AttentionScratch, gradient: BFloat16Matrix?, sharedGradient: MutableMatrix?
) {
    let start = WorkMeter.now
    let sizes = BFloat16Sizes(queryKeyValue, shared: shared, keyBias: keyBias, headCount: headCount, scratch: scratch)
    let width = sizes.width
    precondition(
        outputGradient.rowCount == sizes.rows && outputGradient.columnCount == width && logSums.count == headCount * sizes.rows
            && (gradient.map { $0.rowCount == sizes.rows && $0.columnCount == 3 * width } ?? true)
            && sharedGradient?.rowCount ?? 0 == sizes.shared && sharedGradient?.columnCount ?? 2 * width == 2 * width,
        "attention shapes differ")
    let keyValue = queryKeyValue.columns(width..<3 * width)
    let ownGradient = gradient?.columns(width..<3 * width)
    unsafe vifi_attention_bf16_backward(
        outputGradient.pointer, outputGradient.stride, queryKeyValue.pointer, queryKeyValue.stride, shared?.pointer,
        shared?.stride ?? 0, keyValue.pointer, keyValue.stride, logSums.pointer, scratch.bfloat16.pointer, gradient?.pointer,
        gradient?.stride ?? 0, sharedGradient?.pointer, sharedGradient?.stride ?? 0, ownGradient?.pointer, ownGradient?.stride ?? 0,
        sizes.rows, sizes.shared, sizes.rows, headCount, sizes.headWidth, sizes.scale, keyBias?.pointer)
    // Scores and the probabilities' gradient; keys, values and queries of what learns.
    let learning = gradient == nil ? 2 * sizes.rows * sizes.shared : 3 * sizes.pairs
    WorkMeter.addAttention(operations: 2 * width * (2 * sizes.pairs + learning), since: start)
}

/// Checked sizes of one group.
private struct BFloat16Sizes {
    let rows: Int
    let shared: Int
    let width: Int
    let headWidth: Int
    var pairs: Int { rows * (shared + rows) }
    var scale: Float { 1 / Float(headWidth).squareRoot() }

    init(_ queryKeyValue: BFloat16Matrix, shared: Matrix?, keyBias: Matrix?, headCount: Int, scratch: AttentionScratch) {
        rows = queryKeyValue.rowCount
        self.shared = shared?.rowCount ?? 0
        width = queryKeyValue.columnCount / 3
        headWidth = width / headCount
        precondition(
            attentionTakesBFloat16(queryCount: rows, headWidth: headWidth) && headWidth * headCount * 3 == queryKeyValue.columnCount
                && shared?.columnCount ?? 2 * width == 2 * width && keyBias?.count ?? rows == rows
                && 4 * scratch.bfloat16.count >= vifi_attention_bf16_bytes(rows, rows + self.shared, headWidth),
            "attention shapes differ")
    }
}

/// Values lie one width to the right of their keys.
private func valueColumns(_ columns: Range<Int>, of queries: some Readable) -> Range<Int> {
    columns.lowerBound + queries.columnCount..<columns.upperBound + queries.columnCount
}

/// Pairs of a query and a key that it sees.
private func visiblePairs(_ queryCount: Int, _ sources: AttentionSources<some Readable>, _ mask: AttentionMask) -> Int {
    let visible = mask.visible(sharedCount: sources.sharedCount, keyCount: sources.keyCount)
    return (0..<queryCount).reduce(0) { $0 + min(sources.keyCount, visible.first + $1 * visible.step) }
}

// MARK: - Few queries

private func fewQueriesForward(
    _ queries: some Readable, _ sources: AttentionSources<some Readable>, headCount: Int, mask: AttentionMask,
    logSums: MutableMatrix, scratch: AttentionScratch, output: MutableMatrix
) {
    let queries = queries.reading
    let own = sources.own.reading
    let shared = sources.shared?.reading ?? own
    let headWidth = queries.columnCount / headCount
    let visible = mask.visible(sharedCount: sources.sharedCount, keyCount: sources.keyCount)
    precondition(
        own.columnCount == 2 * queries.columnCount && shared.columnCount == own.columnCount
            && output.rowCount == queries.rowCount && output.columnCount == queries.columnCount
            && scratch.scores.count >= sources.keyCount, "attention shapes differ")
    unsafe vifi_attention_few(
        queries.pointer, queries.stride, shared.pointer, shared.stride, own.pointer, own.stride, output.pointer, output.stride,
        logSums.pointer, scratch.scores.pointer, queries.rowCount, sources.sharedCount, own.rowCount, headCount, headWidth,
        1 / Float(headWidth).squareRoot(), visible.first, visible.step, sources.keyBias?.pointer)
}

private func fewQueriesBackward(
    _ outputGradient: some Readable, _ queries: some Readable, _ sources: AttentionSources<some Readable>, headCount: Int,
    mask: AttentionMask, logSums: some Readable, scratch: AttentionScratch,
    queryGradient: MutableMatrix?, sourceGradients: AttentionSources<MutableMatrix>
) {
    let queries = queries.reading
    let gradient = outputGradient.reading
    let own = sources.own.reading
    let shared = sources.shared?.reading ?? own
    let ownGradient = sourceGradients.own
    let sharedGradient = sourceGradients.shared ?? ownGradient
    let headWidth = queries.columnCount / headCount
    let visible = mask.visible(sharedCount: sources.sharedCount, keyCount: sources.keyCount)
    precondition(
        own.columnCount == 2 * queries.columnCount && shared.columnCount == own.columnCount
            && ownGradient.columnCount == own.columnCount && sharedGradient.columnCount == own.columnCount
            && gradient.rowCount == queries.rowCount && gradient.columnCount == queries.columnCount
            && logSums.count == headCount * queries.rowCount && scratch.scores.count >= 2 * sources.keyCount
            && (queryGradient.map { $0.rowCount == queries.rowCount && $0.columnCount == queries.columnCount } ?? true),
        "attention shapes differ")
    unsafe vifi_attention_few_backward(
        gradient.pointer, gradient.stride, queries.pointer, queries.stride, shared.pointer, shared.stride, own.pointer, own.stride,
        logSums.reading.pointer, scratch.scores.pointer, queryGradient?.pointer, queryGradient?.stride ?? 0,
        sharedGradient.pointer, sharedGradient.stride, ownGradient.pointer, ownGradient.stride,
        queries.rowCount, sources.sharedCount, own.rowCount, headCount, headWidth,
        1 / Float(headWidth).squareRoot(), visible.first, visible.step, sources.keyBias?.pointer)
}

// MARK: - Softmax

/// Softmax of each row of `scores`, in place, times `scale` before; masked keys become 0.
///
/// - Parameter logSums: `[1, rows]`, log Σ exp(scale × scores) of each row, overwritten.
package func softmax(
    _ scores: MutableMatrix, scale: Float, mask: AttentionMask = .none, sharedCount: Int = 0, logSums: MutableMatrix
) {
    let visible = mask.visible(sharedCount: sharedCount, keyCount: scores.columnCount)
    precondition(logSums.count == scores.rowCount, "softmax keeps one number a row")
    unsafe vifi_softmax(
        scores.pointer, scores.stride, scores.rowCount, scores.columnCount, scale, visible.first, visible.step, logSums.pointer)
}

/// Turns scores into the probabilities that `softmax` made of them, and the gradient of the probabilities
/// into that of the scores, both in place.
package func softmaxBackward(
    scores: MutableMatrix, gradient: MutableMatrix, scale: Float, mask: AttentionMask = .none, sharedCount: Int = 0,
    logSums: some Readable
) {
    let visible = mask.visible(sharedCount: sharedCount, keyCount: scores.columnCount)
    precondition(
        scores.rowCount == gradient.rowCount && scores.columnCount == gradient.columnCount && scores.stride == gradient.stride
            && logSums.count == scores.rowCount, "softmaxBackward shapes differ")
    unsafe vifi_softmax_backward(
        scores.pointer, gradient.pointer, scores.stride, scores.rowCount, scores.columnCount, scale, visible.first, visible.step,
        logSums.reading.pointer)
}
