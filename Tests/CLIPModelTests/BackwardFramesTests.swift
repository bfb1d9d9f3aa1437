import CLIPModel
import Tensors
import TestSupport
import Testing

/// Steps whose backward pass goes through some frames of each clip, against exact steps.
@Suite struct BackwardFramesTests {
    /// Random clips for the backbone of the fixtures.
    private struct Scene {
        let fixtures: ModelFixtures
        let clips: [Matrix]
        let targets: [[Float]]
        let frameCount: Int

        init(clipCount: Int, frameCount: Int) throws {
            fixtures = try ModelFixtures()
            self.frameCount = frameCount
            let side = fixtures.backbone.architecture.imagePixels
            var source = RandomSource(seed: 6, purpose: .test)
            clips = (0..<clipCount).map { _ in
                MutableMatrix(
                    rows: frameCount, columns: 3 * side * side, (0..<frameCount * 3 * side * side).map { _ in source.normal() }
                ).reading
            }
            targets = (0..<clipCount).map { clip in (0..<ModelFixtures.classCount).map { $0 == clip % ModelFixtures.classCount ? 1 : 0 } }
        }

        struct Step {
            let losses: [Double]
            let gradients: [Float]
        }

        /// - Parameters:
        ///   - groups: of clips that are added together.
        ///   - firstLayer: of the vision tower with prompts.
        func step(
            _ backwardFrames: BackwardFrames? = nil, number: Int = 0, fusion: Fusion = .embedding, threads: Int = 2,
            groups: [Range<Int>]? = nil, first clip: Int = 0, firstLayer: Int = 0, input: ClipInput = .pixels,
            budget: MemoryBudget = .standard
        ) -> Step {
            let configuration = PromptConfiguration(visionTokens: 4, visionLayers: firstLayer..<3, textTokens: 3, textLayers: 0..<2)
            let learner = promptLearner(
                backbone: fixtures.backbone,
                prompts: PromptSet(random: configuration, architecture: fixtures.backbone.architecture, seed: 8),
                sequences: fixtures.sequences.map { Array($0.prefix(1)) + [0, 0, 0] + $0.dropFirst() }, fusion: fusion,
                frameCount: frameCount, backwardFrames: backwardFrames, pool: WorkerPool(threadCount: threads), budget: budget)
            let clips = input == .pixels ? clips : learner.cachedPrefix(of: clips)
            var result = StepResult()
            learner.begin(step: number, at: clip)
            for group in groups ?? [clips.indices] {
                learner.add(clips: Array(clips[group]), input: input, targets: Array(targets[group]), weight: 0.25, to: &result)
            }
            learner.finish()
            return Step(losses: result.losses, gradients: learner.gradients.all.flatMap(\.values))
        }
    }

    private func sameBits(_ first: Scene.Step, _ second: Scene.Step) -> Bool {
        first.losses.map(\.bitPattern) == second.losses.map(\.bitPattern)
            && first.gradients.map(\.bitPattern) == second.gradients.map(\.bitPattern)
    }

    // MARK: Values

    private static let sizes: [(frames: Int, drawn: Int, draws: Int)] = [(4, 2, 4), (5, 2, 6), (4, 3, 2), (3, 1, 3)]

    /// Every draw that there is, met once: the mean is the exact gradient, and each loss is the exact one.
    @Test(arguments: sizes, Fusion.allCases)
    func allDrawsAverageToTheExactGradient(_ sizes: (frames: Int, drawn: Int, draws: Int), fusion: Fusion) throws {
        let scene = try Scene(clipCount: 1, frameCount: sizes.frames)
        let exact = scene.step(fusion: fusion)
        let some = BackwardFrames(count: sizes.drawn, seed: 2)
        var steps: [[Int]: Int] = [:]
        for step in 0..<200 { steps[some.draw(of: sizes.frames, step: step, clip: 0).order] = step }
        #expect(steps.count == sizes.draws)
        var mean = [Float](repeating: 0, count: exact.gradients.count)
        for number in steps.values {
            let step = scene.step(some, number: number, fusion: fusion)
            expectClose(step.losses.map(Float.init), exact.losses.map(Float.init), tolerance: 1e-5, "loss of step \(number)")
            #expect(zip(step.gradients, exact.gradients).contains { abs($0 - $1) > 1e-3 * abs($1) }, "a draw is not the whole")
            for index in mean.indices { mean[index] += step.gradients[index] / Float(steps.count) }
        }
        expectClose(mean, exact.gradients, tolerance: 1e-5, "mean of \(steps.count) draws")
    }

    @Test func allFramesAreTheExactStep() throws {
        let scene = try Scene(clipCount: 3, frameCount: 4)
        let exact = scene.step()
        #expect(sameBits(scene.step(BackwardFrames(count: 4, seed: 2)), exact))
        #expect(!sameBits(scene.step(BackwardFrames(count: 3, seed: 2)), exact))
    }

    /// Below late prompts, frames that were computed before are the same as their pixels.
    @Test func cachedFramesAreDrawnAlike() throws {
        let scene = try Scene(clipCount: 2, frameCount: 5)
        let some = BackwardFrames(count: 2, seed: 2)
        let pixels = scene.step(some, firstLayer: 1)
        let cached = scene.step(some, firstLayer: 1, input: .cachedPrefix)
        expectClose(cached.gradients, pixels.gradients, tolerance: 1e-5, "gradients")
    }

    // MARK: Draws

    @Test func drawsAreEvenAndDiffer() {
        let some = BackwardFrames(count: 4, seed: 3)
        var counts = [Int](repeating: 0, count: 16)
        for step in 0..<100 {
            for clip in 0..<20 {
                let draw = some.draw(of: 16, step: step, clip: clip)
                let chosen = draw.order.prefix(4)
                #expect(chosen.map { $0 / 4 } == [0, 1, 2, 3], "one frame of each quarter")
                #expect(draw.order.sorted() == Array(0..<16) && draw.weights == [4, 4, 4, 4])
                for frame in chosen { counts[frame] += 1 }
            }
        }
        // 500 expected; the deviation of a count is 19.
        #expect(counts.allSatisfy { abs($0 - 500) < 100 }, "\(counts)")
        #expect(some.draw(of: 7, step: 0, clip: 0).weights == [1, 2, 2, 2], "parts are as equal as can be")
        let draws = [(3, 0, 0), (4, 0, 0), (3, 1, 0), (3, 0, 1)].map { seed, step, clip in
            BackwardFrames(count: 8, seed: UInt64(seed)).draw(of: 64, step: step, clip: clip).order
        }
        #expect(Set(draws).count == 4, "seed, step and clip each count")
    }

    // MARK: What must not matter

    /// Several chunks of drawn frames and of others, more clips than are in flight.
    @Test func threadsMemoryAndGroupsDoNotMatter() throws {
        let scene = try Scene(clipCount: 5, frameCount: 60)
        let some = BackwardFrames(count: 30, seed: 2)
        let expected = scene.step(some, number: 7, threads: 1)
        #expect(expected.gradients.allSatisfy { $0.isFinite } && !sameBits(scene.step(some, number: 8), expected))
        for threads in [2, 4, 16] { #expect(sameBits(scene.step(some, number: 7, threads: threads), expected), "\(threads) threads") }
        for budget in [MemoryBudget.activations(1), .activations(4 << 20)] {
            #expect(sameBits(scene.step(some, number: 7, budget: budget), expected), "\(budget)")
        }
        #expect(sameBits(scene.step(some, number: 7, groups: [0..<1, 1..<3, 3..<5]), expected))
        #expect(!sameBits(scene.step(some, number: 7, first: 1), expected), "a clip's place in the step counts")
    }
}
