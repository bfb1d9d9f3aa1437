import Tensors

/// Cosine to each class's mean unit feature, times CLIP's scale: logit_c = s · f̂·μ̂_c.
///
/// All views count alike. The texts play no part.
package struct CosineMean: LeaveOneOutHead, ExtendableHead {
    package static let kind = HeadKind.cosineMean

    package let settings: NoHeadSettings
    /// `[classes, width]`, rows of unit length.
    package let means: Matrix
    package let scale: Float

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: NoHeadSettings, context: HeadContext
    ) throws(HeadError) -> CosineMean {
        try examples.needsAllClasses(kind)
        return CosineMean(
            settings: settings, means: try unitRows(ClassSums(examples).means, "the class means").matrix.reading,
            scale: examples.logitScale)
    }

    private init(settings: NoHeadSettings, means: Matrix, scale: Float) {
        self.settings = settings
        self.means = means
        self.scale = scale
    }

    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix {
        try cosineScores(features.unit(width: means.columnCount), to: means, scale: scale)
    }

    package var linear: LinearClassifier? { LinearClassifier(weight: scaled(means, by: scale)) }
    package var parameterCount: Int { means.count }
    package var tensors: [HeadTensor] { [HeadTensor("means", means), HeadTensor("logit_scale", scale)] }

    package init(tensors: [String: HeadTensor], settings: NoHeadSettings) throws(HeadError) {
        let reader = HeadTensorReader(tensors: tensors, head: Self.kind)
        self.init(settings: settings, means: try reader.matrix("means"), scale: try reader.number("logit_scale"))
    }

    package func extended(by examples: HeadExamples) throws(HeadError) -> CosineMean {
        try examples.needsAllClasses(Self.kind)
        let new = try unitRows(ClassSums(examples).means, "the class means").matrix.reading
        return CosineMean(settings: settings, means: try stacked(means, new), scale: scale)
    }

    package static func leaveOneOutLogits(
        _ examples: HeadExamples, settings: NoHeadSettings, context: HeadContext
    ) throws(HeadError) -> Matrix {
        try examples.needsTwoClips(kind)
        return try ClassSums.leaveOneOut(examples, head: kind, context: context) { sums throws(HeadError) in
            LinearClassifier(weight: scaled(try unitRows(sums.means, "the class means").matrix, by: examples.logitScale))
        }
    }
}

/// `scale · unit · classesᵀ`
package func cosineScores(_ unit: Matrix, to classes: Matrix, scale: Float) -> Matrix {
    let output = MutableMatrix(rows: unit.rowCount, columns: classes.rowCount)
    multiply(unit, .asStored, classes, .transposed, into: output, scale: scale)
    return output.reading
}

func scaled(_ matrix: some Readable, by factor: Float) -> Matrix {
    MutableMatrix(rows: matrix.rowCount, columns: matrix.columnCount, matrix.values.map { factor * $0 }).reading
}
