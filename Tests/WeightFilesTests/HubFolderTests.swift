import Files
import Glibc
import TestSupport
import Testing
import WeightFiles

/// Folders as the hub's tools lay them: `huggingface_hub` (its cache, and copies that link into it), timm, open_clip,
/// sentence-transformers, and the variants of transformers.
@Suite struct HubFolderTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func write(_ name: String, _ tensor: String) throws {
        try createDirectory(directory.path(name).parentDirectory)
        _ = try SafetensorsWriter.write([(tensor, [1], [Float(tensor.utf8.count)])], to: directory.path(name))
    }

    private func names(_ folder: String = "") throws -> [String] { try openWeights(directory.path(folder)).names }

    private func fault(_ folder: String = "") throws -> WeightFileError.FolderFault? {
        do {
            _ = try openWeights(directory.path(folder))
            return nil
        } catch {
            #expect(error.exitStatus == .badData)
            guard case .folder(let fault) = error.problem else { throw error }
            return fault
        }
    }

    /// timm's file holds the image tower alone; transformers' holds the whole model.
    @Test func bothNames() throws {
        try write("model.safetensors", "timm")
        try write("open_clip_model.safetensors", "whole")
        try directory.write("{\"model_cfg\": {}}", to: "open_clip_config.json")
        #expect(try names() == ["whole"])
        try directory.write("{\"architecture\": \"vit_base_patch16_clip_224\"}", to: "config.json")
        #expect(try names() == ["whole"])
        try directory.write("{\"model_type\": \"clip\"}", to: "config.json")
        #expect(try names() == ["timm"])
    }

    private func layCache(_ name: String = "models--somebody--ViT-B-16", blob: String = "00ff") throws {
        try write("\(name)/blobs/\(blob)", "a")
        try createDirectory(directory.path("\(name)/snapshots/abc"))
        _ = symlink("../../blobs/\(blob)", directory.path("\(name)/snapshots/abc/model.safetensors"))
    }

    /// The cache's folder of a model, its `snapshots`, one of these, and all of them through a link.
    @Test func theCache() throws {
        try layCache()
        _ = symlink(directory.path("models--somebody--ViT-B-16"), directory.path("link"))
        for folder in ["snapshots/abc", "snapshots", "snapshots/", ""] {
            for root in ["models--somebody--ViT-B-16", "link"] {
                #expect(try names(folder.isEmpty ? root : "\(root)/\(folder)") == ["a"], "\(root)/\(folder)")
            }
        }
        try createDirectory(directory.path("models--somebody--ViT-B-16/snapshots/def"))
        #expect(try fault("models--somebody--ViT-B-16") == .several(names: ["abc", "def"]))
        try createDirectory(directory.path("models--somebody--ViT-B-16/refs"))
        try directory.write("abc\n", to: "models--somebody--ViT-B-16/refs/main")
        #expect(try names("models--somebody--ViT-B-16") == ["a"])
        #expect(try names("models--somebody--ViT-B-16/snapshots") == ["a"])
        try directory.write("../../../etc", to: "models--somebody--ViT-B-16/refs/main")
        #expect(try fault("models--somebody--ViT-B-16") == .several(names: ["abc", "def"]))
    }

    /// `blobs` on another disk, and blobs that are links into a store that several caches share.
    @Test func linkedBlobs() throws {
        try layCache()
        let model = directory.path("models--somebody--ViT-B-16")
        _ = rename(model + "/blobs", directory.path("elsewhere"))
        _ = symlink(directory.path("elsewhere"), model + "/blobs")
        #expect(try names("models--somebody--ViT-B-16/snapshots/abc") == ["a"])
        try createDirectory(directory.path("store"))
        _ = rename(directory.path("elsewhere/00ff"), directory.path("store/00ff"))
        _ = symlink(directory.path("store/00ff"), directory.path("elsewhere/00ff"))
        #expect(try names("models--somebody--ViT-B-16/snapshots/abc") == ["a"])
    }

    /// `snapshot_download(local_dir=…)` of older versions: links into the cache, absolute or relative, to a blob or to
    /// a file of a snapshot.
    @Test(arguments: ["blobs/00ff", "snapshots/abc/model.safetensors"], [true, false])
    func copiesThatLinkIntoTheCache(target: String, isAbsolute: Bool) throws {
        try layCache()
        try createDirectory(directory.path("mine"))
        let cache = "models--somebody--ViT-B-16/" + target
        _ = symlink(isAbsolute ? directory.path(cache) : "../" + cache, directory.path("mine/model.safetensors"))
        #expect(try names("mine") == ["a"])
    }

    /// H2: anything else that leads out of the folder.
    @Test(arguments: ["other/model.safetensors", "models-somebody/blobs/x", "blobs/x"])
    func linksElsewhere(target: String) throws {
        try write(target, "a")
        try createDirectory(directory.path("mine"))
        _ = symlink("../" + target, directory.path("mine/model.safetensors"))
        #expect(try fault("mine") == .shardOutside("model.safetensors"))
    }

    @Test func sentenceTransformers() throws {
        try write("0_CLIPModel/model.safetensors", "a")
        try directory.write(
            "[{\"idx\": 0, \"name\": \"0\", \"path\": \"0_CLIPModel\", \"type\": \"sentence_transformers.models.CLIPModel\"}]", to: "modules.json")
        try directory.write("{}", to: "config_sentence_transformers.json")
        #expect(try names() == ["a"])
        #expect(try openWeights(directory.path).path == directory.path("0_CLIPModel"))
        try directory.write("[{\"path\": \"../../etc\"}]", to: "modules.json")
        #expect(try fault() == .noWeights(found: []))
        // Only a pickle in it: the message names the folder that holds it.
        try directory.write("[{\"path\": \"0_CLIPModel\"}]", to: "modules.json")
        unlink(directory.path("0_CLIPModel/model.safetensors"))
        try directory.write("x", to: "0_CLIPModel/pytorch_model.bin")
        do { _ = try openWeights(directory.path) } catch { #expect(error.path == directory.path("0_CLIPModel")) }
    }

    @Test(arguments: ["model.fp16.safetensors", "model.bf16.safetensors", "open_clip_model.fp16.safetensors"])
    func variants(name: String) throws {
        try write(name, "a")
        #expect(try names() == ["a"])
        try write("model.fp32.safetensors", "b")
        #expect(try fault() == .several(names: [name, "model.fp32.safetensors"].sorted()))
        try write("model.safetensors", "c")
        #expect(try names() == ["c"])
    }

    @Test func shardsOfAVariant() throws {
        try write("model.fp16-00001-of-00002.safetensors", "a")
        try write("model.fp16-00002-of-00002.safetensors", "b")
        let map = "{\"weight_map\":{\"a\":\"model.fp16-00001-of-00002.safetensors\",\"b\":\"model.fp16-00002-of-00002.safetensors\"}}"
        try directory.write(map, to: "model.safetensors.index.fp16.json")
        #expect(try names() == ["a", "b"])
    }

    /// Named for what they are.
    @Test func indicesAndConfigurations() throws {
        let index = "{\n  \"metadata\": {\"total_size\": 3},\n  \"weight_map\": {\"a\": \"pytorch_model-00001-of-00002.bin\"}\n}\n"
        try directory.write(index, to: "pytorch_model.bin.index.json")
        #expect(try fault() == .pickleShards(index: "pytorch_model.bin.index.json"))
        for (name, text, expected) in [
            ("pytorch_model.bin.index.json", index, WeightFileError.Lookalike.shardIndex(isPickle: true)),
            ("model.safetensors.index.json", index.split(separator: ".bin").joined(separator: ".safetensors"), .shardIndex(isPickle: false)),
            ("config.json", "{\n  \"model_type\": \"clip\"\n}", .json), ("empty.json", "{}     \n", .json),
        ] {
            let path = try directory.write(text, to: name)
            do {
                _ = try openWeights(path)
                Issue.record("\(name) opened")
            } catch {
                #expect(error.problem == .lookalike(expected), "\(name)")
            }
        }
    }
}
