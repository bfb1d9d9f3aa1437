import CLIPModel
import Evaluation
import Files
import Foundation
import Recipes
import Tensors
import Training
import VideoData

/// What `learn` and `bridge` share: the run's folder, the steps, the evaluations, what is said about them.
package struct LearningRun {
    package let request: RunRequest
    package let context: RunContext
    package let settings: Settings
    package let data: RunData
    package let backbone: Backbone
    /// The recipe as it is run, with what was fitted to the backbone: it can be run again.
    package let recipe: Recipe
    /// Of the prompts that learning starts from, where --init gives them.
    package var initialDigest: String?
    /// Of the sentences in which the teacher of regularized prompts reads the class names.
    package var teacherDigest: String?
    /// In the place of class names.
    package var descriptions: ClassDescriptions?
    /// For decoded videos that training meets again and again.
    package let cacheBytes: Int
    /// Tokens of the validation captions, and what turns these and the videos into vectors; nil without captions.
    package var captionValidation: (sequences: [[Int]], encoder: () -> PairEncoder)?

    package var kind: RunKind { request.kind }
    package var options: VideoInputs { request.videos }
    /// The processes that share the steps: only rank 0 writes.
    package var group: any ProcessGroup { context.group }

    package struct Outcome {
        package let path: String
        package let result: RunResult
    }

    /// Runs to the end, or to the next signal.
    ///
    /// - Parameters:
    ///   - sequences: of the data's classes.
    ///   - caching: how to compute once what no step changes; nil where there is nothing of the kind.
    ///   - save: writes what was learned into the run's folder; told whether it is the best so far.
    /// - Throws: `TrainingError.interrupted` after a signal, when the run is saved.
    package func train(
        _ task: some LearningTask, sequences: [[Int]], start: RunStart, caching: PrefixCaching? = nil,
        save: @escaping (_ path: String, _ report: EpochReport) throws -> Void
    ) throws -> Outcome {
        guard group.rank == 0 else { return try follow(task, sequences: sequences) }
        // Ranks share clips out anew when one cannot be read, so none of them keeps its own.
        let caching = group.count == 1 ? caching : nil
        let configuration = try settings.trainingConfiguration(clipCount: data.train.clips.count)
        try agreeOnInputs(sequences)
        // Once there is a folder, a signal must leave something to go on with.
        context.cancellation.arm()
        var directory = try open(start, sequences: sequences)
        let path = directory.path
        let found = try start.resumed.map { _ in try restore(task.optimizer, in: &directory) } ?? nil
        var state = found?.state ?? TrainingState()
        try shareStart(&state, task.optimizer, isResumed: start.resumed != nil)
        let resume = context.resumeCommand(kind, path)
        let checkpoints = Checkpoints(run: path)
        var keeper = CheckpointKeeper(checkpoints, newest: found?.path, interval: request.saveInterval)
        // Videos whose cached prefixes stay in memory are read once: there is no need to keep them, too.
        let meetsVideosAgain = caching.map { !$0.hasRoom(for: data.train.clips.count) } ?? true
        let clips = trainingLoader(epochs: configuration.epochs, cacheBytes: meetsVideosAgain ? cacheBytes : 0)
        clips.badVideos.restore(state.badVideos)
        let stepCount = configuration.schedule(clipCount: data.train.clips.count).stepCount
        context.note(
            .learning(
                .begins(
                    data.amount, frames: settings.frameCount, schedule: recipe.training.framesSchedule, learned: task.parameterCount,
                    parameters: backbone.parameterCount + (kind == .learn ? task.parameterCount : 0), epochs: configuration.epochs,
                    steps: stepCount, mayEndEarly: configuration.patience != nil, run: path)))
        if let other = start.resumed, other.record.ranks ?? 1 != group.count, kind == .bridge {
            context.warning(.resuming(.otherRanks(began: other.record.ranks ?? 1, now: group.count)))
        }

        let valLoader = data.val.map { evaluationLoader($0) }
        let cached = caching.map { RunPrefixes($0, train: clips, val: valLoader, context: context) }
        let isFilled = try cached?.fill(stepCount: stepCount - state.step) {
            // Forward only, the second time; backward takes about one and a half times as long.
            task.begin()
            let start = ContinuousClock.now
            task.begin()
            return 2.5 * ((ContinuousClock.now - start) / .seconds(1))
        }
        if isFilled == false { throw TrainingError.interruptedBefore(step: state.step + 1, resume: resume) }
        let progress = context.progress(kind.rawValue, total: stepCount, unit: "steps", from: state.step)
        var meanLoss = 0.0
        var shownSteps = 0.0
        let warn: (LearningWarning) -> Void = { warning in
            progress.finish()
            context.warning(.learning(warning))
        }
        var events = Trainer.Events()
        events.evaluate = valLoader.map { loader in
            {
                guard captionValidation == nil else { return try evaluateCaptions(loader: loader) }
                return try evaluate(task, sequences: sequences, loader: loader, cached: cached?.val) { predictions in
                    do {
                        try DurableFile.write(ClipVerdicts(predictions).csv, to: path.appendingPath(ClipVerdicts.fileName(of: "val")))
                    } catch {
                        // Nothing of the run depends on it.
                        warn(.verdictsNotWritten(reason: "\(error)"))
                    }
                }
            }
        }
        events.onStep = { report in
            shownSteps += 1
            meanLoss += (report.loss - meanLoss) / min(20, shownSteps)
            directory.log(report)
            context.observer.observe(.step(report.step, loss: report.loss))
            progress.show(report.step, detail: "loss \(NumberText.decimal(meanLoss, places: 3))")
        }
        events.onEpoch = { report in
            directory.log(report)
            // First, as it may be that nothing can be saved.
            if let metrics = report.metrics {
                progress.finish()
                context.note(.learning(.epoch(report.epoch, loss: report.trainingLoss, validation: metrics)))
            }
            try keeper.attempt(step: report.step, isLastChance: report.isLast, warn: { warn(.notSaved($0)) }) {
                try save(path, report)
                return nil
            }
        }
        events.onEarlyStop = { reason in
            progress.finish()
            context.note(.learning(.endedEarly(reason)))
        }
        events.save = { reached, moment in
            state = reached
            try endEpoch(task, state: reached, moment: moment)
            try keeper.save(reached, moment: moment, optimizer: task.optimizer, flush: { try directory.flushLogs() }, warn: { warn(.notSaved($0)) })
            // Small enough to be had at once, and of use before the run is finished.
            if moment == .interruption, kind == .learn { try save(path, EpochReport(unfinished: reached)) }
        }
        let classCount = data.captions == nil ? data.classes.count : nil
        var trainer = cached.map { Trainer(configuration: configuration, classCount: classCount, clips: $0.train) }
            ?? Trainer(configuration: configuration, classCount: classCount, clips: clips, group: group)
        trainer.isStopRequested = context.cancellation.isRequested
        let ending = try trainer.run(task, from: state, events: events)
        progress.finish()
        context.note(.learning(.peakMemory(bytes: Machine.peakMemory)))
        for bad in clips.badVideos.all + (valLoader?.badVideos.all ?? []) { context.warning(.data(.unreadable(bad, .notUsed))) }
        if case .interrupted(let step) = ending {
            throw TrainingError.interrupted(step: step, saved: keeper.newest ?? checkpoints.folder, resume: resume)
        }
        var result = RunResult(
            steps: state.hasEndedEarly ? state.step : stepCount, epochs: state.hasEndedEarly ? state.epoch : configuration.epochs, trainingLoss: state.trainingLoss ?? 0, best: state.best, last: state.last,
            seconds: state.seconds, peakBytes: Machine.peakMemory)
        try result.count(
            learned: task.parameterCount, modelKind(), architecture: backbone.architecture, frameCount: settings.frameCount, sequences: sequences)
        do {
            result.test = try testScores(path: path)
        } catch is EvaluationStopped {
            throw TrainingError.interrupted(step: state.step, saved: keeper.newest ?? checkpoints.folder, resume: resume)
        }
        do {
            _ = try directory.flushLogs()
            try directory.write(result)
        } catch {
            result.show(context)
            throw error
        }
        return Outcome(path: path, result: result)
    }

    /// - Parameter report: told the predictions of the whole list.
    /// - Returns: nil where a signal cut it short.
    package func evaluate(
        _ task: some LearningTask, sequences: [[Int]], loader: ClipLoader, cached: CachedPrefixes? = nil,
        report: ([Prediction]) -> Void = { _ in }
    ) throws -> Scores? {
        let evaluator = Evaluator(task.classifier(sequences: sequences))
        let predictions: [Prediction]?
        if let cached {
            do {
                predictions = try evaluator.predictions(of: cached) { _ in if context.isCancelled { throw EvaluationStopped() } }
            } catch is EvaluationStopped {
                predictions = nil
            }
        } else {
            predictions = try evaluator.predictions(of: loader, sharedBy: group) { context.isCancelled }
        }
        guard let predictions else { return nil }
        report(predictions)
        return Scores(ClassificationMetrics(predictions: predictions, classNames: data.classes.names))
    }

    package var reader: any VideoReading {
        options.reader(shortSide: settings.testTransform(for: backbone).shortSide, pictures: settings.recipe.pictures, context: context)
    }

    /// Training clips, drawn and blended as the recipe says.
    ///
    /// - Parameter epochs: of the run, over which numbers of frames are shared out.
    package func trainingLoader(epochs: Int, cacheBytes: Int) -> ClipLoader {
        let recipe = settings.recipe
        var samplerOfEpoch: (@Sendable (Int) -> FrameSampler)?
        if let schedule = recipe.training.framesSchedule {
            samplerOfEpoch = { epoch in recipe.sampler(frameCount: schedule.count(inEpoch: epoch, of: epochs)) }
        }
        return ClipLoader(
            list: data.train, reader: reader, sampler: settings.sampler,
            transform: settings.trainingTransform(for: backbone), seed: settings.seed,
            configuration: options.loading(cacheByteBudget: cacheBytes, badVideoPolicy: recipe.data.onBadVideo),
            samplerOfEpoch: samplerOfEpoch)
    }

    /// Clips that are scored, seen once in the middle.
    ///
    /// - Parameter threadCount: that read ahead; 0 for none, nil for the usual number.
    package func evaluationLoader(_ list: AnnotationList, threadCount: Int? = nil) -> ClipLoader {
        var configuration = options.loading(badVideoPolicy: settings.recipe.data.onBadVideo)
        configuration.threadCount = threadCount ?? configuration.threadCount
        return ClipLoader(
            list: list, reader: reader, sampler: settings.sampler, transform: settings.testTransform(for: backbone), seed: settings.seed,
            configuration: configuration)
    }
}
