import Tensors

/// What is compared with what, and the loss that comes of it. Either clip by clip (`ClipObjective`) or all clips of a
/// batch with each other (`BatchObjective`).
package protocol Objective {
    /// Token sequences of the classes that every clip of a step is compared with, of all sentences where a class has several
    /// (`LearningPart.means`); nil where each batch has texts of
    /// its own.
    var classes: [[Int]]? { get }
    /// Tensors of its own that learn beside the part's and are left behind with the run: those whose gradients follow from each
    /// clip's features.
    var clipTensors: [LearnedTensor] { get }
    /// Those whose gradients come with `stepTerm`, or with the loss of a batch.
    var stepTensors: [LearnedTensor] { get }
    /// Whether clips of a batch are compared with each other, so that a batch stays whole: its clips are not shared out over ranks.
    var comparesClips: Bool { get }
    /// Whether the temperature is kept in its bounds, where it learns: where every video meets the captions of its batch, it runs away.
    var limitsScale: Bool { get }
    /// What the features of the classes add to the loss of every clip, computed once per step; nil for nothing.
    func stepTerm(text: TextFeatures) -> StepTerm?
    /// Takes a batch through the learner as the objective needs it.
    ///
    /// - Parameter weight: each clip's share of the step's loss.
    func add<Part>(_ batch: ClipBatch, weight: Float, through learner: Learner<Part, Self>, to result: inout StepResult)
}

extension Objective {
    package var clipTensors: [LearnedTensor] { [] }
    package var stepTensors: [LearnedTensor] { [] }
    /// All tensors of its own.
    package var tensors: [LearnedTensor] { clipTensors + stepTensors }
    package var limitsScale: Bool { classes == nil }
    package var comparesClips: Bool { classes == nil }
    package func stepTerm(text: TextFeatures) -> StepTerm? { nil }
}

/// A clip as an objective sees it.
package struct LearnedClip {
    /// As `input` has them.
    package let frames: Matrix
    package let input: ClipInput
    /// `[frames, embeddingWidth]`, not normalized.
    package let features: Matrix
    /// A distribution over the classes.
    package let target: [Float]
    /// What `ClipObjective.teacherFeatures` says of it.
    package let teacherFeatures: Matrix?

    package init(frames: Matrix, input: ClipInput = .pixels, features: Matrix, target: [Float], teacherFeatures: Matrix? = nil) {
        self.teacherFeatures = teacherFeatures
        self.frames = frames
        self.input = input
        self.features = features
        self.target = target
    }
}

/// A part of the loss that belongs to a whole step: what keeps prompts near a teacher, for example.
package struct StepTerm {
    package let loss: Double
    /// `[classes, embeddingWidth]`, gradient of the unit text features.
    package let unitTextGradient: MutableMatrix
    /// Of the objective's `stepTensors`.
    package let tensorGradients: [MutableMatrix]

    package init(loss: Double, unitTextGradient: MutableMatrix, tensorGradients: [MutableMatrix] = []) {
        self.loss = loss
        self.unitTextGradient = unitTextGradient
        self.tensorGradients = tensorGradients
    }
}

/// Every clip has a loss of its own.
package protocol ClipObjective: Objective {
    /// The features of clips by a tower that does not learn, `[frames, embeddingWidth]` each, for losses that compare with
    /// them; nil for none.
    func teacherFeatures(of clips: [Matrix], input: ClipInput) -> [Matrix]?
    /// The loss of one row of logits, and its gradient.
    func loss(logits: [Float], of clip: LearnedClip) -> (loss: Double, gradient: [Float])
    /// What the clip's features themselves add to its loss; nil for nothing.
    ///
    /// - Parameters:
    ///   - weight: multiplies the gradients, not the loss.
    ///   - featureGradient: `[frames, embeddingWidth]`, added to.
    ///   - tensorGradients: of `clipTensors`, added to.
    func featureTerm(
        of clip: LearnedClip, weight: Float, addingTo featureGradient: MutableMatrix, tensorGradients: [MutableMatrix]
    ) -> Double?
}

extension ClipObjective {
    package func teacherFeatures(of clips: [Matrix], input: ClipInput) -> [Matrix]? { nil }
    package func featureTerm(
        of clip: LearnedClip, weight: Float, addingTo featureGradient: MutableMatrix, tensorGradients: [MutableMatrix]
    ) -> Double? { nil }

    package func add<Part>(_ batch: ClipBatch, weight: Float, through learner: Learner<Part, Self>, to result: inout StepResult) {
        learner.addClipByClip(batch, weight: weight, to: &result)
    }
}

/// The clips of a batch are compared with the texts of all of them.
package protocol BatchObjective: Objective {
    /// The texts of a batch's clips, and which of them show the same video.
    ///
    /// - Parameters:
    ///   - step: steps that were taken before.
    ///   - clips: places of the clips in the step.
    func captions(of labels: [Int], step: Int, clips: Range<Int>) -> (tokens: [[Int]], videos: [Int]?)
    /// The loss of the whole batch and its gradients, of unit vectors `[pairs, embeddingWidth]`.
    ///
    /// - Parameter weight: the batch's share of the step's loss, which all gradients are multiplied by.
    func loss(
        videos: MutableMatrix, captions: MutableMatrix, scale: Float, matches: PairMatches, weight: Float
    ) -> ContrastiveLoss
    /// Adds what a batch's loss leaves for its own tensors.
    func addGradients(of loss: ContrastiveLoss)
}

extension BatchObjective {
    package var classes: [[Int]]? { nil }
    package func addGradients(of loss: ContrastiveLoss) {}

    package func add<Part>(_ batch: ClipBatch, weight: Float, through learner: Learner<Part, Self>, to result: inout StepResult) {
        precondition(batch.input == .pixels, "captions are learned from pixels")
        let count = batch.clips.count
        let place = learner.nextClips(count)
        let (tokens, videos) = captions(of: batch.labels, step: place.step, clips: place.clips)
        let added = learner.addTogether(
            clips: batch.clips, captions: tokens, videos: videos, weight: weight * Float(count), place: (place.step, place.clips.lowerBound))
        result.lossSum += added.loss * Double(count)
        result.clipCount += count
    }
}

/// Cross-entropy with a distribution over the classes: one class, or two of a blend.
package struct SoftCrossEntropy: ClipObjective {
    package let sequences: [[Int]]

    /// - Parameter sequences: one per class, from start to end token, with room for text prompts where these are learned.
    package init(sequences: [[Int]]) { self.sequences = sequences }

    package var classes: [[Int]]? { sequences }

    package func loss(logits: [Float], of clip: LearnedClip) -> (loss: Double, gradient: [Float]) {
        softCrossEntropy(logits: logits, target: clip.target)
    }
}

/// Every video of a batch finds its caption, and every caption its video.
package struct SymmetricContrastive: BatchObjective {
    private let sequences: [[Int]]
    private let videoOfCaption: [Int]?

    /// - Parameters:
    ///   - sequences: the captions that labels are places of, from start to end token.
    ///   - videoOfCaption: the video of each; nil where all are different.
    package init(sequences: [[Int]] = [], videoOfCaption: [Int]? = nil) {
        self.sequences = sequences
        self.videoOfCaption = videoOfCaption
    }

    package func captions(of labels: [Int], step: Int, clips: Range<Int>) -> (tokens: [[Int]], videos: [Int]?) {
        (labels.map { sequences[$0] }, videoOfCaption.map { videos in labels.map { videos[$0] } })
    }

    package func loss(
        videos: MutableMatrix, captions: MutableMatrix, scale: Float, matches: PairMatches, weight: Float
    ) -> ContrastiveLoss {
        ContrastiveLoss(videos: videos, captions: captions, scale: scale, targets: matches.targets, weight: weight)
    }
}
