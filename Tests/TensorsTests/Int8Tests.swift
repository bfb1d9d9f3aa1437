import Tensors
import TestSupport
import Testing

/// Products with weights of bytes, against bytes, scales and whole-number sums that the test makes itself.
@Suite(.enabled(if: Precision.int8.isAvailable, "int8 products are not available on this machine"))
struct Int8Tests {
    /// Rows below, at and beyond what goes together, widths that fill no register.
    static let sizes = [(0, 3, 2), (1, 1, 1), (1, 64, 192), (5, 64, 31), (19, 130, 50), (81, 96, 40), (207, 384, 128)]

    /// A row's bytes, and what they are multiplied by to be its numbers again. Rounding is part of the numbers, so it
    /// is Float's, ties to even.
    private static func bytes(_ row: [Double]) -> (values: [Int], scale: Double) {
        let largest = row.map { Float(abs($0)) }.max() ?? 0
        guard largest > 0 else { return (row.map { _ in 0 }, 0) }
        let inverse = 127 / largest
        return (row.map { Int((Float($0) * inverse).rounded(.toNearestOrEven)) }, Double(largest / 127))
    }

    private static func rows(of table: Table) -> [(values: [Int], scale: Double)] {
        (0..<table.rows).map { row in bytes((0..<table.columns).map { table[row, $0] }) }
    }

    /// `input · weightᵀ` of bytes, both stored row after row.
    private static func product(_ input: Table, _ weight: Table) -> Table {
        let (left, right) = (rows(of: input), rows(of: weight))
        return Table(rows: input.rows, columns: weight.rows) { row, column in
            let sum = zip(left[row].values, right[column].values).reduce(0) { $0 + $1.0 * $1.1 }
            return left[row].scale * right[column].scale * Double(sum)
        }
    }

    private static func bias(_ bias: Table, rows: Int) -> Table { Table(rows: rows, columns: bias.columns) { bias[0, $1] } }

    @Test(arguments: sizes)
    func productsAreThoseOfBytes(sizes: (rows: Int, inner: Int, columns: Int)) {
        let input = Table.random(sizes.rows, sizes.inner, seed: 71)
        let stored = Table.random(sizes.columns, sizes.inner, seed: 72)
        let weight = Weight(Framed(stored).window, precision: .int8)
        #expect(weight.precision == .int8)
        let expected = Self.product(input, stored)
        let bias = Table.random(1, sizes.columns, seed: 73)
        for isFramed in [true, false] {
            let frame = Framed(rows: sizes.rows, columns: sizes.columns)
            let output = isFramed ? frame.window : MutableMatrix(rows: sizes.rows, columns: sizes.columns)
            let rows = isFramed ? Framed(input).window : input.matrix
            multiply(rows, weight, into: output)
            expectClose(output, expected, "product", tolerance: 1e-6)
            multiply(rows, weight, into: output, adding: true)
            expectClose(output, 2 * expected, "sum of products", tolerance: 1e-6)
            linear(rows, weight: weight, bias: bias.matrix, into: output)
            expectClose(output, expected + Self.bias(bias, rows: sizes.rows), "linear", tolerance: 1e-6)
            frame.expectFrameIntact()
        }
    }

    /// Rows of bfloat16 in and out, with the activation in the same pass.
    @Test(arguments: sizes, Activation.allCases)
    func activationsAreApplied(sizes: (rows: Int, inner: Int, columns: Int), activation: Activation) {
        let stored = Table.random(sizes.columns, sizes.inner, seed: 75)
        let weight = Weight(stored.matrix, precision: .int8)
        let bias = Table.random(1, sizes.columns, seed: 76)
        let half = BFloat16Matrix(rows: sizes.rows, columns: sizes.inner)
        half.copy(Table.random(sizes.rows, sizes.inner, seed: 77).matrix)
        let input = Table(rows: sizes.rows, columns: sizes.inner) { Double(half.values[$0 * sizes.inner + $1]) }
        let before = (Self.product(input, stored) + Self.bias(bias, rows: sizes.rows)).matrix
        let expected = MutableMatrix(rows: sizes.rows, columns: sizes.columns)
        activation(before, into: expected)

        let none = Rows(rows: 0, columns: 0, precision: .float32)
        let full = MutableMatrix(rows: sizes.rows, columns: sizes.columns)
        linear(.bfloat16(half), weight: weight, bias: bias.matrix, hidden: none, activation: activation, into: .float32(full))
        expectClose(full.values, expected.values, tolerance: 2e-6, "float32")
        let rounded = BFloat16Matrix(rows: sizes.rows, columns: sizes.columns)
        linear(.bfloat16(half), weight: weight, bias: bias.matrix, hidden: none, activation: activation, into: .bfloat16(rounded))
        let nearest = BFloat16Matrix(rows: sizes.rows, columns: sizes.columns)
        nearest.copy(full)
        #expect(rounded.values == nearest.values)
    }

    /// The largest bytes over a long row: instructions that saturate on the way come to another sum.
    @Test func sumsDoNotSaturate() {
        let inner = 4096
        let input = Table(rows: 2, columns: inner) { row, _ in row == 0 ? 1 : -1 }
        let stored = Table(rows: 16, columns: inner) { row, column in row % 2 == 0 || column % 2 == 0 ? 1 : -1 }
        let output = MutableMatrix(rows: 2, columns: 16)
        multiply(input.matrix, Weight(stored.matrix, precision: .int8), into: output)
        for column in 0..<16 {
            let expected = column % 2 == 0 ? Float(inner) : 0
            #expect(abs(output[0, column] - expected) < 1e-3 && abs(output[1, column] + expected) < 1e-3)
        }
    }

    /// A row of zeros gives the bias; what is not finite spoils its own row or output and no other.
    @Test func rowsStandForThemselves() {
        let input = MutableMatrix(rows: 4, columns: 3, [1, 2, 3, 0, 0, 0, 1, .nan, 3, 1, -.infinity, 3])
        let bias = MutableMatrix(rows: 1, columns: 2, [5, 6])
        let output = MutableMatrix(rows: 4, columns: 2)
        linear(input, weight: Weight(MutableMatrix(rows: 2, columns: 3, [1, 1, 1, 2, 0, 2]), precision: .int8), bias: bias, into: output)
        #expect(output.row(0).values.allSatisfy(\.isFinite) && output.row(1).values == [5, 6])
        #expect(output.row(2).values.allSatisfy(\.isNaN) && output.row(3).values.allSatisfy(\.isNaN))
        let spoiled = Weight(MutableMatrix(rows: 2, columns: 3, [1, .infinity, 1, 2, 0, 2]), precision: .int8)
        linear(input.rows(0..<2), weight: spoiled, bias: bias, into: output.rows(0..<2))
        #expect(output[0, 0].isNaN && output[0, 1].isFinite)
    }

    /// Any thread, alone or beside others, and any cut of the rows makes the same bits.
    @Test func threadsAndCutsAgree() {
        let stored = Table.random(192, 64, seed: 81).matrix
        let input = Table.random(400, 64, seed: 82).matrix
        let weight = Weight(stored, precision: .int8)
        let together = MutableMatrix(rows: 400, columns: 192)
        multiply(input, weight, into: together)
        let outputs = (0..<8).map { _ in MutableMatrix(rows: 400, columns: 192) }
        WorkerPool(threadCount: 4).parallelFor(8) { _, item in
            let step = [1, 7, 50, 81, 160, 200, 399, 400][item]
            for first in stride(from: 0, to: 400, by: step) {
                let rows = first..<min(400, first + step)
                multiply(input.rows(rows), weight, into: outputs[item].rows(rows))
            }
        }
        for output in outputs { #expect(output.values == together.values) }
    }

    @Test func refreshingTakesOverNewValues() {
        let stored = Table.random(40, 24, seed: 85).matrix
        let input = Table.random(9, 24, seed: 86).matrix
        let weight = Weight(stored, precision: .int8)
        func result(_ weight: Weight) -> [Float] {
            let output = MutableMatrix(rows: 9, columns: 40)
            multiply(input, weight, into: output)
            return output.values
        }
        let before = result(weight)
        scale(stored, by: 3)
        #expect(result(weight) == before)
        weight.refresh()
        #expect(result(weight) != before && result(weight) == result(Weight(stored, precision: .int8)))
    }
}
