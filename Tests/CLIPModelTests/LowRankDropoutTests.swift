import CLIPModel
import Tensors
import TestSupport
import Testing

/// Dropout on the inputs of low-rank updates: the mean over draws, gradients beside finite differences, and what must not change it.
@Suite struct LowRankDropoutTests {
    private let fixtures: ModelFixtures
    private let rate: Float = 0.25

    init() throws { fixtures = try ModelFixtures() }

    /// Updates that do something, from CLIP-LoRA's code.
    private func given() throws -> LowRankUpdates {
        let result = LowRankUpdates(rank: 2, architecture: fixtures.backbone.architecture, seed: 1)
        let expected = try TensorFixture("lora/lora")
        for (name, value) in result.named { value.fill(with: try expected.floats("given.\(name)")) }
        return result
    }

    /// A learner whose steps can be taken again.
    private struct Steps {
        let part: LowRankPart<Fusion>
        let learner: Learner<LowRankPart<Fusion>, SoftCrossEntropy>
        let fixtures: ModelFixtures

        /// The loss of one step, whose gradients are left behind.
        func loss(step: Int = 5) -> Double {
            for tensor in part.tensors { tensor.gradient.fill(0) }
            var result = StepResult()
            learner.begin(step: step)
            // One after the other: a clip's draws follow from its place.
            for (clip, target) in zip(fixtures.clips, fixtures.targets) { learner.add(clips: [clip], targets: [target], weight: 0.5, to: &result) }
            learner.finish()
            return result.lossSum / 2
        }

        var gradients: [[Float]] { part.tensors.map(\.gradient.values) }
    }

    private func steps(_ updates: LowRankUpdates, rate: Float, threads: Int = 2, budget: MemoryBudget = .standard) -> Steps {
        let part = LowRankPart(
            updates, dropoutRate: rate, seed: 7, aggregator: Fusion.embedding, on: fixtures.backbone, description: fixtures.backbone.description)
        return Steps(
            part: part,
            learner: Learner(
                part, SoftCrossEntropy(sequences: fixtures.sequences), frameCount: ModelFixtures.frameCount, pool: WorkerPool(threadCount: threads),
                budget: budget),
            fixtures: fixtures)
    }

    private func dot(_ left: [[Float]], _ right: [[Float]]) -> Double {
        zip(left.joined(), right.joined()).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }

    // MARK: One branch

    @Test func theMeanOfTheBranchIsTheBranch() {
        let (rows, width, rank) = (3, 8, 2)
        var random = RandomSource(seed: 2, purpose: .test)
        func drawn(_ rows: Int, _ columns: Int) -> MutableMatrix {
            MutableMatrix(rows: rows, columns: columns, (0..<rows * columns).map { _ in random.normal() })
        }
        let factors = LowRankUpdates.parts.map { _ in LowRankUpdates.Factors(a: drawn(rank, width), b: drawn(width, rank)) }
        let input = drawn(rows, width)
        func branch(_ step: Int) -> LowRankBranch { LowRankBranch(factors: factors, scale: 0.7, rate: rate, seed: 3, step: step, place: 11) }
        let count = 4000
        for part in factors.indices {
            let (mean, exact) = (MutableMatrix(rows: rows, columns: width), MutableMatrix(rows: rows, columns: width))
            branch(0).add(input, part: part, to: exact)
            for step in 0..<count { branch(step).add(branch(step).dropped(input, part: part), part: part, to: mean) }
            expectClose(mean.values.map { $0 / Float(count) }, exact.values, tolerance: 0.06, "part \(part)")
            // A number is left out or makes up for those that are.
            let dropped = branch(1).dropped(input, part: part).values
            for (own, value) in zip(dropped, input.values) { #expect(own == 0 || abs(own - value / 0.75) < 1e-5 * abs(value)) }
            expectClose(branch(1).change(of: input, part: part).values, zip(dropped, input.values).map { $0 - $1 }, tolerance: 1e-6)
        }
        // Queries, keys and values have draws of their own, and so has every step.
        let one = branch(1).dropped(input, part: 0).values
        #expect(one != branch(1).dropped(input, part: 1).values && one != branch(2).dropped(input, part: 0).values)
        #expect(one == branch(1).dropped(input, part: 0).values)
    }

    // MARK: Whole steps

    /// Where the updates are zero no draw changes the loss, and the gradient of B is linear in the inputs that are left.
    @Test func theMeanOfTheGradientIsTheGradient() {
        let updates = LowRankUpdates(rank: 2, architecture: fixtures.backbone.architecture, seed: 3)
        let exact = steps(updates, rate: 0)
        let loss = exact.loss()
        let expected = exact.gradients
        let dropping = steps(updates, rate: rate)
        // How much of the exact gradient each draw's has.
        let shares = (0..<80).map { step in
            #expect(abs(dropping.loss(step: step) - loss) < 1e-6)
            return dot(dropping.gradients, expected) / dot(expected, expected)
        }
        let mean = shares.reduce(0, +) / Double(shares.count)
        let variance = shares.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(shares.count - 1)
        let error = (variance / Double(shares.count)).squareRoot()
        // Without what makes up for the numbers that are left out it would be 0.75.
        #expect(variance > 0 && abs(mean - 1) < max(4 * error, 1e-3) && abs(mean - 1) < 0.15, "\(mean) ± \(error)")
    }

    /// With draws that stay, along the gradient itself, for the factors of each tower.
    @Test func gradients() throws {
        let steps = steps(try given(), rate: rate)
        _ = steps.loss()
        for (tower, factor) in [("transformer", "A"), ("transformer", "B"), ("visual", "A"), ("visual", "B")] {
            let tensors = steps.part.tensors.filter { $0.name.hasPrefix(tower) && $0.name.hasSuffix(factor) }
            let (starts, gradients) = (tensors.map(\.value.values), tensors.map(\.gradient.values))
            let length = dot(gradients, gradients).squareRoot()
            func movedLoss(_ distance: Double) -> Double {
                for (index, tensor) in tensors.enumerated() {
                    tensor.value.fill(with: zip(starts[index], gradients[index]).map { $0 + Float(distance * Double($1) / length) })
                }
                return steps.loss()
            }
            let step = 1e-2
            let slope = (movedLoss(step) - movedLoss(-step)) / (2 * step)
            for (tensor, start) in zip(tensors, starts) { tensor.value.fill(with: start) }
            _ = steps.loss()
            #expect(abs(slope - length) < 0.03 * length, "\(tower) \(factor): \(slope) beside \(length)")
        }
    }

    /// Nor does what is computed twice for lack of memory.
    @Test func threadsAndMemoryChangeNoBit() throws {
        func bits(_ threads: Int, step: Int = 5, rate: Float = 0.25, budget: MemoryBudget = .standard) throws -> [[Float]] {
            let steps = steps(try given(), rate: rate, threads: threads, budget: budget)
            return [[Float(steps.loss(step: step))]] + steps.gradients
        }
        let one = try bits(1)
        for threads in [2, 5] { #expect(try bits(threads) == one) }
        #expect(try bits(2, budget: .activations(0)) == one)
        #expect(try bits(1, step: 6) != one && bits(1, rate: 0) != one)
    }

    /// Classifiers leave nothing out.
    @Test func classifiersAreExact() throws {
        let (dropping, exact) = (steps(try given(), rate: rate), steps(try given(), rate: 0))
        _ = dropping.loss()
        func logits(_ steps: Steps) throws -> [[Float]] {
            try steps.part.classifier(sequences: fixtures.sequences, frameCount: ModelFixtures.frameCount, pool: WorkerPool(threadCount: 2))
                .logits(clips: fixtures.clips)
        }
        #expect(try logits(dropping) == logits(exact))
    }
}
