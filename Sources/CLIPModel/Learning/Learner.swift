import Tensors

/// Takes steps: forward through both towers, the loss, and gradients of whatever learns. It changes no parameter, that
/// is the optimizer's part.
///
/// A step is `begin`, any number of `add`, then `finish`. What learns is `Part`'s business, what is compared is
/// `Aim`'s. A clip's frames go through `VisionPass` to `VisionTower` and its blocks, there and back; `Part.Aggregator`
/// turns their features into logits.
package final class Learner<Part: LearningPart, Aim: Objective>: StepLearner {
    package let part: Part
    package let objective: Aim
    let vision: VisionPass
    let accumulator: GradientAccumulator
    let pool: WorkerPool
    let budget: MemoryBudget
    /// Bytes that the memory budget is too small by.
    package let memoryShortfall: Int

    /// Of the classes, whose texts are the same for all clips of a step, or filled anew for each clip where prompts follow it;
    /// nil where batches have texts of their own.
    let text: TextActivations?
    private(set) var head: VideoHead<Part.Aggregator>?
    private var texts: ClassTexts?
    private(set) var stepTerm: StepTerm?
    private var hasText = false
    /// Nil where the backward pass goes through all frames.
    private let backwardFrames: BackwardFrames?
    /// What the next clip's frames are drawn by.
    private var (step, nextClip) = (0, 0)

    /// - Parameters:
    ///   - frameCount: frames of every clip.
    ///   - backwardFrames: those that the backward pass goes through; nil for all.
    ///   - budget: bound on the activations that are kept for the backward pass.
    package init(
        _ part: Part, _ objective: Aim, frameCount: Int, backwardFrames: BackwardFrames? = nil, pool: WorkerPool,
        budget: MemoryBudget = .standard
    ) {
        precondition(backwardFrames == nil || !objective.comparesClips, "clips that are compared with each other go back whole")
        // All frames are no draw: the step is the exact one.
        let backwardFrames = backwardFrames.flatMap { $0.count < frameCount ? $0 : nil }
        self.backwardFrames = backwardFrames
        self.part = part
        self.objective = objective
        self.pool = pool
        self.budget = budget
        text = objective.classes.map { classes in
            TextActivations.fitted(
                layout: Self.textLayout(of: classes, part), architecture: part.text.architecture, keeping: part.textKeeping,
                pool: pool, budget: budget
            ) {
                VisionPass.leastBytes(
                    tower: part.vision, prompts: part.prompts, frameCount: frameCount, backwardFrameCount: backwardFrames?.count,
                    keeping: part.visionKeeping, pool: pool)
            }
        }
        vision = VisionPass(
            tower: part.vision, prompts: part.prompts, frameCount: frameCount, backwardFrameCount: backwardFrames?.count,
            keeping: part.visionKeeping, pool: pool, budget: budget)
        let followsVideos = part.prompts.followsVideos
        accumulator = GradientAccumulator(
            text == nil ? .running : part.order, classes: followsVideos ? 0 : part.means?.classCount ?? objective.classes?.count ?? 0,
            aggregator: part.aggregator.tensors,
            textPrompts: followsVideos ? PromptSet(zeros: part.prompts, architecture: part.text.architecture).textSide : nil,
            objective: objective.clipTensors, pass: vision, learnsVisionPrompts: part.visionKeeping == .prompts)
        head = text.map { VideoHead(part.aggregator, scale: 1, text: ClassTexts($0.features, means: part.means).classes) }
        // A tower without a backward pass has no plan to fit: what it takes is taken.
        memoryShortfall = text == nil || part.visionKeeping.hasBackward ? vision.shortfall : budget.excess()
    }

    /// Computes what the parameters alone decide: the classes' features, and the vision prompts' keys and values.
    ///
    /// - Parameters:
    ///   - step: steps that were taken before.
    ///   - clip: the place in the step of the first clip that is added here.
    package func begin(step: Int = 0, at clip: Int = 0) {
        (self.step, nextClip) = (step, clip)
        part.begin(step: step, layout: vision.layout, pool: pool)
        accumulator.begin(at: clip)
        guard let text, part.metaNet == nil else { return }
        // Texts that do not learn stay as the first step has them.
        if !hasText || part.textKeeping.hasBackward {
            // Ranks read the same texts, whichever clips are theirs.
            part.drawTexts(step: step, clip: 0)
            part.text.forward(
                prompts: part.textPrompts, words: part.textWords, dropout: part.textDropout, saved: text, pool: pool,
                hasCachedInputs: hasText && part.keepsWeights)
        }
        hasText = true
        let texts = ClassTexts(text.features, means: part.means)
        self.texts = texts
        head = VideoHead(part.aggregator, scale: part.scale, text: texts.classes)
        stepTerm = objective.stepTerm(text: texts.classes)
    }

    /// Adds the clips' share of the gradient.
    ///
    /// - Parameter weight: each clip's share of the step's loss.
    package func add(_ batch: ClipBatch, weight: Float, to result: inout StepResult) {
        objective.add(batch, weight: weight, through: self, to: &result)
    }

    /// The places of the next clips: steps that were taken before, and where they stand in this one.
    func nextClips(_ count: Int) -> (step: Int, clips: Range<Int>) {
        defer { nextClip += count }
        return (step, nextClip..<nextClip + count)
    }

    /// Which frames of the next clips go back through the vision tower; empty where all do. The part draws for these clips, too.
    func nextDraws(_ count: Int) -> [FrameDraw] {
        let clips = nextClips(count).clips
        part.drawClips(step: step, clip: clips.lowerBound)
        guard let backwardFrames else { return [] }
        return clips.map { backwardFrames.draw(of: vision.frameCount, step: step, clip: $0) }
    }

    /// Adds the step's gradient to the gradients of the part's tensors and the objective's.
    ///
    /// - Parameter scale: what the optimizer will multiply the gradient by.
    package func finish(scale: Float = 1) {
        accumulator.complete()
        if let text {
            if let texts, part.textKeeping.hasBackward, part.metaNet == nil {
                let unitGradient = accumulator.step.head.unitText
                if let stepTerm { addScaled(stepTerm.unitTextGradient, by: 1 / scale, to: unitGradient) }
                part.textBackward(featureGradient: texts.backward(unitGradient: unitGradient).reading, saved: text, pool: pool)
            }
            part.add(logitScale: accumulator.step.head.logitScale)
        }
        part.finish(accumulator, layout: vision.layout)
        for (sum, tensor) in zip(accumulator.step.head.objective, objective.clipTensors) { Tensors.add(sum, to: tensor.gradient) }
        if let stepTerm {
            for (term, tensor) in zip(stepTerm.tensorGradients, objective.stepTensors) { addScaled(term, by: 1 / scale, to: tensor.gradient) }
        }
    }

    /// What follows an optimizer's step.
    package func didStep() {
        if objective.limitsScale { part.limitScale() }
    }

    static func textLayout(of sequences: [[Int]], _ part: Part) -> TextTowerLayout {
        TextTowerLayout(
            sequences: sequences, promptTokens: part.prompts.textTokens, promptLayers: part.prompts.textLayers,
            architecture: part.text.architecture)
    }

    private func addScaled(_ term: MutableMatrix, by factor: Float, to gradient: MutableMatrix) {
        gradient.fill(with: zip(gradient.values, term.values).map { $0 + factor * $1 })
    }

    // MARK: Ranks

    /// Whether ranks can share out the clips of a step: not those that are compared with each other.
    package var sharesClips: Bool { !objective.comparesClips }

    /// Numbers that ranks hand to each other in a step.
    package var sharedCount: Int { sharesClips ? part.shared(accumulator).reduce(0) { $0 + $1.count } : 0 }

    /// Adds up the clips of all ranks, once each has added its own.
    package func combine(_ shares: Shares, over group: any ProcessGroup) throws(ProcessGroupError) {
        precondition(sharesClips, "clips that are compared with each other are not shared out")
        try part.combine(accumulator, shares: shares, over: group)
    }

    // MARK: What no step changes

    package var comparesWithClasses: Bool { text != nil }

    /// What of clips no prompt changes, to be handed to `add` as `.cachedPrefix` as often as the same pixels are met.
    ///
    /// - Parameter clips: `[frames, 3 × side × side]` each, normalized pixels.
    /// - Precondition: weights and pixels stay as they are, and each clip has a loss of its own.
    package func cachedPrefix(of clips: [Matrix]) -> [Matrix] {
        precondition(part.keepsWeights && text != nil && part.prompts.pixels == nil, "captions, weights and pixels are learned from pixels")
        return (seesPrompts ? vision.cachedPrefix(clips: clips) : vision.forward(clips: clips, context: nil)).map(\.reading)
    }

    /// Bytes of one clip's `cachedPrefix`.
    package var cachedPrefixBytes: Int {
        let layout = vision.layout
        return 4 * vision.frameCount * (seesPrompts ? layout.cachedRows * layout.cachedColumns : layout.architecture.featureWidth)
    }

    /// Whether the vision tower has prompts.
    var seesPrompts: Bool { part.prompts.promptsVision }
}

/// A learner, whatever learns in it: what a task calls a few times in a step.
package protocol StepLearner: AnyObject {
    func begin(step: Int, at clip: Int)
    func add(_ batch: ClipBatch, weight: Float, to result: inout StepResult)
    func combine(_ shares: Shares, over group: any ProcessGroup) throws(ProcessGroupError)
    func finish(scale: Float)
    func didStep()
    var sharesClips: Bool { get }
    /// Whether all clips of a step meet the texts of the same classes, and not texts of their own.
    var comparesWithClasses: Bool { get }
    var sharedCount: Int { get }
    var memoryShortfall: Int { get }
    func cachedPrefix(of clips: [Matrix]) -> [Matrix]
    var cachedPrefixBytes: Int { get }
}
