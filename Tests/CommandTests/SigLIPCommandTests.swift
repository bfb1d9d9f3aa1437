import CLIPModel
import Files
import Foundation
import Tensors
import TestSupport
import Testing

/// A SigLIP as a person uses it: prompts of both towers, answers, maps and plans, and what it refuses.
@Suite struct SigLIPCommandTests {
    private let program: Program
    private static let model = ["--backbone", "siglip.safetensors", "--labels", "labels.csv", "--frames", "2", "--threads", "1"]
    private static let learning = ["--train", "train.txt", "--epochs", "1", "--batch-size", "2", "--accumulation-steps", "1"] + model

    /// The fixtures' SigLIP with the vocabulary of their tokenizer.
    init() throws {
        program = try Program.withVideos()
        let original = try Backbone.load(fixturePath("siglip/huggingface"), options: CheckpointOptions(heads: HeadCounts(vision: 2, text: 2)))
        var (architecture, parameters) = (original.architecture, original.parameters)
        architecture.vocabularySize = 450
        var draw = RandomSource(seed: 1, purpose: .weights)
        let width = architecture.text.width
        parameters.text.tokenEmbedding = MutableMatrix(rows: 450, columns: width, (0..<450 * width).map { _ in draw.normal() }).reading
        let path = program.folder.path("siglip.safetensors")
        try Backbone(architecture: architecture, parameters: parameters, description: original.description).save(to: path)
        _ = try keepVocabulary(fixturePath("siglip-tokenizers/siglip.spiece.model"), beside: path, for: .siglip)
    }

    private func run(_ words: [String], status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation) throws -> Program.Outcome {
        let outcome = try program.run(words)
        #expect(outcome.status == status, "\(words): \(outcome.messages)", sourceLocation: sourceLocation)
        return outcome
    }

    @Test(arguments: [
        [], ["--method", "coop", "--text-tokens", "4"], ["--method", "coop", "--name-place", "middle", "--text-tokens", "4"], ["--method", "cocoop"],
        ["--method", "maple"], ["--method", "a5", "--words-before", "2", "--words-after", "2"], ["--regularize", "kgcoop"],
    ])
    func promptsOfBothTowersAreLearned(method: [String]) throws {
        let tokens = method.isEmpty || method[0] == "--regularize" ? ["--vision-tokens", "2", "--text-tokens", "2"] : []
        _ = try run(["learn", "--output", "run"] + method + tokens + Self.learning)
        let file = try PromptFile.load(program.folder.path("run/prompts/last.safetensors"))
        #expect(file.header.configuration.learnsText)
        let answer = try run(["predict", "video7.mp4", "--prompts", "run", "--json"] + Self.model)
        #expect(answer.output.contains("clapping"))
    }

    /// The mean of the frames, or of their logits, which is the mean of unit frames.
    @Test func framesComeTogetherByEitherRule() throws {
        func scores(_ words: String...) throws -> Substring {
            let output = try run(["predict", "video7.mp4", "--json"] + words + Self.model).output
            return try output[#require(output.range(of: "\"scores\":")).upperBound...]
        }
        let units = try scores("--fusion", "decision")
        #expect(try units == scores("--set", "fusion=decision") && units != scores())
    }

    /// Its own loss over captions, for weights and for prompts; a CLIP has no bias for it, and classes are no pairs.
    @Test func pairsAreJudgedByThemselves() throws {
        try program.folder.write("video,caption\nvideo0.mp4,a dog runs\nvideo1.mp4,a horse\nvideo2.mp4,riding a horse\n", to: "captions.csv")
        let rest = ["--captions", "captions.csv", "--epochs", "1", "--batch-size", "3", "--accumulation-steps", "1", "--frames", "2", "--threads", "1"]
        _ = try run(["bridge", "--loss", "sigmoid", "--backbone", "siglip.safetensors", "--output", "run", "--set", "training.learning_rate=0.01"] + rest)
        let tuned = try Backbone.load(program.folder.path("run/last.safetensors"))
        #expect(try #require(tuned.parameters.logitBias)[0, 0] != -10)
        _ = try run(["bridge", "--backbone", "siglip.safetensors", "--output", "other", "--set", "training.learning_rate=0.01"] + rest)
        #expect(try Backbone.load(program.folder.path("other/last.safetensors")).parameters.logitBias?[0, 0] == -10)
        _ = try run(
            ["learn", "--loss", "sigmoid", "--backbone", "siglip.safetensors", "--vision-tokens", "2", "--text-tokens", "2", "--output", "prompts"] + rest)
        let refused = try run(["bridge", "--loss", "sigmoid", "--backbone", "clip.safetensors"] + rest, status: 78)
        #expect(refused.messages.contains("adds a SigLIP's bias to the logits, and this backbone has none"), "\(refused.messages)")
        let classes = try run(["learn", "--loss", "sigmoid"] + Self.learning, status: 64)
        #expect(classes.messages.contains("--max-words and --loss contrastive or sigmoid are for captions"), "\(classes.messages)")
    }

    /// One row for the pooling, or for the two blocks below it as well.
    @Test func mapsAreDrawn() throws {
        func height(_ words: String...) throws -> UInt32 {
            let outcome = try run(["viz", "attention", "video7.mp4", "--output", "map.png", "--force"] + words + Self.model)
            #expect(outcome.output == "map.png\n")
            return try Data(contentsOf: URL(fileURLWithPath: program.folder.path("map.png"))).dropFirst(20).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
        }
        let one = try height()
        #expect(try height("--map", "raw", "--layers") == one && height("--layers", "--from-block", "3") == one)
        let two = try height("--layers", "--from-block", "2")
        #expect(try two > one && height("--layers") - two == two - one)
        let outcome = try run(["viz", "attention", "video7.mp4", "--output", "no.png", "--from-block", "4"] + Self.model, status: 64)
        #expect(outcome.messages.contains("3"), "\(outcome.messages)")
    }

    /// What is saved elsewhere by masks and class tokens is not promised.
    @Test func plansSayWhatIsSaved() throws {
        let plan = try run(["plan", "learn", "--no-timing"] + Self.learning).output
        #expect(plan.contains("the last layer of texts computes the last place only") && plan.contains("the text tower runs once per step"))
        #expect(!plan.contains("end token") && !plan.contains("class token") && !plan.contains("the start of the texts"))
    }

    @Test func whatCannotBeIsRefused() throws {
        let deep = try run(["learn", "--set", "prompts.start=template", "--vision-tokens", "2", "--output", "deep"] + Self.learning)
        #expect(deep.status == 0, "its text tower has one layer")
        _ = try run(["learn", "--method", "coop", "--text-tokens", "2", "--output", "coop"] + Self.learning)
        let export = try run(["export", "--prompts", "coop", "--backbone", "siglip.safetensors", "--to", "dassl", "--output", "x.pth.tar"], status: 78)
        #expect(export.messages.contains("is a SigLIP; CoOp, VPT and IVLP compute in towers of CLIP's form alone"), "\(export.messages)")
    }
}
