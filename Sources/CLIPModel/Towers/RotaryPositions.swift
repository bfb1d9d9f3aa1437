import Glibc
import Tensors

/// Where the patches of a frame lie, as angles by which their queries and keys are turned: a query and a key then meet at the
/// angle between their places, so that attention sees how far apart two patches are, and in which direction.
///
/// Of each head the first half turns with the column and the second with the row, pair by adjacent pair, at frequencies
/// 10000^(−2j / (headWidth / 2)). Rows before the patches (the class token) and behind them (prompts) have no place.
/// Source: Su et al. 2021, "RoFormer", in two dimensions as PE-Core has it (Bolya et al. 2025; `methods_more.md` 5).
package struct RotaryPositions: Sendable {
    /// Rows of a frame before its patches.
    let firstRow: Int
    /// `[patches, headWidth / 2]`, of each pair's angle.
    let cosines, sines: Matrix

    /// - Precondition: heads of the vision tower are a multiple of 4 wide.
    init(architecture: CLIPArchitecture) {
        let (side, headWidth) = (architecture.patchesPerSide, architecture.vision.headWidth)
        precondition(headWidth % 4 == 0, "a head of \(headWidth) does not fall into pairs for column and row")
        firstRow = architecture.frameTokenCount - architecture.patchCount
        let frequencies = (0..<headWidth / 4).map { pow(10_000, -2 * Double($0) / Double(headWidth / 2)) }
        let first = architecture.form.hasClassToken ? 1 : 0
        let angles = (0..<side * side).flatMap { patch in
            [patch % side, patch / side].flatMap { place in frequencies.map { Double(place + first) * $0 } }
        }
        func table(_ function: (Double) -> Double) -> Matrix {
            MutableMatrix(rows: side * side, columns: headWidth / 2, angles.map { Float(function($0)) }).reading
        }
        (cosines, sines) = (table(cos), table(sin))
    }

    /// Turns the queries and keys of every frame's patches; the other way for their gradients.
    ///
    /// - Parameters:
    ///   - rows: `[rows of all groups, heads × headWidth]`.
    ///   - headCount: in a row of `rows`, of queries and keys together.
    func turn(_ rows: MutableMatrix, of groups: RowGroups, headCount: Int, isInverse: Bool = false) {
        for group in 0..<groups.count {
            let first = groups.rows(of: group).lowerBound + firstRow
            rotatePairs(
                rows.rows(first..<first + cosines.rowCount), cosines: cosines, sines: sines, headCount: headCount, isInverse: isInverse)
        }
    }
}
