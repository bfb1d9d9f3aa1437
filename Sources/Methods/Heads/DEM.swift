import Tensors

/// DEM: a small network takes each class's text to where the features of its clips lie.
///
///     e_c = ReLU(â_c W₁ + b₁), or with two layers ReLU(ReLU(â_c W₁ + b₁) W₂ + b₂)
///     loss = mean of (e_y − f̂)² + ρ · ½ Σ θ²
///     logit_c = s · f̂·ê_c, or by distances −‖f̂ − e_c‖²
///
/// The mean is over all numbers of a batch, the sum over weights and biases. A class without clips is scored by what the
/// network makes of its text. Source: Zhang, Xiang and Gong, CVPR 2017; lzrobots/DeepEmbeddingModel_ZSL. Every epoch sees one
/// view of each clip, the next one in turn.
package struct DEM: Head {
    package static let kind = HeadKind.dem

    package struct Settings: HeadSettings {
        /// 1, as the authors have it for word vectors, or 2, as for attributes.
        package var layers = 1
        /// Of the first of two layers, as theirs for 312 attributes and features of 1024 numbers.
        package var hiddenWidth = 700
        /// Batches.
        package var steps = 5000
        package var batchSize = 64
        package var learningRate = 1e-4
        package var epsilon = 1e-8
        /// ρ. nil: theirs, 1e-3 for one layer and 1e-2 for two.
        package var strength: Double?
        /// Whether classes are compared by cosines, and not by distances. nil: theirs, with one layer.
        package var usesCosine: Bool?
        package init() {}
    }

    package let settings: Settings
    /// e: `[classes, width]`.
    package let embeddings: Matrix
    let scale: Float

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: Settings, context: HeadContext
    ) throws(HeadError) -> DEM {
        guard (1...2).contains(settings.layers) else { throw .setting(name: "layers", value: "\(settings.layers)", head: kind) }
        try check("hiddenWidth", Double(settings.hiddenWidth), in: 1...65_536)
        let widths = [examples.width] + (settings.layers == 2 ? [settings.hiddenWidth] : []) + [examples.width]
        let start = zip(widths, widths.dropFirst()).enumerated().map { item, shape in
            var random = RandomSource(seed: context.seed, purpose: .weights, item: item)
            let weight = (0..<shape.0 * shape.1).map { _ in 0.1 * random.truncatedNormal() }
            return HeadLayer(
                weight: MutableMatrix(rows: shape.0, columns: shape.1, weight), bias: [Float](repeating: 0.1, count: shape.1))
        }
        let network = try learned(examples, settings: settings, start: EmbeddingNetwork(layers: start), context: context)
        return DEM(
            settings: settings, embeddings: network.embeddings(of: examples.unitTexts, pool: context.pool), scale: examples.logitScale)
    }

    /// - Parameter start: of as many layers as the settings say; its memory is learned in.
    package static func learned(
        _ examples: HeadExamples, settings: Settings, start: EmbeddingNetwork, context: HeadContext
    ) throws(HeadError) -> EmbeddingNetwork {
        try check("steps", count: settings.steps)
        try check("batchSize", count: settings.batchSize)
        try check("learningRate", settings.learningRate, in: 0...1000)
        try check("epsilon", settings.epsilon, in: 0...1)
        let strength = settings.strength ?? (settings.layers == 1 ? 1e-3 : 1e-2)
        try check("strength", strength, in: 0...1e6)
        var network = start
        var rows: ArraySlice<Int> = []
        var epoch = 0
        for step in 1...settings.steps {
            if rows.isEmpty {
                let all = examples.rows(ofView: epoch)
                var random = RandomSource(seed: context.seed, purpose: .order, epoch: epoch)
                // Where one batch holds all, its order changes nothing but rounding.
                rows = all.count > settings.batchSize ? random.permutation(of: all.count).map { all[$0] }[...] : all[...]
                epoch += 1
            }
            let batch = Array(rows.prefix(settings.batchSize))
            rows = rows.dropFirst(batch.count)
            let loss = network.loss(
                texts: gathered(batch.map { examples.labels[$0] }, of: examples.unitTexts).reading,
                features: gathered(batch, of: examples.unit).reading, strength: strength, pool: context.pool)
            network.step(rate: settings.learningRate, epsilon: settings.epsilon)
            try context.report(kind, step: step, of: settings.steps, loss: loss)
        }
        return network
    }

    private init(settings: Settings, embeddings: Matrix, scale: Float) {
        self.settings = settings
        self.embeddings = embeddings
        self.scale = scale
    }

    private var usesCosine: Bool { settings.usesCosine ?? (settings.layers == 1) }

    /// The cosines, or 2 f̂·e − ‖e‖², which is the negative squared distance but for ‖f̂‖² = 1.
    private var classifier: LinearClassifier {
        if usesCosine {
            // An embedding of zeros has no direction; its cosines count as 0.
            let unit = MutableMatrix(rows: embeddings.rowCount, columns: embeddings.columnCount)
            normalizeRows(embeddings, into: unit, lengths: MutableMatrix(rows: 1, columns: embeddings.rowCount))
            return LinearClassifier(weight: scaled(unit, by: scale))
        }
        let squares = (0..<embeddings.rowCount).map { row in
            Float(-embeddings.row(row).values.reduce(0.0) { $0 + Double($1) * Double($1) })
        }
        return LinearClassifier(weight: scaled(embeddings, by: 2), bias: squares)
    }

    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix {
        let scores = try classifier.logits(ofUnit: features.unit(width: embeddings.columnCount))
        if usesCosine { return scores }
        return MutableMatrix(rows: scores.rowCount, columns: scores.columnCount, scores.values.map { $0 - 1 }).reading
    }

    package var linear: LinearClassifier? { classifier }
    package var formula: HeadFormula? { .linear(classifier, adding: usesCosine ? 0 : -1) }
    package var parameterCount: Int { embeddings.count }
    package var tensors: [HeadTensor] { [HeadTensor("embeddings", embeddings), HeadTensor("logit_scale", scale)] }

    package init(tensors: [String: HeadTensor], settings: Settings) throws(HeadError) {
        let reader = HeadTensorReader(tensors: tensors, head: Self.kind)
        self.init(settings: settings, embeddings: try reader.matrix("embeddings"), scale: try reader.number("logit_scale"))
    }

    /// Both of the authors' forms, as texts are neither attributes nor word vectors. Their features are not of unit length: of
    /// two layers their ρ would leave nothing.
    package static func candidates(rowCount: Int) -> [Settings] {
        var two = Settings()
        (two.layers, two.strength) = (2, 1e-4)
        return [Settings(), two]
    }
}

/// The network of DEM, from texts to features.
package struct EmbeddingNetwork: Sendable {
    /// The first is nearest to the texts.
    package private(set) var layers: [HeadLayer]

    /// - Parameter layers: at least one; each takes what the one before it gives.
    package init(layers: [HeadLayer]) { self.layers = layers }

    /// - Parameter texts: `[classes, width]`, of unit length.
    /// - Returns: `[classes, width]`.
    package func embeddings(of texts: Matrix, pool: WorkerPool) -> Matrix { forward(texts, pool: pool).last ?? texts }

    /// The input, then what each layer gives.
    private func forward(_ input: Matrix, pool: WorkerPool) -> [Matrix] {
        layers.reduce(into: [input]) { outputs, layer in
            let input = outputs[outputs.count - 1]
            let output = MutableMatrix(rows: input.rowCount, columns: layer.weight.value.columnCount)
            multiply(input, .asStored, layer.weight.value, .asStored, into: output, pool: pool)
            add(layer.bias.value, toRowsOf: output, into: output)
            rectify(output)
            outputs.append(output.reading)
        }
    }

    /// Adds to the layers' gradients.
    private func backward(_ outputGradient: MutableMatrix, outputs: [Matrix], pool: WorkerPool) {
        var gradient = outputGradient
        for (index, layer) in layers.enumerated().reversed() {
            rectifyBackward(output: outputs[index + 1], gradient: gradient)
            sumRows(of: gradient, into: layer.bias.gradient)
            multiply(outputs[index], .transposed, gradient, .asStored, into: layer.weight.gradient, adding: true, pool: pool)
            guard index > 0 else { return }
            let inputGradient = MutableMatrix(rows: gradient.rowCount, columns: layer.weight.value.rowCount)
            multiply(gradient, .asStored, layer.weight.value, .transposed, into: inputGradient, pool: pool)
            gradient = inputGradient
        }
    }

    /// Adds its gradient to the layers'.
    ///
    /// - Parameters:
    ///   - texts: `[rows, width]`, those of the rows' classes.
    ///   - features: `[rows, width]`.
    package func loss(texts: Matrix, features: Matrix, strength: Double, pool: WorkerPool) -> Double {
        let outputs = forward(texts, pool: pool)
        let difference = MutableMatrix(rows: features.rowCount, columns: features.columnCount)
        difference.copy(outputs[layers.count])
        add(features, times: -1, to: difference)
        let error = sumOfSquares(difference) / Double(difference.count)
        scale(difference, by: 2 / Float(difference.count))
        backward(difference, outputs: outputs, pool: pool)
        var penalty = 0.0
        for parameter in layers.flatMap({ [$0.weight, $0.bias] }) {
            penalty += sumOfSquares(parameter.value) / 2
            add(parameter.value, times: Float(strength), to: parameter.gradient)
        }
        return error + strength * penalty
    }

    mutating func step(rate: Double, epsilon: Double) {
        for index in layers.indices {
            layers[index].weight.stepWithTensorFlowAdam(rate: rate, epsilon: epsilon)
            layers[index].bias.stepWithTensorFlowAdam(rate: rate, epsilon: epsilon)
        }
    }
}

func sumOfSquares(_ matrix: some Readable) -> Double {
    matrix.values.reduce(0) { $0 + Double($1) * Double($1) }
}
