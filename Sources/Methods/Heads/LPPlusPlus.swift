import Tensors

/// LP++: a linear probe whose scores are blended with the texts' by weights that are learned too.
///
///     logit_c = f̂·w_c + b_c + α_c (f̂·t̂_c)
///
/// Source: Huang et al., CVPR 2024, with step sizes from their Lipschitz bounds, as
/// FereshteShakeri/FewShot-CLIP-Strong-Baseline has it: the gradient of α is never cleared there, so each of its steps goes
/// along the sum of all gradients since the beginning. It learns from each clip's first view.
package struct LPPlusPlus: Head {
    package static let kind = HeadKind.lpPlusPlus

    package struct Settings: HeadSettings {
        package var epochs = 300
        package var momentum = 0.9
        /// α starts at this times the mean cosine of clips to their texts.
        package var alphaFactor: Double = 250
        /// α steps once in so many epochs.
        package var alphaInterval = 10
        package init() {}
    }

    package let settings: Settings
    /// `[classes, width]`.
    package let weight: Matrix
    package let bias: [Float]
    package let alpha: [Float]
    /// `[classes, width]`, of unit length.
    let texts: Matrix

    /// What learning begins with.
    package struct Start {
        package let weight: Matrix
        package let alpha: Float
        package let weightRate: Double
        package let alphaRate: Double
    }

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: Settings, context: HeadContext
    ) throws(HeadError) -> LPPlusPlus {
        var random = RandomSource(seed: context.seed, purpose: .weights)
        // PyTorch's Linear: uniform up to 1/√width.
        let bound = 1 / Float(examples.width).squareRoot()
        let bias = (0..<examples.classCount).map { _ in random.uniform(in: -bound...bound) }
        return try fit(examples, validation: validation, settings: settings, bias: bias, context: context)
    }

    /// - Parameter bias: its start.
    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: Settings, bias: [Float], context: HeadContext
    ) throws(HeadError) -> LPPlusPlus {
        try examples.needsAllClasses(kind)
        try check("epochs", count: settings.epochs)
        try check("alphaInterval", count: settings.alphaInterval)
        try check("momentum", settings.momentum, in: 0...1)
        try check("alphaFactor", settings.alphaFactor, in: 0...1e6)
        let rows = examples.rows(ofView: 0)
        let features = gathered(rows, of: examples.unit)
        let labels = rows.map { examples.labels[$0] }
        let cosines = cosineScores(features.reading, to: examples.unitTexts, scale: 1)
        let start = try start(examples, settings: settings)
        var weight = HeadParameter(start.weight)
        var biases = HeadParameter(MutableMatrix(rows: 1, columns: bias.count, bias))
        let alpha = MutableMatrix(rows: 1, columns: bias.count)
        alpha.fill(start.alpha)
        let alphaGradient = MutableMatrix(rows: 1, columns: bias.count)
        func head() -> LPPlusPlus {
            // A copy: the next epochs go on changing the weights.
            let copy = MutableMatrix(rows: bias.count, columns: examples.width, weight.value.values)
            return LPPlusPlus(
                settings: settings, weight: copy.reading, bias: biases.value.values, alpha: alpha.values, texts: examples.unitTexts)
        }
        var best: (accuracy: Double, head: LPPlusPlus)?
        let logits = MutableMatrix(rows: features.rowCount, columns: bias.count)
        for epoch in 1...settings.epochs {
            fillScores(
                logits, features: features.reading, weight: weight.value.reading, bias: biases.value.values, alpha: alpha.values,
                cosines: cosines)
            let loss = crossEntropyOfRows(logits, labels: labels)
            multiply(logits, .transposed, features, .asStored, into: weight.gradient)
            sumRows(of: logits, into: biases.gradient)
            multiplyPlaces(of: logits, by: cosines)
            sumRows(of: logits, into: alphaGradient)
            weight.stepWithMomentum(rate: start.weightRate, momentum: settings.momentum, decay: 0)
            biases.stepWithMomentum(rate: start.weightRate, momentum: settings.momentum, decay: 0)
            if epoch % settings.alphaInterval == 0 { add(alphaGradient, times: Float(-start.alphaRate), to: alpha) }
            if let validation {
                let head = head()
                let found = accuracy(try head.logits(of: validation.features), labels: validation.labels)
                // The last of equal ones, as the authors keep it.
                if found >= best?.accuracy ?? 0 { best = (found, head) }
            }
            try context.report(kind, step: epoch, of: settings.epochs, loss: loss)
        }
        return best?.head ?? head()
    }

    /// w_c is the sum of a class's features; rates are 4n/λmax(XᵀX) and n/(4 max_c Σ(f̂·t̂_c)²).
    package static func start(_ examples: HeadExamples, settings: Settings) throws(HeadError) -> Start {
        let rows = examples.rows(ofView: 0)
        let features = gathered(rows, of: examples.unit)
        let labels = rows.map { examples.labels[$0] }
        let cosines = cosineScores(features.reading, to: examples.unitTexts, scale: 1)
        let classCount = examples.classCount
        let weight = MutableMatrix(rows: classCount, columns: examples.width)
        var counts = [Double](repeating: 0, count: classCount)
        var own = [Double](repeating: 0, count: classCount)
        var squares = [Double](repeating: 0, count: classCount)
        for (row, label) in labels.enumerated() {
            add(features.row(row), to: weight.row(label))
            counts[label] += 1
            own[label] += Double(cosines[row, label])
            for other in 0..<classCount { squares[other] += Double(cosines[row, other]) * Double(cosines[row, other]) }
        }
        let alpha = settings.alphaFactor * (0..<classCount).reduce(0) { $0 + own[$1] / counts[$1] } / Double(classCount)
        let double = DoubleMatrix(features)
        guard let eigen = SymmetricEigen(product(double, .transposed, double, .asStored)), let largest = eigen.values.last, largest > 0,
            let most = squares.max(), most > 0
        else { throw .notNumbers(what: "the step sizes", row: 0) }
        let count = Double(labels.count)
        return Start(
            weight: weight.reading, alpha: Float(alpha), weightRate: 4 * count / largest, alphaRate: count / (4 * most))
    }

    private static func fillScores(
        _ logits: MutableMatrix, features: Matrix, weight: Matrix, bias: [Float], alpha: [Float], cosines: Matrix
    ) {
        let width = bias.count
        fillRows(of: logits, with: MutableMatrix(rows: 1, columns: width, alpha))
        multiplyPlaces(of: logits, by: cosines)
        multiply(features, .asStored, weight, .transposed, into: logits, adding: true)
        let row = MutableMatrix(rows: 1, columns: width, bias)
        add(row, toRowsOf: logits, into: logits)
    }

    private init(settings: Settings, weight: Matrix, bias: [Float], alpha: [Float], texts: Matrix) {
        self.settings = settings
        self.weight = weight
        self.bias = bias
        self.alpha = alpha
        self.texts = texts
    }

    package static func candidates(rowCount: Int) -> [Settings] {
        [300, 100, 30].map { epochs in
            var settings = Settings()
            settings.epochs = epochs
            return settings
        }
    }

    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix {
        let unit = try features.unit(width: weight.columnCount)
        let logits = MutableMatrix(rows: unit.rowCount, columns: bias.count)
        Self.fillScores(
            logits, features: unit, weight: weight, bias: bias, alpha: alpha, cosines: cosineScores(unit, to: texts, scale: 1))
        return logits.reading
    }

    package var linear: LinearClassifier? {
        let sum = MutableMatrix(rows: weight.rowCount, columns: weight.columnCount)
        sum.copy(weight)
        for label in alpha.indices { add(texts.row(label), times: alpha[label], to: sum.row(label)) }
        return LinearClassifier(weight: sum, bias: bias)
    }

    package var parameterCount: Int { weight.count + bias.count + alpha.count }
    package var tensors: [HeadTensor] {
        [HeadTensor("weight", weight), HeadTensor("bias", bias), HeadTensor("alpha", alpha), HeadTensor("text", texts)]
    }

    package init(tensors: [String: HeadTensor], settings: Settings) throws(HeadError) {
        let reader = HeadTensorReader(tensors: tensors, head: Self.kind)
        let weight = try reader.matrix("weight")
        self.init(
            settings: settings, weight: weight, bias: try reader.vector("bias", count: weight.rowCount),
            alpha: try reader.vector("alpha", count: weight.rowCount),
            texts: try reader.matrix("text", rows: weight.rowCount, columns: weight.columnCount))
    }
}
