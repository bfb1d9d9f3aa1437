import Experiments
import Files
import VideoData

/// Clips with their classes: what is learned from and what is scored.
public enum LabeledClips: Sendable {
    /// A folder per class with videos in it, named after the class; `folder/walk/a.mp4`. Where `train`, `val` and
    /// `test` folders lie above the class folders, the first is learned from, the best epoch is chosen on the second, and
    /// the third is scored.
    case folder(String)
    /// Lists of lines `path label`, labels counted from 0, and the class names: CSV with the header `id,name`, one name
    /// per line, or JSON.
    ///
    /// - Parameters:
    ///   - list: what is learned from, or scored.
    ///   - validation: what the best epoch is chosen on; nil for the last epoch.
    ///   - test: what is scored once, at the end.
    ///   - root: the folder that the paths start from; nil for each list's own.
    case lists(_ list: String, validation: String? = nil, test: String? = nil, labels: String, root: String? = nil)
}

/// Clips as lists in files.
struct ClipFiles {
    let train: String
    /// What the best epoch is chosen on; nil where there is nothing of the kind.
    let validation: String?
    /// What is scored at the end; nil where there is nothing of the kind.
    let test: String?
    let labels: String
    let root: String?

    /// Calls `body` with lists of the clips. Those of a folder lie in the user's cache, named by what they hold: the same clips
    /// have the same lists, so that runs repeat to the byte.
    static func with<Result>(_ clips: LabeledClips, _ body: (ClipFiles) throws -> Result) throws -> Result {
        switch clips {
        case .lists(let list, let validation, let test, let labels, let root):
            return try body(ClipFiles(train: list, validation: validation, test: test, labels: labels, root: root))
        case .folder(let folder):
            let found = try ClassFolders(root: folder)
            let root = resolvedPath(folder) ?? folder
            let parts = [("train.txt", found.clips), ("val.txt", found.valClips ?? []), ("test.txt", found.testClips ?? [])].map {
                (name: $0, bytes: AnnotationList.bytes(of: $1))
            }
            let digest = Digest.of(root + found.classes.text + parts.map { Digest.of($0.bytes) }.joined())
            let cache = PocketHome.dataRoot.appendingPath("lists").appendingPath(String(digest.prefix(32)))
            try createDirectory(cache)
            func list(_ part: (name: String, bytes: [UInt8])) throws -> String? {
                guard !part.bytes.isEmpty else { return nil }
                try DurableFile.write(part.bytes, to: cache.appendingPath(part.name))
                return cache.appendingPath(part.name)
            }
            let labels = cache.appendingPath("labels.csv")
            try DurableFile.write(found.classes.text, to: labels)
            return try body(
                ClipFiles(
                    train: try list(parts[0]) ?? "", validation: try list(parts[1]), test: try list(parts[2]), labels: labels, root: root))
        }
    }
}
