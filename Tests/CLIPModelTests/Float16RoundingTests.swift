import CLIPModel
import Tensors
import TestSupport
import Testing

/// What is rounded to half precision on request: exactly what the reference rounds (methods 1.1, 1.2).
@Suite struct Float16RoundingTests {
    private let backbone: Backbone
    private let names = ["waving_hands", "jumping", "x"]

    init() {
        let architecture = CLIPArchitecture(
            vision: .init(width: 64, layerCount: 2), text: .init(width: 64, layerCount: 3), imagePixels: 32, patchPixels: 16,
            embeddingWidth: 32, contextLength: 40, vocabularySize: 258)
        backbone = Backbone(
            architecture: architecture, parameters: BackboneParameters(random: architecture, seed: 4).map(\.reading),
            description: BackboneDescription(
                name: "small", normalization: .clip, tokenizer: .bytes, provenance: "random"))
    }

    private func half(_ values: [Float]) -> [Float] { values.map { Float(Float16($0)) } }

    /// Vision prompts of every layer, text prompts from the second layer on.
    @Test func promptsAreRoundedLayerByLayer() {
        let prompts = PromptSet(
            random: PromptConfiguration(visionTokens: 2, visionDepth: 2, textTokens: 3, textDepth: 3),
            architecture: backbone.architecture, seed: 1)
        let rounded = prompts.rounded(.prompts)
        for (before, after) in zip(prompts.vision, rounded.vision) { #expect(after.values == half(before.values)) }
        #expect(rounded.text[0].values == prompts.text[0].values)
        for layer in 1..<3 { #expect(rounded.text[layer].values == half(prompts.text[layer].values)) }
        #expect(prompts.vision[0].values != half(prompts.vision[0].values), "the test rounds nothing")
        #expect(prompts.rounded(.textInputs).all.map(\.values) == prompts.all.map(\.values))
        // A copy: what learns stays in full precision.
        rounded.vision[0].fill(0)
        #expect(prompts.vision[0].values.contains { $0 != 0 })
    }

    private func textFeatures(_ backbone: Backbone) throws -> [Float] {
        let sequences = try backbone.sequences(of: names, textTokens: 0, template: nil, tokenizer: ByteTokenizer())
        return CLIPClassifier(backbone: backbone, sequences: sequences, frameCount: 1, pool: WorkerPool(threadCount: 1))
            .text.unit.values
    }

    /// The text tower works as if the two tables had been stored in half precision; nothing else differs.
    @Test func textInputsAreRounded() throws {
        var parameters = backbone.parameters
        func rounded(_ matrix: Matrix) -> Matrix {
            MutableMatrix(rows: matrix.rowCount, columns: matrix.columnCount, half(matrix.values)).reading
        }
        parameters.text.tokenEmbedding = rounded(parameters.text.tokenEmbedding)
        parameters.text.positionalEmbedding = rounded(parameters.text.positionalEmbedding)
        let stored = Backbone(
            architecture: backbone.architecture, parameters: parameters, description: backbone.description)
        let asked = backbone.rounded(.textInputs)
        #expect(try textFeatures(asked) == textFeatures(stored))
        #expect(try textFeatures(asked) != textFeatures(backbone))
        #expect(asked.digest == backbone.digest && stored.digest != backbone.digest)
        #expect(try textFeatures(backbone.rounded(.prompts)) == textFeatures(backbone))
    }

    /// The bridge's loss is that of rounded tables, before and after its weights change.
    @Test func theBridgeRoundsWhatItReads() throws {
        let sequences = try backbone.sequences(of: names, textTokens: 0, template: nil, tokenizer: ByteTokenizer())
        let clip = MutableMatrix(rows: 1, columns: 3 * 32 * 32, (0..<3 * 32 * 32).map { Float($0 % 17) / 8 - 1 }).reading
        func logits(_ parameters: BackboneParameters<MutableMatrix>, _ rounding: Float16Rounding) -> [[Float]] {
            let learner = weightLearner(
                parameters, of: backbone, sequences: sequences, frameCount: 1, pool: WorkerPool(threadCount: 1), rounding: rounding)
            var results: [[Float]] = []
            for _ in 0..<2 {
                var result = StepResult()
                learner.begin()
                learner.add(clips: [clip], targets: [[1, 0, 0]], weight: 1, to: &result)
                results += result.logits
                parameters.text.positionalEmbedding.fill(with: parameters.text.positionalEmbedding.values.map { $0 * 1.01 })
            }
            return results
        }
        let plain = backbone.parameters.mutableCopy()
        let rounded = backbone.parameters.mutableCopy()
        let found = logits(rounded, .textInputs)
        #expect(found[0] != found[1] && found != logits(plain, []))
        // What learns is not rounded.
        #expect(rounded.text.positionalEmbedding.values == plain.text.positionalEmbedding.values)
        #expect(rounded.text.tokenEmbedding.values == backbone.parameters.text.tokenEmbedding.values)
    }

    @Test func underscoresAreSpacesUnlessKept() throws {
        func tokens(_ name: String, textTokens: Int = 0, keeps: Bool = false) throws -> [[Int]] {
            try backbone.sequences(
                of: [name], textTokens: textTokens, template: "a {}.", keepsUnderscores: keeps, tokenizer: ByteTokenizer())
        }
        #expect(try tokens("waving_hands") == tokens("waving hands"))
        #expect(try tokens("waving_hands", keeps: true) != tokens("waving hands"))
        #expect(try tokens("waving_hands", keeps: true)[0].contains(Int(UInt8(ascii: "_"))))
        // Learned prompts always read spaces (methods 1.1).
        #expect(try tokens("waving_hands", textTokens: 2, keeps: true) == tokens("waving hands", textTokens: 2))
    }
}
