import CLIPModel
import Files
import Synchronization
import Tensors

/// AdamW or gradient descent over a list of named tensors, with its moments: everything that changes from step to step.
package final class Optimizer {
    package typealias Entry = LearnedTensor

    /// How a gradient changes a tensor.
    package enum Rule: Sendable, Equatable {
        case adamW(AdamW)
        case descent(MomentumDescent)
    }

    private let rule: Rule
    package let entries: [Entry]
    /// What a method keeps from step to step beside its tensors.
    private let state: [(name: String, matrix: MutableMatrix)]
    /// The means of gradients, or velocities.
    private let firstMoments: [MutableMatrix]
    /// The means of their squares; none where the rule keeps none.
    private let secondMoments: [MutableMatrix]
    private let pool: WorkerPool
    /// Steps taken.
    package private(set) var stepCount = 0

    /// - Parameter state: what a method keeps from step to step beside its tensors. Steps leave it as it is, checkpoints
    ///   hold it.
    package convenience init(
        _ configuration: AdamW, entries: [Entry], state: [(name: String, matrix: MutableMatrix)] = [], pool: WorkerPool
    ) {
        self.init(.adamW(configuration), entries: entries, state: state, pool: pool)
    }

    /// - Parameter state: as above.
    package init(_ rule: Rule, entries: [Entry], state: [(name: String, matrix: MutableMatrix)] = [], pool: WorkerPool) {
        self.rule = rule
        self.entries = entries
        self.state = state
        self.pool = pool
        firstMoments = entries.map { MutableMatrix(rows: $0.value.rowCount, columns: $0.value.columnCount) }
        secondMoments = rule.keepsSquares ? entries.map { MutableMatrix(rows: $0.value.rowCount, columns: $0.value.columnCount) } : []
    }

    /// Numbers of the state beside the tensors.
    package var stateCount: Int { state.reduce(0) { $0 + $1.matrix.count } }

    /// Numbers that are kept of each one that learns.
    package var momentCount: Int { rule.keepsSquares ? 2 : 1 }

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
        pool.parallelFor(entries.count) { [entries, firstMoments, secondMoments, rule, stepCount] _, index in
            let entry = entries[index]
            let rate = rate.of(factor: entry.rateFactor)
            if gradientScale != 1 { scale(entry.gradient, by: gradientScale) }
            switch rule {
            case .adamW(var adam):
                if !entry.decays { adam.weightDecay = 0 }
                adam.update(
                    entry.value, gradient: entry.gradient, firstMoment: firstMoments[index], secondMoment: secondMoments[index], rate: rate,
                    step: stepCount)
            case .descent(var descent):
                if !entry.decays { descent.weightDecay = 0 }
                descent.update(entry.value, gradient: entry.gradient, velocity: firstMoments[index], rate: rate)
            }
            entry.gradient.fill(0)
        }
        try checkFinite(step: stepCount) { entry, index in [entry.value] + (rule.keepsSquares ? [secondMoments[index]] : []) }
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
            ] + (rule.keepsSquares ? [("second_moment." + entries[index].name, secondMoments[index])] : [])
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

extension Optimizer.Rule {
    fileprivate var keepsSquares: Bool { if case .adamW = self { true } else { false } }
}
