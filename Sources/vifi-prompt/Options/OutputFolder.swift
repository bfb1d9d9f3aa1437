import ArgumentParser
import Files

/// Where a command writes a folder.
enum OutputFolder {
    private static let fileEndings: Set<String> = [
        "json", "jsonl", "csv", "tsv", "txt", "log", "safetensors", "pt", "pth", "npz", "yaml", "yml", "html", "svg", "png", "mp4",
    ]

    /// - Throws: `ValidationError` for the name of a file: a folder of that name would surprise whoever looks for the file.
    static func check(_ path: String?) throws {
        guard let path, !isDirectory(path), !path.hasSuffix("/") else { return }
        let ending = path.lastPathComponent.split(separator: ".").dropFirst().last.map { $0.lowercased() } ?? ""
        guard fileEndings.contains(ending) else { return }
        throw ValidationError("--output \(path.escapedForDisplay): the result is a folder, and this is the name of a file. Leave out .\(ending), or write \(path.escapedForDisplay)/.")
    }
}
