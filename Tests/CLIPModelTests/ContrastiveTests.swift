import CLIPModel
import Tensors
import TestSupport
import Testing

/// The loss over pairs and its gradients against PyTorch (Tests/Fixtures/retrieval/README.md).
@Suite struct ContrastiveTests {
    private let backbone: Backbone
    private let expected: TensorFixture
    private let clips: [Matrix]
    private let captions: [[Int]]
    private let videos: [Int]

    init() throws {
        backbone = try Backbone.load(fixturePath("clip/clip-mini.safetensors"))
        expected = try TensorFixture("retrieval/contrastive")
        let pixels = try expected.floats("frames")
        let length = pixels.count / 5
        let different = (0..<5).map { MutableMatrix(rows: 2, columns: length / 2, Array(pixels[$0 * length..<($0 + 1) * length])).reading }
        let ids = try expected.integers("ids")
        captions = (0..<6).map { row in
            let line = Array(ids[row * 77..<(row + 1) * 77])
            return Array(line[...(line.firstIndex(of: 299) ?? 0)])
        }
        let videos = try expected.integers("videos")
        self.videos = videos
        clips = videos.map { different[$0] }
    }

    private func prompts() throws -> PromptSet<MutableMatrix> {
        func side(_ name: String, _ count: Int) throws -> [MutableMatrix] {
            try (0..<count).map { layer in
                let tensor = "prompts.prompt.\(name).\(layer)"
                let shape = try expected.shape(tensor)
                return MutableMatrix(rows: shape[0], columns: shape[1], try expected.floats(tensor))
            }
        }
        return PromptSet(vision: try side("visual", 2), text: try side("text", 1))
    }

    private func learner(
        _ prompts: PromptSet<MutableMatrix>, threads: Int, budget: MemoryBudget = .standard
    ) -> Learner<PromptPart<Fusion>, SymmetricContrastive> {
        Learner(
            PromptPart(DirectPrompts(prompts, architecture: backbone.architecture), aggregator: Fusion.embedding, on: backbone),
            SymmetricContrastive(), frameCount: 2, pool: WorkerPool(threadCount: threads), budget: budget)
    }

    /// Whether activations are kept, or computed again within a bound that fits one chunk of frames.
    @Test(arguments: [1, 2, 3], [MemoryBudget.standard, .activations(1)])
    func weightGradients(threads: Int, budget: MemoryBudget) throws {
        let learner = Learner(
            weightPart(backbone.parameters.mutableCopy(), of: backbone), SymmetricContrastive(), frameCount: 2,
            pool: WorkerPool(threadCount: threads), budget: budget)
        let gradients = learner.gradients
        learner.begin()
        let (loss, _) = learner.addTogether(clips: clips, captions: captions, videos: videos)
        learner.finish()
        expectClose(Float(loss), try expected.floats("loss")[0], tolerance: towerTolerance, "loss")
        var compared = 0
        for (specification, gradient) in zip(BackboneParameters<TensorSpecification>(of: backbone.architecture).all, gradients.all) {
            let name = "grad." + specification.name
            guard expected.file.contains(name) else { continue }
            expectClose(gradient.values, try expected.floats(name), tolerance: towerTolerance, name)
            compared += 1
        }
        #expect(compared == 14)
    }

    @Test(arguments: [1, 3], [MemoryBudget.standard, .activations(1)])
    func promptGradients(threads: Int, budget: MemoryBudget) throws {
        let prompts = try prompts()
        let learner = learner(prompts, threads: threads, budget: budget)
        let gradients = learner.gradients
        learner.begin()
        let (loss, _) = learner.addTogether(clips: clips, captions: captions, videos: videos)
        learner.finish()
        expectClose(Float(loss), try expected.floats("prompts.loss")[0], tolerance: towerTolerance, "prompts.loss")
        for (layer, gradient) in gradients.vision.enumerated() {
            let name = "prompts.grad.visual.\(layer)"
            expectClose(gradient.values, try expected.floats(name), tolerance: towerTolerance, name)
        }
        for (layer, gradient) in gradients.text.enumerated() {
            let name = "prompts.grad.text.\(layer)"
            expectClose(gradient.values, try expected.floats(name), tolerance: towerTolerance, name)
        }
    }

    /// The loss along a random direction of the prompts, by central differences.
    @Test func finiteDifferences() throws {
        let prompts = try prompts()
        let learner = learner(prompts, threads: 2)
        func loss() -> Double {
            learner.begin()
            defer { learner.finish() }
            return learner.addTogether(clips: clips, captions: captions, videos: videos).loss
        }
        _ = loss()
        let gradients = learner.gradients.all.map(\.values)
        var source = RandomSource(seed: 3, purpose: .test)
        let directions = prompts.all.map { element in (0..<element.count).map { _ in source.normal() } }
        let starts = prompts.all.map(\.values)
        func moved(by step: Float) -> Double {
            for (index, element) in prompts.all.enumerated() { element.fill(with: zip(starts[index], directions[index]).map { $0 + step * $1 }) }
            return loss()
        }
        let step: Float = 3e-4
        let slope = (moved(by: step) - moved(by: -step)) / Double(2 * step)
        let product = zip(gradients, directions).reduce(0.0) { sum, pair in
            sum + zip(pair.0, pair.1).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        }
        #expect(abs(slope - product) < 0.02 * max(abs(product), 0.01), "\(slope) against \(product)")
    }

    @Test func embeddings() throws {
        let encoder = PairEncoder(backbone: backbone, frameCount: 2, pool: WorkerPool(threadCount: 2))
        expectClose(
            try encoder.videos.embeddings(of: clips).values, try expected.floats("video_embeddings"), tolerance: towerTolerance, "videos")
        expectClose(
            try encoder.captions.embeddings(of: captions).values, try expected.floats("text_embeddings"), tolerance: towerTolerance,
            "captions")
    }

    /// A batch in two weights is half of each: what accumulation relies on.
    @Test func weightsScaleGradients() throws {
        func gradient(weight: Float) throws -> [Float] {
            let learner = Learner(
                weightPart(backbone.parameters.mutableCopy(), of: backbone), SymmetricContrastive(), frameCount: 2,
                pool: WorkerPool(threadCount: 2))
            let gradients = learner.gradients
            learner.begin()
            learner.addTogether(clips: clips, captions: captions, videos: videos, weight: weight)
            return (gradients.vision.projection?.values ?? []) + [gradients.logitScale[0, 0]]
        }
        expectClose(try gradient(weight: 0.25).map { 4 * $0 }, try gradient(weight: 1), tolerance: 1e-5, "weighted")
    }

    /// What does not learn has no gradient.
    @Test(arguments: [Tuning.image, .text])
    func tuningLeavesTheRest(tuning: Tuning) throws {
        let learner = Learner(
            weightPart(backbone.parameters.mutableCopy(), of: backbone, tuning: tuning), SymmetricContrastive(), frameCount: 2,
            pool: WorkerPool(threadCount: 2))
        let gradients = learner.gradients
        learner.begin()
        learner.addTogether(clips: clips, captions: captions, videos: videos)
        func isZero(_ elements: [MutableMatrix]) -> Bool { elements.allSatisfy { $0.values.allSatisfy { $0 == 0 } } }
        #expect(isZero(gradients.vision.all) == (tuning == .text))
        #expect(isZero(gradients.text.all) == (tuning == .image))
        #expect(gradients.logitScale[0, 0] == 0)
        let name = tuning == .image ? "visual.conv1.weight" : "text_projection"
        let own = zip(BackboneParameters<TensorSpecification>(of: backbone.architecture).all, gradients.all).first { $0.0.name == name }
        expectClose(own?.1.values ?? [], try expected.floats("grad." + name), tolerance: towerTolerance, name)
    }

    @Test func matches() {
        let matches = PairMatches(videos: [7, 8, 7, 9], captions: [[1, 2], [3], [4], [3]])
        #expect((0..<4).map { matches.target(of: $0) } == [[0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5], [0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5]])
        #expect(PairMatches(captions: [[1], [2], [1]]).target(of: 2) == [0.5, 0, 0.5])
    }

    // MARK: Captions as tokens

    /// 77 − start − end tokens of the mini CLIP; bytes are tokens here.
    @Test func longCaptionsAreCut() throws {
        let tokenizer = TestTokenizer()
        let long = String(repeating: "x", count: 90)
        let made = try backbone.sequences(ofCaptions: ["ab", long], textTokens: 0, template: nil, tokenizer: tokenizer)
        #expect(made.sequences[0] == [298, 97, 98, 299])
        #expect(made.sequences[1] == [298] + [Int](repeating: 120, count: 75) + [299])
        #expect(made.cutCount == 1 && made.tokenLimit == 77)
        // CLIP4Clip's 32 "words" are 30 tokens between start and end.
        let short = try backbone.sequences(ofCaptions: [long], textTokens: 0, template: nil, maxWords: 32, tokenizer: tokenizer)
        #expect(short.sequences[0].count == 32 && short.sequences[0].last == 299)
    }

    @Test func promptsTakeThePlaceOfTheTemplatesStart() throws {
        let tokenizer = TestTokenizer()
        func tokens(_ count: Int, _ template: String?) throws -> [Int] {
            try backbone.sequences(ofCaptions: ["ab"], textTokens: count, template: template, tokenizer: tokenizer).sequences[0]
        }
        #expect(try tokens(0, "c {}.") == [298, 99, 32, 97, 98, 46, 299])
        #expect(try tokens(2, "c {}.") == [298, 0, 0, 97, 98, 46, 299])
        #expect(try tokens(2, nil) == [298, 0, 0, 97, 98, 299])
    }

    @Test func refusesCaptionsWithoutWords() throws {
        #expect(throws: TokenizerError.captions([.init(index: 1, name: " ", problem: .empty)])) {
            try backbone.sequences(ofCaptions: ["a", " "], textTokens: 0, template: nil, tokenizer: TestTokenizer())
        }
        #expect(throws: TokenizerError.noRoomForCaptions(tokens: 77, promptTokens: 75)) {
            try backbone.sequences(ofCaptions: ["a"], textTokens: 75, template: nil, tokenizer: TestTokenizer())
        }
        #expect(throws: TokenizerError.captions([.init(index: 0, name: "a\u{7}", problem: .holdsSpecialToken)])) {
            try backbone.sequences(ofCaptions: ["a\u{7}"], textTokens: 0, template: nil, tokenizer: TestTokenizer())
        }
    }
}

/// Bytes as tokens for the mini CLIP's 300 ids; a bell spells the end token.
private struct TestTokenizer: Tokenizer {
    let startToken: Int? = 298
    let endToken = 299
    let vocabularySize = 300
    func encode(_ text: String) -> [Int] { text.utf8.map { $0 == 7 ? 299 : Int($0) } }
}
