import CLIPModel
import Files
import Synchronization
import Tensors

/// AdamW over a list of named tensors, with its moments: everything that changes from step to step.
package final class Optimizer {
    package typealias Entry = LearnedTensor

    private let configuration: AdamW
    package let entries: [Entry]
    /// What a method keeps from step to step beside its tensors.
    private let state: [(name: String, matrix: MutableMatrix)]
    private let firstMoments: [MutableMatrix]
    private let secondMoments: [MutableMatrix]
    private let pool: WorkerPool
    /// Steps taken.
    package private(set) var stepCount = 0

    /// - Parameter state: what a method keeps from step to step beside its tensors. Steps leave it as it is, checkpoints
    ///   hold it.
    package init(
        _ configuration: AdamW, entries: [Entry], state: [(name: String, matrix: MutableMatrix)] = [], pool: WorkerPool
    ) {
        self.configuration = configuration
        self.entries = entries
        self.state = state
        self.pool = pool
        firstMoments = entries.map { MutableMatrix(rows: $0.value.rowCount, columns: $0.value.columnCount) }
        secondMoments = entries.map { MutableMatrix(rows: $0.value.rowCount, columns: $0.value.columnCount) }
    }

    /// Numbers of the state beside the tensors.
    package var stateCount: Int { state.reduce(0) { $0 + $1.matrix.count } }

    /// Numbers that learn.
    package var parameterCount: Int { entries.reduce(0) { $0 + $1.value.count } }

    /// One step on the gradients times `gradientScale`.
    ///
    /// - Throws: `nonFiniteParameter` for the first tensor that has diverged: before anything is changed where it shows in a
    ///   gradient, else after the step, whose outcome must not be saved.
    package func step(rate: StepRate, gradientScale: Float = 1) throws(TrainingError) {
        // A gradient whose square overflows leaves the value as it is and freezes it from then on: that shows in its moment.
        try checkFinite(step: stepCount + 1) { entry, _ in [entry.gradient] }
        stepCount += 1
        pool.parallelFor(entries.count) { [entries, firstMoments, secondMoments, configuration, stepCount] _, index in
            var adam = configuration
            let entry = entries[index]
            if !entry.decays { adam.weightDecay = 0 }
            if gradientScale != 1 { scale(entry.gradient, by: gradientScale) }
            adam.update(
                entry.value, gradient: entry.gradient, firstMoment: firstMoments[index],
                secondMoment: secondMoments[index], rate: rate.of(factor: entry.rateFactor), step: stepCount)
            entry.gradient.fill(0)
        }
        try checkFinite(step: stepCount) { entry, index in [entry.value, secondMoments[index]] }
    }

    private func checkFinite(step: Int, _ matrices: (Entry, Int) -> [MutableMatrix]) throws(TrainingError) {
        let all = entries.enumerated().map { matrices($1, $0) }
        let counts = Mutex([Int](repeating: 0, count: all.count))
        pool.parallelFor(all.count) { _, index in
            let count = all[index].reduce(0) { $0 + nonFiniteCount(in: $1) }
            if count > 0 { counts.withLock { $0[index] = count } }
        }
        if let index = counts.withLock({ $0.firstIndex { $0 > 0 } }) { throw .nonFiniteParameter(name: entries[index].name, step: step) }
    }

    // MARK: Between runs

    /// What a checkpoint holds between two steps, when all gradients are zero: values, moments and a method's own state by
    /// name.
    package var tensors: [(name: String, matrix: MutableMatrix)] {
        entries.indices.flatMap { index in
            [
                ("value." + entries[index].name, entries[index].value),
                ("first_moment." + entries[index].name, firstMoments[index]),
                ("second_moment." + entries[index].name, secondMoments[index]),
            ]
        } + state.map { ("state." + $0.name, $0.matrix) }
    }

    /// SHA-256 over the values that learn.
    package func valueDigest() -> String {
        var digest = Digest()
        for entry in entries { unsafe entry.value.withValues { unsafe digest.update(UnsafeRawBufferPointer($0)) } }
        return digest.hexadecimal
    }

    /// Goes on counting where an earlier part of the run stopped, once `tensors` are filled.
    package func restore(stepCount: Int) { self.stepCount = stepCount }
}
