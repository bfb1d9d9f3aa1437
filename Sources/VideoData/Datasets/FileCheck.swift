import Files
import Glibc

extension AnnotationList {
    /// Missing files named in an error.
    package static let shownMissingCount = 10

    /// Looks for every film before any work starts, and for links that lead out of the root.
    ///
    /// - Parameter followsLinks: accepts links to anywhere.
    /// - Throws: `missingFiles` naming the first ten, or `linkLeavesRoot`.
    package func checkFiles(followsLinks: Bool = false) throws(DatasetError) {
        guard let trueRoot = resolvedPath(root) else {
            throw DatasetError(path: root, problem: .file(FileError(path: root, problem: .missing)))
        }
        var missing: [String] = []
        var missingCount = 0
        // Most films share a folder with others, and resolving is the slow part.
        var resolvedFolders: [String: String?] = [:]
        for clip in clips {
            let path = filmPath(clip)
            var status = stat()
            guard unsafe lstat(path, &status) == 0 else {
                missingCount += 1
                if missing.count < Self.shownMissingCount { missing.append(clip.path) }
                continue
            }
            let isLink = status.st_mode & S_IFMT == S_IFLNK
            let target = isLink ? resolvedPath(path) : Self.resolve(path, &resolvedFolders)
            guard let target, !isDirectory(target) else {
                missingCount += 1
                if missing.count < Self.shownMissingCount { missing.append(clip.path) }
                continue
            }
            let prefix = trueRoot == "/" ? "/" : trueRoot + "/"
            guard followsLinks || target.hasPrefix(prefix) else {
                throw DatasetError(path: self.path, problem: .linkLeavesRoot(clip.path, target: target))
            }
        }
        guard missingCount == 0 else {
            throw DatasetError(
                path: path,
                problem: .missingFiles(first: missing, count: missingCount, total: clips.count, root: root))
        }
    }

    /// The true path of something that is not itself a link.
    private static func resolve(_ path: String, _ folders: inout [String: String?]) -> String? {
        let folder = path.parentDirectory
        let resolved: String?
        if let known = folders[folder] {
            resolved = known
        } else {
            resolved = resolvedPath(folder)
            folders[folder] = resolved
        }
        return resolved.map { $0.appendingPath(path.lastPathComponent) }
    }
}
