import CLIPModel
import Tensors

/// A learner and the optimizer that steps what it learns: the task of every method.
package final class LearnerTask<Part: LearningPart>: LearningTask {
    package let part: Part
    package let optimizer: Optimizer
    private let makeLearner: (_ frameCount: Int) -> any StepLearner
    /// For clips of so many frames; nil while another one is made.
    private var made: (frameCount: Int, learner: any StepLearner)?
    /// Frames of the clips that are added.
    private var clipFrameCount: Int
    private let average: EpochAverage?
    /// Frames of the clips that are scored.
    private let frameCount: Int
    private let pool: WorkerPool

    /// - Parameters:
    ///   - objective: what is compared.
    ///   - averagesEpochs: whether the mean of what the part learned after each epoch takes the place of the last.
    package init(_ part: Part, _ objective: some Objective, setting: TaskSetting, averagesEpochs: Bool = false) {
        self.part = part
        average = averagesEpochs ? EpochAverage(of: part.tensors) : nil
        frameCount = setting.frameCount
        pool = setting.pool
        optimizer = Optimizer(setting.optimizer, entries: part.tensors + objective.tensors, state: average?.state ?? [], pool: setting.pool)
        makeLearner = { frameCount in
            Learner(part, objective, frameCount: frameCount, backwardFrames: setting.backwardFrames, pool: setting.pool, budget: setting.budget)
        }
        clipFrameCount = setting.frameCount
        // The most that steps need.
        made = (setting.frameCount, makeLearner(setting.frameCount))
    }

    /// With the objective that the setting's lists ask for: classes, or captions of videos.
    fileprivate convenience init(_ part: Part, setting: TaskSetting) {
        if let videos = setting.videoOfCaption, setting.pairLoss == .sigmoid {
            guard let bias = part.logitBias else { preconditionFailure("only a SigLIP has a bias on its logits") }
            self.init(part, PairwiseSigmoid(sequences: setting.sequences, videoOfCaption: videos, bias: bias), setting: setting)
        } else if let videos = setting.videoOfCaption {
            self.init(part, SymmetricContrastive(sequences: setting.sequences, videoOfCaption: videos), setting: setting)
        } else {
            self.init(part, SoftCrossEntropy(sequences: setting.sequences), setting: setting)
        }
    }

    private var learner: any StepLearner {
        if let made, made.frameCount == clipFrameCount { return made.learner }
        // Memory for clips of another length goes first.
        made = nil
        let learner = makeLearner(clipFrameCount)
        made = (clipFrameCount, learner)
        return learner
    }

    package func setFrameCount(_ count: Int) {
        clipFrameCount = count
        // Now, while no clips wait that would take the room.
        _ = learner
    }

    package var memoryShortfall: Int { learner.memoryShortfall }

    package func begin() { begin(at: 0) }

    package func begin(at clip: Int) { learner.begin(step: optimizer.stepCount, at: clip) }

    package func add(_ batch: ClipBatch, weight: Float, to result: inout StepResult) {
        learner.add(batch, weight: weight, to: &result)
    }

    package func discard() { for tensor in optimizer.entries { tensor.gradient.fill(0) } }

    /// - Throws: `TrainingError` where a batch's clips are compared with each other, so that it cannot be shared out.
    package func combine(_ shares: Shares, over group: any ProcessGroup) throws {
        guard learner.sharesClips else { throw TrainingError.notForRanks }
        try learner.combine(shares, over: group)
    }

    package var sharedCount: Int { learner.sharedCount }

    package func finish(rate: StepRate, scale: Float) throws(TrainingError) {
        learner.finish(scale: scale)
        try optimizer.step(rate: rate, gradientScale: scale)
        learner.didStep()
    }

    package func endEpoch(_ epoch: Int, of epochCount: Int) { average?.end(epoch: epoch, of: epochCount, tensors: part.tensors) }

    package func classifier(sequences: [[Int]]) -> CLIPClassifier {
        part.classifier(sequences: sequences, frameCount: frameCount, pool: pool)
    }

    /// Learns from captions, of whose clips nothing can be cached.
    package var learnsCaptions: Bool { !learner.comparesWithClasses }

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

/// A task that learns prompts, and what stands behind the image tower.
package protocol PromptLearning: LearningTask {
    /// As they are now.
    var prompts: PromptSet<Matrix> { get }
    /// What stands between frames and their mean as it is now; nil for a fusion without parameters.
    var video: TemporalFusion? { get }
    /// Learns from captions, of whose clips nothing can be cached.
    var learnsCaptions: Bool { get }
    /// What of clips no step changes, for `ClipInput.cachedPrefix`.
    func cachedPrefix(of clips: [Matrix]) -> [Matrix]
    /// Bytes that `cachedPrefix` takes per clip.
    var cachedPrefixBytes: Int { get }
}

extension LearnerTask: PromptLearning where Part: PromptSourcePart {
    package var prompts: PromptSet<Matrix> { part.source.forward() }
}

extension LearnerTask {
    package var video: TemporalFusion? { (part.aggregator as? TemporalFusion)?.snapshot }
}

/// Stage two: prompts learn, the backbone cannot.
package typealias PromptTask = LearnerTask<PromptPart<Fusion>>

/// Prompts or words learn, and a transformer over frames.
package typealias TemporalTask = LearnerTask<PromptPart<TemporalFusion>>

extension LearnerTask {
    /// - Parameters:
    ///   - source: what prompts and words follow from.
    ///   - video: learns with them, where it has something to learn.
    ///   - objective: over the setting's classes.
    package convenience init<Aggregator>(
        backbone: Backbone, source: any PromptSource, video: Aggregator, objective: some Objective, setting: TaskSetting
    ) where Part == PromptPart<Aggregator> {
        self.init(
            PromptPart(source, aggregator: video, on: backbone.rounded(setting.rounding), rounding: setting.rounding, seed: setting.seed),
            objective, setting: setting)
    }

    /// Each clip is compared with all of the setting's classes.
    package convenience init<Aggregator>(
        backbone: Backbone, source: any PromptSource, video: Aggregator, setting: TaskSetting
    ) where Part == PromptPart<Aggregator> {
        self.init(
            backbone: backbone, source: source, video: video, objective: SoftCrossEntropy(sequences: setting.sequences), setting: setting)
    }
}

extension LearnerTask where Part == PromptPart<Fusion> {
    /// The prompts themselves learn.
    package convenience init(backbone: Backbone, prompts: PromptSet<MutableMatrix>, setting: TaskSetting) {
        self.init(backbone: backbone, source: DirectPrompts(prompts, architecture: backbone.architecture), setting: setting)
    }

    /// - Parameter source: what the prompts follow from.
    package convenience init(backbone: Backbone, source: any PromptSource, setting: TaskSetting) {
        self.init(Self.part(source, on: backbone, setting: setting), setting: setting)
    }

    /// - Parameter objective: in the place of the one that the setting's lists ask for.
    package convenience init(
        backbone: Backbone, source: any PromptSource, objective: some Objective, averagesEpochs: Bool = false, setting: TaskSetting
    ) {
        self.init(Self.part(source, on: backbone, setting: setting), objective, setting: setting, averagesEpochs: averagesEpochs)
    }

    private static func part(_ source: any PromptSource, on backbone: Backbone, setting: TaskSetting) -> PromptPart<Fusion> {
        PromptPart(
            source, aggregator: setting.aggregator, on: backbone.rounded(setting.rounding), rounding: setting.rounding, means: setting.means,
            seed: setting.seed)
    }
}

/// A task that makes a backbone.
package protocol BackboneLearning: LearningTask {
    /// The weights as they are now, apart from those that go on learning.
    func backbone(named name: String, provenance: String) -> Backbone
    /// Where the backbone follows from low-rank updates of another, these.
    var lowRankUpdates: LowRankUpdates? { get }
    /// What stands between frames and their mean as it is now; nil for a fusion without parameters.
    var video: TemporalFusion? { get }
}

/// Low-rank updates of both towers learn.
package typealias LowRankTask = LearnerTask<LowRankPart<Fusion>>

/// CLIP's own weights learn, and a transformer over frames, where a batch's videos and texts find each other.
package typealias TemporalBridgeTask = LearnerTask<WeightPart<TemporalFusion>>

extension LearnerTask where Part == WeightPart<TemporalFusion> {
    /// - Parameters:
    ///   - video: learns with the backbone.
    ///   - templateCount: in how many sentences the setting's sequences have each class.
    ///   - normalization: of the pixels it will learn from, where that is not the backbone's own.
    package convenience init(
        backbone: Backbone, video: TemporalFusion, objective: some BatchObjective, templateCount: Int, setting: TaskSetting,
        normalization: PixelNormalization?
    ) {
        self.init(
            weightPart(
                of: backbone, aggregator: video, trainsTokens: true, templateCount: templateCount, setting: setting, normalization: normalization),
            objective, setting: setting)
    }
}

/// The image tower of an X-CLIP learns, and what follows it.
package typealias CrossFrameTask = LearnerTask<WeightPart<CrossFrameHead>>

extension LearnerTask where Part == WeightPart<CrossFrameHead> {
    /// - Parameters:
    ///   - backbone: an X-CLIP.
    ///   - rateFactor: of the learning rate, for what CLIP does not have.
    ///   - normalization: of the pixels it will learn from, where that is not the backbone's own.
    package convenience init(backbone: Backbone, rateFactor: Double, setting: TaskSetting, normalization: PixelNormalization?) {
        let copy = backbone.parameters.mutableCopy()
        let gradients = copy.zeros()
        guard let own = copy.crossFrame else { preconditionFailure("the frames of a CLIP do not see each other") }
        let head = CrossFrameHead(
            architecture: backbone.architecture, parameters: own, gradients: gradients.crossFrame, rateFactor: rateFactor)
        self.init(
            WeightPart(
                parameters: copy, gradients: gradients, architecture: backbone.architecture,
                description: backbone.description.seeing(normalization), tuning: .image, aggregator: head, rounding: setting.rounding,
                precision: backbone.precision, messageRateFactor: rateFactor),
            SoftCrossEntropy(sequences: setting.sequences), setting: setting)
    }
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
        self.init(
            weightPart(
                of: backbone, aggregator: setting.aggregator, tuning: tuning, trainsTokens: trainsTokens, setting: setting,
                normalization: normalization),
            setting: setting)
    }
}

/// A copy of a backbone's weights that learns.
private func weightPart<Aggregator>(
    of backbone: Backbone, aggregator: Aggregator, tuning: Tuning = .both, trainsTokens: Bool, templateCount: Int = 1, setting: TaskSetting,
    normalization: PixelNormalization?
) -> WeightPart<Aggregator> {
    let copy = backbone.parameters.mutableCopy()
    return WeightPart(
        parameters: copy, gradients: copy.zeros(), architecture: backbone.architecture, description: backbone.description.seeing(normalization),
        tuning: tuning, trainsTokens: trainsTokens, aggregator: aggregator, rounding: setting.rounding, precision: backbone.precision,
        templateCount: templateCount)
}

extension BackboneDescription {
    /// Of the same weights once they have learned from pixels so normalized; nil for their own way.
    fileprivate func seeing(_ normalization: PixelNormalization?) -> BackboneDescription {
        var description = self
        description.normalization = normalization ?? description.normalization
        return description
    }
}

extension LearnerTask where Part == LowRankPart<Fusion> {
    /// - Parameters:
    ///   - dropoutRate: of the updates' inputs.
    ///   - seed: of what is left out.
    ///   - normalization: of the pixels it will learn from, where that is not the backbone's own.
    package convenience init(
        backbone: Backbone, updates: LowRankUpdates, dropoutRate: Float, seed: UInt64, setting: TaskSetting, normalization: PixelNormalization? = nil
    ) {
        self.init(
            LowRankPart(
                updates, dropoutRate: dropoutRate, seed: seed, aggregator: setting.aggregator, on: backbone, description: backbone.description.seeing(normalization), rounding: setting.rounding),
            setting: setting)
    }
}

extension LearnerTask: BackboneLearning where Part: BackbonePart {
    package func backbone(named name: String, provenance: String) -> Backbone { part.backbone(named: name, provenance: provenance, pool: pool) }
    package var lowRankUpdates: LowRankUpdates? { part.lowRankUpdates }
}
