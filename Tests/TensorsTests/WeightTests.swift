import Tensors
import TestSupport
import Testing

/// Products with prepared weights, in the precisions that go both ways. bfloat16 is compared with factors that the test rounds
/// itself: what remains are float32 sums.
@Suite struct WeightTests {
    private static let isHere = Precision.bfloat16.isAvailable
    static let sizes = [(0, 3, 2), (1, 1, 1), (1, 64, 192), (5, 64, 31), (19, 130, 50), (33, 128, 384), (207, 384, 128)]

    /// To the nearest number with 8 significant bits, halves to the even one: by arithmetic, not on bits.
    private static func rounded(_ value: Double) -> Double {
        guard value != 0, value.isFinite else { return value }
        let unit = Double(sign: .plus, exponent: value.exponent - 7, significand: 1)
        return (value / unit).rounded(.toNearestOrEven) * unit
    }

    private func table(_ table: Table, in precision: Precision) -> Table {
        precision == .float32 ? table : table.map(Self.rounded)
    }

    private static var precisions: [Precision] { isHere ? [.float32, .bfloat16] : [.float32] }

    @Test(arguments: sizes, precisions)
    func productsForwardAndBackward(sizes: (rows: Int, inner: Int, columns: Int), precision: Precision) {
        let input = Table.random(sizes.rows, sizes.inner, seed: 21)
        let stored = Table.random(sizes.columns, sizes.inner, seed: 22)
        let gradient = Table.random(sizes.rows, sizes.columns, seed: 23)
        let weight = Weight(Framed(stored).window, precision: precision)
        #expect(weight.precision == precision)
        let x = table(input, in: precision)
        let w = table(stored, in: precision)
        let g = table(gradient, in: precision)

        // What was there before must not matter, be it NaN. Windows have gaps between their rows.
        for isFramed in [true, false] {
            let output = Framed(rows: sizes.rows, columns: sizes.columns)
            let plain = isFramed ? output.window : MutableMatrix(rows: sizes.rows, columns: sizes.columns)
            multiply(isFramed ? Framed(input).window : input.matrix, weight, into: plain)
            expectClose(plain, x * w.transposed, "product")
            multiply(input.matrix, weight, into: plain, adding: true)
            expectClose(plain, 2 * (x * w.transposed), "sum of products")
            output.expectFrameIntact()

            let inputGradient = Framed(rows: sizes.rows, columns: sizes.inner)
            let back = isFramed ? inputGradient.window : MutableMatrix(rows: sizes.rows, columns: sizes.inner)
            multiplyBackward(gradient.matrix, weight, into: back)
            expectClose(back, g * w, "input gradient")
            multiplyBackward(gradient.matrix, weight, into: back, adding: true)
            expectClose(back, 2 * (g * w), "sum of input gradients")
            inputGradient.expectFrameIntact()
        }

        let bias = Table.random(1, sizes.columns, seed: 24)
        let output = MutableMatrix(rows: sizes.rows, columns: sizes.columns)
        linear(input.matrix, weight: weight, bias: bias.matrix, into: output)
        expectClose(output, x * w.transposed + Table(rows: sizes.rows, columns: sizes.columns) { bias[0, $1] }, "linear")

        let start = Table.random(sizes.columns, sizes.inner, seed: 25)
        let weightGradient = Framed(start)
        linearWeightBackward(
            outputGradient: Framed(gradient).window, input: Framed(input).window, weightGradient: weightGradient.window,
            biasGradient: bias.matrix, precision: precision)
        expectClose(weightGradient.window, start + g.transposed * x, "weight gradient")
        weightGradient.expectFrameIntact()
    }

    /// Both factors rounded on the way, as attention's are: all orientations, in windows.
    @Test(.enabled(if: isHere), arguments: sizes)
    func productsOfTwoRoundedFactors(sizes: (rows: Int, inner: Int, columns: Int)) {
        let left = Table.random(sizes.rows, sizes.inner, seed: 61)
        let right = Table.random(sizes.inner, sizes.columns, seed: 62)
        let expected = table(left, in: .bfloat16) * table(right, in: .bfloat16)
        for leftOrientation in [Orientation.asStored, .transposed] {
            for rightOrientation in [Orientation.asStored, .transposed] {
                let output = Framed(rows: sizes.rows, columns: sizes.columns)
                let storedLeft = Framed(leftOrientation == .asStored ? left : left.transposed).window
                let storedRight = Framed(rightOrientation == .asStored ? right : right.transposed).window
                multiply(storedLeft, leftOrientation, storedRight, rightOrientation, into: output.window, precision: .bfloat16)
                expectClose(output.window, expected, "product")
                multiply(
                    storedLeft, leftOrientation, storedRight, rightOrientation, into: output.window, adding: true,
                    precision: .bfloat16)
                expectClose(output.window, 2 * expected, "sum of products")
                output.expectFrameIntact()
            }
        }
    }

    /// Ties, numbers that round up to a power of two, zeros, the largest float and what is no number.
    @Test(.enabled(if: isHere)) func factorsAreRoundedToNearest() {
        let values: [Float] = [
            1, -1, 1 + 0x1p-8, 1 + 0x3p-8, 1 + 0x1.8p-8, -1 - 0x1.8p-8, 1.998, 0, -0.0, 3e-38, 0.1, .greatestFiniteMagnitude,
            .infinity, -.infinity, .nan, Float(bitPattern: 0x7FFF_FFFF),
        ]
        let input = MutableMatrix(rows: values.count, columns: 1, values)
        let weight = Weight(MutableMatrix(rows: 1, columns: 1, [1]), precision: .bfloat16)
        let output = MutableMatrix(rows: values.count, columns: 1)
        multiply(input, weight, into: output)
        for (value, result) in zip(values, output.values) {
            if value == .greatestFiniteMagnitude {
                #expect(result == .infinity)
            } else if value.isNaN {
                #expect(result.isNaN)
            } else {
                #expect(result == Float(Self.rounded(Double(value))), "\(value)")
            }
        }
    }

    /// Float32 weights are nothing but BLAS products, bit for bit.
    @Test func float32IsUnchanged() {
        let input = Table.random(33, 96, seed: 31).matrix
        let stored = Table.random(48, 96, seed: 32).matrix
        let expected = MutableMatrix(rows: 33, columns: 48)
        multiply(input, .asStored, stored, .transposed, into: expected)
        let output = MutableMatrix(rows: 33, columns: 48)
        multiply(input, Weight(stored), into: output)
        #expect(output.values == expected.values)
    }

    @Test(.enabled(if: isHere)) func refreshingTakesOverNewValues() {
        let stored = Table.random(40, 24, seed: 41).matrix
        let input = Table.random(9, 24, seed: 42).matrix
        let gradient = Table.random(9, 40, seed: 43).matrix
        let weight = Weight(stored, precision: .bfloat16)
        func results(_ weight: Weight) -> [Float] {
            let output = MutableMatrix(rows: 9, columns: 40)
            let back = MutableMatrix(rows: 9, columns: 24)
            multiply(input, weight, into: output)
            multiplyBackward(gradient, weight, into: back)
            return output.values + back.values
        }
        let before = results(weight)
        scale(stored, by: 3)
        #expect(results(weight) == before)
        weight.refresh()
        #expect(results(weight) != before)
        #expect(results(weight) == results(Weight(stored, precision: .bfloat16)))
    }

    /// Any thread, alone or beside others, makes the same bits; some hundred shapes go through each thread.
    @Test(.enabled(if: isHere)) func threadsAgree() {
        let stored = Table.random(192, 64, seed: 51).matrix
        let input = Table.random(400, 64, seed: 52).matrix
        let weight = Weight(stored, precision: .bfloat16)
        let alone = MutableMatrix(rows: 400, columns: 192)
        for rows in 1...400 { multiply(input.rows(0..<rows), weight, into: alone.rows(0..<rows)) }
        let expected = alone.values
        let outputs = (0..<8).map { _ in MutableMatrix(rows: 400, columns: 192) }
        WorkerPool(threadCount: 4).parallelFor(8) { _, item in
            for rows in 1...400 { multiply(input.rows(0..<rows), weight, into: outputs[item].rows(0..<rows)) }
        }
        for output in outputs { #expect(output.values == expected) }
    }

    @Test func obstaclesAgree() {
        #expect(Precision.float32.obstacle == nil)
        for precision in [Precision.bfloat16, .int8] {
            #expect((precision.obstacle == .notBuilt) == (Precision.oneDNNVersion == nil))
        }
    }
}
