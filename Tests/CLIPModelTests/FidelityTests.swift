import CLIPModel
import Tensors
import TestSupport
import Testing

/// Forward passes and gradients against PyTorch (Tests/Fixtures/clip/README.md).
@Suite struct FidelityTests {
    @Test(arguments: [1, 2, 3])
    func frameFeatures(threads: Int) throws {
        let fixtures = try ModelFixtures()
        let pass = VisionPass(
            tower: fixtures.backbone.vision, prompts: .none, frameCount: 3, keeping: .nothing,
            pool: WorkerPool(threadCount: threads))
        let features = pass.forward(clips: fixtures.clips, context: nil)
        expectClose(
            features.flatMap(\.values), try fixtures.forward.floats("frame_features"), tolerance: towerTolerance, "frame_features")
    }

    @Test func textFeatures() throws {
        let fixtures = try ModelFixtures()
        let architecture = fixtures.backbone.architecture
        let layout = TextTowerLayout(sequences: fixtures.sequences, architecture: architecture)
        let saved = TextActivations(layout: layout, architecture: architecture, keeping: .nothing, threadCount: 2)
        fixtures.backbone.text.forward(prompts: [], saved: saved, pool: WorkerPool(threadCount: 2))
        expectClose(saved.features.values, try fixtures.forward.floats("text_features"), tolerance: towerTolerance, "text_features")
    }

    @Test(arguments: Fusion.allCases)
    func logits(fusion: Fusion) throws {
        let fixtures = try ModelFixtures()
        let learner = promptLearner(
            backbone: fixtures.backbone, prompts: PromptSet(vision: [], text: []), sequences: fixtures.sequences, fusion: fusion, frameCount: 3,
            pool: WorkerPool(threadCount: 2))
        var result = StepResult()
        learner.begin()
        learner.add(clips: fixtures.clips, targets: fixtures.targets, weight: 0.5, to: &result)
        // Videos are classified by the mean over frames where the fixture lists one row a frame.
        let expected = try fixtures.forward.floats("logits." + (fusion == .image ? "decision" : fusion.rawValue))
        expectClose(result.logits.flatMap { $0 }, expected, tolerance: towerTolerance, "logits.\(fusion)")
    }

    @Test(arguments: ["deep", "partial", "shallow", "vision_only", "text_only"], Fusion.allCases)
    func promptGradients(variant: String, fusion: Fusion) throws {
        let fixtures = try ModelFixtures()
        let expected = try TensorFixture("clip/prompts")
        let prompts = try fixtures.prompts(variant, from: expected)
        let learner = promptLearner(
            backbone: fixtures.backbone, prompts: prompts, sequences: fixtures.sequences, fusion: fusion,
            frameCount: 3, pool: WorkerPool(threadCount: 2))
        var result = StepResult()
        learner.begin()
        learner.add(clips: fixtures.clips, targets: fixtures.targets, weight: 0.5, to: &result)
        learner.finish()
        let gradients = learner.gradients

        let name = "\(variant).\(fusion.rawValue)"
        expectClose(Float(result.lossSum / 2), try expected.floats("\(name).loss")[0], tolerance: towerTolerance, "\(name).loss")
        if fusion != .image {
            expectClose(result.logits.flatMap { $0 }, try expected.floats("\(name).logits"), tolerance: towerTolerance, "\(name).logits")
        }
        for (layer, gradient) in gradients.vision.enumerated() {
            expectClose(
                gradient.values, try expected.floats("\(name).grad.visual.\(layer)"), tolerance: towerTolerance,
                "\(name).grad.visual.\(layer)")
        }
        for (layer, gradient) in gradients.text.enumerated() {
            expectClose(
                gradient.values, try expected.floats("\(name).grad.text.\(layer)"), tolerance: towerTolerance,
                "\(name).grad.text.\(layer)")
        }
    }

    @Test(arguments: [1, 2, 3])
    func bridgeGradients(threads: Int) throws {
        let fixtures = try ModelFixtures()
        let expected = try TensorFixture("clip/bridge")
        let architecture = fixtures.backbone.architecture
        let parameters = fixtures.backbone.parameters.mutableCopy()
        let learner = weightLearner(
            parameters, of: fixtures.backbone, sequences: fixtures.sequences, frameCount: 3, pool: WorkerPool(threadCount: threads))
        var result = StepResult()
        learner.begin()
        learner.add(clips: fixtures.clips, targets: fixtures.targets, weight: 0.5, to: &result)
        learner.finish()
        let gradients = learner.gradients
        expectClose(Float(result.lossSum / 2), try expected.floats("loss")[0], tolerance: towerTolerance, "loss")
        let specifications = BackboneParameters<TensorSpecification>(of: architecture).all
        for (specification, gradient) in zip(specifications, gradients.all) {
            expectClose(
                gradient.values, try expected.floats("grad." + specification.name), tolerance: towerTolerance, specification.name)
        }
    }
}
