import CKernels

/// What the queries of one group look at, weighed by how much each query counts:
///
///     seen[j] += Σᵢ rowWeights[i] · meanₕ max(0, P_hij · ∂S/∂P_hij),    ∂S/∂Pₕ = dOₕ Vₕᵀ
///
/// Without a gradient, of Pₕ alone. P are the attention's probabilities, computed again from `logSums`.
/// Source: Chefer et al. 2021 (Generic attention-model explainability), equations 5 and 6; `methods.md` 8.8.
/// - Parameters:
///   - outputGradient: ∂S/∂(the heads' outputs side by side), `[queries, width]`; nil for plain attention.
///   - queries: `[queries, width]`.
///   - heads: over which the mean is taken.
///   - logSums: `[1, headCount × queries]`, as `attention` left them.
///   - rowWeights: `[1, queries]`.
///   - seen: `[1, keys]`, shared ones first; added to.
package func addRelevance(
    outputGradient: Matrix?, queries: Matrix, sources: AttentionSources<Matrix>, headCount: Int, heads: Range<Int>, logSums: Matrix,
    rowWeights: Matrix, into seen: MutableMatrix
) {
    let (queryCount, keyCount, width) = (queries.rowCount, sources.keyCount, queries.columnCount)
    precondition(
        heads.lowerBound >= 0 && heads.upperBound <= headCount && !heads.isEmpty && logSums.count == headCount * queryCount
            && rowWeights.count == queryCount && seen.rowCount == 1 && seen.columnCount == keyCount, "relevance shapes differ")
    let headWidth = width / headCount
    let keys = MutableMatrix(rows: keyCount, columns: headWidth)
    let values = MutableMatrix(rows: outputGradient == nil ? 0 : keyCount, columns: headWidth)
    let scores = MutableMatrix(rows: queryCount, columns: keyCount)
    let gradient = MutableMatrix(rows: outputGradient == nil ? 0 : queryCount, columns: keyCount)
    for head in heads {
        let columns = head * headWidth..<(head + 1) * headWidth
        gather(columns, of: sources, into: keys)
        multiply(queries.columns(columns), .asStored, keys, .transposed, into: scores)
        sources.addKeyBias(to: scores)
        if let outputGradient {
            gather(columns.lowerBound + width..<columns.upperBound + width, of: sources, into: values)
            multiply(outputGradient.columns(columns), .asStored, values, .transposed, into: gradient)
        }
        let logSums = logSums.columns(head * queryCount..<(head + 1) * queryCount)
        unsafe vifi_add_relevance(
            scores.pointer, outputGradient == nil ? nil : UnsafePointer(gradient.pointer), keyCount, queryCount, keyCount,
            1 / Float(headWidth).squareRoot(), logSums.pointer, rowWeights.pointer, 1 / Float(heads.count), seen.pointer)
    }
}

private func gather(_ columns: Range<Int>, of sources: AttentionSources<Matrix>, into target: MutableMatrix) {
    if let shared = sources.shared { target.rows(0..<sources.sharedCount).copy(shared.columns(columns)) }
    target.rows(sources.sharedCount..<sources.keyCount).copy(sources.own.columns(columns))
}
