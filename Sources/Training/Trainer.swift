import CLIPModel
import Evaluation
import Files
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
        /// After the last epoch of a run that ends before its length.
        package var onEarlyStop: (EarlyStop.Reason) -> Void = { _ in }
        /// Told where the run is at each moment at which it can be saved.
        package var save: (TrainingState, SaveMoment) throws -> Void = { _, _ in }

        package init() {}
    }

    package let configuration: TrainingConfiguration
    /// Nil where labels are captions: clips then stay as they are, since no caption describes two that are mixed.
    package let classCount: Int?
    package let clips: ClipLoader
    /// Of `clips`, whose frames are the same in each epoch: what no step changes, kept from epoch to epoch.
    private let cached: CachedPrefixes?
    /// The processes that share each step's clips; every one runs a trainer.
    package let group: any ProcessGroup
    /// Asked between steps.
    package var isStopRequested: @Sendable () -> Bool = { Interruption.isRequested }

    package init(
        configuration: TrainingConfiguration, classCount: Int?, clips: ClipLoader, group: any ProcessGroup = SingleProcess()
    ) {
        self.configuration = configuration
        self.classCount = classCount
        self.clips = clips
        self.group = group
        cached = nil
    }

    /// - Precondition: the configuration mixes no clips with each other.
    package init(configuration: TrainingConfiguration, classCount: Int?, clips: CachedPrefixes) {
        precondition(!configuration.blending.isMixing, "clips whose prefix is cached cannot be mixed")
        self.configuration = configuration
        self.classCount = classCount
        self.clips = clips.loader
        group = SingleProcess()
        cached = clips
    }

    /// What is left of an epoch's clips.
    func stepClips(epoch: Int, from position: Int) -> StepClips {
        let order = Array(clips.trainingOrder(epoch: epoch).dropFirst(position))
        return cached.map { .cached($0.clips(at: order)) } ?? .pixels(clips.clips(at: order, epoch: epoch))
    }

    /// Runs all epochs, or what is left of them after `start`.
    ///
    /// - Throws: `TrainingError`, or what reading clips throws.
    package func run(
        _ task: some LearningTask, from start: TrainingState = TrainingState(), events: Events
    ) throws -> Ending {
        var state = start
        var videos = knownVideos()
        let clock = ContinuousClock()
        let secondsBefore = state.seconds
        let began = clock.now
        func save(_ state: inout TrainingState, _ moment: SaveMoment) throws {
            state.seconds = secondsBefore + (clock.now - began) / .seconds(1)
            state.optimizerSteps = task.optimizer.stepCount
            state.badVideos = clips.badVideos.all
            try events.save(state, moment)
        }
        let earlyStop = configuration.earlyStop(clipCount: clips.list.clips.count)
        while state.epoch < configuration.epochs, !state.hasEndedEarly {
            let epochBegan = clock.now
            let epochSecondsBefore = state.epochSeconds
            func epochSeconds() -> Double { epochSecondsBefore + (clock.now - epochBegan) / .seconds(1) }

            let isStopped = try steps(of: task, state: &state, videos: &videos, report: events.onStep) { state, isStopping in
                state.epochSeconds = epochSeconds()
                try save(&state, isStopping ? .interruption : .step)
                return isStopping
            }
            if isStopped { return .interrupted(step: state.step) }
            guard state.lossClips > 0 else { throw TrainingError.noClips }

            task.endEpoch(state.epoch + 1, of: configuration.epochs)
            // Kept once the epoch is over: an epoch that is ended again after a run was resumed counts once.
            let ended = earlyStop?.end(epoch: state.epoch + 1, of: configuration.epochs, state.earlyStop ?? EarlyStop.State())
            let isLast = state.epoch == configuration.epochs - 1 || ended?.reason != nil
            if isLast || (state.epoch + 1) % configuration.evaluationInterval == 0 {
                if events.evaluate != nil { try save(&state, .beforeEvaluation) }
                let metrics = try events.evaluate?() ?? nil
                if try group.any(isStopRequested()) {
                    try save(&state, .interruption)
                    return .interrupted(step: state.step)
                }
                // Of equally good epochs the later has learned longer.
                let isBest = metrics.map { $0.top1 >= state.best?.top1 ?? -1 } ?? (events.evaluate == nil)
                state.last = metrics ?? state.last
                if isBest { state.best = metrics }
                let loss = state.lossSum / Double(max(1, state.lossClips))
                state.trainingLoss = loss
                try events.onEpoch(
                    EpochReport(
                        epoch: state.epoch + 1, trainingLoss: loss, metrics: metrics,
                        isBest: isBest, isLast: isLast, isFirstResult: !state.hasResults, seconds: epochSeconds(), step: state.step))
                state.hasResults = true
            }
            if let reason = ended?.reason { events.onEarlyStop(reason) }
            state.earlyStop = ended?.state
            state.beginNextEpoch()
            try save(&state, isLast ? .end : .epoch)
        }
        return .finished
    }

    /// The epoch's steps from `state` on; `afterStep` is given the state after each and whether somebody asks
    /// for the end, and says whether to stop.
    ///
    /// - Returns: whether it was stopped.
    private func steps(
        of task: some LearningTask, state: inout TrainingState, videos: inout EmptyVideos, report: (StepReport) throws -> Void,
        afterStep: (inout TrainingState, _ isStopRequested: Bool) throws -> Bool
    ) throws -> Bool {
        let clipCount = clips.list.clips.count
        let schedule = configuration.schedule(clipCount: clipCount)
        let perEpoch = configuration.stepsPerEpoch(clipCount: clipCount)
        let earlyStop = configuration.earlyStop(clipCount: clipCount)
        guard state.stepOfEpoch < perEpoch else { return false }
        task.setFrameCount(clips.sampler(inEpoch: state.epoch).sampleCount)
        var known = videos
        defer { videos = known }
        let steps: any EpochSteps = group.count == 1
            ? SingleSteps(self, task: task, epoch: state.epoch, position: state.clipPosition)
            : try SharedSteps(self, task: task, epoch: state.epoch, position: state.clipPosition, videos: videos) { known = $0 }
        defer { steps.cancel() }
        for group in state.stepOfEpoch..<perEpoch {
            let stepStart = Date()
            let waitedBefore = steps.waitingSeconds
            let step = state.epoch * perEpoch + group
            let rate = schedule.stepRate(at: step)
            let result: StepResult
            do {
                result = try steps.step(planned: plannedClips(step: group), group: group, rate: rate)
            } catch TrainingError.nonFiniteParameter(let name, _) {
                // The optimizer does not count steps whose videos were all bad.
                throw TrainingError.nonFiniteParameter(name: name, step: step + 1)
            }
            state.step = step + 1
            state.stepOfEpoch = group + 1
            state.clipPosition = steps.position
            // Bad videos may have left nothing for the epoch's last steps.
            if result.clipCount == 0 { continue }
            let loss = result.lossSum / Double(result.clipCount)
            guard loss.isFinite else { throw TrainingError.diverged(step: state.step, loss: loss) }
            state.lossSum += result.lossSum
            state.lossClips += result.clipCount
            if let earlyStop {
                var known = state.earlyStop ?? EarlyStop.State()
                earlyStop.add(loss, to: &known)
                state.earlyStop = known
            }
            try report(
                StepReport(
                    step: state.step, stepCount: schedule.stepCount, epoch: state.epoch + 1, loss: loss, rate: rate.rate,
                    clips: result.clipCount, seconds: Date().timeIntervalSince(stepStart),
                    waitingSeconds: steps.waitingSeconds - waitedBefore))
            // Asked once: a signal that comes while saving must find a save of its own.
            if try afterStep(&state, steps.isStopRequested) { return true }
        }
        return false
    }

    /// Clips of a step of an epoch if all videos can be read; 0 after the last.
    func plannedClips(step: Int) -> Int {
        let clipCount = clips.list.clips.count
        guard step < configuration.stepsPerEpoch(clipCount: clipCount) else { return 0 }
        return min(configuration.clipsPerStep, clipCount - step * configuration.clipsPerStep)
    }

    /// Videos that an earlier part of the run could not read: where videos are skipped, they are expected to be bad again.
    private func knownVideos() -> EmptyVideos {
        var videos = EmptyVideos()
        guard group.count > 1, clips.configuration.badVideoPolicy == .skip else { return videos }
        let names = Set<Bytewise>(texts: clips.badVideos.all.map(\.name))
        videos.expected = Set(clips.list.clips.indices.filter { names.contains(clips.list.fullName(clips.list.clips[$0])) })
        return videos
    }
}
