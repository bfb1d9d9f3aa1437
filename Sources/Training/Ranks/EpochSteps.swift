import CLIPModel
import Tensors
import VideoData

/// Takes the steps of an epoch, one after the other.
protocol EpochSteps: AnyObject {
    /// Videos of the epoch's order that were asked for so far.
    var position: Int { get }
    /// Seconds spent waiting for clips.
    var waitingSeconds: Double { get }
    /// Whether somebody has asked for the end; all ranks answer the same after a step.
    var isStopRequested: Bool { get }
    /// One step over up to `planned` clips, batch by batch.
    ///
    /// - Parameters:
    ///   - group: number of the step in its epoch.
    ///   - rate: learning rate.
    func step(planned: Int, group: Int, rate: StepRate) throws -> StepResult
    /// Stops reading ahead.
    func cancel()
}

/// All clips of a step on this process.
final class SingleSteps: EpochSteps {
    private let trainer: Trainer
    private let task: any LearningTask
    private let epoch: Int
    private let first: Int
    private let clips: StepClips

    init(_ trainer: Trainer, task: any LearningTask, epoch: Int, position: Int) {
        self.trainer = trainer
        self.task = task
        self.epoch = epoch
        first = position
        clips = trainer.stepClips(epoch: epoch, from: position)
    }

    var position: Int { first + clips.position }
    var waitingSeconds: Double { clips.waitingSeconds }
    var isStopRequested: Bool { trainer.isStopRequested() }
    func cancel() { clips.cancel() }

    func step(planned: Int, group: Int, rate: StepRate) throws -> StepResult {
        let configuration = trainer.configuration
        var result = StepResult()
        task.begin()
        for batch in 0..<configuration.accumulationSteps {
            let wanted = min(configuration.batchSize, planned - batch * configuration.batchSize)
            guard wanted > 0 else { break }
            let key = (seed: configuration.seed, epoch: epoch, step: group * configuration.accumulationSteps + batch)
            guard let taken = try clips.next(wanted, blending: configuration.blending, classCount: trainer.classCount, key: key)
            else { break }
            task.add(taken, weight: 1 / Float(planned), to: &result)
        }
        // Unreadable videos may have made the step smaller than planned.
        // A loss that is no number would only spoil what was learned: the trainer tells it.
        if result.clipCount > 0, result.lossSum.isFinite {
            try task.finish(rate: rate, scale: Float(planned) / Float(result.clipCount))
        }
        return result
    }
}
