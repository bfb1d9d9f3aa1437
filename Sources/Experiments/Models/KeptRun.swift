import CLIPModel
import Evaluation
import Files
import Foundation
import Recipes
import Tensors
import Training
import VideoData

/// A run here that learned something, with the lists that are its own.
package struct KeptRun {
    package let path: String
    /// Nil for folders of early programs, which keep no lists.
    package let record: RunRecord?
    /// What `learn` learned: its best prompts, or its last where it was stopped early; or a head.
    package let prompts: String?
    /// What `bridge` learned.
    package let bridged: String?
    private let modified: Date

    /// - Returns: nil where the folder holds neither prompts nor a backbone.
    package init?(_ path: String) {
        func first(_ names: [String]) -> String? { names.map { path.appendingPath($0) }.first(where: isRegularFile) }
        prompts = first(["prompts/best.safetensors", "prompts/last.safetensors", HeadFile.name])
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
    package static func newest(captions: Bool = false, hasPrompts: Bool = false) -> KeptRun? {
        let folders = ((try? directoryEntries(BackboneFinder.runsFolder)) ?? []).map { BackboneFinder.runsFolder.appendingPath($0) }
        let runs = folders.filter(isDirectory).flatMap { folder -> [KeptRun] in
            if let run = KeptRun(folder) { return [run] }
            let seeds = ((try? directoryEntries(folder)) ?? []).filter { $0.hasPrefix("seed") }
            return seeds.compactMap { KeptRun(folder.appendingPath($0)) }
        }
        return runs.filter { $0.hasCaptions == captions && ($0.prompts != nil || !hasPrompts) }.max { $0.modified < $1.modified }
    }

    /// The run whose folder holds a file of prompts or weights; nil where it lies elsewhere.
    package static func holding(_ file: String) -> KeptRun? {
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
    package var recordedBackbone: String? { record.map { placed($0.backbone) }.flatMap { fileExists($0) ? $0 : nil } }

    /// A path of the run's record, as it is written from here.
    private func placed(_ path: String) -> String { record?.request.placed(path) ?? path }

    /// How the run looked at videos, for a backbone, which does not say it itself.
    package func settings() throws(RecipeError) -> Recipe {
        let file = path.appendingPath("config.yaml")
        guard fileExists(file) else { return Recipe() }
        return try Recipe(path: file).scoringSettings
    }

    // MARK: Lists

    private var catalog: PocketCatalog? {
        guard let record, record.isPocket else { return nil }
        return record.kind == .bridge ? .large() : .small()
    }

    /// The run's own copy of a list, with the folder that its paths start from.
    private func list(_ name: String) throws(UnnamedError) -> (file: String, root: String) {
        guard let record, let list = record.lists[name] else { throw .noList(run: path, name: name) }
        return (path.appendingPath("split").appendingPath(record.fileName(list: name)), placed(list.root))
    }

    private var labels: String { path.appendingPath("split/labels.csv") }

    /// What a run is scored on: its test list, else its validation list.
    private func scoredList() throws(UnnamedError) -> (file: String, root: String) {
        try list(record?.lists["test"] == nil && record?.lists["val"] != nil ? "val" : "test")
    }

    /// What the run is scored on, with its own class names.
    package func testList(videos: VideoInputs, pool: WorkerPool, context: RunContext) throws -> TestList {
        let (file, root) = try scoredList()
        if let catalog {
            let set = try PocketHome.dataSet(catalog, pool: pool, context: context)
            return try TestList(set.testList, labels: set.labels, videos: videos, root: nil, context: context)
        }
        return try TestList(file, labels: labels, videos: videos, root: root, context: context)
    }

    package func trainingList() throws -> AnnotationList {
        let (file, root) = try list("train")
        return try AnnotationList.read(file, root: root, classCount: classes()?.count)
    }

    package func testCaptions(pool: WorkerPool, context: RunContext) throws -> (file: String, root: String?) {
        let (file, root) = try scoredList()
        if let catalog { return (try PocketHome.captionedSet(catalog, pool: pool, context: context).testCaptions, nil) }
        return (file, root)
    }

    /// Nil where the run keeps none.
    package func classes() throws -> ClassNames? { isRegularFile(labels) ? try ClassNames.read(labels) : nil }
}
