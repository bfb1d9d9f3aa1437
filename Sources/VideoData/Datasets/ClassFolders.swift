import Files
import Glibc

/// A data set laid out as one folder per class with videos in it, or as several such folders: `train` and `val` (also
/// `valid`, `validation`), `test`, or all three. A video may be a folder of frames.
///
/// Folders without videos, such as `annotations`, may stand beside them. Class folders may lie in folders of their own
/// (`sports/golf`, `sports/tennis`), and may hold folders themselves (`golf/camera1`, `tennis/camera1`); see `ClassLevel`.
package struct ClassFolders: Sendable {
    /// Named after the folders, in order of their names.
    package let classes: ClassNames
    /// `folder/video label`, in order of names; only those of `train` where there are several parts.
    package let clips: [AnnotatedClip]
    /// The videos of `val`; nil where there is no such folder.
    package let valClips: [AnnotatedClip]?
    /// The videos of `test`; nil where there is no such folder.
    package let testClips: [AnnotatedClip]?
    /// Whether the folder is divided into parts already.
    package var isDivided: Bool { valClips != nil || testClips != nil }
    /// Where several levels of folders hold videos: which of them names the classes.
    package let level: ClassLevel?
    /// Folders without a video; they give no class.
    package let emptyFolders: [String]
    /// What is not a video by its ending or not a regular file; hidden files are not counted, nor lists and the like
    /// beside the class folders.
    package let otherFiles: [String]
    /// Folders inside class folders that hold no videos.
    package let innerFolders: [String]

    /// - Throws: `DatasetError` where no folder holds a video.
    package init(root: String) throws(DatasetError) {
        let parts = try Self.parts(of: root)
        var found: [FolderScan] = []
        for part in parts { found.append(try FolderScan(root: root, prefix: part.prefix)) }
        let level = ClassLevel(folders: found.flatMap { $0.videos.map(\.folders) })
        // Folders, so their names are bytes: two that look alike give two classes.
        let names = Set<Bytewise>(texts: found.flatMap { $0.videos.map { level.name($0.folders) } }).sorted().map(\.text)
        guard !names.isEmpty else { throw DatasetError(path: root, problem: .noClassFolders) }
        let labels = Dictionary(zip(names.map(Bytewise.init), 0...)) { first, _ in first }
        func clips(_ scan: FolderScan) -> [AnnotatedClip] {
            scan.videos.compactMap { video in labels[level.name(video.folders)].map { AnnotatedClip(path: video.path, label: $0) } }
        }
        var classes = ClassNames(names)
        classes.warnings = ClassNames.namesAlike(names, in: root)
            + names.filter { $0.pathBytes.count != $0.utf8.count }.map { .nameNotText(file: root, name: $0) }
        self.classes = classes
        self.clips = clips(found[0])
        func clips(of use: PartUse) -> [AnnotatedClip]? { parts.firstIndex { $0.use == use }.map { clips(found[$0]) } }
        valClips = clips(of: .val)
        testClips = clips(of: .test)
        self.level = found.contains { $0.videos.contains { $0.folders.count > 1 } } ? level : nil
        emptyFolders = found.flatMap(\.emptyFolders)
        otherFiles = found.flatMap(\.otherFiles)
        innerFolders = found.flatMap(\.innerFolders)
        if self.clips.isEmpty { throw DatasetError(path: root.appendingPath(parts[0].prefix), problem: .noClassFolders) }
    }

    /// What the videos of a part are for.
    private enum PartUse { case train, val, test }

    /// Where class folders are: prefixes of paths below the root, ending in a slash, or one empty prefix. Training first.
    private static func parts(of root: String) throws(DatasetError) -> [(use: PartUse, prefix: String)] {
        var prefix = ""
        // One folder may hold everything, beside annotations and the like.
        for _ in 0..<FolderScan.depthLimit {
            let top = prefix.isEmpty ? root : root.appendingPath(prefix)
            let folders = try FolderScan.entries(top).filter { !$0.isHiddenName && isDirectory(top.appendingPath($0)) }
            let holding = folders.filter { FolderScan.holdsVideos(top.appendingPath($0)) }
            let names: [(use: PartUse, names: Set<String>)] = [
                (.train, ["train", "training"]), (.val, ["val", "valid", "validation"]), (.test, ["test", "testing"]),
            ]
            let named = names.compactMap { use, names in holding.first { names.contains($0.lowercased()) }.map { (use, prefix + $0 + "/") } }
            if named.first?.0 == .train, named.count > 1, holding.count == named.count { return named }
            guard holding.count == 1, try !FolderScan.hasVideos(in: top.appendingPath(holding[0])) else { break }
            let next = top.appendingPath(holding[0])
            // Of one class alone its own folder is the class.
            let inner = try FolderScan.entries(next).filter { !$0.isHiddenName && FolderScan.holdsVideos(next.appendingPath($0)) }
            guard inner.count > 1 else { break }
            prefix += holding[0] + "/"
        }
        return [(.train, prefix)]
    }
}

/// Which folder on the way to a video names its class, where there are several.
package struct ClassLevel: Sendable, Equatable {
    /// Whether it is the inner one: the outer ones only gather classes. Else cameras, sessions or groups lie in the outer one.
    package let isInner: Bool
    /// Outer folders that hold videos themselves and so are classes.
    private let holders: Set<Bytewise>

    /// Inner folders are classes where each has a name of its own and some outer folder holds several of them; the same
    /// name under two outer ones, or a name of digits alone, is that of a session or a camera.
    ///
    /// - Parameter folders: for each video the folders from the outer to the inner one.
    init(folders: [[String]]) {
        let ways = Set(folders.map { $0.map(Bytewise.init) })
        let holders = Set(ways.filter { $0.count == 1 }.compactMap(\.first))
        let inner = ways.filter { $0.count > 1 && !holders.contains($0[0]) }
        let names = inner.compactMap(\.last)
        let areNamed = names.allSatisfy { $0.text.contains(where: \.isLetter) } && Set(names).count == names.count
        let gathers = Dictionary(grouping: inner) { $0[0] }.values.contains { $0.count > 1 }
        self.holders = holders
        isInner = areNamed && gathers
    }

    func name(_ folders: [String]) -> String {
        guard let first = folders.first, let last = folders.last else { return "" }
        return isInner && !holders.contains(first) ? last : first
    }
}

/// The videos below a folder, with the folders on the way to each.
struct FolderScan {
    private(set) var videos: [(folders: [String], path: String)] = []
    private(set) var emptyFolders: [String] = []
    private(set) var otherFiles: [String] = []
    private(set) var innerFolders: [String] = []

    static let depthLimit = 8

    init(root: String, prefix: String) throws(DatasetError) {
        let top = prefix.isEmpty ? root : root.appendingPath(prefix)
        for folder in try Self.entries(top) where !folder.isHiddenName {
            guard isDirectory(top.appendingPath(folder)) else {
                if !Self.isList(folder) { otherFiles.append(prefix + folder) }
                continue
            }
            let count = videos.count
            try add([folder], root: root, prefix: prefix)
            if videos.count == count { emptyFolders.append(prefix + folder) }
        }
    }

    private mutating func add(_ folders: [String], root: String, prefix: String) throws(DatasetError) {
        let inner = prefix + folders.joined(separator: "/")
        let folder = root.appendingPath(inner)
        var below: [String] = []
        for name in try Self.entries(folder) where !name.isHiddenName {
            let path = inner + "/" + name
            if Self.isVideo(named: name, in: folder) {
                guard !path.utf8.contains(where: { $0 == 10 || $0 == 13 }) else { throw DatasetError(path: root, problem: .lineBreakInName(path)) }
                videos.append((folders, path))
            } else if isDirectory(folder.appendingPath(name)) {
                below.append(name)
            } else {
                otherFiles.append(path)
            }
        }
        for name in below {
            let (count, otherCount, innerCount) = (videos.count, otherFiles.count, innerFolders.count)
            // A link may lead around in a circle.
            if folders.count < Self.depthLimit, !Self.isLink(folder.appendingPath(name)) {
                try add(folders + [name], root: root, prefix: prefix)
            }
            guard videos.count == count else { continue }
            // The folder stands for all that lies in it.
            otherFiles.removeLast(otherFiles.count - otherCount)
            innerFolders.removeLast(innerFolders.count - innerCount)
            innerFolders.append(inner + "/" + name)
        }
    }

    // MARK: Looking

    static func entries(_ path: String) throws(DatasetError) -> [String] {
        do {
            return try directoryEntries(path)
        } catch {
            throw DatasetError(path: path, problem: .file(error))
        }
    }

    private static func isVideo(named name: String, in folder: String) -> Bool {
        let path = folder.appendingPath(name)
        return VideoEndings.isShownVideo(name) && isRegularFile(path) || isDirectory(path) && FrameFolder.isOne(path)
    }

    private static func isLink(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
    }

    /// Whether videos lie right in a folder.
    static func hasVideos(in folder: String) throws(DatasetError) -> Bool {
        try entries(folder).contains { isVideo(named: $0, in: folder) }
    }

    /// Whether videos lie in a folder or in folders in it.
    static func holdsVideos(_ folder: String, depth: Int = 0) -> Bool {
        guard let names = try? directoryEntries(folder) else { return false }
        let shown = names.filter { !$0.isHiddenName }
        if shown.contains(where: { isVideo(named: $0, in: folder) }) { return true }
        return depth < depthLimit
            && shown.contains { isDirectory(folder.appendingPath($0)) && !isLink(folder.appendingPath($0)) && holdsVideos(folder.appendingPath($0), depth: depth + 1) }
    }

    /// Whether a name ends as lists, class names and recipes do.
    private static func isList(_ name: String) -> Bool {
        [".txt", ".csv", ".json", ".yaml"].contains(where: name.lowercased().hasSuffix)
    }
}
