import ArgumentParser
import CLIPModel
import Evaluation
import Experiments
import Files
import Training

struct EvaluateListCommand: PlannableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Scores one test list: top-1, top-5, accuracy of each class, confusion.",
        discussion: """
            Without a model and a list it scores the newest run here on its own test list, and where there is none \
            the bridged pocket CLIP on the pocket world's. The list of the run that --prompts or --backbone lie in need not \
            be named either; --test pocket is the pocket world's small one.

              vifi-prompt eval --prompts runs/learn/prompts/best.safetensors
              vifi-prompt eval --zero-shot --backbone clip.safetensors --test val.txt \\
                  --labels labels.csv
              vifi-prompt eval --recipe zero-shot/eval-hmdb51 \\
                  --backbone bridged.safetensors --test val1.txt --labels hmdb51.csv

            With --classes only videos of these classes are scored, and only against these names.

              vifi-prompt eval --test pocket \\
                --backbone Checkpoints/pocket-bridged.safetensors \\
                --classes "clapping while jumping,rowing while kicking"

            With --views 4x3 each video is seen as 4 clips in time, each cropped at both ends and in the middle of \
            the longer side; probabilities are averaged.
            """)

    @OptionGroup(title: "Data") var data: DataOptions
    @OptionGroup(title: "Data") var chosen: ClassOptions
    @OptionGroup(title: "Prompts") var prompts: PromptOptions
    @OptionGroup(title: "Prompts") var without: ZeroShotOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Test") var test: TestOptions
    @OptionGroup(title: "Test") var described: DescriptionOptions
    @OptionGroup(title: "Settings") var recipe: RecipeOptions
    @OptionGroup(title: "Output") var result: ResultOptions
    @OptionGroup(title: "Plan") var planning: DryRunOptions

    struct ClassOptions: ParsableArguments {
        @Option(
            help: ArgumentHelp("Score these classes alone, among each other: names with commas; all classes by default.", valueName: "names"),
            transform: CommaList.init(argument:))
        var classes: CommaList<ClassMember>?
    }

    struct ResultOptions: ParsableArguments {
        @Flag(help: jsonHelp)
        var json = false

        @Option(
            name: .shortAndLong,
            help: ArgumentHelp(
                "Folder for evaluation.json, per_class.csv, confusion.csv and predictions.jsonl; runs/eval, -2, -3, … by default.",
                valueName: "folder"))
        var output: String?

        func validate() throws { try OutputFolder.check(output) }
    }

    var json: Bool { result.json }
    private var output: String? { result.output }
    private var zeroShot: Bool { without.zeroShot }
    private var classes: CommaList<ClassMember>? { chosen.classes }

    func validate() throws {
        guard data.train == nil else { throw ValidationError("eval scores the list of --test, not that of --train.") }
        guard data.test == nil || data.val == nil else { throw ValidationError("eval scores one list: pass --test or --val.") }
        guard described.descriptions.isEmpty || test.words == nil else { throw ValidationError("--descriptions and --template or --names-only exclude each other.") }
        guard !(zeroShot && prompts.prompts != nil) else { throw ValidationError("--zero-shot and --prompts exclude each other.") }
    }

    func plan(timing: Bool) throws -> any CostPlan {
        let (job, list, subject) = try prepared()
        return try job.plan(list, with: subject, timing: timing)
    }

    private func prepared() throws -> (EvaluationJob, TestList, LoadedModel) {
        let given = try recipe.given { recipe in
            data.apply(to: &recipe)
            recipe.model.checkpoint = model.backbone ?? recipe.model.checkpoint
            test.apply(to: &recipe)
        }
        let selection = try Selection(
            prompts: prompts.prompts, backbone: given.model.checkpoint, namesData: given.data.scored != nil || given.data.labels != nil,
            without: zeroShot, context: .commandLine)
        var job = EvaluationJob(
            evaluationProtocol: "list", settings: try selection.settings(given), videos: data.videos.inputs, model: model.inputs, anyBackbone: prompts.anyBackbone,
            template: test.words, pool: model.pool, context: .commandLine)
        job.descriptions = try described.read
        let whole = try selection.testList(
            given.data.scored, labels: given.data.labels, root: given.data.root, videos: data.videos.inputs, pool: job.pool)
        let list = try classes.map { try whole.limited(to: $0.values, context: .commandLine) } ?? whole
        return (job, list, try job.subject(prompts: selection.prompts, backbone: selection.backbonePath()))
    }

    func start() throws {
        // Before videos are scored, not after them.
        if let output { try EvaluationFolder(output).prove() } else { try proveWritable(folder: BackboneFinder.runsFolder) }
        let (job, list, subject) = try prepared()
        let result = try job.evaluate(list, with: subject, title: "eval")
        // First, as it may be that nothing can be written.
        if json {
            try Console.json(EvaluationReport(record: result.record, metrics: result.metrics))
        } else {
            result.show(model: subject.summary)
        }
        let folder = try output ?? RunDirectory.next(in: BackboneFinder.runsFolder, name: "eval")
        let isReplaced = EvaluationFolder(folder).isTaken
        try result.write(to: folder)
        Console.note(
            "Wrote evaluation.json, per_class.csv, confusion.csv and predictions.jsonl to \(folder.escapedForDisplay)"
                + (isReplaced ? ", in place of the evaluation that was there" : ""))
    }
}

extension EvaluationJob.Result {
    /// Accuracy of each class, the worst confusions and the means.
    ///
    /// - Parameter model: what was scored, in words.
    func show(model: String) {
        let views = record.setting.views.split(separator: "x").joined(separator: " × ")
        let subset = record.classSubset.map { " of \(counted($0.count, "class", "classes")) alone (\(shortList($0.map(\.name))))" } ?? ""
        Console.result("\(record.list), \(counted(record.videos, "video", "videos"))\(subset), \(record.setting.frames) frames, \(views) views, \(model)")
        let width = max(5, metrics.perClass.map(\.name.count).max() ?? 0)
        for result in metrics.perClass {
            let name = result.name.escapedForDisplay.padding(toLength: width, withPad: " ", startingAt: 0)
            Console.result("  \(name)  " + (result.top1.map { "\(percent($0)) of \(result.videos)" } ?? "no videos"))
        }
        let confusions = metrics.confusions.filter { $0.truth != $0.predicted }.map { ($0.truth, $0.predicted, $0.videos) }
        let worst = confusions.sorted { ($1.2, $0.0, $0.1) < ($0.2, $1.0, $1.1) }.prefix(5)
        if !worst.isEmpty {
            Console.result("most often taken for another class:")
            for (truth, guess, count) in worst {
                Console.result("  \(classes[truth].escapedForDisplay) → \(classes[guess].escapedForDisplay): \(count)")
            }
        }
        Console.result(
            "top-1 \(percent(metrics.top1)), " + (record.tellingTop5.map { "top-5 \(percent($0)), " } ?? "")
                + "mean of classes \(percent(metrics.meanClassAccuracy))")
    }
}
