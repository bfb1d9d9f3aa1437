import CLIPModel
import Files
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Vision towers of every form and ways to put frames together as ONNX files, in ONNX Runtime and OpenVINO.
@Suite struct ONNXGraphTests {
    private let pool = WorkerPool(threadCount: 2)
    private let mean: [Float] = [0.48, 0.45, 0.41]
    private let deviation: [Float] = [0.27, 0.26, 0.28]

    private struct Case {
        let name: String
        let classifier: CLIPClassifier
        /// Other than the classifier's, where the graph takes any number.
        var frameCount: Int?
    }

    private func backbone(_ path: String) throws -> Backbone {
        // Files of Perception Encoders do not say how many heads the image tower has.
        try Backbone.load(
            fixturePath(path), options: CheckpointOptions(heads: path.hasPrefix("pe/") ? HeadCounts(vision: 2, text: 2) : nil))
    }

    private func sequences(_ backbone: Backbone) throws -> [[Int]] {
        let end = backbone.architecture.vocabularySize - 1
        guard backbone.architecture.form.isTextCausal else {
            return (0..<5).map { text in (0..<backbone.architecture.contextLength).map { (3 * text + 7 * $0) % 29 + 1 } }
        }
        return (0..<5).map { [end - 1, 7 + $0, 3 + 2 * $0, end] }
    }

    private func prompts(_ backbone: Backbone, vision: Range<Int>, isBehindNorm: Bool = false) -> PromptSet<Matrix> {
        let configuration = PromptConfiguration(visionTokens: 3, visionLayers: vision, textTokens: 0, textLayers: 0..<0, isBehindNorm: isBehindNorm)
        let set = PromptSet<MutableMatrix>(random: configuration, architecture: backbone.architecture, seed: 4)
        // Large enough to change every logit.
        for element in set.vision { element.fill(with: element.values.map { 20 * $0 }) }
        return set.reading
    }

    private func pixels(_ backbone: Backbone) -> PromptSet<Matrix> {
        let area = PixelArea(.padding, width: 4, side: backbone.architecture.imagePixels)
        let configuration = PromptConfiguration(
            visionTokens: 0, visionLayers: 0..<0, textTokens: 0, textLayers: 0..<0, pixels: area)
        return PromptSet<MutableMatrix>(random: configuration, architecture: backbone.architecture, seed: 5).reading
    }

    private func temporal(_ backbone: Backbone, keepsFrames: Bool) -> TemporalFusion {
        let width = backbone.architecture.embeddingWidth
        return TemporalFusion(
            .init(frameCount: 6, layerCount: 2, headCount: 2, keepsFrames: keepsFrames, scale: keepsFrames ? 50 : nil),
            start: .usual(positions: 0.5), width: width, seed: 3)
    }

    private func cases() throws -> [Case] {
        let clip = try backbone("clip/clip-tiny.safetensors")
        let layers = clip.architecture.vision.layerCount
        let texts = try sequences(clip)
        func made(_ aggregator: some VideoAggregator, _ prompts: PromptSet<Matrix>? = nil, on backbone: Backbone? = nil) throws -> CLIPClassifier {
            let backbone = backbone ?? clip
            return CLIPClassifier(
                backbone: backbone, prompts: prompts ?? PromptSet(vision: [], text: []), sequences: try sequences(backbone), aggregator: aggregator,
                frameCount: 3, pool: pool)
        }
        var cases = [
            Case(name: "plain", classifier: try made(Fusion.embedding), frameCount: 5),
            Case(name: "decision", classifier: try made(Fusion.decision, prompts(clip, vision: 0..<layers)), frameCount: 4),
            Case(name: "shared-prompts", classifier: try made(Fusion.embedding, prompts(clip, vision: 0..<layers))),
            Case(name: "late-prompts", classifier: try made(Fusion.image, prompts(clip, vision: 1..<layers))),
            Case(name: "behind-norm", classifier: try made(Fusion.embedding, prompts(clip, vision: 0..<layers, isBehindNorm: true))),
            Case(name: "own-prompts", classifier: try made(Fusion.embedding, prompts(clip, vision: 0..<1))),
            Case(name: "pixels", classifier: try made(Fusion.embedding, pixels(clip))),
            Case(name: "temporal", classifier: try made(temporal(clip, keepsFrames: false))),
            Case(name: "temporal-sum", classifier: try made(temporal(clip, keepsFrames: true), prompts(clip, vision: 0..<layers))),
            Case(
                name: "templates",
                classifier: CLIPClassifier(backbone: clip, sequences: texts + texts.map { Array($0.prefix(2)) + [9] + [$0[3]] }, frameCount: 3, pool: pool) {
                    Fusion.embedding.head(text: $0, templateCount: 2, scale: 10)
                }),
        ]
        for (name, path) in [("perception-encoder", "pe/pe-native.pt"), ("siglip", "siglip/huggingface")] {
            let other = try backbone(path)
            let layers = other.architecture.vision.layerCount
            cases.append(Case(name: name, classifier: try made(Fusion.embedding, on: other)))
            cases.append(Case(name: name + "-shared-prompts", classifier: try made(Fusion.embedding, prompts(other, vision: 0..<layers), on: other)))
            cases.append(Case(name: name + "-own-prompts", classifier: try made(Fusion.embedding, prompts(other, vision: 0..<1), on: other)))
        }
        return cases
    }

    @Test(.enabled(if: OtherRuntimes.areThere, OtherRuntimes.absence))
    func otherRuntimesHaveTheSameLogits() throws {
        let folder = try TemporaryDirectory()
        let cases = try cases()
        for (number, one) in cases.enumerated() {
            let classifier = one.classifier
            let side = classifier.backbone.architecture.imagePixels
            let clips = OtherRuntimes.clips(2, frameCount: one.frameCount ?? 3, side: side, seed: UInt64(number + 1))
            let graph = try #require(classifier.graph(mean: mean, deviation: deviation), "\(one.name)")
            try ONNXWriter.write(graph, facts: ["name": one.name], producer: "test", version: "1", to: folder.path(one.name + ".onnx"))
            let logits = try OtherRuntimes.normalized(clips, mean: mean, deviation: deviation).map { clip in
                try classifier.logits(features: classifier.encoder.features(frames: clip))
            }
            try OtherRuntimes.write(clips: clips, side: side, logits: logits, to: folder.path(one.name + ".safetensors"))
        }
        let outcome = try OtherRuntimes.run("compare_onnx.py", [folder.path])
        #expect(outcome.status == 0, "\(outcome.output)")
        #expect(outcome.output.split(separator: "\n").count { $0.contains(": ONNX Runtime: ") || $0.contains(": OpenVINO: ") } == 2 * cases.count, "\(outcome.output)")
    }

    /// What has no graph says so and makes none.
    @Test func whatHasNoGraph() throws {
        let clip = try backbone("clip/clip-tiny.safetensors")
        let merging = PromptConfiguration(visionTokens: 2, visionLayers: 0..<1, textTokens: 0, textLayers: 0..<0, mergedTokens: 1)
        let prompts = PromptSet<MutableMatrix>(random: merging, architecture: clip.architecture, seed: 1).reading
        let classifier = CLIPClassifier(backbone: clip, prompts: prompts, sequences: try sequences(clip), frameCount: 2, pool: pool)
        #expect(!classifier.hasGraph && classifier.graph(mean: mean, deviation: deviation) == nil)
        #expect(CLIPClassifier(backbone: clip, sequences: try sequences(clip), frameCount: 2, pool: pool).hasGraph)
    }

    /// The text tower's weights are not in the graph, the classes are.
    @Test func theFileIsAsLargeAsTheVisionTower() throws {
        let clip = try backbone("clip/clip-tiny.safetensors")
        let classifier = CLIPClassifier(backbone: clip, sequences: try sequences(clip), frameCount: 2, pool: pool)
        let graph = try #require(classifier.graph(mean: mean, deviation: deviation))
        let folder = try TemporaryDirectory()
        let digests = try (0..<2).map { _ in try ONNXWriter.write(graph, facts: [:], producer: "test", version: "1", to: folder.path("a.onnx")) }
        #expect(digests[0] == digests[1])
        let weights = 4 * (clip.parameters.vision.all.reduce(0) { $0 + $1.count } + 5 * clip.architecture.embeddingWidth)
        let byteCount = try InputFile(path: folder.path("a.onnx")).byteCount
        #expect(byteCount > weights && byteCount < weights + 40_000, "\(byteCount) bytes for \(weights) of weights")
    }
}
