import CLIPModel
import Evaluation
import Files
import Recipes
import Tensors
import Training
import VideoData

/// Settings in which nothing is learned: one model scores one or several lists.
package struct ListScoring {
    package let name: String
    package private(set) var tests: [(name: String, test: TestList)]
    /// Nothing was named, or the pocket world by its name.
    package private(set) var isPocket: Bool
    /// What determines the numbers besides lists and model.
    package var inputs: [String: String] = [:]
    private var settings: Recipe
    private let videos: VideoInputs
    private let model: ModelInputs
    private let prompts: String?
    private let anyBackbone: Bool
    private let context: RunContext
    private let words: String?
    private let defaultFrames: Int
    private let pool: WorkerPool

    /// - Parameters:
    ///   - source: what the command line says beside lists, videos and model.
    ///   - words: around class names, that the command line asks for.
    package init(
        name: String, lists: TestListInputs, videos: VideoInputs, model: ModelInputs, prompts: String?, anyBackbone: Bool,
        source: RecipeSource, words: String?, defaultFrames: Int, context: RunContext
    ) throws {
        self.name = name
        self.videos = videos
        self.model = model
        self.prompts = prompts
        self.anyBackbone = anyBackbone
        self.defaultFrames = defaultFrames
        self.words = words
        self.context = context
        pool = model.pool(context)
        settings = try source.given()
        let namesPocket = lists.tests == [PocketHome.name] && lists.labels.isEmpty
        tests = namesPocket ? [] : try lists.lists(settings, videos: videos, prompts: prompts, context: context)
        let model = try Selection(
            prompts: prompts, backbone: settings.model.checkpoint, namesData: !tests.isEmpty, newest: false, context: context)
        isPocket = namesPocket || model.isPocket
        if isPocket, model.isPocket { settings.model.checkpoint = try model.backbonePath() }
        if tests.isEmpty, !isPocket {
            guard let run = model.run else { throw UnnamedError.noVideos }
            settings = try model.settings(settings)
            tests = [("test", try run.testList(videos: videos, pool: pool, context: context))]
        }
    }

    package var seed: Int { settings.training.seed ?? 1 }

    /// Views where neither flags nor recipe name any.
    package mutating func defaultViews(_ text: String) { settings.evaluation.views = settings.evaluation.views ?? Views(text) }

    /// Scores the test list of a pocket data set.
    package mutating func takePocket(_ catalog: PocketCatalog) throws {
        let set = try PocketHome.dataSet(catalog, pool: pool, context: context)
        context.note(.data(.pocketWorld(folders: [set.root], .scoring)))
        tests = [("test", try TestList(set.testList, labels: set.labels, videos: videos, root: nil, context: context))]
    }

    /// Makes the lists to score, where they are not those that were named.
    package typealias Drawing = (ProtocolFolder) throws -> [(name: String, test: TestList)]

    /// What scoring would cost; nothing is left behind.
    package func plan(timing: Bool, drawn: Drawing? = nil) throws -> EvaluationPlan {
        try prepared(output: nil, isTemporary: true, drawn: drawn).runner.plan(timing: timing)
    }

    /// - Parameter output: nil for the next free folder under runs/.
    /// - Returns: what came out, its table, and the folder that it is to be written into.
    package func run(output: String?, drawn: Drawing? = nil) throws -> (summary: ProtocolSummary, table: [[String]], folder: ProtocolFolder) {
        let (runner, subject, job) = try prepared(output: output, isTemporary: false, drawn: drawn)
        try runner.run()
        let summary = ProtocolSummary(
            evaluationProtocol: name, command: runner.folder.command, isPocket: isPocket, entries: runner.entries)
        let table = Self.table(summary)
        context.note(.scoring(.scored(model: subject.summary, frames: job.frameCount(of: subject), views: job.views)))
        return (summary, table, runner.folder)
    }

    private func prepared(
        output: String?, isTemporary: Bool, drawn: Drawing?
    ) throws -> (runner: ProtocolRunner, subject: LoadedModel, job: EvaluationJob) {
        let job = EvaluationJob(
            evaluationProtocol: name, settings: settings, videos: videos, model: model, anyBackbone: anyBackbone,
            template: words, defaultFrames: defaultFrames, pool: pool, context: context)
        let subject = try job.subject(prompts: prompts)
        subject.warn(ofUnused: words)
        // Words that no class name fits into are told before there is a folder.
        if let words = job.template(of: subject) {
            _ = try subject.backbone.sequences(of: ["x"], textTokens: 0, template: words, tokenizer: subject.tokenizer)
        }
        var setup = ProtocolFolder.Setup(evaluationProtocol: name, inputs: inputs)
        setup.inputs.merge(job.inputs(subject)) { $1 }
        for (name, test) in tests { setup.inputs.merge(test.inputs(name)) { $1 } }
        let folder = try ProtocolFolder(output: output, setup: setup, isTemporary: isTemporary, context: context)
        let runner = ProtocolRunner(folder: folder, evaluationProtocol: name)
        let scored = try drawn?(folder) ?? tests
        let method: LearningMethod = prompts == nil ? .zeroShot : .prompt
        for (name, test) in scored {
            runner.score(name, method: method, seed: drawn == nil ? nil : seed, on: test, job: job, model: ProtocolModel(subject))
        }
        return (runner, subject, job)
    }

    /// A row a list, then the means.
    package static func table(_ summary: ProtocolSummary) -> [[String]] {
        var rows = [["list", "classes", "videos", "top-1 %", "top-5 %", "mean of classes %"]]
        func text(_ value: Double) -> String { NumberText.decimal(value, places: 1) }
        for entry in summary.evaluations {
            let record = entry.evaluation
            rows.append(
                [entry.name, "\(record.classes)", "\(record.videos)"] + [record.top1, record.tellingTop5, record.meanClassAccuracy].map { $0.map(text) ?? "–" })
        }
        if summary.evaluations.count > 1, let method = summary.evaluations.first?.method {
            let hasTop5 = summary.evaluations.allSatisfy { $0.evaluation.tellingTop5 != nil }
            let means = ["top1", "top5", "mean_class_accuracy"].map { measure in
                (measure == "top5" && !hasTop5 ? nil : summary.result(measure, method: method)?.text) ?? "–"
            }
            rows.append(["mean ± deviation, n = \(summary.evaluations.count)", "", ""] + means)
        }
        return rows
    }
}

// MARK: - What determines the numbers

extension EvaluationJob {
    /// Settings and digests, by what they are of.
    package func inputs(_ subject: LoadedModel) -> [String: String] {
        [
            "backbone": subject.backbone.digest, "prompts": subject.prompts?.useDigest ?? "none",
            "number of frames": "\(frameCount(of: subject))", "template": template(of: subject) ?? "learned",
        ].merging(settingInputs) { $1 }
    }

    /// Of every model.
    package var settingInputs: [String: String] {
        [
            "number of views": views.text, "fusion": settings.fusion?.rawValue ?? "its own", "list of faults to repeat": Quirk.text(of: settings.compat ?? []),
            "normalization": settings.model.normalization?.rawValue ?? "its own",
            "precision": (model.precision ?? settings.model.precision ?? .fp32).rawValue, "seed": "\(settings.training.seed ?? 1)",
            "treatment of bad videos": (settings.data.onBadVideo ?? .fail).rawValue,
        ]
    }
}

extension TestList {
    package func inputs(_ name: String) -> [String: String] {
        ["list \(name)": sha256, "class names of \(name)": classes.digest, "root of \(name)": resolvedPath(list.root) ?? list.root]
    }
}
