import Foundation
import Tensors

/// Gaussian discriminant analysis beside the text scores, in closed form.
///
///     P = d · pinv((n−1)Σ + tr(Σ) I),  w_c = P μ_c,  b_c = −log C − ½ μ_cᵀ P μ_c
///     logits = s · f̂ Ŵᵀ + α (f̂·w_c + b_c)
///
/// μ_c is the mean of all views of a class, each view of unit length; Σ is the covariance of the views about their class's
/// mean, with divisor n−1. Source: Wang et al., ICLR 2024; mrflogs/ICLR24. The precision is Kubokawa and Srivastava's estimate.
///
/// A class without clips takes the training vectors nearest to its text as its own (`NeighborRule`).
package struct GaussianDiscriminant: LeaveOneOutHead {
    package static let kind = HeadKind.gda

    package struct Settings: HeadSettings {
        /// Weight of the discriminant beside the text scores. nil: the first best of `candidates` on the validation clips;
        /// without these by exact leave-one-out, where every class has two clips; else 1.
        package var alpha: Double?
        package var candidates: [Double] = [1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100]
        /// Nearest training vectors that a class without clips takes; all where there are fewer.
        package var neighbors = 64
        /// Times that the text itself counts among them.
        package var textCopies = 16
        package init() {}
    }

    package let settings: Settings
    /// `[classes, width]` and a number per class: of the discriminant alone.
    package let weight: Matrix
    package let bias: [Float]
    package let alpha: Double
    /// `[classes, width]`, of unit length.
    let texts: Matrix
    let scale: Float

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: Settings, context: HeadContext
    ) throws(HeadError) -> GaussianDiscriminant {
        try check(settings)
        let (weight, bias) = try discriminant(examples, settings: settings, context: context)
        let head = GaussianDiscriminant(
            settings: settings, weight: weight.matrix.reading, bias: bias.map { Float($0) }, alpha: settings.alpha ?? 1,
            texts: examples.unitTexts, scale: examples.logitScale)
        guard settings.alpha == nil else { return head }
        if let validation {
            try needs("classes of the validation clips", validation.classCount, examples.classCount)
            let scores = try head.scores(ofUnit: validation.unit)
            return head.with(
                alpha: head.chosenAlpha(text: scores.text, discriminant: scores.discriminant, labels: validation.labels, rows: nil))
        }
        guard examples.clipCounts.allSatisfy({ $0 >= 2 }) else { return head }
        return head.with(alpha: try alphaByLeaveOneOut(examples, settings: settings, context: context).alpha)
    }

    private static func check(_ settings: Settings) throws(HeadError) {
        if let alpha = settings.alpha { try check("alpha", alpha, in: 0...1e9) }
        for candidate in settings.candidates { try check("candidates", candidate, in: 0...1e9) }
        try check("neighbors", count: settings.neighbors)
        try check("textCopies", Double(settings.textCopies), in: 0...1e6)
        if settings.candidates.isEmpty { throw .setting(name: "candidates", value: "empty", head: kind) }
    }

    /// Weights and biases of all classes, from clips where there are any, else by the rule of neighbors.
    private static func discriminant(
        _ examples: HeadExamples, settings: Settings, context: HeadContext
    ) throws(HeadError) -> (weight: DoubleMatrix, bias: [Double]) {
        let scatter = ClassScatter(examples, pool: context.pool)
        var (weight, bias) = scatter.discriminant(pool: context.pool)
        let empty = examples.clipCounts.indices.filter { examples.clipCounts[$0] == 0 }
        if !empty.isEmpty {
            let rule = NeighborRule(neighborCount: settings.neighbors, textCopies: settings.textCopies)
            let (others, otherBias) = rule.discriminant(
                texts: DoubleMatrix(examples.unitTexts).rows(empty), vectors: scatter.features, classCount: examples.classCount,
                pool: context.pool)
            for (place, label) in empty.enumerated() {
                for column in 0..<weight.columnCount { weight[label, column] = others[place, column] }
                bias[label] = otherBias[place]
            }
        }
        return (weight, bias)
    }

    private init(settings: Settings, weight: Matrix, bias: [Float], alpha: Double, texts: Matrix, scale: Float) {
        self.settings = settings
        self.weight = weight
        self.bias = bias
        self.alpha = alpha
        self.texts = texts
        self.scale = scale
    }

    private func with(alpha: Double) -> GaussianDiscriminant {
        GaussianDiscriminant(settings: settings, weight: weight, bias: bias, alpha: alpha, texts: texts, scale: scale)
    }

    private func scores(ofUnit unit: Matrix) throws(HeadError) -> (text: Matrix, discriminant: Matrix) {
        (cosineScores(unit, to: texts, scale: scale), try LinearClassifier(weight: weight, bias: bias).logits(ofUnit: unit))
    }

    private static func sum(_ text: Matrix, _ discriminant: Matrix, alpha: Double) -> Matrix {
        let logits = MutableMatrix(rows: text.rowCount, columns: text.columnCount)
        logits.copy(text)
        add(discriminant, times: Float(alpha), to: logits)
        return logits.reading
    }

    /// The first of the best candidates.
    private func chosenAlpha(text: Matrix, discriminant: Matrix, labels: [Int], rows: [Int]?) -> Double {
        Self.chosenAlpha(settings, text: text, discriminant: discriminant, labels: labels, rows: rows)
    }

    private static func chosenAlpha(
        _ settings: Settings, text: Matrix, discriminant: Matrix, labels: [Int], rows: [Int]?
    ) -> Double {
        let accuracies = settings.candidates.map { accuracy(sum(text, discriminant, alpha: $0), labels: labels, rows: rows) }
        let best = accuracies.indices.max { accuracies[$0] < accuracies[$1] } ?? 0
        return settings.candidates[best]
    }

    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix {
        let (text, discriminant) = try scores(ofUnit: features.unit(width: weight.columnCount))
        return Self.sum(text, discriminant, alpha: alpha)
    }

    package var linear: LinearClassifier? {
        LinearClassifier(
            weight: Self.sum(scaled(texts, by: scale), weight, alpha: alpha), bias: bias.map { Float(alpha) * $0 })
    }

    package var parameterCount: Int { weight.count + bias.count }
    package var tensors: [HeadTensor] {
        [
            HeadTensor("weight", weight), HeadTensor("bias", bias), HeadTensor("text", texts), HeadTensor("logit_scale", scale),
            HeadTensor("alpha", Float(alpha)),
        ]
    }

    package init(tensors: [String: HeadTensor], settings: Settings) throws(HeadError) {
        let reader = HeadTensorReader(tensors: tensors, head: Self.kind)
        let weight = try reader.matrix("weight")
        self.init(
            settings: settings, weight: weight, bias: try reader.vector("bias", count: weight.rowCount),
            alpha: Double(try reader.number("alpha")),
            texts: try reader.matrix("text", rows: weight.rowCount, columns: weight.columnCount), scale: try reader.number("logit_scale"))
    }

    // MARK: Leaving one clip out

    /// The neighbors of a class without clips change with each clip that is left out.
    package static var leavesOutBesideEmptyClasses: Bool { false }

    /// With α as set, or as it is chosen by these scores themselves, on each clip's first view.
    package static func leaveOneOutLogits(
        _ examples: HeadExamples, settings: Settings, context: HeadContext
    ) throws(HeadError) -> Matrix {
        try check(settings)
        let (text, discriminant, alpha) = try alphaByLeaveOneOut(examples, settings: settings, context: context)
        return sum(text, discriminant, alpha: alpha)
    }

    package static func candidates(rowCount: Int) -> [Settings] {
        // 1 stands where nothing is chosen.
        let authors = Settings().candidates
        return ([1] + authors.filter { $0 != 1 }).map { alpha in
            var settings = Settings()
            settings.alpha = alpha
            return settings
        }
    }

    /// The scatter without each clip does not depend on α.
    package static func leaveOneOutCandidates(
        _ examples: HeadExamples, context: HeadContext
    ) throws(HeadError) -> [(settings: Settings, logits: Matrix)] {
        try examples.needsTwoClips(kind)
        let text = cosineScores(examples.unit, to: examples.unitTexts, scale: examples.logitScale)
        let discriminant = try ClassScatter(examples, pool: context.pool).leaveOneOut(examples, context: context)
        return candidates(rowCount: examples.count).map { ($0, sum(text, discriminant, alpha: $0.alpha ?? 1)) }
    }

    private static func alphaByLeaveOneOut(
        _ examples: HeadExamples, settings: Settings, context: HeadContext
    ) throws(HeadError) -> (text: Matrix, discriminant: Matrix, alpha: Double) {
        try examples.needsTwoClips(kind)
        let text = cosineScores(examples.unit, to: examples.unitTexts, scale: examples.logitScale)
        let discriminant = try ClassScatter(examples, pool: context.pool).leaveOneOut(examples, context: context)
        let alpha = settings.alpha
            ?? chosenAlpha(settings, text: text, discriminant: discriminant, labels: examples.labels, rows: examples.rows(ofView: 0))
        return (text, discriminant, alpha)
    }
}

/// What a class without clips takes from the clips of others.
///
/// Source: mrflogs/ICLR24, main_base2new.py: its k nearest training vectors v by w·v, w being its text; μ is the mean of these
/// and of some copies of w; P is the mean over the new classes of d · pinv((k−1)Σ_w + tr(Σ_w) I) with
/// Σ_w = Σ (v−w)(v−w)ᵀ / (k−1).
struct NeighborRule {
    let neighborCount: Int
    let textCopies: Int

    func discriminant(
        texts: DoubleMatrix, vectors: DoubleMatrix, classCount: Int, pool: WorkerPool
    ) -> (weight: DoubleMatrix, bias: [Double]) {
        let count = min(neighborCount, vectors.rowCount)
        let similarities = product(texts, .asStored, vectors, .transposed, pool: pool)
        var means = DoubleMatrix(rows: texts.rowCount, columns: texts.columnCount)
        var precision = DoubleMatrix(rows: texts.columnCount, columns: texts.columnCount)
        for label in 0..<texts.rowCount {
            let scores = Array(similarities.row(label))
            let nearest = scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }.prefix(count)
            var differences = vectors.rows(nearest)
            for column in 0..<texts.columnCount {
                let text = texts[label, column]
                let sum = (0..<count).reduce(0) { $0 + differences[$1, column] }
                means[label, column] = (sum + Double(textCopies) * text) / Double(count + textCopies)
                for row in 0..<count { differences[row, column] -= text }
            }
            let scatter = product(differences, .transposed, differences, .asStored)
            precision = precision + 1 / Double(texts.rowCount) * shrunkPrecision(scatter: scatter, divisor: max(1, count - 1))
        }
        return discriminantWeights(means: means, precision: precision, classCount: classCount, pool: pool)
    }
}

/// d · pinv(S + tr(S)/divisor · I): zeros where the scatter S is zero.
func shrunkPrecision(scatter: DoubleMatrix, divisor: Int) -> DoubleMatrix {
    let order = scatter.rowCount
    var shrunk = scatter
    shrunk.addToDiagonal(scatter.trace / Double(divisor))
    // Its smallest eigenvalue is at least the trace's share: the inverse is the pseudoinverse.
    guard scatter.trace > 0, let factor = Cholesky(shrunk) else { return DoubleMatrix(rows: order, columns: order) }
    return Double(order) * factor.inverse()
}

/// w_c = P μ_c and b_c = −log C − ½ μ_cᵀ P μ_c
func discriminantWeights(
    means: DoubleMatrix, precision: DoubleMatrix, classCount: Int, pool: WorkerPool
) -> (weight: DoubleMatrix, bias: [Double]) {
    let weight = product(means, .asStored, precision, .asStored, pool: pool)
    let bias = (0..<means.rowCount).map { label in
        -log(Double(classCount)) - 0.5 * zip(means.row(label), weight.row(label)).reduce(0) { $0 + $1.0 * $1.1 }
    }
    return (weight, bias)
}
