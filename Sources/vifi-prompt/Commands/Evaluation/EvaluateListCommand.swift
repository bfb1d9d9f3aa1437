import ArgumentParser
import CLIPModel
import Evaluation
import Files
import Training

struct EvaluateListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Scores one test list: top-1, top-5, accuracy of each class, confusion.",
        discussion: """
            Without arguments it scores the newest prompts learned here (else the bridged pocket CLIP as it is) \
            on the pocket world's small test list.

              vifi-prompt eval --prompts runs/learn/prompts/best.safetensors
              vifi-prompt eval --zero-shot --backbone clip.safetensors --val val.txt --labels labels.csv
              vifi-prompt eval --recipe zero-shot/eval-hmdb51 --backbone bridged.safetensors --val val1.txt --labels hmdb51.csv

            With --views 4x3 each film is seen as 4 clips in time, each cropped at both ends and in the middle of \
            the longer side; probabilities are averaged.
            """)

    @OptionGroup(title: "Data") var data: DataOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Prompts") var prompts: PromptOptions
    @OptionGroup(title: "Settings") var recipe: RecipeOptions
    @OptionGroup(title: "Test") var test: TestOptions

    @Flag(help: "No prompts: class names in the template.")
    var zeroShot = false
    @Flag(help: "Everything as JSON on standard output.")
    var json = false
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "Folder for evaluation.json, per_class.csv, confusion.csv and predictions.jsonl; runs/eval, -2, -3, … by default.",
            valueName: "folder"))
    var output: String?

    /// Where a subcommand is misspelt, this one is taken.
    @Argument(help: .hidden) var words: [String] = []

    func validate() throws {
        if let word = words.first {
            let commands = EvaluateCommand.configuration.subcommands.compactMap { $0.configuration.commandName }
            let nearest = word.nearest(among: commands).map { "Did you mean '\($0)'? " } ?? ""
            throw ValidationError(
                "'\(word.escapedForDisplay)' is no kind of evaluation. \(nearest)There are \(commands.joined(separator: ", ")); a list to score is named by --val.")
        }
        guard data.train == nil else { throw ValidationError("eval takes a test list with --val, not --train.") }
        guard !(zeroShot && prompts.prompts != nil) else { throw ValidationError("--zero-shot and --prompts exclude each other.") }
    }

    func run() throws {
        // Before films are scored, not after them.
        if let output { try EvaluationFolder(output).prove() } else { try proveWritable(folder: BackboneFinder.runsFolder) }
        let settings = try recipe.given { recipe in
            data.apply(to: &recipe)
            recipe.model.checkpoint = model.backbone ?? recipe.model.checkpoint
            test.apply(to: &recipe)
        }
        let job = EvaluationJob(
            evaluationProtocol: "list", settings: settings, films: data.films, model: model, anyBackbone: prompts.anyBackbone,
            template: test.words, pool: model.pool)
        let subject = try job.subject(prompts: zeroShot ? nil : prompts.prompts ?? defaultPrompts(settings))
        let list = try testList(job)
        let result = try job.evaluate(list, with: subject, title: "eval")
        // First, as it may be that nothing can be written.
        if json {
            Console.result(String(try snakeCaseJSON(EvaluationReport(record: result.record, metrics: result.metrics)).dropLast()))
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

    private func defaultPrompts(_ settings: Recipe) -> String? {
        settings.model.checkpoint == nil && settings.data.val == nil ? BackboneFinder.newestPrompts() : nil
    }

    private func testList(_ job: EvaluationJob) throws -> TestList {
        var (val, labels) = (job.settings.data.val, job.settings.data.labels)
        if val == nil {
            let set = try PocketHome.dataSet(.small(), pool: job.pool)
            val = set.testList
            labels = labels ?? set.labels
            Console.note("This is the pocket world's small test list. For your own films pass --val LIST --labels CSV.")
        }
        guard let val, let labels else { throw SettingsError.incompleteData(missing: ["--labels"]) }
        return try TestList(val, labels: labels, films: data.films, root: job.settings.data.root)
    }
}

extension EvaluationJob.Result {
    /// Accuracy of each class, the worst confusions and the means.
    ///
    /// - Parameter model: what was scored, in words.
    func show(model: String) {
        let views = record.setting.views.split(separator: "x").joined(separator: " × ")
        Console.result("\(record.list), \(counted(record.videos, "film", "films")), \(record.setting.frames) frames, \(views) views, \(model)")
        let width = max(5, metrics.perClass.map(\.name.count).max() ?? 0)
        for result in metrics.perClass {
            let name = result.name.escapedForDisplay.padding(toLength: width, withPad: " ", startingAt: 0)
            Console.result("  \(name)  " + (result.top1.map { "\(percent($0)) of \(result.videos)" } ?? "no films"))
        }
        let confusions = metrics.confusion.enumerated().flatMap { truth, row in
            row.enumerated().filter { $0.offset != truth && $0.element > 0 }.map { (truth, $0.offset, $0.element) }
        }
        let worst = confusions.sorted { ($1.2, $0.0, $0.1) < ($0.2, $1.0, $1.1) }.prefix(5)
        if !worst.isEmpty {
            Console.result("most often taken for another class:")
            for (truth, guess, count) in worst {
                Console.result("  \(classes[truth].escapedForDisplay) → \(classes[guess].escapedForDisplay): \(count)")
            }
        }
        Console.result(
            "top-1 \(percent(metrics.top1)), " + (classes.count > 5 ? "top-5 \(percent(metrics.top5)), " : "")
                + "mean of classes \(percent(metrics.meanClassAccuracy))")
    }
}
