import CLIPModel
import Evaluation
import Files
import Foundation
import Tensors
import Training
import VideoData

/// What is scored in a protocol; asked for when it is due, because it may have to be learned first.
struct ProtocolModel {
    let subject: () throws -> Subject
    /// nil for what was not learned here.
    let training: () throws -> ProtocolEntry.Training?

    init(_ subject: Subject) {
        self.subject = { subject }
        training = { nil }
    }

    init(subject: @escaping () throws -> Subject, training: @escaping () throws -> ProtocolEntry.Training? = { nil }) {
        self.subject = subject
        self.training = training
    }
}

/// Goes through the parts of a protocol: what is learned, what is scored. Finished parts are not done again.
final class ProtocolRunner {
    let folder: ProtocolFolder
    /// Of what was scored, in the order of the parts.
    private(set) var entries: [ProtocolEntry] = []
    private var parts: [Part] = []

    private struct Part {
        let title: String
        /// Clips that go through the model; one that is learned from counts for two or three.
        let work: Double
        let isFinished: Bool
        let run: () throws -> Void
        let cost: Cost
    }

    /// What a plan is made from.
    private enum Cost {
        /// - Parameter videos: the first few, to be timed.
        case scoring(method: LearningMethod, videos: Int, few: TestList, job: EvaluationJob)
        case learning(method: LearningMethod, plan: (_ timing: Bool) throws -> RunPlan)
    }

    init(folder: ProtocolFolder) { self.folder = folder }

    // MARK: Parts

    /// Adds a list to score.
    func score(
        _ name: String, method: LearningMethod, shots: Int? = nil, seed: Int? = nil, part: String? = nil, on test: TestList,
        job: EvaluationJob, model: ProtocolModel
    ) {
        let place = folder.evaluationFolder(name)
        let few = TestList(
            list: AnnotationList(path: test.list.path, root: test.list.root, clips: Array(test.list.clips.prefix(4))), classes: test.classes,
            sha256: test.sha256)
        parts.append(
            Part(
                title: "scoring \(name), \(counted(test.list.clips.count, "video", "videos"))",
                work: Double(test.list.clips.count * job.views.clips * job.views.crops),
                isFinished: fileExists(place.path.appendingPath(EvaluationFolder.recordName)),
                run: { [self] in
                let record = try place.record() ?? {
                    let result = try job.evaluate(test, with: model.subject(), title: name)
                    try result.write(to: place.path)
                    return result.record
                }()
                entries.append(
                    ProtocolEntry(
                        name: name, method: method.rawValue, shots: shots, seed: seed, part: part, training: try model.training(),
                        evaluation: record))
                }, cost: .scoring(method: method, videos: test.list.clips.count, few: few, job: job)))
    }

    /// Adds a run that learns prompts or a backbone.
    ///
    /// - Parameters:
    ///   - recipe: all of the run's settings, with lists, shots and seed.
    ///   - clipCount: clips of an epoch, about.
    ///   - job: how the result is scored.
    /// - Returns: what it learns.
    func learn(
        _ name: String, method: LearningMethod, recipe: Recipe, clipCount: Int, options: ProtocolLearning, job: EvaluationJob
    ) throws -> ProtocolModel {
        let run = folder.path.appendingPath("runs/\(name)")
        let arguments = ["--recipe", try folder.write(recipe, name: name)] + options.arguments
        let clips = recipe.training.steps.map { $0 * (recipe.training.batchSize ?? 1) * (recipe.training.accumulationSteps ?? 1) }
            ?? clipCount * (recipe.training.epochs ?? 1)
        parts.append(
            Part(
                title: "\(method.title) on \(counted(clipCount, "clip", "clips")): \(name)",
                work: Double(clips) * (method == .prompt ? 2 : 3), isFinished: fileExists(run.appendingPath("finished.json")),
                run: {
                    if method == .prompt {
                        try LearnCommand.complete(run, arguments: arguments, threads: options.model.threads)
                    } else {
                        try BridgeCommand.complete(run, arguments: arguments, threads: options.model.threads)
                    }
                },
                cost: .learning(method: method) { timing in
                    try method == .prompt
                        ? LearnCommand.parse(arguments).plan(timing: timing) : BridgeCommand.parse(arguments).plan(timing: timing)
                }))
        let checkpoint = options.learning.checkpoint
        return ProtocolModel(
            subject: {
                switch (method, checkpoint) {
                case (.prompt, _):
                    try job.subject(
                        prompts: run.appendingPath("prompts/\(checkpoint.rawValue).safetensors"), backbone: recipe.model.checkpoint)
                case (_, .last): try job.subject(prompts: nil, backbone: run.appendingPath("last.safetensors"))
                case (_, .best): try job.subject(prompts: nil, backbone: run.appendingPath("backbone.safetensors"))
                }
            },
            training: { try Self.training(name: name, run: run, checkpoint: checkpoint.rawValue) })
    }

    private static func training(name: String, run: String, checkpoint: String) throws -> ProtocolEntry.Training? {
        guard let record = try RunRecord.read(run: run), let result = try RunResult.read(run: run), let list = record.lists["train"] else {
            throw RunError.notARun(path: run)
        }
        let clips = try AnnotationList.read(run.appendingPath("split/train.txt"), root: list.root).clips
        return .init(
            run: "runs/\(name)", listSha256: list.sha256,
            drawSha256: Digest.of(clips.map { "\($0.label) \($0.path)\n" }.sorted().joined()), videos: clips.count, seconds: result.seconds,
            checkpoint: checkpoint)
    }

    // MARK: Planning

    /// What all parts would cost: the first run of a method and the scoring of a few videos are measured, the rest is
    /// reckoned from the arithmetic.
    func plan() throws -> [[String]] {
        var speeds: [LearningMethod: Double] = [:]
        var secondsPerVideo: [LearningMethod: Double] = [:]
        var rows = [["part", "steps or videos", "arithmetic", "memory", "time"]]
        var total = 0.0
        for part in parts {
            switch part.cost {
            case .learning(let method, let plan):
                let isMeasured = speeds[method] == nil
                let plan = try plan(isMeasured)
                if let time = plan.time { speeds[method] = plan.arithmetic.total / max(time.total, 1e-9) }
                let seconds = plan.arithmetic.total / max(speeds[method] ?? 1, 1e-9)
                total += seconds
                rows.append(
                    [part.title, counted(plan.work.steps, "step", "steps"), operations(plan.arithmetic.total), bytes(plan.memory.total),
                        ProgressReporter.time(seconds)])
            case .scoring(let method, let videos, let few, let job):
                if secondsPerVideo[method] == nil {
                    let subject = try job.subject(prompts: nil)
                    // The first time pays for fresh memory.
                    let timed = try (0..<2).map { _ in try job.evaluate(few, with: subject, title: "measuring").record.seconds }
                    secondsPerVideo[method] = (timed.min() ?? 0) / Double(few.list.clips.count)
                }
                let seconds = Double(videos) * (secondsPerVideo[method] ?? 0)
                total += seconds
                rows.append([part.title, counted(videos, "video", "videos"), "", "", ProgressReporter.time(seconds)])
            }
        }
        return rows + [["in all", "", "", "", ProgressReporter.time(total)]]
    }

    // MARK: Running

    /// Runs what is not finished yet, in order.
    ///
    /// - Throws: `ProtocolError.stopped` after a signal, when what is finished is kept.
    func run() throws {
        Interruption.install()
        let clock = ContinuousClock()
        let start = clock.now
        var workLeft = parts.filter { !$0.isFinished }.reduce(0) { $0 + $1.work }
        var workDone = 0.0
        for (index, part) in parts.enumerated() {
            if !part.isFinished {
                let seconds = (clock.now - start) / .seconds(1)
                let left = workDone > 0 ? ", about \(ProgressReporter.time(seconds * workLeft / workDone)) left" : ""
                Console.note("Part \(index + 1) of \(parts.count)\(left): \(part.title)")
            }
            do {
                if Interruption.isRequested { throw EvaluationStopped() }
                try Console.$isPart.withValue(true) { try part.run() }
            } catch is EvaluationStopped {
                throw ProtocolError.stopped(finished: index, total: parts.count, resume: folder.resume)
            } catch let error as any ReportableError where error.exitStatus == .interrupted {
                // Whatever part was stopped: the whole goes on with its own command.
                throw ProtocolError.stopped(finished: index, total: parts.count, resume: folder.resume)
            }
            if !part.isFinished {
                workDone += part.work
                workLeft -= part.work
            }
        }
    }
}

/// How protocols learn: flags that are no settings of a recipe go on to the run's own command.
struct ProtocolLearning {
    let learning: ProtocolLearningOptions
    let model: ModelOptions
    let videos: VideoOptions
    let memory: MemoryOptions

    var arguments: [String] {
        var result: [String] = []
        func pass(_ flag: String, _ value: String?) {
            if let value { result += [flag, value] }
        }
        pass("--threads", model.threads.map(String.init))
        pass("--vocabulary", model.vocabulary)
        pass("--activation", model.activation?.rawValue)
        pass("--memory", memory.memory.map { "\($0.bytes)" })
        pass("--save-every", learning.saveEvery.map { "\($0)" })
        if videos.followLinks { result.append("--follow-links") }
        return result + videos.allowances.arguments
    }

    /// The settings of a method: flags, over a recipe for this method or for any, over the setting's own.
    ///
    /// - Parameters:
    ///   - options: the recipe and single settings that the command line names.
    ///   - flags: what else it says.
    ///   - own: the catalog's name of the setting's own recipe.
    func recipe(for method: LearningMethod, _ options: RecipeOptions, flags: (inout Recipe) -> Void, own: String) throws -> Recipe {
        var alone = options
        alone.recipe = nil
        var recipe = try alone.given(flags: flags)
        if let name = options.recipe {
            var file = try Recipe(path: RecipeCatalog.path(of: name))
            if let kind = file.kind, kind != method.kind, method != .zeroShot {
                // A recipe for the other method: only videos and backbone are meant for this one.
                var rest = Recipe()
                rest.data = file.data
                rest.model = file.model
                file = rest
            }
            recipe = recipe.merged(over: file)
        }
        recipe = recipe.merged(over: try Recipe(path: RecipeCatalog.path(of: own)))
        if method == .fineTune { recipe.model.checkpoint = learning.fineTuneBackbone ?? recipe.model.checkpoint }
        if method != .fineTune { recipe.tuning = nil }
        if method == .fineTune { recipe.prompts = .init() }
        return recipe
    }
}
