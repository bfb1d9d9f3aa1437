import CLIPModel
import Evaluation
import Foundation
import Tensors
import VideoData

/// What one step came to.
package struct StepReport: Sendable {
    /// Counts from 1.
    package let step: Int
    package let stepCount: Int
    package let epoch: Int
    package let loss: Double
    package let rate: Double
    package let clips: Int
    package let seconds: Double
    /// Of these, spent waiting for decoded clips.
    package let waitingSeconds: Double
}

/// What one epoch came to.
package struct EpochReport: Sendable {
    /// Counts from 1.
    package let epoch: Int
    package let trainingLoss: Double
    package let metrics: ClassificationMetrics?
    package let isBest: Bool
    /// Whether no epoch was reported before.
    package let isFirstResult: Bool
    package let seconds: Double
}

/// Steps a task through the epochs of a list of clips.
///
/// Every clip counts once an epoch: what is left over after the last full accumulation makes a step
/// of its own, weighted by its own number of clips.
package struct Trainer {
    package let configuration: TrainingConfiguration
    package let classCount: Int
    package let clips: ClipLoader

    package init(configuration: TrainingConfiguration, classCount: Int, clips: ClipLoader) {
        self.configuration = configuration
        self.classCount = classCount
        self.clips = clips
    }

    /// - Parameters:
    ///   - evaluate: scores the task; nil leaves evaluation out. Returns nil when a signal cut it short.
    ///   - onStep: called after each step.
    ///   - onEpoch: called after each evaluated epoch; saves what is to be kept.
    /// - Throws: `TrainingError`, or what reading clips throws.
    package func run(
        _ task: some LearningTask, evaluate: (() throws -> ClassificationMetrics?)?,
        onStep: (StepReport) throws -> Void, onEpoch: (EpochReport) throws -> Void
    ) throws {
        let clipCount = clips.list.clips.count
        let schedule = configuration.schedule(clipCount: clipCount)
        var step = 0
        var best = -1.0
        var isFirstResult = true
        for epoch in 0..<configuration.epochs {
            let start = Date()
            let stream = clips.clips(epoch: epoch)
            defer { stream.cancel() }
            var lossSum = 0.0
            var lossClips = 0
            for group in 0..<configuration.stepsPerEpoch(clipCount: clipCount) {
                let stepStart = Date()
                let waitedBefore = stream.waitingSeconds
                let planned = min(configuration.clipsPerStep, clipCount - group * configuration.clipsPerStep)
                let rate = schedule.rate(at: step)
                let result = try takeStep(task, stream: stream, planned: planned, epoch: epoch, group: group, rate: rate)
                step += 1
                if result.clipCount == 0 { break }
                let loss = result.lossSum / Double(result.clipCount)
                guard loss.isFinite else { throw TrainingError.diverged(step: step, loss: loss) }
                lossSum += result.lossSum
                lossClips += result.clipCount
                try onStep(
                    StepReport(
                        step: step, stepCount: schedule.stepCount, epoch: epoch + 1, loss: loss, rate: rate,
                        clips: result.clipCount, seconds: Date().timeIntervalSince(stepStart),
                        waitingSeconds: stream.waitingSeconds - waitedBefore))
                if Interruption.isRequested { break }
            }
            if let name = task.nonFiniteName() { throw TrainingError.nonFiniteParameter(name: name, step: step) }
            guard lossClips > 0 else { throw TrainingError.noClips }
            let isLast = epoch == configuration.epochs - 1 || Interruption.isRequested
            guard isLast || (epoch + 1) % configuration.evaluationInterval == 0 else { continue }
            let metrics = Interruption.isRequested ? nil : try evaluate?() ?? nil
            let isBest = metrics.map { $0.top1 > best } ?? (evaluate == nil)
            if let metrics, isBest { best = metrics.top1 }
            try onEpoch(
                EpochReport(
                    epoch: epoch + 1, trainingLoss: lossSum / Double(max(1, lossClips)), metrics: metrics, isBest: isBest,
                    isFirstResult: isFirstResult, seconds: Date().timeIntervalSince(start)))
            isFirstResult = false
            if Interruption.isRequested { throw TrainingError.interrupted(step: step, saved: "the run directory's last checkpoint") }
        }
    }

    /// One step over up to `planned` clips, batch by batch.
    private func takeStep(
        _ task: some LearningTask, stream: ClipStream, planned: Int, epoch: Int, group: Int, rate: Double
    ) throws -> StepResult {
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
