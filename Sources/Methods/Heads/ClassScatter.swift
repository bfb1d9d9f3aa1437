import Foundation
import Tensors

/// Class means and the scatter of unit features about them: what discriminant analysis is made of, and taken apart again for
/// each clip that is left out.
struct ClassScatter {
    let features: DoubleMatrix
    let means: DoubleMatrix
    /// S = Σ (v − μ)(v − μ)ᵀ = (n−1)Σ: the centered features have the mean 0.
    let scatter: DoubleMatrix
    private let labels: [Int]
    private let rowCounts: [Int]

    init(_ examples: HeadExamples, pool: WorkerPool) {
        let sums = ClassSums(examples)
        features = DoubleMatrix(examples.unit)
        means = sums.means
        labels = examples.labels
        rowCounts = sums.counts
        let centered = Self.centered(Array(0..<examples.count), features: features, means: means, labels: labels)
        scatter = product(centered, .transposed, centered, .asStored, pool: pool)
    }

    private static func centered(_ rows: [Int], features: DoubleMatrix, means: DoubleMatrix, labels: [Int]) -> DoubleMatrix {
        DoubleMatrix(
            rows: rows.count, columns: features.columnCount,
            rows.flatMap { row in zip(features.row(row), means.row(labels[row])).map { $0 - $1 } })
    }

    func discriminant(pool: WorkerPool) -> (weight: DoubleMatrix, bias: [Double]) {
        discriminantWeights(
            means: means, precision: shrunkPrecision(scatter: scatter, divisor: max(1, features.rowCount - 1)),
            classCount: means.rowCount, pool: pool)
    }

    /// `[rows, classes]`: v·w_c + b_c of every view v, with w and b learned without v's clip.
    ///
    /// Without the m views of a clip of class c, whose centered vectors are the rows of U and sum to q,
    ///
    ///     μ′_c = μ_c − q / (n_c − m),   S′ = S − BᵀB  with B = [U; q/√(n_c − m)],
    ///     P′ = d (D⁻¹ − BᵀB)⁻¹ = d (D + D Bᵀ (I − B D Bᵀ)⁻¹ B D)  with D = (S + tr(S′)/(n − m − 1) I)⁻¹.
    ///
    /// The ridge changes with each clip; in the basis of S's eigenvectors D stays diagonal. So a clip costs products of its
    /// few views, and no new inverse.
    func leaveOneOut(_ examples: HeadExamples, context: HeadContext) throws(HeadError) -> Matrix {
        let width = features.columnCount
        guard let eigen = SymmetricEigen(scatter) else { throw .notNumbers(what: "the scatter of the features", row: 0) }
        // Everything in the basis of the eigenvectors.
        let rotated = product(features, .asStored, eigen.vectors, .transposed, pool: context.pool)
        let rotatedMeans = product(means, .asStored, eigen.vectors, .transposed, pool: context.pool)
        let logits = MutableMatrix(rows: features.rowCount, columns: means.rowCount)
        for (clip, rows) in examples.rowsOfClips.enumerated() {
            let label = examples.labelsOfClips[clip]
            let rest = Double(rowCounts[label] - rows.count)
            let views = rotated.rows(rows)
            let centered = Self.centered(rows, features: rotated, means: rotatedMeans, labels: labels)
            let sum = (0..<width).map { column in (0..<rows.count).reduce(0) { $0 + centered[$1, column] } }
            var newMeans = rotatedMeans
            for column in 0..<width { newMeans[label, column] -= sum[column] / rest }
            let update = DoubleMatrix(
                rows: rows.count + 1, columns: width, centered.values + sum.map { $0 / rest.squareRoot() })
            let trace = scatter.trace - update.values.reduce(0) { $0 + $1 * $1 }
            let ridge = trace / Double(max(1, features.rowCount - rows.count - 1))
            let scores = Self.scores(
                views: views, means: newMeans, update: update, diagonal: eigen.values.map { 1 / (max(0, $0) + ridge) },
                hasScatter: trace > 1e-12 * scatter.trace)
            for (place, row) in rows.enumerated() { logits.row(row).fill(with: scores[place]) }
            try context.report(.gda, step: clip + 1, of: examples.clipCount)
        }
        return logits.reading
    }

    private static func scores(
        views: DoubleMatrix, means: DoubleMatrix, update: DoubleMatrix, diagonal: [Double], hasScatter: Bool
    ) -> [[Float]] {
        let classCount = means.rowCount
        let constant = -log(Double(classCount))
        func nothing() -> [[Float]] { Array(repeating: Array(repeating: Float(constant), count: classCount), count: views.rowCount) }
        // All clips left are one point per class: the precision is the pseudoinverse of zero.
        guard hasScatter else { return nothing() }
        var scaledMeans = means
        var scaledUpdate = update
        for column in diagonal.indices {
            for row in 0..<means.rowCount { scaledMeans[row, column] *= diagonal[column] }
            for row in 0..<update.rowCount { scaledUpdate[row, column] *= diagonal[column] }
        }
        var inner = -1 * product(scaledUpdate, .asStored, update, .transposed)
        inner.addToDiagonal(1)
        guard let factor = Cholesky(inner) else { return nothing() }
        let order = Double(diagonal.count)
        let updateMeans = product(update, .asStored, scaledMeans, .transposed)
        let solved = factor.solve(updateMeans)
        let direct = product(views, .asStored, scaledMeans, .transposed)
        let correction = product(product(views, .asStored, scaledUpdate, .transposed), .asStored, solved, .asStored)
        let bias = (0..<classCount).map { label in
            let direct = zip(means.row(label), scaledMeans.row(label)).reduce(0) { $0 + $1.0 * $1.1 }
            let correction = (0..<update.rowCount).reduce(0) { $0 + updateMeans[$1, label] * solved[$1, label] }
            return constant - 0.5 * order * (direct + correction)
        }
        return (0..<views.rowCount).map { row in
            (0..<classCount).map { Float(order * (direct[row, $0] + correction[row, $0]) + bias[$0]) }
        }
    }
}
