import CLIPModel
import Files
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Tokens that merge in the vision tower: values, gradients and maps against PyTorch in double precision
/// (Tests/Fixtures/scripts/make_merging.py), and what must not change them.
@Suite struct TokenMergingTests {
    struct Variant: Sendable, CustomTestStringConvertible {
        let name: String
        let merged: Int
        let vision: Range<Int>
        let text: Range<Int>
        var fusion = Fusion.embedding

        var testDescription: String { name }
        var isLate: Bool { vision.lowerBound > 0 }
    }

    private static let variants = [
        Variant(name: "deep", merged: 3, vision: 0..<3, text: 0..<2),
        Variant(name: "decision", merged: 3, vision: 0..<3, text: 0..<2, fusion: .decision),
        Variant(name: "image", merged: 2, vision: 0..<3, text: 0..<2, fusion: .image),
        // Prompts become rows of the frames from the first layer on, and after one layer without them.
        Variant(name: "joined", merged: 4, vision: 0..<1, text: 0..<1),
        Variant(name: "late", merged: 4, vision: 1..<3, text: 0..<1),
        Variant(name: "late_joined", merged: 3, vision: 1..<2, text: 0..<1),
        Variant(name: "most", merged: 5, vision: 0..<3, text: 0..<2),
        Variant(name: "language", merged: 3, vision: 0..<0, text: 0..<2),
    ]

    private func prompts(_ variant: Variant, merged: Int? = nil) throws -> PromptSet<MutableMatrix> {
        let fixture = try TensorFixture("clip/merging")
        func side(_ tower: String, _ layers: Range<Int>) throws -> [MutableMatrix] {
            try layers.map { layer in
                let tensor = "\(variant.name).prompt.\(tower).\(layer)"
                let shape = try fixture.shape(tensor)
                return MutableMatrix(rows: shape[0], columns: shape[1], try fixture.floats(tensor))
            }
        }
        return PromptSet(
            vision: try side("visual", variant.vision), text: try side("text", variant.text), visionStart: variant.vision.lowerBound,
            textStart: variant.text.lowerBound, mergedTokens: merged ?? variant.merged)
    }

    private struct Step {
        var result = StepResult()
        var gradients: PromptSet<MutableMatrix>
        var bits: [UInt32] {
            ([Float(result.lossSum)] + result.logits.flatMap { $0 } + gradients.all.flatMap(\.values)).map(\.bitPattern)
        }
    }

    private func step(
        _ fixtures: ModelFixtures, _ prompts: PromptSet<MutableMatrix>, fusion: Fusion = .embedding, input: ClipInput = .pixels,
        threads: Int = 2, budget: MemoryBudget = .standard, backwardFrames: BackwardFrames? = nil, number: Int = 0,
        precision: Precision = .float32
    ) -> Step {
        let learner = promptLearner(
            backbone: fixtures.backbone.computing(in: precision), prompts: prompts, sequences: fixtures.sequences, fusion: fusion,
            frameCount: ModelFixtures.frameCount, backwardFrames: backwardFrames, pool: WorkerPool(threadCount: threads), budget: budget)
        let clips = input == .pixels ? fixtures.clips : learner.cachedPrefix(of: fixtures.clips)
        if input == .cachedPrefix { #expect(clips.allSatisfy { 4 * $0.count == learner.cachedPrefixBytes }) }
        var step = Step(gradients: learner.gradients)
        learner.begin(step: number)
        learner.add(clips: clips, input: input, targets: fixtures.targets, weight: 0.5, to: &step.result)
        learner.finish()
        return step
    }

    // MARK: Values

    @Test(arguments: variants)
    func gradientsAreThoseOfPyTorch(variant: Variant) throws {
        let fixtures = try ModelFixtures()
        let expected = try TensorFixture("clip/merging")
        let prompts = try prompts(variant)
        let name = variant.name
        for input in variant.fusion == .embedding ? [ClipInput.pixels, .cachedPrefix] : [.pixels] {
            let step = step(fixtures, prompts, fusion: variant.fusion, input: input)
            expectClose(Float(step.result.lossSum / 2), try expected.floats("\(name).loss")[0], tolerance: towerTolerance, "\(name).loss")
            if variant.fusion != .image {
                expectClose(
                    step.result.logits.flatMap { $0 }, try expected.floats("\(name).logits"), tolerance: towerTolerance, "\(name).logits")
            }
            for (tensor, gradient) in step.gradients.named {
                let tensor = "\(name).grad." + tensor.replacing("vision.", with: "visual.")
                expectClose(gradient.values, try expected.floats(tensor), tolerance: towerTolerance, tensor)
            }
        }
    }

    /// Along its own gradient the loss changes as fast as that says.
    @Test(arguments: [variants[0], variants[3], variants[5]])
    func theLossFollowsItsGradient(variant: Variant) throws {
        let fixtures = try ModelFixtures()
        let start = try prompts(variant)
        let gradient = step(fixtures, start).gradients.all.flatMap(\.values)
        let square = gradient.reduce(0) { $0 + Double($1) * Double($1) }
        func loss(_ distance: Float) -> Double {
            let moved = start.rounded([])
            var index = 0
            for element in moved.all {
                element.fill(with: element.values.map { value in
                    defer { index += 1 }
                    return value + distance * gradient[index]
                })
            }
            // Each clip's loss has a weight of 0.5.
            return 0.5 * step(fixtures, moved).result.lossSum
        }
        let distance = Float(0.02 / square.squareRoot())
        let slope = (loss(distance) - loss(-distance)) / (2 * Double(distance))
        #expect(abs(slope / square - 1) < 0.01, "\(variant.name): \(slope) where the gradient says \(square)")
    }

    @Test func mergingNothingIsTheExactPass() throws {
        let fixtures = try ModelFixtures()
        let deep = try prompts(Self.variants[0], merged: 0)
        let plain = PromptSet(vision: deep.vision, text: deep.text)
        #expect(step(fixtures, deep).bits == step(fixtures, plain).bits)
        #expect(step(fixtures, deep).bits != step(fixtures, try prompts(Self.variants[0])).bits)
    }

    @Test func mergingSavesWork() throws {
        let architecture = try ModelFixtures().backbone.architecture
        func count(_ merged: Int) -> OperationCount {
            let prompts = PromptConfiguration(
                visionTokens: 4, visionLayers: 0..<3, textTokens: 3, textLayers: 0..<2, mergedTokens: merged)
            return OperationCount(architecture, learned: .prompts(prompts), sequences: [[1, 2, 2, 2, 3]], frameCount: 1)
        }
        let (exact, merged) = (count(0), count(3))
        // A row less: 8 d² of the MLP from where it merges on, 4 d² around attention in the next layer, 2 d² of keys and values in the last.
        let (width, mlpRows, rows, lastRows) = (128, 3 + 6, 3, 6)
        let products = width * width * (8 * mlpRows + 4 * rows + 2 * lastRows)
        // Pairs of the second layer, and those of the class token in the third.
        let attention = 2 * width * (17 * 21 - 14 * 18 + 6)
        #expect(exact.clipForward - merged.clipForward == products + attention)
        #expect(exact.clipBackward > merged.clipBackward && exact.textForward == merged.textForward)
    }

    // MARK: What must not matter

    @Test(arguments: variants)
    func threadsMemoryAndCachingDoNotMatter(variant: Variant) throws {
        let fixtures = try ModelFixtures()
        let prompts = try prompts(variant)
        let expected = step(fixtures, prompts, fusion: variant.fusion, threads: 1).bits
        for threads in [2, 3, 5] { #expect(step(fixtures, prompts, fusion: variant.fusion, threads: threads).bits == expected) }
        #expect(step(fixtures, prompts, fusion: variant.fusion, threads: 3, budget: .activations(1)).bits == expected)
        #expect(step(fixtures, prompts, fusion: variant.fusion, input: .cachedPrefix).bits == expected)
    }

    /// Learner and classifier agree, on pixels and on what the learner kept.
    @Test(arguments: variants)
    func classifiersSeeTheSame(variant: Variant) throws {
        let fixtures = try ModelFixtures()
        let prompts = try prompts(variant)
        let pool = WorkerPool(threadCount: 2)
        let classifier = CLIPClassifier(
            backbone: fixtures.backbone, prompts: prompts.reading, sequences: fixtures.sequences, frameCount: 3, pool: pool)
        let learner = promptLearner(
            backbone: fixtures.backbone, prompts: prompts, sequences: fixtures.sequences, fusion: .embedding, frameCount: 3, pool: pool)
        let direct = try classifier.logits(clips: fixtures.clips)
        #expect(direct == (try classifier.logits(clips: learner.cachedPrefix(of: fixtures.clips), input: .cachedPrefix)))
        expectClose(
            direct.flatMap { $0 }, step(fixtures, prompts).result.logits.flatMap { $0 }, tolerance: 1e-5, variant.name)
        let other = try CLIPClassifier(
            backbone: fixtures.backbone, prompts: self.prompts(variant, merged: variant.merged - 1).reading, sequences: fixtures.sequences,
            frameCount: 3, pool: pool)
        #expect(other.encoder.identity != classifier.encoder.identity, "features of one are not those of the other")
    }

    /// Every draw of one frame in three, met once: the mean is the whole gradient.
    @Test(arguments: [variants[0], variants[5]])
    func drawnFramesAverageToTheWhole(variant: Variant) throws {
        let fixtures = try ModelFixtures()
        let prompts = try prompts(variant)
        let exact = step(fixtures, prompts)
        let some = BackwardFrames(count: 1, seed: 2)
        var steps: [[[Int]]: Int] = [:]
        for number in 0..<200 { steps[(0..<2).map { some.draw(of: 3, step: number, clip: $0).order }] = number }
        #expect(steps.count == 9)
        var mean = [Float](repeating: 0, count: exact.gradients.all.reduce(0) { $0 + $1.count })
        for number in steps.values {
            let drawn = step(fixtures, prompts, backwardFrames: some, number: number)
            expectClose(Float(drawn.result.lossSum), Float(exact.result.lossSum), tolerance: 1e-5, "loss of step \(number)")
            for (index, value) in drawn.gradients.all.flatMap(\.values).enumerated() { mean[index] += value / 9 }
        }
        expectClose(mean, exact.gradients.all.flatMap(\.values), tolerance: 1e-5, variant.name)
    }

    @Test(.enabled(if: Precision.bfloat16.isAvailable, "bfloat16 products are not available on this machine"), arguments: variants)
    func bfloat16IsClose(variant: Variant) throws {
        let fixtures = try ModelFixtures()
        let prompts = try prompts(variant)
        let full = step(fixtures, prompts, fusion: variant.fusion)
        let half = step(fixtures, prompts, fusion: variant.fusion, precision: .bfloat16)
        #expect(half.bits != full.bits, "both were computed in the same precision")
        // Rounded keys may match other tokens: the gradient of these is another one.
        #expect(relativeError(half.result.logits.flatMap { $0 }, full.result.logits.flatMap { $0 }) < 0.05)
        #expect(half.bits == step(fixtures, prompts, fusion: variant.fusion, threads: 3, budget: .activations(1), precision: .bfloat16).bits)
    }

    // MARK: Maps

    @Test(arguments: [variants[0], variants[3]])
    func mapsHandTokensBackToTheirPatches(variant: Variant) throws {
        let fixtures = try ModelFixtures()
        let expected = try TensorFixture("clip/merging")
        let classifier = CLIPClassifier(
            backbone: fixtures.backbone, prompts: try prompts(variant).reading, sequences: fixtures.sequences, frameCount: 3,
            pool: WorkerPool(threadCount: 2))
        for (clip, label) in [(0, 1), (1, 4)] {
            let all = try classifier.attention(in: fixtures.clips[clip], of: .relevance, label: label, from: 0)
            for start in 0..<3 {
                let name = "\(variant.name).relevance.\(clip).\(start)"
                expectClose(all.blocks[start].flatMap { $0 }, try expected.floats(name), tolerance: towerTolerance, name)
            }
            let raw = try classifier.attention(in: fixtures.clips[clip], of: .raw(head: nil), from: 0)
            for layer in 0..<3 {
                let name = "\(variant.name).raw.\(clip).\(layer)"
                expectClose(raw.blocks[layer].flatMap { $0 }, try expected.floats(name), tolerance: towerTolerance, name)
            }
        }
    }

    // MARK: Files

    private func file(_ variant: Variant, on backbone: Backbone) throws -> PromptFile {
        let prompts = try prompts(variant).reading
        return PromptFile(
            prompts: prompts,
            header: PromptHeader(
                backbone: backbone, configuration: prompts.configuration, classNames: ["a", "b"], frameCount: 3, fusion: .embedding,
                shots: 2, seed: 1, recipeDigest: "0"))
    }

    /// As a file, as a folder for PEFT: what was learned answers the same.
    @Test(arguments: [variants[0], variants[4]])
    func filesSayWhatMerges(variant: Variant) throws {
        let fixtures = try ModelFixtures()
        let folder = try TemporaryDirectory()
        let file = try file(variant, on: fixtures.backbone)
        #expect(file.header.metadata["vifi_prompt_format"] == "2.2" && file.header.metadata["merge_tokens"] == "\(variant.merged)")
        func logits(_ prompts: PromptSet<Matrix>) throws -> [[Float]] {
            try CLIPClassifier(
                backbone: fixtures.backbone, prompts: prompts, sequences: fixtures.sequences, frameCount: 3, pool: WorkerPool(threadCount: 2)
            ).logits(clips: fixtures.clips)
        }
        let answers = try logits(file.prompts)
        try file.save(to: folder.path("merging.safetensors"))
        try PromptAdapter.save(file, to: folder.path("merging"), name: "merging")
        for path in ["merging.safetensors", "merging"] {
            let read = try PromptFile.load(folder.path(path))
            #expect(read.header.configuration == file.header.configuration)
            try read.check(against: fixtures.backbone)
            #expect(try logits(read.prompts) == answers)
        }
        // Prompts without the key merge nothing, and are written as ever.
        let plain = try prompts(variant, merged: 0).reading
        #expect(try logits(plain) != answers)
        var header = file.header
        header.configuration = plain.configuration
        #expect(header.metadata["merge_tokens"] == nil && header.metadata["vifi_prompt_format"] == (variant.isLate ? "2" : "1"))
        try PromptFile(prompts: plain, header: header).save(to: folder.path("plain.safetensors"))
        #expect(try PromptFile.load(folder.path("plain.safetensors")).prompts.mergedTokens == 0)
    }

    @Test func checkpointsCannotSayIt() throws {
        let backbone = try ModelFixtures().backbone
        let folder = try TemporaryDirectory()
        let file = try file(Self.variants[0], on: backbone)
        #expect(throws: ModelError.prompts(.mergedTokens(3))) {
            try ReferenceCheckpoint.write(file, backbone: nil, to: folder.path("merging.pth"))
        }
        #expect(!fileExists(folder.path("merging.pth")))
    }

    @Test(arguments: [["merge_tokens": "-1"], ["merge_tokens": "4097"], ["merge_tokens": "two"], ["merge_tokens": ""], ["vifi_prompt_format": "2.3"]])
    func nonsenseIsRefused(changes: [String: String]) throws {
        let backbone = try ModelFixtures().backbone
        let folder = try TemporaryDirectory()
        let file = try file(Self.variants[0], on: backbone)
        let tensors = file.prompts.named.map { ($0.name, [$0.element.rowCount, $0.element.columnCount], $0.element.values) }
        try SafetensorsWriter.write(tensors, metadata: file.header.metadata.merging(changes) { $1 }, to: folder.path("bad.safetensors"))
        #expect(throws: ModelError.self) { try PromptFile.load(folder.path("bad.safetensors")) }
        var lacking = file.header.metadata
        lacking["merge_tokens"] = nil
        try SafetensorsWriter.write(tensors, metadata: lacking, to: folder.path("lacking.safetensors"))
        #expect(throws: ModelError.self) { try PromptFile.load(folder.path("lacking.safetensors")) }
    }

    /// 17 tokens, two layers that merge: 5 of them leave 12, of which 5 even ones can merge again.
    @Test func moreThanThereAreAreRefused() throws {
        let backbone = try ModelFixtures().backbone
        #expect(TokenMerging.mostPairs(in: backbone.architecture) == 5 && TokenMerging.mostPairs(in: .vitB16) == 16)
        var file = try file(Self.variants[6], on: backbone)
        try file.check(against: backbone)
        file.header.configuration.mergedTokens = 6
        #expect(throws: ModelError.mergedTokens(6, most: 5, architecture: backbone.architecture.summary)) { try file.check(against: backbone) }
    }
}
