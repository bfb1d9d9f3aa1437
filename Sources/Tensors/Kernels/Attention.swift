import CKernels

/// Which keys a query sees.
package enum AttentionMask: Sendable, Equatable {
    /// Every key.
    case none
    /// The shared keys, and of its own group the keys up to its own row. `firstQueryRow` is the row
    /// of the first query within its group.
    case causal(firstQueryRow: Int)
}

/// The keys and values that one group of queries attends to: some shared by all groups, some its own.
package struct AttentionSources<Element: Readable>: Sendable {
    /// `[shared, 2 × width]`, keys then values; nil where nothing is shared.
    package let shared: Element?
    /// `[own, 2 × width]`.
    package let own: Element

    package init(shared: Element?, own: Element) {
        self.shared = shared
        self.own = own
    }

    package var sharedCount: Int { shared?.rowCount ?? 0 }
    package var keyCount: Int { sharedCount + own.rowCount }

    /// (keys or values of one head, their columns in the score matrix), shared first.
    fileprivate func parts(_ kind: KeyOrValue, head: Range<Int>) -> [(rows: Element, columns: Range<Int>)] {
        let width = own.columnCount / 2
        let columns = kind == .key ? head : head.lowerBound + width..<head.upperBound + width
        let ownPart = (rows: own.columns(columns), columns: sharedCount..<keyCount)
        guard let shared else { return [ownPart] }
        return [(rows: shared.columns(columns), columns: 0..<sharedCount), ownPart]
    }
}

private enum KeyOrValue { case key, value }

/// Products with so few queries gain nothing from bfloat16: rounding the keys takes as long.
private let fewQueries = 16

/// Scaled dot-product attention of one group, all heads.
///
///     output = softmax(Q Kᵀ / √headWidth) V
///
/// Source: Vaswani et al. 2017, equation 1.
/// - Parameters:
///   - queries: `[queries, width]`.
///   - sources: keys and values, shared and own.
///   - probabilities: `[headCount × queries, keys]`, kept for the gradient.
///   - output: `[queries, width]`, the heads side by side.
///   - precision: of the products' factors; scores and probabilities are float32.
package func attention(
    queries: some Readable, sources: AttentionSources<some Readable>, headCount: Int, mask: AttentionMask,
    probabilities: MutableMatrix, output: MutableMatrix, precision: Precision = .float32
) {
    let precision = queries.rowCount > fewQueries ? precision : .float32
    let headWidth = queries.columnCount / headCount
    let queryCount = queries.rowCount
    let start = WorkMeter.now
    var operations = 0
    defer { WorkMeter.addAttention(operations: operations, since: start) }
    for head in 0..<headCount {
        let columns = head * headWidth..<(head + 1) * headWidth
        let scores = probabilities.rows(head * queryCount..<(head + 1) * queryCount)
        for part in sources.parts(.key, head: columns) {
            operations += product(
                queries.columns(columns), .asStored, part.rows, .transposed, into: scores.columns(part.columns), precision: precision)
        }
        softmax(scores, scale: 1 / Float(headWidth).squareRoot(), mask: mask, sharedCount: sources.sharedCount)
        for (index, part) in sources.parts(.value, head: columns).enumerated() {
            operations += product(
                scores.columns(part.columns), .asStored, part.rows, .asStored, into: output.columns(columns), adding: index > 0, precision: precision)
        }
    }
}

/// The gradient of `attention`.
///
/// - Parameters:
///   - outputGradient: `[queries, width]`.
///   - scratch: at least `[queries, keys]`.
///   - queryGradient: `[queries, width]`, overwritten; nil where it is not needed.
///   - sourceGradients: keys and values like `sources`; added to. Own gradients are skipped when
///     `queryGradient` is nil: then only what is shared learns.
package func attentionBackward(
    outputGradient: some Readable, queries: some Readable, sources: AttentionSources<some Readable>, headCount: Int,
    probabilities: some Readable, scratch: MutableMatrix,
    queryGradient: MutableMatrix?, sourceGradients: AttentionSources<MutableMatrix>, precision: Precision = .float32
) {
    let precision = queries.rowCount > fewQueries ? precision : .float32
    precondition(
        sourceGradients.sharedCount == sources.sharedCount && sourceGradients.keyCount == sources.keyCount,
        "attention's source gradients have other shapes than its sources")
    let headWidth = queries.columnCount / headCount
    let queryCount = queries.rowCount
    let scale = 1 / Float(headWidth).squareRoot()
    let start = WorkMeter.now
    var operations = 0
    defer { WorkMeter.addAttention(operations: operations, since: start) }
    for head in 0..<headCount {
        let columns = head * headWidth..<(head + 1) * headWidth
        let p = probabilities.rows(head * queryCount..<(head + 1) * queryCount)
        let scoreGradient = scratch.reshaped(rows: queryCount, columns: sources.keyCount)
        let headGradient = outputGradient.columns(columns)

        // output = P V: dP = dO Vᵀ, dV = Pᵀ dO
        for part in sources.parts(.value, head: columns) {
            operations += product(
                headGradient, .asStored, part.rows, .transposed, into: scoreGradient.columns(part.columns), precision: precision)
        }
        for part in sourceGradients.parts(.value, head: columns) where queryGradient != nil || part.columns.lowerBound < sources.sharedCount {
            operations += product(
                p.columns(part.columns), .transposed, headGradient, .asStored, into: part.rows, adding: true, precision: precision)
        }
        softmaxBackward(probabilities: p, gradient: scoreGradient, scale: scale)

        // scores = Q Kᵀ: dK = dSᵀ Q, dQ = dS K
        for part in sourceGradients.parts(.key, head: columns) where queryGradient != nil || part.columns.lowerBound < sources.sharedCount {
            operations += product(
                scoreGradient.columns(part.columns), .transposed, queries.columns(columns), .asStored, into: part.rows, adding: true, precision: precision)
        }
        guard let queryGradient else { continue }
        for (index, part) in sources.parts(.key, head: columns).enumerated() {
            operations += product(
                scoreGradient.columns(part.columns), .asStored, part.rows, .asStored, into: queryGradient.columns(columns), adding: index > 0, precision: precision)
        }
    }
}

/// Softmax of each row of `scores`, in place, times `scale` before; masked keys become 0.
package func softmax(_ scores: MutableMatrix, scale: Float, mask: AttentionMask = .none, sharedCount: Int = 0) {
    let (firstVisible, step) = switch mask {
    case .none: (scores.columnCount, 0)
    case .causal(let firstQueryRow): (sharedCount + firstQueryRow + 1, 1)
    }
    unsafe vifi_softmax(
        scores.pointer, scores.stride, scores.rowCount, scores.columnCount, scale, firstVisible, step)
}

/// Turns the gradient of the probabilities into that of the scores, in place.
package func softmaxBackward(probabilities: some Readable, gradient: MutableMatrix, scale: Float) {
    let p = probabilities.reading
    precondition(
        p.rowCount == gradient.rowCount && p.columnCount == gradient.columnCount && p.stride == gradient.stride,
        "softmaxBackward shapes differ")
    unsafe vifi_softmax_backward(p.pointer, gradient.pointer, p.stride, p.rowCount, p.columnCount, scale)
}
