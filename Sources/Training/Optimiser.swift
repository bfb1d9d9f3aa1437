import Tensors

/// AdamW over a list of tensors, with its moments.
package final class Optimiser {
    private let configuration: AdamW
    private let values: [MutableMatrix]
    private let gradients: [MutableMatrix]
    private let decays: [Bool]
    private let firstMoments: [MutableMatrix]
    private let secondMoments: [MutableMatrix]
    private let pool: WorkerPool
    private(set) var stepCount = 0

    /// - Parameters:
    ///   - gradients: one a tensor; each step reads them and leaves zeros.
    ///   - decays: which tensors decay; all where nil, as in ViFi-CLIP (`methods.md` 1.4).
    package init(
        _ configuration: AdamW, values: [MutableMatrix], gradients: [MutableMatrix], decays: [Bool]? = nil, pool: WorkerPool
    ) {
        precondition(values.count == gradients.count, "one gradient a tensor")
        self.configuration = configuration
        self.values = values
        self.gradients = gradients
        self.decays = decays ?? values.map { _ in true }
        self.pool = pool
        firstMoments = values.map { MutableMatrix(rows: $0.rowCount, columns: $0.columnCount) }
        secondMoments = values.map { MutableMatrix(rows: $0.rowCount, columns: $0.columnCount) }
    }

    package var parameterCount: Int { values.reduce(0) { $0 + $1.count } }

    /// One step on the gradients times `gradientScale`.
    package func step(rate: Double, gradientScale: Float = 1) {
        stepCount += 1
        pool.parallelFor(values.count) { [values, gradients, decays, firstMoments, secondMoments, configuration, stepCount] _, index in
            var adam = configuration
            if !decays[index] { adam.weightDecay = 0 }
            if gradientScale != 1 { scale(gradients[index], by: gradientScale) }
            adam.update(
                values[index], gradient: gradients[index], firstMoment: firstMoments[index],
                secondMoment: secondMoments[index], rate: rate, step: stepCount)
            gradients[index].fill(0)
        }
    }
}
