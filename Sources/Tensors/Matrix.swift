import Files
import Glibc

/// Float32 memory on a cache-line boundary, zeroed, freed with its last matrix.
///
/// Unchecked Sendable: workers share it, and the program's structure gives each worker its own
/// window to write.
@safe final class Storage: @unchecked Sendable {
    let base: UnsafeMutablePointer<Float>
    private let block: UnsafeMutableRawPointer
    private let byteCount: Int
    private let isMapped: Bool

    init(count: Int) {
        byteCount = max(count, 1) * MemoryLayout<Float>.stride
        // The system's own zeros: pages that are never touched take no memory. Large ones come straight from the
        // system, so that they go back to it.
        isMapped = byteCount >= 1 << 20
        let block = isMapped
            ? unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            : unsafe calloc(byteCount + Self.alignment, 1)
        guard let block = unsafe block, unsafe !isMapped || block != MAP_FAILED else { endWithoutMemory(byteCount) }
        unsafe self.block = block
        let aligned = unsafe block.alignedUp(toMultipleOf: Self.alignment)
        unsafe base = aligned.bindMemory(to: Float.self, capacity: max(count, 1))
        WorkMeter.addMemory(bytes: byteCount)
    }

    private static let alignment = 64

    deinit {
        WorkMeter.removeMemory(bytes: byteCount)
        if isMapped { unsafe munmap(block, byteCount) } else { unsafe free(block) }
    }
}

/// Ends the process with the words and the exit status that an error would have. Whoever can tell beforehand how much is needed asks first; this is for everything else.
private func endWithoutMemory(_ byteCount: Int) -> Never {
    let shortage = MachineShortage.memory(neededBytes: byteCount)
    StandardStream.error.write("vifi-prompt: error: \(shortage.description)\n")
    _exit(shortage.exitStatus.rawValue)
}

/// A row-major matrix of Float32 that is only read. Copies and windows share memory.
package struct Matrix: Sendable {
    let storage: Storage
    let offset: Int
    package let rowCount: Int
    package let columnCount: Int
    /// Distance between the starts of neighboring rows.
    let stride: Int
}

/// A row-major matrix of Float32 that may be written. Copies and windows share memory.
package struct MutableMatrix: Sendable {
    /// The same memory, read-only.
    package let reading: Matrix

    /// A new matrix of zeros.
    package init(rows: Int, columns: Int) {
        precondition(rows >= 0 && columns >= 0, "negative matrix shape \(rows) × \(columns)")
        reading = Matrix(
            storage: Storage(count: rows * columns), offset: 0, rowCount: rows, columnCount: columns, stride: columns)
    }

    /// A new matrix with the given values, row after row.
    package init(rows: Int, columns: Int, _ values: [Float]) {
        precondition(values.count == rows * columns, "\(values.count) values for \(rows) × \(columns)")
        self.init(rows: rows, columns: columns)
        fill(with: values)
    }

    private init(reading: Matrix) { self.reading = reading }
}

/// What both kinds of matrix can do.
package protocol Readable: Sendable {
    var reading: Matrix { get }
    func window(rows: Range<Int>, columns: Range<Int>) -> Self
}

extension Matrix: Readable {
    package var reading: Matrix { self }

    package func window(rows: Range<Int>, columns: Range<Int>) -> Matrix {
        precondition(
            rows.lowerBound >= 0 && rows.upperBound <= rowCount && columns.lowerBound >= 0
                && columns.upperBound <= columnCount,
            "window \(rows) × \(columns) outside \(rowCount) × \(columnCount)")
        return Matrix(
            storage: storage, offset: offset + rows.lowerBound * stride + columns.lowerBound,
            rowCount: rows.count, columnCount: columns.count, stride: stride)
    }
}

extension MutableMatrix: Readable {
    package func window(rows: Range<Int>, columns: Range<Int>) -> MutableMatrix {
        MutableMatrix(reading: reading.window(rows: rows, columns: columns))
    }
}

extension Readable {
    package var rowCount: Int { reading.rowCount }
    package var columnCount: Int { reading.columnCount }
    package var count: Int { rowCount * columnCount }

    /// All columns of some rows.
    package func rows(_ rows: Range<Int>) -> Self { window(rows: rows, columns: 0..<columnCount) }

    /// One row, as a matrix of one row.
    package func row(_ index: Int) -> Self { rows(index..<index + 1) }

    /// Some columns of all rows.
    package func columns(_ columns: Range<Int>) -> Self { window(rows: 0..<rowCount, columns: columns) }

    /// The values, row after row.
    package var values: [Float] {
        let matrix = reading
        var result: [Float] = []
        result.reserveCapacity(count)
        for row in 0..<rowCount {
            unsafe result.append(contentsOf: UnsafeBufferPointer(start: matrix.pointer + row * matrix.stride, count: columnCount))
        }
        return result
    }

    package subscript(row: Int, column: Int) -> Float {
        let matrix = reading
        precondition(row >= 0 && row < rowCount && column >= 0 && column < columnCount, "index outside matrix")
        return unsafe matrix.pointer[row * matrix.stride + column]
    }

    /// Lends the values of a matrix without gaps between its rows.
    package func withValues<Result>(_ body: (UnsafeBufferPointer<Float>) throws -> Result) rethrows -> Result {
        let matrix = reading
        precondition(matrix.isDense, "withValues needs a matrix without gaps")
        return try unsafe body(UnsafeBufferPointer(start: matrix.pointer, count: count))
    }
}

extension Matrix {
    var pointer: UnsafePointer<Float> { unsafe UnsafePointer(storage.base + offset) }
    var isDense: Bool { stride == columnCount || rowCount <= 1 }
}

extension MutableMatrix {
    var pointer: UnsafeMutablePointer<Float> { unsafe reading.storage.base + reading.offset }
    var stride: Int { reading.stride }

    package subscript(row: Int, column: Int) -> Float {
        get { reading[row, column] }
        nonmutating set {
            precondition(row >= 0 && row < rowCount && column >= 0 && column < columnCount, "index outside matrix")
            unsafe pointer[row * stride + column] = newValue
        }
    }

    /// Lends the values of a matrix without gaps for writing.
    package func withMutableValues<Result>(_ body: (UnsafeMutableBufferPointer<Float>) throws -> Result) rethrows -> Result {
        precondition(reading.isDense, "withMutableValues needs a matrix without gaps")
        return try unsafe body(UnsafeMutableBufferPointer(start: pointer, count: count))
    }

    package func fill(_ value: Float) {
        for row in 0..<rowCount {
            unsafe (pointer + row * stride).update(repeating: value, count: columnCount)
        }
    }

    package func fill(with values: [Float]) {
        precondition(values.count == count, "\(values.count) values for \(rowCount) × \(columnCount)")
        unsafe values.withUnsafeBufferPointer { source in
            guard let start = source.baseAddress else { return }
            for row in 0..<rowCount {
                unsafe (pointer + row * stride).update(from: start + row * columnCount, count: columnCount)
            }
        }
    }

    /// Copies a matrix of the same shape.
    package func copy(_ source: some Readable) {
        let source = source.reading
        precondition(source.rowCount == rowCount && source.columnCount == columnCount, "copy between different shapes")
        for row in 0..<rowCount {
            unsafe (pointer + row * stride).update(from: source.pointer + row * source.stride, count: columnCount)
        }
    }

    /// The matrix's first `rows` × `columns` values as a matrix without gaps: scratch memory in another shape.
    package func reshaped(rows: Int, columns: Int) -> MutableMatrix {
        MutableMatrix(reading: reading.reshaped(rows: rows, columns: columns))
    }
}

extension Matrix {
    /// The matrix's first `rows` × `columns` values as a matrix without gaps.
    package func reshaped(rows: Int, columns: Int) -> Matrix {
        precondition(isDense && rows * columns <= count, "cannot see \(rowCount) × \(columnCount) as \(rows) × \(columns)")
        return Matrix(storage: storage, offset: offset, rowCount: rows, columnCount: columns, stride: columns)
    }
}
