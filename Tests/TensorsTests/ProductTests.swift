import Tensors
import TestSupport
import Testing

/// Products, sums and linear layers.
@Suite struct ProductTests {
    @Test func productByHand() {
        let left = Table([[1, 2], [3, 4]]).matrix
        let right = Table([[5, 6], [7, 8]]).matrix
        let output = MutableMatrix(rows: 2, columns: 2)
        multiply(left, .asStored, right, .asStored, into: output)
        #expect(output.values == [19, 22, 43, 50])
        multiply(left, .transposed, right, .asStored, into: output)
        #expect(output.values == [26, 30, 38, 44])
        multiply(left, .asStored, right, .transposed, into: output)
        #expect(output.values == [17, 23, 39, 53])
        multiply(left, .transposed, right, .transposed, into: output, scale: 2, adding: true)
        // Added twice: [[1, 3], [2, 4]] · [[5, 7], [6, 8]] = [[23, 31], [34, 46]].
        #expect(output.values == [63, 85, 107, 145])
    }

    static let sizes = [(1, 1, 1), (1, 7, 5), (3, 1, 17), (17, 33, 1), (5, 64, 31), (19, 130, 50)]

    @Test(arguments: sizes, [Orientation.asStored, .transposed])
    func productInWindows(sizes: (rows: Int, inner: Int, columns: Int), leftOrientation: Orientation) {
        for rightOrientation in [Orientation.asStored, .transposed] {
            let left = Table.random(sizes.rows, sizes.inner, seed: 1)
            let right = Table.random(sizes.inner, sizes.columns, seed: 2)
            let start = Table.random(sizes.rows, sizes.columns, seed: 3)
            let storedLeft = Framed(leftOrientation == .asStored ? left : left.transposed)
            let storedRight = Framed(rightOrientation == .asStored ? right : right.transposed)

            // What was there before must not matter, be it NaN.
            let output = Framed(rows: sizes.rows, columns: sizes.columns)
            multiply(storedLeft.window, leftOrientation, storedRight.window, rightOrientation, into: output.window)
            expectClose(output.window, left * right, "product")
            output.expectFrameIntact()

            let sum = Framed(start)
            multiply(
                storedLeft.window, leftOrientation, storedRight.window, rightOrientation, into: sum.window, scale: -0.5,
                adding: true)
            expectClose(sum.window, start + -0.5 * (left * right), "sum of products")
            sum.expectFrameIntact()
        }
    }

    @Test func productOfNothing() {
        let output = Table([[1, 2], [3, 4]]).matrix
        let left = MutableMatrix(rows: 2, columns: 0)
        let right = MutableMatrix(rows: 0, columns: 2)
        multiply(left, .asStored, right, .asStored, into: output, adding: true)
        #expect(output.values == [1, 2, 3, 4])
        multiply(left, .asStored, right, .asStored, into: output)
        #expect(output.values == [0, 0, 0, 0])
        // No rows at all: nothing is touched, nothing traps.
        multiply(right, .asStored, output, .asStored, into: MutableMatrix(rows: 0, columns: 2))
    }

    @Test func linearByHand() {
        let output = MutableMatrix(rows: 1, columns: 2)
        linear(Table([[1, 10]]).matrix, weight: Table([[2, 3], [4, 5]]).matrix, bias: Table([[100, 200]]).matrix, into: output)
        #expect(output.values == [132, 254])
    }

    @Test(arguments: [(1, 1, 1), (1, 17, 5), (4, 5, 33), (7, 48, 16), (0, 3, 2)])
    func linearAndGradients(rows: Int, inputWidth: Int, outputWidth: Int) {
        let input = Table.random(rows, inputWidth, seed: 11)
        let weight = Table.random(outputWidth, inputWidth, seed: 12)
        let bias = Table.random(1, outputWidth, seed: 13)
        let outputGradient = Table.random(rows, outputWidth, seed: 14)
        func forward(_ input: Table, _ weight: Table, _ bias: Table) -> Table {
            Table(rows: input.rows, columns: weight.rows) { row, column in
                (0..<input.columns).reduce(bias[0, column]) { $0 + input[row, $1] * weight[column, $1] }
            }
        }

        let output = Framed(rows: rows, columns: outputWidth)
        linear(Framed(input).window, weight: Framed(weight).window, bias: Framed(bias).window, into: output.window)
        expectClose(output.window, forward(input, weight, bias), "output")
        output.expectFrameIntact()

        // The gradients are added to what is there.
        let startWeight = Table.random(outputWidth, inputWidth, seed: 15)
        let startBias = Table.random(1, outputWidth, seed: 16)
        let weightGradient = Framed(startWeight)
        let biasGradient = Framed(startBias)
        linearWeightBackward(
            outputGradient: Framed(outputGradient).window, input: Framed(input).window,
            weightGradient: weightGradient.window, biasGradient: biasGradient.window)
        expectClose(
            weightGradient.window,
            startWeight + numericalGradient(at: weight) { forward(input, $0, bias).dot(outputGradient) }, "weight gradient")
        expectClose(
            biasGradient.window, startBias + numericalGradient(at: bias) { forward(input, weight, $0).dot(outputGradient) },
            "bias gradient")
        weightGradient.expectFrameIntact()
        biasGradient.expectFrameIntact()

        let inputGradient = Framed(rows: rows, columns: inputWidth)
        multiply(outputGradient.matrix, .asStored, weight.matrix, .asStored, into: inputGradient.window)
        expectClose(
            inputGradient.window, numericalGradient(at: input) { forward($0, weight, bias).dot(outputGradient) }, "input gradient")
    }

    @Test(arguments: [(1, 1), (3, 15), (5, 16), (4, 33), (0, 4)])
    func rowOperations(rows: Int, width: Int) {
        let input = Table.random(rows, width, seed: 21)
        let row = Table.random(1, width, seed: 22)
        let start = Table.random(rows, width, seed: 23)

        let filled = Framed(rows: rows, columns: width)
        fillRows(of: filled.window, with: Framed(row).window)
        expectClose(filled.window, Table(rows: rows, columns: width) { row[0, $1] }, "filled", tolerance: 0)
        filled.expectFrameIntact()

        let shifted = Framed(rows: rows, columns: width)
        add(Framed(row).window, toRowsOf: Framed(input).window, into: shifted.window)
        expectClose(shifted.window, Table(rows: rows, columns: width) { input[$0, $1] + row[0, $1] }, "shifted")
        shifted.expectFrameIntact()

        let sum = Framed(start)
        add(Framed(input).window, to: sum.window)
        expectClose(sum.window, start + input, "sum")
        sum.expectFrameIntact()

        let sums = Framed(row)
        sumRows(of: Framed(input).window, into: sums.window)
        expectClose(
            sums.window, Table(rows: 1, columns: width) { _, column in (0..<rows).reduce(row[0, column]) { $0 + input[$1, column] } },
            "sums")
        sums.expectFrameIntact()
    }

    @Test func nonFiniteValuesAreCounted() {
        #expect(nonFiniteCount(in: MutableMatrix(rows: 0, columns: 3)) == 0)
        for count in [1, 15, 16, 17, 100] {
            var values = [Float](repeating: Float.greatestFiniteMagnitude, count: count)
            #expect(nonFiniteCount(in: MutableMatrix(rows: 1, columns: count, values)) == 0)
            values[count - 1] = .nan
            values[0] = count > 1 ? -.infinity : .nan
            #expect(nonFiniteCount(in: MutableMatrix(rows: 1, columns: count, values)) == min(count, 2))
        }
    }
}
