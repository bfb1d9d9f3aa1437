import COpenBLAS
import Synchronization

/// A row-major matrix of Double, for closed forms whose sums and inverses float32 would spoil. A value: copies are
/// independent.
package struct DoubleMatrix: Sendable, Equatable {
    package let rowCount: Int
    package let columnCount: Int
    /// Row after row.
    package var values: [Double]

    /// A new matrix of zeros.
    package init(rows: Int, columns: Int) {
        self.init(rows: rows, columns: columns, [Double](repeating: 0, count: rows * columns))
    }

    package init(rows: Int, columns: Int, _ values: [Double]) {
        precondition(rows >= 0 && columns >= 0 && values.count == rows * columns, "\(values.count) values for \(rows) × \(columns)")
        rowCount = rows
        columnCount = columns
        self.values = values
    }

    package init(_ matrix: some Readable) {
        self.init(rows: matrix.rowCount, columns: matrix.columnCount, matrix.values.map(Double.init))
    }

    package subscript(row: Int, column: Int) -> Double {
        get {
            precondition(column >= 0 && column < columnCount, "index outside matrix")
            return values[row * columnCount + column]
        }
        set {
            precondition(column >= 0 && column < columnCount, "index outside matrix")
            values[row * columnCount + column] = newValue
        }
    }

    package func row(_ index: Int) -> ArraySlice<Double> { values[index * columnCount..<(index + 1) * columnCount] }

    /// The named rows, in that order.
    package func rows(_ indices: some Sequence<Int>) -> DoubleMatrix {
        var picked: [Double] = []
        var count = 0
        for index in indices {
            picked.append(contentsOf: row(index))
            count += 1
        }
        return DoubleMatrix(rows: count, columns: columnCount, picked)
    }

    package var transposed: DoubleMatrix {
        var result = DoubleMatrix(rows: columnCount, columns: rowCount)
        for row in 0..<rowCount {
            for column in 0..<columnCount { result.values[column * rowCount + row] = values[row * columnCount + column] }
        }
        return result
    }

    package var trace: Double { (0..<min(rowCount, columnCount)).reduce(0) { $0 + self[$1, $1] } }

    package mutating func addToDiagonal(_ number: Double) {
        for index in 0..<min(rowCount, columnCount) { self[index, index] += number }
    }

    /// `self += factor · column · rowᵀ`
    ///
    /// - Parameters:
    ///   - column: as many numbers as there are rows.
    ///   - row: as many as there are columns.
    package mutating func addProduct(of column: [Double], and row: [Double], times factor: Double) {
        precondition(column.count == rowCount && row.count == columnCount, "\(column.count) × \(row.count) added to \(rowCount) × \(columnCount)")
        precondition(blasIsSingleThreaded)
        guard rowCount > 0, columnCount > 0 else { return }
        vifi_blas_alone()
        let (rows, columns) = (blasint(rowCount), blasint(columnCount))
        unsafe values.withUnsafeMutableBufferPointer { values in
            unsafe cblas_dger(CblasRowMajor, rows, columns, factor, column, 1, row, 1, values.baseAddress, columns)
        }
    }

    package static func + (left: DoubleMatrix, right: DoubleMatrix) -> DoubleMatrix { left.combined(right, +) }
    package static func - (left: DoubleMatrix, right: DoubleMatrix) -> DoubleMatrix { left.combined(right, -) }
    package static func * (factor: Double, matrix: DoubleMatrix) -> DoubleMatrix {
        DoubleMatrix(rows: matrix.rowCount, columns: matrix.columnCount, matrix.values.map { factor * $0 })
    }

    private func combined(_ other: DoubleMatrix, _ operation: (Double, Double) -> Double) -> DoubleMatrix {
        precondition(rowCount == other.rowCount && columnCount == other.columnCount, "matrices of different shapes")
        return DoubleMatrix(rows: rowCount, columns: columnCount, zip(values, other.values).map(operation))
    }

    /// Rounded to float32.
    package var matrix: MutableMatrix { MutableMatrix(rows: rowCount, columns: columnCount, values.map { Float($0) }) }
}

/// Rows of a product that one thread computes at a time; fixed, so that the numbers do not depend on the number of
/// threads.
private let rowsOfPiece = 256

/// `left · right`, on all threads of `pool` where one is given.
package func product(
    _ left: DoubleMatrix, _ leftOrientation: Orientation, _ right: DoubleMatrix, _ rightOrientation: Orientation,
    pool: WorkerPool? = nil
) -> DoubleMatrix {
    let (rows, inner) = leftOrientation == .asStored
        ? (left.rowCount, left.columnCount) : (left.columnCount, left.rowCount)
    let (rightInner, columns) = rightOrientation == .asStored
        ? (right.rowCount, right.columnCount) : (right.columnCount, right.rowCount)
    precondition(inner == rightInner, "product \(rows)×\(inner) · \(rightInner)×\(columns)")
    precondition(blasIsSingleThreaded)
    var output = DoubleMatrix(rows: rows, columns: columns)
    guard rows > 0, columns > 0, inner > 0 else { return output }
    let start = WorkMeter.now
    unsafe output.values.withUnsafeMutableBufferPointer { outputValues in
        unsafe left.values.withUnsafeBufferPointer { leftValues in
            unsafe right.values.withUnsafeBufferPointer { rightValues in
                guard let output = outputValues.baseAddress, let left = leftValues.baseAddress,
                    let right = rightValues.baseAddress else { return }
                let leftStride = leftOrientation == .asStored ? inner : rows
                let rightStride = rightOrientation == .asStored ? columns : inner
                let places = unsafe Places(left: left, right: right, output: output)
                let piece: @Sendable (Int, Int) -> Void = { _, index in
                    vifi_blas_alone()
                    let first = index * rowsOfPiece
                    unsafe cblas_dgemm(
                        CblasRowMajor, leftOrientation.code, rightOrientation.code,
                        blasint(min(rowsOfPiece, rows - first)), blasint(columns), blasint(inner), 1,
                        places.left + (leftOrientation == .asStored ? first * inner : first), blasint(leftStride),
                        places.right, blasint(rightStride), 0, places.output + first * columns, blasint(columns))
                }
                let pieceCount = (rows + rowsOfPiece - 1) / rowsOfPiece
                if let pool { pool.parallelFor(pieceCount, piece) } else { for index in 0..<pieceCount { piece(0, index) } }
            }
        }
    }
    WorkMeter.addProduct(rows: rows, operations: 2 * rows * columns * inner, since: start)
    return output
}

/// Where a product's matrices lie.
///
/// Unchecked Sendable: the factors are only read, and each piece of the output is written by one thread.
@safe private struct Places: @unchecked Sendable {
    let left: UnsafePointer<Double>
    let right: UnsafePointer<Double>
    let output: UnsafeMutablePointer<Double>

    init(left: UnsafePointer<Double>, right: UnsafePointer<Double>, output: UnsafeMutablePointer<Double>) {
        unsafe self.left = left
        unsafe self.right = right
        unsafe self.output = output
    }
}

/// `A = L Lᵀ` of a symmetric, positive definite matrix.
package struct Cholesky: Sendable {
    private var factor: DoubleMatrix
    package var order: Int { factor.rowCount }

    /// - Returns: nil where the matrix is not positive definite.
    package init?(_ matrix: consuming DoubleMatrix) {
        precondition(matrix.rowCount == matrix.columnCount, "a Cholesky factor needs a square matrix")
        precondition(blasIsSingleThreaded)
        vifi_blas_alone()
        factor = matrix
        let order = factor.rowCount
        let status = unsafe factor.values.withUnsafeMutableBufferPointer { values -> Int32 in
            guard let start = values.baseAddress else { return 0 }
            return unsafe vifi_cholesky(blasint(order), start)
        }
        guard status == 0 else { return nil }
    }

    /// X of `A X = right`.
    package func solve(_ right: DoubleMatrix) -> DoubleMatrix {
        precondition(right.rowCount == order, "\(right.rowCount) rows for a system of order \(order)")
        vifi_blas_alone()
        // LAPACK counts along columns: it sees the transposed matrix as it needs it.
        var columns = right.transposed
        let columnCount = right.columnCount
        guard order > 0, columnCount > 0 else { return right }
        unsafe columns.values.withUnsafeMutableBufferPointer { values in
            unsafe factor.values.withUnsafeBufferPointer { factor in
                guard let start = values.baseAddress, let factor = factor.baseAddress else { return }
                _ = unsafe vifi_cholesky_solve(blasint(order), blasint(columnCount), factor, start)
            }
        }
        return columns.transposed
    }

    /// A⁻¹.
    package consuming func inverse() -> DoubleMatrix {
        vifi_blas_alone()
        var inverse = factor
        let order = inverse.rowCount
        unsafe inverse.values.withUnsafeMutableBufferPointer { values in
            guard let start = values.baseAddress else { return }
            _ = unsafe vifi_cholesky_inverse(blasint(order), start)
            // The lower triangle of the columns is the upper one of the rows.
            for row in 0..<order { for column in 0..<row { unsafe start[row * order + column] = start[column * order + row] } }
        }
        return inverse
    }
}

/// Eigenvalues, smallest first, and as the rows of `vectors` their unit eigenvectors, of a symmetric matrix.
package struct SymmetricEigen: Sendable {
    package let values: [Double]
    package let vectors: DoubleMatrix

    /// - Returns: nil where LAPACK's iteration does not converge.
    package init?(_ matrix: consuming DoubleMatrix) {
        precondition(matrix.rowCount == matrix.columnCount, "eigenvectors need a square matrix")
        precondition(blasIsSingleThreaded)
        vifi_blas_alone()
        var vectors = matrix
        let order = vectors.rowCount
        var eigenvalues = [Double](repeating: 0, count: order)
        guard order > 0 else {
            values = []
            self.vectors = vectors
            return
        }
        let status = unsafe vectors.values.withUnsafeMutableBufferPointer { values -> Int32 in
            unsafe eigenvalues.withUnsafeMutableBufferPointer { eigenvalues -> Int32 in
                guard let start = values.baseAddress, let eigenvalues = eigenvalues.baseAddress else { return -1 }
                var workSize = 0.0
                var integerSize = blasint(0)
                let query = unsafe vifi_symmetric_eigen(blasint(order), start, eigenvalues, &workSize, -1, &integerSize, -1)
                guard query == 0 else { return query }
                var work = [Double](repeating: 0, count: Int(workSize))
                var integers = [blasint](repeating: 0, count: Int(integerSize))
                let (workCount, integerCount) = (blasint(work.count), blasint(integers.count))
                return unsafe vifi_symmetric_eigen(
                    blasint(order), start, eigenvalues, &work, workCount, &integers, integerCount)
            }
        }
        guard status == 0 else { return nil }
        values = eigenvalues
        self.vectors = vectors
    }

    /// The Moore–Penrose inverse; eigenvalues up to `tolerance` times the largest magnitude count as 0.
    package func pseudoinverse(tolerance: Double) -> DoubleMatrix {
        let largest = values.reduce(0) { max($0, abs($1)) }
        var scaled = vectors
        for (row, value) in values.enumerated() {
            let factor = abs(value) > tolerance * largest ? 1 / value : 0
            for column in 0..<vectors.columnCount { scaled[row, column] *= factor }
        }
        return product(vectors, .transposed, scaled, .asStored)
    }
}
