import CLIPModel
import Tensors

/// What a trainer steps: something with parameters that learns from clips.
package protocol LearningTask: AnyObject {
    /// Holds everything that changes from step to step.
    var optimizer: Optimizer { get }
    func begin()
    /// Begins a step of which other ranks have clips too.
    ///
    /// - Parameter clip: the place in the step of the first clip that is added here.
    func begin(at clip: Int)
    /// - Parameter weight: each clip's share of the step's loss.
    func add(_ batch: ClipBatch, weight: Float, to result: inout StepResult)
    /// Adds up what all ranks' clips have left behind, once each has added its own.
    func combine(_ shares: Shares, over group: any ProcessGroup) throws
    /// Forgets what the clips of a step have left behind that is taken again.
    func discard()
    /// Numbers that ranks hand to each other in a step.
    var sharedCount: Int { get }
    /// Applies the step's gradient, multiplied by `scale`.
    ///
    /// - Throws: where a tensor has diverged.
    func finish(rate: Double, scale: Float) throws(TrainingError)
    /// A classifier with the parameters as they are now.
    func classifier(sequences: [[Int]]) -> CLIPClassifier
    /// Bytes that the memory budget is too small by.
    var memoryShortfall: Int { get }
}

extension LearningTask {
    /// Numbers that learn.
    package var parameterCount: Int { optimizer.parameterCount }
    /// Where the order of sums does not depend on the place.
    package func begin(at clip: Int) { begin() }
    package func combine(_ shares: Shares, over group: any ProcessGroup) throws {
        if group.count > 1 { throw TrainingError.notForRanks }
    }
    package var sharedCount: Int { 0 }
    /// Whatever learns without activations fits.
    package var memoryShortfall: Int { 0 }

    package func add(clips: [Matrix], targets: [[Float]], weight: Float, to result: inout StepResult) {
        add(ClipBatch(clips: clips, targets: targets), weight: weight, to: &result)
    }
}

/// Clips that go through a task together.
package struct ClipBatch {
    /// As `input` has them.
    package let clips: [Matrix]
    package let input: ClipInput
    /// One a clip: its class or, where a task learns from captions, its place in the list of captions.
    package let labels: [Int]
    /// One distribution over the classes a clip; none where there are captions.
    package let targets: [[Float]]

    package init(clips: [Matrix], input: ClipInput = .pixels, labels: [Int] = [], targets: [[Float]]) {
        self.clips = clips
        self.input = input
        self.labels = labels
        self.targets = targets
    }
}

/// What both tasks are told.
package struct TaskSetting {
    package let sequences: [[Int]]
    package let fusion: Fusion
    package let frameCount: Int
    package let pool: WorkerPool
    package let weightDecay: Double
    /// Bound on the activations that are kept for the backward pass.
    package let budget: MemoryBudget
    package let rounding: HalfRounding
    /// The video of each caption, where `sequences` are captions and not classes.
    package let videoOfCaption: [Int]?

    package init(
        sequences: [[Int]], fusion: Fusion, frameCount: Int, pool: WorkerPool, weightDecay: Double,
        budget: MemoryBudget = .standard, rounding: HalfRounding = [], videoOfCaption: [Int]? = nil
    ) {
        self.videoOfCaption = videoOfCaption
        self.sequences = sequences
        self.fusion = fusion
        self.frameCount = frameCount
        self.pool = pool
        self.weightDecay = weightDecay
        self.budget = budget
        self.rounding = rounding
    }
}

extension TaskSetting {
    /// The videos that captions belong to; nil where there are no captions.
    fileprivate func videos(of captions: [Int]) -> [Int]? {
        videoOfCaption.map { videos in captions.map { videos[$0] } }
    }
}

extension StepResult {
    /// Counts a batch of pairs.
    fileprivate mutating func add(_ batch: (loss: Double, accuracy: Double), clipCount count: Int) {
        lossSum += batch.loss * Double(count)
        clipCount += count
    }
}

extension LearningTask {
    /// Nothing, where clips leave nothing behind that the next `begin` does not clear.
    package func discard() {}
}

/// Stage two: prompts learn, the backbone cannot.
package final class PromptTask: LearningTask {
    package let backbone: Backbone
    package let prompts: PromptSet<MutableMatrix>
    package let optimizer: Optimizer
    private let gradients: PromptSet<MutableMatrix>
    private let learner: Learner
    private let setting: TaskSetting

    private enum Learner {
        case classes(PromptLearner)
        case captions(ContrastiveLearner<ContrastivePrompts>)
    }

    package init(backbone: Backbone, prompts: PromptSet<MutableMatrix>, setting: TaskSetting) {
        self.backbone = backbone
        self.prompts = prompts
        self.setting = setting
        gradients = PromptSet(zeros: prompts.configuration, architecture: backbone.architecture)
        optimizer = Optimizer(
            AdamW(weightDecay: setting.weightDecay),
            entries: zip(prompts.named, gradients.all).map { .init(name: $0.name, value: $0.element, gradient: $1) },
            pool: setting.pool)
        if setting.videoOfCaption != nil {
            learner = .captions(
                ContrastiveLearner(
                    ContrastivePrompts(prompts, on: backbone), frameCount: setting.frameCount, pool: setting.pool, budget: setting.budget))
        } else {
            learner = .classes(
                PromptLearner(
                    backbone: backbone.rounded(setting.rounding), prompts: prompts.configuration, sequences: setting.sequences,
                    fusion: setting.fusion, frameCount: setting.frameCount, pool: setting.pool, budget: setting.budget))
        }
    }

    package var memoryShortfall: Int {
        switch learner {
        case .classes(let learner): learner.memoryShortfall
        case .captions(let learner): learner.memoryShortfall
        }
    }

    package func begin() { begin(at: 0) }

    package func discard() { for gradient in gradients.all { gradient.fill(0) } }

    package func begin(at clip: Int) {
        switch learner {
        case .classes(let learner):
            learner.begin(prompts: setting.rounding.contains(.prompts) ? prompts.rounded(setting.rounding) : prompts, at: clip)
        case .captions(let learner): learner.begin()
        }
    }

    /// - Throws: `TrainingError` where captions are learned, whose batches cannot be shared out.
    package func combine(_ shares: Shares, over group: any ProcessGroup) throws {
        guard case .classes(let learner) = learner else { throw TrainingError.notForRanks }
        try learner.combine(shares, over: group)
    }

    package var sharedCount: Int { if case .classes(let learner) = learner { learner.sharedCount } else { 0 } }

    package func add(_ batch: ClipBatch, weight: Float, to result: inout StepResult) {
        switch learner {
        case .classes(let learner):
            learner.add(clips: batch.clips, input: batch.input, targets: batch.targets, weight: weight, to: &result)
        case .captions(let learner):
            precondition(batch.input == .pixels, "captions are learned from pixels")
            result.add(
                learner.add(
                    clips: batch.clips, captions: batch.labels.map { setting.sequences[$0] }, videos: setting.videos(of: batch.labels),
                    weight: weight * Float(batch.clips.count), into: gradients),
                clipCount: batch.clips.count)
        }
    }

    /// Learns from captions, whose clips cannot be frozen.
    package var learnsCaptions: Bool { if case .captions = learner { true } else { false } }

    /// What of clips no prompt changes, for `ClipInput.cachedPrefix`.
    ///
    /// - Precondition: classes are learned, not captions.
    package func cachedPrefix(of clips: [Matrix]) -> [Matrix] {
        guard case .classes(let learner) = learner else { preconditionFailure("captions are learned from pixels") }
        return learner.cachedPrefix(of: clips)
    }

    /// Bytes that `cachedPrefix` takes a clip.
    package var cachedPrefixBytes: Int { if case .classes(let learner) = learner { learner.cachedPrefixBytes } else { 0 } }

    package func finish(rate: Double, scale: Float) throws(TrainingError) {
        switch learner {
        case .classes(let learner): learner.finish(into: gradients)
        case .captions(let learner): learner.finish(into: gradients)
        }
        try optimizer.step(rate: rate, gradientScale: scale)
    }

    package func classifier(sequences: [[Int]]) -> CLIPClassifier {
        CLIPClassifier(
            backbone: backbone.rounded(setting.rounding), prompts: prompts.rounded(setting.rounding).reading,
            sequences: sequences, fusion: setting.fusion, frameCount: setting.frameCount, pool: setting.pool)
    }
}

/// Stage one: CLIP's own weights learn.
package final class BridgeTask: LearningTask {
    package let architecture: CLIPArchitecture
    private let description: BackboneDescription
    private let precision: Precision
    private let tuning: Tuning
    private let parameters: BackboneParameters<MutableMatrix>
    private let gradients: BackboneParameters<MutableMatrix>
    private let learner: Learner
    package let optimizer: Optimizer
    private let setting: TaskSetting

    private enum Learner {
        case classes(BackboneLearner)
        case captions(ContrastiveLearner<ContrastiveWeights>)
    }

    /// - Parameters:
    ///   - trainsTokens: also the token table, which ViFi-CLIP leaves as it is (`methods.md` 1.1).
    ///   - normalization: of the pixels it will learn from, where that is not the backbone's own.
    package init(
        backbone: Backbone, tuning: Tuning, trainsTokens: Bool = false, setting: TaskSetting,
        normalization: PixelNormalization? = nil
    ) {
        architecture = backbone.architecture
        var described = backbone.description
        described.normalization = normalization ?? described.normalization
        description = described
        precision = backbone.precision
        self.tuning = tuning
        self.setting = setting
        let copy = backbone.parameters.mutableCopy()
        let zeros = copy.zeros()
        parameters = copy
        gradients = zeros
        optimizer = Optimizer(
            AdamW(weightDecay: setting.weightDecay),
            entries: zip(
                Self.learning(BackboneParameters<TensorSpecification>(of: architecture), tuning, trainsTokens: trainsTokens),
                zip(Self.learning(copy, tuning, trainsTokens: trainsTokens), Self.learning(zeros, tuning, trainsTokens: trainsTokens))
            ).map { .init(name: $0.name, value: $1.0, gradient: $1.1) },
            pool: setting.pool)
        if setting.videoOfCaption != nil {
            learner = .captions(
                ContrastiveLearner(
                    ContrastiveWeights(
                        parameters: copy, architecture: backbone.architecture, tuning: tuning, precision: backbone.precision),
                    frameCount: setting.frameCount, pool: setting.pool, budget: setting.budget))
        } else {
            learner = .classes(
                BackboneLearner(
                    parameters: copy, architecture: backbone.architecture, tuning: tuning, sequences: setting.sequences,
                    fusion: setting.fusion, frameCount: setting.frameCount, pool: setting.pool, budget: setting.budget,
                    rounding: setting.rounding, precision: backbone.precision))
        }
    }

    /// The tensors that a way of tuning trains (`methods.md` 1.1).
    package static func learning<Element>(
        _ parameters: BackboneParameters<Element>, _ tuning: Tuning, trainsTokens: Bool = false
    ) -> [Element] {
        let text = trainsTokens ? parameters.text.all : Array(parameters.text.all.dropFirst())
        return switch tuning {
        case .both: parameters.vision.all + text + [parameters.logitScale]
        case .image: parameters.vision.all
        case .text: text
        }
    }

    package var memoryShortfall: Int {
        switch learner {
        case .classes(let learner): learner.memoryShortfall
        case .captions(let learner): learner.memoryShortfall
        }
    }

    package func discard() { for gradient in gradients.all { gradient.fill(0) } }

    package func begin() {
        switch learner {
        case .classes(let learner): learner.begin()
        case .captions(let learner): learner.begin()
        }
    }

    /// - Throws: `TrainingError` where captions are learned, whose batches cannot be shared out.
    package func combine(_ shares: Shares, over group: any ProcessGroup) throws {
        guard case .classes(let learner) = learner else { throw TrainingError.notForRanks }
        try learner.combine(over: group, gradients: gradients)
    }

    package var sharedCount: Int { if case .classes(let learner) = learner { learner.sharedCount(gradients) } else { 0 } }

    package func add(_ batch: ClipBatch, weight: Float, to result: inout StepResult) {
        precondition(batch.input == .pixels, "weights that learn leave nothing frozen")
        switch learner {
        case .classes(let learner):
            learner.add(clips: batch.clips, targets: batch.targets, weight: weight, into: gradients, to: &result)
        case .captions(let learner):
            result.add(
                learner.add(
                    clips: batch.clips, captions: batch.labels.map { setting.sequences[$0] }, videos: setting.videos(of: batch.labels),
                    weight: weight * Float(batch.clips.count), into: gradients),
                clipCount: batch.clips.count)
        }
    }

    package func finish(rate: Double, scale: Float) throws(TrainingError) {
        switch learner {
        case .classes(let learner): learner.finish(into: gradients)
        case .captions(let learner): learner.finish(into: gradients)
        }
        try optimizer.step(rate: rate, gradientScale: scale)
        // Only where every video meets the captions of its batch does the temperature run away.
        if case .captions = learner { parameters.limitScale(to: BackboneParameters<MutableMatrix>.largestScale) }
    }

    /// The weights as they are now, apart from those that go on learning.
    package func backbone(named name: String, provenance: String) -> Backbone {
        var description = description
        description.name = name
        description.provenance = provenance
        return Backbone(
            architecture: architecture, parameters: parameters.mutableCopy().map(\.reading), description: description
        ).computing(in: precision)
    }

    package func classifier(sequences: [[Int]]) -> CLIPClassifier {
        CLIPClassifier(
            backbone: backbone(named: description.name, provenance: description.provenance).rounded(setting.rounding),
            sequences: sequences, fusion: setting.fusion, frameCount: setting.frameCount, pool: setting.pool)
    }
}
