import CLIPModel
import Tensors
import TestSupport
import Testing

/// What must not change the result: the number of threads, the order and grouping of classes, clips
/// and frames, and prompts that are not there.
@Suite struct InvarianceTests {
    /// Random clips and classes for the backbone of the fixtures: several chunks of frames and of classes.
    private struct Scene {
        let backbone: Backbone
        let clips: [Matrix]
        let sequences: [[Int]]
        let targets: [[Float]]
        let frameCount: Int

        init(clipCount: Int = 3, frameCount: Int = 4, classCount: Int = 6, nameTokens: Int = 3) throws {
            let backbone = try Backbone.load(fixturePath("clip/clip-tiny.safetensors"))
            let side = backbone.architecture.imagePixels
            var source = RandomSource(seed: 5, purpose: .test)
            clips = (0..<clipCount).map { _ in
                MutableMatrix(
                    rows: frameCount, columns: 3 * side * side, (0..<frameCount * 3 * side * side).map { _ in source.normal() }
                ).reading
            }
            // Start token, four words that all share, a name of its own, end token.
            sequences = (0..<classCount).map { _ in
                let name = (0..<1 + source.integer(below: nameTokens)).map { _ in 10 + source.integer(below: 250) }
                return [298, 5, 6, 7, 8] + name + [299]
            }
            targets = (0..<clipCount).map { _ in
                let row = (0..<classCount).map { _ in source.uniform() }
                return row.map { $0 / row.reduce(0, +) }
            }
            self.backbone = backbone
            self.frameCount = frameCount
        }

        func prompts(_ configuration: PromptConfiguration) -> PromptSet<MutableMatrix> {
            PromptSet(random: configuration, architecture: backbone.architecture, seed: 8)
        }

        func logits(
            prompts: PromptSet<Matrix> = PromptSet(vision: [], text: []), sequences: [[Int]]? = nil, clips: [Matrix]? = nil,
            fusion: Fusion = .embedding, threads: Int = 2
        ) -> [[Float]] {
            let classifier = CLIPClassifier(
                backbone: backbone, prompts: prompts, sequences: sequences ?? self.sequences, fusion: fusion,
                frameCount: clips?.first?.rowCount ?? frameCount, pool: WorkerPool(threadCount: threads))
            do {
                return try classifier.logits(clips: clips ?? self.clips)
            } catch {
                Issue.record(error)
                return []
            }
        }

        /// Losses, logits and gradients of one step.
        func promptStep(
            _ configuration: PromptConfiguration, fusion: Fusion = .embedding, threads: Int = 2, groups: [Range<Int>]? = nil,
            budget: MemoryBudget = .standard
        ) -> [Float] {
            let learner = promptLearner(
                backbone: backbone, prompts: prompts(configuration), sequences: sequences, fusion: fusion, frameCount: frameCount,
                pool: WorkerPool(threadCount: threads), budget: budget)
            var result = StepResult()
            learner.begin()
            for group in groups ?? [clips.indices] {
                learner.add(clips: Array(clips[group]), targets: Array(targets[group]), weight: 0.25, to: &result)
            }
            learner.finish()
            return [Float(result.lossSum)] + result.logits.flatMap { $0 } + learner.gradients.all.flatMap(\.values)
        }

        func bridgeStep(threads: Int, groups: [Range<Int>]? = nil, budget: MemoryBudget = .standard) -> [Float] {
            let learner = weightLearner(
                backbone.parameters.mutableCopy(), of: backbone, sequences: sequences, frameCount: frameCount,
                pool: WorkerPool(threadCount: threads), budget: budget)
            var result = StepResult()
            learner.begin()
            for group in groups ?? [clips.indices] {
                learner.add(clips: Array(clips[group]), targets: Array(targets[group]), weight: 0.25, to: &result)
            }
            learner.finish()
            return [Float(result.lossSum)] + result.logits.flatMap { $0 } + learner.gradients.all.flatMap(\.values)
        }
    }

    private static let deep = PromptConfiguration(visionTokens: 4, visionDepth: 3, textTokens: 4, textDepth: 2)
    private static let partial = PromptConfiguration(visionTokens: 3, visionDepth: 2, textTokens: 4, textDepth: 1)

    private func sameBits(_ first: [Float], _ second: [Float]) -> Bool { first.map(\.bitPattern) == second.map(\.bitPattern) }

    // MARK: Threads

    @Test func featuresAreTheSameForAnyThreadCount() throws {
        // 40 frames are two chunks, five clips more than are in flight together, 100 classes several text chunks.
        let scene = try Scene(clipCount: 5, frameCount: 40, classCount: 100)
        let prompts = scene.prompts(Self.deep).reading
        let plain = scene.logits(threads: 1).flatMap { $0 }
        let prompted = scene.logits(prompts: prompts, threads: 1).flatMap { $0 }
        #expect(plain.allSatisfy { $0.isFinite } && plain != prompted)
        for threads in 2...4 {
            #expect(sameBits(scene.logits(threads: threads).flatMap { $0 }, plain), "\(threads) threads")
            #expect(sameBits(scene.logits(prompts: prompts, threads: threads).flatMap { $0 }, prompted), "\(threads) threads")
        }
    }

    @Test(arguments: [deep, partial])
    func promptGradientsAreTheSameForAnyThreadCount(configuration: PromptConfiguration) throws {
        let scene = try Scene(clipCount: 5, frameCount: 30, classCount: 100)
        let expected = scene.promptStep(configuration, threads: 1)
        #expect(expected.allSatisfy { $0.isFinite } && expected.suffix(64).contains { $0 != 0 })
        for threads in [2, 3, 4, 16, 32] { #expect(sameBits(scene.promptStep(configuration, threads: threads), expected), "\(threads) threads") }
    }

    @Test func bridgeGradientsAreTheSameForAnyThreadCount() throws {
        let scene = try Scene(clipCount: 5, frameCount: 30, classCount: 100)
        let expected = scene.bridgeStep(threads: 1)
        #expect(expected.allSatisfy { $0.isFinite })
        for threads in [2, 3, 4, 16, 32] { #expect(sameBits(scene.bridgeStep(threads: threads), expected), "\(threads) threads") }
    }

    // MARK: Grouping of clips

    /// Accumulating a step over several calls, or with less memory, is the same step.
    @Test func stepsMayBeCutIntoPieces() throws {
        let scene = try Scene(clipCount: 5)
        let whole = scene.promptStep(Self.deep)
        #expect(sameBits(scene.promptStep(Self.deep, groups: [0..<1, 1..<4, 4..<4, 4..<5]), whole))
        #expect(sameBits(scene.promptStep(Self.deep, budget: .activations(1)), whole))
        let bridge = scene.bridgeStep(threads: 2)
        #expect(sameBits(scene.bridgeStep(threads: 2, groups: [0..<2, 2..<5]), bridge))
        #expect(sameBits(scene.bridgeStep(threads: 2, budget: .activations(1)), bridge))
    }

    /// What is computed twice comes out the same: hidden rows of MLPs, whole chunks, chunks of classes.
    @Test func memoryDoesNotChangeResults() throws {
        let scene = try Scene(clipCount: 2, frameCount: 60, classCount: 300)
        let layout = VisionLayout(architecture: scene.backbone.architecture, prompts: Self.deep)
        let clipBytes = 60 * VisionActivations.bytesPerFrame(layout: layout, keeping: .prompts)
        let recomputedBytes = 60 * VisionActivations.bytesPerFrame(layout: layout, keeping: .prompts, recomputedMLPLayers: 1)
        let prompt = scene.promptStep(Self.deep, budget: .activations(1 << 30))
        let bridge = scene.bridgeStep(threads: 2, budget: .activations(1 << 30))
        for bytes in [clipBytes, recomputedBytes, clipBytes / 2, clipBytes / 4, 1] {
            #expect(sameBits(scene.promptStep(Self.deep, budget: .activations(bytes)), prompt), "\(bytes) bytes")
            #expect(sameBits(scene.bridgeStep(threads: 3, budget: .activations(bytes)), bridge), "\(bytes) bytes")
        }
        #expect(sameBits(scene.promptStep(Self.deep, budget: .standard), prompt))
        for (bytes, recomputed, recomputes) in [(clipBytes, 0, false), (recomputedBytes, 1, false), (1, 2, true)] {
            let pass = VisionPass(
                tower: scene.backbone.vision, prompts: Self.deep, frameCount: 60, keeping: .prompts, pool: WorkerPool(threadCount: 1),
                budget: .activations(bytes))
            #expect(pass.recomputedMLPLayerCount == recomputed && (pass.recomputedChunkCount > 0) == recomputes, "\(bytes) bytes")
        }
    }

    @Test(arguments: Fusion.allCases)
    func clipsDoNotSeeEachOther(fusion: Fusion) throws {
        let scene = try Scene()
        let together = scene.logits(prompts: scene.prompts(Self.deep).reading, fusion: fusion)
        for (index, clip) in scene.clips.enumerated() {
            let alone = scene.logits(prompts: scene.prompts(Self.deep).reading, clips: [clip], fusion: fusion)
            expectClose(alone[0], together[index], tolerance: 1e-5, "clip \(index)")
        }
    }

    @Test(arguments: [PromptConfiguration.none, deep, partial])
    func framesDoNotSeeEachOther(configuration: PromptConfiguration) throws {
        let scene = try Scene(clipCount: 1, frameCount: 30)
        let prompts = scene.prompts(configuration).reading
        let together = scene.logits(prompts: prompts, fusion: .decision)[0]
        let alone = scene.logits(prompts: prompts, clips: (0..<30).map { scene.clips[0].row($0) }, fusion: .decision)
        let mean = together.indices.map { column in alone.reduce(0) { $0 + $1[column] } / 30 }
        expectClose(together, mean, tolerance: 1e-5, "mean of the frames alone")
    }

    @Test func featuresOfAFrameAloneAndInABatch() throws {
        let scene = try Scene(clipCount: 1, frameCount: 30)
        func features(_ frames: Matrix) -> [Float] {
            let pass = VisionPass(
                tower: scene.backbone.vision, prompts: .none, frameCount: frames.rowCount, keeping: .nothing,
                pool: WorkerPool(threadCount: 2))
            return pass.forward(clips: [frames], context: nil)[0].values
        }
        let together = features(scene.clips[0])
        let width = scene.backbone.architecture.embeddingWidth
        for frame in [0, 14, 15, 29] {
            expectClose(
                features(scene.clips[0].row(frame)), Array(together[frame * width..<(frame + 1) * width]), tolerance: 1e-5,
                "frame \(frame)")
        }
    }

    /// The mean over frames knows no order, and frames that repeat do not count more.
    @Test(arguments: Fusion.allCases)
    func fusionIsAMeanOverFrames(fusion: Fusion) throws {
        let scene = try Scene(clipCount: 1)
        let clip = scene.clips[0]
        func reordered(_ frames: [Int]) -> Matrix {
            let result = MutableMatrix(rows: frames.count, columns: clip.columnCount)
            for (row, frame) in frames.enumerated() { result.row(row).copy(clip.row(frame)) }
            return result.reading
        }
        let expected = scene.logits(fusion: fusion)[0]
        expectClose(scene.logits(clips: [reordered([3, 1, 0, 2])], fusion: fusion)[0], expected, tolerance: 1e-5)
        expectClose(scene.logits(clips: [reordered([0, 0, 1, 1, 2, 2, 3, 3])], fusion: fusion)[0], expected, tolerance: 1e-5)
    }

    // MARK: Classes

    @Test(arguments: [PromptConfiguration.none, deep, partial])
    func classesComeInAnyOrderAndCompany(configuration: PromptConfiguration) throws {
        let scene = try Scene(clipCount: 1, classCount: 100)
        let prompts = scene.prompts(configuration).reading
        let expected = scene.logits(prompts: prompts)[0]
        let scale = expected.reduce(0) { max($0, abs($1)) }

        var source = RandomSource(seed: 6, purpose: .test)
        let order = source.permutation(of: scene.sequences.count)
        let shuffled = scene.logits(prompts: prompts, sequences: order.map { scene.sequences[$0] })[0]
        expectClose(shuffled, order.map { expected[$0] }, tolerance: 1e-5, "shuffled")

        // One class alone has everything but its end token in the shared prefix.
        for index in [0, 17, 99] {
            let alone = scene.logits(prompts: prompts, sequences: [scene.sequences[index]])[0]
            #expect(abs(alone[0] - expected[index]) <= 1e-5 * scale, "class \(index)")
        }
        // A class whose second token differs leaves only the start token to share.
        let stranger = [298, 9, 20, 299, 299, 299].prefix(configuration.textTokens > 0 ? 6 : 4)
        let beside = scene.logits(prompts: prompts, sequences: scene.sequences + [Array(stranger)])[0]
        expectClose(Array(beside.dropLast()), expected, tolerance: 1e-5, "beside a class of another kind")
        // The same name twice has the same logit twice.
        let twice = scene.logits(prompts: prompts, sequences: scene.sequences + [scene.sequences[3]])[0]
        #expect(abs(twice[100] - twice[3]) <= 1e-5 * scale)
    }

    // MARK: Prompts

    /// Depth 0, or prompts of no tokens, leave plain CLIP.
    @Test func withoutPromptsItIsCLIP() throws {
        let fixtures = try ModelFixtures()
        let expected = try fixtures.forward.floats("logits.embedding")
        let width = (fixtures.backbone.architecture.vision.width, fixtures.backbone.architecture.text.width)
        let empty = PromptSet(
            vision: [MutableMatrix(rows: 0, columns: width.0).reading], text: [MutableMatrix(rows: 0, columns: width.1).reading])
        for prompts in [PromptSet(vision: [], text: []), empty] {
            let classifier = CLIPClassifier(
                backbone: fixtures.backbone, prompts: prompts, sequences: fixtures.sequences, frameCount: 3,
                pool: WorkerPool(threadCount: 2))
            expectClose(try classifier.logits(clips: fixtures.clips).flatMap { $0 }, expected, tolerance: towerTolerance)
        }
        #expect(PromptConfiguration(visionTokens: 8, visionDepth: 0, textTokens: 0, textDepth: 9) == .none)
        #expect(PromptConfiguration.none.parameterCount(for: fixtures.backbone.architecture) == 0)
    }

    /// Prompts in the first layer that equal the words' embeddings say the same as the words.
    @Test func wordsAsPromptsAreTheWords() throws {
        let scene = try Scene()
        let words = MutableMatrix(rows: 4, columns: scene.backbone.architecture.text.width)
        for (row, token) in [5, 6, 7, 8].enumerated() { words.row(row).copy(scene.backbone.parameters.text.tokenEmbedding.row(token)) }
        // What stands in the places of the prompts must not matter.
        let placeholders = scene.sequences.map { [298, 0, 0, 0, 0] + $0.dropFirst(5) }
        let prompted = scene.logits(prompts: PromptSet(vision: [], text: [words.reading]), sequences: placeholders)
        expectClose(prompted.flatMap { $0 }, scene.logits().flatMap { $0 }, tolerance: 1e-5)
    }

    /// Vision prompts have no positions: their order within a layer is nothing.
    @Test(arguments: [deep, partial])
    func visionPromptsHaveNoOrder(configuration: PromptConfiguration) throws {
        let scene = try Scene()
        let prompts = scene.prompts(configuration).reading
        let turned = prompts.vision.map { prompt in
            let result = MutableMatrix(rows: prompt.rowCount, columns: prompt.columnCount)
            for row in 0..<prompt.rowCount { result.row(row).copy(prompt.row(prompt.rowCount - 1 - row)) }
            return result.reading
        }
        expectClose(
            scene.logits(prompts: PromptSet(vision: turned, text: prompts.text)).flatMap { $0 },
            scene.logits(prompts: prompts).flatMap { $0 }, tolerance: 1e-5)
    }

    /// The learner and the classifier see the same thing.
    @Test(arguments: Fusion.allCases, [deep, partial])
    func trainingAndScoringAgree(fusion: Fusion, configuration: PromptConfiguration) throws {
        let scene = try Scene()
        let scored = scene.logits(prompts: scene.prompts(configuration).reading, fusion: fusion).flatMap { $0 }
        let learned = scene.promptStep(configuration, fusion: fusion)
        expectClose(Array(learned[1..<1 + scored.count]), scored, tolerance: 1e-5)
    }
}
