import CLIPModel
import Evaluation
import Files
import Recipes
import Tensors
import Training
import VideoData

/// Settings in which methods learn from one list and are scored on others: zero-shot on classes that nothing was learned of,
/// supervised on those that were.
package struct LearnedScoring {
    /// What is learned from.
    package struct Source: Equatable {
        package var train: String?
        /// The epoch to score is chosen on it, where that is asked for.
        package var validation: String?
        package var labels: String?
        package var root: String?

        package init(train: String? = nil, validation: String? = nil, labels: String? = nil, root: String? = nil) {
            (self.train, self.validation, self.labels, self.root) = (train, validation, labels, root)
        }
    }

    /// How many classes the scored lists share with what is learned.
    package enum Setting: String, Sendable {
        case zeroShot = "zero-shot"
        case supervised

        var group: RecipeGroup { self == .zeroShot ? .zeroShot : .supervised }
    }

    package let name: Setting
    package let isPocket: Bool
    package let tests: [(name: String, test: TestList)]
    /// What determines the numbers besides lists and models.
    package var inputs: [String: String] = [:]
    private let setting: LearnedSetting
    private let source: Source
    private let train: TestList
    private let seeds: [Int]
    private let context: RunContext

    /// - Parameters:
    ///   - recipe: what the command line says beside lists.
    ///   - seeds: of learning; nil for that of the recipes.
    ///   - words: around class names, that the command line asks for.
    package init(
        _ name: Setting, lists: TestListInputs, source: Source, methods: [LearningMethod], seeds: [Int]?, learning: ProtocolLearning,
        recipe: RecipeSource, words: String?, context: RunContext
    ) throws {
        var (source, recipe) = (source, recipe)
        let given = try recipe.given()
        let pool = learning.model.pool(context)
        isPocket = lists.tests.isEmpty && lists.labels.isEmpty && source == Source() && given.meansPocket
        if isPocket {
            let (small, large) = (PocketCatalog.small(), PocketCatalog.large())
            let set = try PocketHome.dataSet(large, pool: pool, context: context)
            let scored = name == .supervised ? set : try PocketHome.dataSet(small, pool: pool, context: context)
            context.note(.data(.pocketWorld(folders: name == .supervised ? [set.root] : [set.root, scored.root], .learningAndScoring)))
            source = Source(train: set.trainList, validation: set.validationList, labels: set.labels)
            tests = [("test", try TestList(scored.testList, labels: scored.labels, videos: learning.videos, root: nil, context: context))]
            if given.training.epochs == nil, given.training.steps == nil { recipe.flags.training.epochs = name.group.pocketEpochs }
        } else {
            tests = try lists.lists(given, videos: learning.videos, context: context)
            source.root = source.root ?? given.data.root
            // Those that are learned are those that are scored.
            if name == .supervised { source.labels = source.labels ?? lists.labels.first ?? given.data.labels }
        }
        if name == .supervised, given.evaluation.views == nil { recipe.flags.evaluation.views = Views("4x3") }
        guard let trainPath = source.train, let labels = source.labels, !tests.isEmpty else {
            let missing = [("--train", source.train), ("--train-labels", source.labels), ("--test", tests.first?.name)]
            throw SettingsError.incompleteData(missing: missing.filter { $0.1 == nil }.map(\.0))
        }
        guard learning.checkpoint == .last || source.validation != nil else { throw ProtocolError.nothingToChooseOn }
        let setting = try LearnedSetting(
            name: name.rawValue, isPocket: isPocket, group: name.group, startsFromImage: true, methods: methods, learning: learning,
            source: recipe, words: words, pool: pool, context: context)
        if name == .zeroShot { try setting.requireNovelClasses() }
        train = try TestList(trainPath, labels: labels, videos: learning.videos, root: source.root, context: context)
        if methods != [.zeroShot] {
            for (_, test) in tests {
                if name == .supervised {
                    try learning.videos.allowances.check(train: train.list, validation: test.list, classes: train.classes, context: context)
                } else if !learning.videos.allowances.allowSharedVideos {
                    for warning in try ListChecks(train: train.list, validation: test.list).refuseSharedVideos() { context.warning(.list(warning)) }
                }
            }
        }
        self.name = name
        self.source = source
        self.setting = setting
        self.seeds = seeds ?? [methods.first.flatMap { setting.recipe($0).training.seed } ?? 1]
        self.context = context
    }

    /// What all of it would cost; nothing is left behind.
    package func plan(timing: Bool, drawn: ListScoring.Drawing? = nil) throws -> EvaluationPlan {
        try prepared(output: nil, isTemporary: true, drawn: drawn).plan(timing: timing)
    }

    /// - Parameter output: nil for the next free folder under runs/.
    /// - Returns: what came out, its table, and the folder that it is to be written into.
    package func run(output: String?, drawn: ListScoring.Drawing? = nil) throws -> (summary: ProtocolSummary, table: [[String]], folder: ProtocolFolder) {
        let runner = try prepared(output: output, isTemporary: false, drawn: drawn)
        try runner.run()
        let summary = ProtocolSummary(
            evaluationProtocol: name.rawValue, command: runner.folder.command, isPocket: isPocket, entries: runner.entries)
        context.note(.scoring(.learned(clips: train.list.clips.count, classes: train.classes.count, seeds: seeds.count)))
        return (summary, Self.table(summary, methods: setting.methods), runner.folder)
    }

    private func prepared(output: String?, isTemporary: Bool, drawn: ListScoring.Drawing?) throws -> ProtocolRunner {
        var setup = ProtocolFolder.Setup(evaluationProtocol: name.rawValue, inputs: try setting.inputs())
        setup.inputs.merge(inputs) { $1 }
        setup.inputs.merge(train.inputs("train")) { $1 }
        for (name, test) in tests { setup.inputs.merge(test.inputs(name)) { $1 } }
        let folder = try ProtocolFolder(output: output, setup: setup, isTemporary: isTemporary, context: context)
        let runner = ProtocolRunner(folder: folder, evaluationProtocol: name.rawValue)
        let scored = try drawn?(folder) ?? tests
        for method in setting.methods {
            func score(_ run: String, seed: Int?, _ model: ProtocolModel) {
                for (name, test) in scored {
                    runner.score("\(run)-\(name)", method: method, seed: seed, on: test, job: setting.job(method), model: model)
                }
            }
            guard method != .zeroShot else {
                score(method.rawValue, seed: nil, setting.unlearned())
                continue
            }
            for seed in seeds {
                let run = "\(method.rawValue)-seed\(seed)"
                let learned = try setting.learn(run, method: method, clipCount: train.list.clips.count, on: runner) { recipe in
                    recipe.data.train = source.train
                    recipe.data.val = source.validation
                    recipe.data.labels = source.labels
                    recipe.data.root = source.root
                    recipe.training.seed = seed
                }
                score(run, seed: seed, learned)
            }
        }
        return runner
    }

    /// A row a method; where there are several lists a column for the top-1 of each, over its seeds; then the means over all.
    package static func table(_ summary: ProtocolSummary, methods: [LearningMethod]) -> [[String]] {
        var lists: [String] = []
        for entry in summary.evaluations where !lists.contains(entry.evaluation.list) { lists.append(entry.evaluation.list) }
        if lists.count == 1 { lists = [] }
        let hasTop5 = summary.evaluations.allSatisfy { $0.evaluation.tellingTop5 != nil }
        let measures = [("top1", "top-1 %"), ("top5", "top-5 %"), ("mean_class_accuracy", "mean of classes %")].filter { hasTop5 || $0.0 != "top5" }
        let rows = methods.map { method -> [String] in
            let entries = summary.evaluations.filter { $0.method == method.rawValue }
            let each = lists.map { list in
                let statistics = RunStatistics(entries.filter { $0.evaluation.list == list }.map(\.evaluation.top1))
                return NumberText.decimal(statistics.mean, places: 1) + (statistics.deviation.map { " ± " + NumberText.decimal($0, places: 1) } ?? "")
            }
            return [method.title] + each + measures.map { summary.result($0.0, method: method.rawValue)?.text ?? "–" }
        }
        return [["method"] + folderNames(lists) + measures.map(\.1)] + rows
    }
}
