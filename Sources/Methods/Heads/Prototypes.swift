import Tensors

/// Class vectors that start at the texts and are trained by cross-entropy on cosines, with or without constraints: what CLAP
/// and ZS-LP share.
package struct Prototypes: HeadCore {
    /// `[classes, width]`, not of unit length.
    package let values: Matrix
    /// Where they started.
    let texts: Matrix
    let scale: Float
    /// λ_c of CLAP; zeros for ZS-LP.
    package let multipliers: [Float]

    /// Learns from all views, each a row of its own.
    ///
    ///     loss = CE(s · f̂·p̂_c) + mean_c λ_c ‖p_c − t_c‖²
    init(
        _ examples: HeadExamples, head: HeadKind, settings: PrototypeSettings, isConstrained: Bool, context: HeadContext
    ) throws(HeadError) {
        try examples.needsAllClasses(head)
        try settings.check(head)
        let classCount = examples.classCount
        let multipliers = isConstrained ? Self.multipliers(examples) : [Float](repeating: 0, count: classCount)
        var prototypes = HeadParameter(examples.texts)
        let cosine = CosineClassLoss(classCount: classCount, width: examples.width, scale: examples.logitScale)
        try HeadEpochs(head: head, epochCount: settings.epochs, batchSize: settings.batchSize).run(
            context, rowsOfEpoch: { _ in Array(0..<examples.count) }
        ) { rows, epoch, _, _ throws(HeadError) in
            var loss = cosine.add(
                features: gathered(rows, of: examples.unit), labels: rows.map { examples.labels[$0] }, classes: prototypes.value,
                to: prototypes.gradient)
            if isConstrained {
                for label in 0..<classCount {
                    let factor = 2 * multipliers[label] / Float(classCount)
                    let (own, text, gradient) = (prototypes.value.row(label), examples.texts.row(label), prototypes.gradient.row(label))
                    let distance = zip(own.values, text.values).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
                    loss += Double(multipliers[label]) * distance / Double(classCount)
                    add(own, times: factor, to: gradient)
                    add(text, times: -factor, to: gradient)
                }
            }
            prototypes.stepWithMomentum(
                rate: warmedCosineRate(base: settings.learningRate, epoch: epoch, epochCount: settings.epochs),
                momentum: settings.momentum, decay: settings.weightDecay)
            return loss
        }
        values = prototypes.value.reading
        texts = examples.texts
        scale = examples.logitScale
        self.multipliers = multipliers
    }

    /// λ_c: the mean probability that the texts alone give class c on its own views.
    static func multipliers(_ examples: HeadExamples) -> [Float] {
        let probabilities = MutableMatrix(rows: examples.count, columns: examples.classCount)
        multiply(examples.unit, .asStored, examples.unitTexts, .transposed, into: probabilities, scale: examples.logitScale)
        softmaxOfRows(probabilities)
        var sums = [Double](repeating: 0, count: examples.classCount)
        var counts = sums
        for (row, label) in examples.labels.enumerated() {
            sums[label] += Double(probabilities[row, label])
            counts[label] += 1
        }
        return zip(sums, counts).map { Float($0 / max(1, $1)) }
    }

    package init(_ reader: HeadTensorReader) throws(HeadError) {
        values = try reader.matrix("prototypes")
        texts = try reader.matrix("base_text_features", rows: values.rowCount, columns: values.columnCount)
        scale = try reader.number("logit_scale")
        multipliers = try reader.vector("multipliers", count: values.rowCount)
    }

    package var parameterCount: Int { values.count }
    package var tensors: [HeadTensor] {
        [
            HeadTensor("prototypes", values), HeadTensor("base_text_features", texts), HeadTensor("logit_scale", scale),
            HeadTensor("multipliers", multipliers),
        ]
    }

    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix {
        cosineScores(try features.unit(width: values.columnCount), to: try unitRows(values, "the prototypes"), scale: scale)
    }

    package var linear: LinearClassifier? { (try? unitRows(values, "the prototypes")).map { LinearClassifier(weight: scaled($0, by: scale)) } }
}

/// CLAP and ZS-LP.
package protocol PrototypeHead: CoreHead where Core == Prototypes, Settings == PrototypeSettings {
    /// Whether the class vectors are held near the texts.
    static var isConstrained: Bool { get }
}

extension PrototypeHead {
    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: PrototypeSettings, context: HeadContext
    ) throws(HeadError) -> Self {
        Self(
            settings: settings,
            core: try Prototypes(examples, head: kind, settings: settings, isConstrained: isConstrained, context: context))
    }
}

/// Settings of CLAP and ZS-LP.
package struct PrototypeSettings: HeadSettings {
    package var epochs = 300
    package var batchSize = 256
    package var learningRate = 0.1
    package var momentum = 0.9
    package var weightDecay: Double = 0
    package init() {}

    func check(_ head: HeadKind) throws(HeadError) {
        for (name, count) in [("epochs", epochs), ("batchSize", batchSize)] where !(1...1_000_000).contains(count) {
            throw .setting(name: name, value: "\(count)", head: head)
        }
        for (name, value) in [("learningRate", learningRate), ("momentum", momentum), ("weightDecay", weightDecay)]
        where !(0...1000).contains(value) {
            throw .setting(name: name, value: "\(value)", head: head)
        }
    }
}
