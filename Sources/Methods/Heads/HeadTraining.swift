import Foundation
import Tensors

/// The learning rate of Dassl's trainers, changed once an epoch: 1e-5 in epoch 0, then a cosine that counts from epoch 1.
///
/// Source: KaiyangZhou/Dassl.pytorch, dassl/optim/lr_scheduler.py; `methods_more.md` 0.
func warmedCosineRate(base: Double, epoch: Int, epochCount: Int) -> Double {
    epoch == 0 ? 1e-5 : cosineRate(base: base, step: epoch - 1, stepCount: epochCount)
}

/// A cosine from the base rate to 0, PyTorch's CosineAnnealingLR.
func cosineRate(base: Double, step: Int, stepCount: Int) -> Double {
    0.5 * base * (1 + cos(.pi * Double(step) / Double(max(1, stepCount))))
}

/// One tensor that learns, with its gradient and PyTorch's momentum SGD or Adam.
struct HeadParameter {
    let value: MutableMatrix
    let gradient: MutableMatrix
    private let firstMoment: MutableMatrix
    private let secondMoment: MutableMatrix
    private var stepCount = 0

    init(_ start: some Readable) {
        func zeros() -> MutableMatrix { MutableMatrix(rows: start.rowCount, columns: start.columnCount) }
        value = zeros()
        value.copy(start)
        gradient = zeros()
        firstMoment = zeros()
        secondMoment = zeros()
    }

    /// Gradient descent with momentum. The gradient is 0 afterwards.
    mutating func stepWithMomentum(rate: Double, momentum: Double, decay: Double) {
        MomentumDescent(momentum: momentum, weightDecay: decay).update(value, gradient: gradient, velocity: firstMoment, rate: rate)
        gradient.fill(0)
    }

    /// Adam (Kingma and Ba 2015, algorithm 1), with decay in the gradient or, as AdamW has it, beside it. The gradient is 0
    /// afterwards.
    mutating func stepWithAdam(rate: Double, epsilon: Double, decayInGradient: Double = 0, decoupledDecay: Double = 0) {
        if decayInGradient != 0 { add(value, times: Float(decayInGradient), to: gradient) }
        stepCount += 1
        var adam = AdamW(weightDecay: decoupledDecay)
        adam.beta2 = 0.999
        adam.epsilon = epsilon
        adam.update(value, gradient: gradient, firstMoment: firstMoment, secondMoment: secondMoment, rate: rate, step: stepCount)
        gradient.fill(0)
    }

    /// Adam as TensorFlow computes it: ε stands beside the root that is not corrected for its start at 0. The gradient is 0
    /// afterwards.
    mutating func stepWithTensorFlowAdam(rate: Double, epsilon: Double) {
        stepWithAdam(rate: rate, epsilon: epsilon / (1 - pow(0.999, Double(stepCount + 1))).squareRoot())
    }
}

/// The weight and the bias of a layer that learns.
package struct HeadLayer: Sendable {
    /// `[inputs, outputs]` and `[1, outputs]`.
    var weight: HeadParameter
    var bias: HeadParameter

    /// - Parameter bias: as many as the weight has columns.
    package init(weight: some Readable, bias: [Float]) {
        self.weight = HeadParameter(weight)
        self.bias = HeadParameter(MutableMatrix(rows: 1, columns: bias.count, bias))
    }

    package var values: (weight: [Float], bias: [Float]) { (weight.value.values, bias.value.values) }
    package var gradients: (weight: [Float], bias: [Float]) { (weight.gradient.values, bias.gradient.values) }
}

/// Epochs of batches in random order.
struct HeadEpochs {
    let head: HeadKind
    let epochCount: Int
    let batchSize: Int

    /// Calls `step` for every batch, with the rows of the batch, the epoch, and the number of the step and of all steps.
    ///
    /// Orders are drawn by (seed, epoch). The last batch of an epoch may be short; Dassl drops it, Tip-Adapter does not.
    ///
    /// - Parameter rowsOfEpoch: every epoch has equally many.
    func run(
        _ context: HeadContext, rowsOfEpoch: (Int) -> [Int],
        step: (_ rows: [Int], _ epoch: Int, _ step: Int, _ stepCount: Int) throws(HeadError) -> Double
    ) throws(HeadError) {
        let rowCount = rowsOfEpoch(0).count
        let stepCount = epochCount * ((rowCount + batchSize - 1) / batchSize)
        var done = 0
        for epoch in 0..<epochCount {
            var rows = rowsOfEpoch(epoch)
            // Where one batch holds all, its order changes nothing but rounding.
            if rowCount > batchSize {
                var random = RandomSource(seed: context.seed, purpose: .order, epoch: epoch)
                rows = random.permutation(of: rowCount).map { rows[$0] }
            }
            for first in stride(from: 0, to: rowCount, by: batchSize) {
                let loss = try step(Array(rows[first..<min(first + batchSize, rowCount)]), epoch, done, stepCount)
                done += 1
                try context.report(head, step: done, of: stepCount, loss: loss)
            }
        }
    }
}

/// Cross-entropy of `scale · f̂·norm(p_c)` with its gradient with respect to the class vectors p, which are not of unit length:
/// the step of TaskRes and CLAP.
struct CosineClassLoss {
    let scale: Float
    private let unit: MutableMatrix
    private let lengths: MutableMatrix
    private let unitGradient: MutableMatrix

    init(classCount: Int, width: Int, scale: Float) {
        self.scale = scale
        unit = MutableMatrix(rows: classCount, columns: width)
        lengths = MutableMatrix(rows: 1, columns: classCount)
        unitGradient = MutableMatrix(rows: classCount, columns: width)
    }

    /// Adds to `gradient`. Returns the mean loss.
    ///
    /// - Parameters:
    ///   - features: `[rows, width]`, of unit length.
    ///   - classes, gradient: `[classes, width]`.
    func add(features: MutableMatrix, labels: [Int], classes: MutableMatrix, to gradient: MutableMatrix) -> Double {
        normalizeRows(classes, into: unit, lengths: lengths)
        let logits = MutableMatrix(rows: features.rowCount, columns: unit.rowCount)
        multiply(features, .asStored, unit, .transposed, into: logits, scale: scale)
        let loss = crossEntropyOfRows(logits, labels: labels)
        multiply(logits, .transposed, features, .asStored, into: unitGradient, scale: scale)
        normalizeRowsBackward(output: unit, lengths: lengths, outputGradient: unitGradient, inputGradient: gradient)
        return loss
    }
}

/// The share of rows whose largest logit is that of their label; the first of equal ones counts.
func accuracy(_ logits: some Readable, labels: [Int], rows: [Int]? = nil) -> Double {
    let rows = rows ?? Array(0..<logits.rowCount)
    guard !rows.isEmpty else { return 0 }
    let right = rows.reduce(0) { count, row in
        let values = logits.row(row).values
        return count + (values.indices.max { values[$0] < values[$1] } == labels[row] ? 1 : 0)
    }
    return Double(right) / Double(rows.count)
}
