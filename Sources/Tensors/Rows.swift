import CKernels

/// A row-major matrix of bfloat16, half the size of a `MutableMatrix`. Copies and windows share memory.
package struct BFloat16Matrix: Sendable {
    private let storage: Storage
    /// Counts numbers, as `stride` does.
    private let offset: Int
    package let rowCount: Int
    package let columnCount: Int
    let stride: Int

    /// A new matrix of zeros.
    package init(rows: Int, columns: Int) {
        precondition(rows >= 0 && columns >= 0, "negative matrix shape \(rows) × \(columns)")
        self.init(storage: Storage(count: (rows * columns + 1) / 2), offset: 0, rows: rows, columns: columns, stride: columns)
    }

    /// The start of scratch memory, seen as bfloat16.
    fileprivate init(over memory: MutableMatrix, rows: Int, columns: Int) {
        precondition(memory.reading.isDense && rows * columns <= 2 * memory.count, "no room for \(rows) × \(columns) numbers")
        self.init(
            storage: memory.reading.storage, offset: 2 * memory.reading.offset, rows: rows, columns: columns, stride: columns)
    }

    private init(storage: Storage, offset: Int, rows: Int, columns: Int, stride: Int) {
        self.storage = storage
        self.offset = offset
        rowCount = rows
        columnCount = columns
        self.stride = stride
    }

    package func window(rows: Range<Int>, columns: Range<Int>) -> BFloat16Matrix {
        precondition(
            rows.lowerBound >= 0 && rows.upperBound <= rowCount && columns.lowerBound >= 0 && columns.upperBound <= columnCount,
            "window \(rows) × \(columns) outside \(rowCount) × \(columnCount)")
        return BFloat16Matrix(
            storage: storage, offset: offset + rows.lowerBound * stride + columns.lowerBound, rows: rows.count,
            columns: columns.count, stride: stride)
    }

    package func rows(_ rows: Range<Int>) -> BFloat16Matrix { window(rows: rows, columns: 0..<columnCount) }
    package func columns(_ columns: Range<Int>) -> BFloat16Matrix { window(rows: 0..<rowCount, columns: columns) }

    var count: Int { rowCount * columnCount }
    var isDense: Bool { stride == columnCount || rowCount <= 1 }
    var pointer: UnsafeMutablePointer<UInt16> {
        unsafe UnsafeMutableRawPointer(storage.base).assumingMemoryBound(to: UInt16.self) + offset
    }

    /// The values, row after row.
    package var values: [Float] {
        (0..<rowCount).flatMap { row in
            (0..<columnCount).map { unsafe Float(bitPattern: UInt32(pointer[row * stride + $0]) << 16) }
        }
    }

    /// Rounds a matrix of the same shape, to nearest, ties to even.
    package func copy(_ source: some Readable) {
        precondition(source.rowCount == rowCount && source.columnCount == columnCount, "copy between different shapes")
        let source = source.reading
        for row in 0..<rowCount {
            unsafe vifi_to_bfloat16(source.pointer + row * source.stride, columnCount, pointer + row * stride, 1, columnCount)
        }
    }
}

/// Rows that products read and write: float32, or bfloat16 where all that read them would round them first.
package enum Rows: Sendable {
    case float32(MutableMatrix)
    case bfloat16(BFloat16Matrix)

    /// New rows of zeros.
    package init(rows: Int, columns: Int, precision: Precision) {
        self = switch precision {
        case .float32: .float32(MutableMatrix(rows: rows, columns: columns))
        case .bfloat16: .bfloat16(BFloat16Matrix(rows: rows, columns: columns))
        case .int8: preconditionFailure("rows between products are never int8")
        }
    }

    /// The start of scratch memory that has as many columns.
    package init(over memory: MutableMatrix, rows: Int, precision: Precision) {
        self = switch precision {
        case .float32: .float32(memory.rows(0..<rows))
        case .bfloat16: .bfloat16(BFloat16Matrix(over: memory, rows: rows, columns: memory.columnCount))
        case .int8: preconditionFailure("rows between products are never int8")
        }
    }

    package func window(rows: Range<Int>, columns: Range<Int>) -> Rows {
        switch self {
        case .float32(let matrix): .float32(matrix.window(rows: rows, columns: columns))
        case .bfloat16(let matrix): .bfloat16(matrix.window(rows: rows, columns: columns))
        }
    }

    package func rows(_ rows: Range<Int>) -> Rows { window(rows: rows, columns: 0..<columnCount) }
    package func columns(_ columns: Range<Int>) -> Rows { window(rows: 0..<rowCount, columns: columns) }

    package var rowCount: Int {
        switch self {
        case .float32(let matrix): matrix.rowCount
        case .bfloat16(let matrix): matrix.rowCount
        }
    }

    package var columnCount: Int {
        switch self {
        case .float32(let matrix): matrix.columnCount
        case .bfloat16(let matrix): matrix.columnCount
        }
    }

    /// - Precondition: the rows are float32.
    package var float32: MutableMatrix {
        guard case .float32(let matrix) = self else { preconditionFailure("rows of bfloat16 where float32 is needed") }
        return matrix
    }
}
