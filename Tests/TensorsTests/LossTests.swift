import Glibc
import Tensors
import TestSupport
import Testing

/// Cross-entropy and the optimizer's step.
@Suite struct LossTests {
    @Test func crossEntropyByHand() {
        let (loss, gradient) = softCrossEntropy(logits: [0, 0], target: [1, 0])
        #expect(abs(loss - log(2)) < 1e-12)
        #expect(gradient == [-0.5, 0.5])
        #expect(softmax(of: [0, 0, 0, 0]) == [0.25, 0.25, 0.25, 0.25])
        #expect(softmax(of: []) == [])
    }

    @Test(arguments: [1, 2, 17, 400])
    func crossEntropyAndGradient(classes: Int) {
        let logits = Table.random(1, classes, seed: 81, scale: 5)
        // Not a distribution: mixed and smoothed targets need not sum to one exactly.
        let target = Table.random(1, classes, seed: 82).map { Double(Float(abs($0))) }
        func forward(_ logits: Table) -> Double {
            let sum = logits.values.reduce(0) { $0 + exp($1) }
            return -zip(target.values, logits.values).reduce(0) { $0 + $1.0 * log(exp($1.1) / sum) }
        }
        let (loss, gradient) = softCrossEntropy(logits: logits.floats, target: target.floats)
        #expect(abs(loss - forward(logits)) <= 1e-9 * max(1, abs(loss)))
        expectClose(gradient, numericalGradient(at: logits, step: 1e-5, forward).floats, tolerance: operationTolerance, "gradient")
        let sum = logits.values.reduce(0) { $0 + exp($1) }
        expectClose(softmax(of: logits.floats), logits.values.map { Float(exp($0) / sum) }, tolerance: 1e-6, "softmax")
    }

    @Test(arguments: [[-1e4, 1e4], [1e4, 1e4, 1e4], [-1e30, 1e30], [0]] as [[Float]])
    func crossEntropyOfExtremeLogits(logits: [Float]) {
        for right in logits.indices {
            var target = [Float](repeating: 0, count: logits.count)
            target[right] = 1
            let (loss, gradient) = softCrossEntropy(logits: logits, target: target)
            #expect(loss.isFinite && loss >= 0)
            #expect(gradient.allSatisfy { $0.isFinite })
            #expect(softmax(of: logits).allSatisfy { $0.isFinite && $0 >= 0 })
        }
    }

    // MARK: AdamW

    @Test func firstStepByHand() {
        // After one step both corrected moments are the gradient: the move is rate · sign, beside the decay.
        let optimizer = AdamW(weightDecay: 0.5)
        let value = MutableMatrix(rows: 1, columns: 3, [1, 1, 1])
        optimizer.update(
            value, gradient: MutableMatrix(rows: 1, columns: 3, [4, -0.001, 0]), firstMoment: MutableMatrix(rows: 1, columns: 3),
            secondMoment: MutableMatrix(rows: 1, columns: 3), rate: 0.1, step: 1)
        expectClose(value.values, [0.95 - 0.1, 0.95 + 0.1, 0.95], tolerance: 2e-5)
    }

    /// The textbook's formulas in Double, many steps.
    @Test(arguments: [(1, 1), (1, 19), (3, 32)])
    func manySteps(rows: Int, columns: Int) {
        let optimizer = AdamW(weightDecay: 0.01)
        var value = Table.random(rows, columns, seed: 91)
        var first = Table.zeros(rows, columns)
        var second = Table.zeros(rows, columns)
        let actual = value.matrix
        let moments = (first.matrix, second.matrix)
        for step in 1...50 {
            let gradient = Table.random(rows, columns, seed: 91 + step, scale: step % 7 == 0 ? 100 : 0.1)
            let rate = 0.01 / Double(step)
            for index in value.values.indices {
                let g = gradient.values[index]
                first.values[index] = 0.9 * first.values[index] + 0.1 * g
                second.values[index] = 0.98 * second.values[index] + 0.02 * g * g
                let corrected = first.values[index] / (1 - pow(0.9, Double(step)))
                let deviation = sqrt(second.values[index] / (1 - pow(0.98, Double(step))))
                value.values[index] -= rate * (0.01 * value.values[index] + corrected / (deviation + 1e-8))
            }
            optimizer.update(
                actual, gradient: gradient.matrix, firstMoment: moments.0, secondMoment: moments.1, rate: rate, step: step)
            expectClose(actual, value, "value after step \(step)")
            expectClose(moments.0, first, "first moment after step \(step)")
            expectClose(moments.1, second, "second moment after step \(step)")
        }
    }

    @Test func extremeGradientsStayFinite() {
        let value = MutableMatrix(rows: 1, columns: 4, [1, 1, 1, 1])
        let moments = (MutableMatrix(rows: 1, columns: 4), MutableMatrix(rows: 1, columns: 4))
        for step in 1...3 {
            AdamW().update(
                value, gradient: MutableMatrix(rows: 1, columns: 4, [0, 1e-30, -1e18, 1e18]), firstMoment: moments.0,
                secondMoment: moments.1, rate: 1e-3, step: step)
        }
        expectFinite(value, "value")
        #expect(value.values.allSatisfy { abs($0 - 1) < 0.01 })
    }
}
