import Tensors

/// AdamW over a list of tensors, with its moments.
package final class Optimiser {
    private let configuration: AdamW
    private let values: [MutableMatrix]
    private let decays: [Bool]
    private let firstMoments: [MutableMatrix]
    private let secondMoments: [MutableMatrix]
    private let pool: WorkerPool
    private(set) var stepCount = 0

    /// - Parameter decays: which tensors decay; all where nil, as in ViFi-CLIP (`methods.md` 1.4).
    package init(_ configuration: AdamW, values: [MutableMatrix], decays: [Bool]? = nil, pool: WorkerPool) {
        self.configuration = configuration
        self.values = values
        self.decays = decays ?? values.map { _ in true }
        self.pool = pool
        firstMoments = values.map { MutableMatrix(rows: $0.rowCount, columns: $0.columnCount) }
        secondMoments = values.map { MutableMatrix(rows: $0.rowCount, columns: $0.columnCount) }
    }

    /// One step; the gradients are zero afterwards.
    package func step(gradients: [MutableMatrix], rate: Double) {
        precondition(gradients.count == values.count, "one gradient a tensor")
        stepCount += 1
        pool.parallelFor(values.count) { [values, decays, firstMoments, secondMoments, configuration, stepCount] _, index in
            var adam = configuration
            if !decays[index] { adam.weightDecay = 0 }
            adam.update(
                values[index], gradient: gradients[index], firstMoment: firstMoments[index],
                secondMoment: secondMoments[index], rate: rate, step: stepCount)
            gradients[index].fill(0)
        }
    }
}
