import Glibc

/// Which file it is, and in which state: changes with every write to it.
package struct FileIdentity: Hashable, Sendable {
    private let device: UInt64
    private let number: UInt64
    private let byteCount: Int64
    private let modified: Int64
    private let modifiedNanoseconds: Int64
    private let changed: Int64
    private let changedNanoseconds: Int64
    /// Of the part of the file that is meant, where it is not the whole.
    private var start = 0
    private var partByteCount: Int?

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        number = UInt64(status.st_ino)
        byteCount = Int64(status.st_size)
        modified = Int64(status.st_mtim.tv_sec)
        modifiedNanoseconds = Int64(status.st_mtim.tv_nsec)
        changed = Int64(status.st_ctim.tv_sec)
        changedNanoseconds = Int64(status.st_ctim.tv_nsec)
    }

    /// Of a regular file, or of one that links lead to; nil where there is none.
    package init?(path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        self.init(status)
    }

    /// Of an open regular file; nil where it is something else.
    package init?(descriptor: Int32) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        self.init(status)
    }

    /// A part of the same file, as one in an archive.
    func part(at start: Int, byteCount: Int) -> FileIdentity {
        var part = self
        part.start = self.start + start
        part.partByteCount = byteCount
        return part
    }
}
