import Glibc

/// A log that grows line by line, or record by record; what was written survives a crash from the next `sync` on.
package struct AppendFile: ~Copyable {
    package let path: String
    private let descriptor: Int32

    /// Opens or creates the log. A line that a crash cut off is ended, so that the next one stands alone.
    ///
    /// - Parameters:
    ///   - keptByteCount: what comes after these bytes is cut off first.
    ///   - hasLines: whether the log is text; records of bytes have no line to end.
    package init(path: String, keeping keptByteCount: Int? = nil, hasLines: Bool = true) throws(FileError) {
        if let keptByteCount { try Self.cut(path, to: keptByteCount) }
        let isCutOff = hasLines ? try Self.isCutOff(path) : false
        // O_NONBLOCK: a FIFO that nobody reads would hold the program.
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileError(path: path, problem: .cannotCreate(reason: systemErrorText())) }
        if isCutOff {
            do {
                try Self.write(Array("\n".utf8), to: descriptor, path: path)
            } catch {
                close(descriptor)
                throw error
            }
        }
        self.descriptor = descriptor
        self.path = path
    }

    /// Whether there is a file whose last line has no end.
    private static func isCutOff(_ path: String) throws(FileError) -> Bool {
        var status = stat()
        guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else { return false }
        return try InputFile(path: path).bytes(at: Int(status.st_size) - 1, count: 1) != [UInt8(ascii: "\n")]
    }

    private static func cut(_ path: String, to byteCount: Int) throws(FileError) {
        var status = stat()
        // A log that is shorter keeps all it has.
        guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > byteCount else { return }
        guard unsafe truncate(path, off_t(byteCount)) == 0 else {
            throw FileError(path: path, problem: .cannotWrite(reason: systemErrorText()))
        }
    }

    deinit { close(descriptor) }

    package var byteCount: Int {
        var status = stat()
        return unsafe fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
    }

    /// Writes the line whole or, where that fails, not at all.
    package func append(line: String) throws(FileError) { try append(Array((line + "\n").utf8)) }

    /// Writes the bytes whole or, where that fails, not at all.
    package func append(_ record: [UInt8]) throws(FileError) {
        let before = byteCount
        do {
            try Self.write(record, to: descriptor, path: path)
        } catch {
            _ = ftruncate(descriptor, off_t(before))
            throw error
        }
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, path: String) throws(FileError) {
        guard writeAll(bytes, to: descriptor) else {
            throw FileError(path: path, problem: .cannotWrite(reason: systemErrorText()))
        }
    }

    package func sync() throws(FileError) {
        guard fsync(descriptor) == 0 else { throw FileError(path: path, problem: .cannotWrite(reason: systemErrorText())) }
    }
}
