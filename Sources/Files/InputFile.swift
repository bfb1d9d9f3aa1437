import Glibc

/// A regular file opened for reading. Every read goes through the one descriptor that was checked,
/// so nothing can be swapped under the reader's hands.
///
/// `pread` rather than `mmap`: a file truncated after mapping ends the process with SIGBUS.
package struct InputFile: ~Copyable {
    package let path: String
    package let byteCount: Int
    private let descriptor: Int32

    /// Opens `path` without blocking on a FIFO and without following it into a device.
    package init(path: String) throws(FileError) {
        // To C the name would end here, and be another file's.
        guard !path.utf8.contains(0) else { throw FileError(path: path, problem: .missing) }
        let descriptor = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw FileError(path: path, problem: errno == ENOENT || errno == ENOTDIR ? .missing : .unreadable())
        }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            let problem = FileError.Problem.unreadable()
            close(descriptor)
            throw FileError(path: path, problem: problem)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw FileError(path: path, problem: .notRegular(kind: kind(ofMode: status.st_mode)))
        }
        self.path = path
        self.byteCount = Int(status.st_size)
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
        while done < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let got = unsafe pread(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
            if got > 0 {
                done += got
            } else if got == 0 {
                throw FileError(path: path, problem: .truncated(offset: offset + done, needed: buffer.count - done, byteCount: offset + done))
            } else if errno != EINTR {
                throw FileError(path: path, problem: .unreadable())
            }
        }
    }

    /// Reads what there is at `offset`, at most `buffer.count` bytes. Returns 0 at the end of the file.
    package func readAvailable(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
        guard offset >= 0, offset < byteCount else { return 0 }
        let wanted = min(buffer.count, byteCount - offset)
        while true {
            let got = unsafe pread(descriptor, buffer.baseAddress, wanted, off_t(offset))
            if got >= 0 { return got }
            guard errno == EINTR else {
                throw FileError(path: path, problem: .unreadable())
            }
        }
    }

    /// Bytes `offset ..< offset + count`.
    package func bytes(at offset: Int, count: Int) throws(FileError) -> [UInt8] {
        guard count >= 0, count <= byteCount else {
            throw FileError(path: path, problem: .truncated(offset: offset, needed: count, byteCount: byteCount))
        }
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

extension FileError.Problem {
    /// For the current `errno` of opening or reading: rights and names are the file's, everything else is not.
    static func unreadable() -> Self {
        let isOfFile = [EACCES, EPERM, ELOOP, ENAMETOOLONG, EISDIR, ENXIO, ENODEV, EINVAL, ETXTBSY].contains(errno)
        return isOfFile ? .notReadable(reason: systemErrorText()) : .cannotRead(reason: systemErrorText())
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
