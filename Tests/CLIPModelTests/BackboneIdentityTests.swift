import CLIPModel
import Files
import Foundation
import Tensors
import TestSupport
import Testing
import WeightFiles

/// What makes two backbones one: weights, and all that changes what these compute.
@Suite struct BackboneIdentityTests {
    private let directory: TemporaryDirectory
    private let plain: Backbone

    init() throws {
        directory = try TemporaryDirectory()
        plain = try Backbone.load(fixturePath("clip/clip-tiny.safetensors"))
    }

    private func changed(_ change: (inout CLIPArchitecture, inout BackboneDescription) -> Void) -> Backbone {
        var (architecture, description) = (plain.architecture, plain.description)
        change(&architecture, &description)
        return Backbone(architecture: architecture, parameters: plain.parameters, description: description)
    }

    private func prompts(of backbone: Backbone) -> PromptFile {
        let configuration = PromptConfiguration(visionTokens: 2, visionDepth: 2, textTokens: 4, textDepth: 1)
        return PromptFile(
            prompts: PromptSet<MutableMatrix>(random: configuration, architecture: backbone.architecture, seed: 1).reading,
            header: PromptHeader(
                backbone: backbone, configuration: configuration, classNames: ["a"], frameCount: 8, fusion: .embedding, shots: nil,
                seed: 1, recipeDigest: "r"))
    }

    @Test func everythingThatChangesTheFunction() throws {
        #expect(plain.digest == plain.weightsDigest)
        let others = [
            changed { architecture, _ in architecture.vision.headCount = 4 }, changed { architecture, _ in architecture.text.headCount = 2 },
            changed { architecture, _ in architecture.activation = .gelu }, changed { _, description in description.normalization = .imageNet },
            changed { _, description in description.tokenizer = .bytes },
        ]
        #expect(Set(others.map(\.digest)).count == others.count)
        for other in others {
            #expect(other.digest != plain.digest && other.weightsDigest == plain.weightsDigest)
            // However it is read, kept and surveyed.
            let path = directory.path("other.safetensors")
            try other.save(to: path)
            #expect(try Backbone.load(path).digest == other.digest)
            #expect(try Checkpoint(path: path).survey().digest == other.digest)
            #expect(try Checkpoint(path: path).write(to: directory.path("again.safetensors")).backboneDigest == other.digest)
        }
        // A name changes nothing.
        #expect(changed { _, description in description.name = "x" }.digest == plain.digest)
    }

    /// Prompts learned on 4 and 2 heads are not for the same weights read with 2 and 1, nor the other way round.
    @Test func promptsKnowTheirHeads() throws {
        let cut = changed { architecture, _ in (architecture.vision.headCount, architecture.text.headCount) = (4, 2) }
        let path = directory.path("prompts.safetensors")
        for (learned, used) in [(cut, plain), (plain, cut)] {
            try prompts(of: learned).save(to: path)
            let file = try PromptFile.load(path)
            #expect(try file.check(against: learned) == nil)
            let (own, other) = (learned.architecture.headCounts, used.architecture.headCounts)
            let foreign = ForeignBackbone.heads(expected: own, actual: other)
            #expect(throws: ModelError.prompts(.foreignBackbone(foreign))) { try file.check(against: used) }
            #expect(try file.check(against: used, anyBackbone: true) == foreign)
            #expect(foreign.description.contains("\(own.vision) heads in the image tower and \(own.text) in the text tower"))
        }
        // Pixels are normalized as the prompts say, so that another default of the backbone changes nothing for them.
        try prompts(of: plain).save(to: path)
        #expect(try PromptFile.load(path).check(against: changed { _, description in description.normalization = .imageNet }) == nil)
    }

    /// Files of before the digest knew more than weights.
    @Test func oldFilesStayKnown() throws {
        let cut = changed { architecture, description in
            (architecture.vision.headCount, architecture.activation) = (4, .gelu)
            description.normalization = .imageNet
        }
        for backbone in [plain, cut] {
            var old = prompts(of: backbone)
            old.header.backboneDigest = backbone.weightsDigest
            (old.header.backboneWeightsDigest, old.header.backboneHeads) = (nil, nil)
            let path = directory.path("old.safetensors")
            try old.save(to: path)
            #expect(try PromptFile.load(path).check(against: backbone) == nil)
            #expect(backbone.isNamed(by: backbone.weightsDigest, weights: nil))
        }
        #expect(!cut.isNamed(by: plain.digest, weights: plain.weightsDigest))
        var old = prompts(of: plain)
        (old.header.backboneWeightsDigest, old.header.backboneHeads) = (nil, nil)
        let gelu = changed { architecture, _ in architecture.activation = .gelu }
        #expect(throws: ModelError.otherActivation(prompts: "quick_gelu", backbone: "gelu")) { try old.check(against: gelu) }
    }

    /// A ViFi-CLIP checkpoint of ours holds what its tensors do not show.
    @Test func checkpointsWithTheirBackbone() throws {
        let odd = changed { architecture, description in
            (architecture.vision.headCount, architecture.text.headCount, architecture.activation) = (4, 4, .gelu)
            (description.normalization, description.tokenizer, description.name) = (.clip, .bytes, "odd")
        }
        let path = directory.path("odd.pth")
        try ReferenceCheckpoint.write(prompts(of: odd), backbone: odd, to: path)
        let tokens = try Checkpoint(path: fixturePath("clip/clip-tiny.safetensors"))
        let back = try Checkpoint(path: path, options: CheckpointOptions(tokens: tokens))
        #expect(back.warnings.isEmpty && back.architecture == odd.architecture)
        #expect(try back.backbone().digest == odd.digest)
        #expect(back.description.name == "odd" && back.description.tokenizer == .bytes)
        try PromptFile.load(path).check(against: back.backbone())
        // The reference's own have what the reference computes.
        let reference = try Checkpoint(path: fixturePath("formats/vifi-prompt-style.pth"), options: CheckpointOptions(tokens: Checkpoint(path: fixturePath("clip/clip-mini.safetensors"))))
        #expect(reference.architecture.activation == .quickGELU && reference.description.normalization == .imageNet)
        // Its prompts are not for the same weights with other heads.
        var architecture = reference.architecture
        architecture.vision.headCount = 4
        let other = Backbone(architecture: architecture, parameters: try reference.backbone().parameters, description: reference.description)
        let foreign = ForeignBackbone.heads(
            expected: reference.architecture.headCounts, actual: architecture.headCounts)
        #expect(throws: ModelError.prompts(.foreignBackbone(foreign))) {
            try PromptFile.load(fixturePath("formats/vifi-prompt-style.pth")).check(against: other)
        }
    }

    // MARK: Heads that nobody names

    /// Widths and heads of open_clip 3.3.0's model configurations, and of TinyCLIP's.
    @Test(arguments: [
        ("visual", 256, 4), ("visual", 384, 6), ("visual", 512, 8), ("visual", 640, 10), ("visual", 768, 12), ("visual", 896, 14),
        ("visual", 1024, 16), ("visual", 1280, 16), ("visual", 1408, 16), ("visual", 1664, 16), ("visual", 1792, 16),
        ("text", 256, 4), ("text", 384, 6), ("text", 512, 8), ("text", 640, 10), ("text", 768, 12), ("text", 1024, 16), ("text", 1280, 20),
    ])
    func knownModels(tower: String, width: Int, heads: Int) throws {
        let checkpoint = try Checkpoint(path: wide(tower, width))
        #expect((tower == "visual" ? checkpoint.architecture.vision : checkpoint.architecture.text).headCount == heads)
        #expect(!checkpoint.headsAreSaid)
    }

    /// clip-mini with one tower of another width.
    private func wide(_ tower: String, _ width: Int) throws -> String {
        var parts = try FileParts(fixturePath("clip/clip-mini.safetensors"))
        for (name, tensor) in parts.tensors where name.hasPrefix("visual.") == (tower == "visual") && name != "logit_scale" {
            var shape = tensor.shape.map { [64: width, 192: 3 * width, 256: 32][$0] ?? $0 }
            if name == "token_embedding.weight" || name == "positional_embedding" { shape = [tensor.shape[0], width] }
            parts.set(name, shape: shape)
        }
        let path = directory.path("wide.safetensors")
        try parts.write(to: path)
        return path
    }

    /// Hugging Face's models have any number of heads: a bare file of an unknown width says nothing.
    @Test func bareFilesOfUnknownModels() throws {
        let bare = directory.path("bare.safetensors")
        try FileManager.default.copyItem(atPath: fixturePath("checkpoints/hf-gelu-bf16/model.safetensors"), toPath: bare)
        // 32 is no multiple of 64 either.
        #expect(message(in: directory) { _ = try Checkpoint(path: bare) }.contains("--heads VISION,TEXT"))
        let wider = directory.path("wider.safetensors")
        try FileManager.default.copyItem(atPath: fixturePath("formats/hf-clip/model.safetensors"), toPath: wider)
        #expect(message(in: directory) { _ = try Checkpoint(path: wider) }.contains("no known model has a width of 128"))
        let told = try Checkpoint(
            path: bare, options: CheckpointOptions(activation: .gelu, heads: HeadCounts(vision: 4, text: 4)))
        #expect(told.architecture.headCounts == HeadCounts(vision: 4, text: 4) && told.warnings.isEmpty && told.headsAreSaid)
        #expect(try told.backbone().digest == Checkpoint(path: fixturePath("checkpoints/hf-gelu-bf16")).backbone().digest)
        let over = try Checkpoint(
            path: fixturePath("checkpoints/hf-gelu-bf16"), options: CheckpointOptions(heads: HeadCounts(vision: 2, text: 4)))
        #expect(over.warnings.map(\.description) == ["says that its heads are 4 and 4; --heads 2,4 overrides it."])
    }
}
