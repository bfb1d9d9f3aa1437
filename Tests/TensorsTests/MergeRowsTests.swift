import Tensors
import TestSupport
import Testing

@Suite struct MergeRowsTests {
    @Test func byHand() {
        // Rows 0 and 2 become one, three parts to one.
        let output = MutableMatrix(rows: 2, columns: 2)
        output.fill(9)
        mergeRows(
            Table([[4, 8], [1, 2], [0, 4]]).matrix, places: Table([[1, 0, 1]]).matrix, factors: Table([[0.75, 1, 0.25]]).matrix, into: output)
        #expect(output.values == [1, 2, 3, 7])
        let gradient = MutableMatrix(rows: 3, columns: 2)
        mergeRowsBackward(
            outputGradient: Table([[1, 2], [4, 8]]).matrix, places: Table([[1, 0, 1]]).matrix, factors: Table([[0.75, 1, 0.25]]).matrix,
            inputGradient: gradient)
        #expect(gradient.values == [3, 6, 1, 2, 1, 2])
    }

    @Test(arguments: [1, 15, 16, 33])
    func gradientsMatchFiniteDifferences(width: Int) {
        let input = Table.random(7, width, seed: 61)
        let outputGradient = Table.random(4, width, seed: 62)
        let places = Table([[0, 3, 1, 3, 2, 3, 0]])
        let factors = Table.random(1, 7, seed: 63)
        func merged(_ input: Table) -> Table {
            var output = Table.zeros(4, width)
            for row in 0..<7 {
                for column in 0..<width { output[Int(places[0, row]), column] += factors[0, row] * input[row, column] }
            }
            return output
        }
        let output = Framed(rows: 4, columns: width)
        mergeRows(Framed(input).window, places: places.matrix, factors: factors.matrix, into: output.window)
        expectClose(output.window, merged(input), "merged")
        output.expectFrameIntact()
        let gradient = Framed(rows: 7, columns: width)
        mergeRowsBackward(
            outputGradient: Framed(outputGradient).window, places: places.matrix, factors: factors.matrix, inputGradient: gradient.window)
        expectClose(gradient.window, numericalGradient(at: input) { merged($0).dot(outputGradient) }, "gradient")
        gradient.expectFrameIntact()
    }
}
