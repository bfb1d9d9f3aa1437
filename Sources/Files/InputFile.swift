import Glibc

/// A regular file opened for reading. Every read goes through the one descriptor that was checked,
/// so nothing can be swapped under the reader's hands.
///
/// `pread` rather than `mmap`: a file truncated after mapping ends the process with SIGBUS.
package struct InputFile: ~Copyable {
    package let path: String
    package let byteCount: Int
    /// Tells this file, as it was when it was opened, from any other.
    package let identity: FileIdentity
    /// Where it begins in what is open: 0 but for a part of another file.
    private let start: Int
    private let descriptor: Int32

    /// Opens `path` without blocking on a FIFO and without following it into a device.
    package init(path: String) throws(FileError) {
        // To C the name would end here, and be another file's.
        guard !path.utf8.contains(0) else { throw FileError(path: path, problem: .missing) }
        var retry = ReadRetry()
        var descriptor: Int32
        repeat {
            descriptor = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        } while descriptor < 0 && retry.again(after: errno)
        guard descriptor >= 0 else { throw FileError(path: path, reading: errno) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            let code = errno
            close(descriptor)
            throw FileError(path: path, reading: code)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw FileError(path: path, problem: .notRegular(kind: kind(ofMode: status.st_mode)))
        }
        self.path = path
        self.byteCount = Int(status.st_size)
        identity = FileIdentity(status)
        start = 0
        self.descriptor = descriptor
    }

    /// A part of an open file, read as a file of its own: what lies in an archive.
    ///
    /// - Parameters:
    ///   - path: for messages.
    ///   - range: bytes of `whole`, which is cut off where they reach beyond its end.
    package init(path: String, partOf whole: borrowing InputFile, range: Range<Int>) throws(FileError) {
        guard range.lowerBound >= 0, range.upperBound <= whole.byteCount else {
            throw FileError(
                path: path, problem: .truncated(offset: range.lowerBound, needed: range.count, byteCount: whole.byteCount))
        }
        let descriptor = fcntl(whole.descriptor, F_DUPFD_CLOEXEC, 0)
        guard descriptor >= 0 else { throw FileError(path: path, reading: errno) }
        self.path = path
        identity = whole.identity.part(at: range.lowerBound, byteCount: range.count)
        byteCount = range.count
        start = whole.start + range.lowerBound
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Reads exactly `buffer.byteCount` bytes from `offset` on.
    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) {
        let (end, overflow) = offset.addingReportingOverflow(buffer.count)
        guard offset >= 0, !overflow, end <= byteCount else {
            throw FileError(path: path, problem: .truncated(offset: offset, needed: buffer.count, byteCount: byteCount))
        }
        var done = 0
        var retry = ReadRetry()
        while done < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let got = unsafe pread(descriptor, rest.baseAddress, rest.count, off_t(start + offset + done))
            if got > 0 {
                done += got
            } else if got == 0 {
                throw FileError(path: path, problem: .truncated(offset: offset + done, needed: buffer.count - done, byteCount: offset + done))
            } else {
                let code = errno
                guard retry.again(after: code) else { throw FileError(path: path, reading: code) }
            }
        }
    }

    /// Reads what there is at `offset`, at most `buffer.count` bytes. Returns 0 at the end of the file.
    package func readAvailable(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
        guard offset >= 0, offset < byteCount else { return 0 }
        let wanted = min(buffer.count, byteCount - offset)
        var retry = ReadRetry()
        while true {
            let got = unsafe pread(descriptor, buffer.baseAddress, wanted, off_t(start + offset))
            if got >= 0 { return got }
            let code = errno
            guard retry.again(after: code) else { throw FileError(path: path, reading: code) }
        }
    }

    // `SEEK_DATA` and `SEEK_HOLE` of Linux, which C shows to GNU programs only.
    private static let seekData: Int32 = 3
    private static let seekHole: Int32 = 4

    /// Bytes that are stored, without the holes of a sparse file; counted up to `limit`. Where the file system does
    /// not tell, all of them.
    package func storedByteCount(upTo limit: Int) -> Int {
        var sum = 0
        var position: off_t = 0
        while sum < limit, position < byteCount {
            let start = lseek(descriptor, position, Self.seekData)
            // No more data; other errors say nothing.
            guard start >= 0 else { return errno == ENXIO ? sum : byteCount }
            let end = lseek(descriptor, start, Self.seekHole)
            guard end > start else { return byteCount }
            sum += Int(end - start)
            position = end
        }
        return sum
    }

    /// Bytes `offset ..< offset + count`.
    package func bytes(at offset: Int, count: Int) throws(FileError) -> [UInt8] {
        guard count >= 0, count <= byteCount else {
            throw FileError(path: path, problem: .truncated(offset: offset, needed: count, byteCount: byteCount))
        }
        if count >= smallRequest { try requireMemory(count, for: path) }
        var result = [UInt8](repeating: 0, count: count)
        do {
            try unsafe result.withUnsafeMutableBytes { try unsafe read(into: $0, at: offset) }
        } catch let error as FileError {
            throw error
        } catch {
            throw FileError(path: path, problem: .notReadable(reason: "\(error)"))
        }
        return result
    }

    /// The whole file, refused above `limit` bytes before anything is allocated.
    package static func contents(of path: String, limit: Int) throws(FileError) -> [UInt8] {
        let file = try InputFile(path: path)
        guard file.byteCount <= limit else {
            throw FileError(path: path, problem: .tooLarge(byteCount: file.byteCount, limit: limit))
        }
        return try file.bytes(at: 0, count: file.byteCount)
    }
}

/// What something that is not a regular file is, in words.
func kind(ofMode mode: mode_t) -> String {
    switch mode & S_IFMT {
    case S_IFDIR: "a directory"
    case S_IFIFO: "a FIFO"
    case S_IFCHR, S_IFBLK: "a device"
    case S_IFSOCK: "a socket"
    default: "not a regular file"
    }
}

/// The words for the current `errno`.
package func systemErrorText() -> String {
    let code = errno
    guard let text = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
}
