import Files

/// A folder as Hugging Face and open_clip write it: one safetensors file, or several with an index.
package final class SafetensorsFolder: WeightSource {
    package var format: WeightFormat { .shardedSafetensors }
    package let path: String
    package let metadata: [String: String]
    package var tensors: [TensorDescription] { index.tensors }

    private let index: TensorIndex
    private let shards: [SafetensorsFile]
    /// In `shards`, for each of `tensors`.
    private let shardOfTensor: [Int]

    private static let indexName = "model.safetensors.index.json"
    private static let wholeNames = ["model.safetensors", "open_clip_model.safetensors"]
    private static let pickleNames = ["pytorch_model.bin", "open_clip_pytorch_model.bin", "pytorch_model.bin.index.json"]
    private static let indexByteLimit = 16 << 20
    private static let shardLimit = 1024

    package init(path: String) throws(WeightFileError) {
        let found: [String]
        do { found = try directoryEntries(path) } catch { throw WeightFileError(path: path, problem: .file(error)) }
        var expected: ShardIndex?
        let names: [String]
        if let whole = Self.wholeNames.first(where: found.contains) {
            names = [whole]
        } else if found.contains(Self.indexName) {
            let index = try Self.readIndex(path.appendingPath(Self.indexName))
            expected = index
            names = index.shards
        } else {
            throw Self.refusal(of: path, found: found)
        }
        let shards = try names.map { name throws(WeightFileError) in try Self.open(name, in: path, isIndexed: expected != nil) }
        var all: [(tensor: TensorDescription, shard: Int)] = []
        var shardOfName: [Bytewise: Int] = [:]
        for (number, shard) in shards.enumerated() {
            for tensor in shard.tensors {
                if let other = shardOfName.updateValue(number, forKey: Bytewise(tensor.name)) {
                    throw Self.error(path, .twoShards(tensor: tensor.name, first: names[other], second: names[number]))
                }
                all.append((tensor, number))
            }
        }
        if let expected { try Self.compare(expected, shardOfName, path: path) }
        self.path = path
        self.shards = shards
        index = TensorIndex(all.map(\.tensor), path: path)
        shardOfTensor = all.map(\.shard)
        metadata = shards.reduce(into: [:]) { $0.merge($1.metadata) { first, _ in first } }
    }

    package func contains(_ name: String) -> Bool { index.contains(name) }

    package func description(of name: String) throws(WeightFileError) -> TensorDescription {
        tensors[try index.index(of: name)]
    }

    package func readFloats(
        named name: String, shape: [Int], into destination: UnsafeMutableBufferPointer<Float>
    ) throws(WeightFileError) {
        let shard = shards[shardOfTensor[try index.index(of: name)]]
        try unsafe shard.readFloats(named: name, shape: shape, into: destination)
    }

    // MARK: -

    private static func refusal(of path: String, found: [String]) -> WeightFileError {
        if let name = pickleNames.first(where: found.contains) {
            return error(path, .pickleOnly(name: name))
        }
        let candidates = found.filter { name in
            [".safetensors", ".pt", ".pth", ".bin"].contains { name.hasSuffix($0) }
        }
        return error(path, .noWeights(found: Array(candidates.prefix(5))))
    }

    private static func error(_ path: String, _ fault: WeightFileError.FolderFault) -> WeightFileError {
        WeightFileError(path: path, problem: .folder(fault))
    }

    /// Opens a file that must lie in the folder itself, wherever links lead.
    private static func open(_ name: String, in folder: String, isIndexed: Bool) throws(WeightFileError) -> SafetensorsFile {
        let path = folder.appendingPath(name)
        guard fileExists(path), let resolved = resolvedPath(path), let home = resolvedPath(folder) else {
            throw error(folder, .shardMissing(name))
        }
        // The Hugging Face cache keeps `snapshots/REVISION/NAME` as links to `blobs/DIGEST` beside.
        let isSnapshot = home.parentDirectory.lastPathComponent == "snapshots"
        let blobs = home.parentDirectory.parentDirectory.appendingPath("blobs")
        let place = resolved.parentDirectory
        guard place.hasSameBytes(as: home) || isSnapshot && place.hasSameBytes(as: blobs) else { throw error(folder, .shardOutside(name)) }
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
                guard isPlain(shard) else { throw error(path, .shardName(shard)) }
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

    /// A file's name without any way elsewhere.
    private static func isPlain(_ name: String) -> Bool {
        name.utf8.count <= 255 && name.endsWithBytes(of: ".safetensors") && !name.isHiddenName
            && name.utf8.allSatisfy { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "\\") && $0 >= 0x20 && $0 != 0x7F }
    }
}
