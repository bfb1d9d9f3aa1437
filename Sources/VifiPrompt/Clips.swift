import Experiments
import Files
import VideoData

/// Clips with their classes: what is learned from and what is scored.
public enum LabeledClips: Sendable {
    /// A folder per class with videos in it, named after the class; `folder/walk/a.mp4`. Where `train` and `val` (or
    /// `test`) folders lie above the class folders, the former are learned from and the latter scored.
    case folder(String)
    /// Lists of lines `path label`, labels counted from 0, and the class names: CSV with the header `id,name`, one name
    /// per line, or JSON.
    ///
    /// - Parameters:
    ///   - list: what is learned from, or scored.
    ///   - validation: what is looked at while something is learned.
    ///   - root: the folder that the paths start from; nil for each list's own.
    case lists(_ list: String, validation: String? = nil, labels: String, root: String? = nil)
}

/// Clips as lists in files.
struct ClipFiles {
    let train: String
    /// What is scored or looked at; nil where there is nothing of the kind.
    let validation: String?
    let labels: String
    let root: String?

    /// Calls `body` with lists of the clips. Those of a folder lie in the user's cache, named by what they hold: the same clips
    /// have the same lists, so that runs repeat to the byte.
    static func with<Result>(_ clips: LabeledClips, _ body: (ClipFiles) throws -> Result) throws -> Result {
        switch clips {
        case .lists(let list, let validation, let labels, let root):
            return try body(ClipFiles(train: list, validation: validation, labels: labels, root: root))
        case .folder(let folder):
            let found = try ClassFolders(root: folder)
            let root = resolvedPath(folder) ?? folder
            let parts = [("train.txt", AnnotationList.bytes(of: found.clips)), ("val.txt", AnnotationList.bytes(of: found.valClips ?? []))]
            let digest = Digest.of(root + found.classes.text + parts.map { Digest.of($0.1) }.joined())
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
                    train: try list(parts[0]) ?? "", validation: try list(parts[1]), labels: labels, root: root))
        }
    }
}
