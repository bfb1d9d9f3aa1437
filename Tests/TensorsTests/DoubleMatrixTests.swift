import Tensors
import Testing

/// Products, factors and eigenvectors in Double, against plain sums.
@Suite struct DoubleMatrixTests {
    private static func random(_ rows: Int, _ columns: Int, seed: Int) -> Table { Table.random(rows, columns, seed: seed) }
    private static func matrix(_ table: Table) -> DoubleMatrix { DoubleMatrix(rows: table.rows, columns: table.columns, table.values) }

    private static func largestDifference(_ matrix: DoubleMatrix, _ table: Table) -> Double {
        zip(matrix.values, table.values).reduce(0) { max($0, abs($1.0 - $1.1)) }
    }

    /// Symmetric and positive definite.
    private static func definite(_ order: Int, seed: Int) -> Table {
        let factor = random(order, order + 3, seed: seed)
        return factor * factor.transposed
    }

    /// 600 rows are three pieces, the last a short one.
    @Test(arguments: [(1, 1, 1), (5, 7, 3), (600, 9, 4)])
    func products(rows: Int, inner: Int, columns: Int) {
        let left = Self.random(rows, inner, seed: 1)
        let right = Self.random(inner, columns, seed: 2)
        let expected = left * right
        let pool = WorkerPool(threadCount: 2)
        for pool in [nil, pool] {
            #expect(Self.largestDifference(product(Self.matrix(left), .asStored, Self.matrix(right), .asStored, pool: pool), expected) < 1e-12)
            #expect(Self.largestDifference(product(Self.matrix(left.transposed), .transposed, Self.matrix(right.transposed), .transposed, pool: pool), expected) < 1e-12)
        }
    }

    @Test func choleskyByHand() throws {
        let factor = try #require(Cholesky(DoubleMatrix(rows: 2, columns: 2, [4, 2, 2, 3])))
        // [4 2; 2 3] · [1; −1] = [2; −1]
        let solution = factor.solve(DoubleMatrix(rows: 2, columns: 1, [2, -1]))
        #expect(abs(solution[0, 0] - 1) < 1e-15 && abs(solution[1, 0] + 1) < 1e-15)
        #expect(factor.inverse().values.map { ($0 * 8).rounded() } == [3, -2, -2, 4])
        #expect(Cholesky(DoubleMatrix(rows: 2, columns: 2, [1, 2, 2, 1])) == nil)
    }

    @Test func solvesAndInverts() throws {
        let table = Self.definite(40, seed: 5)
        let right = Self.random(40, 6, seed: 6)
        let factor = try #require(Cholesky(Self.matrix(table)))
        let solution = factor.solve(Self.matrix(right))
        #expect(Self.largestDifference(product(Self.matrix(table), .asStored, solution, .asStored), right) < 1e-9)
        let identity = product(Self.matrix(table), .asStored, factor.inverse(), .asStored)
        #expect(Self.largestDifference(identity, Table(rows: 40, columns: 40) { $0 == $1 ? 1 : 0 }) < 1e-9)
    }

    @Test func eigenvectorsGiveTheMatrixBack() throws {
        let table = Self.definite(30, seed: 7)
        let eigen = try #require(SymmetricEigen(Self.matrix(table)))
        #expect(zip(eigen.values, eigen.values.dropFirst()).allSatisfy { $0 <= $1 })
        var scaled = eigen.vectors
        for (row, value) in eigen.values.enumerated() { for column in 0..<30 { scaled[row, column] *= value } }
        #expect(Self.largestDifference(product(eigen.vectors, .transposed, scaled, .asStored), table) < 1e-10)
    }

    /// Of rank 3: A A⁺ A = A and A⁺ A A⁺ = A⁺.
    @Test func pseudoinverse() throws {
        let factor = Self.random(12, 3, seed: 8)
        let table = factor * factor.transposed
        let inverse = try #require(SymmetricEigen(Self.matrix(table))).pseudoinverse(tolerance: 1e-10)
        let there = product(Self.matrix(table), .asStored, inverse, .asStored)
        #expect(Self.largestDifference(product(there, .asStored, Self.matrix(table), .asStored), table) < 1e-10)
        #expect((product(inverse, .asStored, there, .asStored) - inverse).values.allSatisfy { abs($0) < 1e-10 })
        #expect(try #require(SymmetricEigen(DoubleMatrix(rows: 2, columns: 2))).pseudoinverse(tolerance: 1e-10).values == [0, 0, 0, 0])
    }
}

/// Losses and elementwise operations on rows.
@Suite struct RowLossTests {
    @Test func crossEntropyOfRowsByItsGradient() {
        let logits = Table.random(3, 5, seed: 11, scale: 3)
        let labels = [4, 0, 2]
        var total = 0.0
        var expected: [Float] = []
        for row in 0..<3 {
            var target = [Float](repeating: 0, count: 5)
            target[labels[row]] = 1
            let (loss, gradient) = softCrossEntropy(logits: (0..<5).map { Float(logits[row, $0]) }, target: target)
            total += loss / 3
            expected += gradient.map { $0 / 3 }
        }
        let matrix = logits.matrix
        #expect(abs(crossEntropyOfRows(matrix, labels: labels) - total) < 1e-7)
        expectClose(matrix, Table(rows: 3, columns: 5) { Double(expected[$0 * 5 + $1]) }, "gradient")
    }

    @Test func elementwiseByHand() {
        let values = Table([[-1, 0.5], [2, 0]]).matrix
        let gradient = Table([[1, 2], [3, 4]]).matrix
        rectify(values)
        #expect(values.values == [0, 0.5, 2, 0])
        rectifyBackward(output: values, gradient: gradient)
        #expect(gradient.values == [0, 2, 3, 0])
        multiplyPlaces(of: gradient, by: values)
        #expect(gradient.values == [0, 1, 6, 0])
        add(values, times: 2, to: gradient)
        #expect(gradient.values == [0, 2, 10, 0])
        let kernel = Table([[1, 0]]).matrix
        exponentialKernel(kernel, sharpness: 2)
        #expect(kernel.values == [1, 0.13533528])
        softmaxOfRows(gradient)
        #expect(abs(gradient[0, 0] - 0.11920292) < 1e-6)
    }

    /// As one product, for several pieces of rows and any number of threads.
    @Test func productInPieces() {
        let left = Table.random(500, 20, seed: 12).matrix
        let right = Table.random(20, 30, seed: 13).matrix
        let whole = MutableMatrix(rows: 500, columns: 30)
        multiply(left, .asStored, right, .asStored, into: whole)
        let pieces = (1...2).map { threads in
            let output = MutableMatrix(rows: 500, columns: 30)
            multiply(left, .asStored, right, .asStored, into: output, pool: WorkerPool(threadCount: threads))
            return output.values
        }
        #expect(pieces[0] == pieces[1])
        #expect(zip(pieces[0], whole.values).allSatisfy { abs($0 - $1) < 1e-5 })
    }
}
