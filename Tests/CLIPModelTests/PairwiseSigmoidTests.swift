import CLIPModel
import Tensors
import TestSupport
import Testing

/// A SigLIP's own loss over pairs, and its gradients, beside PyTorch's autograd (Tests/Fixtures/scripts/make_other_towers.py).
@Suite struct PairwiseSigmoidTests {
    private let backbone: Backbone
    private let clips: [Matrix]
    private let captions: [[Int]]

    init() throws {
        backbone = try Backbone.load(fixturePath("siglip/huggingface"), options: CheckpointOptions(heads: HeadCounts(vision: 2, text: 2)))
        let given = try TensorFixture("siglip/expected")
        let (pixels, ids) = (try given.floats("frames"), try given.integers("ids"))
        clips = (0..<6).map { MutableMatrix(rows: 1, columns: pixels.count / 6, Array(pixels[$0 * pixels.count / 6..<($0 + 1) * pixels.count / 6])).reading }
        captions = [1, 0, 3, 1, 4, 2].map { Array(ids[$0 * 16..<($0 + 1) * 16]) }
    }

    /// All weights, the temperature and the bias learn.
    @Test func lossAndGradientsEqualPyTorch() throws {
        let expected = try TensorFixture("siglip/pairs")
        let part = weightPart(backbone.parameters.mutableCopy(), of: backbone)
        let bias = try #require(part.logitBias)
        let learner = Learner(part, PairwiseSigmoid(bias: bias), frameCount: 1, pool: WorkerPool(threadCount: 2))
        #expect(learner.objective.tensors.map(\.name) == ["logit_bias"] && !learner.objective.limitsScale)
        learner.begin()
        let (loss, _) = learner.addTogether(clips: clips, captions: captions)
        learner.finish()
        expectClose(Float(loss), try expected.floats("loss")[0], tolerance: towerTolerance, "loss")
        var compared = 0
        for (specification, gradient) in zip(BackboneParameters<TensorSpecification>(of: backbone.architecture).all, learner.gradients.all)
        where expected.file.contains("grad." + specification.name) {
            expectClose(gradient.values, try expected.floats("grad." + specification.name), tolerance: towerTolerance, specification.name)
            compared += 1
        }
        #expect(compared == 7)
    }

    /// Two pairs whose products are written down: the loss, and what each pair gives back.
    @Test func byHand() throws {
        let bias = MutableMatrix(rows: 1, columns: 1, [-1])
        let biasGradient = MutableMatrix(rows: 1, columns: 1)
        let objective = PairwiseSigmoid(
            bias: LogitBias(value: bias.reading, learned: LearnedTensor(name: "logit_bias", value: bias, gradient: biasGradient)))
        let videos = MutableMatrix(rows: 2, columns: 2, [1, 0, 0, 1]), captions = MutableMatrix(rows: 2, columns: 2, [1, 0, 0.6, 0.8])
        // Logits 2 · cosine − 1: 1 and 0.2 above, −1 and 0.6 below.
        let loss = objective.loss(videos: videos, captions: captions, scale: 2, matches: PairMatches(captions: [[1], [2]]), weight: 1)
        // log(1 + e^−1) + log(1 + e^0.2) + log(1 + e^−1) + log(1 + e^−0.6), over two pairs.
        expectClose(Float(loss.loss), (0.3132617 + 0.7981389 + 0.3132617 + 0.4374877) / 2, tolerance: 1e-5, "loss")
        #expect(loss.accuracy == 1)
        objective.addGradients(of: loss)
        // −σ(−1) + σ(0.2) + σ(−1) − σ(−0.6), over two pairs.
        expectClose(biasGradient[0, 0], (0.5498340 - 0.3543437) / 2, tolerance: 1e-5, "bias")
        // Pairs that say the same belong together.
        let same = objective.loss(videos: videos, captions: captions, scale: 2, matches: PairMatches(captions: [[1], [1]]), weight: 1)
        expectClose(Float(same.loss), (0.3132617 + 0.5981389 + 1.3132617 + 0.4374877) / 2, tolerance: 1e-5, "all of one caption")
    }

    /// The bias learns with the temperature alone.
    @Test(arguments: [Tuning.both, .image, .text]) func biasLearnsWithTheTemperature(tuning: Tuning) throws {
        let part = weightPart(backbone.parameters.mutableCopy(), of: backbone, tuning: tuning)
        #expect(try #require(part.logitBias).learned?.name == (tuning == .both ? "logit_bias" : nil))
        let clip = try Backbone.load(fixturePath("clip/clip-mini.safetensors"))
        #expect(weightPart(clip.parameters.mutableCopy(), of: clip).logitBias == nil)
    }
}
