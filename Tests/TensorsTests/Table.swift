import Tensors
import TestSupport
import Testing

/// A matrix of Double with the plainest arithmetic there is: what the operations are compared with.
/// Nothing here is shared with the sources.
struct Table {
    let rows: Int
    let columns: Int
    var values: [Double]

    init(rows: Int, columns: Int, _ element: (_ row: Int, _ column: Int) -> Double) {
        self.rows = rows
        self.columns = columns
        values = (0..<rows * columns).map { element($0 / max(columns, 1), $0 % max(columns, 1)) }
    }

    init(_ rows: [[Double]]) {
        self.init(rows: rows.count, columns: rows.first?.count ?? 0) { rows[$0][$1] }
    }

    static func zeros(_ rows: Int, _ columns: Int) -> Table { Table(rows: rows, columns: columns) { _, _ in 0 } }

    /// Normal values that Float32 holds exactly.
    static func random(_ rows: Int, _ columns: Int, seed: Int, scale: Float = 1) -> Table {
        var source = RandomSource(seed: 4, purpose: .test, item: seed)
        return Table(rows: rows, columns: columns) { _, _ in Double(scale * source.normal()) }
    }

    subscript(row: Int, column: Int) -> Double {
        get { values[row * columns + column] }
        set { values[row * columns + column] = newValue }
    }

    var transposed: Table { Table(rows: columns, columns: rows) { self[$1, $0] } }

    func columns(_ range: Range<Int>) -> Table { Table(rows: rows, columns: range.count) { self[$0, range.lowerBound + $1] } }

    static func * (left: Table, right: Table) -> Table {
        Table(rows: left.rows, columns: right.columns) { row, column in
            (0..<left.columns).reduce(0) { $0 + left[row, $1] * right[$1, column] }
        }
    }

    static func + (left: Table, right: Table) -> Table {
        Table(rows: left.rows, columns: left.columns) { left[$0, $1] + right[$0, $1] }
    }

    static func * (factor: Double, table: Table) -> Table {
        Table(rows: table.rows, columns: table.columns) { factor * table[$0, $1] }
    }

    func map(_ transform: (Double) -> Double) -> Table { Table(rows: rows, columns: columns) { transform(self[$0, $1]) } }

    /// Σ of the products of equal places: the loss whose gradient with respect to `self` is `other`.
    func dot(_ other: Table) -> Double { zip(values, other.values).reduce(0) { $0 + $1.0 * $1.1 } }

    var floats: [Float] { values.map { Float($0) } }
    var matrix: MutableMatrix { MutableMatrix(rows: rows, columns: columns, floats) }
}

/// Central differences of `loss` in every place of `point`.
func numericalGradient(at point: Table, step: Double = 1e-6, _ loss: (Table) -> Double) -> Table {
    var shifted = point
    var gradient = Table.zeros(point.rows, point.columns)
    for index in point.values.indices {
        shifted.values[index] = point.values[index] + step
        let above = loss(shifted)
        shifted.values[index] = point.values[index] - step
        gradient.values[index] = (above - loss(shifted)) / (2 * step)
        shifted.values[index] = point.values[index]
    }
    return gradient
}

/// A table as a window of a larger matrix of NaN: reading outside it poisons results, writing outside it shows.
struct Framed {
    let window: MutableMatrix
    private let whole: MutableMatrix

    init(_ table: Table) {
        whole = MutableMatrix(rows: table.rows + 2, columns: table.columns + 3)
        whole.fill(.nan)
        window = whole.window(rows: 1..<1 + table.rows, columns: 2..<2 + table.columns)
        window.fill(with: table.floats)
    }

    init(rows: Int, columns: Int) { self.init(Table(rows: rows, columns: columns) { _, _ in .nan }) }

    func expectFrameIntact(sourceLocation: SourceLocation = #_sourceLocation) {
        let written = whole.values.count { !$0.isNaN } - window.values.count { !$0.isNaN }
        #expect(written == 0, "values written outside the window", sourceLocation: sourceLocation)
    }
}

/// Tolerance of one operation, relative to a tensor's largest magnitude.
let operationTolerance: Float = 1e-5

func expectClose(
    _ actual: some Readable, _ expected: Table, _ name: String, tolerance: Float = operationTolerance,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    expectClose(actual.values, expected.floats, tolerance: tolerance, name, sourceLocation: sourceLocation)
}

/// Finds a non-finite value.
func expectFinite(_ matrix: some Readable, _ name: String, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(matrix.values.allSatisfy { $0.isFinite }, "\(name) has a value that is not finite", sourceLocation: sourceLocation)
}
