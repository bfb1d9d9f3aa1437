import Glibc

/// A file that is written in any order, and appears under its name whole, or not at all: for writers that go back and
/// fill in what they knew only later.
///
/// As `DurableFile`: bytes go to a temporary neighbor; `commit` syncs it, renames it over the target and syncs the
/// directory. What was written in this order is not read back.
package struct PatchedFile: ~Copyable {
    package let path: String
    private let temporary: TemporaryPath
    /// -1 once it is closed.
    private var descriptor: Int32

    /// Creates the temporary neighbor of `path`.
    ///
    /// - Throws: `.notRegular` where `path` is a directory, a device or the like: renaming would replace it.
    package init(path: String) throws(FileError) {
        var status = stat()
        if unsafe stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            throw FileError(path: path, problem: .notRegular(kind: kind(ofMode: status.st_mode)))
        }
        let temporary = TemporaryPath(for: path)
        let descriptor = temporary.createFile()
        guard descriptor >= 0 else { throw FileError(path: path, problem: .cannotCreate(reason: systemErrorText())) }
        self.path = path
        self.temporary = temporary
        self.descriptor = descriptor
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        unsafe unlink(temporary.path)  // Already renamed after a commit: then there is nothing to remove.
    }

    package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) {
        var done = 0
        while done < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = unsafe pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
            if count > 0 {
                done += count
            } else if count == 0 || errno != EINTR {
                // Nothing written and nothing said: trying again could take forever.
                if count == 0 { errno = EIO }
                throw failure()
            }
        }
    }

    /// Fills `buffer` with what was written.
    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) {
        var done = 0
        while done < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = unsafe pread(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
            if count > 0 {
                done += count
            } else if count == 0 || errno != EINTR {
                if count == 0 { errno = EIO }
                throw FileError(path: path, problem: .cannotWrite(reason: "what was written cannot be read back, \(systemErrorText())"))
            }
        }
    }

    /// Makes the file visible under its name.
    ///
    /// - Throws: where the file is not there as it was written; or, with `.notSynced`, where it is there and a power
    ///   cut could take it away again.
    package consuming func commit() throws(FileError) {
        guard fsync(descriptor) == 0 else { throw failure() }
        // Network file systems may say here what they could not store.
        let isClosed = close(descriptor) == 0 || errno == EINTR
        descriptor = -1
        guard isClosed, unsafe rename(temporary.path, path) == 0 else { throw failure() }
        do {
            try syncDirectory(path.parentDirectory)
        } catch {
            throw FileError(path: path, problem: error.problem)
        }
    }

    private func failure() -> FileError { FileError(path: path, problem: .cannotWrite(reason: systemErrorText())) }
}
