import Foundation
import Tensors

/// How frames are matched with descriptions: entropic optimal transport by Sinkhorn's iteration.
///
/// Between T frames and N descriptions with similarities S, K = exp(−(1 − S)/ε) is scaled to marginals 1/T and 1/N: from c = 1,
/// r = (1/T)/(K c) and c = (1/N)/(Kᵀ r) by turns; the plan is P_tn = r_t K_tn c_n.
///
/// Source: Chen et al., OST, CVPR 2024; tomchen-ctj/OST.
package struct OptimalTransport: Sendable {
    package var epsilon = 0.1
    /// Iterations end when the mean change of r, over all plans that are made together, is below.
    package var threshold = 0.01
    package var mostIterations = 100

    package init() {}

    /// A plan for each matrix of similarities; sums are 1.
    ///
    /// - Parameter similarities: `[frames, descriptions]` each, cosines.
    package func plans(_ similarities: [DoubleMatrix]) -> [DoubleMatrix] {
        let kernels = similarities.map { matrix in
            DoubleMatrix(rows: matrix.rowCount, columns: matrix.columnCount, matrix.values.map { exp(($0 - 1) / epsilon) })
        }
        var rows = kernels.map { [Double](repeating: 1, count: $0.rowCount) }
        var columns = kernels.map { [Double](repeating: 1, count: $0.columnCount) }
        let count = kernels.reduce(0) { $0 + $1.rowCount }
        for _ in 0..<mostIterations {
            var change = 0.0
            for (index, kernel) in kernels.enumerated() {
                for row in 0..<kernel.rowCount {
                    let sum = (0..<kernel.columnCount).reduce(0) { $0 + kernel[row, $1] * columns[index][$1] }
                    let new = 1 / (Double(kernel.rowCount) * sum)
                    change += abs(new - rows[index][row])
                    rows[index][row] = new
                }
                for column in 0..<kernel.columnCount {
                    let sum = (0..<kernel.rowCount).reduce(0) { $0 + kernel[$1, column] * rows[index][$1] }
                    columns[index][column] = 1 / (Double(kernel.columnCount) * sum)
                }
            }
            if change < threshold * Double(count) { break }
        }
        return kernels.enumerated().map { index, kernel in
            var plan = kernel
            for row in 0..<kernel.rowCount {
                for column in 0..<kernel.columnCount { plan[row, column] *= rows[index][row] * columns[index][column] }
            }
            return plan
        }
    }
}

/// Descriptions of one class, of one kind.
package struct ClassDescription: Sendable {
    /// `[descriptions, width]`, of unit length.
    package let unit: DoubleMatrix
    /// The mean of these, not of unit length.
    package let mean: [Double]

    package init(unit: some Readable) {
        self.unit = DoubleMatrix(unit)
        mean = self.unit.meanRow
    }
}

extension DoubleMatrix {
    fileprivate var meanRow: [Double] {
        (0..<columnCount).map { column in (0..<rowCount).reduce(0) { $0 + self[$1, column] } / Double(max(1, rowCount)) }
    }
}

/// Scores of a clip's frames by descriptions of each class: s · ΣP∘S + s · (mean of the unit frames)·(mean description), averaged
/// over the kinds of descriptions that there are. Nothing is brought to unit length again.
package struct TransportMatcher: Sendable {
    /// For each kind of descriptions a description of each class.
    package let kinds: [[ClassDescription]]
    package let scale: Double
    package var transport = OptimalTransport()

    package init(kinds: [[ClassDescription]], scale: Double) {
        self.kinds = kinds
        self.scale = scale
    }

    package var classCount: Int { kinds.first?.count ?? 0 }

    /// How clips were matched, and what it says of the classes.
    package struct Matching: Sendable {
        /// For each kind of descriptions a plan for each class of each clip, one clip's classes after the other's.
        package let plans: [[DoubleMatrix]]
        /// A logit for each class, of each clip.
        package let logits: [[Double]]

        /// What it says of one of the clips.
        func of(clip: Int) -> Matching {
            let classCount = logits[clip].count
            return Matching(
                plans: plans.map { Array($0[clip * classCount..<(clip + 1) * classCount]) }, logits: [logits[clip]])
        }
    }

    /// Several clips that are matched together, as the authors do in training.
    ///
    /// - Parameter clips: `[frames, width]` each, rows of unit length.
    package func matching(ofUnit clips: [DoubleMatrix]) -> Matching {
        var logits = clips.map { _ in [Double](repeating: 0, count: classCount) }
        let plans = kinds.map { kind in
            let similarities = clips.flatMap { clip in kind.map { product(clip, .asStored, $0.unit, .transposed) } }
            let plans = transport.plans(similarities)
            for (index, clip) in clips.enumerated() {
                let mean = clip.meanRow
                for label in 0..<classCount {
                    let place = index * classCount + label
                    let carried = zip(plans[place].values, similarities[place].values).reduce(0) { $0 + $1.0 * $1.1 }
                    let pooled = zip(mean, kind[label].mean).reduce(0) { $0 + $1.0 * $1.1 }
                    logits[index][label] += scale * (carried + pooled) / Double(kinds.count)
                }
            }
            return plans
        }
        return Matching(plans: plans, logits: logits)
    }

    /// The gradients of `matching`, plans being constants.
    ///
    /// - Parameter logitGradients: of each clip, one a class.
    /// - Returns: the gradients of the clips' unit rows, and of each class's descriptions of each kind.
    package func backward(
        _ logitGradients: [[Double]], ofUnit clips: [DoubleMatrix], _ matching: Matching
    ) -> (clips: [DoubleMatrix], kinds: [[DoubleMatrix]]) {
        var clipGradients = clips.map { DoubleMatrix(rows: $0.rowCount, columns: $0.columnCount) }
        var kindGradients = kinds.map { kind in kind.map { DoubleMatrix(rows: $0.unit.rowCount, columns: $0.unit.columnCount) } }
        for (number, kind) in kinds.enumerated() {
            for (index, clip) in clips.enumerated() {
                let mean = clip.meanRow
                for (label, description) in kind.enumerated() {
                    let share = scale / Double(kinds.count) * logitGradients[index][label]
                    let plan = matching.plans[number][index * classCount + label]
                    clipGradients[index].add(product(plan, .asStored, description.unit, .asStored), mean: description.mean, times: share)
                    kindGradients[number][label].add(product(plan, .transposed, clip, .asStored), mean: mean, times: share)
                }
            }
        }
        return (clipGradients, kindGradients)
    }
}

extension DoubleMatrix {
    /// Adds what a plan carries to each row, and each row's share of a mean.
    fileprivate mutating func add(_ carried: DoubleMatrix, mean: [Double], times share: Double) {
        for row in 0..<rowCount {
            for column in 0..<columnCount { self[row, column] += share * (carried[row, column] + mean[column] / Double(rowCount)) }
        }
    }
}
