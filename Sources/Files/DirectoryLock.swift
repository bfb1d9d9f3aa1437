import Glibc

/// Keeps other processes out of a directory until it is released.
package struct DirectoryLock: ~Copyable {
    private let descriptor: Int32

    /// - Throws: `FileError` with `.locked` where another process holds the directory.
    package init(directory: String) throws(FileError) {
        let path = directory.appendingPath(".lock")
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileError(path: path, problem: .cannotCreate(reason: systemErrorText())) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            // Some file systems know no locks: that is not another process.
            let problem: FileError.Problem = errno == EWOULDBLOCK ? .locked : .cannotCreate(reason: systemErrorText())
            close(descriptor)
            throw FileError(path: directory, problem: problem)
        }
    }

    deinit { close(descriptor) }
}
