import CLIPModel
import Files
import Foundation
import Methods
import Tensors
import TestSupport
import Testing
import WeightFiles

/// X-CLIP beside its authors' code: from its own checkpoint and from one of transformers with other numbers of heads, scores,
/// loss and gradients, and eight steps of its groups of parameters.
@Suite struct XCLIPTests {
    private let pool = WorkerPool(threadCount: 2)
    private let path = fixturePath("xclip/xclip-tiny.pth")

    /// The clips of the fixture, a video each.
    private func clips(_ fixture: TensorFixture, frameCount: Int) throws -> [Matrix] {
        let pixels = try fixture.floats("frames")
        let size = pixels.count / 2 / frameCount
        return (0..<2).map { clip in
            MutableMatrix(rows: frameCount, columns: size, Array(pixels[clip * frameCount * size..<(clip + 1) * frameCount * size])).reading
        }
    }

    /// What `bridge --method x-clip` learns with.
    private func part(of backbone: Backbone) throws -> WeightPart<CrossFrameHead> {
        let copy = backbone.parameters.mutableCopy()
        let gradients = copy.zeros()
        let head = CrossFrameHead(
            architecture: backbone.architecture, parameters: try #require(copy.crossFrame), gradients: gradients.crossFrame,
            rateFactor: 10)
        return WeightPart(
            parameters: copy, gradients: gradients, architecture: backbone.architecture, description: backbone.description, tuning: .image,
            aggregator: head, messageRateFactor: 10)
    }

    @Test func equalsItsAuthorsCode() throws {
        let fixture = try TensorFixture("xclip/expected")
        func expect(_ values: [Float], _ name: String, tolerance: Float) throws {
            let entries = try fixture.entries(name, besides: values)
            expectClose(entries.actual, entries.expected, tolerance: tolerance, name)
        }
        let backbone = try Backbone.load(path)
        #expect(backbone.architecture.crossFrame == CrossFrameArchitecture(frameCount: 4, width: 64))
        #expect(backbone.description.normalization == .imageNet)
        let clips = try clips(fixture, frameCount: 4)
        let sequences = try fixture.sequences("ids")
        let classifier = CLIPClassifier(backbone: backbone, sequences: sequences, frameCount: 4, pool: pool)
        try expect(try classifier.logits(clips: clips).flatMap(\.self), "logits", tolerance: 1e-4)
        let (videos, width) = (try fixture.floats("video_features"), 64)
        for (index, embedding) in try classifier.embeddings(clips: clips).enumerated() {
            let video = Array(videos[index * width..<(index + 1) * width])
            let length = video.reduce(0) { $0 + $1 * $1 }.squareRoot()
            expectClose(embedding, video.map { $0 / length }, tolerance: 1e-4, "video features")
        }

        let part = try part(of: backbone)
        let learner = Learner(part, SoftCrossEntropy(sequences: sequences), frameCount: 4, pool: pool)
        let targets = try fixture.floats("target")
        let batch = ClipBatch(clips: clips, labels: [0, 0], targets: [Array(targets[0..<5]), Array(targets[5...])])
        func gradient() -> Float {
            var result = StepResult()
            learner.begin()
            learner.add(batch, weight: 0.5, to: &result)
            learner.finish()
            return Float(result.lossSum / 2)
        }
        expectClose(gradient(), try fixture.floats("loss")[0], tolerance: 1e-4, "loss")
        // The towers' text side and the temperature do not learn.
        let learned = part.tensors
        #expect(Set(learned.map(\.name)).count == learned.count)
        for tensor in learned { try expect(tensor.gradient.values, "grad.\(tensor.name)", tolerance: 1e-4) }

        let base = 8e-4, floor = 8e-6
        let adam = AdamW(weightDecay: 1e-3)
        let moments = learned.map { tensor in (0..<2).map { _ in MutableMatrix(rows: tensor.value.rowCount, columns: tensor.value.columnCount) } }
        var losses: [Float] = []
        for (step, rate) in try fixture.floats("train.lr").map(Double.init).enumerated() {
            for tensor in learned { tensor.gradient.fill(0) }
            losses.append(gradient())
            for (index, tensor) in learned.enumerated() {
                var adam = adam
                if !tensor.decays { adam.weightDecay = 0 }
                // All groups fall to a hundredth of the slowest one's rate, as timm's schedule has one floor for all.
                let share = (rate - floor) / (base - floor)
                let own = tensor.rateFactor == 1 || step < 3 ? rate * tensor.rateFactor : floor + share * (tensor.rateFactor * base - floor)
                adam.update(
                    tensor.value, gradient: tensor.gradient, firstMoment: moments[index][0], secondMoment: moments[index][1], rate: own,
                    step: step + 1)
            }
            learner.didStep()
        }
        expectClose(losses, try fixture.floats("train.losses"), tolerance: 1e-3, "losses")
        for tensor in learned {
            let way = try fixture.floats("train.lr").reduce(0.0) { $0 + Double($1) * tensor.rateFactor }
            try expectLearned(tensor.value.values, tensor.name, of: fixture, way: way)
        }
    }

    /// A folder of transformers says how many heads there are, and names its tensors in its own way.
    @Test func readsFoldersOfTransformers() throws {
        let (inputs, fixture) = (try TensorFixture("xclip/expected"), try TensorFixture("xclip/expected-heads"))
        let backbone = try Backbone.load(fixturePath("xclip/heads"))
        let crossFrame = try #require(backbone.architecture.crossFrame)
        #expect(backbone.architecture.headCounts == HeadCounts(vision: 4, text: 2))
        #expect(crossFrame.frameHeadCount == 4 && crossFrame.promptHeadCount == 2)
        let clips = try clips(inputs, frameCount: crossFrame.frameCount)
        let sequences = try inputs.sequences("ids")
        let classifier = CLIPClassifier(backbone: backbone, sequences: sequences, frameCount: crossFrame.frameCount, pool: pool)
        expectClose(try classifier.logits(clips: clips).flatMap(\.self), try fixture.floats("logits"), tolerance: 1e-4, "logits")

        let targets = try inputs.floats("target")
        let part = try part(of: backbone)
        let learner = Learner(part, SoftCrossEntropy(sequences: sequences), frameCount: crossFrame.frameCount, pool: pool)
        var result = StepResult()
        learner.begin()
        learner.add(
            ClipBatch(clips: clips, labels: [0, 0], targets: [Array(targets[0..<5]), Array(targets[5...])]), weight: 0.5, to: &result)
        learner.finish()
        expectClose(Float(result.lossSum / 2), try fixture.floats("loss")[0], tolerance: 1e-4, "loss")
        let learned = part.tensors
        // This model is steep: moving its pixels by a millionth moves gradients by up to 6.5e-5 of the largest.
        let tolerance: Float = 3e-4
        let names = [
            "mit.positional_embedding": "mit.position_embedding", "prompts_visual_proj": "prompts_visual_projection",
            "prompts_generator.norm.weight": "prompts_generator.layernorm.weight", "prompts_generator.alpha": "prompts_generator.alpha",
            "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
            "visual.transformer.resblocks.0.message_fc.weight": "vision_model.encoder.layers.0.message_fc.weight",
            "mit.resblocks.0.mlp.c_fc.weight": "mit.encoder.layers.0.mlp.fc1.weight",
        ]
        for (ours, theirs) in names {
            let tensor = try #require(learned.first { $0.name == ours })
            let entries = try fixture.entries("grad.\(theirs)", besides: tensor.gradient.values)
            expectClose(entries.actual, entries.expected, tolerance: tolerance, theirs)
        }
        // Queries, keys and values lie one below the other.
        let message = try #require(learned.first { $0.name == "visual.transformer.resblocks.1.message_attn.in_proj_weight" })
        let parts = ["q", "k", "v"].map { "grad.vision_model.encoder.layers.1.message_attn.\($0)_proj.weight" }
        let third = message.gradient.count / 3
        for (part, name) in parts.enumerated() {
            let entries = try fixture.entries(name, besides: Array(message.gradient.values[part * third..<(part + 1) * third]))
            expectClose(entries.actual, entries.expected, tolerance: tolerance, name)
        }
    }

    /// Written as a backbone file and read again: the same model, whose heads are told.
    @Test(arguments: ["xclip/xclip-tiny.pth", "xclip/heads"]) func backboneFilesGoThereAndBack(source: String) throws {
        let folder = try TemporaryDirectory()
        let backbone = try Backbone.load(fixturePath(source))
        let (saved, imported) = (folder.path("saved.safetensors"), folder.path("imported.safetensors"))
        try backbone.save(to: saved)
        let report = try Checkpoint(path: fixturePath(source)).write(to: imported)
        #expect(report.backboneDigest == backbone.digest)
        for path in [saved, imported] {
            let again = try Backbone.load(path)
            #expect(again.digest == backbone.digest && again.architecture == backbone.architecture)
        }
    }

    /// A folder for transformers has the names, shapes and values of the one that it wrote itself.
    @Test func foldersOfTransformersGoThereAndBack() throws {
        let folder = try TemporaryDirectory()
        let backbone = try Backbone.load(fixturePath("xclip/heads"))
        try backbone.writeHuggingFace(to: folder.path("again"))
        let (theirs, ours) = (try openWeights(fixturePath("xclip/heads")), try openWeights(folder.path("again")))
        #expect(Set(theirs.names) == Set(ours.names))
        for name in theirs.names {
            let shape = try theirs.description(of: name).shape
            #expect(try ours.description(of: name).shape == shape, "\(name)")
            #expect(try ours.floats(named: name, shape: shape) == theirs.floats(named: name, shape: shape), "\(name)")
        }
        let again = try Backbone.load(folder.path("again"))
        #expect(again.digest == backbone.digest && again.architecture == backbone.architecture)
        #expect(throws: ModelError.notAnXCLIP) {
            var plain = backbone.parameters
            plain.crossFrame = nil
            var architecture = backbone.architecture
            architecture.crossFrame = nil
            try Backbone(architecture: architecture, parameters: plain, description: backbone.description).writeXCLIP(to: folder.path("x.pth"))
        }
    }

    /// The authors' names and shapes.
    @Test func checkpointsGoThereAndBack() throws {
        let folder = try TemporaryDirectory()
        let backbone = try Backbone.load(path)
        try backbone.writeXCLIP(to: folder.path("again.pth"))
        let (theirs, ours) = (try openWeights(path), try openWeights(folder.path("again.pth")))
        let names = theirs.names.filter { $0.hasPrefix("model.") }
        #expect(Set(names) == Set(ours.names))
        for name in names {
            let shape = try theirs.description(of: name).shape
            #expect(try ours.floats(named: name, shape: shape) == theirs.floats(named: name, shape: shape), "\(name)")
        }
    }

    /// Chunks that do not fit the memory are computed twice, and workers share out clips: the numbers stay.
    @Test func neitherMemoryNorThreadsChangeAnything() throws {
        let fixture = try TensorFixture("xclip/expected")
        let backbone = try Backbone.load(path)
        let (clips, sequences) = (try clips(fixture, frameCount: 4), try fixture.sequences("ids"))
        func gradients(threads: Int, budget: MemoryBudget) throws -> [[Float]] {
            let part = try part(of: backbone)
            let learner = Learner(
                part, SoftCrossEntropy(sequences: sequences), frameCount: 4, pool: WorkerPool(threadCount: threads), budget: budget)
            var result = StepResult()
            learner.begin()
            learner.add(
                ClipBatch(clips: clips + clips, labels: [0, 0, 0, 0], targets: [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0]]),
                weight: 0.25, to: &result)
            learner.finish()
            return part.tensors.map(\.gradient.values)
        }
        let reference = try gradients(threads: 2, budget: .standard)
        #expect(try gradients(threads: 1, budget: .standard) == reference)
        #expect(try gradients(threads: 2, budget: .activations(0)) == reference)
    }
}
