import CLIPModel
import Files
import Foundation
import Recipes
import Tensors
import Training
import VideoData

/// Where the pocket world lies: its backbone comes with the program, its videos are drawn on first use.
package enum PocketHome {
    /// What stands for the pocket world where captions or lists are named.
    package static let name = "pocket"
    package static let imageBackboneName = "pocket-clip.safetensors"

    /// Folder of drawn videos: `$VIFI_PROMPT_DATA`, else `vifi-prompt` in the user's cache folder.
    package static var dataRoot: String {
        let environment = ProcessInfo.processInfo.environment
        if let root = environment["VIFI_PROMPT_DATA"], !root.isEmpty { return root }
        if let cache = environment["XDG_CACHE_HOME"], !cache.isEmpty { return cache.appendingPath("vifi-prompt") }
        return (environment["HOME"] ?? ".").appendingPath(".cache/vifi-prompt")
    }

    /// Refuses a folder that somebody named and that holds something else than these videos.
    package static func claim(_ catalog: PocketCatalog, root: String) throws {
        let set = PocketDataSet(root: root.appendingPath(catalog.name))
        if !set.isComplete(for: catalog) { try FolderMark.claim(set.root, FolderKind(name: "pocket-world", entries: set.entries)) }
    }

    /// The videos of `catalog`, drawn now unless they are there.
    package static func dataSet(_ catalog: PocketCatalog, root: String = dataRoot, pool: WorkerPool, context: RunContext) throws -> PocketDataSet {
        let set = PocketDataSet(root: root.appendingPath(catalog.name))
        if set.isComplete(for: catalog) { return set }
        try createDirectory(set.root)
        let count = catalog.train.count + catalog.validation.count + catalog.test.count
        context.note(.data(.drawingPocketVideos(count: count, set: catalog.name, folder: set.root)))
        let progress = VideoProgress(context.progress("videos", total: count, unit: "videos"))
        try set.write(
            catalog, perform: { count, body in pool.parallelFor(count) { _, item in body(item) } }, report: { progress.advance() })
        progress.finish()
        return set
    }

    /// The videos of `catalog` with lists of their captions beside them.
    package static func captionedSet(_ catalog: PocketCatalog, pool: WorkerPool, context: RunContext) throws -> PocketDataSet {
        let set = try dataSet(catalog, pool: pool, context: context)
        try set.writeCaptions(of: catalog)
        return set
    }
}

/// Unchecked Sendable: the lock guards the count and the reporter.
private final class VideoProgress: @unchecked Sendable {
    private let lock = NSLock()
    private let reporter: any ProgressDisplay
    private var done = 0

    init(_ reporter: any ProgressDisplay) { self.reporter = reporter }

    func advance() {
        lock.withLock {
            done += 1
            reporter.show(done)
        }
    }

    func finish() { reporter.finish() }
}

extension RunContext {
    /// Draws the pocket world's videos on one rank, where they are needed and not there; the others wait.
    package func drawPocketVideos(for kind: RunKind, _ settings: () throws -> Settings) throws {
        guard group.count > 1 else { return }
        try group.agreed {
            let settings = try settings()
            guard group.rank == 0, settings.isPocket else { return }
            _ = try PocketHome.dataSet(kind == .bridge ? .large() : .small(), pool: settings.pool, context: self)
        }
    }
}

extension Recipe {
    /// Whether the pocket world is meant: by its name, or because neither data nor a model are named.
    package var meansPocket: Bool {
        if let captions = data.captions { return captions == PocketHome.name }
        return namesPocketLists || !data.namesClasses && model.checkpoint == nil
    }

    /// Whether the training list is `pocket`, which stands for all lists of the pocket world.
    package var namesPocketLists: Bool { data.train == PocketHome.name && !fileExists(PocketHome.name) }
}

extension PocketDataSet {
    /// Names the lists of all classes, or of one part of them.
    package func apply(to recipe: inout Recipe, part: Part? = nil) {
        let files = files(of: part)
        (recipe.data.train, recipe.data.val) = (files.trainList, files.validationList)
        (recipe.data.test, recipe.data.labels) = (files.testList, files.labels)
    }
}
