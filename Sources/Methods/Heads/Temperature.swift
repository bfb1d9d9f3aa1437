import Foundation
import Tensors

/// One number that logits are divided by, so that their softmax can be read as probabilities. It changes no answer.
///
/// Source: Guo et al., ICML 2017. Found on logits of clips that the head has not learned from: held out, or leave-one-out.
package struct Temperature: Sendable, Equatable, Codable {
    package let value: Double
    /// Mean negative log-likelihood before and after.
    package let lossBefore: Double
    package let loss: Double

    /// The temperature of the least negative log-likelihood, between 1e-4 and 1e4: where all answers are right, ever smaller
    /// temperatures look better.
    ///
    /// In the inverse temperature the loss is convex, with the derivative Σ (E_p[l] − l_y) and the second derivative
    /// Σ Var_p(l): Newton's steps, kept inside a bracket.
    ///
    /// - Parameter doubt: clips more, of any class alike, that the loss counts: with 1, a few answers that were all right do
    ///   not make the next one certain, and of many clips it changes little.
    package init(logits: some Readable, labels: [Int], doubt: Double = 0) throws(HeadError) {
        guard !labels.isEmpty, logits.columnCount > 0 else { throw .noExamples }
        try needs("labels of the logits", labels.count, logits.rowCount)
        for (row, label) in labels.enumerated() where label < 0 || label >= logits.columnCount {
            throw .label(label, row: row, classCount: logits.columnCount)
        }
        try checkNumbers(logits.reading, "the logits")
        let rows = (0..<logits.rowCount).map { logits.row($0).values.map(Double.init) }
        lossBefore = Self.loss(rows, labels, inverse: 1).value
        var (low, high) = (1e-4, 1e4)
        var inverse = 1.0
        for _ in 0..<200 {
            let (_, slope, curvature) = Self.loss(rows, labels, doubt: doubt, inverse: inverse)
            if slope > 0 { high = inverse } else { low = inverse }
            let newton = inverse - slope / curvature
            // In the middle of the logarithms where Newton's step leaves the bracket.
            let next = newton > low && newton < high ? newton : (low * high).squareRoot()
            let isFound = abs(next - inverse) <= 1e-12 * inverse
            inverse = next
            if isFound || high / low < 1 + 1e-12 { break }
        }
        value = 1 / inverse
        loss = Self.loss(rows, labels, inverse: inverse).value
    }

    private static func loss(
        _ rows: [[Double]], _ labels: [Int], doubt: Double = 0, inverse: Double
    ) -> (value: Double, slope: Double, curvature: Double) {
        var (value, slope, curvature) = (0.0, 0.0, 0.0)
        let share = doubt / Double(labels.count)
        for (logits, label) in zip(rows, labels) {
            let largest = logits.max() ?? 0
            var (sum, first, second) = (0.0, 0.0, 0.0)
            for logit in logits {
                let weight = exp(inverse * (logit - largest))
                sum += weight
                first += weight * (logit - largest)
                second += weight * (logit - largest) * (logit - largest)
            }
            let mean = first / sum
            let average = logits.reduce(0) { $0 + ($1 - largest) } / Double(logits.count)
            value += log(sum) - inverse * (logits[label] - largest) + share * (log(sum) - inverse * average)
            slope += mean - (logits[label] - largest) + share * (mean - average)
            curvature += (1 + share) * (second / sum - mean * mean)
        }
        let count = Double(labels.count) + doubt
        return (value / count, slope / count, curvature / count)
    }

    /// The logits divided by the temperature.
    package func applied(to logits: some Readable) -> Matrix {
        MutableMatrix(
            rows: logits.rowCount, columns: logits.columnCount, logits.values.map { Float(Double($0) / value) }).reading
    }
}
