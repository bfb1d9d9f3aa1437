import Tensors

/// TaskRes: a learned residual on every class's text feature, t′_c = t_c + α x_c, logit_c = s · f̂·t̂′_c.
///
/// Source: Yu et al., CVPR 2023; x starts at 0 and t is not of unit length. Every epoch sees one view of each clip,
/// the next one in turn.
package struct TaskRes: Head {
    package static let kind = HeadKind.taskRes

    package struct Settings: HeadSettings {
        /// nil: 100 for up to 4 clips per class, else 200.
        package var epochs: Int?
        package var batchSize = 256
        package var learningRate = 2e-3
        /// Added to the gradient, as Dassl's Adam does.
        package var weightDecay = 5e-4
        package var epsilon = 1e-8
        /// α.
        package var residualScale = 0.5
        package init() {}
    }

    package let settings: Settings
    /// `[classes, width]`.
    package let residuals: Matrix
    /// `[classes, width]`, not of unit length.
    let texts: Matrix
    let scale: Float

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: Settings, context: HeadContext
    ) throws(HeadError) -> TaskRes {
        try examples.needsAllClasses(kind)
        let shots = examples.clipCounts.max() ?? 0
        let epochs = settings.epochs ?? (shots <= 4 ? 100 : 200)
        try check("epochs", count: epochs)
        try check("batchSize", count: settings.batchSize)
        try check("learningRate", settings.learningRate, in: 0...1000)
        try check("weightDecay", settings.weightDecay, in: 0...1000)
        try check("residualScale", settings.residualScale, in: 0...1000)
        let factor = Float(settings.residualScale)
        var residuals = HeadParameter(MutableMatrix(rows: examples.classCount, columns: examples.width))
        let classes = MutableMatrix(rows: examples.classCount, columns: examples.width)
        let cosine = CosineClassLoss(classCount: examples.classCount, width: examples.width, scale: examples.logitScale)
        try HeadEpochs(head: kind, epochCount: epochs, batchSize: settings.batchSize).run(
            context, rowsOfEpoch: { examples.rows(ofView: $0) }
        ) { rows, epoch, _, _ throws(HeadError) in
            classes.copy(examples.texts)
            add(residuals.value, times: factor, to: classes)
            let loss = cosine.add(
                features: gathered(rows, of: examples.unit), labels: rows.map { examples.labels[$0] }, classes: classes,
                to: residuals.gradient)
            Tensors.scale(residuals.gradient, by: factor)
            residuals.stepWithAdam(
                rate: warmedCosineRate(base: settings.learningRate, epoch: epoch, epochCount: epochs), epsilon: settings.epsilon,
                decayInGradient: settings.weightDecay)
            return loss
        }
        return TaskRes(settings: settings, residuals: residuals.value.reading, texts: examples.texts, scale: examples.logitScale)
    }

    private init(settings: Settings, residuals: Matrix, texts: Matrix, scale: Float) {
        self.settings = settings
        self.residuals = residuals
        self.texts = texts
        self.scale = scale
    }

    /// The class vectors, of unit length.
    private func classes() throws(HeadError) -> Matrix {
        let classes = MutableMatrix(rows: texts.rowCount, columns: texts.columnCount)
        classes.copy(texts)
        add(residuals, times: Float(settings.residualScale), to: classes)
        return try unitRows(classes, "the class vectors")
    }

    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix {
        cosineScores(try features.unit(width: texts.columnCount), to: try classes(), scale: scale)
    }

    package var linear: LinearClassifier? { (try? classes()).map { LinearClassifier(weight: scaled($0, by: scale)) } }
    package var parameterCount: Int { residuals.count }
    package var tensors: [HeadTensor] {
        [
            HeadTensor("text_feature_residuals", residuals), HeadTensor("base_text_features", texts),
            HeadTensor("logit_scale", scale),
        ]
    }

    package init(tensors: [String: HeadTensor], settings: Settings) throws(HeadError) {
        let reader = HeadTensorReader(tensors: tensors, head: Self.kind)
        let residuals = try reader.matrix("text_feature_residuals")
        self.init(
            settings: settings, residuals: residuals,
            texts: try reader.matrix("base_text_features", rows: residuals.rowCount, columns: residuals.columnCount),
            scale: try reader.number("logit_scale"))
    }
}
