import CLIPModel
import Tensors
import TestSupport
import Testing

/// Attention maps against PyTorch's autograd (Tests/Fixtures/scripts/make_attention.py), which also holds its gradients of
/// probabilities against central differences.
@Suite struct AttentionMapTests {
    private static let labels = [1, 4]

    private func classifier(_ variant: String, fusion: Fusion, threads: Int = 2) throws -> (CLIPClassifier, ModelFixtures) {
        let fixtures = try ModelFixtures()
        let prompts = variant == "none"
            ? PromptSet<MutableMatrix>(vision: [], text: []) : try fixtures.prompts(variant, from: TensorFixture("clip/prompts"))
        return (
            CLIPClassifier(
                backbone: fixtures.backbone, prompts: prompts.reading, sequences: fixtures.sequences, fusion: fusion, frameCount: 3,
                pool: WorkerPool(threadCount: threads)), fixtures
        )
    }

    /// The last block alone, from the middle one on, and through all three.
    @Test(arguments: ["none", "deep", "partial", "shallow"], [Fusion.embedding, .decision])
    func relevanceIsThatOfAutograd(variant: String, fusion: Fusion) throws {
        let (classifier, fixtures) = try classifier(variant, fusion: fusion)
        let expected = try TensorFixture("clip/attention")
        for clip in 0..<2 {
            let name = "\(variant).\(fusion.rawValue).\(clip)"
            let all = try classifier.attention(in: fixtures.clips[clip], of: .relevance, label: Self.labels[clip], from: 0)
            expectClose(all.logits, try expected.floats("\(name).logits"), tolerance: towerTolerance, "\(name).logits")
            #expect(all.gridSide == 4 && all.blocks.count == 3 && all.label == Self.labels[clip])
            for start in 0..<3 {
                let wanted = try expected.floats("\(name).relevance.\(start)")
                #expect(wanted.contains { $0 > 0 })
                expectClose(all.blocks[start].flatMap { $0 }, wanted, tolerance: towerTolerance, "\(name).relevance.\(start)")
                let alone = try classifier.attention(in: fixtures.clips[clip], of: .relevance, label: Self.labels[clip], from: start)
                #expect(alone.blocks[0] == all.blocks[start])
            }
        }
    }

    @Test(arguments: ["none", "deep", "partial", "shallow"])
    func rawAttentionIsPyTorchs(variant: String) throws {
        let (classifier, fixtures) = try classifier(variant, fusion: .embedding)
        let expected = try TensorFixture("clip/attention")
        #expect(classifier.headCount == 2)
        for layer in 0..<3 {
            let name = "\(variant).embedding.1.raw.\(layer)"
            let heads = try expected.floats(name)
            let half = heads.count / 2
            for head in 0..<2 {
                let maps = try classifier.attention(in: fixtures.clips[1], of: .raw(head: head), from: layer)
                expectClose(
                    maps.blocks[0].flatMap { $0 }, Array(heads[head * half..<(head + 1) * half]), tolerance: towerTolerance, "\(name) head \(head)")
            }
            let mean = try classifier.attention(in: fixtures.clips[1], of: .raw(head: nil), from: layer).blocks[0].flatMap { $0 }
            expectClose(mean, (0..<half).map { (heads[$0] + heads[half + $0]) / 2 }, tolerance: towerTolerance, name)
        }
    }

    @Test func mapsAreOfThePredictionByDefaultAndTheSameForAnyThreads() throws {
        let (one, fixtures) = try classifier("partial", fusion: .embedding, threads: 1)
        let (three, _) = try classifier("partial", fusion: .embedding, threads: 3)
        let maps = try one.attention(in: fixtures.clips[0], of: .relevance, from: 0)
        #expect(maps.logits[maps.label] == maps.logits.max())
        #expect(try three.attention(in: fixtures.clips[0], of: .relevance, from: 0).blocks == maps.blocks)
    }

    /// Embeddings are what the logits are made of.
    @Test func embeddingsGiveTheLogits() throws {
        let (classifier, fixtures) = try classifier("deep", fusion: .embedding)
        let (embeddings, logits) = (try classifier.embeddings(clips: fixtures.clips), try classifier.logits(clips: fixtures.clips))
        for (embedding, logits) in zip(embeddings, logits) {
            let unit = MutableMatrix(rows: 1, columns: embedding.count, embedding)
            let again = MutableMatrix(rows: 1, columns: logits.count)
            multiply(unit, .asStored, classifier.text.unit, .transposed, into: again, scale: classifier.backbone.logitScale)
            expectClose(again.values, logits, tolerance: 1e-5)
        }
        let (decision, _) = try self.classifier("deep", fusion: .decision)
        for embedding in try decision.embeddings(clips: fixtures.clips) {
            #expect(abs(embedding.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)
        }
    }
}
