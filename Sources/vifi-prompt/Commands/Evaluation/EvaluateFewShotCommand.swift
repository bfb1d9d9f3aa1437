import ArgumentParser
import CLIPModel
import Evaluation
import Experiments
import Files
import Recipes
import Training
import VideoData

struct EvaluateFewShotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "few-shot",
        abstract: "Learns from K = 2, 4, 8, 16 clips a class and scores each: prompts beside fine-tuning.",
        discussion: """
            Tables 3 and 7 of the paper. Each K is a run of its own; the K clips of a seed are among its 2K. By default the \
            recipes few-shot/prompt and few-shot/fine-tune are followed, on 32 frames and one view.

              vifi-prompt evaluate few-shot --train train1.txt --test val1.txt \\
                --labels labels.csv --backbone bridged.safetensors \\
                --fine-tune-backbone ViT-B-16.safetensors
              vifi-prompt evaluate few-shot --recipe few-shot/hmdb51-2shot-prompt \\
                --methods prompt --shots 2 --seeds 1,2,3 …

            What is finished in the folder is not done again: after Ctrl-C or a crash the same command with that --output \
            goes on, and more shots, seeds or methods are added to it. With --plan it tells the cost and starts nothing.

            Without lists it runs on the pocket world: about 12 minutes on two cores.
            """)

    @OptionGroup(title: "Data") var data: DataOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Learning") var learning: ProtocolLearningOptions
    @OptionGroup(title: "Memory") var memory: MemoryOptions
    @OptionGroup(title: "Settings") var recipe: RecipeOptions
    @OptionGroup(title: "Test") var test: TestOptions
    @OptionGroup(title: "Output") var output: ProtocolOutputOptions

    @Option(
        help: ArgumentHelp("Clips of each class to learn from, with commas; 2,4,8,16 by default.", valueName: "numbers"),
        transform: ShotList.init(argument:))
    var shots: ShotList?
    @Option(
        help: ArgumentHelp("Seeds of draws and learning, with commas; one draw by default, as in the paper.", valueName: "seeds"),
        transform: SeedList.init(argument:))
    var seeds: SeedList?

    func run() throws {
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
            name: "few-shot", isPocket: isPocket, group: "few-shot", methods: learning.methods?.methods ?? [.prompt, .fineTune],
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
        let seeds = seeds?.seeds ?? [setting.recipe(setting.methods[0]).training.seed ?? 1]

        var setup = ProtocolFolder.Setup(evaluationProtocol: "few-shot", inputs: try setting.inputs())
        setup.inputs.merge(tested.inputs("test").merging(source.inputs("train")) { $1 }) { $1 }
        let folder = try ProtocolFolder(output: output.output, setup: setup, isTemporary: learning.plan, context: .commandLine)
        let runner = ProtocolRunner(folder: folder)
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
        if learning.plan { return Console.result(alignedTable(try runner.plan())) }
        try runner.run()
        let summary = ProtocolSummary(
            evaluationProtocol: "few-shot", command: folder.command, isPocket: isPocket, entries: runner.entries)
        let table = Self.table(summary, methods: setting.methods, shots: counts, available: available)
        Console.note("Top-1 in percent on \(scored.escapedForDisplay), \(counted(tested.list.clips.count, "video", "videos"))"
            + (seeds.count > 1 ? "; mean ± deviation over \(seeds.count) seeds" : ""))
        try output.show(summary, table: table, folder: folder)
    }

    private var counts: [Int] { shots?.counts ?? [2, 4, 8, 16] }

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
