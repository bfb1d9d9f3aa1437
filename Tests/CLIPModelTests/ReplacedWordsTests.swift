import CLIPModel
import Files
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Checkpoints of ViFi-CLIP with one to three text tokens, which keep the rest of their first words
/// (`scripts/make_words.py`, a copy in structure of the reference in PyTorch).
@Suite struct ReplacedWordsTests {
    private static let names = ["waving", "clapping hands", "jumping", "sitting down", "turning around"]
    private let backbone: Backbone
    private let directory: TemporaryDirectory

    init() throws {
        backbone = try Backbone.load(fixturePath("clip/clip-tiny.safetensors"))
        directory = try TemporaryDirectory()
    }

    private func features(_ file: PromptFile) throws -> [Float] {
        let sequences = try backbone.sequences(
            of: Self.names, prompts: file.header.configuration, template: file.header.template, tokenizer: ByteTokenizer())
        return CLIPClassifier(
            backbone: backbone, prompts: file.prompts, sequences: sequences, frameCount: 1, pool: WorkerPool(threadCount: 2)
        ).text.unit.values
    }

    @Test(arguments: 1...3)
    func asTheReferenceReadsThem(count: Int) throws {
        let expected = try TensorFixture("clip/replaced-words").floats("features.\(count)")
        let file = try PromptFile.load(fixturePath("formats/vifi-words-\(count).pth"))
        #expect(file.header.configuration.textTokens == count && file.header.configuration.replacedWords == "a photo of a")
        expectClose(try features(file), expected, tolerance: towerTolerance, "\(count) tokens")
        #expect(file.header.configuration.replacedWordsNote?.contains("\"\(["photo of a", "of a", "a"][count - 1])\"") == true)

        // And so they stay in every form of ours.
        let own = directory.path("own.safetensors"), back = directory.path("back.pth")
        try file.naming(backbone).save(to: own)
        try PromptAdapter.save(file.naming(backbone), to: directory.path("adapter"), name: "words", replaces: false)
        try ReferenceCheckpoint.write(file.naming(backbone), backbone: nil, to: back)
        for path in [own, directory.path("adapter"), back] {
            let again = try PromptFile.load(path)
            #expect(again.header.configuration == file.header.configuration, "\(path)")
            expectClose(try features(again), expected, tolerance: towerTolerance, path)
        }
        // Programs of before would leave the words out; they refuse the form.
        #expect(try SafetensorsFile(path: own).metadata["vifi_prompt_format"] == "2.1")
    }

    /// Without words of the file's own, prompts stand right before the names, as before.
    @Test func promptsOfOurOwn() throws {
        let configuration = PromptConfiguration(visionTokens: 0, visionDepth: 0, textTokens: 2, textDepth: 2)
        let file = PromptFile(
            prompts: PromptSet<MutableMatrix>(random: configuration, architecture: backbone.architecture, seed: 1).reading,
            header: PromptHeader(
                backbone: backbone, configuration: configuration, classNames: [], frameCount: 8, fusion: .embedding, shots: nil, seed: 1,
                recipeDigest: "r"))
        let path = directory.path("own.pth")
        try ReferenceCheckpoint.write(file, backbone: nil, to: path)
        let again = try PromptFile.load(path)
        #expect(again.header == file.header && again.header.configuration.replacedWords == nil)
        #expect(configuration.neededSetting?.name == "CTX_INIT ''")
        #expect(PromptConfiguration(visionTokens: 0, visionDepth: 0, textTokens: 4, textDepth: 2).neededSetting == nil)
    }

    /// A list of names that is longer than a text of a foreign file may be.
    @Test func manyClassNames() throws {
        let names = (0..<700).map { "class number \($0) with an é and a \"quote\"" }
        let configuration = PromptConfiguration(visionTokens: 1, visionDepth: 1, textTokens: 4, textDepth: 1)
        let file = PromptFile(
            prompts: PromptSet<MutableMatrix>(random: configuration, architecture: backbone.architecture, seed: 1).reading,
            header: PromptHeader(
                backbone: backbone, configuration: configuration, classNames: names, frameCount: 8, fusion: .embedding, shots: nil, seed: 1,
                recipeDigest: "r"))
        let path = directory.path("many.pth")
        try ReferenceCheckpoint.write(file, backbone: nil, to: path)
        #expect(try PromptFile.load(path).header == file.header)
    }

    /// Where the text behind the prompts differs from class to class at once, CTX_INIT was empty.
    @Test func anEmptySetting() throws {
        let ctx = PyTorchValue.tensor(shape: [2, 64], values: { [Float](repeating: 1, count: 128) })
        func words(_ suffix: [Float]?) throws -> String? {
            let path = directory.path("suffix.pth")
            var model: [(key: String, value: PyTorchValue)] = [("module.prompt_learner.ctx", ctx)]
            if let suffix { model.append(("module.prompt_learner.token_suffix", .tensor(shape: [3, 5, 2], values: { suffix }))) }
            try PyTorchWriter.write(.dictionary([("model", .ordered(model))]), to: path)
            return try PromptFile.load(path).header.configuration.replacedWords
        }
        let shared: [Float] = [1, 2, 3, 4]
        #expect(try words(nil) == "a photo of a")
        #expect(try words([Float](repeating: 0, count: 30)) == "a photo of a")
        #expect(try words((0..<3).flatMap { shared + [Float](repeating: Float($0), count: 6) }) == "a photo of a")
        #expect(try words((0..<3).flatMap { [1, 2, 3, Float($0)] + [Float](repeating: 7, count: 6) }) == nil)
    }

    /// Token by token with CLIP's own vocabulary.
    @Test(.enabled(if: fileExists(vocabularyPath), "run 'make vocabulary' first"))
    func tokensOfTheReference() throws {
        let tokenizer = try BPETokenizer(vocabularyPath: vocabularyPath)
        for (count, rest) in [(1, [1125, 539, 320]), (2, [539, 320]), (3, [320]), (4, [])] {
            let sequences = try TokenSequence.sequences(
                for: ["archery"], wording: .replacedWords("a photo of a", count: count), tokenizer: tokenizer, contextLength: 77)
            #expect(sequences[0].tokens == [49_406] + Array(repeating: 0, count: count) + rest + [23935, 269, 49_407], "\(count)")
        }
    }
}
