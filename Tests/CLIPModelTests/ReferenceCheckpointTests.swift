import CLIPModel
import Files
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Checkpoints of ViFi-CLIP. `formats/vifi-prompt-style.pth` was written by PyTorch: clip-mini with
/// `random_prompts(seed 21, 4 vision × 2 layers, 3 text × 1 layer)` of `scripts/vlclip.py`.
@Suite struct ReferenceCheckpointTests {
    private let directory: TemporaryDirectory
    private let backbone: Backbone
    private static let checkpoint = fixturePath("formats/vifi-prompt-style.pth")

    init() throws {
        directory = try TemporaryDirectory()
        backbone = try Backbone.load(fixturePath("clip/clip-mini.safetensors"))
    }

    @Test func promptsOfACheckpoint() throws {
        let file = try PromptFile.load(Self.checkpoint)
        #expect(file.form == .checkpoint)
        // By PyTorch: SHA-256 of each tensor's float32 bytes.
        let expected = [
            "vision.0": ("09d24c153b87ac89d58646459f43c7b1259246843182e26bd7b21f17f8b5df24", [4, 64]),
            "vision.1": ("ae89e08f5851f4bae68d4ef9d75b6af9a4dfc6c9f58c7ddc7ab2e3a757d38390", [4, 64]),
            "text.0": ("1f8fc746f684635a7fed8c4428d65bf40db77a3c12a15a8ab4ed17e0c05d0e4c", [3, 64]),
        ]
        #expect(Set(file.prompts.named.map(\.name)) == Set(expected.keys))
        for (name, element) in file.prompts.named {
            var digest = Digest()
            digest.update(element.values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } })
            #expect(digest.hexadecimal == expected[name]?.0, "\(name)")
            #expect([element.rowCount, element.columnCount] == expected[name]?.1)
        }
        // What the file does not say is the reference's, and said aloud.
        #expect(file.header.frameCount == 32 && file.header.normalization == .imageNet && file.header.fusion == .embedding)
        #expect(file.header.template == "a photo of a {}." && file.header.classNames == [] && !file.header.namesBackbone)
        #expect(file.header.metrics["epoch"] == 9)
        #expect(file.notes == ["""
            a ViFi-CLIP checkpoint, which names no frames, normalization or template: the reference's are assumed (32 frames, \
            imagenet, "a photo of a {}."); it was trained on 5 classes, whose names it does not hold
            """])
    }

    /// It holds its backbone, except the token table.
    @Test func theBackboneInTheFile() throws {
        let file = try PromptFile.load(Self.checkpoint)
        #expect(try file.check(against: backbone) == nil)
        let named = file.naming(backbone)
        #expect(named.header.backboneDigest == backbone.digest && named.header.backboneName == "clip-mini.safetensors")
        #expect(try named.check(against: backbone) == nil)

        for (index, name) in [(0, "image_encoder.conv1.weight"), (backbone.parameters.all.count - 1, "logit_scale")] {
            let changed = backbone.parameters.mutableCopy()
            changed.all[index][0, 0] = changed.all[index][0, 0].nextUp
            let other = Backbone(architecture: backbone.architecture, parameters: changed.map(\.reading), description: backbone.description)
            let foreign = ForeignBackbone.weights(tensor: "model.module.\(name)", actual: other.digest)
            #expect(throws: ModelError.prompts(.foreignBackbone(foreign))) { try file.check(against: other) }
            #expect(try file.check(against: other, anyBackbone: true) == foreign)
        }
        // The token table is not in the file.
        let changed = backbone.parameters.mutableCopy()
        changed.text.tokenEmbedding[0, 0] += 1
        let tokens = Backbone(architecture: backbone.architecture, parameters: changed.map(\.reading), description: backbone.description)
        #expect(try file.check(against: tokens) == nil)
        // Another architecture differs where the first shape does.
        let tiny = try Backbone.load(fixturePath("clip/clip-tiny.safetensors"))
        #expect(throws: ModelError.self) { try file.check(against: tiny) }
        // And even who does not mind needs prompts that fit.
        #expect(throws: ModelError.promptShape(name: "vision.0", shape: [4, 64], expected: [4, 128])) {
            try file.check(against: tiny, anyBackbone: true)
        }
    }

    @Test func aBridgedBackboneHasNoPrompts() throws {
        let path = fixturePath("formats/vifi-bridge-style.pth")
        #expect(throws: ModelError.inFile(path: path, .prompts(.noPrompts(isBridged: true)))) { _ = try PromptFile.load(path) }
    }

    // MARK: Checkpoints made by hand

    private typealias Tensors = [(key: String, shape: [Int], value: Float)]
    private static let names = ["image_encoder.VPT", "image_encoder.transformer.resblocks.1.VPT_shallow", "prompt_learner.ctx"]
    private static let tensors: Tensors = [(names[0], [4, 64], 1), (names[1], [4, 64], 2), (names[2], [3, 64], 3)]

    private func write(
        _ tensors: Tensors, prefix: String = "module.", root: String? = "model", header: [String: String] = [:]
    ) throws -> String {
        let path = directory.path("checkpoint.pth")
        var members = tensors.map { tensor in
            (key: prefix + tensor.key, value: PyTorchValue.tensor(
                shape: tensor.shape, values: { [Float](repeating: tensor.value, count: tensor.shape.reduce(1, *)) }))
        }
        if let root { members = [(root, .ordered(members)), ("epoch", .integer(3))] }
        if !header.isEmpty {
            members.append(("vifi_prompt", .dictionary(header.sorted { $0.key < $1.key }.map { (key: $0.key, value: .text($0.value)) })))
        }
        try PyTorchWriter.write(.dictionary(members), to: path)
        return path
    }

    @Test(arguments: ["module.", ""], ["model", "state_dict", nil])
    func prefixes(prefix: String, root: String?) throws {
        // Buffers that follow from class names are dropped.
        let buffers: Tensors = [("prompt_learner.token_prefix", [5, 1, 64], .nan), ("prompt_learner.token_suffix", [5, 73, 64], 0)]
        let file = try PromptFile.load(write(Self.tensors + buffers, prefix: prefix, root: root))
        #expect(file.prompts.named.map(\.name) == ["vision.0", "vision.1", "text.0"])
        #expect(file.prompts.all.map { $0[0, 0] } == [1, 2, 3])
        // No backbone is in it: whether this one belongs to it cannot be known.
        #expect(throws: ModelError.prompts(.foreignBackbone(.unnamed(actual: backbone.digest)))) { try file.check(against: backbone) }
        #expect(try file.check(against: backbone, anyBackbone: true) == .unnamed(actual: backbone.digest))
    }

    private func words(_ change: (inout Tensors) -> Void) throws -> String {
        var tensors = Self.tensors
        change(&tensors)
        let path = try write(tensors)
        return message(in: directory) { _ = try PromptFile.load(path) }
    }

    @Test func checkpointsThatMakeNoSense() throws {
        let nothing = """
            DIR/checkpoint.pth: this checkpoint holds no prompts under ViFi-CLIP's names: neither "prompt_learner.ctx" nor \
            "image_encoder.VPT". `vifi-prompt inspect` lists what it holds.
            """
        #expect(try words { $0 = [("something", [3], 1)] } == nothing)
        #expect(try words { $0[0].key = "image_encoder.VPT_other"; $0[2].key = "ctx" } == nothing)
        #expect(try words { $0[0].key = "image_encoder.other" }.contains("prompts \"module.image_encoder.VPT\" are missing")
            || words { $0[0].key = "image_encoder.other" }.contains("\"model.module.image_encoder.VPT\" are missing"))
        #expect(try words { $0[1].key = "image_encoder.transformer.resblocks.2.VPT_shallow" }
            .contains("resblocks.1.VPT_shallow\" are missing, although deeper layers have some"))
        for number in ["0", "-1", "01", "+1", "1000", "99999999999999999999", "x", ""] {
            let words = try words { $0[1].key = "image_encoder.transformer.resblocks.\(number).VPT_shallow" }
            #expect(words.contains("is not expected in this file") || words.contains("are missing"), "\(number): \(words)")
        }
        #expect(try words { $0.append(("adapter.weight", [1], 1)) }.contains("\"model.module.adapter.weight\" is not expected in this file"))
        for (index, shape) in [(0, [4]), (0, [0, 64]), (0, [4, 0]), (0, [4097, 1]), (1, [3, 64]), (1, [4, 64, 1]), (2, [])] {
            #expect(try words { $0[index].shape = shape }.contains("\(shape), but ["), "\(index) \(shape)")
        }
        for value in [Float.nan, .infinity] { #expect(try words { $0[1].value = value }.contains("NaN or infinite")) }
    }

    @Test func headersOfOurOwn() throws {
        var header = PromptHeader(
            backbone: backbone, configuration: PromptConfiguration(visionTokens: 4, visionDepth: 2, textTokens: 3, textDepth: 1),
            classNames: ["a"], frameCount: 8, fusion: .image, shots: nil, seed: 1, recipeDigest: "r")
        #expect(try PromptFile.load(write(Self.tensors, header: header.metadata)).header == header)
        header.configuration.textTokens = 2
        let path = try write(Self.tensors, header: header.metadata)
        #expect(throws: ModelError.inFile(path: path, .prompts(.headerDiffers(key: "text_tokens", header: 2, found: 3)))) {
            _ = try PromptFile.load(path)
        }
        let bare = try write(Self.tensors, header: ["vifi_prompt_format": "1"])
        #expect(message(in: directory) { _ = try PromptFile.load(bare) }.contains("is missing, but a value is expected"))
    }
}
