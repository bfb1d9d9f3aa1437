import CLIPModel
import Tensors
import TestSupport
import Testing

/// int8 products against float32 ones through whole towers.
@Suite(.enabled(if: Precision.int8.isAvailable, "int8 products are not available on this machine"))
struct Int8TowerTests {
    private static let deep = PromptConfiguration(visionTokens: 4, visionDepth: 3, textTokens: 4, textDepth: 2)
    private static let partial = PromptConfiguration(visionTokens: 3, visionDepth: 2, textTokens: 4, textDepth: 1)

    private func classifier(
        _ fixtures: ModelFixtures, _ configuration: PromptConfiguration, _ precision: Precision, threads: Int = 2
    ) -> CLIPClassifier {
        let prompts = PromptSet<MutableMatrix>(random: configuration, architecture: fixtures.backbone.architecture, seed: 8)
        return CLIPClassifier(
            backbone: fixtures.backbone.computing(in: precision), prompts: prompts.reading, sequences: fixtures.sequences,
            frameCount: ModelFixtures.frameCount, pool: WorkerPool(threadCount: threads))
    }

    /// Bounds are twice and more what is measured (docs/precision.md).
    @Test(arguments: [deep, partial])
    func logitsAreClose(configuration: PromptConfiguration) throws {
        let fixtures = try ModelFixtures()
        let full = try classifier(fixtures, configuration, .float32).logits(clips: fixtures.clips).flatMap { $0 }
        let bytes = try classifier(fixtures, configuration, .int8).logits(clips: fixtures.clips).flatMap { $0 }
        #expect(bytes != full, "both were computed in the same precision")
        #expect(relativeError(bytes, full) < 0.03)
    }

    @Test func threadsDoNotMatter() throws {
        let fixtures = try ModelFixtures()
        let logits = try (1...3).map { try classifier(fixtures, Self.deep, .int8, threads: $0).logits(clips: fixtures.clips) }
        #expect(logits[0] == logits[1] && logits[0] == logits[2])
    }

    /// Texts are what bfloat16 makes of them, or float32 where that is missing.
    @Test func textsAreNotOfBytes() throws {
        let fixtures = try ModelFixtures()
        let beside = classifier(fixtures, Self.deep, Precision.int8.besideProducts).text.unit.values
        #expect(classifier(fixtures, Self.deep, .int8).text.unit.values == beside)
    }

    /// Relevance needs gradients: it is that of the same weights in numbers that have some.
    @Test func attentionIsShownBeside() throws {
        let fixtures = try ModelFixtures()
        func maps(_ precision: Precision) throws -> [Float] {
            try classifier(fixtures, .none, precision).attention(in: fixtures.clips[0], of: .raw(head: nil), label: 0, from: 1).blocks.flatMap { $0.flatMap { $0 } }
        }
        #expect(try maps(.int8) == maps(Precision.int8.besideProducts))
    }

    /// One byte a weight of the vision tower, on the way forward alone; texts as beside.
    @Test func copiesAreCounted() {
        let architecture = CLIPArchitecture.vitB16
        let (vision, text) = (12 * 12 * 768 * 768, 12 * 12 * 512 * 512)
        let beside = Precision.int8.besideProducts == .bfloat16 ? 2 * text : 0
        #expect(architecture.packedWeightBytes(precision: .int8, hasBackward: false) == vision + beside)
        #expect(architecture.packedWeightBytes(precision: .float32, hasBackward: true) == 0)
    }

    @Test func precisionIsNoPartOfABackbone() throws {
        let backbone = try ModelFixtures().backbone
        #expect(backbone.computing(in: .int8).precision == .int8 && backbone.computing(in: .int8).digest == backbone.digest)
    }
}
