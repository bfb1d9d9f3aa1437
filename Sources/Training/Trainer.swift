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
    package let metrics: Scores?
    package let isBest: Bool
    package let isLast: Bool
    /// Whether no epoch was reported before.
    package let isFirstResult: Bool
    package let seconds: Double
    /// Steps done.
    package let step: Int
}

extension EpochReport {
    /// The epoch that a run was stopped in.
    package init(unfinished state: TrainingState) {
        self.init(
            epoch: state.epoch + 1, trainingLoss: state.lossSum / Double(max(1, state.lossClips)), metrics: nil, isBest: false,
            isLast: false, isFirstResult: false, seconds: state.epochSeconds, step: state.step)
    }
}

/// When a run may be saved, so that it can go on from there.
package enum SaveMoment: Sendable, Equatable {
    /// After a step.
    case step
    /// After the last step of an epoch that is about to be evaluated.
    case beforeEvaluation
    /// After an epoch and its evaluation.
    case epoch
    /// Somebody has asked for the end: nothing more happens after this.
    case interruption
    /// Everything is done and reported.
    case end
}

/// Steps a task through the epochs of a list of clips.
///
/// Every clip counts once an epoch: what is left over after the last full accumulation makes a step
/// of its own, weighted by its own number of clips.
package struct Trainer {
    package enum Ending: Sendable, Equatable {
        case finished
        /// A signal asked for the end after this many steps.
        case interrupted(step: Int)
    }

    /// What happens on the way. All of it is called on the thread that runs the trainer.
    package struct Events {
        /// Scores the task; nil leaves evaluation out. Returns nil when a signal cut it short.
        package var evaluate: (() throws -> Scores?)?
        package var onStep: (StepReport) throws -> Void = { _ in }
        /// After each evaluated epoch; saves what was learned.
        package var onEpoch: (EpochReport) throws -> Void = { _ in }
        /// Told where the run is at each moment at which it can be saved.
        package var save: (TrainingState, SaveMoment) throws -> Void = { _, _ in }

        package init() {}
    }

    package let configuration: TrainingConfiguration
    /// Nil where labels are captions: clips then stay as they are, since no caption describes two that are mixed.
    package let classCount: Int?
    package let clips: ClipLoader
    /// Of `clips`, whose frames are the same in each epoch: what no step changes, kept from epoch to epoch.
    private let frozen: FrozenClips?

    package init(configuration: TrainingConfiguration, classCount: Int?, clips: ClipLoader) {
        self.configuration = configuration
        self.classCount = classCount
        self.clips = clips
        frozen = nil
    }

    /// - Precondition: the configuration mixes no clips with each other.
    package init(configuration: TrainingConfiguration, classCount: Int?, clips: FrozenClips) {
        precondition(!configuration.blending.isMixing, "frozen clips cannot be mixed")
        self.configuration = configuration
        self.classCount = classCount
        self.clips = clips.loader
        frozen = clips
    }

    private func stepClips(epoch: Int, from position: Int) -> StepClips {
        let order = Array(clips.trainingOrder(epoch: epoch).dropFirst(position))
        return frozen.map { .frozen($0.clips(at: order)) } ?? .pixels(clips.clips(at: order, epoch: epoch))
    }

    /// Runs all epochs, or what is left of them after `start`.
    ///
    /// - Throws: `TrainingError`, or what reading clips throws.
    package func run(
        _ task: some LearningTask, from start: TrainingState = TrainingState(), events: Events
    ) throws -> Ending {
        var state = start
        let clock = ContinuousClock()
        let secondsBefore = state.seconds
        let began = clock.now
        func save(_ state: inout TrainingState, _ moment: SaveMoment) throws {
            state.seconds = secondsBefore + (clock.now - began) / .seconds(1)
            state.optimiserSteps = task.optimiser.stepCount
            state.badVideos = clips.badVideos.all
            try events.save(state, moment)
        }
        while state.epoch < configuration.epochs {
            let epochBegan = clock.now
            let epochSecondsBefore = state.epochSeconds
            func epochSeconds() -> Double { epochSecondsBefore + (clock.now - epochBegan) / .seconds(1) }

            let isStopped = try steps(of: task, state: &state, report: events.onStep) { state in
                state.epochSeconds = epochSeconds()
                // Asked once: a signal that comes while saving must find a save of its own.
                let isStopping = Interruption.isRequested
                try save(&state, isStopping ? .interruption : .step)
                return isStopping
            }
            if isStopped { return .interrupted(step: state.step) }
            if let name = task.nonFiniteName() { throw TrainingError.nonFiniteParameter(name: name, step: state.step) }
            guard state.lossClips > 0 else { throw TrainingError.noClips }

            let isLast = state.epoch == configuration.epochs - 1
            if isLast || (state.epoch + 1) % configuration.evaluationInterval == 0 {
                if events.evaluate != nil { try save(&state, .beforeEvaluation) }
                let metrics = try events.evaluate?() ?? nil
                if Interruption.isRequested {
                    try save(&state, .interruption)
                    return .interrupted(step: state.step)
                }
                let isBest = metrics.map { $0.top1 > state.best?.top1 ?? -1 } ?? (events.evaluate == nil)
                state.last = metrics ?? state.last
                if isBest { state.best = metrics }
                try events.onEpoch(
                    EpochReport(
                        epoch: state.epoch + 1, trainingLoss: state.lossSum / Double(max(1, state.lossClips)), metrics: metrics,
                        isBest: isBest, isLast: isLast, isFirstResult: !state.hasResults, seconds: epochSeconds(), step: state.step))
                state.hasResults = true
            }
            state.beginNextEpoch()
            try save(&state, isLast ? .end : .epoch)
        }
        return .finished
    }

    /// The epoch's steps from `state` on; `afterStep` is given the state after each and says whether to stop.
    ///
    /// - Returns: whether it was stopped.
    private func steps(
        of task: some LearningTask, state: inout TrainingState, report: (StepReport) throws -> Void,
        afterStep: (inout TrainingState) throws -> Bool
    ) throws -> Bool {
        let clipCount = clips.list.clips.count
        let schedule = configuration.schedule(clipCount: clipCount)
        let perEpoch = configuration.stepsPerEpoch(clipCount: clipCount)
        guard state.stepOfEpoch < perEpoch else { return false }
        let stream = stepClips(epoch: state.epoch, from: state.clipPosition)
        defer { stream.cancel() }
        let positionBefore = state.clipPosition
        for group in state.stepOfEpoch..<perEpoch {
            let stepStart = Date()
            let waitedBefore = stream.waitingSeconds
            let planned = min(configuration.clipsPerStep, clipCount - group * configuration.clipsPerStep)
            let step = state.epoch * perEpoch + group
            let rate = schedule.rate(at: step)
            let result = try takeStep(task, stream: stream, planned: planned, epoch: state.epoch, group: group, rate: rate)
            state.step = step + 1
            state.stepOfEpoch = group + 1
            state.clipPosition = positionBefore + stream.position
            // Bad films may have left nothing for the epoch's last steps.
            if result.clipCount == 0 { continue }
            let loss = result.lossSum / Double(result.clipCount)
            guard loss.isFinite else { throw TrainingError.diverged(step: state.step, loss: loss) }
            state.lossSum += result.lossSum
            state.lossClips += result.clipCount
            try report(
                StepReport(
                    step: state.step, stepCount: schedule.stepCount, epoch: state.epoch + 1, loss: loss, rate: rate,
                    clips: result.clipCount, seconds: Date().timeIntervalSince(stepStart),
                    waitingSeconds: stream.waitingSeconds - waitedBefore))
            if try afterStep(&state) { return true }
        }
        return false
    }

    /// One step over up to `planned` clips, batch by batch.
    private func takeStep(
        _ task: some LearningTask, stream: StepClips, planned: Int, epoch: Int, group: Int, rate: Double
    ) throws -> StepResult {
        var result = StepResult()
        task.begin()
        for batch in 0..<configuration.accumulationSteps {
            let wanted = min(configuration.batchSize, planned - batch * configuration.batchSize)
            guard wanted > 0 else { break }
            let key = (seed: configuration.seed, epoch: epoch, step: group * configuration.accumulationSteps + batch)
            guard let clips = try stream.next(wanted, blending: configuration.blending, classCount: classCount, key: key) else { break }
            task.add(clips, weight: 1 / Float(planned), to: &result)
        }
        // Unreadable films may have made the step smaller than planned.
        if result.clipCount > 0 { task.finish(rate: rate, scale: Float(planned) / Float(result.clipCount)) }
        return result
    }
}
