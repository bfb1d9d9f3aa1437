import Tensors

/// CLIP-Adapter: a small network blended with the feature.
///
///     f′ = r · ReLU(W₂ ReLU(W₁ f)) + (1 − r) · f,  logits = s · f̂′ t̂ᵀ
///
/// f is not of unit length; W₁ leads to a quarter of the width; there are no biases. Source: Gao et al., IJCV 2024. Their
/// release names no optimizer: it is CoOp's, on which it is built. Every epoch sees one view of each clip, the next one in
/// turn.
package struct CLIPAdapter: Head {
    package static let kind = HeadKind.clipAdapter

    package struct Settings: HeadSettings {
        package var epochs = 200
        package var batchSize = 256
        package var learningRate = 2e-3
        package var momentum = 0.9
        package var weightDecay = 5e-4
        /// r.
        package var ratio = 0.2
        /// Width over that of the hidden layer.
        package var reduction = 4
        package init() {}
    }

    package let settings: Settings
    /// `[hidden width, width]` and `[width, hidden width]`.
    package let first: Matrix
    package let second: Matrix
    /// `[classes, width]`, of unit length.
    let texts: Matrix
    let scale: Float

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: Settings, context: HeadContext
    ) throws(HeadError) -> CLIPAdapter {
        try check("reduction", count: settings.reduction)
        let hidden = max(1, examples.width / settings.reduction)
        // PyTorch's Linear: uniform up to 1/√(width of its input).
        func start(rows: Int, columns: Int, item: Int) -> MutableMatrix {
            var random = RandomSource(seed: context.seed, purpose: .weights, item: item)
            let bound = 1 / Float(columns).squareRoot()
            return MutableMatrix(rows: rows, columns: columns, (0..<rows * columns).map { _ in random.uniform(in: -bound...bound) })
        }
        return try fit(
            examples, settings: settings, first: start(rows: hidden, columns: examples.width, item: 0).reading,
            second: start(rows: examples.width, columns: hidden, item: 1).reading, context: context)
    }

    /// - Parameters:
    ///   - first, second: the weights' start.
    package static func fit(
        _ examples: HeadExamples, settings: Settings, first: Matrix, second: Matrix, context: HeadContext
    ) throws(HeadError) -> CLIPAdapter {
        try check("epochs", count: settings.epochs)
        try check("batchSize", count: settings.batchSize)
        try check("learningRate", settings.learningRate, in: 0...1000)
        try check("momentum", settings.momentum, in: 0...1)
        try check("weightDecay", settings.weightDecay, in: 0...1000)
        try check("ratio", settings.ratio, in: 0...1)
        var (first, second) = (HeadParameter(first), HeadParameter(second))
        try HeadEpochs(head: kind, epochCount: settings.epochs, batchSize: settings.batchSize).run(
            context, rowsOfEpoch: { examples.rows(ofView: $0) }
        ) { rows, epoch, _, _ throws(HeadError) in
            let features = gathered(rows, of: examples.features.projected)
            let pass = Pass(
                features: features.reading, first: first.value.reading, second: second.value.reading, ratio: Float(settings.ratio))
            let logits = MutableMatrix(rows: rows.count, columns: examples.classCount)
            multiply(pass.unit, .asStored, examples.unitTexts, .transposed, into: logits, scale: examples.logitScale)
            let loss = crossEntropyOfRows(logits, labels: rows.map { examples.labels[$0] })
            let unitGradient = MutableMatrix(rows: rows.count, columns: examples.width)
            multiply(logits, .asStored, examples.unitTexts, .asStored, into: unitGradient, scale: examples.logitScale)
            pass.backward(
                unitGradient, second: second.value.reading, firstGradient: first.gradient, secondGradient: second.gradient)
            let rate = warmedCosineRate(base: settings.learningRate, epoch: epoch, epochCount: settings.epochs)
            first.stepWithMomentum(rate: rate, momentum: settings.momentum, decay: settings.weightDecay)
            second.stepWithMomentum(rate: rate, momentum: settings.momentum, decay: settings.weightDecay)
            return loss
        }
        return CLIPAdapter(
            settings: settings, first: first.value.reading, second: second.value.reading, texts: examples.unitTexts,
            scale: examples.logitScale)
    }

    /// One pass forward, with what the way back needs.
    private struct Pass {
        let features: Matrix
        let ratio: Float
        let hidden: MutableMatrix
        let output: MutableMatrix
        let unit: MutableMatrix
        let lengths: MutableMatrix

        init(features: Matrix, first: Matrix, second: Matrix, ratio: Float) {
            self.features = features
            self.ratio = ratio
            let (rows, width) = (features.rowCount, features.columnCount)
            hidden = MutableMatrix(rows: rows, columns: first.rowCount)
            multiply(features, .asStored, first, .transposed, into: hidden)
            rectify(hidden)
            output = MutableMatrix(rows: rows, columns: width)
            multiply(hidden, .asStored, second, .transposed, into: output)
            rectify(output)
            let blend = MutableMatrix(rows: rows, columns: width)
            add(output, times: ratio, to: blend)
            add(features, times: 1 - ratio, to: blend)
            unit = MutableMatrix(rows: rows, columns: width)
            lengths = MutableMatrix(rows: 1, columns: rows)
            normalizeRows(blend, into: unit, lengths: lengths)
        }

        func backward(_ unitGradient: MutableMatrix, second: Matrix, firstGradient: MutableMatrix, secondGradient: MutableMatrix) {
            let gradient = MutableMatrix(rows: unit.rowCount, columns: unit.columnCount)
            normalizeRowsBackward(output: unit, lengths: lengths, outputGradient: unitGradient, inputGradient: gradient)
            Tensors.scale(gradient, by: ratio)
            rectifyBackward(output: output, gradient: gradient)
            multiply(gradient, .transposed, hidden, .asStored, into: secondGradient, adding: true)
            let hiddenGradient = MutableMatrix(rows: hidden.rowCount, columns: hidden.columnCount)
            multiply(gradient, .asStored, second, .asStored, into: hiddenGradient)
            rectifyBackward(output: hidden, gradient: hiddenGradient)
            multiply(hiddenGradient, .transposed, features, .asStored, into: firstGradient, adding: true)
        }
    }

    private init(settings: Settings, first: Matrix, second: Matrix, texts: Matrix, scale: Float) {
        self.settings = settings
        self.first = first
        self.second = second
        self.texts = texts
        self.scale = scale
    }

    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix {
        _ = try features.unit(width: texts.columnCount)
        let pass = Pass(features: features.projected, first: first, second: second, ratio: Float(settings.ratio))
        return cosineScores(pass.unit.reading, to: texts, scale: scale)
    }

    package var linear: LinearClassifier? { nil }
    package var formula: HeadFormula? { .adapter(first: first, second: second, ratio: Float(settings.ratio), texts: texts, scale: scale) }
    package var parameterCount: Int { first.count + second.count }
    package var tensors: [HeadTensor] {
        [
            HeadTensor("fc.0.weight", first), HeadTensor("fc.2.weight", second), HeadTensor("text", texts),
            HeadTensor("logit_scale", scale),
        ]
    }

    package init(tensors: [String: HeadTensor], settings: Settings) throws(HeadError) {
        let reader = HeadTensorReader(tensors: tensors, head: Self.kind)
        let first = try reader.matrix("fc.0.weight")
        self.init(
            settings: settings, first: first,
            second: try reader.matrix("fc.2.weight", rows: first.columnCount, columns: first.rowCount),
            texts: try reader.matrix("text", columns: first.columnCount), scale: try reader.number("logit_scale"))
    }
}
