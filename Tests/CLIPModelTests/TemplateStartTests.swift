import CLIPModel
import Tensors
import TestSupport
import Testing

/// Text prompts that start as the template's words leave every class where the template has it.
@Suite struct TemplateStartTests {
    private let backbone: Backbone

    init() {
        let architecture = CLIPArchitecture(
            vision: .init(width: 64, layerCount: 2), text: .init(width: 64, layerCount: 3), imagePixels: 32, patchPixels: 16,
            embeddingWidth: 32, contextLength: 40, vocabularySize: 258)
        backbone = Backbone(
            architecture: architecture, parameters: BackboneParameters(random: architecture, seed: 4).map(\.reading),
            description: BackboneDescription(
                name: "small", normalization: .clip, tokenizer: .bytes, provenance: "random"))
    }

    private func features(textTokens: Int, prompts: [Matrix]) throws -> [Float] {
        let sequences = try backbone.sequences(
            of: ["waving", "jumping high", "x"], textTokens: textTokens, template: "a photo of a {}.", tokenizer: ByteTokenizer())
        return CLIPClassifier(
            backbone: backbone, prompts: PromptSet(vision: [], text: prompts), sequences: sequences, frameCount: 1,
            pool: WorkerPool(threadCount: 1)
        ).text.unit.values
    }

    @Test(arguments: [1, 2, 3])
    func learningStartsAtZeroShot(depth: Int) throws {
        let tokens = try backbone.templateTokens("a photo of a {}.", tokenizer: ByteTokenizer())
        #expect(tokens == Array("a photo of a ".utf8).map(Int.init))
        let prompts = try backbone.templatePrompts(tokens: tokens, layers: 0..<depth, pool: WorkerPool(threadCount: 1))
        let started = try features(textTokens: tokens.count, prompts: prompts.map(\.reading))
        expectClose(started, try features(textTokens: 0, prompts: []), tolerance: 1e-5, "features")
        // Random prompts of the same number do not.
        let random = PromptSet(
            random: PromptConfiguration(visionTokens: 0, visionDepth: 0, textTokens: tokens.count, textDepth: depth),
            architecture: backbone.architecture, seed: 1)
        let other = try features(textTokens: tokens.count, prompts: random.text.map(\.reading))
        #expect(zip(started, other).contains { abs($0 - $1) > 1e-2 })
    }
}
