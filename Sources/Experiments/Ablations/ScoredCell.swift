import CLIPModel
import Evaluation
import Files
import Recipes
import Training
import VideoData

/// A cell of a grid in which nothing is learned: the backbone as it is, scored once on the list that the other cells are told by.
///
///     result.json            RunResult
///     test-predictions.csv   ClipVerdicts; val-predictions.csv where there is no test list; neither of captions
struct ScoredCell {
    /// What `summary.json` calls it.
    static let command = "evaluate"

    /// Settings with lists, labels and backbone; nothing of it learns.
    let request: RunRequest
    let folder: String

    private static let resultName = "result.json"
    private static let lists = ["test", "val"]
    private static let folderKind = FolderKind(name: "cell", entries: [resultName] + lists.map(ClipVerdicts.fileName))

    /// Nil before it was scored.
    func result() throws -> RunResult? { try readJSON(RunResult.self, folder.appendingPath(Self.resultName)) }

    /// Whether each clip was labeled rightly.
    static func hits(of folder: String) throws -> [Bool]? {
        try lists.map { folder.appendingPath(ClipVerdicts.fileName(of: $0)) }.first(where: fileExists).map { try ClipVerdicts(path: $0).hits }
    }

    /// - Throws: `EvaluationStopped` after a signal.
    func run(threads: Int?, title: String, context: RunContext) throws {
        let request = request.withThreads(threads)
        let data = request.recipe.data
        guard request.recipe.model.checkpoint != nil else { throw SettingsError.noBackbone }
        context.resetPeakMemory()
        context.cancellation.arm()
        let job = EvaluationJob(
            evaluationProtocol: AblationGrid.unlearned, settings: request.recipe, videos: request.videos, model: request.model,
            pool: request.model.pool(context), context: context)
        let subject = try job.subject(prompts: nil)
        let began = ContinuousClock.now
        let scored = try data.captions != nil ? (scores: captionScores(job, subject), predictions: nil) : classScores(job, subject, title: title)
        var result = RunResult(
            steps: nil, epochs: nil, trainingLoss: nil, best: nil, last: nil, seconds: (ContinuousClock.now - began) / .seconds(1),
            peakBytes: Machine.peakMemory)
        let isTest = (data.test ?? data.testCaptions) != nil
        if isTest { result.test = scored.scores } else { result.last = scored.scores }
        result.count(
            learned: 0, .prompts(.none), architecture: subject.backbone.architecture, frameCount: job.frameCount(of: subject),
            sequences: try subject.backbone.sequences(of: ["x"], textTokens: 0, template: "{}", tokenizer: subject.tokenizer))
        try FolderMark.claim(folder, Self.folderKind)
        if let predictions = scored.predictions {
            try DurableFile.write(ClipVerdicts(predictions).csv, to: folder.appendingPath(ClipVerdicts.fileName(of: isTest ? "test" : "val")))
        }
        // Last: where it is, everything is.
        try DurableFile.write(json(result), to: folder.appendingPath(Self.resultName))
    }

    private func classScores(_ job: EvaluationJob, _ subject: LoadedModel, title: String) throws -> (scores: Scores, predictions: [Prediction]?) {
        let data = request.recipe.data
        guard let list = data.scored, let labels = data.labels else {
            throw SettingsError.incompleteData(missing: [("--test", data.scored), ("--labels", data.labels)].filter { $0.1 == nil }.map(\.0))
        }
        let test = try TestList(list, labels: labels, videos: request.videos, root: data.root, context: job.context)
        let result = try job.evaluate(test, with: subject, title: title)
        return (Scores(result.metrics), result.predictions)
    }

    private func captionScores(_ job: EvaluationJob, _ subject: LoadedModel) throws -> Scores {
        let (data, frameCount) = (request.recipe.data, job.frameCount(of: subject))
        guard let path = data.scoredCaptions else { throw SettingsError.incompleteData(missing: ["--captions"]) }
        let list = try CaptionList.read(path, root: data.root)
        for warning in list.warnings { job.context.warning(.list(warning)) }
        try list.videoList.checkFiles(followsLinks: request.videos.followLinks)
        let sequences = try subject.backbone.tokens(
            of: list, prompts: .none, template: request.recipe.template, maxWords: data.maxWords, tokenizer: subject.tokenizer, context: job.context)
        let outcome = try RetrievalEvaluator(
            PairEncoder(backbone: subject.backbone, frameCount: frameCount, pool: job.pool), pool: job.pool
        ).outcome(of: list, sequences: sequences, loader: job.loader(of: list.videoList, for: subject, frameCount: frameCount), bestCount: 0) { _, _ in
            if job.context.isCancelled { throw EvaluationStopped() }
        }
        return Scores(outcome.metrics)
    }
}
