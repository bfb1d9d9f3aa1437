import Glibc

/// A file that is filled under a temporary name beside the one that it is to have, and gets that when it is whole. One
/// that never gets it leaves nothing behind.
struct TemporaryFile: ~Copyable {
    /// The name that it is to have.
    let target: String
    let descriptor: Int32
    private let temporary: TemporaryPath
    private var isClosed = false

    /// Creates the temporary neighbor of `target`, open for reading and writing.
    ///
    /// - Throws: `.notRegular` where `target` is a directory, a device or the like: renaming would replace it.
    init(for target: String) throws(FileError) {
        var status = stat()
        if unsafe stat(target, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            throw FileError(path: target, problem: .notRegular(kind: kind(ofMode: status.st_mode)))
        }
        let temporary = TemporaryPath(for: target)
        let descriptor = temporary.createFile()
        guard descriptor >= 0 else { throw FileError(path: target, problem: .cannotCreate(reason: systemErrorText())) }
        self.target = target
        self.descriptor = descriptor
        self.temporary = temporary
    }

    deinit {
        if !isClosed { close(descriptor) }
        unsafe unlink(temporary.path)  // Already renamed when it was named: then there is nothing to remove.
    }

    /// Where it lies until it is named.
    var path: String { temporary.path }

    /// What could not be written, by `errno`.
    func failure() -> FileError { FileError(path: target, problem: .cannotWrite(reason: systemErrorText())) }

    /// Waits until the disk has what was written. A descriptor whose sync has failed is never tried again: the system may
    /// have dropped what it could not write.
    func sync() throws(FileError) {
        guard fsync(descriptor) == 0 else { throw failure() }
    }

    /// Gives it its name and syncs the directory.
    ///
    /// - Throws: where the file is not there; or, with `.notSynced`, where it is there and a power cut could take it away.
    consuming func name() throws(FileError) {
        // Network file systems may say here what they could not store.
        let isStored = close(descriptor) == 0 || errno == EINTR
        isClosed = true
        guard isStored else { throw failure() }
        try takeName()
        do {
            try syncDirectory(target.parentDirectory)
        } catch {
            throw FileError(path: target, problem: error.problem)
        }
    }

    /// Gives it its name without waiting for the disk.
    consuming func nameWithoutWaiting() throws(FileError) { try takeName() }

    private func takeName() throws(FileError) {
        guard unsafe rename(temporary.path, target) == 0 else { throw failure() }
    }
}
