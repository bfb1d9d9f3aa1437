import CKernels

/// What layer norm keeps of each row for its gradient.
package struct LayerNormStatistics: Sendable {
    /// `[1, rows]`
    let mean: MutableMatrix
    /// `[1, rows]`, one over the deviation.
    let inverseDeviation: MutableMatrix

    package init(rows: Int) {
        mean = MutableMatrix(rows: 1, columns: rows)
        inverseDeviation = MutableMatrix(rows: 1, columns: rows)
    }
}

/// The ε of torch.nn.LayerNorm, as CLIP uses it.
package let usualNormEpsilon: Float = 1e-5

/// Layer normalization of each row.
///
///     output = (input − mean) / √(variance + epsilon) · weight + bias
///
/// Source: Ba et al. 2016, equation 3.
/// - Parameters:
///   - input, output: `[rows, width]`; may be the same memory only if the input is not needed again.
///   - weight, bias: `[1, width]`.
package func layerNorm(
    _ input: some Readable, weight: some Readable, bias: some Readable,
    into output: MutableMatrix, saving statistics: LayerNormStatistics, epsilon: Float = usualNormEpsilon
) {
    let input = input.reading
    precondition(output.rowCount == input.rowCount && output.columnCount == input.columnCount, "layerNorm shapes differ")
    precondition(weight.count == input.columnCount && bias.count == input.columnCount, "layerNorm weight or bias has another width")
    precondition(statistics.mean.columnCount >= input.rowCount, "layerNorm statistics hold too few rows")
    unsafe vifi_layer_norm(
        input.pointer, input.stride, weight.reading.pointer, bias.reading.pointer, output.pointer, output.stride,
        statistics.mean.pointer, statistics.inverseDeviation.pointer, input.rowCount, input.columnCount, epsilon)
}

/// `layerNorm` into rows that products read.
package func layerNorm(
    _ input: some Readable, weight: some Readable, bias: some Readable, into output: Rows, saving statistics: LayerNormStatistics,
    epsilon: Float = usualNormEpsilon
) {
    switch output {
    case .float32(let output): layerNorm(input, weight: weight, bias: bias, into: output, saving: statistics, epsilon: epsilon)
    case .bfloat16(let output):
        let input = input.reading
        precondition(
            output.rowCount == input.rowCount && output.columnCount == input.columnCount && output.isDense,
            "layerNorm shapes differ")
        precondition(weight.count == input.columnCount && bias.count == input.columnCount, "layerNorm weight or bias has another width")
        precondition(statistics.mean.columnCount >= input.rowCount, "layerNorm statistics hold too few rows")
        unsafe vifi_layer_norm_bf16(
            input.pointer, input.stride, weight.reading.pointer, bias.reading.pointer, output.pointer,
            statistics.mean.pointer, statistics.inverseDeviation.pointer, input.rowCount, input.columnCount, epsilon)
    }
}

/// Adds the gradient of `layerNorm` with respect to its input to `inputGradient`.
package func layerNormBackward(
    outputGradient: some Readable, input: some Readable, weight: some Readable,
    saved statistics: LayerNormStatistics, inputGradient: MutableMatrix
) {
    let input = input.reading
    let gradient = outputGradient.reading
    precondition(
        gradient.rowCount == input.rowCount && gradient.columnCount == input.columnCount
            && inputGradient.rowCount == input.rowCount && inputGradient.columnCount == input.columnCount
            && weight.count == input.columnCount && statistics.mean.columnCount >= input.rowCount,
        "layerNormBackward shapes differ")
    unsafe vifi_layer_norm_backward(
        gradient.pointer, gradient.stride, input.pointer, input.stride, weight.reading.pointer,
        statistics.mean.pointer, statistics.inverseDeviation.pointer,
        inputGradient.pointer, inputGradient.stride, input.rowCount, input.columnCount)
}

/// Adds the gradients of `layerNorm` with respect to weight and bias.
package func layerNormWeightBackward(
    outputGradient: some Readable, input: some Readable, saved statistics: LayerNormStatistics,
    weightGradient: MutableMatrix, biasGradient: MutableMatrix
) {
    let input = input.reading
    let gradient = outputGradient.reading
    precondition(
        gradient.rowCount == input.rowCount && gradient.columnCount == input.columnCount
            && weightGradient.count == input.columnCount && biasGradient.count == input.columnCount
            && statistics.mean.columnCount >= input.rowCount,
        "layerNormWeightBackward shapes differ")
    unsafe vifi_layer_norm_weights(
        gradient.pointer, gradient.stride, input.pointer, input.stride,
        statistics.mean.pointer, statistics.inverseDeviation.pointer,
        weightGradient.pointer, biasGradient.pointer, input.rowCount, input.columnCount)
}
