import Tensors

/// What of CLIP the bridge trains: which side (`methods.md` 1.1, `USE`), or low-rank updates of both (`LowRankUpdates`).
package enum Tuning: String, Sendable, CaseIterable, Codable {
    case both, image, text, lora

    /// The tensors of CLIP that it trains (`methods.md` 1.1).
    ///
    /// - Parameter trainsTokens: also the token table, which ViFi-CLIP leaves as it is.
    package func learned<Element>(_ parameters: BackboneParameters<Element>, trainsTokens: Bool = false) -> [Element] {
        let text = trainsTokens ? parameters.text.all : Array(parameters.text.all.dropFirst())
        return switch self {
        case .both: parameters.vision.all + text + [parameters.logitScale]
        case .image: parameters.vision.all
        case .text: text
        case .lora: []
        }
    }
}

/// Stage one: CLIP's own weights learn, and under `both` its temperature.
package final class WeightPart<Aggregator: VideoAggregator>: BackbonePart {
    package let aggregator: Aggregator
    package let parameters: BackboneParameters<MutableMatrix>
    package let gradients: BackboneParameters<MutableMatrix>
    package let architecture: CLIPArchitecture
    package let vision: VisionTower
    package let text: TextTower
    private let description: BackboneDescription
    private let tuning: Tuning
    private let trainsTokens: Bool
    private let rounding: Float16Rounding
    private let precision: Precision
    /// In how many sentences a classifier reads each class.
    private let templateCount: Int
    /// Of the learning rate, for what frames say to each other.
    private let messageRateFactor: Double
    /// Rounded text inputs: the tower reads them in place of the parameters.
    private let roundedPositions: MutableMatrix?

    /// - Parameters:
    ///   - parameters: the weights that learn; read anew at each step.
    ///   - gradients: of the same shapes, added to.
    ///   - trainsTokens: also the token table, which ViFi-CLIP leaves as it is (`methods.md` 1.1).
    ///   - templateCount: in how many sentences a classifier reads each class.
    ///   - messageRateFactor: of the learning rate, for what frames of an X-CLIP say to each other; its head is the aggregator.
    package init(
        parameters: BackboneParameters<MutableMatrix>, gradients: BackboneParameters<MutableMatrix>, architecture: CLIPArchitecture,
        description: BackboneDescription, tuning: Tuning = .both, trainsTokens: Bool = false, aggregator: Aggregator,
        rounding: Float16Rounding = [], precision: Precision = .float32, templateCount: Int = 1, messageRateFactor: Double = 1
    ) {
        precondition(parameters.crossFrame == nil || tuning == .image, "the texts of an X-CLIP do not learn")
        self.templateCount = templateCount
        self.messageRateFactor = messageRateFactor
        self.aggregator = aggregator
        self.parameters = parameters
        self.gradients = gradients
        self.architecture = architecture
        self.description = description
        self.tuning = tuning
        self.trainsTokens = trainsTokens
        self.rounding = rounding
        self.precision = precision
        var reading = parameters.map(\.reading)
        roundedPositions = rounding.contains(.textInputs) ? parameters.text.positionalEmbedding.roundedToFloat16() : nil
        if let roundedPositions {
            reading.text.positionalEmbedding = roundedPositions.reading
            // Never trained together with this rounding, so it is rounded once.
            reading.text.tokenEmbedding = reading.text.tokenEmbedding.roundedToFloat16().reading
        }
        vision = VisionTower(
            architecture: architecture, parameters: reading.vision, messages: reading.crossFrame?.messages ?? [], precision: precision)
        text = TextTower(architecture: architecture, parameters: reading.text, precision: precision)
    }

    package var visionKeeping: Keeping { tuning == .text ? .nothing : .weights }
    package var textKeeping: Keeping { tuning == .image ? .nothing : .weights }
    package var scale: Float { parameters.scale }

    /// It learns with the temperature, where a loss has a use for it, and without weight decay.
    package var logitBias: LogitBias? {
        guard let value = parameters.logitBias, let gradient = gradients.logitBias else { return nil }
        return LogitBias(
            value: value.reading,
            learned: tuning == .both ? LearnedTensor(name: CheckpointNames.logitBias, value: value, gradient: gradient, decays: false) : nil)
    }

    package var tensors: [LearnedTensor] {
        let specifications = BackboneParameters<TensorSpecification>(of: architecture)
        let isCrossFrame = parameters.crossFrame != nil
        let clip = zip(
            tuning.learned(specifications, trainsTokens: trainsTokens),
            zip(tuning.learned(parameters, trainsTokens: trainsTokens), tuning.learned(gradients, trainsTokens: trainsTokens))
        ).map { LearnedTensor(name: $0.name, value: $1.0, gradient: $1.1, decays: !isCrossFrame || $0.decaysInCrossFrame) }
        let said = zip(specifications.messages, zip(parameters.messages, gradients.messages)).map {
            LearnedTensor(name: $0.name, value: $1.0, gradient: $1.1, decays: $0.decaysInCrossFrame, rateFactor: messageRateFactor)
        }
        return clip + said + aggregator.tensors
    }

    package func begin(step: Int, layout: VisionLayout, pool: WorkerPool) {
        roundedPositions?.copyRounded(parameters.text.positionalEmbedding)
        let weights = vision.weights + text.weights
        pool.parallelFor(weights.count) { _, index in weights[index].refresh() }
    }

    package func visionBackward(
        _ pass: VisionPass, clips: [Matrix], input: ClipInput, draws: [FrameDraw], featureGradients: [MutableMatrix],
        accumulator: GradientAccumulator
    ) {
        let turnstile = Turnstile(gateCount: LearningVision.gateCount(of: architecture), pool: pass.pool)
        pass.backward(
            clips: clips, input: input, draws: draws, featureGradients: featureGradients, context: nil, promptAccumulators: [],
            weights: { [architecture, gradients] item in
                LearningVision(gradients: gradients, architecture: architecture, turnstile: turnstile, item: item)
            })
    }

    package func textBackward(featureGradient: Matrix, saved: TextActivations, pool: WorkerPool) {
        text.backward(
            featureGradient: featureGradient, saved: saved, promptGradients: [],
            weights: LearningText(gradients: gradients.text, architecture: architecture, pool: pool), pool: pool)
    }

    package func add(logitScale gradient: Double) {
        if tuning == .both { gradients.logitScale[0, 0] += Float(gradient) }
    }

    package func shared(_ accumulator: GradientAccumulator) -> [MutableMatrix] {
        (tuning == .image ? [] : [accumulator.step.head.unitText]) + (tuning == .text ? [] : gradients.vision.all + gradients.messages)
            + accumulator.step.head.aggregator
    }

    /// The text tower's gradients follow on each rank from what is added up here.
    package func combine(
        _ accumulator: GradientAccumulator, shares: Shares, over group: any ProcessGroup
    ) throws(ProcessGroupError) {
        guard group.count > 1 else { return }
        try group.sum(shared(accumulator))
        let bits = accumulator.step.head.logitScale.bitPattern
        let scales = try group.gathered((0..<8).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) })
        accumulator.setLogitScale(scales.reduce(0) { sum, bytes in
            sum + Double(bitPattern: bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        })
    }

    package var lowRankUpdates: LowRankUpdates? { nil }

    package func limitScale() { parameters.limitScale(to: BackboneParameters<MutableMatrix>.largestScale) }

    /// The weights as they are now, apart from those that go on learning.
    package func backbone(named name: String, provenance: String, pool: WorkerPool) -> Backbone {
        var description = description
        description.name = name
        description.provenance = provenance
        return Backbone(
            architecture: architecture, parameters: parameters.mutableCopy().map(\.reading), description: description
        ).computing(in: precision)
    }

    package func classifier(sequences: [[Int]], frameCount: Int, pool: WorkerPool) -> CLIPClassifier {
        let backbone = backbone(named: description.name, provenance: description.provenance, pool: pool).rounded(rounding)
        return CLIPClassifier(backbone: backbone, sequences: sequences, frameCount: frameCount, pool: pool) { [aggregator, templateCount] text in
            aggregator.snapshot.head(text: text, templateCount: templateCount, scale: backbone.logitScale)
        }
    }
}
