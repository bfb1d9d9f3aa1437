import CLIPModel
import Evaluation
import Files
import Foundation
import Recipes
import Tensors
import Training
import VideoData

/// What is scored in a protocol; asked for when it is due, because it may have to be learned first.
package struct ProtocolModel {
    package let subject: () throws -> LoadedModel
    /// nil for what was not learned here.
    package let training: () throws -> ProtocolEntry.Training?
    /// Whether it is there already; a plan cannot time what has to be learned first, and times the backbone instead.
    let isThere: Bool

    package init(_ subject: LoadedModel) {
        self.subject = { subject }
        training = { nil }
        isThere = true
    }

    package init(
        subject: @escaping () throws -> LoadedModel, training: @escaping () throws -> ProtocolEntry.Training? = { nil }, isThere: Bool = true
    ) {
        self.subject = subject
        self.training = training
        self.isThere = isThere
    }
}

/// Goes through the parts of a protocol: what is learned, what is scored. Finished parts are not done again.
package final class ProtocolRunner {
    package let folder: ProtocolFolder
    /// Of what was scored, in the order of the parts.
    package private(set) var entries: [ProtocolEntry] = []
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
        case scoring(method: LearningMethod, test: TestList, job: EvaluationJob, model: ProtocolModel)
        case learning(method: LearningMethod, plan: (_ timing: Bool) throws -> any LearningPlan)
    }

    private let evaluationProtocol: String

    package init(folder: ProtocolFolder, evaluationProtocol: String) {
        self.folder = folder
        self.evaluationProtocol = evaluationProtocol
    }

    // MARK: Parts

    /// Adds a list to score.
    package func score(
        _ name: String, method: LearningMethod, shots: Int? = nil, seed: Int? = nil, part: String? = nil, on test: TestList,
        job: EvaluationJob, model: ProtocolModel
    ) {
        let place = folder.evaluationFolder(name)
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
                }, cost: .scoring(method: method, test: test, job: job, model: model)))
    }

    /// Adds a run that learns prompts or a backbone.
    ///
    /// - Parameters:
    ///   - recipe: all of the run's settings, with lists, shots and seed.
    ///   - clipCount: clips of an epoch, about.
    ///   - job: how the result is scored.
    /// - Returns: what it learns.
    package func learn(
        _ name: String, method: LearningMethod, recipe: Recipe, clipCount: Int, options: ProtocolLearning, job: EvaluationJob
    ) throws -> ProtocolModel {
        let run = folder.path.appendingPath("runs/\(name)")
        try folder.write(recipe, name: name)
        guard let kind = method.kind else { preconditionFailure("a method that learns nothing has no run") }
        let request = options.request(method, kind, recipe: recipe)
        let clips = recipe.training.steps.map { $0 * (recipe.training.batchSize ?? 1) * (recipe.training.accumulationSteps ?? 1) }
            ?? clipCount * (recipe.training.epochs ?? 1)
        parts.append(
            Part(
                title: "\(method.title) on \(counted(clipCount, "clip", "clips")): \(name)",
                work: Double(clips) * (kind == .learn ? 2 : 3), isFinished: fileExists(run.appendingPath("finished.json")),
                run: { [folder] in
                    folder.context.resetPeakMemory()
                    try request.complete(run, context: folder.context.ofPart)
                },
                cost: .learning(method: method) { [folder] timing in try request.plan(timing: timing, context: folder.context) }))
        let checkpoint = options.checkpoint
        return ProtocolModel(
            subject: {
                let prompts = run.appendingPath("prompts/\(checkpoint.rawValue).safetensors")
                guard kind == .bridge else {
                    return try job.subject(
                        prompts: method.isHead ? run.appendingPath(HeadFile.name) : prompts, backbone: recipe.model.checkpoint)
                }
                // What a method puts behind the image tower is kept where prompts are.
                return try job.subject(
                    prompts: isRegularFile(prompts) ? prompts : nil,
                    backbone: run.appendingPath(checkpoint == .last ? "last.safetensors" : "backbone.safetensors"))
            },
            training: { try Self.training(name: name, run: run, checkpoint: checkpoint.rawValue) }, isThere: false)
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
    ///
    /// - Parameter timing: without it only what can be counted is told.
    package func plan(timing: Bool) throws -> EvaluationPlan {
        var speeds: [LearningMethod: Double] = [:]
        var secondsPerVideo: [LearningMethod: Double] = [:]
        var rows: [EvaluationPlan.Part] = []
        for part in parts {
            switch part.cost {
            case .learning(let method, let plan):
                let plan = try plan(timing && speeds[method] == nil)
                if let seconds = plan.seconds { speeds[method] = plan.operationCount / max(seconds, 1e-9) }
                rows.append(
                    .init(
                        name: part.title, steps: plan.stepCount, operations: plan.operationCount, memoryBytes: plan.memoryBytes,
                        seconds: speeds[method].map { plan.operationCount / max($0, 1e-9) }))
            case .scoring(let method, let test, let job, let model):
                if timing, secondsPerVideo[method] == nil {
                    let subject = try model.isThere ? model.subject() : job.subject(prompts: nil)
                    secondsPerVideo[method] = try job.secondsPerVideo(of: test, with: subject)
                }
                let count = test.list.clips.count
                rows.append(.init(name: part.title, videos: count, seconds: secondsPerVideo[method].map { Double(count) * $0 }))
            }
        }
        return EvaluationPlan(evaluationProtocol: evaluationProtocol, parts: rows)
    }

    // MARK: Running

    /// Runs what is not finished yet, in order.
    ///
    /// - Throws: `ProtocolError.stopped` after a signal, when what is finished is kept.
    package func run() throws {
        folder.context.cancellation.arm()
        let clock = ContinuousClock()
        let start = clock.now
        var workLeft = parts.filter { !$0.isFinished }.reduce(0) { $0 + $1.work }
        var workDone = 0.0
        for (index, part) in parts.enumerated() {
            if !part.isFinished {
                let seconds = (clock.now - start) / .seconds(1)
                let left = workDone > 0 ? seconds * workLeft / workDone : nil
                folder.context.note(.part(.part(named: part.title, number: index + 1, of: parts.count, secondsLeft: left)))
            }
            do {
                if folder.context.isCancelled { throw EvaluationStopped() }
                try part.run()
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
