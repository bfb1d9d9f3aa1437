import CLIPModel
import Tensors

/// A learner and the optimizer that steps what it learns: the task of every method.
package final class LearnerTask<Part: LearningPart>: LearningTask {
    package let part: Part
    package let optimizer: Optimizer
    private let learner: any StepLearner
    private let frameCount: Int
    private let pool: WorkerPool

    /// - Parameters:
    ///   - objective: what is compared.
    ///   - state: what the method keeps from step to step beside its tensors, by name; checkpoints hold it.
    package init(
        _ part: Part, _ objective: some Objective, setting: TaskSetting, state: [(name: String, matrix: MutableMatrix)] = []
    ) {
        self.part = part
        frameCount = setting.frameCount
        pool = setting.pool
        optimizer = Optimizer(AdamW(weightDecay: setting.weightDecay), entries: part.tensors, state: state, pool: setting.pool)
        learner = Learner(
            part, objective, frameCount: setting.frameCount, backwardFrames: setting.backwardFrames, pool: setting.pool, budget: setting.budget)
    }

    /// With the objective that the setting's lists ask for: classes, or captions of videos.
    fileprivate convenience init(_ part: Part, setting: TaskSetting) {
        if let videos = setting.videoOfCaption {
            self.init(part, SymmetricContrastive(sequences: setting.sequences, videoOfCaption: videos), setting: setting)
        } else {
            self.init(part, SoftCrossEntropy(sequences: setting.sequences), setting: setting)
        }
    }

    package var memoryShortfall: Int { learner.memoryShortfall }

    package func begin() { begin(at: 0) }

    package func begin(at clip: Int) { learner.begin(step: optimizer.stepCount, at: clip) }

    package func add(_ batch: ClipBatch, weight: Float, to result: inout StepResult) {
        learner.add(batch, weight: weight, to: &result)
    }

    package func discard() { for tensor in optimizer.entries { tensor.gradient.fill(0) } }

    /// - Throws: `TrainingError` where captions are learned, whose batches cannot be shared out.
    package func combine(_ shares: Shares, over group: any ProcessGroup) throws {
        guard learner.sharesClips else { throw TrainingError.notForRanks }
        try learner.combine(shares, over: group)
    }

    package var sharedCount: Int { learner.sharedCount }

    package func finish(rate: Double, scale: Float) throws(TrainingError) {
        learner.finish(scale: scale)
        try optimizer.step(rate: rate, gradientScale: scale)
        learner.didStep()
    }

    package func classifier(sequences: [[Int]]) -> CLIPClassifier {
        part.classifier(sequences: sequences, frameCount: frameCount, pool: pool)
    }

    /// Learns from captions, of whose clips nothing can be cached.
    package var learnsCaptions: Bool { !learner.sharesClips }

    /// What of clips no step changes, for `ClipInput.cachedPrefix`.
    ///
    /// - Precondition: classes are learned, not captions, and no weights.
    package func cachedPrefix(of clips: [Matrix]) -> [Matrix] { learner.cachedPrefix(of: clips) }

    /// Bytes that `cachedPrefix` takes per clip.
    package var cachedPrefixBytes: Int { learner.cachedPrefixBytes }
}

extension TaskSetting {
    /// Videos meet captions as the mean of their frames, whatever classes would meet.
    fileprivate var aggregator: Fusion { videoOfCaption == nil ? fusion : .embedding }
}

/// Stage two: prompts learn, the backbone cannot.
package typealias PromptTask = LearnerTask<PromptPart<DirectPrompts, Fusion>>

extension LearnerTask where Part == PromptPart<DirectPrompts, Fusion> {
    package convenience init(backbone: Backbone, prompts: PromptSet<MutableMatrix>, setting: TaskSetting) {
        self.init(
            PromptPart(
                DirectPrompts(prompts, architecture: backbone.architecture, rounding: setting.rounding), aggregator: setting.aggregator,
                on: backbone.rounded(setting.rounding)),
            setting: setting)
    }

    package var prompts: PromptSet<MutableMatrix> { part.source.values }
}

/// Stage one: CLIP's own weights learn.
package typealias BridgeTask = LearnerTask<WeightPart<Fusion>>

extension LearnerTask where Part == WeightPart<Fusion> {
    /// - Parameters:
    ///   - trainsTokens: also the token table, which ViFi-CLIP leaves as it is (`methods.md` 1.1).
    ///   - normalization: of the pixels it will learn from, where that is not the backbone's own.
    package convenience init(
        backbone: Backbone, tuning: Tuning, trainsTokens: Bool = false, setting: TaskSetting,
        normalization: PixelNormalization? = nil
    ) {
        var description = backbone.description
        description.normalization = normalization ?? description.normalization
        let copy = backbone.parameters.mutableCopy()
        self.init(
            WeightPart(
                parameters: copy, gradients: copy.zeros(), architecture: backbone.architecture, description: description, tuning: tuning,
                trainsTokens: trainsTokens, aggregator: setting.aggregator, rounding: setting.rounding, precision: backbone.precision),
            setting: setting)
    }

    /// The weights as they are now, apart from those that go on learning.
    package func backbone(named name: String, provenance: String) -> Backbone { part.backbone(named: name, provenance: provenance) }
}
