import Tensors

/// Which side of CLIP the bridge trains (`methods.md` 1.1, `USE`).
package enum Tuning: String, Sendable, CaseIterable, Codable {
    case both, image, text
}

/// Stage one: gradients of CLIP's own weights.
///
/// A step is `begin`, any number of `add`, then `finish`, as for `PromptLearner`.
package final class BackboneLearner {
    private let architecture: CLIPArchitecture
    private let tuning: Tuning
    private let fusion: Fusion
    private let pool: WorkerPool
    private let backbone: (vision: VisionTower, text: TextTower)
    private let parameters: BackboneParameters<MutableMatrix>
    private let vision: VisionPass
    private let text: TextActivations
    /// Rounded text inputs: the tower reads them in place of the parameters.
    private let roundedPositions: MutableMatrix?

    private var head: VideoHead
    private var headSums: VideoHead.Sums

    /// - Parameters:
    ///   - parameters: the weights that learn; read anew at each step.
    ///   - sequences: one token sequence a class, from start to end token.
    package init(
        parameters: BackboneParameters<MutableMatrix>, architecture: CLIPArchitecture, tuning: Tuning,
        sequences: [[Int]], fusion: Fusion, frameCount: Int, pool: WorkerPool, budget: MemoryBudget = .standard,
        rounding: HalfRounding = [], precision: Precision = .float32
    ) {
        self.architecture = architecture
        self.tuning = tuning
        self.fusion = fusion
        self.pool = pool
        self.parameters = parameters
        var reading = parameters.map(\.reading)
        roundedPositions = rounding.contains(.textInputs) ? parameters.text.positionalEmbedding.roundedToHalf() : nil
        if let roundedPositions {
            reading.text.positionalEmbedding = roundedPositions.reading
            // Never trained together with this rounding, so it is rounded once.
            reading.text.tokenEmbedding = reading.text.tokenEmbedding.roundedToHalf().reading
        }
        backbone = (
            VisionTower(architecture: architecture, parameters: reading.vision, precision: precision),
            TextTower(architecture: architecture, parameters: reading.text, precision: precision)
        )
        let vision = backbone.vision
        let visionKeeping: Keeping = tuning != .text ? .weights : .nothing
        text = TextActivations.fitted(
            layout: TextTowerLayout(batch: TextBatch(sequences: sequences, promptTokens: 0), promptDepth: 0, architecture: architecture),
            architecture: architecture, keeping: tuning != .image ? .weights : .nothing, threadCount: pool.threadCount,
            budget: budget
        ) {
            VisionPass.leastBytes(tower: vision, prompts: .none, frameCount: frameCount, keeping: visionKeeping, pool: pool)
        }
        self.vision = VisionPass(
            tower: vision, prompts: .none, frameCount: frameCount, keeping: visionKeeping, pool: pool, budget: budget)
        // A tower without a backward pass has no plan to fit: what it takes is taken.
        memoryShortfall = tuning != .text ? self.vision.shortfall : budget.excess()
        head = VideoHead(fusion: fusion, scale: 1, text: TextFeatures(text.features))
        headSums = VideoHead.Sums(classes: sequences.count, width: architecture.embeddingWidth)
    }

    /// Bytes that the memory budget is too small by.
    package let memoryShortfall: Int

    /// Text features of the weights as they are now.
    package func begin() {
        roundedPositions?.copyRounded(parameters.text.positionalEmbedding)
        let weights = backbone.vision.weights + backbone.text.weights
        pool.parallelFor(weights.count) { _, index in weights[index].refresh() }
        backbone.text.forward(prompts: [], saved: text, pool: pool)
        head = VideoHead(fusion: fusion, scale: parameters.scale, text: TextFeatures(text.features))
        headSums.unitText.fill(0)
        headSums.logitScale = 0
    }

    /// Adds the clips' gradients to `gradients`; parameters as for `PromptLearner.add`.
    package func add(
        clips: [Matrix], targets: [[Float]], weight: Float, into gradients: BackboneParameters<MutableMatrix>,
        to result: inout StepResult
    ) {
        for start in stride(from: 0, to: clips.count, by: vision.clipsInFlight) {
            let wave = Array(clips[start..<min(start + vision.clipsInFlight, clips.count)])
            let features = vision.forward(clips: wave, context: nil)
            let featureGradients = features.map { MutableMatrix(rows: $0.rowCount, columns: $0.columnCount) }
            for index in wave.indices {
                result.note(
                    head.loss(
                        features: features[index], target: targets[start + index], weight: weight,
                        featureGradient: featureGradients[index], sums: &headSums))
            }
            guard tuning != .text else { continue }
            let turnstile = Turnstile(gateCount: LearningVision.gateCount(of: architecture))
            vision.backward(
                clips: wave, featureGradients: featureGradients, context: nil, promptAccumulators: [],
                weights: { [architecture] item in
                    LearningVision(gradients: gradients.vision, architecture: architecture, turnstile: turnstile, item: item)
                })
        }
        result.clipCount += clips.count
    }

    /// Adds up what the clips of all ranks have left behind; the text tower's gradients follow from it on each rank.
    package func combine(over group: any ProcessGroup, gradients: BackboneParameters<MutableMatrix>) throws(ProcessGroupError) {
        guard group.count > 1 else { return }
        try group.sum(shared(gradients))
        let bits = headSums.logitScale.bitPattern
        let scales = try group.gathered((0..<8).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) })
        headSums.logitScale = scales.reduce(0) { sum, bytes in
            sum + Double(bitPattern: bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        }
    }

    /// What ranks hand to each other in a step.
    private func shared(_ gradients: BackboneParameters<MutableMatrix>) -> [MutableMatrix] {
        (tuning == .image ? [] : [headSums.unitText]) + (tuning == .text ? [] : gradients.vision.all)
    }

    /// Numbers that ranks hand to each other in a step.
    package func sharedCount(_ gradients: BackboneParameters<MutableMatrix>) -> Int { shared(gradients).reduce(0) { $0 + $1.count } }

    /// Adds the text tower's gradients, and the logit scale's under `both`.
    package func finish(into gradients: BackboneParameters<MutableMatrix>) {
        guard tuning != .image else { return }
        backbone.text.backward(
            featureGradient: head.text.backward(unitGradient: headSums.unitText).reading, saved: text, promptGradients: [],
            weights: LearningText(gradients: gradients.text, architecture: architecture), pool: pool)
        if tuning == .both { gradients.logitScale[0, 0] += Float(headSums.logitScale) }
    }
}
