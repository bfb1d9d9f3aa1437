import ArgumentParser
import CLIPModel
import Evaluation
import Experiments
import Files
import Recipes
import Tensors
import Training
import VideoData

struct EvaluateBaseToNovelCommand: PlannableCommand {
    static let configuration = CommandConfiguration(
        commandName: "base-to-novel",
        abstract: "Learns one half of the classes from three draws, scores both halves; harmonic mean.",
        discussion: """
            Table 2 of the paper: 16 clips of each base class, drawn three times; each result scores the base and the novel \
            test videos, each among the classes of its own half alone. Accuracies are averaged over the draws; the harmonic \
            mean 2BN / (B + N) is that of the two averages.

            The halves and the draws are made here from whole lists, or were made before, or were learned before:

              vifi-prompt evaluate base-to-novel --train train1.txt --test val1.txt \\
                --labels labels.csv --backbone bridged.safetensors
              vifi-prompt evaluate base-to-novel --halves halves/ --root videos/ \\
                --backbone bridged.safetensors
              vifi-prompt evaluate base-to-novel --halves halves/ --root videos/ \\
                --prompts a.safetensors --prompts b.safetensors --prompts c.safetensors

            By default prompts are learned by the recipe base-to-novel/prompt. Finished parts in the folder are not \
            repeated. With --dry-run it tells the cost and starts nothing.

            Without lists: three draws of 2 clips on the pocket world, about 2 minutes on two cores.
            """)

    @OptionGroup(title: "Data") var data: DataOptions
    @OptionGroup(title: "Base and novel classes") var halves: HalvesOptions
    @OptionGroup(title: "Draws") var draws: DrawOptions
    @OptionGroup(title: "Learning") var learning: ProtocolLearningOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Test") var test: TestOptions
    @OptionGroup(title: "Settings") var recipe: RecipeOptions
    @OptionGroup(title: "Output") var output: ProtocolOutputOptions
    @OptionGroup(title: "Plan") var planning: DryRunOptions
    @OptionGroup(title: "Memory") var memory: MemoryOptions

    struct DrawOptions: ParsableArguments {
        @Option(help: ArgumentHelp("Clips of each base class in a draw; 16 by default.", valueName: "clips"))
        var shots: Int?

        @Option(
            help: ArgumentHelp("Seeds of the draws and of learning, with commas; 1,2,3 by default.", valueName: "seeds"),
            transform: SeedList.init(argument:))
        var seeds: SeedList?

        @Option(help: ArgumentHelp("Prompts that were learned before, one file for each draw: nothing is learned.", valueName: "path"))
        var prompts: [String] = []

        @Option(help: ArgumentHelp("Backbones that were fine-tuned before, one for each draw: nothing is learned.", valueName: "file"))
        var tuned: [String] = []

        @Flag(help: anyBackboneHelp)
        var anyBackbone = false
    }

    private var shots: Int? { draws.shots }
    private var seeds: SeedList? { draws.seeds }
    private var prompts: [String] { draws.prompts }
    private var tuned: [String] { draws.tuned }
    private var anyBackbone: Bool { draws.anyBackbone }

    func validate() throws {
        if let shots, shots < 1 { throw ValidationError("--shots is \(shots); it must be at least 1.") }
        guard prompts.isEmpty || tuned.isEmpty else { throw ValidationError("--prompts and --tuned exclude each other.") }
        guard !hasModels || learning.methods == nil && seeds == nil && shots == nil && halves.baseTrain.isEmpty else {
            throw ValidationError("With --prompts or --tuned nothing is learned: leave out --methods, --seeds, --shots and --base-train.")
        }
        guard halves.isEmpty || data.isEmpty else {
            throw ValidationError("--train, --val, --test and --labels are halved here; --halves, --base-… and --novel-… name halves that already exist.")
        }
        guard halves.baseTrain.isEmpty || seeds == nil || seeds?.values.count == halves.baseTrain.count else {
            throw ValidationError("--seeds needs one seed for each --base-train.")
        }
    }

    private var hasModels: Bool { !(prompts.isEmpty && tuned.isEmpty) }

    var json: Bool { output.json }

    /// All parts, and what is told with their results.
    private struct Prepared {
        let runner: ProtocolRunner
        let methods: [LearningMethod]
        let isPocket: Bool
        let split: BaseToNovelData
    }

    func plan(timing: Bool) throws -> any CostPlan { try prepared(isTemporary: true).runner.plan(timing: timing) }

    private func prepared(isTemporary: Bool) throws -> Prepared {
        let pool = model.pool
        let given = try recipe.given(flags: flags)
        let isPocket = halves.isEmpty && given.meansPocket
        let methods: [LearningMethod] = hasModels ? [tuned.isEmpty ? .prompt : .fineTune] : learning.methods?.values ?? [.prompt]
        let setting = try hasModels ? nil : LearnedSetting(
            name: "base-to-novel", isPocket: isPocket, group: .baseToNovel, methods: methods,
            learning: ProtocolLearning(learning, model: model, videos: data.videos, memory: memory), source: recipe.source(flags: flags),
            words: test.words, anyBackbone: anyBackbone, pool: pool, context: .commandLine)
        try setting?.requireNovelClasses()
        var split = try halves(given, isPocket: isPocket, pool: pool)

        var setup = ProtocolFolder.Setup(evaluationProtocol: "base-to-novel", inputs: try setting?.inputs() ?? modelInputs(given, pool))
        setup.inputs.merge(split.inputs) { $1 }
        let folder = try ProtocolFolder(output: output.output, setup: setup, isTemporary: isTemporary, context: .commandLine)
        try split.keep(in: folder)
        let runner = ProtocolRunner(folder: folder, evaluationProtocol: "base-to-novel")
        if let setting {
            for method in methods { try add(method, setting, split, to: runner) }
        } else {
            let job = scoringJob(given, pool)
            if !data.videos.allowances.allowRepeats { try RepeatedFile.refuse(among: prompts + tuned) }
            for (index, path) in (prompts + tuned).enumerated() {
                let model = ProtocolModel(subject: {
                    try tuned.isEmpty ? job.subject(prompts: path) : job.subject(prompts: nil, backbone: path)
                })
                score("draw\(index + 1)", method: methods[0], seed: nil, shots: nil, split, job: job, model: model, on: runner)
            }
        }
        return Prepared(runner: runner, methods: methods, isPocket: isPocket, split: split)
    }

    func start() throws {
        let prepared = try prepared(isTemporary: false)
        let (runner, methods, split) = (prepared.runner, prepared.methods, prepared.split)
        try runner.run()
        let summary = ProtocolSummary(
            evaluationProtocol: "base-to-novel", command: runner.folder.command, isPocket: prepared.isPocket, entries: runner.entries)
        let table = Self.table(summary)
        Console.note(
            "Top-1 in percent, each half among its own \(split.base.classes.count) and \(split.novel.classes.count) classes. "
                + "The harmonic mean 2BN / (B + N) is that of the two averages.")
        for method in methods where method != .zeroShot {
            let repeated = Set(summary.evaluations.filter { $0.method == method.rawValue }.map(\.shots))
                .flatMap { summary.repeatedDraws(method: method.rawValue, shots: $0) }
            if let first = repeated.min() {
                Console.warning(
                    "\(method.title): draw \(first)\(repeated.count > 1 ? " and others hold" : " holds") the videos of an earlier draw, so the "
                        + "deviation says nothing of draws. There are too few clips to draw from, or one list was given several times.")
            }
        }
        try output.show(summary, table: table, folder: runner.folder)
    }

    /// Learns and scores one method.
    private func add(_ method: LearningMethod, _ setting: LearnedSetting, _ split: BaseToNovelData, to runner: ProtocolRunner) throws {
        let job = setting.job(method)
        guard method != .zeroShot else {
            return score("zero-shot", method: method, seed: nil, shots: nil, split, job: job, model: setting.unlearned(), on: runner)
        }
        for draw in split.draws {
            let name = "\(method.rawValue)-\(draw.name)"
            let chosenOn = (split.validation ?? split.base).list
            if setting.scoresBest, let root = draw.root, resolvedPath(root) != resolvedPath(chosenOn.root) {
                throw ProtocolError.otherRoots(train: root, val: chosenOn.root)
            }
            let learned = try setting.learn(name, method: method, clipCount: draw.clipCount, on: runner) { recipe in
                recipe.data.train = draw.list
                recipe.data.val = chosenOn.path
                recipe.data.labels = split.baseLabels
                recipe.data.root = draw.root
                recipe.training.shots = draw.shots
                recipe.training.seed = draw.seed
            }
            score(name, method: method, seed: draw.seed, shots: draw.shots, split, job: job, model: learned, on: runner)
        }
    }

    private func score(
        _ name: String, method: LearningMethod, seed: Int?, shots: Int?, _ split: BaseToNovelData, job: EvaluationJob, model: ProtocolModel,
        on runner: ProtocolRunner
    ) {
        for (part, test) in [("base", split.base), ("novel", split.novel)] {
            runner.score("\(name)-\(part)", method: method, shots: shots, seed: seed, part: part, on: test, job: job, model: model)
        }
    }

    // MARK: Settings

    private func flags(_ recipe: inout Recipe) {
        data.apply(to: &recipe)
        test.apply(to: &recipe)
        learning.apply(to: &recipe)
        model.inputs.apply(to: &recipe)
    }

    /// How models that are there are scored: as their prompt files say.
    private func scoringJob(_ given: Recipe, _ pool: WorkerPool) -> EvaluationJob {
        EvaluationJob(
            evaluationProtocol: "base-to-novel", settings: given, videos: data.videos.inputs, model: model.inputs, anyBackbone: anyBackbone,
            template: test.words, defaultFrames: 32, pool: pool, context: .commandLine)
    }

    private func modelInputs(_ given: Recipe, _ pool: WorkerPool) throws -> [String: String] {
        let job = scoringJob(given, pool)
        var inputs = job.settingInputs
        for (index, path) in prompts.enumerated() { inputs["file of prompts \(index + 1)"] = try PromptFile.load(path).useDigest }
        for (index, path) in tuned.enumerated() { inputs["backbone \(index + 1)"] = try BackboneFinder.load(path, activation: model.activation, context: .commandLine).digest }
        if tuned.isEmpty { inputs["backbone"] = given.model.checkpoint ?? "the prompts' own" }
        inputs["template"] = test.words ?? "its own"
        inputs["number of frames"] = given.data.frames.map(String.init) ?? "its own"
        return inputs
    }

    private func halves(_ given: Recipe, isPocket: Bool, pool: WorkerPool) throws -> BaseToNovelData {
        let seeds = seeds?.values ?? [1, 2, 3]
        if isPocket {
            guard halves.baseClasses == nil else { throw ValidationError("--base-classes halves --labels; the pocket world's classes are halved already.") }
            let set = try PocketHome.dataSet(.small(), pool: pool, context: .commandLine)
            Console.note(
                "This is the pocket world: drawn videos in \(set.root). For your own pass --train LIST --test LIST --labels CSV --backbone FILE.")
            let (base, novel) = (set.files(of: .base), set.files(of: .novel))
            return try BaseToNovelData(
                base: TestList(base.testList, labels: base.labels, videos: data.videos.inputs, root: nil, context: .commandLine), baseLabels: base.labels,
                novel: TestList(novel.testList, labels: novel.labels, videos: data.videos.inputs, root: nil, context: .commandLine),
                drawing: base.trainList, root: nil, shots: shots ?? 2, seeds: seeds,
                validation: TestList(base.validationList, labels: base.labels, videos: data.videos.inputs, root: nil, context: .commandLine))
        }
        if !halves.isEmpty {
            return try halves.inputs.read(
                videos: data.videos.inputs, root: given.data.root, shots: shots, seeds: hasModels ? [] : seeds, context: .commandLine)
        }
        let (train, scored, labels) = (given.data.train, given.data.scored, given.data.labels)
        guard let train, let scored, let labels else {
            throw SettingsError.incompleteData(
                missing: [("--train", train), ("--test", scored), ("--labels", labels)].filter { $0.1 == nil }.map(\.0))
        }
        let classes = try ClassNames.readTold(labels, context: .commandLine)
        func list(_ path: String) throws -> TestList {
            try TestList(path, classes: classes, videos: data.videos.inputs, root: given.data.root, context: .commandLine)
        }
        return try BaseToNovelData(
            halving: list(train), list(scored), validation: given.data.test == nil ? nil : given.data.val.map(list), by: halves.baseClasses ?? .frequent, shots: shots ?? 16, seeds: hasModels ? [] : seeds, context: .commandLine)
    }

    // MARK: Table

    /// A row a draw, then the averages of each method.
    static func table(_ summary: ProtocolSummary) -> [[String]] {
        var rows = [["method", "draw", "base top-1 %", "novel top-1 %", "harmonic mean %"]]
        var groups: [(method: String, shots: Int?)] = []
        for entry in summary.evaluations where !groups.contains(where: { $0 == (entry.method, entry.shots) }) {
            groups.append((entry.method, entry.shots))
        }
        for (method, shots) in groups {
            func result(_ part: String) -> ProtocolSummary.Result? { summary.result("top1", method: method, shots: shots, part: part) }
            guard let base = result("base"), let novel = result("novel"), let mean = result("harmonic_mean") else { continue }
            let title = LearningMethod(rawValue: method)?.title ?? method
            let repeated = summary.repeatedDraws(method: method, shots: shots)
            if base.n > 1 {
                for index in base.values.indices {
                    let draw = "\(index + 1)" + (repeated.contains(index + 1) ? " (videos of an earlier draw)" : "")
                    rows.append([title, draw] + [base, novel].map { NumberText.decimal($0.values[index], places: 1) } + [""])
                }
            }
            let distinct = base.n - repeated.count
            // Of one draw that is there several times no deviation over draws is known.
            let isOne = base.n > 1 && distinct < 2 && !repeated.isEmpty
            func text(_ result: ProtocolSummary.Result) -> String { isOne ? NumberText.decimal(result.mean, places: 1) : result.text }
            let label = repeated.isEmpty ? "mean ± deviation, n = \(base.n)" : "mean of \(base.n), \(counted(distinct, "different draw", "different draws"))"
            rows.append([title, base.n > 1 ? label : "", text(base), text(novel), mean.text])
        }
        return rows
    }
}
