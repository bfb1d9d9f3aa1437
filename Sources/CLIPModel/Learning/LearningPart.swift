import Tensors

/// What of a CLIP learns, how it enters the towers, and how gradients reach it: prompts (`PromptPart`) or CLIP's own
/// weights (`WeightPart`), each with the tensors of the aggregator that it is given.
package protocol LearningPart: AnyObject {
    associatedtype Aggregator: VideoAggregator
    var aggregator: Aggregator { get }
    var vision: VisionTower { get }
    var text: TextTower { get }
    var prompts: PromptConfiguration { get }
    /// What each tower keeps for its backward pass; `.nothing` where it learns nothing.
    var visionKeeping: Keeping { get }
    var textKeeping: Keeping { get }
    /// Whether weights stay as they are, so that text layers below the first prompts are computed once.
    var keepsWeights: Bool { get }
    /// How the clips of a step are added up where each has a loss of its own.
    var order: GradientAccumulator.Order { get }
    /// Everything that learns, the aggregator's tensors last.
    var tensors: [LearnedTensor] { get }

    // What a step reads once `begin` was called.

    /// `exp(logit_scale)`
    var scale: Float { get }
    /// Of the backbone; nil for one that has none.
    var logitBias: LogitBias? { get }
    var textPrompts: [Matrix] { get }
    /// Learned words of the text tower's input; nil for none.
    var textWords: Matrix? { get }
    /// What moves the text prompts with each video, whose texts are then its own; nil where all clips of a step meet the same.
    var metaNet: MetaNet<Matrix>? { get }
    var context: VisionPromptContext? { get }
    /// How the texts of several sentences make one of each class; nil where each class has one.
    var means: SentenceMeans? { get }
    var textDropout: LowRankDropout? { get }

    /// Reads what learns as it is now.
    ///
    /// - Parameter step: steps that were taken before.
    func begin(step: Int, layout: VisionLayout, pool: WorkerPool)
    /// Draws what the towers leave out of the texts or of the clips that come next, where they leave something out. Both follow from
    /// the place in the run alone.
    ///
    /// - Parameters:
    ///   - step: steps that were taken before.
    ///   - clip: place in this one of the first clip.
    func drawTexts(step: Int, clip: Int)
    func drawClips(step: Int, clip: Int)
    /// Pulls feature gradients back through the vision tower: to `accumulator`'s clips in flight, or to weights.
    func visionBackward(
        _ pass: VisionPass, clips: [Matrix], input: ClipInput, draws: [FrameDraw], featureGradients: [MutableMatrix],
        accumulator: GradientAccumulator)
    func textBackward(featureGradient: Matrix, saved: TextActivations, pool: WorkerPool)
    /// Adds the gradient of ln(scale), where it learns.
    func add(logitScale gradient: Double)
    /// Turns what the clips of a step have added up into gradients of `tensors`.
    func finish(_ accumulator: GradientAccumulator, layout: VisionLayout)

    /// What ranks hand to each other in a step, beside one number.
    func shared(_ accumulator: GradientAccumulator) -> [MutableMatrix]
    /// Adds up what the clips of all ranks have left behind.
    func combine(_ accumulator: GradientAccumulator, shares: Shares, over group: any ProcessGroup) throws(ProcessGroupError)

    /// Keeps the temperature in its bounds after a step of pairs.
    func limitScale()
    /// A classifier with the parameters as they are now.
    func classifier(sequences: [[Int]], frameCount: Int, pool: WorkerPool) -> CLIPClassifier
}

/// A part whose parameters make another backbone.
package protocol BackbonePart: LearningPart {
    /// CLIP as it is now, apart from what goes on learning.
    func backbone(named name: String, provenance: String, pool: WorkerPool) -> Backbone
    /// Where the backbone follows from low-rank updates of another, these.
    var lowRankUpdates: LowRankUpdates? { get }
}

/// There are no prompts, and nothing of the towers stays as it is.
extension BackbonePart {
    package var prompts: PromptConfiguration { .none }
    package var keepsWeights: Bool { false }
    package var order: GradientAccumulator.Order { .running }
    package var textPrompts: [Matrix] { [] }
    package var textWords: Matrix? { nil }
    package var metaNet: MetaNet<Matrix>? { nil }
    package var context: VisionPromptContext? { nil }

    package func finish(_ accumulator: GradientAccumulator, layout: VisionLayout) { finishAggregator(accumulator) }
}

extension LearningPart {
    package var means: SentenceMeans? { nil }
    package var textDropout: LowRankDropout? { nil }
    package func drawTexts(step: Int, clip: Int) {}
    package func drawClips(step: Int, clip: Int) {}

    /// Adds the aggregator's gradients, which clips have added up, to those of its tensors.
    package func finishAggregator(_ accumulator: GradientAccumulator) {
        for (gradient, tensor) in zip(accumulator.step.head.aggregator, aggregator.tensors) { Tensors.add(gradient, to: tensor.gradient) }
    }
}
