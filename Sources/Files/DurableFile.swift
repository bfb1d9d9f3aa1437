import CPosix
import Glibc

/// A file that appears under its name whole, or not at all.
///
/// Bytes go to a temporary neighbor; `commit` syncs it, reads it back, renames it over the target
/// and syncs the directory. A crash at any moment leaves the old file or the new one.
package struct DurableFile: ~Copyable {
    private let file: TemporaryFile
    private var digest = Digest()
    private var writtenCount = 0
    /// Up to where the disk was asked to begin writing.
    private var startedCount = 0

    /// Creates the temporary neighbor of `path`, reserving `expectedByteCount` bytes where known.
    ///
    /// - Throws: `.notRegular` where `path` is a directory, a device or the like: renaming would replace it.
    package init(path: String, expectedByteCount: Int = 0) throws(FileError) {
        let file = try TemporaryFile(for: path)
        // Reserving first turns a full disk into an error before any work is lost.
        let code = expectedByteCount > 0 ? posix_fallocate(file.descriptor, 0, off_t(expectedByteCount)) : 0
        if code == ENOSPC || code == EDQUOT || code == EFBIG {
            // What it got of the disk is free again.
            _ = consume file
            // A quota or a limit on file sizes does not show in what is free.
            errno = code
            throw FileError(
                path: path,
                problem: code == ENOSPC
                    ? .noSpace(neededBytes: expectedByteCount, freeBytes: freeByteCount(near: path))
                    : .cannotCreate(reason: systemErrorText()))
        }
        self.file = file
    }

    package var path: String { file.target }

    package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        guard unsafe writeAll(bytes, to: file.descriptor) else { throw file.failure() }
        writtenCount += bytes.count
        if writtenCount - startedCount >= 8 << 20 { startWritingBack() }
        unsafe digest.update(bytes)
    }

    /// Lets the disk begin with what is there, so that it works while the rest is made and `commit` waits for little.
    private mutating func startWritingBack() {
        // Only a hint: whether the bytes arrive is what `fsync` says.
        vifi_start_writing(file.descriptor, startedCount, writtenCount - startedCount)
        startedCount = writtenCount
    }

    package mutating func write(_ bytes: [UInt8]) throws(FileError) {
        do {
            try unsafe bytes.withUnsafeBytes { try unsafe write($0) }
        } catch let error as FileError {
            throw error
        } catch {
            throw FileError(path: path, problem: .cannotWrite(reason: "\(error)"))
        }
    }

    /// Makes the file visible under its name without waiting for the disk: whole or not at all for every
    /// reader, but after a power cut possibly not there. For files that can be made again.
    package consuming func commitWithoutWaiting() throws(FileError) {
        try trim()
        try file.nameWithoutWaiting()
    }

    /// Makes the file visible under its name. Returns its SHA-256.
    ///
    /// - Throws: where the file is not there as it was written; or, with `.notSynced`, where it is there and a power
    ///   cut could take it away again.
    @discardableResult
    package consuming func commit() throws(FileError) -> String {
        try trim()
        let expected = digest.hexadecimal
        try file.sync()
        try check(expected)
        try file.name()
        return expected
    }

    /// To what was written: more may have been reserved.
    private func trim() throws(FileError) {
        guard ftruncate(file.descriptor, off_t(writtenCount)) == 0 else { throw file.failure() }
    }

    /// Whether the disk can take it: writes a block, syncs it and takes it back.
    fileprivate mutating func prove() throws(FileError) {
        try write([UInt8](repeating: 0, count: 4096))
        try file.sync()
    }

    /// Reads back what the disk has.
    private func check(_ expected: String) throws(FileError) {
        // Otherwise it would be memory that is read. Where the system keeps the pages all the same, nothing is lost.
        posix_fadvise(file.descriptor, 0, 0, POSIX_FADV_DONTNEED)
        let found: String
        do {
            found = try Digest.ofFile(file.path)
        } catch {
            // A file that was written and cannot be read is a failed write, not a missing input.
            throw FileError(path: path, problem: .cannotWrite(reason: "what was written cannot be read back, \(error.reason)"))
        }
        guard found == expected else { throw FileError(path: path, problem: .notDurable) }
    }

    /// Writes `bytes` durably to `path` in one go. Returns their SHA-256.
    @discardableResult
    package static func write(_ bytes: [UInt8], to path: String) throws(FileError) -> String {
        var file = try DurableFile(path: path, expectedByteCount: bytes.count)
        try file.write(bytes)
        return try file.commit()
    }

    /// Writes UTF-8 `text` durably to `path`. Returns its SHA-256.
    @discardableResult
    package static func write(_ text: String, to path: String) throws(FileError) -> String {
        try write(Array(text.utf8), to: path)
    }
}

extension DurableFile {
    /// Writes files of one folder: what does not fit on the disk fails before any of them has its name, so that old and
    /// new ones do not mix. The first is the last to get its name.
    ///
    /// - Parameter beforeNaming: called when all are written and none has its name.
    package static func write(
        _ files: ArraySlice<(name: String, bytes: [UInt8])>, in folder: String, beforeNaming: () throws(FileError) -> Void = {}
    ) throws(FileError) {
        guard let (name, bytes) = files.first else { return try beforeNaming() }
        var file = try DurableFile(path: folder.appendingPath(name), expectedByteCount: bytes.count)
        try file.write(bytes)
        try write(files.dropFirst(), in: folder, beforeNaming: beforeNaming)
        try file.commit()
    }
}

/// Waits until the names in the directory `path` are on the disk, as far as its file system can.
///
/// - Throws: `.notSynced` where the disk says that they are not.
package func syncDirectory(_ path: String) throws(FileError) {
    let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else {
        // A folder that one may write to and not read cannot be opened for it.
        if errno == EACCES { return }
        throw FileError(path: path, problem: .notSynced(reason: systemErrorText()))
    }
    defer { close(descriptor) }
    // Some file systems know no sync of directories and say so.
    guard fsync(descriptor) != 0, ![EINVAL, ENOSYS, EOPNOTSUPP, EBADF, EROFS].contains(errno) else { return }
    throw FileError(path: path, problem: .notSynced(reason: systemErrorText()))
}

/// Shows before hours of work that a file can be written in the end: its folder can be made, and the disk takes a block
/// there. Leaves nothing behind, and removes what an earlier try left.
package func proveWritable(file path: String) throws(FileError) {
    TemporaryPath.sweep(of: path)
    var made: [String] = []
    defer { for folder in made.reversed() { unsafe rmdir(folder) } }
    try createDirectory(path.parentDirectory, made: &made)
    var file = try DurableFile(path: path)
    try file.prove()
}

/// The same for files in a folder.
package func proveWritable(folder path: String) throws(FileError) {
    do {
        try proveWritable(file: path.appendingPath(FolderMark.probeName))
    } catch {
        throw FileError(path: path, problem: error.problem)
    }
}

/// Bytes that an ordinary user may still write on the file system that holds `path`.
package func freeByteCount(near path: String) -> Int {
    var status = statvfs()
    guard unsafe path.parentDirectory.withSystemPath({ unsafe statvfs($0, &status) }) == 0 else { return 0 }
    return Int(clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
}
