import CKernels

/// Rows that come together as weighted sums.
///
///     output[p] = Σ factors[r] · input[r] over the rows r whose place is p
///
/// - Parameters:
///   - input: `[rows, width]`.
///   - places: `[1, rows]`, whole numbers below the rows of `output`.
///   - factors: `[1, rows]`.
///   - output: `[merged, width]`, overwritten.
package func mergeRows(_ input: some Readable, places: some Readable, factors: some Readable, into output: MutableMatrix) {
    let input = input.reading
    let (places, factors) = (places.reading, factors.reading)
    checkPlaces(places, factors, rowCount: input.rowCount, mergedCount: output.rowCount)
    precondition(input.columnCount == output.columnCount, "mergeRows shapes differ")
    unsafe vifi_merge_rows(
        input.pointer, input.stride, places.pointer, factors.pointer, output.pointer, output.stride, input.rowCount, output.rowCount,
        input.columnCount)
}

/// The gradient of `mergeRows` with respect to its input; places and factors are constants.
///
/// - Parameters:
///   - outputGradient: `[merged, width]`.
///   - inputGradient: `[rows, width]`, overwritten.
package func mergeRowsBackward(
    outputGradient: some Readable, places: some Readable, factors: some Readable, inputGradient: MutableMatrix
) {
    let gradient = outputGradient.reading
    let (places, factors) = (places.reading, factors.reading)
    checkPlaces(places, factors, rowCount: inputGradient.rowCount, mergedCount: gradient.rowCount)
    precondition(gradient.columnCount == inputGradient.columnCount, "mergeRows shapes differ")
    unsafe vifi_merge_rows_backward(
        gradient.pointer, gradient.stride, places.pointer, factors.pointer, inputGradient.pointer, inputGradient.stride,
        inputGradient.rowCount, gradient.columnCount)
}

/// A place outside of the merged rows would be written to unseen.
private func checkPlaces(_ places: Matrix, _ factors: Matrix, rowCount: Int, mergedCount: Int) {
    precondition(
        places.rowCount == 1 && places.columnCount == rowCount && factors.rowCount == 1 && factors.columnCount == rowCount,
        "mergeRows needs a place and a factor per row")
    let isInside = places.values.allSatisfy { $0 >= 0 && $0 < Float(mergedCount) }
    precondition(isInside, "a row's place is outside of the \(mergedCount) merged rows")
}
