import CLIPModel
import Files
import Tensors
import TestSupport
import Testing

/// Attention maps and text prompts of a SigLIP and a PE-Core beside PyTorch's autograd (Tests/Fixtures/scripts/make_other_towers.py).
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

    // MARK: Text prompts

    private static let variants: [(name: String, layers: Range<Int>)] = [
        ("shallow", 0..<1), ("partial", 0..<2), ("deep", 0..<3), ("late", 1..<3), ("middle", 1..<2),
    ]

    /// The one layer of the text tower three times, so that prompts can be deep.
    private func threefold(_ family: String) throws -> Backbone {
        let backbone = try backbone(family)
        var (architecture, parameters) = (backbone.architecture, backbone.parameters)
        architecture.text.layerCount = 3
        parameters.text.blocks = Array(repeating: parameters.text.blocks[0], count: 3)
        return Backbone(architecture: architecture, parameters: parameters, description: backbone.description)
    }

    private struct Step {
        var result = StepResult()
        let gradients: [MutableMatrix]
        var bits: [UInt32] { ([Float(result.lossSum)] + result.logits.flatMap { $0 } + gradients.flatMap(\.values)).map(\.bitPattern) }
    }

    /// `count` steps of the same prompts; the last one's values.
    private func step(
        _ backbone: Backbone, _ prompts: PromptSet<MutableMatrix>, _ sequences: [[Int]], _ clips: [Matrix], count: Int = 1, threads: Int = 2,
        budget: MemoryBudget = .standard
    ) -> Step {
        let learner = promptLearner(
            backbone: backbone, prompts: prompts, sequences: sequences, fusion: .embedding, frameCount: 3, pool: WorkerPool(threadCount: threads),
            budget: budget)
        var step = Step(gradients: learner.gradients.all)
        for _ in 0..<count {
            step.result = StepResult()
            for gradient in step.gradients { gradient.fill(0) }
            learner.begin()
            learner.add(clips: clips, targets: [[0, 1, 0, 0, 0], [1, 0, 0, 0, 0]], weight: 0.5, to: &step.result)
            learner.finish()
        }
        return step
    }

    @Test(arguments: families, variants.indices)
    func textPromptsAreThoseOfAutograd(family: String, index: Int) throws {
        let (name, layers) = Self.variants[index]
        let expected = try TensorFixture("\(family)/prompts")
        let backbone = try threefold(family)
        let clips = try inputs(family).clips
        let sequences = try texts("sequences", of: expected, family)
        let prompts = PromptSet(
            vision: [], text: try prompts(name, tower: "text", layers: layers, in: expected), textStart: layers.lowerBound)
        try prompts.configuration.check(against: backbone.architecture)
        let once = step(backbone, prompts, sequences, clips)
        expectClose(Float(once.result.lossSum / 2), try expected.floats("\(name).loss")[0], tolerance: towerTolerance, "\(name).loss")
        expectClose(once.result.logits.flatMap { $0 }, try expected.floats("\(name).logits"), tolerance: towerTolerance, "\(name).logits")
        for (layer, gradient) in zip(layers, once.gradients) {
            expectClose(
                gradient.values, try expected.floats("\(name).grad.text.\(layer)"), tolerance: towerTolerance, "\(name).grad.text.\(layer)")
        }
        // What is kept, computed twice or shared out to threads is the same to the bit.
        #expect(step(backbone, prompts, sequences, clips, count: 3).bits == once.bits)
        #expect(step(backbone, prompts, sequences, clips, threads: 1, budget: .activations(1)).bits == once.bits)
        let classifier = CLIPClassifier(backbone: backbone, prompts: prompts.reading, sequences: sequences, frameCount: 3, pool: pool)
        expectClose(
            try classifier.logits(clips: clips).flatMap { $0 }, once.result.logits.flatMap { $0 }, tolerance: 1e-5, "\(name) of the classifier")
    }

    @Test(arguments: families) func textPromptsHaveTheirGradient(family: String) throws {
        let expected = try TensorFixture("\(family)/prompts")
        let prompts = PromptSet(vision: [], text: try prompts("partial", tower: "text", layers: 0..<2, in: expected))
        let learner = promptLearner(
            backbone: try threefold(family), prompts: prompts, sequences: try texts("sequences", of: expected, family), fusion: .embedding, frameCount: 3,
            pool: pool)
        let clips = try inputs(family).clips
        expectSlopes(of: prompts.text, gradients: learner.gradients.text) {
            var result = StepResult()
            learner.begin()
            learner.add(clips: clips, targets: [[0, 1, 0, 0, 0], [1, 0, 0, 0, 0]], weight: 0.5, to: &result)
            learner.finish()
            return result.lossSum / 2
        }
    }

    /// Learned words that stand where prompts of the first layer do are these prompts, with the same gradient.
    @Test func wordsBeforeTheNameArePrompts() throws {
        let expected = try TensorFixture("siglip/prompts")
        let backbone = try threefold("siglip")
        let (clips, sequences) = try inputs("siglip")
        let table = try prompts("shallow", tower: "text", layers: 0..<1, in: expected)[0]
        let places = LearnedWords.context(count: 2, place: .end, classCount: nil)
        let names = sequences.map { tokens in
            LearnedWords.Name(tokens: Array(tokens.dropLast(2)), length: tokens.firstIndex(of: 299) ?? 0, label: 0)
        }
        let worded = places.sequences(of: names, vocabularySize: 300, startCount: 0)
        #expect(worded.allSatisfy { $0.count == 16 && $0.prefix(2) == [300, 301] })
        let words = step(backbone, PromptSet(vision: [], text: [], words: .init(table, places: places)), worded, clips)
        let prompts = step(backbone, PromptSet(vision: [], text: [table]), try texts("sequences", of: expected, "siglip"), clips)
        expectClose(words.result.logits.flatMap { $0 }, prompts.result.logits.flatMap { $0 }, tolerance: 1e-6, "logits")
        expectClose(words.gradients[0].values, prompts.gradients[0].values, tolerance: 1e-5, "gradient")
    }

    // MARK: What texts are made of

    private func tokenizer() throws -> any Tokenizer {
        try SentencePieceTokenizer(path: fixturePath("siglip-tokenizers/siglip.spiece.model"), isSecond: false)
    }

    /// A SigLIP that reads the small vocabulary of the tokenizer's fixtures.
    private func reader() throws -> Backbone {
        let backbone = try threefold("siglip")
        var (architecture, parameters) = (backbone.architecture, backbone.parameters)
        architecture.vocabularySize = try tokenizer().vocabularySize
        var draw = RandomSource(seed: 1, purpose: .weights)
        let tokens = MutableMatrix(rows: architecture.vocabularySize, columns: 48, (0..<architecture.vocabularySize * 48).map { _ in draw.normal() })
        parameters.text.tokenEmbedding = tokens.reading
        return Backbone(architecture: architecture, parameters: parameters, description: backbone.description)
    }

    /// Prompts and words stand before, in or behind the name, the end token and padding behind all; every text fills the context.
    @Test func placesOfWords() throws {
        let (backbone, tokenizer) = (try reader(), try tokenizer())
        let name = tokenizer.encode("a dog")
        let (end, context) = (tokenizer.endToken, backbone.architecture.contextLength)
        func filled(_ tokens: [Int]) -> [Int] { tokens + Array(repeating: tokenizer.paddingToken ?? 0, count: context - tokens.count) }
        func sequence(_ words: LearnedWords?, textTokens: Int = 0) throws -> [Int] {
            let configuration = PromptConfiguration(
                visionTokens: 0, visionLayers: 0..<0, textTokens: textTokens, textLayers: 0..<(textTokens > 0 ? 1 : 0), words: words)
            return try backbone.sequences(of: ["a_dog"], prompts: configuration, template: nil, tokenizer: tokenizer)[0]
        }
        let first = backbone.architecture.vocabularySize
        #expect(try sequence(nil, textTokens: 3) == filled([0, 0, 0] + name + [end]))
        #expect(try sequence(.context(count: 3, place: .middle, classCount: nil)) == filled([first] + name + [first + 1, first + 2, end]))
        #expect(try sequence(.context(count: 3, place: .front, classCount: nil)) == filled(name + [first, first + 1, first + 2, end]))
        // A5's table has a word for each place of the context.
        let behind = first + 2 + name.count
        #expect(try sequence(.around(before: 2, after: 2)) == filled([first, first + 1] + name + [behind, behind + 1, end]))
        let words = PromptConfiguration(
            visionTokens: 0, visionLayers: 0..<0, textTokens: 0, textLayers: 0..<0, words: .context(count: 3, place: .end, classCount: nil))
        let captions = try backbone.sequences(
            ofCaptions: ["a dog", "a dog " + String(repeating: "runs and ", count: 9)], prompts: words, template: nil, tokenizer: tokenizer)
        #expect(captions.sequences[0] == filled([first, first + 1, first + 2] + name + [end]))
        #expect(captions.cutCount == 1 && captions.sequences[1].count == context && captions.sequences[1].last == end)
    }

    /// Prompts that start as a template's words say what the template says, and only those of the first layer can.
    @Test func templatesStartInTheFirstLayer() throws {
        let (backbone, tokenizer) = (try reader(), try tokenizer())
        let names = ["a dog", "riding a horse"]
        let clips = try inputs("siglip").clips
        let words = try backbone.templateTokens("a photo of {}.", tokenizer: tokenizer)
        #expect(words == tokenizer.encode("a photo of") && !words.isEmpty)
        let prompts = try backbone.templatePrompts(tokens: words, layers: 0..<1, pool: pool).map(\.reading)
        func logits(_ prompts: [Matrix]) throws -> [Float] {
            let sequences = try backbone.sequences(of: names, textTokens: prompts.first?.rowCount ?? 0, template: "a photo of {}.", tokenizer: tokenizer)
            return try CLIPClassifier(
                backbone: backbone, prompts: PromptSet<Matrix>(vision: [], text: prompts), sequences: sequences, frameCount: 3, pool: pool
            ).logits(clips: clips).flatMap { $0 }
        }
        expectClose(try logits(prompts), try logits([]), tolerance: 1e-6, "logits")
        #expect(throws: ModelError.prompts(.templateInDeepLayers("a SigLIP"))) {
            _ = try backbone.templatePrompts(tokens: words, layers: 0..<2, pool: pool)
        }
    }

    /// Prompts take the places of padding, so that texts cost forward what they cost without; back, all layers from the first with prompts on.
    @Test func promptsAreCounted() throws {
        let architecture = try threefold("siglip").architecture
        let sequences = [[Int]](repeating: [Int](repeating: 0, count: 16), count: 5)
        func count(_ layers: Range<Int>) -> OperationCount {
            OperationCount(
                architecture, learned: .prompts(PromptConfiguration(visionTokens: 0, visionLayers: 0..<0, textTokens: 2, textLayers: layers)),
                sequences: sequences, frameCount: 1)
        }
        let (width, rows) = (48, 5 * 16)
        let square = width * width, pairs = 5 * 16 * 16
        let block = 12 * square * rows + 2 * pairs * width
        // Of the last layer one row asks.
        let last = square * (2 * rows + 5) + 2 * rows * width + 9 * square * 5
        let projection = 5 * square
        let backBlock = 12 * square * rows + 4 * pairs * width
        let backLast = 9 * square * 5 + 4 * rows * width + square * (2 * rows + 5)
        #expect(count(0..<3).textForward == projection + 2 * block + last && count(0..<3).textCachedPrefix == 0)
        #expect(count(0..<3).textBackward == projection + 2 * backBlock + backLast)
        #expect(count(1..<3).textForward == projection + block + last && count(1..<3).textCachedPrefix == block)
        #expect(count(1..<3).textBackward == projection + backBlock + backLast)
    }
}
