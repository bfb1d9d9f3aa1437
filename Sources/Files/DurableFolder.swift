import CPosix
import Glibc

/// A folder that appears under its name with all of its files, or not at all.
///
/// The files are written into a temporary neighbor; `commit` syncs it, renames it and syncs the folder
/// above. A crash at any moment leaves the old folder or the new one, at worst with the temporary one
/// beside it.
///
/// Where the file system cannot exchange two names at once (NFS, some network and overlay file systems), the old folder
/// is first set aside as `NAME.previous`. A crash in between leaves it there, and the next `DurableFolder` of that name
/// puts it back.
package struct DurableFolder: ~Copyable {
    package let path: String
    private let temporary: TemporaryPath
    private let descriptor: Int32

    /// Where the files go until `commit`. Write them durably: `commit` syncs names, not contents.
    package var temporaryPath: String { temporary.path }

    package init(path: String) throws(FileError) {
        // The temporary name is made from it.
        var name = Substring(path)
        while name.utf8.count > 1, name.utf8.last == UInt8(ascii: "/") { name = name.dropLast() }
        let target = String(name)
        try Self.putBack(target)
        let temporary = TemporaryPath(for: target)
        let descriptor = temporary.createFolder()
        guard descriptor >= 0 else {
            throw FileError(path: path, problem: .cannotCreate(reason: systemErrorText()))
        }
        self.path = target
        self.temporary = temporary
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
        TemporaryPath.remove(temporary.path)  // Already renamed after a commit: then there is nothing to remove.
    }

    private static func aside(_ path: String) -> String { path + ".previous" }

    private static func putBack(_ path: String) throws(FileError) {
        guard !fileExists(path), isDirectory(aside(path)) else { return }
        try renameDirectory(aside(path), to: path)
    }

    /// Makes the folder visible under its name.
    ///
    /// - Parameter replaces: takes the place of a folder with that name, whose files are removed. Otherwise
    ///   anything but an empty folder in its place is an error.
    package consuming func commit(replaces: Bool) throws(FileError) {
        do {
            try syncDirectory(temporaryPath)
        } catch {
            throw FileError(path: path, problem: .cannotWrite(reason: error.reason))
        }
        if replaces, isDirectory(path) {
            try takePlace()
        } else {
            guard unsafe rename(temporaryPath, path) == 0 else { throw failure() }
        }
        do {
            try syncDirectory(path.parentDirectory)
        } catch {
            throw FileError(path: path, problem: error.problem)
        }
    }

    private func takePlace() throws(FileError) {
        // Both names exist throughout; the old folder is then under the temporary name, and goes with it.
        if unsafe vifi_exchange_paths(temporaryPath, path) == 0 { return }
        guard [EINVAL, ENOSYS, EOPNOTSUPP].contains(errno) else { throw failure() }
        let old = Self.aside(path)
        TemporaryPath.remove(old)
        guard unsafe rename(path, old) == 0 else { throw failure() }
        guard unsafe rename(temporaryPath, path) == 0 else {
            let error = failure()
            _ = unsafe rename(old, path)
            throw error
        }
        TemporaryPath.remove(old)
    }

    private func failure() -> FileError { FileError(path: path, problem: .cannotWrite(reason: systemErrorText())) }
}
