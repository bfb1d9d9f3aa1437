import CKernels

/// Each row divided by its Euclidean length.
///
/// - Parameters:
///   - input, output: `[rows, width]`.
///   - lengths: `[1, rows]`, kept for the gradient.
package func normalizeRows(_ input: some Readable, into output: MutableMatrix, lengths: MutableMatrix) {
    let input = input.reading
    precondition(
        output.rowCount == input.rowCount && output.columnCount == input.columnCount && lengths.count >= input.rowCount,
        "normalizeRows shapes differ")
    unsafe vifi_normalize_rows(
        input.pointer, input.stride, output.pointer, output.stride, lengths.pointer, input.rowCount, input.columnCount)
}

/// Adds the gradient of `normalizeRows` to `inputGradient`.
///
///     dx = (dy − ŷ (ŷ · dy)) / |x|
package func normalizeRowsBackward(
    output: some Readable, lengths: some Readable, outputGradient: some Readable, inputGradient: MutableMatrix
) {
    let output = output.reading
    let gradient = outputGradient.reading
    precondition(
        gradient.rowCount == output.rowCount && gradient.columnCount == output.columnCount
            && inputGradient.rowCount == output.rowCount && inputGradient.columnCount == output.columnCount,
        "normalizeRows shapes differ")
    unsafe vifi_normalize_rows_backward(
        output.pointer, output.stride, lengths.reading.pointer, gradient.pointer, gradient.stride,
        inputGradient.pointer, inputGradient.stride, output.rowCount, output.columnCount)
}
