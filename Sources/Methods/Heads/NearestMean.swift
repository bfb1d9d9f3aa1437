import Tensors

/// Settings of a head that has none.
package struct NoHeadSettings: HeadSettings {
    package init() {}
}

/// The class whose mean unit feature is nearest: logit_c = −‖f̂ − μ_c‖².
///
/// All views count alike. The texts play no part.
package struct NearestMean: LeaveOneOutHead, ExtendableHead {
    package static let kind = HeadKind.nearestMean

    package let settings: NoHeadSettings
    /// `[classes, width]`.
    package let means: Matrix

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: NoHeadSettings, context: HeadContext
    ) throws(HeadError) -> NearestMean {
        try examples.needsAllClasses(kind)
        return NearestMean(settings: settings, means: ClassSums(examples).means.matrix.reading)
    }

    private init(settings: NoHeadSettings, means: Matrix) {
        self.settings = settings
        self.means = means
    }

    /// 2 f̂·μ − ‖μ‖², which is the negative squared distance but for ‖f̂‖² = 1.
    private static func classifier(_ means: DoubleMatrix) -> LinearClassifier {
        LinearClassifier(
            weight: (2 * means).matrix,
            bias: (0..<means.rowCount).map { Float(-means.row($0).reduce(0) { $0 + $1 * $1 }) })
    }

    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix {
        try Self.distances(Self.classifier(DoubleMatrix(means)).logits(ofUnit: features.unit(width: means.columnCount)))
    }

    /// Takes ‖f̂‖² = 1 off.
    private static func distances(_ scores: Matrix) -> Matrix {
        MutableMatrix(rows: scores.rowCount, columns: scores.columnCount, scores.values.map { $0 - 1 }).reading
    }

    package var linear: LinearClassifier? { Self.classifier(DoubleMatrix(means)) }
    package var formula: HeadFormula? { .linear(Self.classifier(DoubleMatrix(means)), adding: -1) }
    package var parameterCount: Int { means.count }
    package var tensors: [HeadTensor] { [HeadTensor("means", means)] }

    package init(tensors: [String: HeadTensor], settings: NoHeadSettings) throws(HeadError) {
        self.init(settings: settings, means: try HeadTensorReader(tensors: tensors, head: Self.kind).matrix("means"))
    }

    package func extended(by examples: HeadExamples) throws(HeadError) -> NearestMean {
        try examples.needsAllClasses(Self.kind)
        return NearestMean(settings: settings, means: try stacked(means, ClassSums(examples).means.matrix.reading))
    }

    package static func leaveOneOutLogits(
        _ examples: HeadExamples, settings: NoHeadSettings, context: HeadContext
    ) throws(HeadError) -> Matrix {
        try examples.needsTwoClips(kind)
        return distances(
            try ClassSums.leaveOneOut(examples, head: kind, context: context) { sums throws(HeadError) in classifier(sums.means) })
    }
}
