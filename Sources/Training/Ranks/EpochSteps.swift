import CLIPModel
import Tensors
import VideoData

/// Takes the steps of an epoch, one after the other.
protocol EpochSteps: AnyObject {
    /// Films of the epoch's order that were asked for so far.
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
    func step(planned: Int, group: Int, rate: Double) throws -> StepResult
    /// Stops reading ahead.
    func cancel()
}

/// All clips of a step on this process.
final class SingleSteps: EpochSteps {
    private let trainer: Trainer
    private let task: any LearningTask
    private let epoch: Int
    private let first: Int
    private let stream: ClipStream

    init(_ trainer: Trainer, task: any LearningTask, epoch: Int, position: Int) {
        self.trainer = trainer
        self.task = task
        self.epoch = epoch
        first = position
        stream = trainer.clips.clips(at: Array(trainer.clips.trainingOrder(epoch: epoch).dropFirst(position)), epoch: epoch)
    }

    var position: Int { first + stream.position }
    var waitingSeconds: Double { stream.waitingSeconds }
    var isStopRequested: Bool { Interruption.isRequested }
    func cancel() { stream.cancel() }

    func step(planned: Int, group: Int, rate: Double) throws -> StepResult {
        let (configuration, classCount) = (trainer.configuration, trainer.classCount)
        var result = StepResult()
        task.begin()
        for batch in 0..<configuration.accumulationSteps {
            let wanted = min(configuration.batchSize, planned - batch * configuration.batchSize)
            guard wanted > 0 else { break }
            let loaded = try stream.next(wanted)
            guard !loaded.isEmpty else { break }
            var views = loaded.compactMap(\.views.first)
            let targets = configuration.blending.blend(
                &views, labels: loaded.map(\.label), classCount: classCount, seed: configuration.seed, epoch: epoch,
                step: group * configuration.accumulationSteps + batch)
            task.add(
                clips: views.map(\.matrix),
                targets: views.indices.map { Array(targets[$0 * classCount..<($0 + 1) * classCount]) },
                weight: 1 / Float(planned), to: &result)
        }
        // Unreadable films may have made the step smaller than planned.
        if result.clipCount > 0 { task.finish(rate: rate, scale: Float(planned) / Float(result.clipCount)) }
        return result
    }
}
