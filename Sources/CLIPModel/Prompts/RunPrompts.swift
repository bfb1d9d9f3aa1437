import Files

/// Prompts that are named by the run that learned them.
enum RunPrompts {
    /// The prompt file of a run's folder: the best, else the last ones; nil where `path` is not a folder of a run.
    ///
    /// - Throws: `FileError` where the folder gathers several runs.
    static func file(in path: String) throws(FileError) -> String? {
        guard isDirectory(path), !PromptAdapter.isAdapter(path) else { return nil }
        for folder in ["prompts", ""] {
            for name in ["best", "last"] {
                let file = path.appendingPath(folder.isEmpty ? "\(name).safetensors" : "\(folder)/\(name).safetensors")
                // A bridge keeps its backbone under such a name, beside run.json.
                if isRegularFile(file), !folder.isEmpty || path.lastPathComponent == "prompts" { return file }
            }
        }
        let runs = try directoryEntries(path).filter { isDirectory(path.appendingPath($0).appendingPath("prompts")) }
        guard let first = runs.first else {
            guard isRegularFile(path.appendingPath("run.json")) else { return nil }
            throw FileError(path: path, problem: .damaged(reason: "is a run that holds no prompts. Name a run of `vifi-prompt learn` that has saved some"))
        }
        throw FileError(
            path: path, problem: .damaged(reason: "holds several runs. Name one of them, such as \(path.appendingPath(first).escapedForDisplay)"))
    }
}
