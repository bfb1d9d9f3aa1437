import Files
import Glibc

extension AnnotationList {
    /// Missing files named in an error.
    package static let shownMissingCount = 10

    /// Looks for every video before any work starts, and for links that lead out of the root.
    ///
    /// - Parameter followsLinks: accepts links to anywhere.
    /// - Throws: `missingFiles` naming the first ten, or `linkLeavesRoot`.
    package func checkFiles(followsLinks: Bool = false) throws(DatasetError) {
        var missing: [String] = []
        var missingCount = 0
        try eachFileFault(followsLinks: followsLinks) { index, fault throws(DatasetError) in
            switch fault {
            case .missing:
                missingCount += 1
                if missing.count < Self.shownMissingCount { missing.append(clips[index].path) }
            case .linkLeavesRoot(let target):
                throw DatasetError(path: path, problem: .linkLeavesRoot(clips[index].path, target: target))
            }
        }
        guard missingCount == 0 else {
            throw DatasetError(
                path: path,
                problem: .missingFiles(first: missing, count: missingCount, total: clips.count, root: root))
        }
        try checkFrameCounts()
    }

    /// What keeps a video from being opened at all.
    package enum FileFault: Sendable, Equatable {
        /// Nothing is there, or a folder.
        case missing
        case linkLeavesRoot(target: String)
    }

    /// Calls `body` with the position of each clip whose video should not be opened, in list order.
    package func eachFileFault(
        followsLinks: Bool = false, _ body: (_ index: Int, FileFault) throws(DatasetError) -> Void
    ) throws(DatasetError) {
        if try startsInArchive() { return try eachFileMissingFromArchive(body) }
        guard let trueRoot = resolvedPath(root) else {
            throw DatasetError(path: root, problem: .file(FileError(path: root, problem: .missing)))
        }
        let prefix = trueRoot == "/" ? "/" : trueRoot + "/"
        // Most videos share a folder with others, and resolving is the slow part.
        var resolvedFolders: [Bytewise: String?] = [:]
        for (index, clip) in clips.enumerated() {
            let path = videoPath(clip)
            var status = stat()
            guard unsafe lstat(path, &status) == 0 else {
                // The path may lead into an archive below the root.
                if !StoredVideo.exists(path) { try body(index, .missing) }
                continue
            }
            let isLink = status.st_mode & S_IFMT == S_IFLNK
            let target = isLink ? resolvedPath(path) : Self.resolve(path, &resolvedFolders)
            if let target, StoredVideo.exists(target) {
                if !followsLinks && !target.startsWithBytes(of: prefix) { try body(index, .linkLeavesRoot(target: target)) }
            } else {
                try body(index, .missing)
            }
        }
    }

    /// The true path of something that is not itself a link.
    private static func resolve(_ path: String, _ folders: inout [Bytewise: String?]) -> String? {
        let folder = path.parentDirectory
        let resolved: String?
        if let known = folders[Bytewise(folder)] {
            resolved = known
        } else {
            resolved = resolvedPath(folder)
            folders[Bytewise(folder)] = resolved
        }
        return resolved.map { $0.appendingPath(path.lastPathComponent) }
    }
}
