import CLIPModel
import Evaluation
import Files
import Tensors
import Training
import VideoData

/// What the ranks of a run do together.
extension LearningRun {
    /// The part of a rank that others see nothing of: steps, evaluations, and nothing written.
    package func follow(_ task: some LearningTask, sequences: [[Int]]) throws -> Outcome {
        let configuration = try settings.trainingConfiguration(clipCount: data.train.clips.count)
        try agreeOnInputs(sequences)
        var state = TrainingState()
        try shareStart(&state, task.optimizer, isResumed: false)
        let clips = trainingLoader(epochs: configuration.epochs, cacheBytes: cacheBytes)
        clips.badVideos.restore(state.badVideos)
        context.cancellation.arm()
        let valLoader = data.val.map { evaluationLoader($0) }
        var events = Trainer.Events()
        events.evaluate = valLoader.map { loader in { try evaluate(task, sequences: sequences, loader: loader) } }
        events.save = { reached, moment in
            state = reached
            try endEpoch(task, state: reached, moment: moment)
        }
        var trainer = Trainer(configuration: configuration, classCount: data.classes.count, clips: clips, group: group)
        trainer.isStopRequested = context.cancellation.isRequested
        if case .interrupted(let step) = try trainer.run(task, from: state, events: events) {
            throw TrainingError.interrupted(step: step, saved: "", resume: "")
        }
        return Outcome(
            path: "",
            result: RunResult(
                steps: state.step, epochs: state.hasEndedEarly ? state.epoch : configuration.epochs, trainingLoss: state.trainingLoss ?? 0, best: state.best, last: state.last,
                seconds: state.seconds))
    }

    // MARK: What ranks do together

    /// Shows where the ranks run, and checks that all have read the same.
    package func agreeOnInputs(_ sequences: [[Int]]) throws {
        guard group.count > 1 else { return }
        if settings.recipe.training.loss == .batch {
            throw AgreedFailure(SettingsError.notWithBatchLoss(what: "mpirun", reason: "a batch's clips are compared with each other in one process."))
        }
        guard data.captions == nil else { throw AgreedFailure(TrainingError.notForRanks) }
        let places = context.places
        let threads = try group.gathered(value: settings.pool.threadCount)
        context.note(.learning(.ranks(places, threads: threads)))
        for host in places.narrowHosts {
            context.warning(.learning(.narrowHost(named: host)))
        }
        if places.hasSeveralProcessors {
            context.warning(.learning(.severalProcessors))
        }
        let lists = data.lists
        try RankInputs(
            version: vifiPromptVersion, recipe: Digest.of(recipe.yaml), backbone: backbone.digest,
            classes: Digest.of(data.classes.text + Self.digest(sequences) + (initialDigest ?? "") + (teacherDigest ?? "") + (descriptions?.digest ?? "")),
            lists: Dictionary(uniqueKeysWithValues: lists.map { ($0.name, Digest.of($0.bytes)) })
        ).check(over: group, places: places)
        try context.tellWarnings()
    }

    /// All go on from rank 0's state.
    package func shareStart(_ state: inout TrainingState, _ optimizer: Optimizer, isResumed: Bool) throws {
        guard group.count > 1 else { return }
        state = try group.told(value: state)
        let mustSend = try group.told(value: isResumed) || context.places.hasSeveralProcessors
        if mustSend { try share(optimizer, stepCount: state.optimizerSteps) }
    }

    private func share(_ optimizer: Optimizer, stepCount: Int) throws {
        for (_, matrix) in optimizer.tensors { try group.broadcast(matrix) }
        optimizer.restore(stepCount: stepCount)
    }

    /// After an epoch all ranks must hold the same numbers, down to the last bit.
    package func endEpoch(_ task: some LearningTask, state: TrainingState, moment: SaveMoment) throws {
        guard group.count > 1, moment == .epoch || moment == .end else { return }
        try context.tellWarnings()
        let places = context.places
        if places.hasSeveralProcessors { return try share(task.optimizer, stepCount: state.optimizerSteps) }
        let digests = try group.gathered(value: task.optimizer.valueDigest())
        guard let odd = digests.firstIndex(where: { $0 != digests[0] }) else { return }
        throw AgreedFailure(TrainingError.ranksDrifted(step: state.step, rank: odd, host: places.places[odd].host))
    }
}
