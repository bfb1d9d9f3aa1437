import CLIPModel
import Tensors
import TestSupport
import Testing

/// Memory that a tower uses again and again: who shares it, how much of it there is, and what a bound makes of it.
@Suite(.serialized) struct SharedMemoryTests {
    private let fixtures: ModelFixtures

    init() throws { fixtures = try ModelFixtures() }

    /// A classifier is `Sendable`: threads that ask at once get what each would get alone.
    @Test(arguments: [1, 3])
    func classifiersAreSharedByThreads(threads: Int) async throws {
        let classifier = CLIPClassifier(
            backbone: fixtures.backbone, sequences: fixtures.sequences, frameCount: ModelFixtures.frameCount,
            pool: WorkerPool(threadCount: threads))
        let clips = fixtures.clips
        let expected = try clips.map { try classifier.logits(clips: [$0])[0] }
        let wrong = try await withThrowingTaskGroup(of: Int.self) { group in
            for task in 0..<4 {
                group.addTask {
                    var wrong = 0
                    for round in 0..<10 {
                        let clip = (task + round) % clips.count
                        if try classifier.logits(clips: [clips[clip]])[0] != expected[clip] { wrong += 1 }
                    }
                    return wrong
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(wrong == 0)
    }

    private func bytes(threads: Int, _ budget: MemoryBudget = .standard) -> (live: Int, shortfall: Int) {
        let pool = WorkerPool(threadCount: threads)
        let before = WorkMeter.reading.liveBytes
        let learner = promptLearner(
            backbone: fixtures.backbone,
            prompts: PromptSet(
                zeros: PromptConfiguration(visionTokens: 4, visionDepth: 2, textTokens: 3, textDepth: 2),
                architecture: fixtures.backbone.architecture),
            sequences: fixtures.sequences.map { Array($0.prefix(1)) + [0, 0, 0] + $0.dropFirst() }, fusion: .embedding, frameCount: 3, pool: pool,
            budget: budget)
        return withExtendedLifetime(learner) { (WorkMeter.reading.liveBytes - before, learner.memoryShortfall) }
    }

    /// Threads beyond what there is to do take no memory of their own.
    @Test func manyThreadsTakeNoMoreMemory() {
        let (few, many) = (bytes(threads: 16), bytes(threads: 200))
        #expect(few.live == many.live)
    }

    /// The number that a refusal names is enough, and half of what was missing is not. The bytes that count are those of the whole
    /// process, in which other tests run: of several tries one has to be undisturbed.
    @Test func theNumberOfARefusalIsEnough() {
        let holds = (0..<50).contains { _ in
            let floor = WorkMeter.reading.liveBytes
            let refused = bytes(threads: 2, .process(floor + 1, reserve: 0)).shortfall
            let enough = floor + 1 + refused
            return refused > 0 && bytes(threads: 2, .process(enough + 64 << 10, reserve: 0)).shortfall == 0
                && bytes(threads: 2, .process(enough - refused / 2, reserve: 0)).shortfall > 0
        }
        #expect(holds)
        // What the machine has left bounds, but does not refuse to try.
        #expect(bytes(threads: 2, .available(1 << 40, reserve: 0)).live == bytes(threads: 2).live)
    }
}
