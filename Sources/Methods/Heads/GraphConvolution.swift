import Tensors

/// A graph convolution takes the classes' texts to classifiers: each class's comes from its own text and those of the classes
/// that it is joined to.
///
///     H₁ = LeakyReLU(M (Â W₁) + b₁), …,  P = unit rows of M (H W) + b
///     loss = Σ over classes that have clips of ‖p_c − unit mean of their f̂‖² / (2 · their number)
///     logit_c = s · f̂·p_c
///
/// M is made of the graph (`ClassGraph`), Â are the unit texts. A class without clips is scored like the others. Source: Kampffmeyer
/// et al., CVPR 2019; cyvius96/DGP. The authors take WordNet's graph; here the graph is given, or joins each class to those whose
/// texts are nearest. All views count alike in a mean.
package struct GraphConvolution: Head {
    package static let kind = HeadKind.gcn

    package struct Settings: HeadSettings {
        package var epochs = 3000
        package var learningRate = 1e-3
        package var epsilon = 1e-8
        /// Added to the gradient, as PyTorch's Adam does.
        package var weightDecay = 5e-4
        /// Share of each layer's inputs that a step leaves out.
        package var dropout = 0.5
        /// Of each layer but the last.
        package var hiddenWidths = [2048]
        /// Of the rectifier below 0.
        package var slope = 0.2
        package var form = ClassGraph.Form.rows
        /// Classes that each is joined to by itself, where no edges are given; all where there are fewer.
        package var neighbors = 3
        /// The classes that edges lead from and to, in turn, counted from 0.
        package var edges: [Int]?
        package init() {}
    }

    package let settings: Settings
    /// P: `[classes, width]`, of unit length.
    package let weight: Matrix
    let scale: Float

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: Settings, context: HeadContext
    ) throws(HeadError) -> GraphConvolution {
        for width in settings.hiddenWidths { try check("hiddenWidths", Double(width), in: 1...65_536) }
        let widths = [examples.width] + settings.hiddenWidths + [examples.width]
        let layers = zip(widths, widths.dropFirst()).enumerated().map { item, shape in
            var random = RandomSource(seed: context.seed, purpose: .weights, item: item)
            // Uniform, after Glorot and Bengio 2010, equation 16.
            let bound = (6 / Float(shape.0 + shape.1)).squareRoot()
            let weight = (0..<shape.0 * shape.1).map { _ in random.uniform(in: -bound...bound) }
            return HeadLayer(weight: MutableMatrix(rows: shape.0, columns: shape.1, weight), bias: [Float](repeating: 0, count: shape.1))
        }
        let network = try learned(examples, settings: settings, start: layers, context: context)
        let output = network.forward(examples.unitTexts, kept: nil, pool: context.pool).output
        return GraphConvolution(settings: settings, weight: try unitRows(output, "the class vectors"), scale: examples.logitScale)
    }

    /// - Parameter start: the layers, whose memory is learned in.
    package static func learned(
        _ examples: HeadExamples, settings: Settings, start: [HeadLayer], context: HeadContext
    ) throws(HeadError) -> GraphNetwork {
        try check("epochs", count: settings.epochs)
        try check("learningRate", settings.learningRate, in: 0...1000)
        try check("epsilon", settings.epsilon, in: 0...1)
        try check("weightDecay", settings.weightDecay, in: 0...1000)
        try check("dropout", settings.dropout, in: 0...0.99)
        try check("slope", settings.slope, in: 0...1)
        var network = GraphNetwork(
            layers: start, matrices: try graph(examples, settings: settings).matrices(form: settings.form, layerCount: start.count),
            slope: Float(settings.slope))
        let seen = examples.clipCounts.indices.filter { examples.clipCounts[$0] > 0 }
        let targets = try unitRows(ClassSums(examples).means.rows(seen), "the class means").matrix.reading
        for epoch in 0..<settings.epochs {
            let kept = settings.dropout > 0 ? network.kept(rows: examples.classCount, settings.dropout, seed: context.seed, epoch: epoch) : nil
            let loss = network.loss(texts: examples.unitTexts, targets: targets, of: seen, kept: kept, pool: context.pool)
            network.step(rate: settings.learningRate, epsilon: settings.epsilon, decay: settings.weightDecay)
            try context.report(kind, step: epoch + 1, of: settings.epochs, loss: loss)
        }
        return network
    }

    private static func graph(_ examples: HeadExamples, settings: Settings) throws(HeadError) -> ClassGraph {
        try check("neighbors", count: settings.neighbors)
        guard let edges = settings.edges else { return ClassGraph(nearest: settings.neighbors, texts: examples.unitTexts) }
        return try ClassGraph(pairs: edges, classCount: examples.classCount)
    }

    /// The authors' settings with edges of somebody's own, as JSON.
    ///
    /// - Parameter graph: what `ClassGraph.edges` reads.
    package static func settingsText(graph: String, classNames: [String]) throws(HeadError) -> String {
        var settings = Settings()
        settings.edges = try ClassGraph.edges(in: graph, classNames: classNames)
        return text(of: settings)
    }

    private init(settings: Settings, weight: Matrix, scale: Float) {
        self.settings = settings
        self.weight = weight
        self.scale = scale
    }

    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix {
        cosineScores(try features.unit(width: weight.columnCount), to: weight, scale: scale)
    }

    package var linear: LinearClassifier? { LinearClassifier(weight: scaled(weight, by: scale)) }
    package var parameterCount: Int { weight.count }
    package var tensors: [HeadTensor] { [HeadTensor("weight", weight), HeadTensor("logit_scale", scale)] }

    package init(tensors: [String: HeadTensor], settings: Settings) throws(HeadError) {
        let reader = HeadTensorReader(tensors: tensors, head: Self.kind)
        self.init(settings: settings, weight: try reader.matrix("weight"), scale: try reader.number("logit_scale"))
    }
}

/// The layers of a graph convolution.
package struct GraphNetwork: Sendable {
    package private(set) var layers: [HeadLayer]
    /// `[classes, classes]` for each layer.
    private let matrices: [Matrix]
    private let slope: Float

    /// - Parameters:
    ///   - layers: at least one; each takes what the one before it gives.
    ///   - matrices: one for each layer.
    ///   - slope: of the rectifier below 0; it stands behind each layer but the last.
    package init(layers: [HeadLayer], matrices: [Matrix], slope: Float) {
        self.layers = layers
        self.matrices = matrices
        self.slope = slope
    }

    /// What the way back needs.
    package struct Saved {
        /// Of each layer, after some were left out.
        fileprivate var inputs: [Matrix] = []
        /// Of each layer.
        fileprivate var outputs: [Matrix] = []
    }

    /// - Parameters:
    ///   - texts: `[classes, width]`.
    ///   - kept: what each layer's inputs are multiplied by; nil leaves nothing out.
    /// - Returns: `[classes, width]`, not of unit length.
    package func forward(_ texts: Matrix, kept: [MutableMatrix]?, pool: WorkerPool) -> (output: Matrix, saved: Saved) {
        var saved = Saved()
        var output = texts
        for (index, layer) in layers.enumerated() {
            let input = MutableMatrix(rows: output.rowCount, columns: output.columnCount)
            input.copy(output)
            if let kept { multiplyPlaces(of: input, by: kept[index]) }
            let products = MutableMatrix(rows: input.rowCount, columns: layer.weight.value.columnCount)
            multiply(input, .asStored, layer.weight.value, .asStored, into: products, pool: pool)
            let sums = MutableMatrix(rows: products.rowCount, columns: products.columnCount)
            multiply(matrices[index], .asStored, products, .asStored, into: sums, pool: pool)
            add(layer.bias.value, toRowsOf: sums, into: sums)
            if index < layers.count - 1 { rectify(sums, slope: slope) }
            output = sums.reading
            saved.inputs.append(input.reading)
            saved.outputs.append(output)
        }
        return (output, saved)
    }

    /// Adds to the layers' gradients.
    ///
    /// - Parameter outputGradient: `[classes, width]`; its memory is used.
    private func backward(_ outputGradient: MutableMatrix, saved: Saved, kept: [MutableMatrix]?, pool: WorkerPool) {
        var gradient = outputGradient
        for (index, layer) in layers.enumerated().reversed() {
            if index < layers.count - 1 { rectifyBackward(output: saved.outputs[index], gradient: gradient, slope: slope) }
            sumRows(of: gradient, into: layer.bias.gradient)
            let mixed = MutableMatrix(rows: gradient.rowCount, columns: gradient.columnCount)
            multiply(matrices[index], .transposed, gradient, .asStored, into: mixed, pool: pool)
            multiply(saved.inputs[index], .transposed, mixed, .asStored, into: layer.weight.gradient, adding: true, pool: pool)
            guard index > 0 else { return }
            let inputGradient = MutableMatrix(rows: mixed.rowCount, columns: layer.weight.value.rowCount)
            multiply(mixed, .asStored, layer.weight.value, .transposed, into: inputGradient, pool: pool)
            if let kept { multiplyPlaces(of: inputGradient, by: kept[index]) }
            gradient = inputGradient
        }
    }

    /// Adds its gradient to the layers'.
    ///
    /// - Parameters:
    ///   - targets: `[some classes, width]`, of unit length.
    ///   - labels: the classes of the targets.
    package func loss(texts: Matrix, targets: Matrix, of labels: [Int], kept: [MutableMatrix]?, pool: WorkerPool) -> Double {
        let (output, saved) = forward(texts, kept: kept, pool: pool)
        let unit = MutableMatrix(rows: output.rowCount, columns: output.columnCount)
        let lengths = MutableMatrix(rows: 1, columns: output.rowCount)
        normalizeRows(output, into: unit, lengths: lengths)
        let unitGradient = MutableMatrix(rows: output.rowCount, columns: output.columnCount)
        for (place, label) in labels.enumerated() {
            unitGradient.row(label).copy(unit.row(label))
            add(targets.row(place), times: -1, to: unitGradient.row(label))
        }
        let loss = sumOfSquares(unitGradient) / Double(2 * labels.count)
        scale(unitGradient, by: 1 / Float(labels.count))
        let gradient = MutableMatrix(rows: output.rowCount, columns: output.columnCount)
        normalizeRowsBackward(output: unit, lengths: lengths, outputGradient: unitGradient, inputGradient: gradient)
        backward(gradient, saved: saved, kept: kept, pool: pool)
        return loss
    }

    /// For each layer 0 where an input is left out, and what keeps the sum in the mean elsewhere.
    func kept(rows: Int, _ dropout: Double, seed: UInt64, epoch: Int) -> [MutableMatrix] {
        layers.enumerated().map { item, layer in
            var random = RandomSource(seed: seed, purpose: .dropout, epoch: epoch, item: item)
            let columns = layer.weight.value.rowCount
            let (share, factor) = (Float(dropout), Float(1 / (1 - dropout)))
            return MutableMatrix(rows: rows, columns: columns, (0..<rows * columns).map { _ in random.uniform() < share ? 0 : factor })
        }
    }

    mutating func step(rate: Double, epsilon: Double, decay: Double) {
        for index in layers.indices {
            layers[index].weight.stepWithAdam(rate: rate, epsilon: epsilon, decayInGradient: decay)
            layers[index].bias.stepWithAdam(rate: rate, epsilon: epsilon, decayInGradient: decay)
        }
    }
}
