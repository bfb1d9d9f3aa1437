import CLIPModel
import Files
import Foundation
import Methods
import Tensors
import TestSupport
import Testing
import WeightFiles

/// ActionCLIP beside its authors' code: from its own checkpoint, the loss and its gradients, seven steps of three groups of
/// parameters, and the probabilities of sixteen templates.
@Suite struct ActionCLIPTests {
    private let pool = WorkerPool(threadCount: 2)
    private let path = fixturePath("temporal/actionclip-tiny.pt")

    /// The texts of the fixture's batch, whose templates its code drew.
    private struct GivenTexts: BatchObjective {
        let tokens: [[Int]]
        let matching = LabelMatching(sequences: [], seed: 1)
        var limitsScale: Bool { matching.limitsScale }

        func captions(of labels: [Int], step: Int, clips: Range<Int>) -> (tokens: [[Int]], videos: [Int]?) { (tokens, labels) }

        func loss(videos: MutableMatrix, captions: MutableMatrix, scale: Float, matches: PairMatches, weight: Float) -> ContrastiveLoss {
            matching.loss(videos: videos, captions: captions, scale: scale, matches: matches, weight: weight)
        }
    }

    private func name(_ tensor: String) -> String {
        guard tensor.hasPrefix("video.") else { return "clip." + tensor }
        return "fusion." + (tensor == "video.positional_embedding"
            ? "frame_position_embeddings.weight" : "transformer." + tensor.dropFirst("video.".count))
    }

    @Test func equalsItsAuthorsCode() throws {
        let fixture = try TensorFixture("temporal/expected-actionclip")
        func expect(_ values: [Float], _ name: String, tolerance: Float) throws {
            let entries = try fixture.entries(name, besides: values)
            expectClose(entries.actual, entries.expected, tolerance: tolerance, name)
        }
        let (backbone, file) = (try Backbone.load(path), try PromptFile.load(path))
        #expect(file.form == .actionCLIP && file.carriesBackbone)
        #expect(try file.check(against: backbone) == nil)
        let given = try #require(file.video)
        let method = BridgeMethod.actionCLIP
        let design = BridgeMethod.actionCLIPFusion
        #expect(given.configuration == TemporalFusion.Configuration(
            frameCount: 77, layerCount: design.layerCount, headCount: 1, keepsFrames: design.keepsFrames,
            normEpsilon: design.normEpsilon, scale: design.scale))
        let video = TemporalFusion(
            given.configuration, values: given.named.map { MutableMatrix(rows: $0.value.rowCount, columns: $0.value.columnCount, $0.value.values) },
            learns: true, rateFactor: method.rateFactor)
        let pixels = try fixture.floats("images")
        let frameCount = 3
        let size = pixels.count / 4 / frameCount
        let clips = (0..<4).map { MutableMatrix(rows: frameCount, columns: size, Array(pixels[$0 * frameCount * size..<($0 + 1) * frameCount * size])).reading }

        // The mean of the probabilities of sixteen templates, with the factor that its tests have.
        let classifier = CLIPClassifier(backbone: backbone, sequences: try fixture.sequences("test_ids"), frameCount: frameCount, pool: pool) {
            given.head(text: $0, templateCount: 16, scale: backbone.logitScale)
        }
        let probabilities = try classifier.logits(clips: clips).flatMap { logProbabilities(of: $0).map { Float(exp($0)) } }
        try expect(probabilities, "probabilities", tolerance: 1e-4)

        let copy = backbone.parameters.mutableCopy()
        let part = WeightPart(
            parameters: copy, gradients: copy.zeros(), architecture: backbone.architecture, description: backbone.description, trainsTokens: true,
            aggregator: video)
        let learner = Learner(part, GivenTexts(tokens: try fixture.sequences("train_ids")), frameCount: frameCount, pool: pool)
        let tensors = part.tensors
        let labels = try fixture.integers("labels")
        func gradient() -> Float {
            for tensor in tensors { tensor.gradient.fill(0) }
            var result = StepResult()
            learner.begin()
            learner.add(ClipBatch(clips: clips, labels: labels, targets: []), weight: 0.25, to: &result)
            learner.finish()
            return Float(result.lossSum / 4)
        }
        expectClose(gradient(), try fixture.floats("loss")[0], tolerance: 1e-4, "loss")
        for tensor in tensors {
            // Moving the frames' features by a millionth moves these gradients by up to 2.4e-4 (in double precision, with PyTorch): the
            // loss multiplies cosines by 100.
            try expect(tensor.gradient.values, "grad.\(name(tensor.name))", tolerance: 5e-4)
        }

        let adam = AdamW(weightDecay: try #require(method.training.weightDecay))
        #expect(adam.beta2 == 0.98)
        let moments = tensors.map { tensor in (0..<2).map { _ in MutableMatrix(rows: tensor.value.rowCount, columns: tensor.value.columnCount) } }
        let rates = try fixture.floats("train.lr_text_visual_fusion")
        var losses: [Float] = []
        for step in 0..<7 {
            losses.append(gradient())
            let rate = Double(rates[3 * step])
            expectClose(Float(method.rateFactor * rate), rates[3 * step + 2], tolerance: 1e-5, "rate of the transformer")
            for (index, tensor) in tensors.enumerated() {
                adam.update(
                    tensor.value, gradient: tensor.gradient, firstMoment: moments[index][0], secondMoment: moments[index][1],
                    rate: rate * tensor.rateFactor, step: step + 1)
            }
            learner.didStep()
        }
        expectClose(losses, try fixture.floats("train.losses"), tolerance: 1e-3, "losses")
        for tensor in tensors {
            let way = (0..<7).reduce(0.0) { $0 + Double(rates[3 * $1]) * tensor.rateFactor }
            // The transformer's steps are ten times as long.
            try expectLearned(
                tensor.value.values, name(tensor.name), of: fixture, way: way, tolerance: tensor.rateFactor == 1 ? 1e-3 : 5e-3)
        }
    }

    /// Written, read back: the same tensors under the authors' names, in float32.
    @Test func checkpointsGoThereAndBack() throws {
        let folder = try TemporaryDirectory()
        let (backbone, file) = (try Backbone.load(path), try PromptFile.load(path))
        let again = folder.path("again.pt")
        try ActionCLIPCheckpoint.write(file, backbone: backbone, to: again)
        let (before, after) = (try openWeights(path), try openWeights(again))
        let names = Set(before.names.filter { $0.hasPrefix("model_state_dict.") || $0.hasPrefix("fusion_model_state_dict.") })
        #expect(names == Set(after.names))
        for name in names {
            let shape = try before.description(of: name).shape
            #expect(try after.floats(named: name, shape: shape) == before.floats(named: name, shape: shape), "\(name)")
        }
        var ours = file
        ours.header.templates = ["{}", "a video of {}."]
        try ours.save(to: folder.path("ours.safetensors"))
        let read = try PromptFile.load(folder.path("ours.safetensors"))
        #expect(read.useDigest == ours.useDigest && read.useDigest != file.useDigest && read.header.templates == ours.header.templates)
        try PromptAdapter.save(ours, to: folder.path("folder"), name: "x")
        #expect(try PromptFile.load(folder.path("folder")).useDigest == ours.useDigest)
    }

    /// Every clip's sentence is drawn anew in each step, and by its place in the step alone.
    @Test func sentencesAreDrawnByPlace() {
        let objective = LabelMatching(sequences: (0..<16).map { template in (0..<3).map { [template, $0] } }, seed: 5)
        let first = objective.captions(of: [0, 1, 2, 0, 1, 2], step: 3, clips: 0..<6)
        #expect(first.videos == [0, 1, 2, 0, 1, 2] && first.tokens.map { $0[1] } == [0, 1, 2, 0, 1, 2])
        #expect(objective.captions(of: [0, 1, 2], step: 3, clips: 3..<6).tokens == Array(first.tokens[3...]))
        #expect(objective.captions(of: [0, 1, 2, 0, 1, 2], step: 4, clips: 0..<6).tokens != first.tokens)
        let drawn = Set((0..<200).flatMap { objective.captions(of: [0], step: $0, clips: 0..<1).tokens.map { $0[0] } })
        #expect(drawn.count == 16)
    }
}
