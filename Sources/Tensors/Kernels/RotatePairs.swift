import CKernels

/// Turns each pair of adjacent numbers of every head by an angle, in place.
///
///     (x, y) → (x cos − y sin, y cos + x sin)
///
/// Source: Su et al. 2021, "RoFormer", equation 34. A rotation's gradient is the rotation back.
/// - Parameters:
///   - values: `[rows, headCount × headWidth]`.
///   - cosines, sines: of the angles, `[rows, headWidth / 2]`, the same for all heads.
///   - isInverse: whether the angles are taken the other way.
package func rotatePairs(_ values: MutableMatrix, cosines: Matrix, sines: Matrix, headCount: Int, isInverse: Bool = false) {
    let headWidth = values.columnCount / headCount
    precondition(
        headWidth % 2 == 0 && headWidth * headCount == values.columnCount && cosines.rowCount == values.rowCount
            && cosines.columnCount == headWidth / 2 && sines.rowCount == cosines.rowCount && sines.columnCount == cosines.columnCount
            && cosines.isDense && sines.isDense, "rotatePairs shapes differ")
    unsafe vifi_rotate_pairs(
        values.pointer, values.stride, cosines.pointer, sines.pointer, values.rowCount, headCount, headWidth, isInverse ? -1 : 1)
}
