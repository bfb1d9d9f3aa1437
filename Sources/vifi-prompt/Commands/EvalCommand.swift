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
            """)

    @OptionGroup(title: "Data") var data: DataOptions
    @OptionGroup(title: "Model") var model: ModelOptions

    @Option(help: ArgumentHelp("Learned prompts.", valueName: "file"))
    var prompts: String?
    @Flag(help: "No prompts: class names in the template.")
    var zeroShot = false
    @Option(help: ArgumentHelp("Words around a class name, with {} in its place.", valueName: "words"))
    var template: String?
    @Option(help: "Clips in time that each film is seen as.")
    var clips = 1
    @Option(help: "Crops in space of each clip: 1 or 3.")
    var crops = 1
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
        guard crops == 1 || crops == 3 else { throw ValidationError("--crops is \(crops); 1 or 3.") }
        guard (1...64).contains(clips) else { throw ValidationError("--clips is \(clips); 1 to 64 make sense.") }
        guard !(zeroShot && prompts != nil) else { throw ValidationError("--zero-shot and --prompts exclude each other.") }
    }

    func run() throws {
        let pool = model.pool
        let subject = try Subject(
            prompts: zeroShot ? nil : prompts ?? defaultPrompts, backbone: model.backbone, vocabulary: model.vocabulary, activation: model.activation,
            precision: model.precision)
        let (classes, list) = try testList(pool: pool)
        let classifier = try subject.classifier(
            classNames: classes.names, template: template, fusion: fusion, frameCount: data.frames, pool: pool)
        var transform = ClipTransform.Configuration()
        transform.normalisation = Normalisation(subject.normalisation)
        var loading = data.loading()
        loading.viewCount = clips
        let loader = ClipLoader(
            list: list, reader: data.reader, sampler: FrameSampler(sampleCount: classifier.frameCount),
            transform: .testing(side: subject.backbone.architecture.imagePixels, crops: crops, transform),
            seed: 1, configuration: loading)
        let progress = ProgressReporter("eval", total: list.clips.count, unit: "films")
        let predictions = try Evaluator(classifier).predictions(of: loader) { progress.show($0) }
        progress.finish()
        for bad in loader.badVideos.all { Console.warning("not counted: \(bad.reason)") }
        let metrics = ClassificationMetrics(predictions: predictions, classNames: classes.names)
        if let output { try write(predictions, metrics, classes: classes, to: output) }
        if json {
            try Console.json(Report(subject: subject, list: list, classes: classes, clips: clips, crops: crops, frames: classifier.frameCount, metrics: metrics))
        } else {
            show(metrics, subject: subject, list: list, frames: classifier.frameCount)
        }
    }

    private var defaultPrompts: String? {
        model.backbone == nil && data.val == nil ? BackboneFinder.newestPrompts() : nil
    }

    private func testList(pool: WorkerPool) throws -> (ClassNames, AnnotationList) {
        var (val, labels) = (data.val, data.labels)
        if val == nil {
            let set = try PocketHome.dataSet(.small(), pool: pool)
            val = set.testList
            labels = labels ?? set.labels
            Console.note("This is the pocket world's small test list. For your own films pass --val LIST --labels CSV.")
        }
        guard let val, let labels else { throw SettingsError.incompleteData(missing: ["--labels"]) }
        let classes = try ClassNames.read(labels)
        for warning in classes.warnings { Console.warning(warning.description) }
        let list = try RunData.list(val, root: data.root, classes: classes, options: data)
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
        let metrics: ClassificationMetrics

        init(
            subject: Subject, list: AnnotationList, classes: ClassNames, clips: Int, crops: Int, frames: Int,
            metrics: ClassificationMetrics
        ) {
            backbone = subject.backbone.description.name
            backboneDigest = subject.backbone.digest
            prompts = subject.promptPath
            self.list = list.path
            classListDigest = classes.digest
            self.frames = frames
            self.clips = clips
            self.crops = crops
            self.metrics = metrics
        }
    }

    private func show(_ metrics: ClassificationMetrics, subject: Subject, list: AnnotationList, frames: Int) {
        Console.result("\(list.path), \(metrics.clips) films, \(frames) frames, \(clips) × \(crops) views, \(subject.summary)")
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
