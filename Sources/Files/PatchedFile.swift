import Glibc

/// A file that is written in any order, and appears under its name whole, or not at all: for writers that go back and
/// fill in what they knew only later.
///
/// As `DurableFile`: bytes go to a temporary neighbor; `commit` syncs it, renames it over the target and syncs the
/// directory. What was written in this order is not read back.
package struct PatchedFile: ~Copyable {
    private let file: TemporaryFile

    /// Creates the temporary neighbor of `path`.
    ///
    /// - Throws: `.notRegular` where `path` is a directory, a device or the like: renaming would replace it.
    package init(path: String) throws(FileError) { file = try TemporaryFile(for: path) }

    package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) {
        let isDone = Self.isWhole(bytes.count) { done in
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
            return unsafe pwrite(file.descriptor, rest.baseAddress, rest.count, off_t(offset + done))
        }
        guard isDone else { throw file.failure() }
    }

    /// Fills `buffer` with what was written.
    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) {
        let isDone = Self.isWhole(buffer.count) { done in
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            return unsafe pread(file.descriptor, rest.baseAddress, rest.count, off_t(offset + done))
        }
        guard isDone else {
            throw FileError(path: file.target, problem: .cannotWrite(reason: "what was written cannot be read back, \(systemErrorText())"))
        }
    }

    /// Repeats a call of the system until `count` bytes are done; false, with `errno`, where it fails.
    private static func isWhole(_ count: Int, _ transfer: (_ done: Int) -> Int) -> Bool {
        var done = 0
        while done < count {
            let more = transfer(done)
            if more > 0 {
                done += more
            } else if more == 0 || errno != EINTR {
                // Nothing done and nothing said: trying again could take forever.
                if more == 0 { errno = EIO }
                return false
            }
        }
        return true
    }

    /// Makes the file visible under its name.
    ///
    /// - Throws: where the file is not there as it was written; or, with `.notSynced`, where it is there and a power
    ///   cut could take it away again.
    package consuming func commit() throws(FileError) {
        try file.sync()
        try file.name()
    }
}
