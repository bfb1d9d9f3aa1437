import CLIPModel
import Evaluation
import Files
import Foundation
import Tensors
import Training
import VideoData

/// The data of a run: lists checked against labels and disk, ready to be loaded.
struct RunData {
    let classes: ClassNames
    /// What is learned from, after drawing shots.
    let train: AnnotationList
    let val: AnnotationList?

    /// - Throws: `DatasetError` naming list and line, before anything is trained.
    init(settings: Settings, kind: RunKind, options: DataOptions) throws {
        var recipe = settings.recipe
        if settings.isPocket {
            let catalogue: PocketCatalogue = kind == .bridge ? .large() : .small()
            let set = try PocketHome.dataSet(catalogue, pool: settings.pool)
            recipe.data.train = set.trainList
            recipe.data.val = set.testList
            recipe.data.labels = set.labels
            Console.note(
                """
                This is the pocket world: drawn films in \(set.root). For your own, pass --train LIST --val LIST \
                --labels CSV and --backbone FILE.
                """)
        }
        let classes = try ClassNames.read(recipe.data.labels ?? "")
        let root = recipe.data.root
        for warning in classes.warnings { Console.warning(warning.description) }
        self.classes = classes
        let all = try Self.list(recipe.data.train ?? "", root: recipe.data.root, classes: classes, options: options)
        if let shots = recipe.training.shots {
            let split = try FewShotSplit(of: all, shotCount: shots, classes: classes, seed: settings.seed)
            for warning in split.warnings { Console.warning(warning.description) }
            train = AnnotationList(path: all.path, root: all.root, clips: split.clips)
        } else {
            train = all
        }
        try train.checkFiles(followsLinks: options.followLinks)
        val = try recipe.data.val.map { path in
            let list = try Self.list(path, root: root, classes: classes, options: options)
            try list.checkFiles(followsLinks: options.followLinks)
            return list
        }
    }

    static func list(_ path: String, root: String?, classes: ClassNames, options: DataOptions) throws -> AnnotationList {
        let list = try AnnotationList.read(path, root: root, classCount: classes.count)
        for warning in list.warnings { Console.warning(warning.description) }
        return list
    }
}

extension DataOptions {
    /// How films are read ahead. The model's workers take turns with one reading thread a processor.
    func loading(cacheByteBudget: Int = 0) -> ClipLoader.Configuration {
        var configuration = ClipLoader.Configuration()
        configuration.cacheByteBudget = cacheByteBudget
        configuration.badVideoPolicy = BadVideoPolicy(rawValue: badVideoPolicy.rawValue) ?? .fail
        return configuration
    }

    /// Reads films and says what is odd about them.
    var reader: VideoFileReader {
        var reader = VideoFileReader()
        let reported = ReportedFilms()
        reader.report = { path, warnings in
            guard reported.isFirst(path) else { return }
            for warning in warnings { Console.warning("\(path.escapedForDisplay): \(warning)") }
        }
        return reader
    }
}

/// Films whose oddities have been told. Unchecked Sendable: guarded by the lock.
private final class ReportedFilms: @unchecked Sendable {
    private let lock = NSLock()
    private var paths: Set<String> = []

    func isFirst(_ path: String) -> Bool { lock.withLock { paths.insert(path).inserted } }
}

/// What `learn` and `bridge` share: the run's folder, the steps, the evaluations, what is said about them.
struct LearningRun {
    let kind: RunKind
    let settings: Settings
    let data: RunData
    let options: DataOptions
    let backbone: Backbone
    /// The recipe as it is run, with what was fitted to the backbone: it can be run again.
    let recipe: Recipe
    /// For decoded films that training meets again and again.
    let cacheBytes: Int

    /// An evaluation that a signal ended.
    private struct CutShort: Error {}

    struct Outcome {
        var best: ClassificationMetrics?
        var last: ClassificationMetrics?
        let path: String

        func showAccuracy() {
            guard let last, let best else { return }
            Console.result(
                "test top-1 \(percent(last.top1)) after the last epoch, \(percent(best.top1)) after the best; "
                    + "\(last.clips) clips of \(last.perClass.count) classes")
        }
    }

    /// - Parameters:
    ///   - sequences: of the data's classes.
    ///   - save: writes what was learned into the run's folder; told whether it is the best so far.
    func train(
        _ task: some LearningTask, sequences: [[Int]], output: String?,
        save: (_ path: String, _ report: EpochReport) throws -> Void
    ) throws -> Outcome {
        let path = output ?? RunDirectory.next(in: BackboneFinder.runsFolder, name: kind.rawValue)
        let configuration = try settings.trainingConfiguration(clipCount: data.train.clips.count)
        var directory = try RunDirectory(path: path)
        try directory.writeConfiguration(recipe.yaml)
        try directory.writeEnvironment(
            version: vifiPromptVersion, threads: settings.pool.threadCount, arguments: Array(CommandLine.arguments.dropFirst()))
        try directory.writeSplit("train.txt", text: AnnotationList.text(of: data.train.clips))
        try directory.writeSplit("labels.csv", text: data.classes.text)
        if let val = data.val { try directory.writeSplit("val.txt", text: AnnotationList.text(of: val.clips)) }

        let clips = ClipLoader(
            list: data.train, reader: options.reader, sampler: FrameSampler(sampleCount: settings.frameCount),
            transform: settings.trainingTransform(for: backbone), seed: settings.seed,
            configuration: options.loading(cacheByteBudget: cacheBytes))
        let stepCount = configuration.schedule(clipCount: data.train.clips.count).stepCount
        Console.note(
            "\(data.train.clips.count) clips of \(data.classes.count) classes, \(settings.frameCount) frames each; "
                + "\(task.parameterCount) of \(backbone.parameterCount + (kind == .learn ? task.parameterCount : 0)) parameters learn; "
                + "\(configuration.epochs) epochs, \(stepCount) steps. Run: \(path)")

        Interruption.install()
        var outcome = Outcome(path: path)
        let progress = ProgressReporter(kind.rawValue, total: stepCount, unit: "steps")
        var meanLoss = 0.0
        let valLoader = data.val.map(evaluationLoader)
        try Trainer(configuration: configuration, classCount: data.classes.count, clips: clips).run(
            task,
            evaluate: valLoader.map { loader in
                {
                    do {
                        let predictions = try Evaluator(task.classifier(sequences: sequences)).predictions(of: loader) { _ in
                            if Interruption.isRequested { throw CutShort() }
                        }
                        return ClassificationMetrics(predictions: predictions, classNames: data.classes.names)
                    } catch is CutShort {
                        return nil
                    }
                }
            },
            onStep: { report in
                meanLoss += (report.loss - meanLoss) / min(20, Double(report.step))
                try directory.log(report)
                progress.show(report.step, detail: "loss \(ProgressReporter.decimal(meanLoss, places: 3))")
            },
            onEpoch: { report in
                try save(path, report)
                try directory.log(report)
                outcome.last = report.metrics ?? outcome.last
                if report.isBest { outcome.best = report.metrics }
                if let metrics = report.metrics {
                    progress.finish()
                    Console.note(
                        "epoch \(report.epoch): loss \(ProgressReporter.decimal(report.trainingLoss, places: 3)), "
                            + "test top-1 \(ProgressReporter.decimal(metrics.top1, places: 1)) %")
                }
            })
        progress.finish()
        Console.note("Peak memory: \(ProgressReporter.decimal(Double(peakResidentBytes()) / 1e9, places: 2)) GB.")
        for bad in clips.badVideos.all + (valLoader?.badVideos.all ?? []) { Console.warning("not used: \(bad.reason)") }
        return outcome
    }

    /// Test clips, seen once in the middle.
    func evaluationLoader(_ list: AnnotationList) -> ClipLoader {
        ClipLoader(
            list: list, reader: options.reader, sampler: FrameSampler(sampleCount: settings.frameCount),
            transform: settings.testTransform(for: backbone), seed: settings.seed, configuration: options.loading())
    }
}
