import CKernels
import Glibc

/// AdamW with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2), as PyTorch computes it.
package struct AdamW: Sendable, Equatable {
    package var beta1 = 0.9
    package var beta2 = 0.98
    package var epsilon = 1e-8
    package var weightDecay = 1e-3

    package init(weightDecay: Double = 1e-3) { self.weightDecay = weightDecay }

    /// One step on one tensor.
    ///
    /// - Parameters:
    ///   - step: counts from 1.
    ///   - value, firstMoment, secondMoment: changed in place; all of one shape without gaps.
    package func update(
        _ value: MutableMatrix, gradient: some Readable, firstMoment: MutableMatrix, secondMoment: MutableMatrix,
        rate: Double, step: Int
    ) {
        let gradient = gradient.reading
        precondition(
            gradient.count == value.count && firstMoment.count == value.count && secondMoment.count == value.count
                && value.reading.isDense && gradient.isDense, "AdamW shapes differ")
        unsafe vifi_adamw(
            value.pointer, gradient.pointer, firstMoment.pointer, secondMoment.pointer, value.count,
            Float(1 - rate * weightDecay), Float(beta1), Float(beta2), Float(rate / (1 - pow(beta1, Double(step)))),
            Float(1 / (1 - pow(beta2, Double(step))).squareRoot()), Float(epsilon))
    }
}
