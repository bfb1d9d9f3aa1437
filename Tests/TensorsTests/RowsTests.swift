import Glibc
import Tensors
import TestSupport
import Testing

/// Rows of bfloat16 between products: the same operations as in float32, on factors and results that are rounded.
@Suite(.enabled(if: Precision.bfloat16.isAvailable, "bfloat16 products are not available on this machine"))
struct RowsTests {
    struct Sizes: Sendable, CustomTestStringConvertible {
        let rows: Int
        let shared: Int
        let heads: Int
        let headWidth: Int
        /// Whether own keys have a bias.
        var isBiased = false
        var width: Int { heads * headWidth }
        var testDescription: String { "\(rows) rows, \(shared) shared, \(heads) heads of \(headWidth)\(isBiased ? ", biased" : "")" }
    }

    /// Numbers that fill registers and numbers that do not, one part of the queries and several.
    static let sizes = [
        Sizes(rows: 17, shared: 0, heads: 1, headWidth: 2), Sizes(rows: 18, shared: 3, heads: 2, headWidth: 16),
        Sizes(rows: 32, shared: 0, heads: 1, headWidth: 64), Sizes(rows: 49, shared: 1, heads: 3, headWidth: 20),
        Sizes(rows: 81, shared: 15, heads: 1, headWidth: 34), Sizes(rows: 197, shared: 10, heads: 2, headWidth: 64),
        Sizes(rows: 97, shared: 2, heads: 1, headWidth: 80),
        Sizes(rows: 50, shared: 3, heads: 2, headWidth: 20, isBiased: true), Sizes(rows: 33, shared: 0, heads: 1, headWidth: 64, isBiased: true),
    ]

    /// A relative error of 2⁻⁹ a rounding, of a few roundings.
    private let tolerance: Float = 0.012

    private func half(_ table: Table) -> BFloat16Matrix {
        let matrix = BFloat16Matrix(rows: table.rows, columns: table.columns)
        matrix.copy(table.matrix)
        return matrix
    }

    /// Values that bfloat16 holds exactly: multiples of 1/16 below 4.
    private func exact(_ rows: Int, _ columns: Int, seed: Int) -> Table {
        Table.random(rows, columns, seed: seed).map { max(-3.9375, min(3.9375, ($0 * 16).rounded() / 16)) }
    }

    private func expectNear(_ actual: [Float], _ expected: Table, _ name: String) {
        expectClose(actual, expected.floats, tolerance: tolerance, name)
    }

    @Test func roundsToNearestAndKeepsWindowsApart() {
        let matrix = BFloat16Matrix(rows: 2, columns: 4)
        matrix.columns(1..<3).copy(Table([[1 + 1.0 / 256, 1 + 3.0 / 256], [-3, 1e30]]).matrix)
        let values = matrix.values
        #expect(values[0] == 0 && values[3] == 0 && values[4] == 0 && values[7] == 0)
        #expect(values[1] == 1 && values[2] == 1 + 4.0 / 256 && values[5] == -3)
        #expect(abs(values[6] / 1e30 - 1) < 0.004)
        #expect(matrix.window(rows: 1..<2, columns: 1..<2).values == [-3])
    }

    // MARK: Attention

    private struct Attended {
        var output: Table
        var logSums: Table
        var gradient: Table
        var sharedGradient: Table
    }

    /// Attention and its gradient written out, one query and head at a time.
    private func reference(_ queryKeyValue: Table, _ shared: Table, _ bias: Table?, _ outputGradient: Table, _ sizes: Sizes) -> Attended {
        let width = sizes.width
        let keyCount = sizes.shared + sizes.rows
        let scale = 1 / Double(sizes.headWidth).squareRoot()
        var result = Attended(
            output: .zeros(sizes.rows, width), logSums: .zeros(1, sizes.heads * sizes.rows), gradient: .zeros(sizes.rows, 3 * width),
            sharedGradient: .zeros(sizes.shared, 2 * width))
        func source(_ key: Int, _ column: Int) -> Double {
            key < sizes.shared ? shared[key, column] : queryKeyValue[key - sizes.shared, width + column]
        }
        func learn(_ key: Int, _ column: Int, _ value: Double) {
            if key < sizes.shared { result.sharedGradient[key, column] += value } else { result.gradient[key - sizes.shared, width + column] += value }
        }
        for head in 0..<sizes.heads {
            let columns = head * sizes.headWidth..<(head + 1) * sizes.headWidth
            for query in 0..<sizes.rows {
                let scores = (0..<keyCount).map { key in
                    scale * columns.reduce(key < sizes.shared ? 0 : bias?[0, key - sizes.shared] ?? 0) { $0 + queryKeyValue[query, $1] * source(key, $1) }
                }
                let largest = scores.max() ?? 0
                let sum = scores.reduce(0) { $0 + exp($1 - largest) }
                result.logSums[0, head * sizes.rows + query] = largest + log(sum)
                let probabilities = scores.map { exp($0 - largest) / sum }
                let learned = (0..<keyCount).map { key in columns.reduce(0) { $0 + outputGradient[query, $1] * source(key, width + $1) } }
                let mean = zip(probabilities, learned).reduce(0) { $0 + $1.0 * $1.1 }
                for key in 0..<keyCount {
                    let slope = scale * probabilities[key] * (learned[key] - mean)
                    for column in columns {
                        result.output[query, column] += probabilities[key] * source(key, width + column)
                        result.gradient[query, column] += slope * source(key, column)
                        learn(key, column, slope * queryKeyValue[query, column])
                        learn(key, width + column, probabilities[key] * outputGradient[query, column])
                    }
                }
            }
        }
        return result
    }

    @Test(arguments: sizes)
    func attentionMatchesTheDoubleOne(sizes: Sizes) {
        let queryKeyValue = exact(sizes.rows, 3 * sizes.width, seed: 81)
        let shared = exact(sizes.shared, 2 * sizes.width, seed: 82)
        let outputGradient = exact(sizes.rows, sizes.width, seed: 83)
        let bias = sizes.isBiased ? Table.random(1, sizes.rows, seed: 85, scale: 3) : nil
        let keyBias = bias?.matrix.reading
        let expected = reference(queryKeyValue, shared, bias, outputGradient, sizes)
        let keys = sizes.shared + sizes.rows
        let scratch = AttentionScratch(
            scoreCount: 0, keyCount: keys, headWidth: sizes.headWidth, forGradients: true, bfloat16Counts: (sizes.rows, keys))
        let logSums = MutableMatrix(rows: 1, columns: sizes.heads * sizes.rows)
        let output = BFloat16Matrix(rows: sizes.rows, columns: sizes.width)
        let rows = half(queryKeyValue)
        let sharedRows: Matrix? = sizes.shared == 0 ? nil : Framed(shared).window.reading
        attention(
            queryKeyValue: rows, shared: sharedRows, keyBias: keyBias, headCount: sizes.heads, logSums: logSums, scratch: scratch, output: output)
        expectClose(logSums.values, expected.logSums.floats, tolerance: 1e-5, "log sums")
        expectNear(output.values, expected.output, "output")

        for learnsOwn in [true, false] {
            let start = exact(sizes.shared, 2 * sizes.width, seed: 84)
            let sharedGradient = Framed(start)
            let gradient = BFloat16Matrix(rows: sizes.rows, columns: 3 * sizes.width)
            gradient.copy(Table(rows: sizes.rows, columns: 3 * sizes.width) { _, _ in 7 }.matrix)
            attentionBackward(
                outputGradient: half(outputGradient), queryKeyValue: rows, shared: sharedRows, keyBias: keyBias, headCount: sizes.heads,
                logSums: logSums, scratch: scratch, gradient: learnsOwn ? gradient : nil,
                sharedGradient: sizes.shared == 0 ? nil : sharedGradient.window)
            if sizes.shared > 0 {
                expectNear(sharedGradient.window.values, start + expected.sharedGradient, "shared gradient")
                sharedGradient.expectFrameIntact()
            }
            if learnsOwn { expectNear(gradient.values, expected.gradient, "own gradient") }
        }
    }

    // MARK: Products and what lies between them

    @Test func productsReadAndWriteRows() {
        let input = exact(19, 64, seed: 91)
        let stored = exact(48, 64, seed: 92)
        let bias = exact(1, 48, seed: 93)
        let gradient = exact(19, 48, seed: 94)
        let weight = Weight(stored.matrix, precision: .bfloat16)
        let biased = input * stored.transposed + Table(rows: 19, columns: 48) { bias[0, $1] }
        let output = BFloat16Matrix(rows: 19, columns: 48)
        linear(.bfloat16(half(input)), weight: weight, bias: bias.matrix, into: .bfloat16(output))
        expectNear(output.values, biased, "linear to bfloat16")

        let sum = MutableMatrix(rows: 19, columns: 48)
        multiply(.bfloat16(half(input)), weight, into: sum)
        multiply(.bfloat16(half(input)), weight, into: sum, adding: true)
        expectClose(sum, 2 * (input * stored.transposed), "product to float32")

        let back = BFloat16Matrix(rows: 19, columns: 64)
        multiplyBackward(gradient.matrix, weight, into: .bfloat16(back))
        expectNear(back.values, gradient * stored, "gradient to bfloat16")
        let plain = MutableMatrix(rows: 19, columns: 64)
        multiplyBackward(.bfloat16(half(gradient)), weight, into: plain)
        expectClose(plain, gradient * stored, "gradient to float32")

        for isHalf in [true, false] {
            let start = exact(48, 64, seed: 95)
            let weightGradient = start.matrix
            let biasGradient = MutableMatrix(rows: 1, columns: 48)
            linearWeightBackward(
                outputGradient: isHalf ? .bfloat16(half(gradient)) : .float32(gradient.matrix), input: .bfloat16(half(input)),
                weightGradient: weightGradient, biasGradient: biasGradient, precision: .bfloat16)
            expectClose(weightGradient, start + gradient.transposed * input, "weight gradient")
            let sums = Table(rows: 1, columns: 48) { _, column in (0..<19).reduce(0) { $0 + gradient[$1, column] } }
            expectClose(biasGradient, sums, "bias gradient")
        }
    }

    @Test(arguments: Activation.allCases)
    func activationsAreThoseOfFloat32(activation: Activation) {
        let input = exact(5, 37, seed: 96)
        let gradient = exact(5, 37, seed: 97)
        let expected = MutableMatrix(rows: 5, columns: 37)
        activation(input.matrix, into: expected)
        let output = BFloat16Matrix(rows: 5, columns: 37)
        activation(.bfloat16(half(input)), into: .bfloat16(output))
        expectClose(output.values, expected.values, tolerance: 0.004, "activation")
        let expectedGradient = gradient.matrix
        activation.backward(input: input.matrix, gradient: expectedGradient)
        let rounded = half(gradient)
        activation.backward(input: .bfloat16(half(input)), gradient: .bfloat16(rounded))
        expectClose(rounded.values, expectedGradient.values, tolerance: 0.004, "gradient")
    }

    @Test func layerNormIsThatOfFloat32() {
        let input = Table.random(6, 45, seed: 98).matrix
        let weight = Table.random(1, 45, seed: 99).matrix
        let bias = Table.random(1, 45, seed: 100).matrix
        let statistics = (0..<2).map { _ in LayerNormStatistics(rows: 6) }
        let expected = MutableMatrix(rows: 6, columns: 45)
        layerNorm(input, weight: weight, bias: bias, into: expected, saving: statistics[0])
        let output = Rows(over: MutableMatrix(rows: 6, columns: 45), rows: 6, precision: .bfloat16)
        layerNorm(input, weight: weight, bias: bias, into: output, saving: statistics[1])
        guard case .bfloat16(let rounded) = output else { return #expect(Bool(false), "not rows of bfloat16") }
        expectClose(rounded.values, expected.values, tolerance: 0.004, "layer norm")
        let gradients = statistics.map { statistics in
            let gradient = MutableMatrix(rows: 6, columns: 45)
            layerNormBackward(outputGradient: expected, input: input, weight: weight, saved: statistics, inputGradient: gradient)
            return gradient.values
        }
        #expect(gradients[0] == gradients[1], "the statistics are those of float32")
    }
}
