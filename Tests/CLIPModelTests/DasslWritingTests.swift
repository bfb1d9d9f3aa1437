import CLIPModel
import Files
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Checkpoints that are written for the programs that stand on Dassl, beside those that these programs wrote.
@Suite struct DasslWritingTests {
    private let folder: TemporaryDirectory
    private let path: String

    init() throws {
        folder = try TemporaryDirectory()
        path = folder.path("model.pth.tar-8")
    }

    private func file(_ prompts: PromptSet<Matrix>, on backbone: Backbone) -> PromptFile {
        PromptFile(
            prompts: prompts,
            header: PromptHeader(
                backbone: backbone, configuration: prompts.configuration, classNames: ["a", "b", "c", "d", "e"], frameCount: 4, fusion: .embedding,
                shots: 2, seed: 1, recipeDigest: "0", metrics: ["epoch": 8]))
    }

    private func random(_ configuration: PromptConfiguration, on backbone: Backbone) -> PromptFile {
        file(PromptSet(random: configuration, architecture: backbone.architecture, seed: 3).reading, on: backbone)
    }

    /// The tensors of `expected` whose names begin so, and no others, with the same shapes, types and bits.
    private func expectEqualTensors(_ actual: any WeightSource, _ expected: any WeightSource, where isCompared: (String) -> Bool = { _ in true }) throws {
        #expect(actual.names.filter(isCompared).sorted() == expected.names.filter(isCompared).sorted())
        for tensor in expected.tensors where isCompared(tensor.name) {
            let own = try actual.description(of: tensor.name)
            #expect(own.shape == tensor.shape && own.elementType == tensor.elementType, "\(tensor.name): \(own.shape) \(own.elementType)")
            let values = try (actual.floats(named: tensor.name), expected.floats(named: tensor.name))
            #expect(values.0.map(\.bitPattern) == values.1.map(\.bitPattern), "\(tensor.name)")
        }
    }

    private func tiny() throws -> Backbone { try Backbone.load(fixturePath("clip/clip-tiny.safetensors")) }

    /// What CoOp's program wrote comes out as it went in, embeddings around the words included.
    @Test func coopsFileIsWrittenAgain() throws {
        let original = fixturePath("prompting/coop.pth.tar-8")
        let read = try PromptFile.load(original)
        #expect(try DasslCheckpoint.trainer(for: read) == .coop)
        try DasslCheckpoint.write(
            read, backbone: tiny(), sequences: TensorFixture("prompting/coop").sequences("shared_end.ids"), to: path)
        try expectEqualTensors(try openWeights(path), try openWeights(original))
        #expect(try openWeights(path).metadata["epoch"] == "8")
        #expect(try PromptFile.load(path).prompts.digest == read.prompts.digest)
    }

    /// Of words in float32 no bit is lost, and the header says where the name stands.
    @Test(arguments: [
        (LearnedWords.NamePlace.end, nil, [4, 64]), (.middle, nil, [4, 64]), (.front, 5, [5, 4, 64]),
    ] as [(LearnedWords.NamePlace, Int?, [Int])])
    func wordsComeBack(_ place: LearnedWords.NamePlace, classCount: Int?, shape: [Int]) throws {
        let backbone = try tiny()
        let words = LearnedWords.context(count: 4, place: place, classCount: classCount)
        let file = random(
            PromptConfiguration(visionTokens: 0, visionLayers: 0..<0, textTokens: 0, textLayers: 0..<0, words: words), on: backbone)
        try DasslCheckpoint.write(
            file, backbone: backbone, sequences: TensorFixture("prompting/coop").sequences("shared_end.ids"), to: path)
        let source = try openWeights(path)
        let ctx = try source.description(of: "state_dict.ctx")
        #expect(ctx.shape == shape && ctx.elementType == .float32)
        #expect(source.names.sorted() == ["state_dict.ctx", "state_dict.token_prefix", "state_dict.token_suffix"])
        #expect(source.metadata["epoch"] == "8")
        let read = try PromptFile.load(path)
        #expect(read.form == .dassl && read.header == file.header && read.prompts.digest == file.prompts.digest)
        try read.check(against: backbone)
        #expect(DasslCheckpoint.Trainer.coop.settings(for: read.header.configuration)
            == "TRAINER.COOP.N_CTX 4, CLASS_TOKEN_POSITION \(place.rawValue), CSC \(classCount == nil ? "False" : "True"), CTX_INIT ''")
    }

    /// Prompts of both towers are a whole model, whose backbone has the names, shapes and types of MaPLe's file.
    @Test func wholeModels() throws {
        let clip = try Backbone.load(fixturePath("clip/clip-mini.safetensors"))
        let halves = Backbone(
            architecture: clip.architecture,
            parameters: clip.parameters.map { element in
                MutableMatrix(rows: element.rowCount, columns: element.columnCount, element.values.map { Float(Float16($0)) }).reading
            }, description: clip.description)
        let original = try openWeights(fixturePath("prompting/maple.pth.tar-5"))
        let read = try PromptFile.load(fixturePath("prompting/maple.pth.tar-5"))
        // MaPLe's vision prompts are products, which float16 does not hold.
        let prompts = PromptSet(
            vision: read.prompts.vision.map { MutableMatrix(rows: $0.rowCount, columns: $0.columnCount, $0.values.map { Float(Float16($0)) }).reading },
            text: read.prompts.text)
        let file = file(prompts, on: halves)
        #expect(try DasslCheckpoint.trainer(for: file) == .ivlp)
        try DasslCheckpoint.write(file, backbone: halves, sequences: TensorFixture("prompting/maple-expected").sequences("ids"), to: path)
        let written = try openWeights(path)
        try expectEqualTensors(written, original) { !$0.contains("proj.") && !$0.contains("compound") && !$0.contains("VPT") || $0.contains("c_proj") || $0.contains("out_proj") }
        #expect(written.names.filter { $0.contains("VPT") }.sorted()
            == ["state_dict.image_encoder.VPT", "state_dict.image_encoder.transformer.resblocks.1.VPT_shallow"])
        let again = try PromptFile.load(path)
        #expect(again.form == .dassl && again.header == file.header && again.prompts.digest == file.prompts.digest && again.carriesBackbone)
        #expect(try again.check(against: halves) == nil)
    }

    @Test func visionPromptsAlone() throws {
        let backbone = try Backbone.load(fixturePath("clip/clip-mini.safetensors"))
        let file = random(PromptConfiguration(visionTokens: 3, visionDepth: 2, textTokens: 0, textDepth: 0), on: backbone)
        #expect(try DasslCheckpoint.trainer(for: file) == .vpt)
        try DasslCheckpoint.write(file, backbone: backbone, sequences: [], to: path)
        let source = try openWeights(path)
        #expect(!source.names.contains { $0.contains("prompt_learner") || $0.contains("token_embedding") })
        #expect(try source.description(of: "state_dict.image_encoder.VPT").elementType == .float32)
        let read = try PromptFile.load(path)
        #expect(read.header == file.header && read.prompts.digest == file.prompts.digest)
        try read.check(against: backbone)
    }

    @Test func whatTheyHaveNoNamesForIsRefused() throws {
        let backbone = try tiny()
        func trainer(_ configuration: PromptConfiguration, method: String? = nil) throws -> DasslCheckpoint.Trainer {
            var file = random(configuration, on: backbone)
            file.header.method = method
            return try DasslCheckpoint.trainer(for: file)
        }
        for configuration in [
            PromptConfiguration(visionTokens: 2, visionLayers: 1..<3, textTokens: 2, textLayers: 0..<1),
            PromptConfiguration(visionTokens: 2, visionLayers: 0..<3, textTokens: 2, textLayers: 1..<2),
            PromptConfiguration(visionTokens: 2, visionLayers: 0..<3, textTokens: 0, textLayers: 0..<0, mergedTokens: 2),
            PromptConfiguration(visionTokens: 2, visionLayers: 0..<3, textTokens: 0, textLayers: 0..<0, isBehindNorm: true),
            PromptConfiguration(visionTokens: 0, visionLayers: 0..<0, textTokens: 0, textLayers: 0..<0, words: .around(before: 2, after: 2)),
            PromptConfiguration(
                visionTokens: 2, visionLayers: 0..<3, textTokens: 0, textLayers: 0..<0, words: .context(count: 2, place: .middle, classCount: nil)),
            .none,
        ] {
            #expect(throws: ModelError.prompts(.notDassl)) { try trainer(configuration) }
        }
        let both = PromptConfiguration(visionTokens: 2, visionDepth: 2, textTokens: 2, textDepth: 2)
        #expect(try trainer(both, method: "promptsrc") == .ivlp)
        #expect(throws: ModelError.prompts(.mapleProjections)) { try trainer(both, method: "maple") }
        #expect(try trainer(PromptConfiguration(visionTokens: 0, visionDepth: 0, textTokens: 4, textDepth: 1), method: "kgcoop") == .coop)
    }

    /// A header of ours that says something else than the tensor.
    @Test func contradictionsAreRefused() throws {
        let backbone = try tiny()
        var file = random(PromptConfiguration(visionTokens: 0, visionDepth: 0, textTokens: 4, textDepth: 1), on: backbone)
        file.header.configuration = PromptConfiguration(visionTokens: 0, visionDepth: 0, textTokens: 3, textDepth: 1)
        let ctx = PyTorchValue.halfTensor(shape: [4, 64], values: { file.prompts.text[0].values })
        let header = file.header.metadata.sorted { $0.key < $1.key }.map { (key: $0.key, value: PyTorchValue.text($0.value)) }
        try PyTorchWriter.write(.dictionary([("state_dict", .ordered([("ctx", ctx)])), ("vifi_prompt", .dictionary(header))]), to: path)
        #expect { try PromptFile.load(path) } throws: { "\($0)".contains("ctx") }
    }
}
