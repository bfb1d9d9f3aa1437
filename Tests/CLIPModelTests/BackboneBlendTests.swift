import CLIPModel
import Foundation
import Tensors
import TestSupport
import Testing

/// Mixtures of two backbones, against logits of PyTorch towers with weights that were mixed by the published formula.
@Suite struct BackboneBlendTests {
    private let fixtures: ModelFixtures
    private let expected: TensorFixture
    private let original: Backbone
    /// As the fixture says: θ + 0.02 cos(1 + flat index), the logit scale + 0.05.
    private let tuned: Backbone

    init() throws {
        fixtures = try ModelFixtures()
        expected = try TensorFixture("clip/patching")
        original = fixtures.backbone
        var parameters = original.parameters.map { element in
            MutableMatrix(
                rows: element.rowCount, columns: element.columnCount,
                element.values.enumerated().map { $1 + Float(0.02 * cos(1 + Double($0))) }).reading
        }
        parameters.logitScale = MutableMatrix(rows: 1, columns: 1, original.parameters.logitScale.values.map { $0 + 0.05 }).reading
        tuned = Backbone(architecture: original.architecture, parameters: parameters, description: original.description)
    }

    private func expectLogits(_ backbone: Backbone, _ name: String, _ fusions: [Fusion] = [.embedding, .decision]) throws {
        for fusion in fusions {
            let classifier = CLIPClassifier(
                backbone: backbone, sequences: fixtures.sequences, fusion: fusion, frameCount: ModelFixtures.frameCount, pool: WorkerPool(threadCount: 2))
            expectClose(
                try classifier.logits(clips: fixtures.clips).flatMap(\.self), try expected.floats("\(name).logits.\(fusion.rawValue)"),
                tolerance: towerTolerance, "\(name) \(fusion)")
        }
    }

    @Test(arguments: [("0.0", Float(0)), ("0.3", 0.3), ("0.5", 0.5), ("1.0", 1)])
    func theRatioIsThatOfTheOriginal(name: String, ratio: Float) throws {
        let blended = try Backbone.blended([(original, ratio), (tuned, 1 - ratio)], named: "mixture")
        try expectLogits(blended, "ratio\(name)")
        let projection = blended.projection.values
        let places = (0..<256).map { $0 * projection.count / 256 }
        expectClose(places.map { projection[$0] }, try expected.floats("ratio\(name).visual.proj@at"), tolerance: 1e-6, "projection")
        #expect(blended.description.name == "mixture" && blended.digest == (ratio == 1 ? original.digest : ratio == 0 ? tuned.digest : blended.digest))
    }

    @Test func threeAreAveraged() throws {
        let further = try Backbone.blended([(tuned, 2), (original, -1)], named: "further")
        try expectLogits(try Backbone.blended([(original, 1 / 3), (tuned, 1 / 3), (further, 1 / 3)], named: "mean"), "average_of_three", [.embedding])
    }

    @Test func onlyAlikeOnesAreMixed() throws {
        let other = CLIPArchitecture(
            vision: .init(width: 64, layerCount: 1), text: .init(width: 64, layerCount: 1), imagePixels: 32, patchPixels: 16, embeddingWidth: 32,
            contextLength: 77, vocabularySize: 300)
        let small = Backbone(
            architecture: other, parameters: BackboneParameters<MutableMatrix>(random: other, seed: 1).map(\.reading), description: original.description)
        #expect { try Backbone.blended([(small, 0.5), (original, 0.5)], named: "x") } throws: { "\($0)".contains("differ in architecture") }
        var description = original.description
        description.tokenizer = description.tokenizer == .bytes ? .clipBPE : .bytes
        let bytes = Backbone(architecture: original.architecture, parameters: original.parameters, description: description)
        #expect { try Backbone.blended([(bytes, 0.5), (original, 0.5)], named: "x") } throws: { "\($0)".contains("differ in tokens") }
    }
}
