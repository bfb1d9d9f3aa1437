import CPosix
import Glibc

/// A file that appears under its name whole, or not at all.
///
/// Bytes go to a temporary neighbour; `commit` reads it back, syncs it, renames it over the target
/// and syncs the directory. A crash at any moment leaves the old file or the new one.
package struct DurableFile: ~Copyable {
    package let path: String
    private let temporaryPath: String
    private let descriptor: Int32
    private var digest = Digest()
    private var writtenCount = 0
    /// Up to where the disk was asked to begin writing.
    private var startedCount = 0

    /// Creates the temporary neighbour of `path`, reserving `expectedByteCount` bytes where known.
    ///
    /// - Throws: `.notRegular` where `path` is a directory, a device or the like: renaming would replace it.
    package init(path: String, expectedByteCount: Int = 0) throws(FileError) {
        var status = stat()
        if unsafe stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            throw FileError(path: path, problem: .notRegular(kind: kind(ofMode: status.st_mode)))
        }
        let temporaryPath = "\(path).tmp-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let descriptor = unsafe open(temporaryPath, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw FileError(path: path, problem: .cannotCreate(reason: systemErrorText()))
        }
        // Reserving first turns a full disk into an error before any work is lost.
        if expectedByteCount > 0 {
            let code = posix_fallocate(descriptor, 0, off_t(expectedByteCount))
            if code == ENOSPC || code == EDQUOT || code == EFBIG {
                close(descriptor)
                unsafe unlink(temporaryPath)
                // A quota or a limit on file sizes does not show in what is free.
                errno = code
                throw FileError(
                    path: path,
                    problem: code == ENOSPC
                        ? .noSpace(neededBytes: expectedByteCount, freeBytes: freeByteCount(near: path))
                        : .cannotCreate(reason: systemErrorText()))
            }
        }
        self.path = path
        self.temporaryPath = temporaryPath
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
        unsafe unlink(temporaryPath)  // Already renamed after a commit: then there is nothing to remove.
    }

    package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        var done = 0
        while done < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
            if count > 0 {
                done += count
            } else if count < 0 && errno != EINTR {
                throw FileError(path: path, problem: .cannotWrite(reason: systemErrorText()))
            }
        }
        writtenCount += bytes.count
        if writtenCount - startedCount >= 8 << 20 { startWritingBack() }
        unsafe digest.update(bytes)
    }

    /// Lets the disk begin with what is there, so that it works while the rest is made and `commit` waits for little.
    private mutating func startWritingBack() {
        // Only a hint: whether the bytes arrive is what `fsync` says.
        vifi_start_writing(descriptor, startedCount, writtenCount - startedCount)
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
        guard ftruncate(descriptor, off_t(writtenCount)) == 0, unsafe rename(temporaryPath, path) == 0 else {
            throw FileError(path: path, problem: .cannotWrite(reason: systemErrorText()))
        }
    }

    /// Makes the file visible under its name. Returns its SHA-256.
    @discardableResult
    package consuming func commit() throws(FileError) -> String {
        guard ftruncate(descriptor, off_t(writtenCount)) == 0 else {
            throw FileError(path: path, problem: .cannotWrite(reason: systemErrorText()))
        }
        // The disk writes while the file is read back.
        startWritingBack()
        let expected = digest.hexadecimal
        guard try Digest.ofFile(temporaryPath) == expected else {
            throw FileError(path: path, problem: .notDurable)
        }
        guard fsync(descriptor) == 0 else {
            throw FileError(path: path, problem: .cannotWrite(reason: systemErrorText()))
        }
        guard unsafe rename(temporaryPath, path) == 0 else {
            throw FileError(path: path, problem: .cannotWrite(reason: systemErrorText()))
        }
        syncDirectory(path.parentDirectory)
        return expected
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

/// Waits until the names in the directory `path` are on the disk, as far as its file system can. Returns whether they are.
@discardableResult
package func syncDirectory(_ path: String) -> Bool {
    let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return fsync(descriptor) == 0
}

/// Bytes that an ordinary user may still write on the file system that holds `path`.
package func freeByteCount(near path: String) -> Int {
    var status = statvfs()
    guard unsafe path.parentDirectory.withSystemPath({ unsafe statvfs($0, &status) }) == 0 else { return 0 }
    return Int(clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
}
