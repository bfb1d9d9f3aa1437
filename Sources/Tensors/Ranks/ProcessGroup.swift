/// The processes that work on one run. Each has a rank, from 0; every one of them calls the same operations
/// in the same order, on one thread at a time.
///
/// Only five operations know how bytes travel. What is built on them below gives the same bits whatever
/// carries the bytes, since sums are made in the order of the ranks.
package protocol ProcessGroup: AnyObject, Sendable {
    var rank: Int { get }
    /// At least 1.
    var count: Int { get }

    func send(_ bytes: UnsafeRawBufferPointer, to receiver: Int) throws(ProcessGroupError)
    /// The sender sends exactly as many.
    func receive(into bytes: UnsafeMutableRawBufferPointer, from sender: Int) throws(ProcessGroupError)
    /// Sends and receives at the same time, so that all ranks may do it together.
    func exchange(
        _ outgoing: UnsafeRawBufferPointer, to receiver: Int, into incoming: UnsafeMutableRawBufferPointer, from sender: Int
    ) throws(ProcessGroupError)
    /// What rank 0 has in `bytes` is copied to all.
    func broadcast(_ bytes: UnsafeMutableRawBufferPointer) throws(ProcessGroupError)
    /// Returns when all have come here.
    func barrier() throws(ProcessGroupError)
}

/// The processes lost each other.
package enum ProcessGroupError: Error, Equatable, Sendable, CustomStringConvertible {
    /// - Parameter reason: as MPI words it.
    case broken(operation: String, reason: String)
    case cannotStart(reason: String)
    /// The launcher started several processes and this build cannot join them.
    case notBuilt(expected: Int, variable: String)
    /// The launcher started several processes, but MPI finds one alone.
    case alone(expected: Int, variable: String, version: String)

    package var description: String {
        switch self {
        case .broken(let operation, let reason):
            "the ranks lost each other while they would \(operation): \(reason). With a checkpoint, --resume goes on, also with another number of ranks."
        case .cannotStart(let reason):
            "MPI cannot be started: \(reason). docs/cluster.md tells how ranks are launched."
        case .notBuilt(let expected, let variable):
            "\(variable) says that \(expected) processes were started together, but this vifi-prompt was built without MPI: they would "
                + "be \(expected) equal runs that overwrite one another. Install libopenmpi-dev and build with `--traits MPI`, or start one process."
        case .alone(let expected, let variable, let version):
            "\(variable) says that \(expected) processes were started together, but \(version) finds this one alone: they would be "
                + "\(expected) equal runs that overwrite one another. The launcher and the MPI library do not speak the same PMI: start with "
                + "`srun --mpi=pmix`, or with the mpirun of that library; for a single process inside an allocation, `srun -n 1`. See docs/cluster.md."
        }
    }
}

/// A process that works alone: nothing travels.
package final class SingleProcess: ProcessGroup {
    package init() {}
    package let rank = 0
    package let count = 1
    package func send(_ bytes: UnsafeRawBufferPointer, to receiver: Int) { preconditionFailure("there is nobody to send to") }
    package func receive(into bytes: UnsafeMutableRawBufferPointer, from sender: Int) { preconditionFailure("there is nobody to receive from") }
    package func exchange(
        _ outgoing: UnsafeRawBufferPointer, to receiver: Int, into incoming: UnsafeMutableRawBufferPointer, from sender: Int
    ) { preconditionFailure("there is nobody to exchange with") }
    package func broadcast(_ bytes: UnsafeMutableRawBufferPointer) {}
    package func barrier() {}
}

// MARK: - Matrices

extension ProcessGroup {
    /// What rank 0 has in the matrix is copied to all.
    package func broadcast(_ matrix: MutableMatrix) throws(ProcessGroupError) {
        guard count > 1 else { return }
        try unsafe broadcast(matrix.rawBytes)
    }

    package func send(_ matrix: MutableMatrix, to receiver: Int) throws(ProcessGroupError) {
        try unsafe send(UnsafeRawBufferPointer(matrix.rawBytes), to: receiver)
    }

    package func receive(into matrix: MutableMatrix, from sender: Int) throws(ProcessGroupError) {
        try unsafe receive(into: matrix.rawBytes, from: sender)
    }

    /// Replaces each matrix by its sum over the ranks, added in their order: the same bits on all, and whenever
    /// it is done with the same number of ranks.
    ///
    /// Every rank adds up its own slice of the numbers and hands the sum to the others, so that each sends and
    /// receives 2 · (count − 1) / count of their bytes.
    package func sum(_ matrices: [MutableMatrix]) throws(ProcessGroupError) {
        guard count > 1 else { return }
        let total = matrices.reduce(0) { $0 + $1.count }
        guard total > 0 else { return }
        let slice = max(1, min(SumBlock.length, total + count - 1) / count)
        let block = SumBlock(ranks: count, slice: slice)
        var cursor = MatrixCursor(matrices)
        while !cursor.isAtEnd {
            let start = cursor
            let filled = cursor.copy(into: block.values)
            // Small numbers of values leave the last slices partly or wholly empty.
            let used = (filled + count - 1) / count
            try sumBlock(block, slice: used)
            cursor = start
            cursor.fill(from: block.values, count: filled)
        }
    }

    private func sumBlock(_ block: SumBlock, slice: Int) throws(ProcessGroupError) {
        func part(_ rank: Int) -> MutableMatrix { block.values.columns(rank * slice..<(rank + 1) * slice) }
        let own = part(rank)
        for distance in 1..<count {
            let (receiver, sender) = ((rank + distance) % count, (rank + count - distance) % count)
            try unsafe exchange(
                UnsafeRawBufferPointer(part(receiver).rawBytes), to: receiver,
                into: block.others[sender].columns(0..<slice).rawBytes, from: sender)
        }
        let result = block.result.columns(0..<slice)
        result.fill(0)
        for other in 0..<count { add(other == rank ? own : block.others[other].columns(0..<slice), to: result) }
        own.copy(result)
        for distance in 1..<count {
            let (receiver, sender) = ((rank + distance) % count, (rank + count - distance) % count)
            try unsafe exchange(UnsafeRawBufferPointer(own.rawBytes), to: receiver, into: part(sender).rawBytes, from: sender)
        }
    }
}

/// Memory of a sum: about 64 MiB, whatever is summed.
private struct SumBlock {
    /// Floats that are summed at a time.
    static let length = 8 << 20

    let values: MutableMatrix
    /// This rank's slice as each other rank has it.
    let others: [MutableMatrix]
    let result: MutableMatrix

    init(ranks: Int, slice: Int) {
        values = MutableMatrix(rows: 1, columns: ranks * slice)
        others = (0..<ranks).map { _ in MutableMatrix(rows: 1, columns: slice) }
        result = MutableMatrix(rows: 1, columns: slice)
    }
}

/// A place in a list of matrices, read as one row of numbers.
private struct MatrixCursor {
    private let rows: [MutableMatrix]
    private var matrix = 0
    private var offset = 0

    init(_ matrices: [MutableMatrix]) {
        rows = matrices.filter { $0.count > 0 }.map { $0.reshaped(rows: 1, columns: $0.count) }
    }

    var isAtEnd: Bool { matrix == rows.count }

    /// Fills `block` as far as there are numbers; returns how many.
    mutating func copy(into block: MutableMatrix) -> Int {
        var filled = 0
        while let part = nextPart(atMost: block.count - filled) {
            block.columns(filled..<filled + part.count).copy(part)
            filled += part.count
        }
        // Whole slices travel: what lies behind the numbers must not be left from before.
        block.columns(filled..<block.count).fill(0)
        return filled
    }

    mutating func fill(from block: MutableMatrix, count: Int) {
        var done = 0
        while let part = nextPart(atMost: count - done) {
            part.copy(block.columns(done..<done + part.count))
            done += part.count
        }
    }

    private mutating func nextPart(atMost limit: Int) -> MutableMatrix? {
        guard limit > 0, !isAtEnd else { return nil }
        let row = rows[matrix]
        let part = row.columns(offset..<min(row.count, offset + limit))
        offset += part.count
        if offset == row.count { (matrix, offset) = (matrix + 1, 0) }
        return part
    }
}

extension MutableMatrix {
    /// - Precondition: no gaps between the rows.
    fileprivate var rawBytes: UnsafeMutableRawBufferPointer {
        precondition(reading.isDense, "only matrices without gaps travel")
        return unsafe UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(start: pointer, count: count))
    }
}

// MARK: - Messages

extension ProcessGroup {
    /// What rank 0 says, on all ranks.
    package func told(_ message: @autoclosure () -> [UInt8]) throws(ProcessGroupError) -> [UInt8] {
        guard count > 1 else { return message() }
        return try told(rank == 0 ? message() : [], length: nil)
    }

    /// What each rank says, on all ranks, in the order of the ranks.
    package func gathered(_ message: [UInt8]) throws(ProcessGroupError) -> [[UInt8]] {
        guard count > 1 else { return [message] }
        var messages = [message]
        if rank == 0 {
            for sender in 1..<count {
                let length = Self.length(try received(Self.lengthBytes, from: sender), at: 0)
                messages.append(try received(length, from: sender))
            }
        } else {
            try send(Self.bytes(ofLength: message.count))
            try send(message)
        }
        // All of them as one message: lengths, then bytes.
        let lengths = try told(messages.flatMap { Self.bytes(ofLength: $0.count) }, length: count * Self.lengthBytes)
        let all = try told(messages.flatMap { $0 }, length: nil)
        var start = 0
        return (0..<count).map { sender in
            let length = Self.length(lengths, at: sender)
            defer { start += length }
            return Array(all[start..<start + length])
        }
    }

    private static var lengthBytes: Int { 8 }

    private static func bytes(ofLength length: Int) -> [UInt8] {
        (0..<lengthBytes).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
    }

    private static func length(_ bytes: [UInt8], at position: Int) -> Int {
        (0..<lengthBytes).reduce(0) { $0 | Int(bytes[position * lengthBytes + $1]) << (8 * $1) }
    }

    /// - Parameter length: where all know it.
    private func told(_ message: [UInt8], length known: Int?) throws(ProcessGroupError) -> [UInt8] {
        var length = known ?? message.count
        if known == nil {
            length = Self.length(try told(Self.bytes(ofLength: length), length: Self.lengthBytes), at: 0)
        }
        return try unsafe filled(rank == 0 ? message : [UInt8](repeating: 0, count: length)) { bytes throws(ProcessGroupError) in
            try unsafe broadcast(bytes)
        }
    }

    /// To rank 0.
    private func send(_ message: [UInt8]) throws(ProcessGroupError) {
        _ = try unsafe filled(message) { bytes throws(ProcessGroupError) in try unsafe send(UnsafeRawBufferPointer(bytes), to: 0) }
    }

    private func received(_ length: Int, from sender: Int) throws(ProcessGroupError) -> [UInt8] {
        try unsafe filled([UInt8](repeating: 0, count: length)) { bytes throws(ProcessGroupError) in
            try unsafe receive(into: bytes, from: sender)
        }
    }

    /// The message after `body`: the standard library's own form does not keep the type of what is thrown.
    private func filled(
        _ message: [UInt8], _ body: (UnsafeMutableRawBufferPointer) throws(ProcessGroupError) -> Void
    ) throws(ProcessGroupError) -> [UInt8] {
        var message = message
        let result: Result<Void, ProcessGroupError> = unsafe message.withUnsafeMutableBytes { bytes in
            do throws(ProcessGroupError) {
                try unsafe body(bytes)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
        return message
    }
}
