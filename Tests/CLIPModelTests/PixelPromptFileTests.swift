import CLIPModel
import Files
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Prompts in pixels as files: of ours, of their authors, and where no file has room for them.
@Suite struct PixelPromptFileTests {
    private let directory: TemporaryDirectory
    private let backbone: Backbone

    init() throws {
        directory = try TemporaryDirectory()
        backbone = try Backbone.load(fixturePath("clip/clip-tiny.safetensors"))
    }

    private func file(_ area: PixelArea) -> PromptFile {
        let configuration = PromptConfiguration(visionTokens: 0, visionLayers: 0..<0, textTokens: 0, textLayers: 0..<0, pixels: area)
        var header = PromptHeader(
            backbone: backbone, configuration: configuration, classNames: ["a", "b"], frameCount: 3, fusion: .embedding,
            template: PixelArea.authorsTemplate, shots: 2, seed: 1, recipeDigest: "0")
        header.method = "pixel"
        return PromptFile(prompts: PromptSet(random: configuration, architecture: backbone.architecture, seed: 5).reading, header: header)
    }

    /// What eight steps of the authors' code left behind, with what such a file does not say.
    @Test func theirCheckpointIsRead() throws {
        let file = try PromptFile.load(fixturePath("prompting/pixel.pth.tar"))
        let area = PixelArea(.padding, width: 8, side: 64)
        #expect(file.form == .visualPrompting && file.header.method == "pixel" && file.header.configuration.pixels == area)
        #expect(file.header.template == "This is a photo of a {}" && file.header.normalization == .clip && !file.header.namesBackbone)
        #expect(file.notes.contains { $0.contains("16 frames of a video, CLIP's normalization and \"This is a photo of a {}\" are assumed") })
        let expected = try TensorFixture("prompting/pixel")
        let pixels = try #require(file.prompts.pixels)
        for (name, tensor) in zip(area.names, pixels.tensors) {
            #expect(try tensor.values == expected.floats("padding.train.final.\(name)"), "\(name)")
        }
        // Pixels alone cannot be checked, but fit; those of frames of another size do not.
        #expect(try file.check(against: backbone, anyBackbone: true) == .unnamed(actual: backbone.digest))
        let mini = try Backbone.load(fixturePath("clip/clip-mini.safetensors"))
        #expect(mini.architecture.imagePixels != 64)
        #expect(throws: ModelError.prompts(.pixelsOfOtherSide(prompts: 64, backbone: mini.architecture.imagePixels))) {
            try file.check(against: mini, anyBackbone: true)
        }
    }

    private func write(_ tensors: [(String, [Int])]) throws -> String {
        let path = directory.path("theirs.pth.tar")
        let state = tensors.map { name, shape in
            (key: name, value: PyTorchValue.tensor(shape: shape, values: { (0..<shape.reduce(1, *)).map(Float.init) }))
        }
        try PyTorchWriter.write(.dictionary([("epoch", .integer(3)), ("state_dict", .ordered(state))]), to: path)
        return path
    }

    /// A patch, whose place and frames it does not tell.
    @Test func aPatchIsTakenToStandAtTheTopLeft() throws {
        let file = try PromptFile.load(try write([("patch", [1, 3, 30, 30])]))
        #expect(file.header.configuration.pixels == PixelArea(.fixedPatch, width: 30, side: 224))
        #expect(file.notes.contains { $0.contains("taken to stand at the top left of frames of 224 × 224") })
        #expect(file.prompts.pixels?.tensors[0][30, 2] == 902)
    }

    @Test(arguments: [
        (["pad_up": [1, 3, 8, 64]], "prompts \"state_dict.pad_down\" are missing"),
        (["pad_up": [3, 8, 64]], "tensor \"state_dict.pad_up\" is [3, 8, 64], but [1, 3, rows, columns] is expected"),
        (["pad_up": [1, 3, 32, 64]], "tensor \"state_dict.pad_up\" is [1, 3, 32, 64], but 1 to 31 pixels of 64 is expected"),
        (["pad_up": [1, 3, 8, 64], "pad_down": [1, 3, 8, 64], "pad_left": [1, 3, 64, 8]], "tensor \"state_dict.pad_left\" is [1, 3, 64, 8]"),
        (["patch": [1, 3, 8, 9]], "tensor \"state_dict.patch\" is [1, 3, 8, 9]"), (["patch": [1, 3, 300, 300]], "but 1 to 224 pixels of 224 is expected"),
    ] as [([String: [Int]], String)])
    func nonsenseOfTheirsIsRefused(_ tensors: [String: [Int]], said: String) throws {
        let path = try write(tensors.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        #expect { try PromptFile.load(path) } throws: { "\($0)".contains(said) && "\($0)".contains("theirs.pth.tar") }
    }

    /// As a file and as a folder for PEFT, to the bit.
    @Test(arguments: PixelArea.Form.allCases)
    func filesHoldThem(_ form: PixelArea.Form) throws {
        let file = file(PixelArea(form, width: 7, side: 64))
        #expect(file.header.metadata["vifi_prompt_format"] == "3" && file.header.metadata["pixel_form"] == form.rawValue)
        let digest = try file.save(to: directory.path("a.safetensors"))
        try PromptAdapter.save(file, to: directory.path("folder"), name: "pixels")
        for path in ["a.safetensors", "folder"] {
            let read = try PromptFile.load(directory.path(path))
            #expect(try read.header == file.header && read.tensorsDigest == file.tensorsDigest && read.check(against: backbone) == nil)
            #expect(try read.save(to: directory.path("again.safetensors")) == digest)
        }
        let card = String(decoding: try InputFile.contents(of: directory.path("folder/README.md"), limit: 1 << 20), as: UTF8.self)
        #expect(card.contains("| vision prompts | a \(form == .padding ? "border of 7 pixels" : "patch of 7 × 7 pixels")"), "\(card)")
        #expect(throws: ModelError.prompts(.pixelsBeyondReference)) { try ReferenceCheckpoint.write(file, backbone: nil, to: directory.path("no")) }
        #expect(throws: ModelError.prompts(.notDassl)) { try DasslCheckpoint.trainer(for: file) }
        #expect(throws: ModelError.prompts(.notEfficientPrompt)) { try EfficientPromptCheckpoint.write(file, backbone: nil, to: directory.path("no")) }
        #expect(throws: ModelError.prompts(.notActionCLIP)) { try ActionCLIPCheckpoint.write(file, backbone: backbone, to: directory.path("no")) }
        #expect(!fileExists(directory.path("no")))
    }

    @Test func damagedFilesAreRefused() throws {
        let file = file(PixelArea(.padding, width: 7, side: 64))
        try file.save(to: directory.path("a.safetensors"))
        for (said, change) in [
            ("prompts \"pixels.pad_left\" are missing", { $0.tensors["pixels.pad_left"] = nil }),
            ("tensor \"pixels.patch\" is not expected", { $0.tensors["pixels.patch"] = $0.tensors["pixels.pad_up"] }),
            ("tensor \"pixels.pad_down\" is not expected", { $0.metadata["pixel_form"] = nil }),
            ("\"pixel_form\" is \"round\", but padding, fixed-patch, random-patch is expected", { $0.metadata["pixel_form"] = "round" }),
            ("\"pixel_width\" is \"32\", but a whole number in 1...31 is expected", { $0.metadata["pixel_width"] = "32" }),
            ("\"pixel_side\" is missing", { $0.metadata["pixel_side"] = nil }),
            ("tensor \"pixels.pad_up\" is [21, 64], but [24, 64] is expected", { $0.metadata["pixel_width"] = "8" }),
            ("to stand beside no tokens and no words", { ($0.metadata["text_tokens"], $0.metadata["text_layers"]) = ("1", "0") }),
            ("tensor \"pixels.pad_up\" holds 1 values that are NaN", { $0.tensors["pixels.pad_up"]?.values[0] = .nan }),
        ] as [(String, (inout FileParts) -> Void)] {
            var parts = try FileParts(directory.path("a.safetensors"))
            change(&parts)
            try parts.write(to: directory.path("changed.safetensors"))
            let words = message(in: directory) { _ = try PromptFile.load(directory.path("changed.safetensors")) }
            #expect(words.contains(said), "\(words)")
        }
    }
}
