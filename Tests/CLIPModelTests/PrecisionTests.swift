import CLIPModel
import Tensors
import TestSupport
import Testing

/// bfloat16 products against float32 ones through whole towers, forward and backward.
@Suite(.enabled(if: Precision.bfloat16.isAvailable, "bfloat16 products are not available on this machine"))
struct PrecisionTests {
    private static let deep = PromptConfiguration(visionTokens: 4, visionDepth: 3, textTokens: 4, textDepth: 2)
    private static let partial = PromptConfiguration(visionTokens: 3, visionDepth: 2, textTokens: 4, textDepth: 1)

    private func promptStep(_ fixtures: ModelFixtures, _ configuration: PromptConfiguration, _ precision: Precision, threads: Int = 2)
        -> (logits: [Float], gradients: [Float])
    {
        let backbone = fixtures.backbone.computing(in: precision)
        let prompts = PromptSet<MutableMatrix>(random: configuration, architecture: backbone.architecture, seed: 8)
        let learner = promptLearner(
            backbone: backbone, prompts: prompts, sequences: fixtures.sequences, fusion: .embedding,
            frameCount: ModelFixtures.frameCount, pool: WorkerPool(threadCount: threads))
        var result = StepResult()
        learner.begin()
        learner.add(clips: fixtures.clips, targets: fixtures.targets, weight: 0.5, to: &result)
        learner.finish()
        return (result.logits.flatMap { $0 }, learner.gradients.all.flatMap(\.values))
    }

    private func bridgeStep(_ fixtures: ModelFixtures, _ precision: Precision, threads: Int = 2) -> (logits: [Float], gradients: [[Float]]) {
        let backbone = fixtures.backbone
        let learner = weightLearner(
            backbone.parameters.mutableCopy(), of: backbone, sequences: fixtures.sequences, frameCount: ModelFixtures.frameCount,
            pool: WorkerPool(threadCount: threads), precision: precision)
        var result = StepResult()
        learner.begin()
        learner.add(clips: fixtures.clips, targets: fixtures.targets, weight: 0.5, to: &result)
        learner.finish()
        return (result.logits.flatMap { $0 }, learner.gradients.all.map(\.values))
    }

    /// Bounds are twice and more what is measured (docs/precision.md).
    @Test(arguments: [deep, partial])
    func promptGradientsAreClose(configuration: PromptConfiguration) throws {
        let fixtures = try ModelFixtures()
        let full = promptStep(fixtures, configuration, .float32)
        let half = promptStep(fixtures, configuration, .bfloat16)
        #expect(half.gradients != full.gradients, "both were computed in the same precision")
        #expect(relativeError(half.logits, full.logits) < 0.01)
        #expect(relativeError(half.gradients, full.gradients) < 0.04)
    }

    @Test func weightGradientsAreClose() throws {
        let fixtures = try ModelFixtures()
        let full = bridgeStep(fixtures, .float32)
        let half = bridgeStep(fixtures, .bfloat16)
        #expect(relativeError(half.logits, full.logits) < 0.01)
        #expect(relativeError(half.gradients.flatMap { $0 }, full.gradients.flatMap { $0 }) < 0.04)
        let names = BackboneParameters<TensorSpecification>(of: fixtures.backbone.architecture).all.map(\.name)
        for index in names.indices where full.gradients[index].contains(where: { abs($0) > 1e-6 }) {
            #expect(relativeError(half.gradients[index], full.gradients[index]) < 0.1, "\(names[index])")
        }
    }

    @Test func threadsDoNotMatter() throws {
        let fixtures = try ModelFixtures()
        let prompts = (1...3).map { promptStep(fixtures, Self.deep, .bfloat16, threads: $0) }
        #expect(prompts[0].gradients == prompts[1].gradients && prompts[0].gradients == prompts[2].gradients)
        let weights = (1...3).map { bridgeStep(fixtures, .bfloat16, threads: $0) }
        #expect(weights[0].gradients == weights[1].gradients && weights[0].gradients == weights[2].gradients)
    }

    /// The file's identity is that of its float32 weights, whatever is computed with them.
    @Test func precisionIsNoPartOfABackbone() throws {
        let backbone = try ModelFixtures().backbone
        let half = backbone.computing(in: .bfloat16)
        #expect(half.precision == .bfloat16 && half.digest == backbone.digest)
        #expect(half.parameters.digest(of: half.architecture) == backbone.digest)
    }
}
