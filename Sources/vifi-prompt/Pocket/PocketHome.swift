import CLIPModel
import Files
import Foundation
import Tensors
import Training
import VideoData

/// Where the pocket world lies: its backbone comes with the program, its videos are drawn on first use.
enum PocketHome {
    static let imageBackboneName = "pocket-clip.safetensors"

    /// A file that comes with the program, such as `Checkpoints/pocket-clip.safetensors`: looked for in
    /// `$VIFI_PROMPT_HOME`, beside the program, where it is installed, and here in this order: a file of somebody's own that has
    /// the same name hides nothing.
    static func bundledFile(_ name: String) throws(FileError) -> String {
        for root in roots where fileExists(root.appendingPath(name)) { return root.appendingPath(name) }
        throw FileError(
            path: name, problem: .notReadable(
                reason: "it comes with vifi-prompt but is not in \(roots.joined(separator: ", ")). "
                    + "Run in the project's folder or set VIFI_PROMPT_HOME to it"))
    }

    private static var roots: [String] {
        var roots: [String] = []
        if let home = ProcessInfo.processInfo.environment["VIFI_PROMPT_HOME"], !home.isEmpty { roots.append(home) }
        // .build/release/vifi-prompt lies two or three folders below the project.
        var folder = (resolvedPath("/proc/self/exe") ?? ".").parentDirectory
        for _ in 0..<4 {
            roots.append(folder)
            folder = folder.parentDirectory
        }
        return roots + ["/usr/local/share/vifi-prompt", "/usr/share/vifi-prompt", "."]
    }

    /// Folder of drawn videos: `$VIFI_PROMPT_DATA`, else `vifi-prompt` in the user's cache folder.
    static var dataRoot: String {
        let environment = ProcessInfo.processInfo.environment
        if let root = environment["VIFI_PROMPT_DATA"], !root.isEmpty { return root }
        if let cache = environment["XDG_CACHE_HOME"], !cache.isEmpty { return cache.appendingPath("vifi-prompt") }
        return (environment["HOME"] ?? ".").appendingPath(".cache/vifi-prompt")
    }

    /// Refuses a folder that somebody named and that holds something else than these videos.
    static func claim(_ catalog: PocketCatalog, root: String) throws {
        let set = PocketDataSet(root: root.appendingPath(catalog.name))
        if !set.isComplete(for: catalog) { try FolderMark.claim(set.root, FolderKind(name: "pocket-world", entries: set.entries)) }
    }

    /// The videos of `catalog`, drawn now unless they are there.
    static func dataSet(_ catalog: PocketCatalog, root: String = dataRoot, pool: WorkerPool) throws -> PocketDataSet {
        let set = PocketDataSet(root: root.appendingPath(catalog.name))
        if set.isComplete(for: catalog) { return set }
        try createDirectory(set.root)
        let count = catalog.train.count + catalog.test.count
        Console.note("Drawing the \(count) videos of \(catalog.name) into \(set.root)")
        let progress = VideoProgress(total: count)
        try set.write(
            catalog, perform: { count, body in pool.parallelFor(count) { _, item in body(item) } }, report: { progress.advance() })
        progress.finish()
        return set
    }

    /// The videos of `catalog` with lists of their captions beside them.
    static func captionedSet(_ catalog: PocketCatalog, pool: WorkerPool) throws -> PocketDataSet {
        let set = try dataSet(catalog, pool: pool)
        try set.writeCaptions(of: catalog)
        return set
    }
}

/// Unchecked Sendable: the lock guards the count and the reporter.
private final class VideoProgress: @unchecked Sendable {
    private let lock = NSLock()
    private let reporter: ProgressReporter
    private var done = 0

    init(total: Int) { reporter = ProgressReporter("videos", total: total, unit: "videos") }

    func advance() {
        lock.withLock {
            done += 1
            reporter.show(done)
        }
    }

    func finish() { reporter.finish() }
}
