import CLIPModel
import Files
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Vision prompts before and behind the tower's input norm, beside VPT's own code around the small CLIP
/// (`vpt-original.safetensors`), and where it is said which of the two holds.
@Suite struct PromptPlacementTests {
    private static let labels = [1, 0, 3, 1, 4, 2]

    private func prompts(_ name: String, isBehindNorm: Bool) throws -> PromptSet<MutableMatrix> {
        let layers = try self.layers(of: name, gradients: false)
        return PromptSet(vision: layers, text: [], isBehindNorm: isBehindNorm)
    }

    /// Prompts of the three layers, or their gradients: the first one's stand apart from the deeper ones'.
    private func layers(of name: String, gradients: Bool) throws -> [MutableMatrix] {
        let fixture = try TensorFixture("prompting/vpt-original")
        let prefix = "\(name)." + (gradients ? "grad." : "")
        let values = try fixture.floats(prefix + "prompt_embeddings") + fixture.floats(prefix + "deep_prompt_embeddings")
        let shape = try fixture.shape("\(name).prompt_embeddings")
        let count = shape[1] * shape[2]
        return (0..<values.count / count).map { MutableMatrix(rows: shape[1], columns: shape[2], Array(values[$0 * count..<($0 + 1) * count])) }
    }

    @Test(arguments: [("before_ln_pre", false), ("after_ln_pre", true)])
    func computesWhatItsAuthorsDo(_ name: String, isBehindNorm: Bool) throws {
        let fixtures = try ModelFixtures()
        let fixture = try TensorFixture("prompting/vpt-original")
        let prompts = try prompts(name, isBehindNorm: isBehindNorm)
        // Six pictures, clips of one frame; the texts are those of MaPLe's code for VPT.
        let images = fixtures.clips.flatMap { clip in (0..<clip.rowCount).map { clip.rows($0..<$0 + 1) } }
        let sequences = try TensorFixture("prompting/vpt").sequences("ids")
        let pool = WorkerPool(threadCount: 2)
        let classifier = CLIPClassifier(
            backbone: fixtures.backbone, prompts: prompts.reading, sequences: sequences, frameCount: 1, pool: pool)
        expectClose(
            try classifier.logits(clips: images).flatMap(\.self), try fixture.floats("\(name).logits"), tolerance: towerTolerance, "logits")
        let learner = promptLearner(
            backbone: fixtures.backbone, prompts: prompts, sequences: sequences, fusion: .embedding, frameCount: 1, pool: pool)
        var result = StepResult()
        learner.begin()
        learner.add(
            clips: images, targets: Self.labels.map { label in (0..<5).map { $0 == label ? 1 : 0 } }, weight: 1 / Float(images.count), to: &result)
        learner.finish()
        expectClose(Float(result.lossSum) / Float(images.count), try fixture.floats("\(name).loss")[0], tolerance: towerTolerance, "loss")
        for (layer, pair) in zip(learner.gradients.vision, try layers(of: name, gradients: true)).enumerated() {
            expectClose(pair.0.values, pair.1.values, tolerance: towerTolerance, "gradient of layer \(layer)")
        }
    }

    /// One layer of prompts, which then are rows of every frame: the gradient along itself beside a difference of the loss.
    @Test func joinedPromptsHaveTheirGradient() throws {
        let fixtures = try ModelFixtures()
        let first = try prompts("after_ln_pre", isBehindNorm: true).vision[0]
        let learner = promptLearner(
            backbone: fixtures.backbone, prompts: PromptSet(vision: [first], text: [], isBehindNorm: true), sequences: fixtures.sequences,
            fusion: .embedding, frameCount: ModelFixtures.frameCount, pool: WorkerPool(threadCount: 2))
        func loss() -> Double {
            learner.gradients.vision[0].fill(0)
            var result = StepResult()
            learner.begin()
            learner.add(clips: fixtures.clips, targets: fixtures.targets, weight: 0.5, to: &result)
            learner.finish()
            return result.lossSum / 2
        }
        _ = loss()
        let (start, gradient) = (first.values, learner.gradients.vision[0].values)
        let length = gradient.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
        func movedLoss(_ distance: Double) -> Double {
            first.fill(with: zip(start, gradient).map { $0 + Float(distance * Double($1) / length) })
            return loss()
        }
        let step = 1e-2
        let slope = (movedLoss(step) - movedLoss(-step)) / (2 * step)
        #expect(abs(slope - length) < 0.03 * length, "\(slope) beside \(length)")
    }

    // MARK: Files

    private func file(on backbone: Backbone, isBehindNorm: Bool) throws -> PromptFile {
        let prompts = try prompts("after_ln_pre", isBehindNorm: isBehindNorm).reading
        return PromptFile(
            prompts: prompts,
            header: PromptHeader(
                backbone: backbone, configuration: prompts.configuration, classNames: ["a", "b"], frameCount: 3, fusion: .embedding, shots: 2,
                seed: 1, recipeDigest: "0"))
    }

    /// As a file and as a folder for PEFT.
    @Test func filesSayIt() throws {
        let backbone = try ModelFixtures().backbone
        let folder = try TemporaryDirectory()
        let file = try file(on: backbone, isBehindNorm: true)
        #expect(file.header.metadata["vifi_prompt_format"] == "3" && file.header.metadata["behind_norm"] == "true")
        try file.save(to: folder.path("behind.safetensors"))
        try PromptAdapter.save(file, to: folder.path("behind"), name: "behind")
        for path in ["behind.safetensors", "behind"] {
            let read = try PromptFile.load(folder.path(path))
            #expect(read.header.configuration == file.header.configuration && read.prompts.isBehindNorm)
            try read.check(against: backbone)
        }
        // Prompts that pass the norm are written as ever.
        let usual = try self.file(on: backbone, isBehindNorm: false)
        #expect(usual.header.metadata["vifi_prompt_format"] == "1" && usual.header.metadata["behind_norm"] == nil)
        try usual.save(to: folder.path("usual.safetensors"))
        #expect(try !PromptFile.load(folder.path("usual.safetensors")).prompts.isBehindNorm)
        // What computes something else has another name.
        let pool = WorkerPool(threadCount: 1)
        func identity(_ file: PromptFile) -> String { VideoEncoder(backbone: backbone, prompts: file.prompts, frameCount: 1, pool: pool).identity }
        #expect(identity(file) != identity(usual))
    }

    @Test(arguments: [["behind_norm": "yes"], ["behind_norm": ""], ["vifi_prompt_format": "2"], ["vifi_prompt_format": "2.2", "merge_tokens": "1"]])
    func nonsenseIsRefused(changes: [String: String]) throws {
        let file = try file(on: try ModelFixtures().backbone, isBehindNorm: true)
        let folder = try TemporaryDirectory()
        try SafetensorsWriter.write(file.tensors, metadata: file.header.metadata.merging(changes) { $1 }, to: folder.path("bad.safetensors"))
        #expect(throws: ModelError.self) { try PromptFile.load(folder.path("bad.safetensors")) }
    }

    @Test func onlyTheFirstLayersPromptsCanBe() throws {
        let backbone = try ModelFixtures().backbone
        for layers in [0..<0, 1..<3] {
            let configuration = PromptConfiguration(visionTokens: 2, visionLayers: layers, textTokens: 2, textLayers: 0..<1, isBehindNorm: true)
            #expect(throws: ModelError.prompts(.noneBehindNorm)) { try configuration.check(against: backbone.architecture) }
        }
    }

    @Test func checkpointsCannotSayIt() throws {
        let backbone = try ModelFixtures().backbone
        let folder = try TemporaryDirectory()
        let prompts = PromptSet(
            random: PromptConfiguration(visionTokens: 2, visionLayers: 0..<1, textTokens: 2, textLayers: 0..<1, isBehindNorm: true),
            architecture: backbone.architecture, seed: 1).reading
        var header = try file(on: backbone, isBehindNorm: true).header
        header.configuration = prompts.configuration
        #expect(throws: ModelError.prompts(.behindNorm)) {
            try ReferenceCheckpoint.write(PromptFile(prompts: prompts, header: header), backbone: nil, to: folder.path("behind.pth"))
        }
        #expect(!fileExists(folder.path("behind.pth")))
    }
}
