import Files
import Tensors
import WeightFiles

/// Learned prompts with what is needed to use them again: one small safetensors file.
package struct PromptFile: Sendable {
    package let prompts: PromptSet<Matrix>
    package var header: PromptHeader

    package init(prompts: PromptSet<Matrix>, header: PromptHeader) {
        self.prompts = prompts
        self.header = header
    }

    /// Reads a prompt file; every tensor's name and shape must be what the header says.
    ///
    /// - Throws: `ModelError` or `WeightFileError`, naming the file.
    package static func load(_ path: String) throws -> PromptFile {
        let file = try SafetensorsFile(path: path)
        do {
            let header = try PromptHeader(metadata: file.metadata)
            let configuration = header.configuration
            let expected = Set(
                (0..<configuration.visionDepth).map { "vision.\($0)" } + (0..<configuration.textDepth).map { "text.\($0)" })
            if let unknown = file.names.sorted().first(where: { !expected.contains($0) }) {
                throw ModelError.unexpectedTensor(name: unknown)
            }
            func tensors(_ tower: String, depth: Int, tokens: Int) throws -> [Matrix] {
                try (0..<depth).map { layer in
                    let name = "\(tower).\(layer)"
                    guard file.contains(name) else { throw ModelError.missingPrompts(name: name) }
                    let shape = try file.description(of: name).shape
                    guard shape.count == 2, shape[0] == tokens, shape[1] > 0 else {
                        throw ModelError.unexpectedShape(name: name, shape: shape, expected: "[\(tokens), width]")
                    }
                    let matrix = MutableMatrix(rows: shape[0], columns: shape[1], try file.floats(named: name))
                    let nonFinite = nonFiniteCount(in: matrix)
                    guard nonFinite == 0 else { throw ModelError.nonFinite(name: name, count: nonFinite) }
                    return matrix.reading
                }
            }
            return PromptFile(
                prompts: PromptSet(
                    vision: try tensors("vision", depth: configuration.visionDepth, tokens: configuration.visionTokens),
                    text: try tensors("text", depth: configuration.textDepth, tokens: configuration.textTokens)),
                header: header)
        } catch let error as ModelError {
            throw ModelError.inFile(path: path, error)
        }
    }

    /// Writes the file durably. The same prompts and header give the same bytes. Returns its SHA-256.
    @discardableResult
    package func save(to path: String) throws(WeightFileError) -> String {
        try SafetensorsWriter.write(
            prompts.named.map { ($0.name, [$0.element.rowCount, $0.element.columnCount], $0.element.values) },
            metadata: header.metadata, to: path)
    }

    /// Whether these prompts belong to `backbone`.
    ///
    /// - Throws: `ModelError` naming both digests, or the prompts whose shape does not fit.
    package func check(against backbone: Backbone) throws(ModelError) {
        guard header.backboneDigest == backbone.digest else {
            throw .otherBackbone(
                expected: header.backboneDigest, expectedName: header.backboneName, actual: backbone.digest)
        }
        guard header.activation == backbone.architecture.activation else {
            throw .otherActivation(prompts: header.activation.rawValue, backbone: backbone.architecture.activation.rawValue)
        }
        try header.configuration.check(against: backbone.architecture)
        for (name, element) in prompts.named {
            let width = name.hasPrefix("vision") ? backbone.architecture.vision.width : backbone.architecture.text.width
            guard element.columnCount == width else {
                throw .promptShape(
                    name: name, shape: [element.rowCount, element.columnCount], expected: [element.rowCount, width])
            }
        }
    }
}
