import CLIPModel
import Evaluation
import Files
import Recipes
import Training

/// A cell of a grid in which nothing is learned: the backbone as it is, scored once on the list that the other cells are told by.
///
///     result.json            RunResult
///     test-predictions.csv   ClipVerdicts; val-predictions.csv where there is no test list
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
        guard let list = data.test ?? data.val, let labels = data.labels else {
            throw SettingsError.incompleteData(missing: [("--test", data.test ?? data.val), ("--labels", data.labels)].filter { $0.1 == nil }.map(\.0))
        }
        guard request.recipe.model.checkpoint != nil else { throw SettingsError.noBackbone }
        context.resetPeakMemory()
        context.cancellation.arm()
        let job = EvaluationJob(
            evaluationProtocol: AblationGrid.unlearned, settings: request.recipe, videos: request.videos, model: request.model,
            pool: request.model.pool(context), context: context)
        let test = try TestList(list, labels: labels, videos: request.videos, root: data.root, context: context)
        let subject = try job.subject(prompts: nil)
        let scored = try job.evaluate(test, with: subject, title: title)
        var result = RunResult(steps: nil, epochs: nil, trainingLoss: nil, best: nil, last: nil, seconds: scored.record.seconds)
        if data.test != nil { result.test = Scores(scored.metrics) } else { result.last = Scores(scored.metrics) }
        result.peakBytes = Machine.peakMemory
        result.count(
            learned: 0, .prompts(.none), architecture: subject.backbone.architecture, frameCount: scored.record.setting.frames,
            sequences: try subject.backbone.sequences(of: ["x"], textTokens: 0, template: "{}", tokenizer: subject.tokenizer))
        try FolderMark.claim(folder, Self.folderKind)
        let verdicts = ClipVerdicts.fileName(of: data.test == nil ? "val" : "test")
        try DurableFile.write(ClipVerdicts(scored.predictions).csv, to: folder.appendingPath(verdicts))
        // Last: where it is, everything is.
        try DurableFile.write(json(result), to: folder.appendingPath(Self.resultName))
    }
}
