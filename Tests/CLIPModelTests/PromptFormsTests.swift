import CLIPModel
import Files
import Glibc
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Prompts as prompt file, PEFT folder and ViFi-CLIP checkpoint: the same bits in each.
@Suite struct PromptFormsTests {
    private let directory: TemporaryDirectory
    private let backbone: Backbone
    private let file: PromptFile

    init() throws {
        directory = try TemporaryDirectory()
        backbone = try Backbone.load(fixturePath("clip/clip-mini.safetensors"))
        let configuration = PromptConfiguration(visionTokens: 3, visionDepth: 2, textTokens: 2, textDepth: 1)
        file = PromptFile(
            prompts: PromptSet(random: configuration, architecture: backbone.architecture, seed: 3).reading,
            header: PromptHeader(
                backbone: backbone, configuration: configuration, classNames: ["wave", "ju\"mp\\\n\u{1B}", "zeichnen ü 漢字 🥁"],
                frameCount: 8, fusion: .decision, shots: 4, seed: .max, recipeDigest: Digest.of("recipe"),
                metrics: ["top1": 0.1 + 0.2, "loss": 1e-300, "count": 12]))
    }

    private func expectSame(_ loaded: PromptFile, sourceLocation: SourceLocation = #_sourceLocation) throws {
        #expect(loaded.header == file.header, sourceLocation: sourceLocation)
        #expect(loaded.prompts.named.map(\.name) == file.prompts.named.map(\.name), sourceLocation: sourceLocation)
        for (first, second) in zip(loaded.prompts.all, file.prompts.all) {
            #expect(first.values.map(\.bitPattern) == second.values.map(\.bitPattern), sourceLocation: sourceLocation)
        }
        #expect(try loaded.check(against: backbone) == nil && loaded.notes == [], sourceLocation: sourceLocation)
    }

    // MARK: Round trips

    @Test func everyFormHoldsTheSameBits() throws {
        var current = file
        let original = try file.save(to: directory.path("original.safetensors"))
        let steps: [(PromptFile, String) throws -> Void] = [
            { try PromptAdapter.save($0, to: $1, name: "a") }, { try ReferenceCheckpoint.write($0, backbone: nil, to: $1) },
            { try $0.save(to: $1) }, { [backbone] in try ReferenceCheckpoint.write($0, backbone: backbone, to: $1) },
            { try PromptAdapter.save($0, to: $1, name: "b") },
        ]
        let forms: [PromptFile.Form] = [.adapter, .checkpoint, .safetensors, .checkpoint, .adapter]
        for (index, step) in steps.enumerated() {
            let path = directory.path("step-\(index)")
            try step(current, path)
            current = try PromptFile.load(path)
            #expect(current.form == forms[index])
            try expectSame(current)
        }
        #expect(try current.save(to: directory.path("last.safetensors")) == original)
    }

    @Test func theSamePromptsGiveTheSameBytes() throws {
        for (name, backbone) in [("a", nil), ("b", backbone)] {
            let digest = try ReferenceCheckpoint.write(file, backbone: backbone, to: directory.path(name))
            #expect(try ReferenceCheckpoint.write(file, backbone: backbone, to: directory.path(name + ".pth")) == digest)
        }
        for name in ["c", "d"] { try PromptAdapter.save(file, to: directory.path(name), name: "same") }
        for name in ["adapter_config.json", "adapter_model.safetensors", "README.md"] {
            #expect(try Digest.ofFile(directory.path("c/\(name)")) == Digest.ofFile(directory.path("d/\(name)")))
        }
    }

    @Test func oneSideOnly() throws {
        for configuration in [
            PromptConfiguration(visionTokens: 2, visionDepth: 1, textTokens: 0, textDepth: 0),
            PromptConfiguration(visionTokens: 0, visionDepth: 0, textTokens: 1, textDepth: 1),
        ] {
            var header = file.header
            header.configuration = configuration
            header.shots = nil
            let one = PromptFile(
                prompts: PromptSet(random: configuration, architecture: backbone.architecture, seed: 3).reading, header: header)
            let name = configuration.textDepth > 0 ? "text" : "vision"
            try PromptAdapter.save(one, to: directory.path(name), name: "one")
            #expect(try PromptFile.load(directory.path(name)).header == header)
            if configuration.textDepth > 0 {
                try ReferenceCheckpoint.write(one, backbone: nil, to: directory.path("pth"))
                #expect(try PromptFile.load(directory.path("pth")).prompts.configuration == configuration)
            } else {
                #expect(throws: ModelError.prompts(.noTextPrompts)) {
                    try ReferenceCheckpoint.write(one, backbone: nil, to: directory.path("refused"))
                }
                #expect(!fileExists(directory.path("refused")))
            }
        }
    }

    /// Prompts that follow videos: in their own format, and refused where a form has no names for them.
    @Test func promptsThatFollowVideos() throws {
        let configuration = PromptConfiguration(visionTokens: 0, visionLayers: 0..<0, textTokens: 4, textLayers: 0..<1, metaNetWidth: 32)
        // 4 × 512 words; 512 × 32 and 32 × 512 weights with their biases.
        #expect(configuration.parameterCount(for: .vitB16) == 35_360 && CLIPArchitecture.vitB16.metaNetWidth == 32)
        var header = file.header
        header.configuration = configuration
        header.fusion = .embedding
        let prompts = PromptSet(random: configuration, architecture: backbone.architecture, seed: 3)
        let moving = PromptFile(prompts: prompts.reading, header: header)
        #expect(moving.header.metadata["vifi_prompt_format"] == "3" && moving.header.metadata["meta_net_width"] == "32")
        // Drawn as PyTorch draws linear layers: uniform in ±1/√inputs.
        let net = try #require(prompts.metaNet)
        for (tensor, inputs) in zip(net.all, [backbone.architecture.embeddingWidth, backbone.architecture.embeddingWidth, 32, 32]) {
            let bound = 1 / Float(inputs).squareRoot()
            #expect(tensor.values.allSatisfy { abs($0) <= bound } && tensor.values.contains { abs($0) > bound / 2 })
        }
        try moving.save(to: directory.path("moving.safetensors"))
        try PromptAdapter.save(moving, to: directory.path("moving"), name: "moving")
        for form in ["moving.safetensors", "moving"] {
            let read = try PromptFile.load(directory.path(form))
            #expect(try read.header == header && read.tensorsDigest == moving.tensorsDigest && read.check(against: backbone) == nil)
        }
        #expect(throws: ModelError.prompts(.followsVideos(.reference))) {
            try ReferenceCheckpoint.write(moving, backbone: nil, to: directory.path("refused"))
        }
        #expect(throws: ModelError.prompts(.followsVideos(.fusion(.decision)))) { try moving.aggregator(asked: .decision, frameCount: 8) }
        func words(_ change: (inout FileParts) -> Void) throws -> String {
            var parts = try FileParts(directory.path("moving.safetensors"))
            change(&parts)
            try parts.write(to: directory.path("changed.safetensors"))
            return message(in: directory) { try PromptFile.load(directory.path("changed.safetensors")).check(against: backbone) }
        }
        let text = backbone.architecture.text.width
        for (said, change) in [
            ("prompts \"meta_net.linear1.bias\" are missing", { $0.tensors["meta_net.linear1.bias"] = nil }),
            ("tensor \"meta_net.linear1.bias\" is not expected", { $0.metadata["meta_net_width"] = nil }),
            ("tensor \"meta_net.linear1.weight\" is [32, ", { $0.metadata["meta_net_width"] = "31" }),
            ("\"meta_net_width\" is \"0\", but a whole number in 1...16384 is expected", { $0.metadata["meta_net_width"] = "0" }),
            ("to stand beside text tokens of layer 0 and nothing else", { $0.metadata["text_layers"] = "0-1" }),
            ("tensor \"meta_net.linear2.weight\" is [32, \(text)], but [width, 32] is expected", { $0.tensors["meta_net.linear2.weight"]?.shape = [32, text] }),
            ("tensor \"meta_net.linear2.bias\" holds 1 values that are NaN", { $0.tensors["meta_net.linear2.bias"]?.values[0] = .nan }),
        ] as [(String, (inout FileParts) -> Void)] {
            let words = try words(change)
            #expect(words.contains(said), "\(words)")
        }
    }

    // MARK: PEFT folders

    /// The words of the error after a change to the folder's files.
    private func words(_ change: (String) throws -> Void) throws -> String {
        let folder = directory.path("adapter")
        try PromptAdapter.save(file, to: folder, name: "x", replaces: true)
        try change(folder)
        return message(in: directory) { _ = try PromptFile.load(folder) }
    }

    private func words(replacing text: String, by other: String) throws -> String {
        try words { folder in
            let path = folder.appendingPath("adapter_config.json")
            let old = String(decoding: try InputFile.contents(of: path, limit: 1 << 20), as: UTF8.self)
            #expect(old.contains(text))
            try DurableFile.write(old.replacing(text, with: other), to: path)
        }
    }

    @Test(arguments: [
        (#""peft_type": "VIFI_PROMPT""#, #""peft_type": "LORA\u001b""#,
            #"adapter_config.json: peft_type is "LORA\u{1b}", but only "VIFI_PROMPT" is supported. Other adapters change weights or act elsewhere."#),
        (#""peft_type": "VIFI_PROMPT""#, #""peft_typ": 1"#,
            #"adapter_config.json: peft_type is missing, but only "VIFI_PROMPT" is supported. Other adapters change weights or act elsewhere."#),
        (#""peft_type": "VIFI_PROMPT""#, #""peft_type": ["VIFI_PROMPT"]"#,
            #"adapter_config.json: peft_type is "a list", but only "VIFI_PROMPT" is supported. Other adapters change weights or act elsewhere."#),
        (#""vision_tokens": 3"#, #""vision_tokens": "3""#, #"metadata "vision_tokens" is "a string", but a whole number is expected."#),
        (#""vision_tokens": 3"#, #""vision_tokens": 3.0"#, #"metadata "vision_tokens" is "3.0", but a whole number in 0...4096 is expected."#),
        (#""vision_tokens": 3"#, #""vision_tokens": 2"#, #"tensor "vision.0" is [3, 64], but [2, width] is expected."#),
        (#""vision_depth": 2"#, #""vision_depth": 3"#, #"prompts "vision.2" are missing"#),
        (#""text_depth": 1"#, #""text_depth": 0"#, #"tensor "text.0" is not expected in this file."#),
        (#""seed": 18446744073709551615"#, #""seed": 18446744073709551616"#, #""seed" is "18446744073709551616", but a whole number is expected"#),
        (#""frames": 8"#, #""frames": null"#, #"metadata "frames" is "null", but a whole number is expected."#),
        (#""fusion": "decision""#, #""fusion": "late""#, #"metadata "fusion" is "late", but embedding, decision or image is expected."#),
        (#""normalization": "clip""#, #""normalization": 1"#, #"metadata "normalization" is "a number", but a string is expected."#),
        (#""vifi_prompt_format": 1"#, #""vifi_prompt_format": 4"#, #"metadata "vifi_prompt_format" is "4"; this program reads "1" to "3"."#),
        (#""vifi_prompt_format": 1"#, #""vifi_prompt_format": 2"#, #"metadata "vision_layers" is missing, but a value is expected."#),
        (#""vifi_prompt_format": 1"#, #""other": 1"#, #"metadata "vifi_prompt_format" is missing, but 1 or 2 is expected."#),
        (#""wave""#, #"17"#, #"metadata "class_names" is "["#), (#""shots": 4"#, #""shots": 4, "shots": 4"#, #"the name "shots" occurs twice."#),
        (#""shots": 4"#, #""shots": 04"#, ": expected "), (#""shots": 4"#, #""shots": 4,"#, ": expected "),
        (#""top1": "#, #""top1": true, "x": "#, #"metadata "metrics" is "#),
        (#""prompts_sha256": ""#, #""prompts_sha256": "0"#, "adapter_model.safetensors holds other prompts"),
        (#""prompts_sha256""#, #""prompts_sha255""#, #"metadata "prompts_sha256" is missing, but a SHA-256 is expected."#),
    ])
    func configurationsThatMakeNoSense(text: String, other: String, expected: String) throws {
        let words = try words(replacing: text, by: other)
        #expect(words.hasPrefix("DIR/adapter") && words.contains(expected), "\(words)")
    }

    @Test func whatAddsNothingIsIgnored() throws {
        let folder = directory.path("adapter")
        try PromptAdapter.save(file, to: folder, name: "x")
        let path = folder.appendingPath("adapter_config.json")
        let old = String(decoding: try InputFile.contents(of: path, limit: 1 << 20), as: UTF8.self)
        // Keys of PEFT's own configurations; other files of its folders.
        try DurableFile.write(
            old.replacing(#""seed""#, with: #""auto_mapping": null, "inference_mode": true, "revision": [{}], "seed""#), to: path)
        try DurableFile.write("*.safetensors filter=lfs", to: folder.appendingPath(".gitattributes"))
        try expectSame(try PromptFile.load(folder))
        #expect(!PromptAdapter.isReplaceable(folder))
    }

    @Test func foldersThatAreNotWhole() throws {
        let tensors = "adapter_model.safetensors"
        #expect(try words { try remove($0.appendingPath("adapter_config.json")) } == """
            DIR/adapter: is a folder without adapter_config.json. Prompts are a .safetensors file, a ViFi-CLIP .pth, or a \
            folder that `vifi-prompt export --to peft` wrote.
            """)
        #expect(try words { try remove($0.appendingPath(tensors)) } == "DIR/adapter/\(tensors): no such file. Check the path.")
        let pickled = try words {
            try remove($0.appendingPath(tensors))
            try DurableFile.write("", to: $0.appendingPath("adapter_model.bin"))
        }
        #expect(pickled == "DIR/adapter: holds adapter_model.bin, but no \(tensors). Save the adapter as safetensors.")
        #expect(try words { try DurableFile.write("[]", to: $0.appendingPath("adapter_config.json")) }
            == "DIR/adapter: adapter_config.json holds a list, but an object is needed.")
        for value in [Float.nan, .infinity] {
            let words = try words { folder in
                var parts = try FileParts(folder.appendingPath(tensors))
                parts.tensors["text.0"]?.values[0] = value
                try parts.write(to: folder.appendingPath(tensors))
            }
            #expect(words.contains("tensor \"text.0\" holds 1 values that are NaN or infinite"))
        }
        // The tensors of another adapter.
        let mixed = try words { folder in
            var parts = try FileParts(folder.appendingPath(tensors))
            parts.tensors["text.0"]?.values[0] += 1
            try parts.write(to: folder.appendingPath(tensors))
        }
        #expect(mixed.contains("The folder mixes two adapters; copy it again."))
        // The file of tensors by itself says too little.
        try PromptAdapter.save(file, to: directory.path("adapter"), name: "x", replaces: true)
        #expect(throws: ModelError.inFile(path: directory.path("adapter/\(tensors)"), .prompts(.partOfAdapter))) {
            _ = try PromptFile.load(directory.path("adapter/\(tensors)"))
        }
    }

    /// Markdown in names has no effect on the card.
    @Test func modelCard() throws {
        var changed = file
        changed.header.classNames = ["<script>", "a|b\n# c"]
        try PromptAdapter.save(changed, to: directory.path("adapter"), name: "# *x*")
        let card = String(
            decoding: try InputFile.contents(of: directory.path("adapter/README.md"), limit: 1 << 16), as: UTF8.self)
        #expect(card.contains("\n# \\# \\*x\\*\n") && card.contains("\n- \\<script\\>\n- a\\|b\\\\u{a}\\# c\n"))
        #expect(card.contains("| its digest | \(backbone.digest) |"))
    }

    private func remove(_ path: String) throws { try #require(unlink(path) == 0) }
}

