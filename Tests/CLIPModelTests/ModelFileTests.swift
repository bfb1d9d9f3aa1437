import CLIPModel
import Files
import Tensors
import TestSupport
import Testing
import WeightFiles

/// A safetensors file in parts, to be changed and written again.
struct FileParts {
    var tensors: [String: (shape: [Int], values: [Float])] = [:]
    var metadata: [String: String]

    init(_ path: String) throws {
        let file = try SafetensorsFile(path: path)
        metadata = file.metadata
        for tensor in file.tensors { tensors[tensor.name] = (tensor.shape, try file.floats(named: tensor.name)) }
    }

    func write(to path: String) throws {
        try SafetensorsWriter.write(tensors.map { ($0.key, $0.value.shape, $0.value.values) }, metadata: metadata, to: path)
    }

    mutating func set(_ name: String, shape: [Int], value: Float = 0.5) {
        tensors[name] = (shape, [Float](repeating: value, count: shape.reduce(1, *)))
    }
}

/// Expects an error and returns its words, the temporary directory replaced by `DIR`.
func message(
    in directory: TemporaryDirectory, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) -> String {
    do {
        try body()
        Issue.record("no error", sourceLocation: sourceLocation)
        return ""
    } catch let error as any ReportableError {
        #expect([ExitStatus.badData, .missingInput, .badConfiguration].contains(error.exitStatus), sourceLocation: sourceLocation)
        return error.description.split(separator: directory.path, omittingEmptySubsequences: false).joined(separator: "DIR")
    } catch {
        Issue.record("not for people: \(error)", sourceLocation: sourceLocation)
        return ""
    }
}

private typealias ExitStatus = Files.ExitStatus

/// Backbone files: round trip, and everything that is not a whole CLIP.
@Suite struct BackboneFileTests {
    private static let mini = fixturePath("clip/clip-mini.safetensors")

    @Test func roundTrip() throws {
        let directory = try TemporaryDirectory()
        var original = try Backbone.load(Self.mini)
        #expect(original.description == BackboneDescription(
            name: "clip-mini.safetensors", normalization: .clip, tokenizer: .clipBPE,
            provenance: "OpenAI CLIP, safetensors clip-mini.safetensors"))
        original = Backbone(
            architecture: original.architecture, parameters: original.parameters,
            description: BackboneDescription(name: "mini \u{1B} \"ü\"", normalization: .imageNet, tokenizer: .bytes, provenance: "a test"))
        let path = directory.path("saved.safetensors")
        let digest = try original.save(to: path)
        let loaded = try Backbone.load(path)
        #expect(loaded.architecture == original.architecture)
        #expect(loaded.description == original.description)
        #expect(loaded.digest == original.digest)
        #expect(loaded.parameterCount == original.parameterCount)
        for (first, second) in zip(loaded.parameters.all, original.parameters.all) {
            #expect(first.values.map(\.bitPattern) == second.values.map(\.bitPattern))
        }
        // The same input, the same bytes.
        #expect(try loaded.save(to: directory.path("again.safetensors")) == digest)
        #expect(try Digest.ofFile(path) == digest)
    }

    @Test func halfPrecision() throws {
        let directory = try TemporaryDirectory()
        let original = try Backbone.load(Self.mini)
        let path = directory.path("half.safetensors")
        try original.save(to: path, elementType: .float16)
        let loaded = try Backbone.load(path)
        #expect(loaded.digest == original.roundedToFloat16().digest)
        #expect(loaded.digest != original.digest)
        #expect(try InputFile(path: path).byteCount < InputFile(path: Self.mini).byteCount * 6 / 10)
    }

    /// The digest names weights, not files: names, shapes and values all count.
    @Test func digestSeesEveryValue() throws {
        let original = try Backbone.load(Self.mini)
        let specifications = BackboneParameters<TensorSpecification>(of: original.architecture).all
        #expect(specifications.map(\.count) == original.parameters.all.map(\.count))
        for index in [0, 7, specifications.count - 1] {
            let changed = original.parameters.mutableCopy()
            let matrix = changed.all[index]
            matrix[matrix.rowCount - 1, matrix.columnCount - 1] = matrix[matrix.rowCount - 1, matrix.columnCount - 1].nextUp
            #expect(changed.digest(of: original.architecture) != original.digest, "\(specifications[index].name)")
        }
    }

    @Test func everyTensorIsNeeded() throws {
        let directory = try TemporaryDirectory()
        let parts = try FileParts(Self.mini)
        let path = directory.path("file.safetensors")
        for name in parts.tensors.keys.sorted() {
            var changed = parts
            changed.tensors[name] = nil
            try changed.write(to: path)
            let words = message(in: directory) { _ = try Backbone.load(path) }
            #expect(words.contains("is missing"), "without \(name): \(words)")
        }
    }

    @Test(arguments: [
        ("visual.proj", [64, 32, 1]), ("visual.proj", [32]), ("visual.conv1.weight", [64, 3, 16, 8]), ("visual.conv1.weight", [64, 1, 16, 16]),
        ("visual.conv1.weight", [63, 3, 16, 16]), ("visual.conv1.weight", [0, 3, 16, 16]), ("visual.conv1.weight", [64, 3, 0, 0]),
        ("visual.positional_embedding", [4, 64]), ("visual.positional_embedding", [1, 64]), ("visual.positional_embedding", [0, 64]),
        ("visual.positional_embedding", [5, 63]), ("token_embedding.weight", [300, 65]), ("token_embedding.weight", [0, 64]),
        ("token_embedding.weight", [300, 0]), ("positional_embedding", [77]), ("positional_embedding", [0, 64]), ("ln_final.weight", [63]),
        ("ln_final.bias", []), ("logit_scale", [2]), ("logit_scale", [0]), ("text_projection", [64, 31]),
        ("transformer.resblocks.0.attn.in_proj_weight", [64, 64]), ("transformer.resblocks.0.mlp.c_fc.weight", [64, 256]),
        ("visual.transformer.resblocks.1.attn.in_proj_bias", [1, 192]), ("visual.class_embedding", [64, 0, 1 << 40]),
        ("visual.conv1.weight", [1 << 40, 3, 16, 0]), ("token_embedding.weight", [0, 1 << 40]),
    ])
    func wrongShapes(name: String, shape: [Int]) throws {
        let directory = try TemporaryDirectory()
        var parts = try FileParts(Self.mini)
        parts.set(name, shape: shape)
        try parts.write(to: directory.path("file.safetensors"))
        let words = message(in: directory) { _ = try Backbone.load(directory.path("file.safetensors")) }
        #expect(words.hasPrefix("DIR/file.safetensors: tensor \""), "\(words)")
    }

    /// Names that claim layers that no file holds.
    @Test(arguments: ["-1", "-5", "-9223372036854775808", "9223372036854775807", "99999999999999999999", "999", "1000", "7", "x", "", "+1", "٣"])
    func absurdLayers(layer: String) throws {
        let directory = try TemporaryDirectory()
        for prefix in ["visual.transformer.resblocks.", "transformer.resblocks."] {
            for isOnly in [false, true] {
                var parts = try FileParts(Self.mini)
                if isOnly { parts.tensors = parts.tensors.filter { !$0.key.hasPrefix(prefix) } }
                parts.set(prefix + layer + ".ln_1.weight", shape: [64])
                try parts.write(to: directory.path("file.safetensors"))
                let words = message(in: directory) { _ = try Backbone.load(directory.path("file.safetensors")) }
                #expect(words.contains("is missing") || words.contains("is not expected in this file"), "\(words)")
            }
        }
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity])
    func valuesThatAreNotFinite(value: Float) throws {
        let directory = try TemporaryDirectory()
        for name in ["visual.proj", "logit_scale", "transformer.resblocks.0.mlp.c_fc.bias"] {
            var parts = try FileParts(Self.mini)
            parts.tensors[name]?.values[0] = value
            try parts.write(to: directory.path("file.safetensors"))
            #expect(message(in: directory) { _ = try Backbone.load(directory.path("file.safetensors")) } == """
                DIR/file.safetensors: tensor "\(name)" holds 1 values that are NaN or infinite. Nothing can be computed \
                with it; use a sound file.
                """)
        }
    }

    @Test(arguments: [
        ("vifi_backbone_format", "2", #"metadata "vifi_backbone_format" is "2", but "1" is expected. Write the file again with this program."#),
        ("activation", "relu", #"metadata "activation" is "relu", but "quick_gelu" or "gelu" or "gelu_pytorch_tanh" is expected. Write the file again with this program."#),
        ("vision_heads", "0", #"metadata "vision_heads" is "0", but a whole number from 1 to 1024 is expected. Write the file again with this program."#),
        ("text_heads", "7", #"tensor "token_embedding.weight" gives the tower a width of 64, which is not divisible by 7 heads."#),
        ("normalization", "none\u{1B}[2J",
            #"metadata "normalization" is "none\u{1b}[2J", but "imagenet" or "clip" or "centered" is expected. Write the file again with this program."#),
        ("tokenizer", String(repeating: "t", count: 1_000_000),
            "metadata \"tokenizer\" is \"\(String(repeating: "t", count: 80))…\", but \"clip-bpe\" or \"bytes\" or \"siglip\" or \"siglip2\" is expected. "
                + "Write the file again with this program."),
        ("vifi_prompt_format", "1", "this is a prompt file, but a backbone is needed. Pass it with --prompts instead."),
    ])
    func metadataFromElsewhere(key: String, value: String, words: String) throws {
        let directory = try TemporaryDirectory()
        var parts = try FileParts(Self.mini)
        parts.metadata["vifi_backbone_format"] = "1"
        parts.metadata[key] = value
        try parts.write(to: directory.path("file.safetensors"))
        #expect(message(in: directory) { _ = try Backbone.load(directory.path("file.safetensors")) } == "DIR/file.safetensors: " + words)
    }

    /// As files of before the American spelling have it.
    @Test func formerKeyOfTheNormalizationIsRead() throws {
        let directory = try TemporaryDirectory()
        var parts = try FileParts(Self.mini)
        parts.metadata["vifi_backbone_format"] = "1"
        parts.metadata["normalisation"] = "imagenet"
        try parts.write(to: directory.path("file.safetensors"))
        #expect(try Backbone.load(directory.path("file.safetensors")).description.normalization == .imageNet)
    }

    @Test func wholeMessages() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("file.safetensors")
        func words(_ change: (inout FileParts) -> Void) throws -> String {
            var parts = try FileParts(Self.mini)
            change(&parts)
            try parts.write(to: path)
            return message(in: directory) { _ = try Backbone.load(path) }
        }
        #expect(try words { $0.tensors["visual.ln_pre.weight"] = nil } == """
            DIR/file.safetensors: tensor "visual.ln_pre.weight" is missing. The file holds no whole CLIP with two transformers; \
            `vifi-prompt inspect` lists what it holds.
            """)
        #expect(try words { $0.set("text_projection", shape: [64, 31]) } == """
            DIR/file.safetensors: tensor "text_projection" is [64, 31], but [64, 32] is expected, because "visual.proj" is [64, 32]. \
            The file contradicts itself or belongs to another kind of model.
            """)
        #expect(try words { $0.set("evil\u{1B}[2J", shape: [1]) } == """
            DIR/file.safetensors: tensor "evil\\u{1b}[2J" is not expected in this file. It was made for something else.
            """)
        #expect(message(in: directory) { _ = try Backbone.load(directory.path("absent")) } == "DIR/absent: no such file. Check the path.")
        #expect(message(in: directory) { _ = try Backbone.load(directory.path) } == """
            DIR: holds no model.safetensors, but "file.safetensors". Name one of these files instead.
            """)
    }

    @Test func logitScaleMayBeAVectorOfOne() throws {
        let directory = try TemporaryDirectory()
        var parts = try FileParts(Self.mini)
        parts.tensors["logit_scale"]?.shape = [1]
        try parts.write(to: directory.path("file.safetensors"))
        #expect(try Backbone.load(directory.path("file.safetensors")).digest == Backbone.load(Self.mini).digest)
    }
}

/// Prompt files: round trip, and everything that does not belong to the backbone at hand.
@Suite struct PromptFileTests {
    private let directory: TemporaryDirectory
    private let backbone: Backbone
    private let file: PromptFile
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.path("prompts.safetensors")
        backbone = try Backbone.load(fixturePath("clip/clip-mini.safetensors"))
        let configuration = PromptConfiguration(visionTokens: 3, visionDepth: 2, textTokens: 2, textDepth: 1)
        file = PromptFile(
            prompts: PromptSet(random: configuration, architecture: backbone.architecture, seed: 3).reading,
            header: PromptHeader(
                backbone: backbone, configuration: configuration, classNames: ["wave", "ju\"mp\\\n\u{1B}", "zeichnen ü 漢字 🥁"],
                frameCount: 8, fusion: .decision, shots: 4, seed: .max, recipeDigest: Digest.of("recipe"),
                metrics: ["top1": 0.1 + 0.2, "loss": 1e-300, "count": 12]))
        try file.save(to: path)
    }

    private func words(_ change: (inout FileParts) -> Void) throws -> String {
        var parts = try FileParts(path)
        change(&parts)
        let changed = directory.path("changed.safetensors")
        try parts.write(to: changed)
        return message(in: directory) { _ = try PromptFile.load(changed) }
    }

    @Test func roundTrip() throws {
        let loaded = try PromptFile.load(path)
        #expect(loaded.header == file.header)
        #expect(loaded.prompts.named.map(\.name) == ["vision.0", "vision.1", "text.0"])
        for (first, second) in zip(loaded.prompts.all, file.prompts.all) {
            #expect(first.rowCount == second.rowCount && first.values.map(\.bitPattern) == second.values.map(\.bitPattern))
        }
        try loaded.check(against: backbone)
        let digests = try (0..<3).map { try loaded.save(to: directory.path("copy\($0)")) }
        #expect(Set(digests + [try Digest.ofFile(path)]).count == 1, "the same prompts and header give the same bytes")
    }

    @Test func oneSideOnlyAndNone() throws {
        for configuration in [
            PromptConfiguration(visionTokens: 2, visionDepth: 1, textTokens: 0, textDepth: 0),
            PromptConfiguration(visionTokens: 0, visionDepth: 0, textTokens: 1, textDepth: 1), .none,
        ] {
            var header = file.header
            header.configuration = configuration
            header.shots = nil
            header.classNames = []
            header.metrics = [:]
            let prompts = PromptSet(random: configuration, architecture: backbone.architecture, seed: 3).reading
            try PromptFile(prompts: prompts, header: header).save(to: path)
            let loaded = try PromptFile.load(path)
            #expect(loaded.header == header)
            #expect(loaded.prompts.configuration == configuration)
            try loaded.check(against: backbone)
        }
    }

    /// A loss that went astray must not make the prompts unreadable.
    @Test func metricsThatAreNotFiniteAreLeftOut() throws {
        var changed = file
        changed.header.metrics = ["loss": .nan, "worst": .infinity, "top1": 0.5]
        try changed.save(to: path)
        #expect(try PromptFile.load(path).header.metrics == ["top1": 0.5])
    }

    @Test func tensorsThatTheHeaderDoesNotKnow() throws {
        #expect(try words { $0.tensors["vision.1"] = nil } == """
            DIR/changed.safetensors: prompts "vision.1" are missing, although the metadata names them. The file is \
            incomplete; copy or export it again.
            """)
        #expect(try words { $0.set("vision.2", shape: [3, 64]) }
            == "DIR/changed.safetensors: tensor \"vision.2\" is not expected in this file. It was made for something else.")
        for name in ["vision.-1", "text.1", "evil", "vision.00"] {
            #expect(try words { $0.set(name, shape: [3, 64]) }.contains("is not expected in this file"))
        }
        for shape in [[2, 64], [3], [3, 64, 1], [3, 0], [0, 64], [], [64, 3], [0, 1 << 40]] {
            #expect(try words { $0.set("vision.0", shape: shape) }
                == "DIR/changed.safetensors: tensor \"vision.0\" is \(shape), but [3, width] is expected. "
                + "The file contradicts itself or belongs to another kind of model.")
        }
        for value in [Float.nan, .infinity] {
            #expect(try words { $0.tensors["text.0"]?.values[5] = value }.contains("tensor \"text.0\" holds 1 values that are NaN"))
        }
    }

    @Test(arguments: [
        ("vision_tokens", "-1", #""-1", but a whole number in 0...4096"#),
        ("vision_tokens", "99999999999999999999", #""99999999999999999999", but a whole number in 0...4096"#),
        ("text_tokens", "3.0", #""3.0", but a whole number in 0...4096"#), ("vision_depth", "1001", #""1001", but a whole number in 0...1000"#),
        ("text_depth", "", #""", but a whole number in 0...1000"#), ("frames", "0", #""0", but a whole number in 1...4096"#),
        ("shots", "0", #""0", but a whole number in 1...1000000"#), ("fusion", "late", #""late", but embedding, decision or image"#),
        ("seed", "-1", #""-1", but a whole number"#), ("class_names", "[1]", #""[1]", but a JSON list of names"#),
        ("class_names", "[\"a\"", #""["a"", but a JSON list of names"#), ("metrics", "[]", #""[]", but a JSON object of numbers"#),
        ("metrics", "{\"loss\":\"x\"}", #""{"loss":"x"}", but a JSON object of numbers"#), ("activation", "relu", #""relu", but "quick_gelu" or "gelu" or "gelu_pytorch_tanh""#),
    ])
    func metadataThatMakesNoSense(key: String, value: String, described: String) throws {
        #expect(try words { $0.metadata[key] = value }
            == "DIR/changed.safetensors: metadata \"\(key)\" is \(described) is expected. Write the file again with this program.")
    }

    @Test func formatsOfTomorrow() throws {
        #expect(try words { $0.metadata["vifi_prompt_format"] = "4" }
            == "DIR/changed.safetensors: metadata \"vifi_prompt_format\" is \"4\"; this program reads \"1\" to \"3\". "
                + "A newer vifi-prompt wrote the file; read it with that one.")
        // Format 2 has layers in place of depths.
        #expect(try words { $0.metadata["vifi_prompt_format"] = "2" }.contains("metadata \"vision_layers\" is missing"))
    }

    @Test func metadataThatIsMissing() throws {
        // Without shots all clips were learned from; the template is for people; the first programs wrote neither head
        // counts nor the digest of the weights alone.
        let mayBeMissing: Set = ["shots", "template", "backbone_weights_sha256", "vision_heads", "text_heads"]
        for key in try FileParts(path).metadata.keys.sorted() where !mayBeMissing.contains(key) {
            let expected = key == "vifi_prompt_format"
                ? "this is not a prompt file of vifi-prompt. `vifi-prompt learn` and `vifi-prompt export` write them."
                : "metadata \"\(key)\" is missing, but a value is expected. Write the file again with this program."
            let words = try words { $0.metadata[key] = nil }
            #expect(words == "DIR/changed.safetensors: " + expected, "\(key)")
        }
    }

    /// Depths and counts that no tensor stands behind cost nothing.
    @Test func absurdSizes() throws {
        for (key, value) in [("vision_depth", "1000"), ("text_depth", "1000"), ("vision_tokens", "4096"), ("vision_tokens", "0")] {
            let words = try words { $0.metadata[key] = value }
            #expect(words.contains("missing") || words.contains("expected") || words.contains("is not expected"), "\(words)")
        }
        // JSON as deep as the header allows.
        let deep = String(repeating: "[", count: 100_000)
        #expect(try words { $0.metadata["class_names"] = deep }.contains("a JSON list of names is expected"))
    }

    @Test func aBackboneIsNotAPromptFile() throws {
        let backbonePath = fixturePath("clip/clip-mini.safetensors")
        #expect(throws: ModelError.inFile(path: backbonePath, .notAPromptFile)) { _ = try PromptFile.load(backbonePath) }
        #expect(throws: ModelError.inFile(path: path, .notABackbone)) { _ = try Backbone.load(path) }
    }

    @Test func theBackboneMustBeTheSame() throws {
        let other = try Backbone.load(fixturePath("clip/clip-tiny.safetensors"))
        let words = message(in: directory) { try file.check(against: other) }
        #expect(words == """
            the prompts were learned on backbone clip-mini.safetensors (\(backbone.digest.prefix(12))…), \
            but this one is \(other.digest.prefix(12))…. Use the backbone they belong to (--backbone), or pass --any-backbone \
            to try them on this one.
            """)
        // One weight changed by the smallest step.
        let almost = backbone.parameters.mutableCopy()
        almost.logitScale[0, 0] = almost.logitScale[0, 0].nextUp
        let changed = Backbone(architecture: backbone.architecture, parameters: almost.map(\.reading), description: backbone.description)
        #expect(throws: ModelError.self) { try file.check(against: changed) }
        // Whoever asks for it is warned with both digests.
        let foreign = try #require(try file.check(against: changed, anyBackbone: true))
        #expect(foreign == .digest(expected: backbone.digest, name: "clip-mini.safetensors", actual: changed.digest))
        #expect(foreign.warning == """
            the prompts were learned on backbone clip-mini.safetensors (\(backbone.digest.prefix(12))…), but this one is \
            \(changed.digest.prefix(12))…. They are used as requested, but accuracies may be far from those measured.
            """)
        // clip-tiny is wider.
        #expect(throws: ModelError.promptShape(name: "vision.0", shape: [3, 64], expected: [3, 128])) {
            try file.check(against: other, anyBackbone: true)
        }
    }

    /// The digest fits, the prompts do not: a file made by hand.
    @Test func promptsMustFitTheBackbone() throws {
        var deep = file
        deep.header.configuration = PromptConfiguration(visionTokens: 3, visionDepth: 3, textTokens: 2, textDepth: 1)
        #expect(throws: ModelError.promptDepth(tower: "vision", depth: 3, layerCount: 2)) { try deep.check(against: backbone) }
        let narrow = PromptFile(
            prompts: PromptSet(
                vision: file.prompts.vision, text: [MutableMatrix(rows: 2, columns: 32).reading]), header: file.header)
        #expect(throws: ModelError.promptShape(name: "text.0", shape: [2, 32], expected: [2, 64])) { try narrow.check(against: backbone) }
    }
}
