import Glibc
import Tensors
import TestSupport
import Testing

/// Layer norm and rows of unit length.
@Suite struct NormTests {
    @Test func layerNormByHand() {
        // Mean 2, variance 1.
        let output = MutableMatrix(rows: 1, columns: 2)
        layerNorm(
            Table([[1, 3]]).matrix, weight: Table([[10, 100]]).matrix, bias: Table([[1, 2]]).matrix, into: output,
            saving: LayerNormStatistics(rows: 1))
        let n = 1 / Float(1 + 1e-5).squareRoot()
        expectClose(output.values, [1 - 10 * n, 2 + 100 * n], tolerance: 1e-6)
    }

    private func layerNormForward(_ input: Table, _ weight: Table, _ bias: Table) -> Table {
        var output = Table.zeros(input.rows, input.columns)
        for row in 0..<input.rows {
            let width = Double(input.columns)
            let mean = (0..<input.columns).reduce(0) { $0 + input[row, $1] } / width
            let variance = (0..<input.columns).reduce(0) { $0 + (input[row, $1] - mean) * (input[row, $1] - mean) } / width
            for column in 0..<input.columns {
                output[row, column] = (input[row, column] - mean) / sqrt(variance + 1e-5) * weight[0, column] + bias[0, column]
            }
        }
        return output
    }

    @Test(arguments: [(1, 2), (3, 15), (2, 16), (1, 17), (5, 64), (2, 131), (0, 8)])
    func layerNormAndGradients(rows: Int, width: Int) {
        // Away from zero, as the residual stream is.
        let input = Table.random(rows, width, seed: 31, scale: 2).map { Double(Float($0 + 0.75)) }
        let weight = Table.random(1, width, seed: 32)
        let bias = Table.random(1, width, seed: 33)
        let outputGradient = Table.random(rows, width, seed: 34)
        let statistics = LayerNormStatistics(rows: rows)

        let output = Framed(rows: rows, columns: width)
        layerNorm(
            Framed(input).window, weight: Framed(weight).window, bias: Framed(bias).window, into: output.window, saving: statistics)
        expectClose(output.window, layerNormForward(input, weight, bias), "output")
        output.expectFrameIntact()

        let startInput = Table.random(rows, width, seed: 35)
        let inputGradient = Framed(startInput)
        layerNormBackward(
            outputGradient: Framed(outputGradient).window, input: Framed(input).window, weight: Framed(weight).window,
            saved: statistics, inputGradient: inputGradient.window)
        expectClose(
            inputGradient.window,
            startInput + numericalGradient(at: input) { layerNormForward($0, weight, bias).dot(outputGradient) }, "input gradient")
        inputGradient.expectFrameIntact()

        let startWeight = Table.random(1, width, seed: 36)
        let startBias = Table.random(1, width, seed: 37)
        let weightGradient = Framed(startWeight)
        let biasGradient = Framed(startBias)
        layerNormWeightBackward(
            outputGradient: Framed(outputGradient).window, input: Framed(input).window, saved: statistics,
            weightGradient: weightGradient.window, biasGradient: biasGradient.window)
        expectClose(
            weightGradient.window,
            startWeight + numericalGradient(at: weight) { layerNormForward(input, $0, bias).dot(outputGradient) }, "weight gradient")
        expectClose(
            biasGradient.window,
            startBias + numericalGradient(at: bias) { layerNormForward(input, weight, $0).dot(outputGradient) }, "bias gradient")
        weightGradient.expectFrameIntact()
        biasGradient.expectFrameIntact()
    }

    /// Statistics made for more rows than there are, as scratch memory is.
    @Test func layerNormWithRoomToSpare() {
        let input = Table.random(2, 5, seed: 38)
        let ones = Table(rows: 1, columns: 5) { _, _ in 1 }
        let output = MutableMatrix(rows: 2, columns: 5)
        layerNorm(input.matrix, weight: ones.matrix, bias: Table.zeros(1, 5).matrix, into: output, saving: LayerNormStatistics(rows: 9))
        expectClose(output, layerNormForward(input, ones, Table.zeros(1, 5)), "output")
    }

    @Test(arguments: [0, 1, -3e-20, 1e4, 3e9, 1e30] as [Float], [1, 17, 64])
    func layerNormOfAConstantRow(value: Float, width: Int) {
        let input = MutableMatrix(rows: 1, columns: width)
        input.fill(value)
        let ones = Table(rows: 1, columns: width) { _, _ in 1 }.matrix
        let output = MutableMatrix(rows: 1, columns: width)
        let inputGradient = MutableMatrix(rows: 1, columns: width)
        let statistics = LayerNormStatistics(rows: 1)
        layerNorm(input, weight: ones, bias: Table.zeros(1, width).matrix, into: output, saving: statistics)
        layerNormBackward(
            outputGradient: Table.random(1, width, seed: 39).matrix, input: input, weight: ones, saved: statistics,
            inputGradient: inputGradient)
        expectFinite(output, "output")
        expectFinite(inputGradient, "input gradient")
        if abs(value) <= 1 { #expect(output.values.allSatisfy { $0 == 0 }) }
    }

    // MARK: Unit length

    @Test func normalizeByHand() {
        let output = MutableMatrix(rows: 1, columns: 2)
        let lengths = MutableMatrix(rows: 1, columns: 1)
        normalizeRows(Table([[3, 4]]).matrix, into: output, lengths: lengths)
        expectClose(output.values, [0.6, 0.8], tolerance: 1e-6)
        #expect(lengths.values == [5])
        // Along the row nothing changes; across it, by 1 / length.
        let gradient = MutableMatrix(rows: 1, columns: 2)
        normalizeRowsBackward(output: output, lengths: lengths, outputGradient: Table([[3, 4]]).matrix, inputGradient: gradient)
        #expect(gradient.values.allSatisfy { abs($0) < 1e-6 })
        normalizeRowsBackward(output: output, lengths: lengths, outputGradient: Table([[-4, 3]]).matrix, inputGradient: gradient)
        expectClose(gradient.values, [-0.8, 0.6], tolerance: 1e-6)
    }

    private func normalizeForward(_ input: Table) -> Table {
        Table(rows: input.rows, columns: input.columns) { row, column in
            input[row, column] / sqrt((0..<input.columns).reduce(0) { $0 + input[row, $1] * input[row, $1] })
        }
    }

    @Test(arguments: [(1, 1), (3, 5), (2, 16), (4, 47), (1, 512), (0, 3)])
    func normalizeAndGradient(rows: Int, width: Int) {
        let input = Table.random(rows, width, seed: 41)
        let outputGradient = Table.random(rows, width, seed: 42)
        let start = Table.random(rows, width, seed: 43)
        let output = Framed(rows: rows, columns: width)
        let lengths = MutableMatrix(rows: 1, columns: rows)
        normalizeRows(Framed(input).window, into: output.window, lengths: lengths)
        expectClose(output.window, normalizeForward(input), "output")
        output.expectFrameIntact()

        let inputGradient = Framed(start)
        normalizeRowsBackward(
            output: output.window, lengths: lengths, outputGradient: Framed(outputGradient).window, inputGradient: inputGradient.window)
        expectClose(
            inputGradient.window, start + numericalGradient(at: input) { normalizeForward($0).dot(outputGradient) }, "input gradient")
        inputGradient.expectFrameIntact()
    }

    @Test(arguments: [0, 1e-30, 1e-15, 1e15, 1e30] as [Float])
    func normalizeStaysFinite(value: Float) {
        let input = MutableMatrix(rows: 1, columns: 19)
        input.fill(value)
        let output = MutableMatrix(rows: 1, columns: 19)
        let gradient = MutableMatrix(rows: 1, columns: 19)
        let lengths = MutableMatrix(rows: 1, columns: 1)
        normalizeRows(input, into: output, lengths: lengths)
        normalizeRowsBackward(
            output: output, lengths: lengths, outputGradient: Table.random(1, 19, seed: 44).matrix, inputGradient: gradient)
        expectFinite(output, "output")
        expectFinite(gradient, "gradient")
    }
}
