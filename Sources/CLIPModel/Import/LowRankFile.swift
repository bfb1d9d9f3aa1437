import Files
import Tensors
import WeightFiles

/// Low-rank updates in a file: ours, safetensors with the digest of the backbone that they belong to, or what CLIP-LoRA's
/// program saves (`methods_more.md` 2).
package struct LowRankFile: Sendable {
    package let updates: LowRankUpdates
    /// Of the backbone that they were learned on; nil where the file does not say it.
    package let backboneDigest: String?
    package let backboneName: String?

    private enum Key {
        static let format = "vifi_lora_format"
        static let backboneDigest = "backbone_sha256"
        static let backboneName = "backbone_name"
        static let rank = "rank"
        static let alpha = "alpha"
        static let toolVersion = "tool_version"
    }

    private static let format = "1"

    package init(_ updates: LowRankUpdates, learnedOn backbone: Backbone) {
        self.init(updates, backboneDigest: backbone.digest, backboneName: backbone.description.name)
    }

    private init(_ updates: LowRankUpdates, backboneDigest: String?, backboneName: String?) {
        (self.updates, self.backboneDigest, self.backboneName) = (updates, backboneDigest, backboneName)
    }

    /// Writes the file durably. The same updates give the same bytes. Returns its SHA-256.
    @discardableResult
    package func save(to path: String) throws(WeightFileError) -> String {
        var metadata = [
            Key.format: Self.format, Key.rank: "\(updates.rank)", Key.alpha: "\(updates.alpha)", Key.toolVersion: vifiPromptVersion,
        ]
        metadata[Key.backboneDigest] = backboneDigest
        metadata[Key.backboneName] = backboneName
        return try SafetensorsWriter.write(
            updates.named.map { ($0.name, [$0.value.rowCount, $0.value.columnCount], $0.value.values) }, metadata: metadata, to: path)
    }

    /// Reads updates for a backbone, whose sizes they must have.
    ///
    /// - Throws: `ModelError` or `WeightFileError`, naming the file.
    package static func load(_ path: String, for backbone: Backbone) throws -> LowRankFile {
        do {
            let source = try openWeights(path)
            let (metadata, architecture) = (source.metadata, backbone.architecture)
            if let format = metadata[Key.format] {
                guard format == Self.format else { throw ModelError.newerFormat(format) }
                let updates = try updates(in: source, architecture: architecture, rank: metadata[Key.rank], alpha: metadata[Key.alpha]) { tower, layer in
                    "\(tower == .text ? "" : "visual.")transformer.resblocks.\(layer).attn."
                }
                return LowRankFile(updates, backboneDigest: metadata[Key.backboneDigest], backboneName: metadata[Key.backboneName])
            }
            guard source.names.contains(where: { $0.hasSuffix(".w_lora_A") }) else { throw ModelError.lowRank(.notUpdates) }
            if source.names.contains(where: { $0.hasSuffix(".proj.w_lora_A") }) { throw ModelError.lowRank(.otherWeights) }
            // Theirs count the blocks of the towers that learn, the text tower's first.
            let encoder = metadata["metadata.encoder"] ?? "both"
            let first = encoder == "vision" ? 0 : architecture.text.layerCount
            let layers = Set(source.names.compactMap { $0.split(separator: ".").first { $0.hasPrefix("layer_") } })
            let expected = (encoder == "vision" ? 0 : architecture.text.layerCount) + (encoder == "text" ? 0 : architecture.vision.layerCount)
            guard layers.count == expected else { throw ModelError.lowRank(.layers(found: layers.count, expected: expected)) }
            let updates = try updates(
                in: source, architecture: architecture, rank: metadata["metadata.r"], alpha: metadata["metadata.alpha"]
            ) { tower, layer in
                guard encoder == "both" || (encoder == "text") == (tower == .text) else { return nil }
                return "weights.layer_\(tower == .text ? layer : first + layer)."
            }
            return LowRankFile(updates, backboneDigest: nil, backboneName: nil)
        } catch let error as ModelError {
            throw ModelError.inFile(path: path, error)
        }
    }

    private enum Tower { case text, vision }

    /// - Parameter prefix: of the names of a block's factors; nil where the file has none for it.
    private static func updates(
        in source: any WeightSource, architecture: CLIPArchitecture, rank: String?, alpha: String?, prefix: (Tower, Int) -> String?
    ) throws -> LowRankUpdates {
        guard let rank = rank.flatMap(Int.init), (1...1024).contains(rank) else {
            throw ModelError.badMetadata(key: Key.rank, value: rank, expected: "a whole number in 1...1024")
        }
        guard let alpha = alpha.flatMap(Float.init), alpha.isFinite else {
            throw ModelError.badMetadata(key: Key.alpha, value: alpha, expected: "a number")
        }
        func matrix(_ name: String, rows: Int, columns: Int) throws -> MutableMatrix {
            // A weight that was not adapted has no factors.
            guard source.contains(name) else { return MutableMatrix(rows: rows, columns: columns) }
            let shape = try source.description(of: name).shape
            guard shape == [rows, columns] else { throw ModelError.unexpectedShape(name: name, shape: shape, expected: "[\(rows), \(columns)]") }
            return try finiteMatrix(named: name, in: source, shape: shape)
        }
        func blocks(_ tower: Tower, _ sizes: CLIPArchitecture.Tower) throws -> [[LowRankUpdates.Factors]] {
            try (0..<sizes.layerCount).map { layer in
                try LowRankUpdates.parts.map { part in
                    let name = prefix(tower, layer).map { $0 + part } ?? ""
                    return LowRankUpdates.Factors(
                        a: try matrix(name + ".w_lora_A", rows: rank, columns: sizes.width),
                        b: try matrix(name + ".w_lora_B", rows: sizes.width, columns: rank))
                }
            }
        }
        return LowRankUpdates(
            rank: rank, alpha: alpha, text: try blocks(.text, architecture.text), vision: try blocks(.vision, architecture.vision))
    }

    /// - Throws: `ModelError` where the updates were learned on another backbone.
    package func check(against backbone: Backbone) throws(ModelError) {
        guard let backboneDigest, backboneDigest != backbone.digest else { return }
        throw .lowRank(.otherBackbone(expected: backboneDigest, name: backboneName ?? "", actual: backbone.digest))
    }
}

/// Why low-rank updates cannot be used.
package enum LowRankProblem: Sendable, Equatable {
    case notUpdates
    /// The output weight of attention is updated too.
    case otherWeights
    case layers(found: Int, expected: Int)
    case otherBackbone(expected: String, name: String, actual: String)

    var words: String {
        switch self {
        case .notUpdates: "this file holds no low-rank updates: no tensor's name ends in \"w_lora_A\"."
        case .otherWeights: "these updates also change the output weight of attention (proj); those of queries, keys and values are read."
        case .layers(let found, let expected):
            "these updates are for \(counted(found, "block", "blocks")), the backbone has \(expected). Only updates of all blocks are read."
        case .otherBackbone(let expected, let name, let actual):
            "the updates were learned on backbone \(ModelError.excerpt(name)) (\(ModelError.excerpt(String(expected.prefix(12))))…), but this one is "
                + "\(actual.prefix(12))…. Merged into another they compute something else. Name theirs."
        }
    }
}
