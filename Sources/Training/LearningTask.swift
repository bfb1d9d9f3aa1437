import CLIPModel
import Tensors

/// What a trainer steps: something with parameters that learns from clips.
package protocol LearningTask: AnyObject {
    /// Holds everything that changes from step to step.
    var optimizer: Optimizer { get }
    func begin()
    /// Says how many frames the clips of the steps to come have. What is scored has as many as before.
    func setFrameCount(_ count: Int)
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
    func finish(rate: StepRate, scale: Float) throws(TrainingError)
    /// Called once the steps of an epoch are taken, before it is evaluated, and again where a run is resumed there.
    ///
    /// - Parameter epoch: from 1 on.
    func endEpoch(_ epoch: Int, of epochCount: Int)
    /// A classifier with the parameters as they are now.
    func classifier(sequences: [[Int]]) -> CLIPClassifier
    /// Bytes that the memory budget is too small by.
    var memoryShortfall: Int { get }
}

extension LearningTask {
    /// Numbers that learn.
    package var parameterCount: Int { optimizer.parameterCount }
    package func endEpoch(_ epoch: Int, of epochCount: Int) {}
    /// For tasks to which frames are all the same.
    package func setFrameCount(_ count: Int) {}
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

/// What tasks are told beside what learns.
package struct TaskSetting {
    package let sequences: [[Int]]
    package let fusion: Fusion
    package let frameCount: Int
    package let pool: WorkerPool
    package let optimizer: Optimizer.Rule
    /// Bound on the activations that are kept for the backward pass.
    package let budget: MemoryBudget
    package let rounding: Float16Rounding
    /// The video of each caption, where `sequences` are captions and not classes.
    package let videoOfCaption: [Int]?
    /// How captions and videos are compared.
    package let pairLoss: PairLoss
    /// Frames of each clip that the backward pass goes through; nil for all.
    package let backwardFrames: BackwardFrames?
    /// Where `sequences` are several sentences of each class.
    package let means: SentenceMeans?
    /// By which a part draws what it draws in steps.
    package let seed: UInt64

    /// - Parameter descends: by gradient descent with momentum in place of AdamW.
    package init(
        sequences: [[Int]], fusion: Fusion, frameCount: Int, pool: WorkerPool, weightDecay: Double, beta2: Double? = nil, descends: Bool = false,
        budget: MemoryBudget = .standard, rounding: Float16Rounding = [], videoOfCaption: [Int]? = nil, pairLoss: PairLoss = .contrastive,
        backwardFrames: BackwardFrames? = nil, means: SentenceMeans? = nil, seed: UInt64 = 1
    ) {
        self.seed = seed
        self.means = means
        self.backwardFrames = backwardFrames
        self.videoOfCaption = videoOfCaption
        self.pairLoss = pairLoss
        self.sequences = sequences
        self.fusion = fusion
        self.frameCount = frameCount
        self.pool = pool
        var optimizer = AdamW(weightDecay: weightDecay)
        if let beta2 { optimizer.beta2 = beta2 }
        self.optimizer = descends ? .descent(MomentumDescent(weightDecay: weightDecay)) : .adamW(optimizer)
        self.budget = budget
        self.rounding = rounding
    }
}

extension LearningTask {
    /// Nothing, where clips leave nothing behind that the next `begin` does not clear.
    package func discard() {}
}
