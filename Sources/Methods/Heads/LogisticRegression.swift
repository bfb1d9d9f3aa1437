import Foundation
import Tensors

/// Multinomial logistic regression on unit features, from clips alone: CLIP's linear probe.
///
///     minimize  C · Σ CE(f̂ Wᵀ + b) + ½ ‖W‖²
///
/// The bias is free. Source: Radford et al., ICML 2021, appendix A.3 (C = 0.316 by L-BFGS); scikit-learn's objective. It
/// learns from each clip's first view.
package struct LogisticRegression: Head {
    package static let kind = HeadKind.logistic

    package struct Settings: HeadSettings {
        /// C. nil: by `searches` on the validation clips, else CLIP's 0.316.
        package var inverseStrength: Double?
        /// Look for C on the validation clips, where there are any: at 1e6, 1e4 … 1e-6, then bisecting its logarithm.
        package var searches = true
        package var bisections = 8
        package var maximumIterations = 1000
        /// Learning ends where no entry of the gradient is larger.
        package var tolerance = 1e-8
        package init() {}
    }

    package let settings: Settings
    /// `[classes, width]`.
    package let weight: Matrix
    package let bias: [Float]
    /// C as it was used.
    package let inverseStrength: Double

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: Settings, context: HeadContext
    ) throws(HeadError) -> LogisticRegression {
        try examples.needsAllClasses(kind)
        try check("maximumIterations", count: settings.maximumIterations)
        try check("tolerance", settings.tolerance, in: 1e-14...1)
        try check("bisections", Double(settings.bisections), in: 0...100)
        if let strength = settings.inverseStrength { try check("inverseStrength", strength, in: 1e-12...1e12) }
        let problem = Problem(examples, pool: context.pool)
        func learned(_ strength: Double, from start: [Double]?) throws(HeadError) -> [Double] {
            try problem.minimum(inverseStrength: strength, start: start, settings: settings, context: context)
        }
        func head(_ values: [Double], _ strength: Double) -> LogisticRegression {
            let (weight, bias) = problem.split(values)
            return LogisticRegression(settings: settings, weight: weight, bias: bias, inverseStrength: strength)
        }
        guard settings.inverseStrength == nil, settings.searches, let validation else {
            let strength = settings.inverseStrength ?? 0.316
            return head(try learned(strength, from: nil), strength)
        }
        func tried(_ strength: Double, from start: [Double]?) throws(HeadError) -> (accuracy: Double, values: [Double]) {
            let values = try learned(strength, from: start)
            let logits = try head(values, strength).logits(of: validation.features)
            return (accuracy(logits, labels: validation.labels), values)
        }
        // Learned from the smallest C up, each from the one before; of equal ones the first in CLIP's order, from 1e6 down, wins.
        var coarse: [(exponent: Double, accuracy: Double, values: [Double])] = []
        for exponent in stride(from: -6.0, through: 6, by: 2) {
            let (found, values) = try tried(pow(10, exponent), from: coarse.last?.values)
            coarse.append((exponent, found, values))
        }
        coarse.reverse()
        let peak = coarse.indices.max { coarse[$0].accuracy < coarse[$1].accuracy } ?? 0
        var (left, right) = (coarse[peak].exponent - 1, coarse[peak].exponent + 1)
        var best = coarse[peak]
        for _ in 0..<settings.bisections {
            let low = try tried(pow(10, left), from: best.values)
            let high = try tried(pow(10, right), from: best.values)
            let middle = 0.5 * (left + right)
            if low.accuracy < high.accuracy {
                best = (right, high.accuracy, high.values)
                left = middle
            } else {
                best = (left, low.accuracy, low.values)
                right = middle
            }
        }
        return head(best.values, pow(10, best.exponent))
    }

    package static func candidates(rowCount: Int) -> [Settings] {
        [0.316, 3.16, 31.6, 316].map { strength in
            var settings = Settings()
            settings.inverseStrength = strength
            return settings
        }
    }

    private init(settings: Settings, weight: Matrix, bias: [Float], inverseStrength: Double) {
        self.settings = settings
        self.weight = weight
        self.bias = bias
        self.inverseStrength = inverseStrength
    }

    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix {
        try LinearClassifier(weight: weight, bias: bias).logits(ofUnit: features.unit(width: weight.columnCount))
    }

    package var linear: LinearClassifier? { LinearClassifier(weight: weight, bias: bias) }
    package var parameterCount: Int { weight.count + bias.count }
    package var tensors: [HeadTensor] {
        [HeadTensor("weight", weight), HeadTensor("bias", bias), HeadTensor("inverse_strength", Float(inverseStrength))]
    }

    package init(tensors: [String: HeadTensor], settings: Settings) throws(HeadError) {
        let reader = HeadTensorReader(tensors: tensors, head: Self.kind)
        let weight = try reader.matrix("weight")
        self.init(
            settings: settings, weight: weight, bias: try reader.vector("bias", count: weight.rowCount),
            inverseStrength: Double(try reader.number("inverse_strength")))
    }

    // MARK: The objective

    /// In Double; the bias is a last column of the weights, on a feature that is always 1.
    private struct Problem {
        let features: DoubleMatrix
        let labels: [Int]
        let classCount: Int
        let pool: WorkerPool
        private var width: Int { features.columnCount }

        init(_ examples: HeadExamples, pool: WorkerPool) {
            let rows = examples.rows(ofView: 0)
            let unit = DoubleMatrix(gathered(rows, of: examples.unit))
            features = DoubleMatrix(
                rows: unit.rowCount, columns: unit.columnCount + 1, (0..<unit.rowCount).flatMap { Array(unit.row($0)) + [1] })
            labels = rows.map { examples.labels[$0] }
            classCount = examples.classCount
            self.pool = pool
        }

        func split(_ values: [Double]) -> (weight: Matrix, bias: [Float]) {
            let weight = MutableMatrix(rows: classCount, columns: width, values.map { Float($0) })
            return (weight.columns(0..<width - 1).reading, (0..<classCount).map { weight[$0, width - 1] })
        }

        func minimum(
            inverseStrength: Double, start: [Double]?, settings: Settings, context: HeadContext
        ) throws(HeadError) -> [Double] {
            try minimize(
                start: start ?? [Double](repeating: 0, count: classCount * width), tolerance: settings.tolerance,
                maximumIterations: settings.maximumIterations,
                report: { iteration, loss throws(HeadError) in
                    try context.report(.logistic, step: iteration, of: settings.maximumIterations, loss: loss)
                },
                evaluate: { lossAndGradient($0, inverseStrength: inverseStrength) })
        }

        private func lossAndGradient(_ values: [Double], inverseStrength: Double) -> (Double, [Double]) {
            let weight = DoubleMatrix(rows: classCount, columns: width, values)
            var scores = product(features, .asStored, weight, .transposed, pool: pool)
            var loss = 0.0
            for (row, label) in labels.enumerated() {
                let range = row * classCount..<(row + 1) * classCount
                let largest = scores.values[range].max() ?? 0
                var sum = 0.0
                loss -= scores.values[range.lowerBound + label] - largest
                for index in range {
                    let exponential = exp(scores.values[index] - largest)
                    scores.values[index] = exponential
                    sum += exponential
                }
                loss += log(sum)
                for index in range { scores.values[index] *= inverseStrength / sum }
                scores.values[range.lowerBound + label] -= inverseStrength
            }
            loss *= inverseStrength
            var gradient = product(scores, .transposed, features, .asStored, pool: pool).values
            for index in gradient.indices where index % width != width - 1 {
                gradient[index] += values[index]
                loss += 0.5 * values[index] * values[index]
            }
            return (loss, gradient)
        }
    }
}
