import Files
import Glibc
import TestSupport
import Testing
import WeightFiles

@Suite struct SafetensorsFolderTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func write(_ name: String, _ tensors: [String]) throws {
        _ = try SafetensorsWriter.write(tensors.map { ($0, [1], [Float($0.utf8.count)]) }, to: directory.path(name))
    }

    private func index(_ map: [(String, String)], rest: String = "\"metadata\":{\"total_size\":8,\"x\":[1.5e3,null]},") throws {
        let pairs = map.map { "\"\($0.0)\":\"\($0.1)\"" }.joined(separator: ",")
        try directory.write("{\(rest)\"weight_map\":{\(pairs)}}", to: "model.safetensors.index.json")
    }

    private func fault() throws -> WeightFileError.FolderFault? {
        do {
            _ = try openWeights(directory.path)
            return nil
        } catch {
            #expect(error.exitStatus == .badData)
            guard case .folder(let fault) = error.problem else { throw error }
            return fault
        }
    }

    @Test(arguments: ["model.safetensors", "open_clip_model.safetensors"])
    func oneFile(name: String) throws {
        try write(name, ["a", "bc"])
        let source = try openWeights(directory.path)
        #expect(source.format == .shardedSafetensors)
        #expect(try source.floats(named: "bc") == [2])
    }

    @Test func shards() throws {
        try write("one.safetensors", ["a"])
        try write("two.safetensors", ["bc", "def"])
        try index([("a", "one.safetensors"), ("bc", "two.safetensors"), ("def", "two.safetensors")])
        let source = try openWeights(directory.path)
        #expect(source.names.sorted() == ["a", "bc", "def"])
        #expect(try source.floats(named: "a") == [1])
        #expect(try source.floats(named: "def", shape: [1]) == [3])
    }

    /// H1.
    @Test(arguments: ["../x.safetensors", "/etc/passwd", "a/b.safetensors", "..", "x.bin", ".x.safetensors", ""])
    func namesThatLeadElsewhere(name: String) throws {
        try index([("a", name)])
        #expect(try fault() == .shardName(name))
    }

    /// H2.
    @Test func linksThatLeadElsewhere() throws {
        let elsewhere = try TemporaryDirectory()
        _ = try SafetensorsWriter.write([("a", [1], [1])], to: elsewhere.path("one.safetensors"))
        symlink(elsewhere.path("one.safetensors"), directory.path("model.safetensors"))
        #expect(try fault() == .shardOutside("model.safetensors"))
    }

    /// As `huggingface_hub` keeps what it downloads.
    @Test func snapshotsOfTheHuggingFaceCache() throws {
        for name in ["blobs", "snapshots", "snapshots/abc"] { try createDirectory(directory.path(name)) }
        try write("blobs/00ff", ["a"])
        symlink("../../blobs/00ff", directory.path("snapshots/abc/model.safetensors"))
        #expect(try openWeights(directory.path("snapshots/abc")).names == ["a"])
    }

    /// H3.
    @Test func shardsThatDisagree() throws {
        try write("one.safetensors", ["a"])
        try write("two.safetensors", ["a", "b"])
        try index([("a", "one.safetensors"), ("b", "three.safetensors")])
        #expect(try fault() == .shardMissing("three.safetensors"))
        try index([("a", "one.safetensors"), ("b", "two.safetensors")])
        #expect(try fault() == .twoShards(tensor: "a", first: "one.safetensors", second: "two.safetensors"))
        try index([("a", "one.safetensors"), ("c", "one.safetensors")])
        #expect(try fault() == .notInShard(tensor: "c", shard: "one.safetensors"))
        try index([("b", "two.safetensors")])
        #expect(try fault() == .notInIndex(tensor: "a", shard: "two.safetensors"))
    }

    @Test func hostileIndices() throws {
        for text in [
            "", "[]", "{\"weight_map\":[]}", "{}", "{\"weight_map\":{\"a\":1}}", "{\"weight_map\":{}}x",
            "{\"weight_map\":{\"a\":\"o.safetensors\",\"a\":\"o.safetensors\"}}", "{\"weight_map\":{},\"weight_map\":{}}",
            "{\"metadata\":" + String(repeating: "[", count: 5000), "{\"metadata\":nan,\"weight_map\":{}}",
            "{\"metadata\":0x1,\"weight_map\":{}}",
        ] {
            try directory.write(text, to: "model.safetensors.index.json")
            #expect(throws: WeightFileError.self, "\(text.prefix(60))") { try openWeights(directory.path) }
        }
    }

    /// H6.
    @Test func foldersWithoutSafetensors() throws {
        #expect(try fault() == .noWeights(found: []))
        try directory.write("x", to: "epoch_3.pt")
        #expect(try fault() == .noWeights(found: ["epoch_3.pt"]))
        try directory.write("x", to: "pytorch_model.bin")
        #expect(try fault() == .pickleOnly(name: "pytorch_model.bin"))
    }
}
