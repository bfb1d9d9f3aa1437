import ArgumentParser
import CLIPModel
import Evaluation
import Files
import Foundation
import Tensors
import Training
import VideoData

struct EvalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval",
        abstract: "Scores a test list: top-1, top-5, accuracy of each class, confusion.",
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

    @Flag(help: "No prompts: class names in the template.")
    var zeroShot = false
    @Option(help: ArgumentHelp("Words around a class name, with {} in its place.", valueName: "words"))
    var template: String?
    @Option(help: ArgumentHelp("Clips in time × crops in space of each film, such as 4x3; 1x1 by default.", valueName: "views"))
    var views: Views?
    @Option(help: "How frames come together; the prompt file's way by default.")
    var fusion: Fusion?
    @Flag(help: "Everything as JSON on standard output.")
    var json = false
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Folder for per_class.csv, confusion.csv and predictions.jsonl.", valueName: "folder"))
    var output: String?

    func validate() throws {
        guard data.train == nil else { throw ValidationError("eval takes a test list with --val, not --train.") }
        guard !(zeroShot && prompts.prompts != nil) else { throw ValidationError("--zero-shot and --prompts exclude each other.") }
    }

    func run() throws {
        let pool = model.pool
        let settings = try recipe.given(flags: flags)
        let subject = try Subject(
            prompts: zeroShot ? nil : prompts.prompts ?? defaultPrompts(settings), backbone: settings.model.checkpoint,
            vocabulary: model.vocabulary, activation: model.activation, anyBackbone: prompts.anyBackbone,
            precision: model.precision ?? settings.model.precision)
        let side = subject.backbone.architecture.imagePixels
        if let wanted = settings.data.side, wanted != side { throw SettingsError.otherSide(wanted: wanted, backbone: side) }
        let (classes, list) = try testList(settings, pool: pool)
        let classifier = try subject.classifier(
            classNames: classes.names, template: template ?? settings.testTemplate(hasPrompts: subject.prompts != nil), fusion: settings.fusion,
            frameCount: settings.data.frames, keepsUnderscores: settings.repeats(.keptUnderscores),
            rounding: settings.rounding, pool: pool)
        let views = settings.evaluation.views ?? .single
        let loader = try loader(of: list, settings, side: side, own: subject.normalisation, frameCount: classifier.frameCount)
        let progress = ProgressReporter("eval", total: list.clips.count, unit: "films")
        let predictions = try Evaluator(classifier).predictions(of: loader) { progress.show($0) }
        progress.finish()
        for bad in loader.badVideos.all { Console.warning("not counted: \(bad.reason)") }
        let metrics = ClassificationMetrics(predictions: predictions, classNames: classes.names)
        if let output { try write(predictions, metrics, classes: classes, to: output) }
        if json {
            try Console.json(
                Report(
                    subject: subject, list: list, classes: classes, views: views, frames: classifier.frameCount,
                    compat: settings.compat ?? [], metrics: metrics))
        } else {
            show(metrics, subject: subject, list: list, frames: classifier.frameCount, views: views)
        }
    }

    private func flags(_ recipe: inout Recipe) {
        data.apply(to: &recipe)
        recipe.model.checkpoint = model.backbone ?? recipe.model.checkpoint
        recipe.template = template ?? recipe.template
        recipe.fusion = fusion ?? recipe.fusion
        recipe.evaluation.views = views ?? recipe.evaluation.views
    }

    private func defaultPrompts(_ settings: Recipe) -> String? {
        settings.model.checkpoint == nil && settings.data.val == nil ? BackboneFinder.newestPrompts() : nil
    }

    /// - Parameter own: the normalisation that prompts or backbone ask for.
    private func loader(
        of list: AnnotationList, _ settings: Recipe, side: Int, own: PixelNormalisation, frameCount: Int
    ) throws -> ClipLoader {
        let views = settings.evaluation.views ?? .single
        // All views of a film are in memory together: at 224 pixels these are 0.6 GB.
        guard views == .single || views.clips * views.crops * frameCount <= 1024 else {
            throw SettingsError.tooManyViews(views, frames: frameCount)
        }
        var transform = ClipTransform.Configuration()
        settings.apply(to: &transform, own: own)
        var loading = data.loading()
        settings.apply(toTests: &loading)
        return ClipLoader(
            list: list, reader: data.reader, sampler: settings.sampler(frameCount: frameCount),
            transform: .testing(side: side, crops: views.crops, transform), seed: UInt64(settings.training.seed ?? 1),
            configuration: loading)
    }

    private func testList(_ settings: Recipe, pool: WorkerPool) throws -> (ClassNames, AnnotationList) {
        var (val, labels) = (settings.data.val, settings.data.labels)
        if val == nil {
            let set = try PocketHome.dataSet(.small(), pool: pool)
            val = set.testList
            labels = labels ?? set.labels
            Console.note("This is the pocket world's small test list. For your own films pass --val LIST --labels CSV.")
        }
        guard let val, let labels else { throw SettingsError.incompleteData(missing: ["--labels"]) }
        let classes = try ClassNames.read(labels)
        for warning in classes.warnings { Console.warning(warning.description) }
        let list = try RunData.list(val, root: settings.data.root, classes: classes, options: data)
        try list.checkFiles(followsLinks: data.followLinks)
        return (classes, list)
    }

    /// What `--json` prints.
    private struct Report: Encodable {
        let backbone: String
        let backboneDigest: String
        let prompts: String?
        let list: String
        let classListDigest: String
        let frames: Int
        let clips: Int
        let crops: Int
        let compat: String
        let metrics: ClassificationMetrics

        init(
            subject: Subject, list: AnnotationList, classes: ClassNames, views: Views, frames: Int, compat: Set<Quirk>,
            metrics: ClassificationMetrics
        ) {
            backbone = subject.backbone.description.name
            backboneDigest = subject.backbone.digest
            prompts = subject.promptPath
            self.list = list.path
            classListDigest = classes.digest
            self.frames = frames
            clips = views.clips
            crops = views.crops
            self.compat = Quirk.text(of: compat)
            self.metrics = metrics
        }
    }

    private func show(
        _ metrics: ClassificationMetrics, subject: Subject, list: AnnotationList, frames: Int, views: Views
    ) {
        Console.result(
            "\(list.path), \(metrics.clips) films, \(frames) frames, \(views.clips) × \(views.crops) views, \(subject.summary)")
        let width = metrics.perClass.map(\.name.count).max() ?? 0
        for result in metrics.perClass {
            let name = result.name.escapedForDisplay.padding(toLength: max(width, 5), withPad: " ", startingAt: 0)
            let accuracy = result.accuracy.map(percent) ?? "no films"
            Console.result("  \(name)  \(accuracy) of \(result.clips)")
        }
        let confusions = metrics.confusion.enumerated().flatMap { truth, row in
            row.enumerated().filter { $0.offset != truth && $0.element > 0 }.map { (truth, $0.offset, $0.element) }
        }
        let worst = confusions.sorted { ($1.2, $0.0, $0.1) < ($0.2, $1.0, $1.1) }.prefix(5)
        if !worst.isEmpty {
            Console.result("most often taken for another class:")
            for (truth, guess, count) in worst {
                Console.result("  \(metrics.perClass[truth].name) → \(metrics.perClass[guess].name): \(count)")
            }
        }
        Console.result(
            "top-1 \(percent(metrics.top1)), "
                + (metrics.perClass.count > 5 ? "top-5 \(percent(metrics.top5)), " : "")
                + "mean of classes \(percent(metrics.meanClassAccuracy))")
    }

    private func write(
        _ predictions: [Prediction], _ metrics: ClassificationMetrics, classes: ClassNames, to folder: String
    ) throws {
        try createDirectory(folder)
        func quoted(_ name: String) -> String { "\"" + name.replacingOccurrences(of: "\"", with: "\"\"") + "\"" }
        let perClass = metrics.perClass.map { "\(quoted($0.name)),\($0.clips),\($0.correct),\($0.accuracy.map { "\($0)" } ?? "")" }
        try DurableFile.write((["name,films,correct,accuracy"] + perClass).joined(separator: "\n") + "\n", to: folder.appendingPath("per_class.csv"))
        let confusion = metrics.confusion.enumerated().map { quoted(classes[$0.offset]) + "," + $0.element.map(String.init).joined(separator: ",") }
        let header = "truth," + classes.names.map(quoted).joined(separator: ",")
        try DurableFile.write(([header] + confusion).joined(separator: "\n") + "\n", to: folder.appendingPath("confusion.csv"))
        struct Line: Encodable {
            let path: String
            let label: Int
            let prediction: Int
            let probabilities: [Float]
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let lines = try predictions.map {
            String(
                decoding: try encoder.encode(
                    Line(path: $0.path, label: $0.label, prediction: $0.ranking.first ?? 0, probabilities: $0.probabilities)),
                as: UTF8.self)
        }
        try DurableFile.write(lines.joined(separator: "\n") + "\n", to: folder.appendingPath("predictions.jsonl"))
        Console.note("Wrote per_class.csv, confusion.csv and predictions.jsonl to \(folder)")
    }
}
