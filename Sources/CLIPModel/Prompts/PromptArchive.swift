import WeightFiles

/// Prompts as a NumPy archive: for programs that read neither safetensors nor PyTorch.
package enum PromptArchive {
    /// Writes every layer's array under its name, `class_names` as a list of strings, and the whole header as JSON
    /// in the string `header`. Returns the file's SHA-256.
    @discardableResult
    package static func write(_ file: PromptFile, to path: String) throws(WeightFileError) -> String {
        try NumpyArchiveWriter.write(
            file.tensors.map { ($0.name, .floats(shape: $0.shape, values: $0.values)) } + [
                ("class_names", .texts(file.header.classNames)),
                ("header", .text(JSONValue.object(file.header.json).serialized)),
            ],
            to: path)
    }
}
