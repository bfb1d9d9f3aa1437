import CLIPModel
import Files
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Prompts that begin above the first layer: values against PyTorch in double precision
/// (Tests/Fixtures/scripts/make_late_prompts.py), work against the layers that are left.
@Suite struct LatePromptTests {
    private static let variants: [(name: String, vision: Range<Int>, text: Range<Int>)] = [
        ("late_vision", 1..<3, 0..<2), ("late_both", 1..<3, 1..<2), ("last", 2..<3, 1..<2), ("middle", 1..<2, 0..<1),
        ("late_text", 0..<0, 1..<2),
    ]

    private func prompts(
        _ name: String, _ vision: Range<Int>, _ text: Range<Int>, from fixture: TensorFixture
    ) throws -> PromptSet<MutableMatrix> {
        func side(_ tower: String, _ layers: Range<Int>) throws -> [MutableMatrix] {
            try layers.map { layer in
                let tensor = "\(name).prompt.\(tower).\(layer)"
                let shape = try fixture.shape(tensor)
                return MutableMatrix(rows: shape[0], columns: shape[1], try fixture.floats(tensor))
            }
        }
        return PromptSet(
            vision: try side("visual", vision), text: try side("text", text), visionStart: vision.lowerBound, textStart: text.lowerBound)
    }

    private struct Step {
        var result = StepResult()
        let gradients: PromptSet<MutableMatrix>
        var all: [Float] { [Float(result.lossSum)] + result.logits.flatMap { $0 } + gradients.all.flatMap(\.values) }
    }

    /// `steps` steps of the same prompts; the last one's values.
    private func step(
        _ fixtures: ModelFixtures, _ prompts: PromptSet<MutableMatrix>, input: ClipInput, steps: Int = 1, threads: Int = 2,
        budget: MemoryBudget = .standard
    ) -> Step {
        let learner = promptLearner(
            backbone: fixtures.backbone, prompts: prompts, sequences: fixtures.sequences, fusion: .embedding,
            frameCount: ModelFixtures.frameCount, pool: WorkerPool(threadCount: threads), budget: budget)
        let clips = input == .pixels ? fixtures.clips : learner.cachedPrefix(of: fixtures.clips)
        if input == .cachedPrefix { #expect(clips.allSatisfy { 4 * $0.count == learner.cachedPrefixBytes }) }
        var step = Step(gradients: learner.gradients)
        for _ in 0..<steps {
            step.result = StepResult()
            for gradient in learner.gradients.all { gradient.fill(0) }
            learner.begin()
            learner.add(clips: clips, input: input, targets: fixtures.targets, weight: 0.5, to: &step.result)
            learner.finish()
        }
        return step
    }

    // MARK: Values

    @Test(arguments: variants.indices)
    func gradientsAreThoseOfPyTorch(index: Int) throws {
        let (name, vision, text) = Self.variants[index]
        let fixtures = try ModelFixtures()
        let expected = try TensorFixture("clip/late-prompts")
        let prompts = try prompts(name, vision, text, from: expected)
        #expect(prompts.configuration.visionLayers == vision && prompts.configuration.textLayers == text)
        for input in [ClipInput.pixels, .cachedPrefix] {
            let step = step(fixtures, prompts, input: input)
            expectClose(Float(step.result.lossSum / 2), try expected.floats("\(name).loss")[0], tolerance: towerTolerance, "\(name).loss")
            expectClose(
                step.result.logits.flatMap { $0 }, try expected.floats("\(name).logits"), tolerance: towerTolerance, "\(name).logits")
            for (tensor, gradient) in step.gradients.named {
                let tensor = tensor.replacing("vision.", with: "visual.")
                expectClose(
                    gradient.values, try expected.floats("\(name).grad.\(tensor)"), tolerance: towerTolerance, "\(name).grad.\(tensor)")
            }
        }
    }

    /// What is computed once is what would be computed anew, bit by bit: in later steps, with other threads, and
    /// where activations are computed twice.
    @Test(arguments: variants.indices)
    func cachedPrefixesChangeNothing(index: Int) throws {
        let (name, vision, text) = Self.variants[index]
        let fixtures = try ModelFixtures()
        let prompts = try prompts(name, vision, text, from: TensorFixture("clip/late-prompts"))
        let expected = step(fixtures, prompts, input: .pixels, threads: 1).all.map(\.bitPattern)
        for input in [ClipInput.pixels, .cachedPrefix] {
            #expect(step(fixtures, prompts, input: input, steps: 3).all.map(\.bitPattern) == expected, "\(name)")
            #expect(step(fixtures, prompts, input: input, threads: 3, budget: .activations(1)).all.map(\.bitPattern) == expected, "\(name)")
        }
    }

    /// Learner and classifier agree, on pixels and on what the learner froze.
    @Test(arguments: variants.indices)
    func classifiersSeeTheSame(index: Int) throws {
        let (name, vision, text) = Self.variants[index]
        let fixtures = try ModelFixtures()
        let prompts = try prompts(name, vision, text, from: TensorFixture("clip/late-prompts"))
        let pool = WorkerPool(threadCount: 2)
        let classifier = CLIPClassifier(
            backbone: fixtures.backbone, prompts: prompts.reading, sequences: fixtures.sequences, frameCount: 3, pool: pool)
        let learner = promptLearner(
            backbone: fixtures.backbone, prompts: prompts, sequences: fixtures.sequences, fusion: .embedding, frameCount: 3,
            pool: pool)
        let direct = try classifier.logits(clips: fixtures.clips)
        let cached = try classifier.logits(clips: learner.cachedPrefix(of: fixtures.clips), input: .cachedPrefix)
        #expect(direct == cached)
        expectClose(
            direct.flatMap { $0 }, step(fixtures, prompts, input: .pixels).result.logits.flatMap { $0 }, tolerance: 1e-5, name)
    }

    /// The text prompts' own places are read by layers below them, and by nobody else.
    @Test func lowerTextLayersReadTheTemplate() throws {
        let fixtures = try ModelFixtures()
        let fixture = try TensorFixture("clip/late-prompts")
        func logits(_ variant: Int, word: Int) throws -> [[Float]] {
            let (name, vision, text) = Self.variants[variant]
            let prompts = try prompts(name, vision, text, from: fixture)
            let tokens = prompts.configuration.textTokens
            let classifier = CLIPClassifier(
                backbone: fixtures.backbone, prompts: prompts.reading,
                sequences: fixtures.sequences.map { [$0[0]] + Array(repeating: word, count: tokens) + $0.dropFirst(1 + tokens) },
                frameCount: 3, pool: WorkerPool(threadCount: 1))
            return try classifier.logits(clips: fixtures.clips)
        }
        #expect(try logits(0, word: 7) == logits(0, word: 8), "from the first layer on, prompts stand in for words")
        #expect(try logits(1, word: 7) != logits(1, word: 8))
    }

    // MARK: Words below

    /// The last words of the template stand in the prompts' places, placeholders before them.
    @Test(arguments: [2, 13, 15])
    func placesBelowHoldTheTemplate(count: Int) throws {
        let backbone = try pocketSized()
        let tokenizer = ByteTokenizer()
        let late = PromptConfiguration(visionTokens: 0, visionLayers: 0..<0, textTokens: count, textLayers: 1..<2)
        let sequence = try backbone.sequences(of: ["run"], prompts: late, template: "a photo of a {}.", tokenizer: tokenizer)[0]
        let words = tokenizer.encode("a photo of a run").dropLast(3)
        let fillers = Array(repeating: tokenizer.encode("X")[0], count: max(0, count - words.count)) + words.suffix(count)
        #expect(Array(sequence[1..<1 + count]) == fillers)
        #expect(Array(sequence[(1 + count)...].dropLast()) == tokenizer.encode("run."))
        // Prompts from the first layer on leave nothing to read there, as ever.
        let deep = PromptConfiguration(visionTokens: 0, visionDepth: 0, textTokens: count, textDepth: 2)
        let plain = try backbone.sequences(of: ["run"], prompts: deep, template: nil, tokenizer: tokenizer)[0]
        #expect(plain[1..<1 + count].allSatisfy { $0 == 0 } && plain[(1 + count)...] == sequence[(1 + count)...])
    }

    /// The template's own hidden states as prompts say what the template says.
    @Test func lateTemplatePromptsStartAtZeroShot() throws {
        let backbone = try pocketSized()
        let (tokenizer, pool) = (ByteTokenizer(), WorkerPool(threadCount: 1))
        let words = try backbone.templateTokens("a photo of a {}.", tokenizer: tokenizer)
        let prompts = try backbone.templatePrompts(tokens: words, layers: 1..<2, pool: pool).map(\.reading)
        let late = PromptConfiguration(visionTokens: 0, visionLayers: 0..<0, textTokens: words.count, textLayers: 1..<2)
        func features(_ prompts: [Matrix], _ configuration: PromptConfiguration) throws -> [Float] {
            CLIPClassifier(
                backbone: backbone, prompts: PromptSet(vision: [], text: prompts, textStart: configuration.textLayers.lowerBound),
                sequences: try backbone.sequences(
                    of: ["run", "sit down"], prompts: configuration, template: "a photo of a {}.", tokenizer: tokenizer),
                frameCount: 1, pool: pool
            ).text.unit.values
        }
        expectClose(try features(prompts, late), try features([], .none), tolerance: 1e-5, "features")
    }

    private func pocketSized() throws -> Backbone {
        let architecture = CLIPArchitecture(
            vision: .init(width: 64, layerCount: 1), text: .init(width: 64, layerCount: 2), imagePixels: 32, patchPixels: 16,
            embeddingWidth: 32, contextLength: 77, vocabularySize: 258)
        return Backbone(
            architecture: architecture, parameters: BackboneParameters(random: architecture, seed: 2).map(\.reading),
            description: BackboneDescription(name: "small", normalization: .clip, tokenizer: .bytes, provenance: "random"))
    }

    // MARK: Spelling

    @Test func layersAreSpelled() {
        #expect(PromptLayers("6-11")?.range == 6..<12 && PromptLayers("6")?.range == 6..<7 && PromptLayers("none")?.range == 0..<0)
        #expect(PromptLayers("0-0")?.text == "0" && PromptLayers(6..<12).text == "6-11" && PromptLayers(4..<4).text == "none")
        for text in ["", "-", "6-", "-6", "11-6", "1-2-3", "a", "6-b", " 6", "+6", "1000", "99999999999999999999", "0-1000", "６"] {
            #expect(PromptLayers(text) == nil, "\(text)")
        }
        #expect(PromptLayers.complaint(about: "11-6") == "11-6 ends before it begins; write 6-11.")
        #expect(PromptLayers.complaint(about: "x").hasPrefix("\"x\" names no layers; write layers counted from 0"))
    }

    @Test func layersMustBeThere() throws {
        let architecture = try ModelFixtures().backbone.architecture
        let late = PromptConfiguration(visionTokens: 2, visionLayers: 2..<4, textTokens: 0, textLayers: 0..<0)
        #expect(throws: ModelError.promptLayers(tower: "vision", layers: "2-3", layerCount: 3)) { try late.check(against: architecture) }
        #expect(PromptConfiguration(visionTokens: 0, visionLayers: 2..<4, textTokens: 3, textLayers: 1..<1) == .none)
        let fitting = PromptConfiguration(visionTokens: 2, visionLayers: 1..<3, textTokens: 5, textLayers: 1..<2)
        try fitting.check(against: architecture)
        #expect(fitting.parameterCount(for: architecture) == 2 * 2 * 128 + 5 * 64)
    }

    // MARK: Files

    private func file(_ configuration: PromptConfiguration, _ backbone: Backbone) -> PromptFile {
        PromptFile(
            prompts: PromptSet(random: configuration, architecture: backbone.architecture, seed: 3).reading,
            header: PromptHeader(
                backbone: backbone, configuration: configuration, classNames: ["a", "b"], frameCount: 4, fusion: .embedding, shots: 2,
                seed: 1, recipeDigest: "0"))
    }

    @Test func filesSayTheirLayers() throws {
        let backbone = try ModelFixtures().backbone
        let folder = try TemporaryDirectory()
        let late = file(PromptConfiguration(visionTokens: 3, visionLayers: 1..<3, textTokens: 2, textLayers: 1..<2), backbone)
        #expect(late.header.metadata["vifi_prompt_format"] == "2" && late.header.metadata["vision_depth"] == nil)
        #expect(late.header.metadata["vision_layers"] == "1-2" && late.header.metadata["text_layers"] == "1")
        #expect(late.prompts.named.map(\.name) == ["vision.1", "vision.2", "text.1"])
        // As a file and as a folder for PEFT.
        try late.save(to: folder.path("late.safetensors"))
        try PromptAdapter.save(late, to: folder.path("late"), name: "late")
        for path in ["late.safetensors", "late"] {
            let read = try PromptFile.load(folder.path(path))
            #expect(read.header.configuration == late.header.configuration && read.prompts.digest == late.prompts.digest)
            #expect(read.prompts.named.map(\.name) == late.prompts.named.map(\.name))
            try read.check(against: backbone)
        }
        // One side late, the other without.
        let textOnly = file(PromptConfiguration(visionTokens: 0, visionLayers: 0..<0, textTokens: 2, textLayers: 1..<2), backbone)
        #expect(textOnly.header.metadata["vision_layers"] == "none")
        try textOnly.save(to: folder.path("text.safetensors"))
        #expect(try PromptFile.load(folder.path("text.safetensors")).header.configuration == textOnly.header.configuration)
        // What begins at the first layers is written as before.
        let deep = file(PromptConfiguration(visionTokens: 3, visionDepth: 2, textTokens: 2, textDepth: 1), backbone)
        #expect(deep.header.metadata["vifi_prompt_format"] == "1" && deep.header.metadata["vision_layers"] == nil)
    }

    @Test func checkpointsCannotSayThem() throws {
        let backbone = try ModelFixtures().backbone
        let folder = try TemporaryDirectory()
        for (vision, text, tower, layers) in [(1..<3, 0..<2, "vision", "1-2"), (0..<3, 1..<2, "text", "1")] {
            let late = file(PromptConfiguration(visionTokens: 3, visionLayers: vision, textTokens: 2, textLayers: text), backbone)
            #expect(throws: ModelError.prompts(.lateLayers(tower: tower, layers: layers))) {
                try ReferenceCheckpoint.write(late, backbone: nil, to: folder.path("late.pth"))
            }
            #expect(!fileExists(folder.path("late.pth")))
        }
    }

    @Test(arguments: [
        ["vision_layers": "2-1"], ["vision_layers": "1-9999"], ["text_layers": ""], ["vision_layers": "0-2"], ["text_layers": "none"],
        ["vifi_prompt_format": "4"], ["vifi_prompt_format": "1"], ["vision_tokens": "0"],
    ])
    func contradictionsAreRefused(changes: [String: String]) throws {
        let backbone = try ModelFixtures().backbone
        let folder = try TemporaryDirectory()
        let late = file(PromptConfiguration(visionTokens: 3, visionLayers: 1..<3, textTokens: 2, textLayers: 1..<2), backbone)
        let tensors = late.prompts.named.map { ($0.name, [$0.element.rowCount, $0.element.columnCount], $0.element.values) }
        let metadata = late.header.metadata.merging(changes) { $1 }
        try SafetensorsWriter.write(tensors, metadata: metadata, to: folder.path("bad.safetensors"))
        #expect(throws: ModelError.self) { try PromptFile.load(folder.path("bad.safetensors")) }
    }
}
