import Tensors

/// What of a CLIP learns from pairs of videos and captions, and how its gradients are taken.
package protocol ContrastivePart {
    associatedtype Gradients
    var vision: VisionTower { get }
    var text: TextTower { get }
    var prompts: PromptConfiguration { get }
    /// What each tower keeps for its backward pass; `.nothing` where it learns nothing.
    var visionKeeping: Keeping { get }
    var textKeeping: Keeping { get }
    /// `exp(logit_scale)`
    var scale: Float { get }
    var textPrompts: [Matrix] { get }
    var context: VisionPromptContext? { get }

    /// Reads what learns as it is now.
    ///
    /// - Parameter slots: chunks of a wave.
    func begin(layout: VisionLayout, slots: Int, pool: WorkerPool)
    func add(logitScale gradient: Double, to gradients: Gradients)
    func visionBackward(_ pass: VisionPass, clips: [Matrix], featureGradients: [MutableMatrix], into gradients: Gradients)
    func textBackward(featureGradient: Matrix, saved: TextActivations, into gradients: Gradients, pool: WorkerPool)
    func finish(layout: VisionLayout, into gradients: Gradients)
}

/// CLIP's own weights, and under `both` its temperature.
package final class ContrastiveWeights: ContrastivePart {
    package let vision: VisionTower
    package let text: TextTower
    private let architecture: CLIPArchitecture
    private let parameters: BackboneParameters<MutableMatrix>
    private let tuning: Tuning

    /// - Parameter parameters: the weights that learn; read anew at each step.
    package init(
        parameters: BackboneParameters<MutableMatrix>, architecture: CLIPArchitecture, tuning: Tuning = .both,
        precision: Precision = .float32
    ) {
        self.parameters = parameters
        self.architecture = architecture
        self.tuning = tuning
        let reading = parameters.map(\.reading)
        vision = VisionTower(architecture: architecture, parameters: reading.vision, precision: precision)
        text = TextTower(architecture: architecture, parameters: reading.text, precision: precision)
    }

    package var prompts: PromptConfiguration { .none }
    package var visionKeeping: Keeping { tuning == .text ? .nothing : .weights }
    package var textKeeping: Keeping { tuning == .image ? .nothing : .weights }
    package var scale: Float { parameters.scale }
    package var textPrompts: [Matrix] { [] }
    package var context: VisionPromptContext? { nil }

    package func begin(layout: VisionLayout, slots: Int, pool: WorkerPool) {
        let weights = vision.weights + text.weights
        pool.parallelFor(weights.count) { _, index in weights[index].refresh() }
    }

    package func add(logitScale gradient: Double, to gradients: BackboneParameters<MutableMatrix>) {
        if tuning == .both { gradients.logitScale[0, 0] += Float(gradient) }
    }

    package func visionBackward(
        _ pass: VisionPass, clips: [Matrix], featureGradients: [MutableMatrix], into gradients: BackboneParameters<MutableMatrix>
    ) {
        let turnstile = Turnstile(gateCount: LearningVision.gateCount(of: architecture))
        pass.backward(
            clips: clips, featureGradients: featureGradients, context: nil, promptAccumulators: [],
            weights: { [architecture] item in
                LearningVision(gradients: gradients.vision, architecture: architecture, turnstile: turnstile, item: item)
            })
    }

    package func textBackward(
        featureGradient: Matrix, saved: TextActivations, into gradients: BackboneParameters<MutableMatrix>, pool: WorkerPool
    ) {
        text.backward(
            featureGradient: featureGradient, saved: saved, promptGradients: [],
            weights: LearningText(gradients: gradients.text, architecture: architecture), pool: pool)
    }

    package func finish(layout: VisionLayout, into gradients: BackboneParameters<MutableMatrix>) {}
}

/// Prompts. The temperature belongs to the backbone and stays as it is.
package final class ContrastivePrompts: ContrastivePart {
    private let backbone: Backbone
    private let values: PromptSet<MutableMatrix>
    package private(set) var context: VisionPromptContext?
    private var sums: VisionPromptAccumulator?
    private var waveSums: [VisionPromptAccumulator] = []

    /// - Parameter values: the prompts that learn; read anew at each step.
    package init(_ values: PromptSet<MutableMatrix>, on backbone: Backbone) {
        self.values = values
        self.backbone = backbone
    }

    package var vision: VisionTower { backbone.vision }
    package var text: TextTower { backbone.text }
    package var prompts: PromptConfiguration { values.configuration }
    package var visionKeeping: Keeping { values.vision.isEmpty ? .nothing : .prompts }
    package var textKeeping: Keeping { values.text.isEmpty ? .nothing : .prompts }
    package var scale: Float { backbone.logitScale }
    package var textPrompts: [Matrix] { values.reading.text }

    package func begin(layout: VisionLayout, slots: Int, pool: WorkerPool) {
        guard !values.vision.isEmpty else { return }
        if waveSums.count < slots { waveSums = (0..<slots).map { _ in VisionPromptAccumulator(layout: layout) } }
        let total = sums ?? VisionPromptAccumulator(layout: layout)
        total.reset()
        sums = total
        context = backbone.vision.promptContext(for: values.reading.vision, layout: layout)
    }

    package func add(logitScale gradient: Double, to gradients: PromptSet<MutableMatrix>) {}

    package func visionBackward(
        _ pass: VisionPass, clips: [Matrix], featureGradients: [MutableMatrix], into gradients: PromptSet<MutableMatrix>
    ) {
        let used = waveSums.prefix(clips.count * pass.chunks.count)
        for item in used { item.reset() }
        pass.backward(
            clips: clips, featureGradients: featureGradients, context: context, promptAccumulators: Array(used), weights: { _ in FrozenVision() })
        for item in used { sums?.add(item) }
    }

    package func textBackward(
        featureGradient: Matrix, saved: TextActivations, into gradients: PromptSet<MutableMatrix>, pool: WorkerPool
    ) {
        text.backward(
            featureGradient: featureGradient, saved: saved, promptGradients: gradients.text, weights: FrozenText(), pool: pool)
    }

    package func finish(layout: VisionLayout, into gradients: PromptSet<MutableMatrix>) {
        guard let context, let sums else { return }
        backbone.vision.promptBackward(accumulator: sums, context: context, layout: layout, into: gradients.vision)
    }
}
