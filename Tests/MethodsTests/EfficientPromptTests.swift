import CLIPModel
import Files
import Methods
import Tensors
import TestSupport
import Testing
import WeightFiles

/// A5 and A6 beside their authors' code: texts, videos, logits, loss, gradients and eight steps, from its own checkpoints.
@Suite struct EfficientPromptTests {
    /// What the checkpoints do not say themselves.
    struct Variant: Sendable {
        let depth: Int
        let heads: Int
        let places: LearnedWords
    }

    static let variants = [
        Variant(depth: 1, heads: 1, places: .around(before: 4, after: 4)), Variant(depth: 2, heads: 8, places: .around(before: 5, after: 3)),
    ]
    private let pool = WorkerPool(threadCount: 2)

    private func checkpoint(_ variant: Variant) throws -> PromptFile {
        let source = try openWeights(fixturePath("temporal/depth\(variant.depth).pth.tar"))
        return try #require(try EfficientPromptCheckpoint.prompts(in: source, places: variant.places, headCount: variant.heads))
    }

    /// The CLIP that is in one of the two checkpoints.
    private func backbone() throws -> Backbone { try Backbone.load(fixturePath("temporal/depth2.pth.tar")) }

    @Test(arguments: variants)
    func equalsItsAuthorsCode(_ variant: Variant) throws {
        let fixture = try TensorFixture("temporal/expected-depth\(variant.depth)")
        func expect(_ values: [Float], _ name: String, tolerance: Float) throws {
            let entries = try fixture.entries(name, besides: values)
            expectClose(entries.actual, entries.expected, tolerance: tolerance, name)
        }
        let (file, backbone) = (try checkpoint(variant), try backbone())
        #expect(file.video?.configuration.layerCount == variant.depth)
        if variant.depth == 2 { try file.check(against: backbone) }
        let sequences = variant.places.sequences(
            of: try fixture.sequences("ids").map { LearnedWords.Name(tokens: $0, length: $0.count - 2, label: 0) },
            vocabularySize: backbone.architecture.vocabularySize, startCount: 1)
        let text = try TextEncoder(backbone: backbone, prompts: file.prompts, pool: pool).embeddings(of: sequences)
        try expect(text.values, "text_features_unit", tolerance: 1e-4)

        let table = MutableMatrix(rows: 77, columns: 64, try #require(file.prompts.words).table.values)
        let source = DirectPrompts(
            PromptSet(vision: [], text: [], words: .init(table, places: variant.places)), architecture: backbone.architecture)
        let given = try #require(file.video)
        let video = TemporalFusion(
            given.configuration, values: given.named.map { MutableMatrix(rows: $0.value.rowCount, columns: $0.value.columnCount, $0.value.values) },
            learns: true)
        let part = PromptPart(source, aggregator: video, on: backbone)
        let learner = Learner(part, SoftCrossEntropy(sequences: sequences), frameCount: 6, pool: pool)
        let features = try fixture.floats("features")
        let clips = (0..<4).map { MutableMatrix(rows: 6, columns: 64, Array(features[$0 * 384..<($0 + 1) * 384])).reading }
        let classifier = part.classifier(sequences: sequences, frameCount: 6, pool: pool)
        try expect(try classifier.logits(clips: clips, input: .cachedPrefix).flatMap(\.self), "logits", tolerance: 1e-4)
        let head = VideoHead(video, scale: 1, text: classifier.text)
        try expect(clips.flatMap { head.embedding(features: $0) }, "video_features_unit", tolerance: 1e-4)

        let targets = try fixture.integers("targets").map { label in (0..<6).map { Float($0 == label ? 1 : 0) } }
        let tensors = part.tensors
        func gradient() -> Float {
            for tensor in tensors { tensor.gradient.fill(0) }
            var result = StepResult()
            learner.begin()
            learner.add(ClipBatch(clips: clips, input: .cachedPrefix, targets: targets), weight: 0.25, to: &result)
            learner.finish()
            return Float(result.lossSum / 4)
        }
        expectClose(gradient(), try fixture.floats("loss")[0], tolerance: 1e-4, "loss")
        func name(_ tensor: LearnedTensor) -> String {
            switch tensor.name {
            case "text.words": "embedding.weight"
            case "video.positional_embedding": "temporalEmbedding.weight"
            default: "temporalModelling." + tensor.name.dropFirst("video.".count)
            }
        }
        #expect(tensors.count == 2 + 12 * variant.depth)
        for tensor in tensors { try expect(tensor.gradient.values, "grad.\(name(tensor))", tolerance: 1e-4) }

        let method: PromptMethod = variant.depth == 1 ? .a5 : .a6
        #expect(method.temporal?.layerCount == variant.depth && method.temporal?.keepsFrames == false)
        let training = try #require(method.training)
        var adam = AdamW(weightDecay: training.weightDecay)
        adam.beta2 = training.beta2
        let moments = tensors.map { tensor in (0..<2).map { _ in MutableMatrix(rows: tensor.value.rowCount, columns: tensor.value.columnCount) } }
        var losses: [Float] = []
        for step in 0..<8 {
            losses.append(gradient())
            // Their rate falls by a cosine over so many steps that eight of them are at its start.
            for (index, tensor) in tensors.enumerated() {
                adam.update(
                    tensor.value, gradient: tensor.gradient, firstMoment: moments[index][0], secondMoment: moments[index][1],
                    rate: training.learningRate, step: step + 1)
            }
        }
        expectClose(losses, try fixture.floats("train.losses"), tolerance: 1e-3, "losses")
        for tensor in tensors {
            try expectLearned(tensor.value.values, name(tensor), of: fixture, way: 8 * training.learningRate)
        }
    }

    /// Written, read back and written again: the same tensors under the authors' names.
    @Test(arguments: variants)
    func checkpointsGoThereAndBack(_ variant: Variant) throws {
        let folder = try TemporaryDirectory()
        let file = try checkpoint(variant)
        let path = folder.path("again.pth.tar")
        try EfficientPromptCheckpoint.write(file, backbone: variant.depth == 2 ? try backbone() : nil, to: path)
        let (before, after) = (try openWeights(fixturePath("temporal/depth\(variant.depth).pth.tar")), try openWeights(path))
        let names = Set(before.names.filter { $0.hasPrefix("state_dict.") })
        #expect(names == Set(after.names))
        for name in names {
            let shape = try before.description(of: name).shape
            #expect(try after.description(of: name).shape == shape)
            #expect(try after.floats(named: name, shape: shape) == before.floats(named: name, shape: shape), "\(name)")
        }
        // In our own form, which says what that one leaves out.
        try file.save(to: folder.path("ours.safetensors"))
        let ours = try PromptFile.load(folder.path("ours.safetensors"))
        #expect(ours.tensorsDigest == file.tensorsDigest && ours.header.video == file.header.video)
        #expect(ours.prompts.words?.places == variant.places)
        try PromptAdapter.save(file, to: folder.path("folder"), name: "a5")
        #expect(try PromptFile.load(folder.path("folder")).tensorsDigest == file.tensorsDigest)
    }

    /// Gradients of a transformer that keeps the frames, beside finite differences along the gradient.
    @Test func framesThatAreKept() throws {
        let configuration = TemporalFusion.Configuration(frameCount: 5, layerCount: 2, headCount: 4, keepsFrames: true, normEpsilon: 1e-12)
        let video = TemporalFusion(configuration, start: .normal(0.2), width: 32, seed: 3)
        var random = RandomSource(seed: 4, purpose: .test)
        func drawn(_ rows: Int) -> MutableMatrix { MutableMatrix(rows: rows, columns: 32, (0..<rows * 32).map { _ in random.normal() }) }
        let (frames, weights) = (drawn(4), drawn(1))
        func value() -> Double {
            zip(video.pooled(frames.reading).rows.values, weights.values).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        let gradients = video.tensors.map(\.gradient)
        let frameGradient = MutableMatrix(rows: 4, columns: 32)
        video.pooledBackward(weights, saved: video.pooled(frames.reading).saved, into: frameGradient, tensorGradients: gradients)
        for (matrix, gradient, name) in zip(video.tensors, gradients).map({ ($0.value, $1, $0.name) }) + [(frames, frameGradient, "frames")] {
            let start = matrix.values
            let length = gradient.values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
            let step = 1e-2
            func moved(_ distance: Double) -> Double {
                matrix.fill(with: zip(start, gradient.values).map { $0 + Float(distance * Double($1) / length) })
                return value()
            }
            let slope = (moved(step) - moved(-step)) / (2 * step)
            matrix.fill(with: start)
            #expect(abs(slope - length) < 0.02 * length, "\(name): \(slope) beside \(length)")
        }
    }

    /// What learning starts from has the deviations of its authors' code.
    @Test func startsAsItsAuthorsDo() throws {
        let video = try #require(PromptMethod.a6.temporal).fusion(layerCount: nil, frameCount: 16, width: 512, seed: 1)
        let values = Dictionary(uniqueKeysWithValues: video.named.map { ($0.specification.name, $0.value.values) })
        func deviation(_ name: String) throws -> Float {
            let numbers = try #require(values[name])
            return (numbers.reduce(0) { $0 + $1 * $1 } / Float(numbers.count)).squareRoot()
        }
        // Of uniform numbers the bound over √3: Xavier's √(6/(512 + 1536)), and 1/√inputs.
        expectClose(try deviation("resblocks.1.attn.in_proj_weight"), (6.0 / 2048 / 3 as Float).squareRoot(), tolerance: 0.03)
        expectClose(try deviation("resblocks.0.mlp.c_proj.weight"), (1.0 / 2048 / 3 as Float).squareRoot(), tolerance: 0.03)
        expectClose(try deviation("resblocks.0.attn.out_proj.weight"), (1.0 / 512 / 3 as Float).squareRoot(), tolerance: 0.03)
        expectClose(try deviation("positional_embedding"), 0.01, tolerance: 0.03)
        #expect(try deviation("resblocks.0.ln_1.weight") == 1 && deviation("resblocks.0.attn.out_proj.bias") == 0)
        #expect(try deviation("resblocks.0.mlp.c_fc.bias") > 0.02)
        #expect(video.configuration.headCount == 8 && video.tensors.reduce(0) { $0 + $1.value.count } + 77 * 512 == 6_352_384)
    }
}
