import Tensors

/// Low-rank updates of CLIP's attention learn (LoRA); CLIP's weights stay as they are. The towers compute with merged weights,
/// made anew at each step; what dropout changes of this is added block by block (`LowRankDropout`).
package final class LowRankPart<Aggregator: VideoAggregator>: BackbonePart {
    package let aggregator: Aggregator
    package let updates: LowRankUpdates
    package let vision: VisionTower
    package let text: TextTower
    private let gradients: LowRankUpdates
    private let backbone: Backbone
    private let description: BackboneDescription
    private let rounding: Float16Rounding
    /// Of each block of the text tower, then of the vision tower, `[3 × width, width]`.
    private let merged: [MutableMatrix]
    private let dropoutRate: Float
    private let seed: UInt64
    package private(set) var textDropout: LowRankDropout?
    private var visionDropout: LowRankDropout?

    /// - Parameters:
    ///   - updates: what learns; read anew at each step.
    ///   - dropoutRate: of the updates' inputs while they learn, in `0 ..< 1`; above 0 for a backbone in float32 alone.
    ///   - seed: of what is left out.
    ///   - description: of the backbones that this makes.
    package init(
        _ updates: LowRankUpdates, dropoutRate: Float = 0, seed: UInt64 = 0, aggregator: Aggregator, on backbone: Backbone,
        description: BackboneDescription, rounding: Float16Rounding = []
    ) {
        precondition(backbone.architecture.crossFrame == nil, "an X-CLIP has no low-rank updates")
        precondition(dropoutRate == 0 || backbone.precision == .float32, "dropout is computed in float32")
        (self.dropoutRate, self.seed) = (dropoutRate, seed)
        self.updates = updates
        self.aggregator = aggregator
        self.backbone = backbone
        self.description = description
        self.rounding = rounding
        gradients = updates.zeros
        merged = LowRankUpdates.adaptedWeights(of: backbone.parameters).map { MutableMatrix(rows: $0.rowCount, columns: $0.columnCount) }
        var parameters = backbone.parameters
        parameters.text = backbone.rounded(rounding).text.parameters
        LowRankUpdates.replaceAdaptedWeights(of: &parameters, with: merged.map(\.reading))
        vision = VisionTower(architecture: backbone.architecture, parameters: parameters.vision, precision: backbone.precision)
        text = TextTower(architecture: backbone.architecture, parameters: parameters.text, precision: backbone.precision)
    }

    package var visionKeeping: Keeping { .weights }
    package var textKeeping: Keeping { .weights }
    package var scale: Float { backbone.logitScale }
    package var logitBias: LogitBias? { backbone.parameters.logitBias.map { LogitBias(value: $0) } }

    package var tensors: [LearnedTensor] {
        zip(updates.named, gradients.named).map { LearnedTensor(name: $0.name, value: $0.value, gradient: $1.value) } + aggregator.tensors
    }

    package func begin(step: Int, layout: VisionLayout, pool: WorkerPool) {
        updates.merge(with: backbone.parameters, into: merged, pool: pool)
        let weights = (text.blocks + vision.blocks).flatMap(\.weights.attentionInput)
        pool.parallelFor(weights.count) { _, index in weights[index].refresh() }
    }

    package func drawTexts(step: Int, clip: Int) { textDropout = dropout(of: updates.text, tower: .text, step: step, clip: clip) }
    package func drawClips(step: Int, clip: Int) { visionDropout = dropout(of: updates.vision, tower: .vision, step: step, clip: clip) }

    private func dropout(of factors: [[LowRankUpdates.Factors]], tower: LowRankDropout.Tower, step: Int, clip: Int) -> LowRankDropout? {
        guard dropoutRate > 0 else { return nil }
        return LowRankDropout(
            factors: factors, scale: updates.scale, rate: dropoutRate, seed: seed, step: step, tower: tower, clip: clip)
    }

    package var context: VisionPromptContext? { visionDropout.map { VisionPromptContext(dropout: $0) } }

    package func visionBackward(
        _ pass: VisionPass, clips: [Matrix], input: ClipInput, draws: [FrameDraw], featureGradients: [MutableMatrix],
        accumulator: GradientAccumulator
    ) {
        let turnstile = Turnstile(gateCount: vision.blocks.count * BlockContribution.gateCount, pool: pass.pool)
        pass.backward(
            clips: clips, input: input, draws: draws, featureGradients: featureGradients, context: context, promptAccumulators: [],
            weights: { [updates, gradients] item in LowRankVision(updates: updates, gradients: gradients, turnstile: turnstile, item: item) })
    }

    package func textBackward(featureGradient: Matrix, saved: TextActivations, pool: WorkerPool) {
        let turnstile = Turnstile(gateCount: text.blocks.count * BlockContribution.gateCount, pool: pool)
        text.backward(
            featureGradient: featureGradient, saved: saved, promptGradients: [], dropout: textDropout,
            weights: LowRankText(updates: updates, gradients: gradients, turnstile: turnstile), pool: pool)
    }

    package func add(logitScale gradient: Double) {}

    package func shared(_ accumulator: GradientAccumulator) -> [MutableMatrix] {
        [accumulator.step.head.unitText] + gradients.vision.flatMap { $0.flatMap { [$0.a, $0.b] } } + accumulator.step.head.aggregator
    }

    /// The text tower's gradients follow on each rank from what is added up here.
    package func combine(
        _ accumulator: GradientAccumulator, shares: Shares, over group: any ProcessGroup
    ) throws(ProcessGroupError) {
        if group.count > 1 { try group.sum(shared(accumulator)) }
    }

    package func limitScale() {}
    package var lowRankUpdates: LowRankUpdates? { updates }

    /// CLIP with the updates as they are now, apart from those that go on learning.
    package func backbone(named name: String, provenance: String, pool: WorkerPool) -> Backbone {
        var description = description
        description.name = name
        description.provenance = provenance
        return updates.merged(with: backbone, described: description, pool: pool)
    }

    package func classifier(sequences: [[Int]], frameCount: Int, pool: WorkerPool) -> CLIPClassifier {
        CLIPClassifier(
            backbone: backbone(named: description.name, provenance: description.provenance, pool: pool).rounded(rounding), sequences: sequences,
            aggregator: aggregator.snapshot, frameCount: frameCount, pool: pool)
    }
}
