import Foundation
import Tensors

/// ESZSL: the map between features and texts that ridge regression finds, in closed form.
///
///     V = (XᵀX + 10^γ₁ I)⁻¹ Xᵀ Y A (AᵀA + 10^γ₂ I)⁻¹,  logits = f̂ V Âᵀ
///
/// X are the unit features of all views, Y their classes as rows of zeros with a one, A the unit texts of the classes that have
/// clips. Â holds the unit texts of all classes: one without clips is scored like the others. Source: Romera-Paredes and Torr,
/// ICML 2015, equation 7; mvp18/Popular-ZSL-Algorithms.
package struct ESZSL: LeaveOneOutHead {
    package static let kind = HeadKind.eszsl

    package struct Settings: HeadSettings {
        /// γ₁: 10 to this power holds the map back on the side of the features.
        package var featureExponent = 0.0
        /// γ₂: the same on the side of the texts.
        package var textExponent = 0.0
        package init() {}
    }

    package let settings: Settings
    /// V: `[width, width]`, from features to texts.
    package let map: Matrix
    /// `[classes, width]`, of unit length.
    let texts: Matrix

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: Settings, context: HeadContext
    ) throws(HeadError) -> ESZSL {
        try check(settings)
        let features = DoubleMatrix(examples.unit)
        let seen = examples.clipCounts.indices.filter { examples.clipCounts[$0] > 0 }
        let texts = DoubleMatrix(examples.unitTexts)
        // Xᵀ Y are the sums of the classes; those of classes without clips are zeros.
        let moments = product(ClassSums(examples).sums, .transposed, texts, .asStored, pool: context.pool)
        let left = try solved(ridge(features, settings.featureExponent, pool: context.pool), moments)
        let map = try solved(ridge(texts.rows(seen), settings.textExponent, pool: context.pool), left.transposed).transposed
        try context.report(kind, step: 1, of: 1)
        return ESZSL(settings: settings, map: map.matrix.reading, texts: examples.unitTexts)
    }

    private static func check(_ settings: Settings) throws(HeadError) {
        try check("featureExponent", settings.featureExponent, in: exponents)
        try check("textExponent", settings.textExponent, in: exponents)
    }

    /// Far beyond what the authors search, and still far above what Double rounds off.
    private static let exponents = -6.0...9.0

    /// MᵀM + 10^exponent I
    private static func ridge(_ matrix: DoubleMatrix, _ exponent: Double, pool: WorkerPool) -> DoubleMatrix {
        var ridge = product(matrix, .transposed, matrix, .asStored, pool: pool)
        ridge.addToDiagonal(pow(10, exponent))
        return ridge
    }

    private static func solved(_ matrix: DoubleMatrix, _ right: DoubleMatrix) throws(HeadError) -> DoubleMatrix {
        // Positive definite by the number on its diagonal.
        guard let factor = Cholesky(matrix) else { throw .notNumbers(what: "the regression", row: 0) }
        return factor.solve(right)
    }

    private init(settings: Settings, map: Matrix, texts: Matrix) {
        self.settings = settings
        self.map = map
        self.texts = texts
    }

    /// `[classes, width]`: Â Vᵀ.
    private var weight: Matrix {
        let weight = MutableMatrix(rows: texts.rowCount, columns: map.rowCount)
        multiply(texts, .asStored, map, .transposed, into: weight)
        return weight.reading
    }

    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix {
        cosineScores(try features.unit(width: map.rowCount), to: weight, scale: 1)
    }

    package var linear: LinearClassifier? { LinearClassifier(weight: weight) }
    package var parameterCount: Int { map.count }
    package var tensors: [HeadTensor] { [HeadTensor("map", map), HeadTensor("text", texts)] }

    package init(tensors: [String: HeadTensor], settings: Settings) throws(HeadError) {
        let reader = HeadTensorReader(tensors: tensors, head: Self.kind)
        let texts = try reader.matrix("text")
        self.init(
            settings: settings, map: try reader.matrix("map", rows: texts.columnCount, columns: texts.columnCount), texts: texts)
    }

    /// The exponents that the authors search, of both sides, 0 and 0 first; every second of them where there are many rows.
    package static func candidates(rowCount: Int) -> [Settings] {
        let exponents = rowCount <= 1000 ? [0.0, 1, 2, 3, -1, -2, -3] : [0, 2, -2]
        return exponents.flatMap { featureExponent in
            exponents.map { textExponent in
                var settings = Settings()
                (settings.featureExponent, settings.textExponent) = (featureExponent, textExponent)
                return settings
            }
        }
    }

    // MARK: Leaving one clip out

    /// - Throws: `oneClip`: without its only clip a class's text takes no part either, which is no closed form.
    package static func leaveOneOutLogits(
        _ examples: HeadExamples, settings: Settings, context: HeadContext
    ) throws(HeadError) -> Matrix {
        try check(settings)
        return try LeftOut(examples, context: context).logits(settings, pool: context.pool)
    }

    package static func leaveOneOutCandidates(
        _ examples: HeadExamples, context: HeadContext
    ) throws(HeadError) -> [(settings: Settings, logits: Matrix)] {
        let leftOut = try LeftOut(examples, context: context)
        var result: [(settings: Settings, logits: Matrix)] = []
        let candidates = candidates(rowCount: examples.count)
        for settings in candidates {
            result.append((settings, try leftOut.logits(settings, pool: context.pool)))
            try context.report(kind, step: result.count, of: candidates.count)
        }
        return result
    }

    /// The map is a ridge regression of Y B with B = A (AᵀA + 10^γ₂ I)⁻¹ Âᵀ, so a clip's rows R have a closed form without it:
    ///
    ///     prediction_R = T_R − (I − H_RR)⁻¹ (T − H T)_R,  T = Y B,  H = X (XᵀX + 10^γ₁ I)⁻¹ Xᵀ
    ///
    /// Source: the block form of Rasmussen and Williams 2006, 5.4.2. Eigenvectors of XᵀX serve every γ₁.
    private struct LeftOut {
        let examples: HeadExamples
        /// XᵀX's eigenvalues, and X in the coordinates of its eigenvectors.
        private let eigenvalues: [Double]
        private let features: DoubleMatrix
        /// `[seen classes, width]` and `[classes, width]`.
        private let seenTexts: DoubleMatrix
        private let texts: DoubleMatrix
        /// The place of each row's class among those that have clips.
        private let labels: [Int]

        init(_ examples: HeadExamples, context: HeadContext) throws(HeadError) {
            if let label = examples.clipCounts.firstIndex(of: 1) { throw .oneClip(label: label, head: kind) }
            self.examples = examples
            let unit = DoubleMatrix(examples.unit)
            guard let eigen = SymmetricEigen(product(unit, .transposed, unit, .asStored, pool: context.pool)) else {
                throw .notNumbers(what: "the regression", row: 0)
            }
            eigenvalues = eigen.values.map { max(0, $0) }
            features = product(unit, .asStored, eigen.vectors, .transposed, pool: context.pool)
            let seen = examples.clipCounts.indices.filter { examples.clipCounts[$0] > 0 }
            let places = Dictionary(uniqueKeysWithValues: seen.enumerated().map { ($1, $0) })
            labels = examples.labels.map { places[$0] ?? 0 }
            texts = DoubleMatrix(examples.unitTexts)
            seenTexts = texts.rows(seen)
        }

        func logits(_ settings: Settings, pool: WorkerPool) throws(HeadError) -> Matrix {
            // B: `[seen classes, classes]`.
            let regression = product(
                seenTexts, .asStored, try solved(ridge(seenTexts, settings.textExponent, pool: pool), texts.transposed), .asStored, pool: pool)
            let targets = regression.rows(labels)
            var shrunk = features
            let strength = pow(10, settings.featureExponent)
            for index in shrunk.values.indices { shrunk.values[index] /= eigenvalues[index % eigenvalues.count] + strength }
            let fitted = product(shrunk, .asStored, product(features, .transposed, targets, .asStored, pool: pool), .asStored, pool: pool)
            let logits = MutableMatrix(rows: examples.count, columns: examples.classCount)
            for rows in examples.rowsOfClips {
                var block = -1 * product(shrunk.rows(rows), .asStored, features.rows(rows), .transposed)
                block.addToDiagonal(1)
                let errors = try solved(block, targets.rows(rows) - fitted.rows(rows))
                for (place, row) in rows.enumerated() {
                    for label in 0..<examples.classCount { logits[row, label] = Float(targets[row, label] - errors[place, label]) }
                }
            }
            return logits.reading
        }
    }
}
