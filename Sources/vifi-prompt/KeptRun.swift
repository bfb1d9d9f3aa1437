import CLIPModel
import Evaluation
import Files
import Foundation
import Tensors
import Training
import VideoData

/// A run here that learned something, with the lists that are its own.
struct KeptRun {
    let path: String
    /// Nil for folders of early programs, which keep no lists.
    let record: RunRecord?
    /// What `learn` learned: its best prompts, or its last where it was stopped early.
    let prompts: String?
    /// What `bridge` learned.
    let bridged: String?
    private let modified: Date

    /// - Returns: nil where the folder holds neither prompts nor a backbone.
    init?(_ path: String) {
        func first(_ names: [String]) -> String? { names.map { path.appendingPath($0) }.first(where: isRegularFile) }
        prompts = first(["prompts/best.safetensors", "prompts/last.safetensors"])
        bridged = first(["backbone.safetensors", "last.safetensors"])
        guard let file = prompts ?? bridged else { return nil }
        self.path = path
        record = (try? RunRecord.read(run: path)) ?? nil
        // The last is written with every evaluation, the best with some.
        let files = [file, file.parentDirectory.appendingPath("last.safetensors")]
        modified = files.compactMap { (try? FileManager.default.attributesOfItem(atPath: $0))?[.modificationDate] as? Date }.max() ?? .distantPast
    }

    private var hasCaptions: Bool { record.map { $0.hasCaptions == true } ?? path.lastPathComponent.hasPrefix(BackboneFinder.captionRunPrefix) }

    /// The run that learned last, alone or as a seed of a group in runs/.
    ///
    /// - Parameters:
    ///   - captions: what it learned from; runs of the other kind are passed over.
    ///   - hasPrompts: only such runs.
    static func newest(captions: Bool = false, hasPrompts: Bool = false) -> KeptRun? {
        let folders = ((try? directoryEntries(BackboneFinder.runsFolder)) ?? []).map { BackboneFinder.runsFolder.appendingPath($0) }
        let runs = folders.filter(isDirectory).flatMap { folder -> [KeptRun] in
            if let run = KeptRun(folder) { return [run] }
            let seeds = ((try? directoryEntries(folder)) ?? []).filter { $0.hasPrefix("seed") }
            return seeds.compactMap { KeptRun(folder.appendingPath($0)) }
        }
        return runs.filter { $0.hasCaptions == captions && ($0.prompts != nil || !hasPrompts) }.max { $0.modified < $1.modified }
    }

    /// The run whose folder holds a file of prompts or weights; nil where it lies elsewhere.
    static func holding(_ file: String) -> KeptRun? {
        // As it was written, so that it is told in the same words; a link leads to where the file is.
        for path in [file, resolvedPath(file)].compactMap(\.self) {
            let folder = path.parentDirectory
            let places = [path, folder] + (folder.lastPathComponent == "prompts" ? [folder.parentDirectory] : [])
            if let place = places.first(where: { isRegularFile($0.appendingPath(RunDirectory.recordName)) }) { return KeptRun(place) }
        }
        return nil
    }

    // MARK: Model

    /// The backbone that the run's prompts were learned on, if it is still where it was.
    var recordedBackbone: String? { record.map { placed($0.backbone) }.flatMap { fileExists($0) ? $0 : nil } }

    /// A path of the run's record, as it is written from here.
    private func placed(_ path: String) -> String {
        guard let folder = record?.workingDirectory, !path.hasPrefix("/"), folder != FileManager.default.currentDirectoryPath else { return path }
        return folder.appendingPath(path)
    }

    /// How the run looked at videos, for a backbone, which does not say it itself.
    func settings() throws(RecipeError) -> Recipe {
        let file = path.appendingPath("config.yaml")
        guard fileExists(file) else { return Recipe() }
        let own = try Recipe(path: file)
        var result = Recipe()
        result.data.frames = own.data.frames
        result.fusion = own.fusion
        result.template = own.template
        result.model.normalization = own.model.normalization
        return result
    }

    // MARK: Lists

    private var catalog: PocketCatalog? {
        guard let record, record.isPocket else { return nil }
        return record.kind == RunKind.bridge.rawValue ? .large() : .small()
    }

    /// The run's own copy of a list, with the folder that its paths start from.
    private func list(_ name: String) throws(UnnamedError) -> (file: String, root: String) {
        guard let record, let list = record.lists[name] else { throw .noList(run: path, name: name) }
        return (path.appendingPath("split").appendingPath(record.fileName(list: name)), placed(list.root))
    }

    private var labels: String { path.appendingPath("split/labels.csv") }

    /// What the run was tested on, with its own class names.
    func testList(videos: VideoOptions, pool: WorkerPool) throws -> TestList {
        let (file, root) = try list("val")
        if let catalog {
            let set = try PocketHome.dataSet(catalog, pool: pool)
            return try TestList(set.testList, labels: set.labels, videos: videos, root: nil)
        }
        return try TestList(file, labels: labels, videos: videos, root: root)
    }

    func trainingList() throws -> AnnotationList {
        let (file, root) = try list("train")
        return try AnnotationList.read(file, root: root, classCount: classes()?.count)
    }

    func testCaptions(pool: WorkerPool) throws -> (file: String, root: String?) {
        let (file, root) = try list("val")
        if let catalog { return (try PocketHome.captionedSet(catalog, pool: pool).testCaptions, nil) }
        return (file, root)
    }

    /// Nil where the run keeps none.
    func classes() throws -> ClassNames? { isRegularFile(labels) ? try ClassNames.read(labels) : nil }
}

/// The model, and whose lists and labels go with it, where a command line names one, or nothing.
///
/// With nothing named it is the newest run with its own lists. As soon as a model or data are named, nothing comes from
/// another run or from the pocket world.
struct Selection {
    let prompts: String?
    let backbone: String?
    /// The run that the model is of: its own lists and labels are meant where none are named.
    let run: KeptRun?
    /// Nothing was named and nothing was learned here.
    let isPocket: Bool

    /// - Parameters:
    ///   - namesData: lists or labels are named.
    ///   - captions: whether the command is about captions instead of classes.
    ///   - needsPrompts: a backbone alone is no model for it.
    ///   - without: take the backbone alone, where there are prompts.
    ///   - newest: with nothing named, take the newest run; else the pocket world.
    init(
        prompts: String?, backbone: String?, namesData: Bool, captions: Bool = false, needsPrompts: Bool = false, without isZeroShot: Bool = false,
        newest takesNewest: Bool = true
    ) throws(UnnamedError) {
        if prompts != nil || backbone != nil && !needsPrompts {
            (self.prompts, self.backbone, isPocket) = (prompts, backbone, false)
            run = namesData ? nil : (prompts ?? backbone).flatMap(KeptRun.holding)
            return
        }
        guard !namesData, backbone == nil else { throw .noModel(needsPrompts: needsPrompts) }
        guard takesNewest, let newest = KeptRun.newest(captions: captions, hasPrompts: needsPrompts) else {
            (self.prompts, self.backbone, run, isPocket) = (nil, nil, nil, true)
            return
        }
        self.prompts = isZeroShot ? nil : newest.prompts
        // A run of `learn` names the backbone that its prompts belong to.
        self.backbone = newest.prompts == nil ? newest.bridged : isZeroShot ? newest.recordedBackbone : nil
        if self.prompts == nil, self.backbone == nil { throw .noModel(needsPrompts: false) }
        (run, isPocket) = (newest, false)
        let file = (self.prompts ?? self.backbone ?? "").escapedForDisplay
        Console.note("The newest run is taken: \(file), with its own lists\(captions ? "" : " and class names"). Name a model and data for others.")
    }

    /// The prompts or the backbone, else the pocket world's bridged CLIP.
    func backbonePath() throws -> String? {
        guard isPocket else { return backbone }
        let bridged = try BackboneFinder.bridgedBackbone()
        Console.note("The pocket world's CLIP is taken: \(bridged.escapedForDisplay). For your own pass --prompts or --backbone.")
        return bridged
    }

    /// What the command line says, over how the run looked at videos.
    func settings(_ given: Recipe) throws -> Recipe {
        // Prompts say themselves how they look at videos.
        guard prompts == nil, let run else { return given }
        return given.merged(over: try run.settings())
    }

    /// The test list: the one that is named, else the run's own, else, with nothing named, the pocket world's.
    ///
    /// - Parameter named: list and class names; `pocket` for those of the pocket world.
    func testList(val: String?, labels: String?, root: String?, videos: VideoOptions, pool: WorkerPool) throws -> TestList {
        if val == CaptionOptions.pocketName && !fileExists(CaptionOptions.pocketName) || isPocket {
            let set = try PocketHome.dataSet(.small(), pool: pool)
            Console.note("This is the pocket world's small test list. For your own videos pass --val LIST --labels CSV.")
            return try TestList(set.testList, labels: labels ?? set.labels, videos: videos, root: nil)
        }
        if val == nil, labels == nil {
            guard let run else { throw UnnamedError.noVideos }
            return try run.testList(videos: videos, pool: pool)
        }
        guard let val else { throw SettingsError.incompleteData(missing: ["--val"]) }
        guard let labels else {
            // Prompts know the classes that they were learned for.
            guard let names = try EvaluationJob.learnedNames(prompts) else { throw SettingsError.incompleteData(missing: ["--labels"]) }
            return try TestList(val, classes: names, videos: videos, root: root)
        }
        return try TestList(val, labels: labels, videos: videos, root: root)
    }
}

/// What nobody named, where nothing may stand in for it.
enum UnnamedError: ReportableError, Equatable {
    case noModel(needsPrompts: Bool)
    case noVideos
    case noCaptions
    case noList(run: String, name: String)

    var exitStatus: ExitStatus {
        .usage
    }

    var description: String {
        switch self {
        case .noModel(let needsPrompts):
            "no model is named. Pass --prompts FILE" + (needsPrompts ? "" : " or --backbone FILE")
                + ": where data or a part of a model are named, nothing is taken from a run or from the pocket world."
        case .noVideos:
            "no videos are named. Pass --val LIST --labels CSV, or --val pocket for the pocket world's: where a model is named, its videos are not guessed."
        case .noCaptions:
            "no captions are named. Pass --captions LIST, or --captions pocket for the pocket world's: where a model is named, its videos are not guessed."
        case .noList(let run, let name):
            "\(run.escapedForDisplay): this run has no \(name == "val" ? "test list" : "training list") of its own. Pass "
                + "\(name == "val" ? "--val LIST" : "LIST") --labels CSV with the model."
        }
    }
}
