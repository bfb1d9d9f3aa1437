import Foundation
import Tensors

/// Regression with an exponential kernel of what the text scores get wrong: what ProKeR and kernel ridge regression share.
///
///     K_ij = exp(−β (1 − v_i·v_j)),  R = Y − F,  F_ic = v_i·t̂_c  (cosines, without CLIP's scale)
///     a = factor · (K + λI)⁻¹ R,  logits = f̂ t̂ᵀ + K(f̂, v) a
///
/// The factor is λ for ProKeR, 1 for kernel ridge regression. All views are rows. Memory is that of n × n numbers of Double.
package struct KernelRegression: HeadCore {
    /// `[rows, width]`, of unit length.
    let vectors: Matrix
    /// `[rows, classes]`: a.
    package let coefficients: Matrix
    /// `[classes, width]`, of unit length.
    let texts: Matrix
    let beta: Double
    let lambda: Double

    init(
        _ examples: HeadExamples, head: HeadKind, settings: KernelSettings, isScaled: Bool, context: HeadContext
    ) throws(HeadError) {
        let (beta, lambda) = try settings.values(examples, head: head)
        let residuals = Self.residuals(examples, pool: context.pool)
        let solution = try Self.factor(examples, beta: beta, lambda: lambda, pool: context.pool).solve(residuals)
        vectors = examples.unit
        coefficients = ((isScaled ? lambda : 1) * solution).matrix.reading
        texts = examples.unitTexts
        self.beta = beta
        self.lambda = lambda
        try context.report(head, step: 1, of: 1)
    }

    private static func residuals(_ examples: HeadExamples, pool: WorkerPool) -> DoubleMatrix {
        var residuals = -1 * product(
            DoubleMatrix(examples.unit), .asStored, DoubleMatrix(examples.unitTexts), .transposed, pool: pool)
        for (row, label) in examples.labels.enumerated() { residuals[row, label] += 1 }
        return residuals
    }

    private static func factor(_ examples: HeadExamples, beta: Double, lambda: Double, pool: WorkerPool) throws(HeadError) -> Cholesky {
        let unit = DoubleMatrix(examples.unit)
        var kernel = product(unit, .asStored, unit, .transposed, pool: pool)
        for index in kernel.values.indices { kernel.values[index] = exp(-beta * (1 - kernel.values[index])) }
        kernel.addToDiagonal(lambda)
        // K is positive semidefinite: exp of a kernel is a kernel.
        guard let factor = Cholesky(kernel) else { throw .notNumbers(what: "the kernel", row: 0) }
        return factor
    }

    package init(_ reader: HeadTensorReader) throws(HeadError) {
        texts = try reader.matrix("text")
        vectors = try reader.matrix("vectors", columns: texts.columnCount)
        coefficients = try reader.matrix("coefficients", rows: vectors.rowCount, columns: texts.rowCount)
        beta = Double(try reader.number("beta"))
        lambda = Double(try reader.number("lambda"))
    }

    package var parameterCount: Int { coefficients.count + vectors.count }
    package var tensors: [HeadTensor] {
        [
            HeadTensor("text", texts), HeadTensor("vectors", vectors), HeadTensor("coefficients", coefficients),
            HeadTensor("beta", Float(beta)), HeadTensor("lambda", Float(lambda)),
        ]
    }

    package var formula: HeadFormula? { .kernel(texts: texts, scale: 1, keys: vectors, sharpness: Float(beta), values: coefficients) }

    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix {
        let unit = try features.unit(width: texts.columnCount)
        let logits = MutableMatrix(rows: unit.rowCount, columns: texts.rowCount)
        multiply(unit, .asStored, texts, .transposed, into: logits)
        // A few rows at a time: the kernel has a column for every example.
        for first in stride(from: 0, to: unit.rowCount, by: 256) {
            let rows = first..<min(first + 256, unit.rowCount)
            let kernel = MutableMatrix(rows: rows.count, columns: vectors.rowCount)
            multiply(unit.rows(rows), .asStored, vectors, .transposed, into: kernel)
            exponentialKernel(kernel, sharpness: Float(beta))
            multiply(kernel, .asStored, coefficients, .asStored, into: logits.rows(rows), adding: true)
        }
        return logits.reading
    }

    /// Scores of every row by the regression without that row's clip B, from the one with all:
    ///
    ///     R_B − prediction_B = (G_BB)⁻¹ (G R)_B,  G = (K + λI)⁻¹
    ///
    /// Source: the block form of Rasmussen and Williams 2006, 5.4.2. Where the correction is scaled by λ, so is the prediction.
    static func leaveOneOut(
        _ examples: HeadExamples, head: HeadKind, settings: KernelSettings, isScaled: Bool, context: HeadContext
    ) throws(HeadError) -> Matrix {
        guard examples.clipCount > 1 else { throw .oneClip(label: examples.labels[0], head: head) }
        let (beta, lambda) = try settings.values(examples, head: head)
        let residuals = residuals(examples, pool: context.pool)
        let inverse = try factor(examples, beta: beta, lambda: lambda, pool: context.pool).inverse()
        let solution = product(inverse, .asStored, residuals, .asStored, pool: context.pool)
        let logits = MutableMatrix(rows: examples.count, columns: examples.classCount)
        multiply(examples.unit, .asStored, examples.unitTexts, .transposed, into: logits)
        for (clip, rows) in examples.rowsOfClips.enumerated() {
            let block = DoubleMatrix(rows: rows.count, columns: rows.count, rows.flatMap { row in rows.map { inverse[row, $0] } })
            guard let factor = Cholesky(block) else { throw .notNumbers(what: "the kernel", row: rows[0]) }
            let errors = factor.solve(solution.rows(rows))
            for (place, row) in rows.enumerated() {
                for label in 0..<examples.classCount {
                    let prediction = residuals[row, label] - errors[place, label]
                    logits[row, label] += Float((isScaled ? lambda : 1) * prediction)
                }
            }
            try context.report(head, step: clip + 1, of: examples.clipCount)
        }
        return logits.reading
    }
}

/// ProKeR and kernel ridge regression.
package protocol KernelHead: CoreHead, LeaveOneOutHead where Core == KernelRegression, Settings == KernelSettings {
    /// Whether the correction is scaled by λ.
    static var isScaled: Bool { get }
}

extension KernelHead {
    /// The kernel's factor costs the cube of the rows: many rows have their authors' settings alone.
    package static func candidates(rowCount: Int) -> [KernelSettings] {
        guard rowCount <= 1000 else { return [KernelSettings()] }
        return [KernelSettings()] + [1, 3, 6].flatMap { beta in
            [0.01, 0.1, 1].map { lambda in
                var settings = KernelSettings()
                (settings.beta, settings.lambda) = (beta, lambda)
                return settings
            }
        }
    }

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: KernelSettings, context: HeadContext
    ) throws(HeadError) -> Self {
        Self(
            settings: settings,
            core: try KernelRegression(examples, head: kind, settings: settings, isScaled: isScaled, context: context))
    }

    package static func leaveOneOutLogits(
        _ examples: HeadExamples, settings: KernelSettings, context: HeadContext
    ) throws(HeadError) -> Matrix {
        try KernelRegression.leaveOneOut(examples, head: kind, settings: settings, isScaled: isScaled, context: context)
    }
}

/// Settings of ProKeR and kernel ridge regression.
package struct KernelSettings: HeadSettings {
    /// β and λ. nil: those of ProKeR's authors for the number of clips per class.
    package var beta: Double?
    package var lambda: Double?

    package init() {}

    /// Theirs are for 1, 2, 4, 8 and 16 clips per class; between them those of the next smaller number hold.
    func values(_ examples: HeadExamples, head: HeadKind) throws(HeadError) -> (beta: Double, lambda: Double) {
        let shots = examples.clipCounts.max() ?? 1
        let table: [(shots: Int, beta: Double, lambda: Double)] = [
            (1, 3, 0.05), (2, 2.6, 0.05), (4, 1.5, 0.05), (8, 1.66, 0.07), (16, 1.7, 0.1),
        ]
        let theirs = table.last { $0.shots <= shots } ?? table[0]
        let found = (beta: beta ?? theirs.beta, lambda: lambda ?? theirs.lambda)
        guard (0...1e4).contains(found.beta) else { throw .setting(name: "beta", value: "\(found.beta)", head: head) }
        guard (1e-9...1e9).contains(found.lambda) else { throw .setting(name: "lambda", value: "\(found.lambda)", head: head) }
        return found
    }
}
