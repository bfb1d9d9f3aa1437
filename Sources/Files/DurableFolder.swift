import CPosix
import Glibc

/// A folder that appears under its name with all of its files, or not at all.
///
/// The files are written into a temporary neighbour; `commit` syncs it, renames it and syncs the folder
/// above. A crash at any moment leaves the old folder or the new one, at worst with the temporary one
/// beside it.
package struct DurableFolder: ~Copyable {
    package let path: String
    /// Where the files go until `commit`. Write them durably: `commit` syncs names, not contents.
    package let temporaryPath: String

    package init(path: String) throws(FileError) {
        // The temporary name is made from it.
        var name = Substring(path)
        while name.utf8.count > 1, name.utf8.last == UInt8(ascii: "/") { name = name.dropLast() }
        self.path = String(name)
        temporaryPath = "\(self.path).tmp-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        guard unsafe mkdir(temporaryPath, 0o755) == 0 else {
            throw FileError(path: path, problem: .cannotCreate(reason: systemErrorText()))
        }
    }

    deinit { removeFiles(in: temporaryPath) }  // Already renamed after a commit: then there is nothing to remove.

    /// Makes the folder visible under its name.
    ///
    /// - Parameter replaces: takes the place of a folder with that name, whose files are removed. Otherwise
    ///   anything but an empty folder in its place is an error.
    package consuming func commit(replaces: Bool) throws(FileError) {
        guard syncDirectory(temporaryPath) else {
            throw FileError(path: path, problem: .cannotWrite(reason: systemErrorText()))
        }
        if replaces, isDirectory(path) {
            // Both names exist throughout; the old folder is then under the temporary name, and goes with it.
            guard unsafe vifi_exchange_paths(temporaryPath, path) == 0 else {
                throw FileError(path: path, problem: .cannotWrite(reason: systemErrorText()))
            }
        } else {
            guard unsafe rename(temporaryPath, path) == 0 else {
                throw FileError(path: path, problem: .cannotWrite(reason: systemErrorText()))
            }
        }
        syncDirectory(path.parentDirectory)
    }
}

/// Removes a folder of files; what is no file stays, and then so does the folder.
private func removeFiles(in path: String) {
    for name in (try? directoryEntries(path)) ?? [] { unsafe unlink(path.appendingPath(name)) }
    unsafe rmdir(path)
}
