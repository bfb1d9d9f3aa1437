import CLIPModel
import Files
import Tensors
import TestSupport
import Testing

/// Attention maps of a SigLIP and a PE-Core beside PyTorch's autograd (Tests/Fixtures/scripts/make_other_towers.py).
@Suite struct OtherTowerTests {
    private static let families = ["siglip", "pe"]
    private static let labels = [1, 4]
    private let pool = WorkerPool(threadCount: 2)

    private func backbone(_ family: String) throws -> Backbone {
        try Backbone.load(
            fixturePath(family == "pe" ? "pe/pe-native.pt" : "siglip/huggingface"), options: CheckpointOptions(heads: HeadCounts(vision: 2, text: 2)))
    }

    /// The fixtures' six pictures as two clips, and five texts.
    private func inputs(_ family: String) throws -> (clips: [Matrix], sequences: [[Int]]) {
        let fixture = try TensorFixture(family == "pe" ? "pe/expected-cls" : "siglip/expected")
        let pixels = try fixture.floats("frames")
        let frames = MutableMatrix(rows: 6, columns: pixels.count / 6, pixels)
        return ([frames.rows(0..<3).reading, frames.rows(3..<6).reading], try texts("ids", of: fixture, family))
    }

    /// A SigLIP's texts with their padding, a PE-Core's up to their end.
    private func texts(_ name: String, of fixture: TensorFixture, _ family: String) throws -> [[Int]] {
        if family == "pe" { return try fixture.sequences(name) }
        let ids = try fixture.integers(name)
        return stride(from: 0, to: ids.count, by: 16).map { Array(ids[$0..<$0 + 16]) }
    }

    private func prompts(_ variant: String, tower: String, layers: Range<Int>, in fixture: TensorFixture) throws -> [MutableMatrix] {
        try layers.map { MutableMatrix(rows: 2, columns: 48, try fixture.floats("\(variant).prompt.\(tower).\($0)")) }
    }

    // MARK: Attention

    /// The pooling alone, and through either of the two blocks below it.
    @Test(arguments: families, [("none", 0), ("shallow", 1), ("deep", 2)])
    func mapsAreThoseOfAutograd(family: String, variant: (name: String, depth: Int)) throws {
        let expected = try TensorFixture("\(family)/attention")
        let (clips, sequences) = try inputs(family)
        let vision = try prompts(variant.name, tower: "visual", layers: 0..<variant.depth, in: expected)
        let classifier = CLIPClassifier(
            backbone: try backbone(family), prompts: PromptSet<Matrix>(vision: vision.map(\.reading), text: []), sequences: sequences, frameCount: 3,
            pool: pool)
        let headCount = family == "pe" ? 8 : 2
        #expect(classifier.poolsTokens && classifier.blockCount == 3 && classifier.headCount == headCount)
        for clip in 0..<2 {
            let name = "\(variant.name).\(clip)"
            let all = try classifier.attention(in: clips[clip], of: .relevance, label: Self.labels[clip], from: 0)
            expectClose(all.logits, try expected.floats("\(name).logits"), tolerance: towerTolerance, "\(name).logits")
            #expect(all.gridSide == 4 && all.blocks.count == 3)
            for start in 0..<3 {
                let wanted = try expected.floats("\(name).relevance.\(start)")
                #expect(wanted.contains { $0 > 0 })
                expectClose(all.blocks[start].flatMap { $0 }, wanted, tolerance: towerTolerance, "\(name).relevance.\(start)")
                let alone = try classifier.attention(in: clips[clip], of: .relevance, label: Self.labels[clip], from: start)
                #expect(alone.blocks[0] == all.blocks[start])
            }
            let heads = try expected.floats("\(name).raw")
            let size = heads.count / headCount
            let parts = (0..<headCount).map { Array(heads[$0 * size..<($0 + 1) * size]) }
            for (head, part) in parts.enumerated() {
                let maps = try classifier.attention(in: clips[clip], of: .raw(head: head), from: 2)
                #expect(maps.blocks.count == 1)
                expectClose(maps.blocks[0].flatMap { $0 }, part, tolerance: towerTolerance, "\(name) head \(head)")
            }
            let mean = try classifier.attention(in: clips[clip], of: .raw(head: nil), from: 2).blocks[0].flatMap { $0 }
            expectClose(mean, (0..<size).map { place in parts.reduce(0) { $0 + $1[place] } / Float(headCount) }, tolerance: towerTolerance, name)
        }
    }
}
