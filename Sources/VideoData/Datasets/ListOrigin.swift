import Files
import Foundation

extension DataSummary {
    /// The folder that the paths of a list start from, as what made the list noted beside it; nil where nobody did, or
    /// where the list was changed since.
    package static func root(ofList path: String) -> String? {
        let folder = path.parentDirectory
        for name in [importName, splitName] {
            guard let bytes = try? InputFile.contents(of: folder.appendingPath(name), limit: 64 << 20) else { continue }
            guard let summary = try? JSONDecoder().decode(DataSummary.self, from: Data(bytes)), !summary.root.isEmpty,
                let file = summary.lists.first(where: { $0.file == path.lastPathComponent }), let digest = try? Digest.ofFile(path),
                digest == file.sha256
            else { continue }
            return summary.root
        }
        return nil
    }
}
