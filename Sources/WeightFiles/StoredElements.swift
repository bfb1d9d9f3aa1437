import CKernels
import CZlib
import Files

// From bytes in a file to floats in memory, one piece at a time: nothing is held twice.

/// CRC-32 as zip archives store it.
struct Checksum {
    private(set) var value: UInt32 = 0

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        value = unsafe UInt32(truncatingIfNeeded: crc32_z(UInt(value), bytes.baseAddress, bytes.count))
    }
}

/// Bytes that are read, checked and converted while the processor's cache still holds them.
private let pieceByteCount = 1 << 19

extension InputFile {
    /// Reads `byteRange` and passes it on in pieces.
    func forEachPiece(
        of byteRange: Range<Int>, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(WeightFileError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: min(pieceByteCount, byteRange.count), alignment: 64)
        defer { unsafe buffer.deallocate() }
        var offset = byteRange.lowerBound
        while offset < byteRange.upperBound {
            let piece = unsafe UnsafeMutableRawBufferPointer(
                rebasing: buffer[..<min(buffer.count, byteRange.upperBound - offset)])
            try unsafe readPiece(into: piece, at: offset)
            unsafe body(UnsafeRawBufferPointer(piece))
            offset += piece.count
        }
    }

    /// Reads elements that lie one after the other from `offset` on.
    ///
    /// - Parameters:
    ///   - elementType: one that is readable as float.
    ///   - observe: sees the stored bytes in their order.
    func readFloats(
        of elementType: ElementType, at offset: Int, into destination: UnsafeMutableBufferPointer<Float>,
        observe: (UnsafeRawBufferPointer) -> Void = { _ in }
    ) throws(WeightFileError) {
        if elementType == .float32 {
            let bytes = UnsafeMutableRawBufferPointer(destination)
            var done = 0
            while done < bytes.count {
                let piece = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: bytes[done..<min(done + pieceByteCount, bytes.count)])
                try unsafe readPiece(into: piece, at: offset + done)
                unsafe observe(UnsafeRawBufferPointer(piece))
                done += piece.count
            }
            return
        }
        var done = 0
        try unsafe forEachPiece(of: offset..<offset + destination.count * elementType.byteCount) { piece in
            unsafe observe(piece)
            guard let source = piece.baseAddress, let start = destination.baseAddress else { return }
            let count = piece.count / elementType.byteCount
            let target = unsafe start + done
            switch elementType {
            case .float16: unsafe vifi_floats_from_halves(source, target, count)
            case .bfloat16: unsafe vifi_floats_from_bfloats(source, target, count)
            case .float64: unsafe vifi_floats_from_doubles(source, target, count)
            default: preconditionFailure("\(elementType) is not readable as float")
            }
            done += count
        }
    }

    private func readPiece(into piece: UnsafeMutableRawBufferPointer, at offset: Int) throws(WeightFileError) {
        do {
            try unsafe read(into: piece, at: offset)
        } catch {
            throw WeightFileError(path: path, problem: .file(error))
        }
    }
}

/// An array filled in place. Its size is proven by the file before it is allocated.
func filledArray<Element>(
    count: Int, path: String, fill: (UnsafeMutableBufferPointer<Element>) throws(WeightFileError) -> Void
) throws(WeightFileError) -> [Element] {
    let byteCount = count * MemoryLayout<Element>.stride
    do {
        if byteCount >= smallRequest { try requireMemory(byteCount, for: path) }
        return try unsafe [Element](unsafeUninitializedCapacity: count) { buffer, initializedCount in
            try unsafe fill(UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
            initializedCount = count
        }
    } catch { throw asWeightFileError(error, path: path) }
}
