import CLIPModel
import Evaluation
import Experiments
import Files
import Foundation
import Methods
import Tensors
import TestSupport
import Testing
import VideoData

/// `export --to onnx`: what it writes, in ONNX Runtime and OpenVINO, and what it refuses.
@Suite(.serialized, .timeLimit(.minutes(15))) struct ONNXCommandTests {
    private static let pocket = packageRoot + "/Checkpoints/pocket-bridged.safetensors"
    /// One of each formula, and one with a projection of its own.
    private static let methods = ["gda", "prolip", "tip-adapter", "clip-adapter", "sje"]
    private static let context = RunContext()
    private let program: Program

    init() throws {
        var program = try Program.withVideos()
        program.videos = program.folder.path("data")
        self.program = program
    }

    private func path(_ name: String) -> String { program.folder.path(name) }

    /// Prompts of both towers on the pocket world's CLIP, large enough to change every answer.
    private func savePrompts(_ name: String, fusion: Fusion = .embedding) throws {
        let backbone = try Backbone.load(Self.pocket)
        let configuration = PromptConfiguration(visionTokens: 3, visionDepth: 4, textTokens: 2, textDepth: 2)
        let set = PromptSet<MutableMatrix>(random: configuration, architecture: backbone.architecture, seed: 3)
        for element in set.all { element.fill(with: element.values.map { 10 * $0 }) }
        try PromptFile(
            prompts: set.reading,
            header: PromptHeader(
                backbone: backbone, configuration: configuration, classNames: SmallModel.classNames, frameCount: 4, fusion: fusion, shots: 2,
                seed: 7, recipeDigest: Digest.of("recipe"), metrics: [:])
        ).save(to: path(name))
    }

    /// Exports with the program and writes beside it what the library says of clips of noise.
    private func export(_ name: String, _ arguments: [String], prompts: String?, labels: [String]) throws {
        let outcome = try program.run(["export", "--to", "onnx", "--backbone", Self.pocket, "--output", "cases/\(name).onnx"] + arguments)
        #expect(outcome.status == 0, "\(name): \(outcome.messages)")
        let model = try LoadedModel(prompts: prompts.map(path), backbone: Self.pocket, vocabulary: nil, context: Self.context)
        let side = model.backbone.architecture.imagePixels
        let classifier = try model.classifier(classNames: labels, template: nil, fusion: nil, frameCount: 4, pool: WorkerPool(threadCount: 2))
        let clips = OtherRuntimes.clips(2, frameCount: 4, side: side)
        let normalization = Normalization(model.normalization)
        let normalized = OtherRuntimes.normalized(clips, mean: normalization.mean.map { $0 / 255 }, deviation: normalization.deviation.map { $0 / 255 })
        try OtherRuntimes.write(clips: clips, side: side, logits: try classifier.logits(clips: normalized), to: path("cases/\(name).safetensors"))
    }

    @Test(.enabled(if: OtherRuntimes.areThere, OtherRuntimes.absence))
    func otherRuntimesAnswerAsTheProgramDoes() throws {
        try savePrompts("prompts.safetensors")
        try savePrompts("decision.safetensors", fusion: .decision)
        let labels = ["waving", "clapping", "jumping", "sitting", "turning"]
        try export("zero-shot", ["--zero-shot", "--labels", "labels.csv"], prompts: nil, labels: labels)
        try export("prompts", ["--prompts", "prompts.safetensors"], prompts: "prompts.safetensors", labels: SmallModel.classNames)
        try export("decision", ["--prompts", "decision.safetensors", "--labels", "labels.csv"], prompts: "decision.safetensors", labels: labels)
        for method in Self.methods {
            let learned = try program(
                "learn", "--train", "list.txt", "--labels", "labels.csv", "--backbone", Self.pocket, "--frames", "2", "--method", method, "--output", method)
            #expect(learned.status == 0, "\(learned.messages)")
            try export(method, ["--prompts", method], prompts: method, labels: labels)
        }
        // A head answers for some of its classes, in any order.
        try program.folder.write("id,name\n0,sitting\n1,waving\n", to: "two.csv")
        try export("two-classes", ["--prompts", "gda", "--labels", "two.csv"], prompts: "gda", labels: ["sitting", "waving"])
        let outcome = try OtherRuntimes.run("compare_onnx.py", [path("cases")])
        #expect(outcome.status == 0, "\(outcome.output)")
        #expect(outcome.output.split(separator: "\n").count { $0.contains(": OpenVINO: ") } == Self.methods.count + 4, "\(outcome.output)")
    }

    @Test func whatIsSaidAndRefused() throws {
        try savePrompts("prompts.safetensors")
        let json = try program("export", "--to", "onnx", "--prompts", "prompts.safetensors", "--backbone", Self.pocket, "-o", "a.onnx", "--json")
        #expect(json.status == 0, "\(json.messages)")
        let found = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        #expect(found["form"] as? String == "onnx" && found["classes"] as? Int == 5 && found["width"] as? Int == 128)
        #expect(found["sha256"] as? String == (try Digest.ofFile(path("a.onnx"))))
        #expect(found["bytes"] as? Int == (try InputFile(path: path("a.onnx")).byteCount))
        // The same bytes again, and what is there stays.
        #expect(try program("export", "--to", "onnx", "--prompts", "prompts.safetensors", "--backbone", Self.pocket, "-o", "b.onnx").status == 0)
        #expect(try Digest.ofFile(path("a.onnx")) == Digest.ofFile(path("b.onnx")))
        #expect(try program("export", "--to", "onnx", "--prompts", "prompts.safetensors", "--backbone", Self.pocket, "-o", "b.onnx").status == 74)
        let ending = try program("export", "--to", "onnx", "--prompts", "prompts.safetensors", "--backbone", Self.pocket, "-o", "b.pt")
        #expect(ending.status == 64 && ending.messages.hasSuffix("error: b.pt: the output needs the ending .onnx, or must be a folder.\n"))
        for arguments in [["--to", "npz", "--zero-shot"], ["--to", "onnx", "--zero-shot", "--prompts", "prompts.safetensors"], ["--to", "onnx", "--with-backbone"]] {
            #expect(try program.run(["export"] + arguments).status == 64, "\(arguments)")
        }
        let nameless = try program("export", "--to", "onnx", "--zero-shot", "--backbone", Self.pocket)
        #expect(nameless.status == 64 && nameless.messages.contains("there are no class names"), "\(nameless.messages)")
    }

    /// What an ONNX file cannot say is refused by name before anything is written.
    @Test func modelsWithoutAGraphAreRefused() throws {
        let backbone = try Backbone.load(Self.pocket)
        let merging = PromptConfiguration(visionTokens: 2, visionLayers: 0..<4, textTokens: 2, textLayers: 0..<1, mergedTokens: 1)
        let following = PromptConfiguration(visionTokens: 0, visionLayers: 0..<0, textTokens: 2, textLayers: 0..<1, metaNetWidth: 4)
        for (name, configuration, words) in [("merging", merging, "tokens that merge"), ("following", following, "others for each video (CoCoOp)")] {
            let set = PromptSet<MutableMatrix>(random: configuration, architecture: backbone.architecture, seed: 3)
            try PromptFile(
                prompts: set.reading,
                header: PromptHeader(
                    backbone: backbone, configuration: configuration, classNames: SmallModel.classNames, frameCount: 4, fusion: .embedding, shots: 2,
                    seed: 7, recipeDigest: Digest.of("recipe"), metrics: [:])
            ).save(to: path(name + ".safetensors"))
            let refused = try program("export", "--to", "onnx", "--prompts", name + ".safetensors", "--backbone", Self.pocket, "-o", "no.onnx")
            #expect(refused.status == 65 && refused.messages.contains("error: \(name).safetensors: ") && refused.messages.contains(words), "\(refused.messages)")
            #expect(!fileExists(path("no.onnx")))
        }
    }
}
