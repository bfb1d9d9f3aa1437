import ArgumentParser
import CLIPModel
import Evaluation
import Experiments
import Files
import Recipes
import Training
import VideoData

struct EvaluateFewShotCommand: PlannableCommand {
    static let configuration = CommandConfiguration(
        commandName: "few-shot",
        abstract: "Learns from K = 2, 4, 8, 16 clips per class and scores each: prompts beside fine-tuning.",
        discussion: """
            Tables 3 and 7 of the paper. Each K is a run of its own; the K clips of a seed are among its 2K. By default the \
            recipes few-shot/prompt and few-shot/fine-tune are followed, on 32 frames and one view.

              vifi-prompt evaluate few-shot --train train1.txt --test val1.txt \\
                --labels labels.csv --backbone bridged.safetensors \\
                --fine-tune-backbone ViT-B-16.safetensors
              vifi-prompt evaluate few-shot --recipe few-shot/hmdb51-2shot-prompt \\
                --train train1.txt --val val1.txt --labels labels.csv \\
                --methods prompt --shots 2 --seeds 1,2,3

            Finished parts in the folder are not repeated: after Ctrl-C or a crash repeat the command with that --output \
            to continue; more shots, seeds or methods can be added to it. With --dry-run it tells the cost and starts nothing.

            Without lists it runs on the pocket world: about 12 minutes on two cores.
            """)

    @OptionGroup(title: "Data") var data: DataOptions
    @OptionGroup(title: "Draws") var draws: DrawOptions
    @OptionGroup(title: "Learning") var learning: ProtocolLearningOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Test") var test: TestOptions
    @OptionGroup(title: "Settings") var recipe: RecipeOptions
    @OptionGroup(title: "Output") var output: ProtocolOutputOptions
    @OptionGroup(title: "Plan") var planning: DryRunOptions
    @OptionGroup(title: "Memory") var memory: MemoryOptions

    struct DrawOptions: ParsableArguments {
        @Option(
            help: ArgumentHelp("Clips of each class to learn from, with commas; 2,4,8,16 by default.", valueName: "numbers"),
            transform: ShotList.init(argument:))
        var shots: ShotList?

        @Option(
            help: ArgumentHelp("Seeds of draws and learning, with commas; one draw by default, as in the paper.", valueName: "seeds"),
            transform: SeedList.init(argument:))
        var seeds: SeedList?
    }

    private var shots: ShotList? { draws.shots }
    private var seeds: SeedList? { draws.seeds }
    var json: Bool { output.json }

    /// All parts, and what is told with their results.
    private struct Prepared {
        let runner: ProtocolRunner
        let methods: [LearningMethod]
        let isPocket: Bool
        let test: TestList
        let available: ShotsAvailable
        let seedCount: Int
    }

    func plan(timing: Bool) throws -> any CostPlan { try prepared(isTemporary: true).runner.plan(timing: timing) }

    func start() throws {
        let prepared = try prepared(isTemporary: false)
        let (runner, test) = (prepared.runner, prepared.test)
        try runner.run()
        let summary = ProtocolSummary(
            evaluationProtocol: "few-shot", command: runner.folder.command, isPocket: prepared.isPocket, entries: runner.entries)
        let table = Self.table(summary, methods: prepared.methods, shots: counts, available: prepared.available)
        Console.note("Top-1 in percent on \(test.list.path.escapedForDisplay), \(counted(test.list.clips.count, "video", "videos"))"
            + (prepared.seedCount > 1 ? "; mean ± deviation over \(prepared.seedCount) seeds" : ""))
        try output.show(summary, table: table, folder: runner.folder)
    }

    private func prepared(isTemporary: Bool) throws -> Prepared {
        let pool = model.pool
        var data = data
        let given = try recipe.given(flags: flags)
        let isPocket = given.meansPocket
        if isPocket {
            let set = try PocketHome.dataSet(.small(), pool: pool, context: .commandLine)
            Console.note(
                "This is the pocket world: drawn videos in \(set.root). For your own pass --train LIST --test LIST --labels CSV --backbone FILE.")
            data.train = set.trainList
            (data.val, data.test) = (set.validationList, set.testList)
            data.labels = set.labels
        }
        let setting = try LearnedSetting(
            name: "few-shot", isPocket: isPocket, group: .fewShot, methods: learning.methods?.values ?? [.prompt, .fineTune],
            learning: ProtocolLearning(learning, model: model, videos: data.videos, memory: memory),
            source: recipe.source { recipe in
                flags(&recipe)
                data.apply(to: &recipe)
            }, words: test.words, pool: pool, context: .commandLine)
        var lists = given.data
        (lists.train, lists.val, lists.test) = (data.train ?? lists.train, data.val ?? lists.val, data.test ?? lists.test)
        lists.labels = data.labels ?? lists.labels
        guard let train = lists.train, let scored = lists.scored, let labels = lists.labels else {
            throw SettingsError.incompleteData(
                missing: [("--train", lists.train), ("--test", lists.scored), ("--labels", lists.labels)].filter { $0.1 == nil }.map(\.0))
        }
        // Best is chosen on the validation list; where one list is all there is, on that, as the reference does.
        let chosenOn = lists.val ?? scored
        let classes = try ClassNames.readTold(labels, context: .commandLine)
        let tested = try TestList(scored, classes: classes, videos: data.videos.inputs, root: given.data.root, context: .commandLine)
        let source = try TestList(train, classes: classes, videos: data.videos.inputs, root: given.data.root, context: .commandLine)
        // Before there is a folder; each run looks again.
        if setting.methods != [.zeroShot] {
            try data.videos.allowances.inputs.check(
                train: source.list, validation: tested.list, classes: classes, context: .commandLine)
        }
        let available = ShotsAvailable(source.list, classes: classes)
        for count in counts { if let words = available.words(for: count) { Console.warning(words) } }
        let seeds = seeds?.values ?? [setting.recipe(setting.methods[0]).training.seed ?? 1]

        var setup = ProtocolFolder.Setup(evaluationProtocol: "few-shot", inputs: try setting.inputs())
        setup.inputs.merge(tested.inputs("test").merging(source.inputs("train")) { $1 }) { $1 }
        let folder = try ProtocolFolder(output: output.output, setup: setup, isTemporary: isTemporary, context: .commandLine)
        let runner = ProtocolRunner(folder: folder, evaluationProtocol: "few-shot")
        for method in setting.methods {
            guard method != .zeroShot else {
                runner.score("zero-shot", method: method, on: tested, job: setting.job(method), model: setting.unlearned())
                continue
            }
            for count in counts {
                for seed in seeds {
                    let name = "\(method.rawValue)-\(count)-shot-seed\(seed)"
                    let learned = try setting.learn(name, method: method, clipCount: count * classes.count, on: runner) { recipe in
                        recipe.data.val = chosenOn
                        recipe.training.shots = count
                        recipe.training.seed = seed
                    }
                    runner.score(name, method: method, shots: count, seed: seed, on: tested, job: setting.job(method), model: learned)
                }
            }
        }
        return Prepared(
            runner: runner, methods: setting.methods, isPocket: isPocket, test: tested, available: available, seedCount: seeds.count)
    }

    private var counts: [Int] { shots?.values.sorted() ?? [2, 4, 8, 16] }

    private func flags(_ recipe: inout Recipe) {
        data.apply(to: &recipe)
        test.apply(to: &recipe)
        learning.apply(to: &recipe)
        model.inputs.apply(to: &recipe)
    }

    /// A row a method, a column a number of shots.
    ///
    /// - Parameter available: what there was to draw from, which a column's heading tells where it is less than asked for.
    static func table(_ summary: ProtocolSummary, methods: [LearningMethod], shots: [Int], available: ShotsAvailable) -> [[String]] {
        let columns: [Int?] = (methods.contains(.zeroShot) ? [nil] : []) + shots
        return [["top-1 %"] + columns.map { "K = \($0 ?? 0)" + ($0.map(available.heading) ?? "") }]
            + methods.map { method in
                [method.title]
                    + columns.map { count in
                        guard let result = summary.result("top1", method: method.rawValue, shots: count) else { return "" }
                        // Of one draw that is there several times no deviation over draws is known.
                        let isOne = result.n > 1 && summary.repeatedDraws(method: method.rawValue, shots: count).count == result.n - 1
                        return isOne ? NumberText.decimal(result.mean, places: 1) + " (one draw)" : result.text
                    }
            }
    }
}
