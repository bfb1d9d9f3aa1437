import Glibc

/// Keeps other processes out of a directory, or away from a file, until it is released.
package struct DirectoryLock: ~Copyable {
    private let descriptor: Int32

    /// - Throws: `FileError` with `.locked` where another process holds the directory.
    package init(directory: String) throws(FileError) {
        try self.init(path: directory.appendingPath(".lock"), subject: directory)
    }

    /// Locks a file itself, which is created if it is missing.
    package init(file: String) throws(FileError) {
        // Opening a FIFO or a device could hold the program, or do something.
        if fileExists(file), !isRegularFile(file) { _ = try InputFile(path: file) }
        try self.init(path: file, subject: file)
    }

    private init(path: String, subject: String) throws(FileError) {
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileError(path: path, problem: .cannotCreate(reason: systemErrorText())) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            // Some file systems know no locks: that is not another process.
            let problem: FileError.Problem = errno == EWOULDBLOCK ? .locked : .cannotCreate(reason: systemErrorText())
            close(descriptor)
            throw FileError(path: subject, problem: problem)
        }
    }

    deinit { close(descriptor) }
}
