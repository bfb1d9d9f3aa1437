import Tensors
import TestSupport
import Testing

/// Windows, copies and patches.
@Suite struct MatrixTests {
    @Test func windowsShareMemory() {
        let matrix = MutableMatrix(rows: 3, columns: 4, (0..<12).map { Float($0) })
        let window = matrix.window(rows: 1..<3, columns: 1..<3)
        #expect(window.values == [5, 6, 9, 10])
        #expect(window.row(1).values == [9, 10])
        #expect(window.columns(1..<2).values == [6, 10])
        #expect(window.rows(0..<0).values == [])
        window[0, 1] = -1
        #expect(matrix[1, 2] == -1)
        window.fill(7)
        #expect(matrix.values == [0, 1, 2, 3, 4, 7, 7, 7, 8, 7, 7, 11])
    }

    @Test func windowOfAWindow() {
        let matrix = MutableMatrix(rows: 4, columns: 5, (0..<20).map { Float($0) })
        #expect(matrix.window(rows: 1..<4, columns: 1..<5).window(rows: 1..<3, columns: 2..<4).values == [13, 14, 18, 19])
    }

    @Test func copyAndFillRespectWindows() {
        let framed = Framed(rows: 2, columns: 3)
        framed.window.fill(with: [1, 2, 3, 4, 5, 6])
        framed.expectFrameIntact()
        let target = Framed(rows: 2, columns: 3)
        target.window.copy(framed.window)
        #expect(target.window.values == [1, 2, 3, 4, 5, 6])
        target.expectFrameIntact()
        target.window.fill(9)
        target.expectFrameIntact()
    }

    @Test func newMatricesAreZero() {
        #expect(MutableMatrix(rows: 7, columns: 9).values.allSatisfy { $0 == 0 })
        #expect(MutableMatrix(rows: 0, columns: 9).values.isEmpty)
    }

    @Test func patchesByHand() {
        // Side 4, patch 2; the value says channel, row and column.
        let frame = Table(rows: 1, columns: 48) { _, index in
            let (channel, row, column) = (index / 16, index / 4 % 4, index % 4)
            return Double(100 * channel + 10 * row + column)
        }.matrix
        let output = Framed(rows: 4, columns: 12)
        cutPatches(frame: frame, side: 4, patch: 2, into: output.window)
        #expect(output.window.row(0).values == [0, 1, 10, 11, 100, 101, 110, 111, 200, 201, 210, 211])
        #expect(output.window.row(1).values == [2, 3, 12, 13, 102, 103, 112, 113, 202, 203, 212, 213])
        #expect(output.window.row(2).values == [20, 21, 30, 31, 120, 121, 130, 131, 220, 221, 230, 231])
        output.expectFrameIntact()
    }

    @Test(arguments: [(1, 1), (6, 2), (9, 3), (10, 5), (7, 7)])
    func patchesAreThoseOfAConvolution(side: Int, patch: Int) {
        let frame = Table.random(1, 3 * side * side, seed: 95)
        let grid = side / patch
        let output = MutableMatrix(rows: grid * grid, columns: 3 * patch * patch)
        cutPatches(frame: frame.matrix, side: side, patch: patch, into: output)
        let expected = Table(rows: grid * grid, columns: 3 * patch * patch) { row, column in
            let (channel, y, x) = (column / (patch * patch), column / patch % patch, column % patch)
            return frame[0, (channel * side + row / grid * patch + y) * side + row % grid * patch + x]
        }
        #expect(output.values == expected.floats)
        // The gradient: the inner product of what comes out with anything is that of the frame with its gradient.
        let gradient = Table.random(grid * grid, 3 * patch * patch, seed: 96).matrix
        let frameGradient = MutableMatrix(rows: 1, columns: 3 * side * side, [Float](repeating: 7, count: 3 * side * side))
        joinPatches(gradient, side: side, patch: patch, into: frameGradient)
        func product(_ left: [Float], _ right: [Float]) -> Double { zip(left, right).reduce(0) { $0 + Double($1.0) * Double($1.1) } }
        let there = product(output.values, gradient.values)
        #expect(abs(there - product(frame.matrix.values, frameGradient.values)) < 1e-4 * max(1, abs(there)))
        // Pixels that no patch holds have none.
        #expect(frameGradient.values.count { $0 == 0 } >= 3 * (side * side - grid * patch * grid * patch))
    }

    @Test func patchesJoinByHand() {
        // One patch of 2 × 2 in each channel of 3 × 3, whose last row and column are in none.
        let frame = MutableMatrix(rows: 1, columns: 27, [Float](repeating: 9, count: 27))
        joinPatches(MutableMatrix(rows: 1, columns: 12, (1...12).map(Float.init)), side: 3, patch: 2, into: frame)
        #expect(frame.values == [1, 2, 0, 3, 4, 0, 0, 0, 0, 5, 6, 0, 7, 8, 0, 0, 0, 0, 9, 10, 0, 11, 12, 0, 0, 0, 0])
    }

    /// Velocities 1 and 0.9 · 1 + 2; with a decay of a half, half of the value on top.
    @Test func descentByHand() {
        func descended(decay: Double) -> [Float] {
            let (value, velocity) = (MutableMatrix(rows: 1, columns: 1, [4]), MutableMatrix(rows: 1, columns: 1))
            return ([1, 2] as [Float]).map { gradient in
                MomentumDescent(weightDecay: decay).update(
                    value, gradient: MutableMatrix(rows: 1, columns: 1, [gradient]), velocity: velocity, rate: 0.5)
                return value[0, 0]
            }
        }
        for (found, expected) in zip(descended(decay: 0) + descended(decay: 0.5), [3.5, 2.05, 2.5, -0.475] as [Float]) {
            #expect(abs(found - expected) < 1e-6, "\(found) beside \(expected)")
        }
    }
}
