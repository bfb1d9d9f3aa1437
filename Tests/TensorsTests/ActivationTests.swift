import Glibc
import Tensors
import TestSupport
import Testing

/// QuickGELU and softmax.
@Suite struct ActivationTests {
    private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-1.702 * x)) }

    @Test func quickGELUByHand() {
        let output = MutableMatrix(rows: 1, columns: 3)
        Activation.quickGELU(Table([[0, 1, -1]]).matrix, into: output)
        expectClose(output.values, [0, 0.845_795_77, -0.154_204_23], tolerance: 1e-6)
        // At 0 the slope is one half.
        let gradient = Table([[2]]).matrix
        Activation.quickGELU.backward(input: Table([[0]]).matrix, gradient: gradient)
        #expect(gradient.values == [1])
    }

    @Test(arguments: [(1, 1), (3, 5), (2, 16), (1, 47), (0, 4)])
    func quickGELUAndGradient(rows: Int, width: Int) {
        let input = Table.random(rows, width, seed: 51, scale: 3)
        let outputGradient = Table.random(rows, width, seed: 52)
        func forward(_ input: Table) -> Table { input.map { $0 * sigmoid($0) } }
        let output = MutableMatrix(rows: rows, columns: width)
        Activation.quickGELU(input.matrix, into: output)
        expectClose(output, forward(input), "output")
        let gradient = outputGradient.matrix
        Activation.quickGELU.backward(input: input.matrix, gradient: gradient)
        expectClose(gradient, numericalGradient(at: input) { forward($0).dot(outputGradient) }, "gradient")
    }

    /// The whole range of the exponential, value by value rather than relative to the largest.
    @Test func quickGELUIsAccurateEverywhere() {
        let inputs = stride(from: -50, through: 50, by: 0.137).map { Float($0) }
        let output = MutableMatrix(rows: 1, columns: inputs.count)
        let input = MutableMatrix(rows: 1, columns: inputs.count, inputs)
        Activation.quickGELU(input, into: output)
        for (x, y) in zip(inputs, output.values) {
            let expected = Double(x) * sigmoid(Double(x))
            // -1.702 x is rounded before it is raised: half an ulp of the exponent is 50 · 1.7 · 2⁻²⁴ relative.
            #expect(abs(Double(y) - expected) <= 1e-5 * abs(expected), "quickGELU(\(x)) is \(y), expected \(expected)")
        }
    }

    @Test func quickGELUStaysFinite() {
        let values: [Float] = [-1e30, -1e4, -88, -51.9, -51.3, 51.9, 88, 1e4, 1e30, 1e-37, -0.0]
        let input = MutableMatrix(rows: 1, columns: values.count, values)
        let output = MutableMatrix(rows: 1, columns: values.count)
        let gradient = MutableMatrix(rows: 1, columns: values.count, [Float](repeating: 1, count: values.count))
        Activation.quickGELU(input, into: output)
        Activation.quickGELU.backward(input: input, gradient: gradient)
        expectFinite(output, "output")
        expectFinite(gradient, "gradient")
        for (index, value) in values.enumerated() where abs(value) > 50 {
            #expect(abs(gradient.values[index] - (value > 0 ? 1 : 0)) <= 1e-6, "slope at \(value)")
            #expect(abs(output.values[index] - max(value, 0)) <= 1e-6 * max(value, 1))
        }
    }

    // MARK: GELU

    @Test func geluByHand() {
        let output = MutableMatrix(rows: 1, columns: 3)
        Activation.gelu(Table([[0, 1, -1]]).matrix, into: output)
        expectClose(output.values, [0, 0.841_344_75, -0.158_655_25], tolerance: 1e-6)
        let gradient = Table([[2]]).matrix
        Activation.gelu.backward(input: Table([[0]]).matrix, gradient: gradient)
        expectClose(gradient.values, [1], tolerance: 1e-6)
    }

    /// From -10 to 10, against PyTorch.
    @Test func geluAsInPyTorch() throws {
        let expected = try TensorFixture("checkpoints/expected")
        let x = try expected.floats("gelu.x")
        let input = MutableMatrix(rows: 1, columns: x.count, x)
        let output = MutableMatrix(rows: 1, columns: x.count)
        let slope = MutableMatrix(rows: 1, columns: x.count, [Float](repeating: 1, count: x.count))
        Activation.gelu(input, into: output)
        Activation.gelu.backward(input: input, gradient: slope)
        // Element by element: a tolerance relative to 10 would say little about the tail.
        for index in x.indices {
            #expect(abs(output.values[index] - (try expected.floats("gelu.y")[index])) <= 4e-7 * max(1, abs(x[index])), "gelu(\(x[index]))")
        }
        expectClose(slope.values, try expected.floats("gelu.slope"), tolerance: 1e-6, "slope")
    }

    @Test(arguments: [(1, 1), (3, 5), (2, 16), (1, 47), (0, 4)])
    func geluAndGradient(rows: Int, width: Int) {
        let input = Table.random(rows, width, seed: 53, scale: 3)
        let outputGradient = Table.random(rows, width, seed: 54)
        func forward(_ input: Table) -> Table { input.map { 0.5 * $0 * erfc(-$0 / 2.squareRoot()) } }
        let output = MutableMatrix(rows: rows, columns: width)
        Activation.gelu(input.matrix, into: output)
        expectClose(output, forward(input), "output")
        let gradient = outputGradient.matrix
        Activation.gelu.backward(input: input.matrix, gradient: gradient)
        expectClose(gradient, numericalGradient(at: input) { forward($0).dot(outputGradient) }, "gradient")
    }

    /// Value by value, with the tail relative to itself: libm in double precision is the judge.
    @Test func geluIsAccurateEverywhere() {
        let inputs = stride(from: -9, through: 9, by: 0.0137).map { Float($0) }
        let output = MutableMatrix(rows: 1, columns: inputs.count)
        Activation.gelu(MutableMatrix(rows: 1, columns: inputs.count, inputs), into: output)
        for (x, y) in zip(inputs, output.values) {
            let expected = 0.5 * Double(x) * erfc(-Double(x) / 2.squareRoot())
            // The square is rounded before it is raised: half an ulp of 40 is 2e-6 relative in the far tail.
            #expect(abs(Double(y) - expected) <= (x > -3 ? 1e-6 : 6e-6) * abs(expected), "gelu(\(x)) is \(y), expected \(expected)")
        }
    }

    @Test func geluStaysFinite() {
        let values: [Float] = [-1e38, -1e30, -1e4, -88, -14.1, 14.1, 88, 1e4, 1e30, 1e38, 1e-37, -0.0]
        let input = MutableMatrix(rows: 1, columns: values.count, values)
        let output = MutableMatrix(rows: 1, columns: values.count)
        let gradient = MutableMatrix(rows: 1, columns: values.count, [Float](repeating: 1, count: values.count))
        Activation.gelu(input, into: output)
        Activation.gelu.backward(input: input, gradient: gradient)
        expectFinite(output, "output")
        expectFinite(gradient, "gradient")
        for (index, value) in values.enumerated() where abs(value) > 14 {
            #expect(abs(gradient.values[index] - (value > 0 ? 1 : 0)) <= 1e-6, "slope at \(value)")
            #expect(abs(output.values[index] - max(value, 0)) <= 1e-6 * max(value, 1))
        }
    }

    // MARK: Softmax

    private func softmaxForward(_ scores: Table, scale: Double, visible: (Int) -> Int) -> Table {
        Table(rows: scores.rows, columns: scores.columns) { row, column in
            let count = min(visible(row), scores.columns)
            guard column < count else { return 0 }
            let largest = (0..<count).map { scores[row, $0] }.max() ?? 0
            let sum = (0..<count).reduce(0) { $0 + exp(scale * (scores[row, $1] - largest)) }
            return exp(scale * (scores[row, column] - largest)) / sum
        }
    }

    @Test func softmaxByHand() {
        let scores = Table([[0, log(3)], [5, 5]]).matrix
        let logSums = MutableMatrix(rows: 1, columns: 2)
        softmax(scores, scale: 1, logSums: logSums)
        expectClose(logSums.values, [log(Float(4)), 5 + log(Float(2))], tolerance: 1e-6)
        expectClose(scores.values, [0.25, 0.75, 0.5, 0.5], tolerance: 1e-6)
        let masked = Table([[1, 9, 9], [2, 2, 9]]).matrix
        softmax(masked, scale: 1, mask: .causal(firstQueryRow: 0), logSums: logSums)
        #expect(masked.values == [1, 0, 0, 0.5, 0.5, 0])
    }

    @Test(arguments: [(1, 1), (1, 17), (3, 5), (2, 16), (4, 50), (0, 3)], [AttentionMask.none, .causal(firstQueryRow: 0), .causal(firstQueryRow: 3)])
    func softmaxAndGradient(sizes: (rows: Int, columns: Int), mask: AttentionMask) {
        let shared = 2
        func visible(_ row: Int) -> Int {
            switch mask {
            case .none: sizes.columns
            case .causal(let first): shared + first + row + 1
            }
        }
        let scores = Table.random(sizes.rows, sizes.columns, seed: 61, scale: 3)
        let outputGradient = Table.random(sizes.rows, sizes.columns, seed: 62)
        let expected = softmaxForward(scores, scale: 0.3, visible: visible)

        let probabilities = Framed(scores)
        let logSums = MutableMatrix(rows: 1, columns: sizes.rows)
        softmax(probabilities.window, scale: 0.3, mask: mask, sharedCount: shared, logSums: logSums)
        expectClose(probabilities.window, expected, "probabilities")
        probabilities.expectFrameIntact()

        let gradient = Framed(outputGradient)
        let again = Framed(scores)
        softmaxBackward(
            scores: again.window, gradient: gradient.window, scale: 0.3, mask: mask, sharedCount: shared, logSums: logSums)
        expectClose(again.window, expected, "probabilities, computed again")
        again.expectFrameIntact()
        expectClose(
            gradient.window,
            numericalGradient(at: scores) { softmaxForward($0, scale: 0.3, visible: visible).dot(outputGradient) }, "gradient")
        gradient.expectFrameIntact()
    }

    @Test(arguments: [1, 15, 16, 33])
    func softmaxOfExtremeScores(columns: Int) {
        for (low, high) in [(-1e4, 1e4), (1e4, 1e4), (-1e4, -1e4), (-3e38, 3e37), (0, 1e-37)] as [(Float, Float)] {
            let scores = MutableMatrix(rows: 1, columns: columns)
            scores.fill(low)
            scores[0, columns - 1] = high
            let logSums = MutableMatrix(rows: 1, columns: 1)
            let again = MutableMatrix(rows: 1, columns: columns)
            again.copy(scores)
            softmax(scores, scale: 1, logSums: logSums)
            expectFinite(scores, "probabilities")
            #expect(abs(scores.values.reduce(0, +) - 1) < 1e-5)
            #expect(scores.values.allSatisfy { $0 >= 0 })
            if high - low > 1000 { #expect(scores[0, columns - 1] > 0.999) }
            let gradient = Table.random(1, columns, seed: 63, scale: 1e4).matrix
            softmaxBackward(scores: again, gradient: gradient, scale: 1, logSums: logSums)
            expectFinite(gradient, "gradient")
        }
    }

    /// A NaN must come out as NaN, not as a plausible probability.
    @Test func softmaxDoesNotHideNaN() {
        for place in [0, 3, 16, 18] {
            let scores = Table.random(1, 19, seed: 64).matrix
            scores[0, place] = .nan
            softmax(scores, scale: 1, logSums: MutableMatrix(rows: 1, columns: 1))
            #expect(scores.values.contains { $0.isNaN })
        }
    }
}
