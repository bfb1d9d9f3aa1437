import CLIPModel
import Foundation
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Low-rank updates beside CLIP-LoRA's own code, on the small CLIP and six images.
@Suite struct LowRankTests {
    private let fixtures: ModelFixtures
    private let expected: TensorFixture
    private let pool = WorkerPool(threadCount: 2)
    private let labels = [1, 0, 3, 1, 4, 2]

    init() throws {
        fixtures = try ModelFixtures()
        expected = try TensorFixture("lora/lora")
    }

    private var architecture: CLIPArchitecture { fixtures.backbone.architecture }

    /// The frames of both clips, each for itself.
    private var images: [Matrix] { fixtures.clips.flatMap { clip in (0..<clip.rowCount).map { clip.row($0) } } }

    private func sequences() throws -> [[Int]] { try expected.sequences("ids") }

    private func updates(_ prefix: String) throws -> LowRankUpdates {
        let result = LowRankUpdates(rank: 2, architecture: architecture, seed: 1)
        for (name, value) in result.named { value.fill(with: try expected.floats("\(prefix).\(name)")) }
        return result
    }

    /// Theirs has a scale of 100, whatever CLIP has learned.
    private func backbone() -> Backbone {
        var parameters = fixtures.backbone.parameters
        parameters.logitScale = MutableMatrix(rows: 1, columns: 1, [Float(log(100.0))]).reading
        return Backbone(architecture: architecture, parameters: parameters, description: fixtures.backbone.description)
    }

    private func part(_ updates: LowRankUpdates) -> LowRankPart<Fusion> {
        let backbone = backbone()
        return LowRankPart(updates, aggregator: Fusion.embedding, on: backbone, description: backbone.description)
    }

    @Test func logitsLossAndGradientsAreTheirs() throws {
        let part = part(try updates("given"))
        let logits = try part.classifier(sequences: sequences(), frameCount: 1, pool: pool).logits(clips: images)
        expectClose(logits.flatMap(\.self), try expected.floats("logits"), tolerance: towerTolerance, "logits")
        let learner = try Learner(part, SoftCrossEntropy(sequences: sequences()), frameCount: 1, pool: pool)
        var result = StepResult()
        learner.begin()
        learner.add(clips: images, targets: labels.map { label in (0..<5).map { $0 == label ? 1 : 0 } }, weight: 1 / 6, to: &result)
        learner.finish()
        expectClose(Float(result.lossSum / 6), try expected.floats("loss")[0], tolerance: towerTolerance, "loss")
        for tensor in part.tensors { expectClose(tensor.gradient.values, try expected.floats("grad.\(tensor.name)"), tolerance: towerTolerance, tensor.name) }
    }

    /// The authors' file, whose layers are counted with the text tower's first, and their merged weights.
    @Test func theirFileIsMergedAsTheyDo() throws {
        let path = fixturePath("lora/lora_weights.pt")
        let backbone = backbone()
        let file = try LowRankFile.load(path, for: backbone)
        #expect(file.updates.rank == 2 && file.updates.alpha == 1 && file.backboneDigest == nil)
        let merged = file.updates.merged(with: backbone, described: backbone.description, pool: pool)
        for (layer, block) in merged.parameters.text.blocks.enumerated() {
            expectClose(
                block.attentionInput.weight.values, try expected.floats("merged.transformer.resblocks.\(layer).attn.in_proj_weight"), tolerance: 1e-6)
        }
        for (layer, block) in merged.parameters.vision.blocks.enumerated() {
            let values = block.attentionInput.weight.values
            expectClose(
                (0..<256).map { values[$0 * values.count / 256] },
                try expected.floats("merged.visual.transformer.resblocks.\(layer).attn.in_proj_weight@at"), tolerance: 1e-6)
        }
        // Another CLIP has other sizes.
        #expect { try LowRankFile.load(path, for: Backbone.load(fixturePath("clip/clip-mini.safetensors"))) } throws: { "\($0)".contains("lora_weights.pt") }
        #expect { try LowRankFile.load(fixturePath("prompting/coop.pth.tar-8"), for: backbone) } throws: { "\($0)".contains("no low-rank updates") }
    }

    @Test func ourFileKeepsThemForOneBackbone() throws {
        let folder = try TemporaryDirectory()
        let path = folder.path("lora.safetensors")
        let (backbone, updates) = (backbone(), try updates("given"))
        let digest = try LowRankFile(updates, learnedOn: backbone).save(to: path)
        let read = try LowRankFile.load(path, for: backbone)
        try read.check(against: backbone)
        #expect(zip(read.updates.named, updates.named).allSatisfy { $0.name == $1.name && $0.value.values == $1.value.values })
        #expect(try LowRankFile(read.updates, learnedOn: backbone).save(to: folder.path("again.safetensors")) == digest)
        #expect { try read.check(against: fixtures.backbone) } throws: { "\($0)".contains("another they compute something else") }
    }

    /// Nothing changes before the first step, and the number of threads never does.
    @Test func itStartsAtClip() throws {
        let part = part(LowRankUpdates(rank: 4, architecture: architecture, seed: 3))
        let plain = CLIPClassifier(backbone: backbone(), sequences: try sequences(), frameCount: 1, pool: pool)
        let logits = try part.classifier(sequences: sequences(), frameCount: 1, pool: pool).logits(clips: images)
        #expect(try logits == plain.logits(clips: images))
        #expect(part.tensors.reduce(0) { $0 + $1.value.count } == LowRankUpdates.parameterCount(rank: 4, architecture: architecture))
        #expect(LowRankUpdates.parameterCount(rank: 2, architecture: .vitB16) == 184_320)
    }

    @Test func threadsChangeNoBit() throws {
        func gradients(threads: Int) throws -> [[Float]] {
            let part = part(try updates("given"))
            let learner = try Learner(part, SoftCrossEntropy(sequences: sequences()), frameCount: 1, pool: WorkerPool(threadCount: threads))
            var result = StepResult()
            learner.begin()
            learner.add(clips: images, targets: labels.map { label in (0..<5).map { $0 == label ? 1 : 0 } }, weight: 1 / 6, to: &result)
            learner.finish()
            return part.tensors.map(\.gradient.values)
        }
        let one = try gradients(threads: 1)
        for threads in [2, 3, 5] { #expect(try gradients(threads: threads) == one) }
    }
}
