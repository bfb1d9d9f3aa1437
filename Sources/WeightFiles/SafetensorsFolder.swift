import Files

/// A folder as Hugging Face, timm and open_clip write it: one safetensors file, or several with an index.
package final class SafetensorsFolder: WeightSource {
    package var format: WeightFormat { .shardedSafetensors }
    package let path: String
    package let metadata: [String: String]
    package var tensors: [TensorDescription] { index.tensors }

    private let index: TensorIndex
    private let shards: [SafetensorsFile]
    /// In `shards`, for each of `tensors`.
    private let shardOfTensor: [Int]

    /// The weights as transformers, timm and open_clip name them.
    private static let wholeName = "model.safetensors"
    private static let openCLIPName = "open_clip_model.safetensors"
    private static let pickleNames = ["pytorch_model.bin", "open_clip_pytorch_model.bin", "model.pt", "model.pth"]
    private static let pickleIndexName = "pytorch_model.bin.index.json"
    private static let indexByteLimit = 16 << 20
    private static let shardLimit = 1024

    package init(path: String) throws(WeightFileError) {
        let found: [String]
        do { found = try directoryEntries(path) } catch { throw WeightFileError(path: path, problem: .file(error)) }
        var expected: ShardIndex?
        let names: [String]
        switch try Self.weights(in: path, found: found) {
        case .whole(let name): names = [name]
        case .index(let name):
            let index = try Self.readIndex(path.appendingPath(name))
            expected = index
            names = index.shards
        }
        let shards = try names.map { name throws(WeightFileError) in try Self.open(name, in: path) }
        var all: [(tensor: TensorDescription, shard: Int)] = []
        var shardOfName: [Bytewise: Int] = [:]
        for (number, shard) in shards.enumerated() {
            for name in shard.names + shard.exotic.map(\.name) {
                if let other = shardOfName.updateValue(number, forKey: Bytewise(name)) {
                    throw Self.error(path, .twoShards(tensor: name, first: names[other], second: names[number]))
                }
            }
            all += shard.tensors.map { ($0, number) }
        }
        if let expected { try Self.compare(expected, shardOfName, path: path) }
        self.path = path
        self.shards = shards
        index = TensorIndex(all.map(\.tensor), path: path)
        shardOfTensor = all.map(\.shard)
        metadata = shards.reduce(into: [:]) { $0.merge($1.metadata) { first, _ in first } }
    }

    package var ignoredObjects: [String] { shards.flatMap(\.ignoredObjects) }

    package func contains(_ name: String) -> Bool { index.contains(name) }

    package func description(of name: String) throws(WeightFileError) -> TensorDescription {
        if !index.contains(name) { for shard in shards { try shard.refuseExotic(name) } }
        return tensors[try index.index(of: name)]
    }

    package func readFloats(
        named name: String, shape: [Int], into destination: UnsafeMutableBufferPointer<Float>
    ) throws(WeightFileError) {
        _ = try description(of: name)
        let shard = shards[shardOfTensor[try index.index(of: name)]]
        try unsafe shard.readFloats(named: name, shape: shape, into: destination)
    }

    // MARK: -

    private enum Weights {
        case whole(String)
        case index(String)
    }

    /// Whether a file's name is that of a folder's weights.
    static func isWeights(_ name: String) -> Bool {
        name.hasSuffix(".safetensors") || name.hasSuffix(".safetensors.index.json") || pickleNames.contains(name)
    }

    /// Which of a folder's files are its weights.
    private static func weights(in path: String, found: [String]) throws(WeightFileError) -> Weights {
        let hasWhole = found.contains(wholeName), hasOpenCLIP = found.contains(openCLIPName)
        // Folders of timm hold the image tower alone under the first name and the whole CLIP under the second. Where
        // transformers can read the first one, config.json names its kind of model.
        if hasWhole, hasOpenCLIP { return .whole(isOfTransformers(path, found) ? wholeName : openCLIPName) }
        if hasWhole { return .whole(wholeName) }
        if hasOpenCLIP { return .whole(openCLIPName) }
        // `model.safetensors.index.json`, and `model.safetensors.index.fp16.json` of a variant.
        let indices = found.filter { $0.contains(".safetensors.index.") && $0.hasSuffix(".json") }
        if let index = indices.first(where: { $0 == wholeName + ".index.json" }) ?? indices.first { return .index(index) }
        // `model.fp16.safetensors`: the variants of transformers and diffusers.
        let variants = found.filter { name in
            ["model.", "open_clip_model."].contains { name.hasPrefix($0) } && name.hasSuffix(".safetensors")
        }
        if variants.count > 1 { throw error(path, .several(names: Array(variants.prefix(5)))) }
        if let variant = variants.first { return .whole(variant) }
        throw refusal(of: path, found: found)
    }

    private static func isOfTransformers(_ path: String, _ found: [String]) -> Bool {
        guard found.contains("config.json"),
            case .object(let members)? = try? JSONValue.read(path.appendingPath("config.json"), byteLimit: 1 << 20)
        else { return !found.contains("open_clip_config.json") }
        return members["model_type"] != nil
    }

    private static func refusal(of path: String, found: [String]) -> WeightFileError {
        if let name = pickleNames.first(where: found.contains) { return error(path, .pickleOnly(name: name)) }
        if found.contains(pickleIndexName) { return error(path, .pickleShards(index: pickleIndexName)) }
        let candidates = found.filter { name in
            [".safetensors", ".pt", ".pth", ".bin", ".ckpt"].contains { name.hasSuffix($0) }
        }
        return error(path, .noWeights(found: Array(candidates.prefix(5))))
    }

    private static func error(_ path: String, _ fault: WeightFileError.FolderFault) -> WeightFileError {
        WeightFileError(path: path, problem: .folder(fault))
    }

    /// Opens a file that must lie in the folder itself, wherever links lead.
    private static func open(_ name: String, in folder: String) throws(WeightFileError) -> SafetensorsFile {
        let path = folder.appendingPath(name)
        guard fileExists(path) else { throw error(folder, .shardMissing(name)) }
        guard isInFolder(path, folder) else { throw error(folder, .shardOutside(name)) }
        return try SafetensorsFile(path: path)
    }

    private static func compare(
        _ expected: ShardIndex, _ found: [Bytewise: Int], path: String
    ) throws(WeightFileError) {
        for (tensor, shard) in expected.shardOfTensor.sorted(by: { $0.key < $1.key }) where found[tensor] != shard {
            throw error(path, .notInShard(tensor: tensor.text, shard: expected.shards[shard]))
        }
        for (tensor, shard) in found.sorted(by: { $0.key < $1.key }) where expected.shardOfTensor[tensor] == nil {
            throw error(path, .notInIndex(tensor: tensor.text, shard: expected.shards[shard]))
        }
    }

    // MARK: The index

    private struct ShardIndex {
        var shards: [String] = []
        var shardOfTensor: [Bytewise: Int] = [:]
    }

    /// `{"metadata": {…}, "weight_map": {"tensor": "shard", …}}`
    private static func readIndex(_ path: String) throws(WeightFileError) -> ShardIndex {
        let bytes: [UInt8]
        do {
            bytes = try InputFile.contents(of: path, limit: indexByteLimit)
        } catch { throw WeightFileError(path: path, problem: .file(error)) }
        var cursor = JSONCursor(bytes: bytes, fileOffset: 0, path: path)
        var index = ShardIndex()
        var numberOfShard: [Bytewise: Int] = [:]
        var fields: Set<String> = []
        try cursor.members { (cursor, field) throws(WeightFileError) in
            guard fields.insert(field).inserted else { throw WeightFileError(path: path, problem: .duplicateName(field)) }
            guard field == "weight_map" else { return try cursor.skipValue() }
            try cursor.members { (cursor, tensor) throws(WeightFileError) in
                let shard = try cursor.string()
                guard isPlainName(shard), shard.hasSuffix(".safetensors") else { throw error(path, .shardName(shard)) }
                if numberOfShard[shard] == nil {
                    guard index.shards.count < shardLimit else {
                        throw WeightFileError(path: path, problem: .tooMany(what: "shards", limit: shardLimit))
                    }
                    numberOfShard[shard] = index.shards.count
                    index.shards.append(shard)
                }
                guard index.shardOfTensor.updateValue(numberOfShard[shard] ?? 0, forKey: Bytewise(tensor)) == nil else {
                    throw WeightFileError(path: path, problem: .duplicateName(tensor))
                }
                guard index.shardOfTensor.count <= SafetensorsHeader.tensorLimit else {
                    throw WeightFileError(path: path, problem: .tooMany(what: "tensors", limit: SafetensorsHeader.tensorLimit))
                }
            }
        }
        cursor.skipSpace()
        guard cursor.isAtEnd else { throw cursor.syntaxError("its end") }
        guard fields.contains("weight_map") else { throw cursor.syntaxError("'weight_map'") }
        return index
    }
}
