import CLIPModel
import TestSupport
import Tensors
import Testing
import Training

/// What a method may ask of the optimizer beside its tensors.
@Suite struct OptimizerTests {
    private func matrix(_ values: [Float]) -> MutableMatrix { MutableMatrix(rows: 1, columns: values.count, values) }

    /// A factor on the rate is another rate, for the step and for the decay.
    @Test func rateFactors() throws {
        func learned(rateFactor: Double, rate: Double) throws -> [Float] {
            let value = matrix([1, -2, 3])
            let gradient = matrix([0, 0, 0])
            let optimizer = Optimizer(
                AdamW(weightDecay: 0.1),
                entries: [LearnedTensor(name: "w", value: value, gradient: gradient, rateFactor: rateFactor)],
                pool: WorkerPool(threadCount: 1))
            for _ in 0..<3 {
                gradient.fill(with: [0.5, -0.25, 0.125])
                try optimizer.step(rate: StepRate(rate))
            }
            return value.values
        }
        #expect(try learned(rateFactor: 8, rate: 0.125) == learned(rateFactor: 1, rate: 1))
        #expect(try learned(rateFactor: 8, rate: 0.125) != learned(rateFactor: 1, rate: 0.125))
    }

    /// Gradient descent keeps velocities and nothing else, which a checkpoint brings back: a run that goes on takes the same steps.
    @Test func descentIsCheckpointed() throws {
        func made(decays: Bool = true) -> (optimizer: Optimizer, value: MutableMatrix, gradient: MutableMatrix) {
            let (value, gradient) = (matrix([4, -1]), matrix([0, 0]))
            let entry = LearnedTensor(name: "w", value: value, gradient: gradient, decays: decays, rateFactor: 2)
            return (
                Optimizer(.descent(MomentumDescent(weightDecay: 0.5)), entries: [entry], pool: WorkerPool(threadCount: 1)), value, gradient
            )
        }
        func step(_ made: (optimizer: Optimizer, value: MutableMatrix, gradient: MutableMatrix)) throws {
            made.gradient.fill(with: [2, 6])
            try made.optimizer.step(rate: 0.25, gradientScale: 0.5)
            #expect(made.gradient.values == [0, 0])
        }
        let directory = try TemporaryDirectory()
        let first = made()
        try step(first)
        // Velocities 1 + 0.5 · 4 and 3 − 0.5, times a rate of 2 · 0.25.
        #expect(first.value.values == [2.5, -2.25])
        #expect(first.optimizer.tensors.map(\.name) == ["value.w", "first_moment.w"])
        try Checkpoints(run: directory.path).save(TrainingState(), optimizer: first.optimizer)
        let second = made()
        _ = try Checkpoints(run: directory.path).restore(into: second.optimizer) { path, reason in Issue.record("\(path): \(reason)") }
        for one in [first, second] { try step(one) }
        #expect(second.value.values == first.value.values && first.value.values != [2.5, -2.25])
        let free = made(decays: false)
        try step(free)
        #expect(free.value.values == [3.5, -2.5])
        // One that keeps squares is another run's.
        let adam = Optimizer(AdamW(), entries: [LearnedTensor(name: "w", value: matrix([1, 2]), gradient: matrix([0, 0]))], pool: WorkerPool(threadCount: 1))
        #expect(throws: TrainingError.self) { try Checkpoints(run: directory.path).restore(into: adam) { _, _ in } }
        // What diverges is said.
        let huge = made()
        huge.gradient.fill(with: [.infinity, 0])
        #expect(throws: TrainingError.nonFiniteParameter(name: "w", step: 1)) { try huge.optimizer.step(rate: 1.0) }
    }

    /// A method's own state is in its checkpoints, comes back with them, and is stepped by nobody.
    @Test func stateIsCheckpointed() throws {
        func made(_ values: [Float]) -> (optimizer: Optimizer, state: MutableMatrix) {
            let state = matrix(values)
            let entry = LearnedTensor(name: "w", value: matrix([1, 2]), gradient: matrix([0, 0]))
            return (Optimizer(AdamW(), entries: [entry], state: [("average.w", state)], pool: WorkerPool(threadCount: 1)), state)
        }
        let directory = try TemporaryDirectory()
        let first = made([0.25, 0.75])
        try first.optimizer.step(rate: 0.1)
        #expect(first.state.values == [0.25, 0.75])
        #expect(first.optimizer.tensors.map(\.name) == ["value.w", "first_moment.w", "second_moment.w", "state.average.w"])
        try Checkpoints(run: directory.path).save(TrainingState(), optimizer: first.optimizer)

        let second = made([0, 0])
        _ = try Checkpoints(run: directory.path).restore(into: second.optimizer) { path, reason in Issue.record("\(path): \(reason)") }
        #expect(second.state.values == [0.25, 0.75])
        // One without the state is another method's.
        let entry = LearnedTensor(name: "w", value: matrix([1, 2]), gradient: matrix([0, 0]))
        let plain = Optimizer(AdamW(), entries: [entry], pool: WorkerPool(threadCount: 1))
        #expect(plain.tensors.count == 3)
        #expect(throws: TrainingError.self) {
            try Checkpoints(run: directory.path).restore(into: plain) { _, _ in }
        }
    }
}
