import CLIPModel
import Files
import Foundation
import TestSupport
import Testing
import WeightFiles

/// Which tensors of a file are the CLIP's: wrappers around modules, several models in one file, what is beside it, and
/// models that are something else.
@Suite struct CheckpointNameTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private static let plain = fixturePath("clip/clip-mini.safetensors")

    private func write(_ change: (inout FileParts) -> Void) throws -> String {
        var parts = try FileParts(Self.plain)
        change(&parts)
        try parts.write(to: directory.path("a.safetensors"))
        return directory.path("a.safetensors")
    }

    private func renamed(_ name: (String) -> String) throws -> String {
        try write { parts in
            parts.tensors = Dictionary(uniqueKeysWithValues: parts.tensors.map { (name($0.key), $0.value) })
        }
    }

    private func digest(_ path: String, prefix: String? = nil) throws -> String {
        var options = CheckpointOptions(activation: .quickGELU)
        options.prefix = prefix
        return try Checkpoint(path: path, options: options).backbone().digest
    }

    private func words(_ path: String, prefix: String? = nil) -> String {
        message(in: directory) { _ = try digest(path, prefix: prefix) }
    }

    /// As `torch.compile`, FSDP, activation checkpointing and `DataParallel` name tensors of what they wrap.
    @Test func wrappers() throws {
        let expected = try digest(Self.plain)
        let cases: [(String) -> String] = [
            { "_orig_mod." + $0 }, { "module._orig_mod." + $0 }, { "state_dict.model._orig_mod." + $0 },
            { $0.hasPrefix("visual.") ? "visual._orig_mod." + $0.dropFirst(7) : $0 },
            { $0.replacingOccurrences(of: "resblocks.1.", with: "resblocks.1._orig_mod.") },
            { $0.replacingOccurrences(of: "attn.", with: "attn._orig_mod.") },
            { $0.replacingOccurrences(of: "resblocks.0.", with: "resblocks.0._fsdp_wrapped_module._checkpoint_wrapped_module.") },
            { $0.hasPrefix("visual.") ? "visual.module." + $0.dropFirst(7) : $0.replacingOccurrences(of: "transformer.", with: "transformer.module.") },
        ]
        for (number, change) in cases.enumerated() { #expect(try digest(renamed(change)) == expected, "case \(number)") }
    }

    /// A model and its average.
    @Test func severalModels() throws {
        let expected = try digest(Self.plain)
        let path = try write { parts in
            for (name, tensor) in parts.tensors {
                parts.tensors["model." + name] = tensor
                parts.tensors["ema.module._orig_mod." + name] = (tensor.shape, tensor.values.map { $0 * 0.5 })
                parts.tensors[name] = nil
            }
        }
        #expect(words(path) == """
            DIR/a.safetensors: the file holds several CLIP models: their tensor names start with "ema.module." and "model.". Choose one: \
            `vifi-prompt bridge --import FILE --prefix 'ema.module.'`.
            """)
        for prefix in ["model.", "model"] { #expect(try digest(path, prefix: prefix) == expected) }
        for prefix in ["ema.module.", "ema.module", "ema.module._orig_mod."] { #expect(try digest(path, prefix: prefix) != expected) }
        #expect(words(path, prefix: "teacher.").contains("no CLIP model in the file has tensor names that start with \"teacher.\""))
        var options = CheckpointOptions(activation: .quickGELU)
        options.prefix = "model."
        #expect(try Checkpoint(path: path, options: options).ignored.map(\.what) == ["ema"])
    }

    /// One of them without any prefix: the other's names start with it too.
    @Test func anEmptyPrefix() throws {
        let path = try write { parts in for (name, tensor) in parts.tensors { parts.tensors["ema." + name] = tensor } }
        #expect(try digest(path, prefix: "") == digest(Self.plain))
        #expect(try digest(path, prefix: "ema.") == digest(Self.plain))
    }

    /// What has the name of a weight and is no tensor is said to be what it is.
    @Test func anExoticTensorThatIsNeeded() throws {
        let source = try SafetensorsFile(path: Self.plain)
        var header: [String] = [], data: [UInt8] = []
        for tensor in source.tensors {
            let start = data.count
            data += try source.bytes(named: tensor.name)
            let type = tensor.name == "visual.proj" ? "C64" : tensor.elementType.rawValue
            let shape = tensor.name == "visual.proj" ? [tensor.elementCount / 2] : tensor.shape
            header.append("\"\(tensor.name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":[\(start),\(data.count)]}")
        }
        let json = Array("{\(header.joined(separator: ","))}".utf8)
        let path = try directory.write(bytes(UInt64(json.count)) + json + data, to: "a.safetensors")
        #expect(words(path).contains("\"visual.proj\" is of the type C64, which is not read"))
    }

    /// 65,536 tensors that are no part of the model, with names that compare slowly.
    @Test func manyOthers() throws {
        let source = try SafetensorsFile(path: Self.plain)
        var header: [String] = [], data: [UInt8] = []
        for tensor in source.tensors {
            let start = data.count
            data += try source.bytes(named: tensor.name)
            header.append("\"\(tensor.name)\":{\"dtype\":\"F32\",\"shape\":\(tensor.shape),\"data_offsets\":[\(start),\(data.count)]}")
        }
        let filler = String(repeating: "visual.", count: 30)
        for number in 0..<65_000 {
            header.append("\"\(filler)\(number)\":{\"dtype\":\"I8\",\"shape\":[0],\"data_offsets\":[\(data.count),\(data.count)]}")
        }
        let json = Array("{\(header.joined(separator: ","))}".utf8)
        let path = try directory.write(bytes(UInt64(json.count)) + json + data, to: "a.safetensors")
        let start = ContinuousClock.now
        #expect(try Checkpoint(path: path, options: CheckpointOptions(activation: .quickGELU)).ignored.map(\.names.count) == [65_000])
        // Under a second in a release build; tests are built without optimization and share the machine.
        #expect(ContinuousClock.now - start < .seconds(60))
    }

    // MARK: Models of another kind

    /// Names as the libraries write them: transformers 5.24, open_clip 3.3, and the models' own repositories.
    @Test(arguments: [
        ("visual.trunk.norm_pre.weight", "a Perception Encoder (PE)"), ("visual.attn_pool.probe", "a Perception Encoder (PE)"),
        ("visual.trunk.attn_pool.latent", "a SigLIP"), ("vision_model.head.probe", "a SigLIP"), ("text_model.head.weight", "a SigLIP"),
        ("flava.image_model.embeddings.cls_token", "a FLAVA"), ("multimodal_model.cls_token", "a FLAVA"),
        ("audio_model.audio_encoder.patch_embed.proj.weight", "a CLAP"), ("module.text_branch.embeddings.word_embeddings.weight", "a BERT"),
        ("module.audio_branch.bn0.weight", "a CLAP"), ("vision_model.encoder.layers.0.self_attn.qkv.weight", "a BLIP"),
        ("query_tokens", "a BLIP-2"), ("Qformer.bert.embeddings.LayerNorm.weight", "a BLIP-2"),
        ("modality_trunks.vision.blocks.0.attn.in_proj_weight", "an ImageBind"),
        ("vision_model.encoder.layers.0.temporal_attn.q_proj.weight", "a LanguageBind"),
        ("vision_model.embeddings.convolution.weight", "an ALIGN"), ("text_model.transformation.weight", "an AltCLIP"),
        ("text_model.embeddings.word_embeddings.weight", "a Chinese-CLIP"), ("bert.embeddings.word_embeddings.weight", "a Chinese-CLIP"),
        ("prompts_generator.alpha", "a part of an X-CLIP"), ("mit.position_embedding", "a part of an X-CLIP"),
        ("vision_model.pre_layernorm.weight", "an OWL-ViT"), ("owlv2.visual_projection.weight", "an OWL-ViT"),
        ("decoder.film_mul.weight", "a CLIPSeg"), ("vision_model.encoder.stages.0.group_token", "a GroupViT"),
        ("positional_embedding_res", "a Long-CLIP"), ("visual.conv1_alpha.weight", "an Alpha-CLIP"),
        ("vision_encoder.transformer.resblocks.0.attn.in_proj_weight", "a ViCLIP"), ("embeddings.time_embeddings", "a TimeSformer"),
        ("base_model.model.vision_model.encoder.layers.0.self_attn.q_proj.lora_A.weight", "a LoRA adapter"),
        ("model.vision_tower.vision_model.embeddings.class_embedding", "the image tower of a CLIP"),
        ("model.multi_modal_projector.linear_1.weight", "a language model with pictures"),
    ])
    func otherModels(name: String, words: String) throws {
        let path = directory.path("a.safetensors")
        try SafetensorsWriter.write([(name, [2], [1, 2]), ("logit_scale", [], [1])], to: path)
        #expect(self.words(path).contains(words), "\(self.words(path))")
    }

    /// Beside a whole CLIP's names, as some of them have these.
    @Test func otherModelsWithNamesOfCLIP() throws {
        for (name, expected) in [
            ("visual.attn_pool.probe", "tensor \"visual.attn_pool.probe\" is [2], but [1, 1, "), ("positional_embedding_res", "a Long-CLIP"),
            ("prompts_generator.norm.weight", "tensor \"mit.positional_embedding\" is missing"), ("visual.conv1_alpha.weight", "an Alpha-CLIP"),
        ] {
            let path = try write { $0.set(name, shape: [2]) }
            #expect(words(path).contains(expected), "\(name)")
        }
    }

    /// `metaclip_2` has CLIP's names: the configuration tells, or the number of tokens.
    @Test func metaCLIP2() throws {
        try FileManager.default.copyItem(atPath: fixturePath("checkpoints/hf-gelu-bf16"), toPath: directory.path("m"))
        let config = directory.path("m/config.json")
        let text = try String(contentsOfFile: config, encoding: .utf8).replacingOccurrences(of: "\"clip\"", with: "\"metaclip_2\"")
        try text.write(toFile: config, atomically: true, encoding: .utf8)
        #expect(message(in: directory) { _ = try Checkpoint(path: self.directory.path("m")) }
            .contains("model_type is \"metaclip_2\"; only \"clip\", \"xclip\" and \"siglip\" are computed here, and this is a MetaCLIP 2."))
        let path = try write { $0.set("token_embedding.weight", shape: [901_629, 1]) }
        #expect(words(path).contains("this is a MetaCLIP 2"))
    }
}
