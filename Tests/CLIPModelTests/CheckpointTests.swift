import CLIPModel
import Files
import Foundation
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Unit embeddings of pictures and of padded token rows, as CLIP's users know them.
func embeddings(
    of backbone: Backbone, pixels: [Float], ids: [Int], count: (pictures: Int, texts: Int)
) -> (image: [Float], text: [Float]) {
    let pool = WorkerPool(threadCount: 2)
    let pass = VisionPass(tower: backbone.vision, prompts: .none, frameCount: count.pictures, keeping: .nothing, pool: pool)
    let frames = MutableMatrix(rows: count.pictures, columns: pixels.count / count.pictures, pixels)
    let image = TextFeatures(pass.forward(clips: [frames.reading], context: nil)[0])
    let sequences = tokenSequences(in: ids, length: ids.count / count.texts)
    let architecture = backbone.architecture
    let layout = TextTowerLayout(sequences: sequences, architecture: architecture)
    let saved = TextActivations(
        layout: layout, architecture: architecture, keeping: .nothing, threadCount: pool.threadCount)
    backbone.text.forward(prompts: [], saved: saved, pool: pool)
    return (image.unit.values, TextFeatures(saved.features).unit.values)
}

/// CLIPs as other libraries save them (Tests/Fixtures/checkpoints, Tests/Fixtures/formats).
@Suite struct CheckpointTests {
    @Test(arguments: [
        ("hf-gelu-sharded", CheckpointLayout.Kind.huggingFace, Activation.gelu, PixelNormalization.imageNet, 4),
        ("hf-gelu-bf16", .huggingFace, .gelu, .clip, 4), ("open_clip-gelu", .openAI, .gelu, .clip, 2),
        ("open_clip-custom", .openCLIPText, .quickGELU, .clip, 2),
    ])
    func tinyFolders(
        name: String, layout: CheckpointLayout.Kind, activation: Activation, normalization: PixelNormalization, heads: Int
    ) throws {
        let expected = try TensorFixture("checkpoints/expected")
        let checkpoint = try Checkpoint(path: fixturePath("checkpoints/\(name)"))
        #expect(checkpoint.layout == layout)
        #expect(checkpoint.architecture.activation == activation)
        #expect(checkpoint.description.normalization == normalization)
        #expect(checkpoint.architecture.vision == .init(width: 32, layerCount: 2, headCount: heads, mlpWidth: 48))
        #expect(checkpoint.architecture.text.headCount == 4)
        #expect(checkpoint.warnings.isEmpty)
        let direct = try checkpoint.backbone()
        let directory = try TemporaryDirectory()
        let report = try checkpoint.write(to: directory.path("written.safetensors"))
        let written = try Backbone.load(directory.path("written.safetensors"))
        #expect(written.digest == direct.digest && report.backboneDigest == direct.digest)
        #expect(written.architecture == direct.architecture)
        #expect(written.warnings.isEmpty)
        for backbone in [direct, written] {
            let own = embeddings(
                of: backbone, pixels: try expected.floats("pixels"), ids: try expected.integers("ids"), count: (2, 3))
            expectClose(own.image, try expected.floats("\(name).image"), tolerance: towerTolerance, "\(name).image")
            expectClose(own.text, try expected.floats("\(name).text"), tolerance: towerTolerance, "\(name).text")
        }
    }

    @Test func huggingFaceWithQuickGELU() throws {
        let expected = try TensorFixture("formats/hf-clip-expected")
        let checkpoint = try Checkpoint(path: fixturePath("formats/hf-clip"))
        #expect(checkpoint.warnings.isEmpty && checkpoint.architecture.activation == .quickGELU)
        let backbone = try checkpoint.backbone()
        let own = embeddings(of: backbone, pixels: try expected.floats("pixels"), ids: try expected.integers("ids"), count: (6, 5))
        expectClose(own.image, try expected.floats("image_embeds"), tolerance: towerTolerance, "image_embeds")
        expectClose(own.text, try expected.floats("text_embeds"), tolerance: towerTolerance, "text_embeds")
        var logits: [Float] = []
        for picture in 0..<6 {
            for text in 0..<5 {
                var cosine: Float = 0
                for index in 0..<48 { cosine += own.image[picture * 48 + index] * own.text[text * 48 + index] }
                logits.append(backbone.logitScale * cosine)
            }
        }
        expectClose(logits, try expected.floats("logits_per_image"), tolerance: towerTolerance, "logits_per_image")
    }

    /// The gradient of a whole CLIP with exact GELU, heads of 8 and a narrow MLP, against central differences.
    @Test func gradientWithGELUAndNarrowHeads() throws {
        let backbone = try Backbone.load(fixturePath("checkpoints/hf-gelu-sharded"))
        let expected = try TensorFixture("checkpoints/expected")
        let pixels = try expected.floats("pixels")
        let clips = [MutableMatrix(rows: 2, columns: pixels.count / 2, pixels).reading]
        let sequences = [[98, 5, 7, 99], [98, 30, 31, 32, 99], [98, 60, 99]]
        func stepped(_ parameters: BackboneParameters<MutableMatrix>) -> (loss: Double, gradients: BackboneParameters<MutableMatrix>) {
            let learner = weightLearner(
                parameters, of: backbone, sequences: sequences, frameCount: 2, pool: WorkerPool(threadCount: 1))
            var result = StepResult()
            learner.begin()
            learner.add(clips: clips, targets: [[0.2, 0.7, 0.1]], weight: 1, to: &result)
            learner.finish()
            return (result.lossSum, learner.gradients)
        }
        let gradients = stepped(backbone.parameters.mutableCopy()).gradients
        for (index, name) in [(0, "patches"), (10, "vision attention"), (15, "vision MLP")] {
            let gradient = gradients.all[index].values
            let length = gradient.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
            #expect(length > 1e-3, "\(name) learns")
            // Along the gradient itself the slope is its length.
            let step = 1e-2
            let slopes = [1.0, -1.0].map { sign in
                let moved = backbone.parameters.mutableCopy()
                moved.all[index].fill(with: zip(moved.all[index].values, gradient).map { $0 + Float(sign * step * Double($1) / length) })
                return stepped(moved).loss
            }
            #expect(abs((slopes[0] - slopes[1]) / (2 * step) - length) <= 0.02 * length, "\(name): \(slopes), \(length)")
        }
    }

    // MARK: PyTorch's formats

    /// Shapes and SHA-256 of the values by our names, as PyTorch had them.
    private func digests(_ set: String) throws -> [String: String] {
        let data = try Data(contentsOf: URL(fileURLWithPath: fixturePath("formats/digests.json")))
        let root = try #require(try JSONSerialization.jsonObject(with: data) as? [String: [String: [Any]]])
        return try #require(root[set]).mapValues { entry in "\(entry.first as? [Int] ?? []) \(entry.last as? String ?? "")" }
    }

    @Test(arguments: [
        ("openai-style.pt", "openai-style", CheckpointLayout.Kind.openAI, WeightFormat.torchScript, PixelNormalization.clip, 0),
        ("state-dict.pt", "clip-mini", .openAI, .pyTorch, .clip, 0), ("open_clip-style.pt", "clip-mini", .openAI, .pyTorch, .clip, 0),
        ("vifi-bridge-style.pth", "clip-mini", .vifi, .pyTorch, .imageNet, 0),
        ("vifi-prompt-style.pth", "clip-mini", .vifi, .pyTorch, .imageNet, 3),
    ])
    func pyTorchFormats(
        file: String, set: String, layout: CheckpointLayout.Kind, format: WeightFormat, normalization: PixelNormalization, prompts: Int
    ) throws {
        let path = fixturePath("formats/\(file)")
        var options = CheckpointOptions()
        if layout == .vifi {
            #expect(throws: ModelError.inFile(path: path, .noTokenTable)) { _ = try Checkpoint(path: path) }
            options.tokens = try Checkpoint(path: fixturePath("formats/state-dict.pt"))
        }
        let checkpoint = try Checkpoint(path: path, options: options)
        #expect(checkpoint.layout == layout && checkpoint.source.format == format)
        #expect(checkpoint.description.normalization == normalization)
        #expect(checkpoint.architecture.activation == .quickGELU)
        #expect(checkpoint.warnings.contains(.guessedActivation) == (format == .pyTorch && layout == .openAI))
        #expect(checkpoint.promptNames.count == prompts, "\(checkpoint.promptNames)")
        let directory = try TemporaryDirectory()
        let report = try checkpoint.write(to: directory.path("written.safetensors"))
        #expect(report.backboneDigest == (try checkpoint.backbone().digest))
        let written = try SafetensorsFile(path: directory.path("written.safetensors"))
        var found: [String: String] = [:]
        for tensor in written.tensors {
            var digest = Digest()
            let values = try written.floats(named: tensor.name)
            values.withUnsafeBytes { digest.update($0) }
            found[tensor.name] = "\(tensor.shape) \(digest.hexadecimal)"
        }
        let expected = try digests(set)
        for (name, value) in found { #expect(value == expected[name], "\(name)") }
        #expect(found.count == BackboneParameters<TensorSpecification>(of: checkpoint.architecture).all.count)
    }

    // MARK: What nobody said

    @Test func guesses() throws {
        let directory = try TemporaryDirectory()
        let bare = try Checkpoint(path: fixturePath("clip/clip-mini.safetensors"))
        #expect(bare.warnings == [.guessedActivation])
        #expect(bare.architecture.activation == .quickGELU)
        let told = try Checkpoint(path: fixturePath("clip/clip-mini.safetensors"), options: CheckpointOptions(activation: .gelu))
        #expect(told.warnings.isEmpty && told.architecture.activation == .gelu)
        // The choice is recorded.
        _ = try told.write(to: directory.path("told.safetensors"))
        #expect(try Backbone.load(directory.path("told.safetensors")).architecture.activation == .gelu)
        let over = try Checkpoint(path: fixturePath("formats/hf-clip"), options: CheckpointOptions(activation: .gelu))
        #expect(over.warnings == [.otherActivation(said: .quickGELU, used: .gelu)])
    }

    /// Heads of 64 do not fit open_clip's ViT-H, g and bigG.
    @Test(arguments: [(1280, 16), (768, 12), (1024, 16), (1408, 16), (1664, 16), (512, 8)])
    func guessedHeads(width: Int, heads: Int) throws {
        let directory = try TemporaryDirectory()
        var parts = try FileParts(fixturePath("clip/clip-mini.safetensors"))
        for (name, tensor) in parts.tensors where name.hasPrefix("visual.") {
            parts.set(name, shape: tensor.shape.map { [64: width, 192: 3 * width, 256: 32][$0] ?? $0 })
        }
        try parts.write(to: directory.path("wide.safetensors"))
        let checkpoint = try Checkpoint(path: directory.path("wide.safetensors"))
        #expect(checkpoint.architecture.vision.headCount == heads)
        #expect(checkpoint.warnings.contains(.guessedHeads(tower: "image", width: width, headCount: heads)) == (width / heads != 64))
    }

    // MARK: Names

    /// The same weights under the prefixes that people's training scripts leave.
    @Test(arguments: ["module.", "state_dict.", "model.", "state_dict.module.", "model_state_dict.model.0."])
    func prefixes(prefix: String) throws {
        let directory = try TemporaryDirectory()
        var parts = try FileParts(fixturePath("clip/clip-mini.safetensors"))
        parts.tensors = Dictionary(uniqueKeysWithValues: parts.tensors.map { (prefix + $0.key, $0.value) })
        parts.set("optimizer.state.0.exp_avg", shape: [3])
        parts.set("optimizer.state.1.exp_avg", shape: [3])
        try parts.write(to: directory.path("prefixed.safetensors"))
        let checkpoint = try Checkpoint(path: directory.path("prefixed.safetensors"))
        #expect(try checkpoint.backbone().digest == Backbone.load(fixturePath("clip/clip-mini.safetensors")).digest)
        #expect(checkpoint.ignored.map(\.what) == ["optimizer"])
        #expect(checkpoint.ignored.map(\.names) == [["optimizer.state.0.exp_avg", "optimizer.state.1.exp_avg"]])
    }

    @Test func projectionAsALinearLayer() throws {
        let directory = try TemporaryDirectory()
        var parts = try FileParts(fixturePath("clip/clip-mini.safetensors"))
        let projection = try #require(parts.tensors["text_projection"])
        parts.tensors["text_projection"] = nil
        let (rows, columns) = (projection.shape[0], projection.shape[1])
        parts.tensors["text_projection.weight"] = (
            [columns, rows], (0..<columns).flatMap { column in (0..<rows).map { projection.values[$0 * columns + column] } }
        )
        try parts.write(to: directory.path("linear.safetensors"))
        let path = directory.path("linear.safetensors")
        #expect(try Backbone.load(path).digest == Backbone.load(fixturePath("clip/clip-mini.safetensors")).digest)
        parts.tensors["text_projection"] = projection
        try parts.write(to: path)
        #expect(message(in: directory) { _ = try Checkpoint(path: path) }.contains("is not expected in this file"))
    }

    @Test(arguments: [
        ("visual.layer1.0.conv1.weight", "a CLIP with a ResNet image tower"), ("visual.trunk.stages.0.x.weight", "ConvNeXt"),
        ("visual.trunk.blocks.0.attn.qkv.weight", "timm"), ("module.visual.blocks.0.attn.q_proj.weight", "EVA-CLIP"),
        ("visual.attn_pool.query", "CoCa"), ("text.transformer.embeddings.word_embeddings.weight", "text tower of Hugging Face"),
        ("vision_model.head.attention.in_proj_weight", "SigLIP"), ("text_decoder.bert.x", "captioning model"),
        ("encoder.block.0.layer.0.SelfAttention.q.weight", "a T5"), ("embeddings.cls_token", "without a text tower"),
        ("blocks.0.attn.qkv.weight", "without a text tower"), ("vision_model.embeddings.class_embedding", "without its text tower"),
        ("embeddings.class_embedding", "without its text tower"), ("head.probe", "the image tower of a SigLIP"),
        ("text_model.embeddings.token_embedding.weight", "without its image tower"), ("embeddings.word_embeddings.weight", "a BERT"),
        ("layer4.0.conv1.weight", "a ResNet"), ("weight", "this is not a CLIP"),
    ])
    func otherModels(name: String, words: String) throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("other.safetensors")
        try SafetensorsWriter.write([(name, [2], [1, 2]), ("logit_scale", [], [1])], to: path)
        #expect(message(in: directory) { _ = try Checkpoint(path: path) }.contains(words))
    }

    /// T5: a program of TorchScript without CLIP's towers.
    @Test func archivesOfOtherPrograms() throws {
        typealias P = PickleBytes
        let directory = try TemporaryDirectory()
        let program = P.global("__torch__", "Net") + P.emptyTuple + P.newObject
            + P.dictionary([("weight", P.tensor("0", count: 2)), ("training", P.no)]) + P.build
        let path = try directory.write(ZipBytes.torch(program, [bytes([1, 2])], script: true).bytes, to: "net.pt")
        #expect(message(in: directory) { _ = try Checkpoint(path: path) }.hasPrefix("DIR/net.pt: this is not a CLIP model: "))
    }

    @Test func severalModels() throws {
        let directory = try TemporaryDirectory()
        var parts = try FileParts(fixturePath("clip/clip-mini.safetensors"))
        for (name, tensor) in parts.tensors { parts.tensors["ema." + name] = tensor }
        try parts.write(to: directory.path("two.safetensors"))
        #expect(message(in: directory) { _ = try Checkpoint(path: directory.path("two.safetensors")) } == """
            DIR/two.safetensors: the file holds several CLIP models: their tensor names start with "" and "ema.". Choose one: `vifi-prompt bridge --import FILE --prefix 'ema.'`.
            """)
    }

    /// T6: the projection contradicts the convolution.
    @Test func contradictions() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("wrong.safetensors")
        func words(_ change: (inout FileParts) -> Void) throws -> String {
            var parts = try FileParts(fixturePath("formats/hf-clip/model.safetensors"))
            change(&parts)
            try parts.write(to: path)
            return message(in: directory) { _ = try Checkpoint(path: path) }
        }
        #expect(try words { $0.set("visual_projection.weight", shape: [48, 64]) }.contains(
            "tensor \"visual_projection.weight\" is [64, 48], but [128, 48] is expected, because "
                + "\"vision_model.embeddings.patch_embedding.weight\" is [128, 3, 16, 16]"))
        #expect(try words { $0.set("vision_model.encoder.layers.1.self_attn.k_proj.weight", shape: [128, 64]) }.contains(
            "tensor \"vision_model.encoder.layers.1.self_attn.k_proj.weight\" is [128, 64], but [128, 128] is expected"))
        #expect(try words { $0.tensors["text_model.encoder.layers.0.self_attn.v_proj.bias"] = nil }.contains(
            "tensor \"text_model.encoder.layers.0.self_attn.v_proj.bias\" is missing"))
        #expect(try words { $0.tensors["vision_model.pre_layrnorm.bias"] = nil }.contains(
            "tensor \"vision_model.pre_layrnorm.bias\" is missing"))
        #expect(try words { $0.set("text_model.encoder.layers.0.lora_A.weight", shape: [4, 64]) }.contains("is not expected in this file"))
    }

    @Test func theSourceIsNotChangedByTypes() throws {
        let directory = try TemporaryDirectory()
        let checkpoint = try Checkpoint(path: fixturePath("checkpoints/hf-gelu-bf16"))
        _ = try checkpoint.write(to: directory.path("kept.safetensors"))
        _ = try checkpoint.write(to: directory.path("half.safetensors"), isFloat16: true)
        let types = try ["kept", "half"].map { try Set(SafetensorsFile(path: directory.path("\($0).safetensors")).tensors.map(\.elementType)) }
        #expect(types == [[.bfloat16], [.float16]])
        #expect(try Backbone.load(directory.path("kept.safetensors")).digest == checkpoint.backbone().digest)
    }

    /// P22: imported with a warning, refused by everything that computes.
    @Test func valuesThatAreNotFinite() throws {
        let directory = try TemporaryDirectory()
        var parts = try FileParts(fixturePath("clip/clip-mini.safetensors"))
        parts.tensors["visual.proj"]?.values[3] = .nan
        try parts.write(to: directory.path("nan.safetensors"))
        let checkpoint = try Checkpoint(path: directory.path("nan.safetensors"))
        let report = try checkpoint.write(to: directory.path("written.safetensors"))
        #expect(report.nonFinite.map(\.name) == ["visual.proj"] && report.nonFinite.map(\.count) == [1])
        #expect(throws: ModelError.self) { _ = try Backbone.load(directory.path("written.safetensors")) }
    }
}

/// CLIPs of full size, from `$VIFI_PROMPT_FULL_CHECKPOINTS`: each `NAME-expected.safetensors` there holds `pixels`,
/// `ids` and the unit embeddings `image` and `text` that PyTorch computes with `NAME`, a file or folder.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["VIFI_PROMPT_FULL_CHECKPOINTS"] != nil))
struct FullCheckpointTests {
    @Test func asInPyTorch() throws {
        let folder = try #require(ProcessInfo.processInfo.environment["VIFI_PROMPT_FULL_CHECKPOINTS"])
        let names = try directoryEntries(folder)
        for expectation in names where expectation.hasSuffix("-expected.safetensors") {
            let name = String(expectation.dropLast("-expected.safetensors".count))
            let expected = try SafetensorsFile(path: folder.appendingPath(expectation))
            let ids = try expected.integers(named: "ids")
            for source in names where source == name || (source.hasPrefix(name + ".") && source != expectation) {
                // open_clip's default is the exact GELU.
                let checkpoint = try Checkpoint(path: folder.appendingPath(source), options: CheckpointOptions(likelyActivation: .gelu))
                let own = embeddings(of: try checkpoint.backbone(), pixels: try expected.floats(named: "pixels"), ids: ids, count: (1, 1))
                expectClose(own.image, try expected.floats(named: "image"), tolerance: towerTolerance, "\(source): image")
                expectClose(own.text, try expected.floats(named: "text"), tolerance: towerTolerance, "\(source): text")
            }
        }
    }
}

/// Configurations of Hugging Face and open_clip against tensors and against what is computed here.
@Suite struct CheckpointConfigurationTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// A copy of a fixture folder whose JSON file `file` has one key changed.
    private func words(_ folder: String, _ file: String, _ key: String, _ value: Any?) throws -> String {
        let target = directory.path("model")
        try? FileManager.default.removeItem(atPath: target)
        try FileManager.default.copyItem(atPath: fixturePath(folder), toPath: target)
        let path = target.appendingPath(file)
        var root = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path))) as? [String: Any])
        func set(_ object: [String: Any], _ keys: ArraySlice<Substring>) -> [String: Any] {
            guard let key = keys.first.map(String.init) else { return object }
            var object = object
            object[key] = keys.count == 1 ? value : set(object[key] as? [String: Any] ?? [:], keys.dropFirst())
            return object
        }
        root = set(root, key.split(separator: ".")[...])
        try JSONSerialization.data(withJSONObject: root).write(to: URL(fileURLWithPath: path))
        do {
            _ = try Checkpoint(path: target)
            return "loaded"
        } catch let error as any ReportableError {
            #expect(error.exitStatus == .badData)
            return error.description
        }
    }

    /// H4, H5.
    @Test(arguments: [
        ("vision_config.hidden_size", 1_000_000_000_000 as Any & Sendable, "a whole number from 1 to 1000000 is needed"),
        ("vision_config.hidden_size", 0, "vision_config.hidden_size is 0; a whole number"),
        ("text_config.hidden_size", -1, "text_config.hidden_size is -1; a whole number"),
        ("text_config.hidden_size", 1.5, "text_config.hidden_size is 1.5; a whole number"),
        ("text_config.hidden_size", "32", "text_config.hidden_size is \"32\"; a whole number"),
        ("vision_config.hidden_size", 64, "config.json: vision_config.hidden_size is 64; the tensors say 32."),
        ("vision_config.num_hidden_layers", 3, "vision_config.num_hidden_layers is 3; the tensors say 2."),
        ("vision_config.intermediate_size", 128, "vision_config.intermediate_size is 128; the tensors say 48."),
        ("vision_config.image_size", 224, "vision_config.image_size is 224; the tensors say 16."),
        ("text_config.vocab_size", 99, "eos_token_id is 99; CLIP's end token is the last of its 99 tokens"),
        ("text_config.max_position_embeddings", 77, "the tensors say 12"),
        ("projection_dim", 512, "config.json: projection_dim is 512; the tensors say 24."),
        ("vision_config.num_attention_heads", 5, "gives the tower a width of 32, which is not divisible by 5 heads"),
        ("text_config.hidden_act", "gelu_new", "text_config.hidden_act is \"gelu_new\"; \"quick_gelu\" and \"gelu\" and \"gelu_pytorch_tanh\" are computed here"),
        ("text_config.hidden_act", "quick_gelu", "the image tower's is \"gelu\""),
        ("vision_config.layer_norm_eps", 1e-6, "layer_norm_eps is 1e-06; layer norms have 1e-05 here"),
        ("model_type", "siglip2", "model_type is \"siglip2\"; only \"clip\", \"xclip\" and \"siglip\" are computed here"),
        ("text_config.eos_token_id", 50, "eos_token_id is 50; CLIP's end token is the last of its 100 tokens"),
        ("text_config.eos_token_id", 2, "loaded"), ("text_config_dict.hidden_size", 48, "hidden_size is 48; the tensors say 32"),
    ])
    func huggingFace(key: String, value: Any & Sendable, expected: String) throws {
        let words = try words("checkpoints/hf-gelu-bf16", "config.json", key, value)
        #expect(words.contains(expected), "\(key): \(words)")
    }

    @Test(arguments: [
        ("image_mean", [0.4, 0.5, 0.5] as Any & Sendable, "only the constants of CLIP and of ImageNet, and 0.5 throughout, are computed here"),
        ("image_std", [0.229], "only the constants"), ("do_normalize", false, "pixels are always normalized here"),
    ])
    func preprocessor(key: String, value: Any & Sendable, expected: String) throws {
        let words = try words("checkpoints/hf-gelu-sharded", "preprocessor_config.json", key, value)
        #expect(words.contains(expected), "\(key): \(words)")
    }

    @Test(arguments: [
        ("model_cfg.vision_cfg.head_width", 5 as Any & Sendable, "head_width is 5; it does not divide the width of 32"),
        ("model_cfg.vision_cfg.pool_type", "avg", "only \"tok\" is computed here"),
        ("model_cfg.vision_cfg.attentional_pool", true, "attentional pooling is not computed here"),
        ("model_cfg.vision_cfg.timm_model_name", "vit_x", "an image tower of timm is not computed here"),
        ("model_cfg.text_cfg.no_causal_mask", true, "without a causal mask"),
        ("model_cfg.text_cfg.hf_model_name", "roberta-base", "a text tower of Hugging Face"),
        ("model_cfg.text_cfg.norm_kwargs.eps", 1e-6, "layer norms have 1e-05 here"),
        ("model_cfg.vision_cfg.act_kwargs.approximate", "tanh", "only the exact GELU and QuickGELU"),
        ("model_cfg.embed_dim", 25, "model_cfg.embed_dim is 25; the tensors say 24."),
        ("preprocess_cfg.mean", [0, 0, 0], "only the constants of CLIP and of ImageNet"),
        ("model_cfg.vision_cfg.attentional_pool", false, "loaded"),
    ])
    func openCLIP(key: String, value: Any & Sendable, expected: String) throws {
        let words = try words("checkpoints/open_clip-gelu", "open_clip_config.json", key, value)
        #expect(words.contains(expected), "\(key): \(words)")
    }

    @Test func filesThatAreNoJSON() throws {
        let damaged = "The file is damaged; download it again."
        for (text, words) in [
            ("", "byte 0: expected a value. \(damaged)"), ("{", "byte 1: expected '\"'. \(damaged)"),
            ("[1]", "is not a JSON object. Download it again."), ("null", "is not a JSON object. Download it again."),
            (String(repeating: "[", count: 100_000), "byte 16: expected a value that is not nested so deeply. \(damaged)"),
            ("{\"model_type\": \"clip\"} x", "byte 23: expected its end. \(damaged)"),
        ] {
            let target = directory.path("model")
            try? FileManager.default.removeItem(atPath: target)
            try FileManager.default.copyItem(atPath: fixturePath("checkpoints/hf-gelu-bf16"), toPath: target)
            try DurableFile.write(Array(text.utf8), to: target.appendingPath("config.json"))
            #expect(message(in: directory) { _ = try Checkpoint(path: target) }.hasSuffix("model/config.json: \(words)"))
        }
    }
}
