import Glibc

/// To the system a slash is a byte; as a Character it would be another one with a combining mark after it.
private let slash = UInt8(ascii: "/")
private let dot = UInt8(ascii: ".")

extension String {
    /// The directory part of a path: `a/b` for `a/b/c` and `a/b/c/`, `.` for `c`, `/` for `/c`.
    package var parentDirectory: String {
        guard let lastByte = utf8.lastIndex(where: { $0 != slash }) else { return isEmpty ? "." : "/" }
        guard let separator = utf8[...lastByte].lastIndex(of: slash) else { return "." }
        guard let end = utf8[..<separator].lastIndex(where: { $0 != slash }) else { return "/" }
        return String(self[..<utf8.index(after: end)])
    }

    /// The last name in a path, without slashes after it.
    package var lastPathComponent: String {
        utf8.split(separator: slash).last.map { String(Substring($0)) } ?? self
    }

    /// What follows the last dot of the last name, in lower case; nil for hidden files and names without a dot.
    package var pathEnding: String? {
        let name = lastPathComponent.utf8
        guard let point = name.lastIndex(of: dot), point != name.startIndex else { return nil }
        return String(Substring(name[name.index(after: point)...])).lowercased()
    }

    /// The last name without `pathEnding` and its dot.
    package var pathStem: String {
        let name = lastPathComponent
        guard let point = name.utf8.lastIndex(of: dot), point != name.utf8.startIndex else { return name }
        return String(Substring(name.utf8[..<point]))
    }

    /// Whether it is the name of a hidden file or folder.
    package var isHiddenName: Bool { utf8.first == dot }

    package func appendingPath(_ component: String) -> String {
        isEmpty ? component : utf8.last == slash ? self + component : self + "/" + component
    }
}

/// The absolute path with all links resolved, or nil where nothing is there.
package func resolvedPath(_ path: String) -> String? {
    guard let buffer = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(buffer) }
    return unsafe String(systemPath: buffer)
}

package func fileExists(_ path: String) -> Bool {
    var status = stat()
    return unsafe stat(path, &status) == 0
}

package func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// Whether two paths are one file, through whatever links.
package func isSameFile(_ path: String, _ other: String) -> Bool {
    var (first, second) = (stat(), stat())
    return unsafe stat(path, &first) == 0 && stat(other, &second) == 0
        && first.st_dev == second.st_dev && first.st_ino == second.st_ino
}

/// Whether a file with contents of its own is there, or a link to one.
package func isRegularFile(_ path: String) -> Bool {
    var status = stat()
    return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
}

/// Creates `path` and its parents. No error where it already exists.
package func createDirectory(_ path: String) throws(FileError) {
    var made: [String] = []
    try createDirectory(path, made: &made)
}

/// - Parameter made: the folders that were not there, outermost first.
func createDirectory(_ path: String, made: inout [String]) throws(FileError) {
    guard !isDirectory(path) else { return }
    let parent = path.parentDirectory
    if parent != path && !isDirectory(parent) { try createDirectory(parent, made: &made) }
    if unsafe mkdir(path, 0o755) == 0 {
        made.append(path)
        // Files that are synced in a folder which a power cut takes away are lost with it.
        return try syncDirectory(parent)
    }
    let reason = systemErrorText()
    // Another process may have been faster.
    guard isDirectory(path) else { throw FileError(path: path, problem: .cannotCreate(reason: reason)) }
}

/// Creates a folder that must not be there yet, and its parents. Returns false where something has its name.
package func createNewDirectory(_ path: String) throws(FileError) -> Bool {
    try createDirectory(path.parentDirectory)
    if unsafe mkdir(path, 0o755) == 0 {
        try syncDirectory(path.parentDirectory)
        return true
    }
    guard errno == EEXIST else { throw FileError(path: path, problem: .cannotCreate(reason: systemErrorText())) }
    return false
}

/// Removes a directory and what is in it; links are removed, not followed, also where `path` is one. No error where
/// nothing is there.
package func removeTree(_ path: String) {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFDIR else {
        unsafe unlink(path)
        return
    }
    for name in (try? directoryEntries(path)) ?? [] { removeTree(path.appendingPath(name)) }
    unsafe rmdir(path)
}

/// Removes a file. No error where nothing is there.
package func removeFile(_ path: String) throws(FileError) {
    guard unsafe unlink(path) != 0, errno != ENOENT else { return }
    throw FileError(path: path, problem: .cannotWrite(reason: systemErrorText()))
}

/// Gives a directory another name at once: it is there under the old name or under the new one.
///
/// - Throws: `FileError` where something that is not an empty directory has the new name.
package func renameDirectory(_ path: String, to newPath: String) throws(FileError) {
    guard unsafe rename(path, newPath) == 0 else {
        throw FileError(path: newPath, problem: .cannotCreate(reason: systemErrorText()))
    }
    try syncDirectory(newPath.parentDirectory)
}

/// The names in a directory, in order of the bytes of their texts; without `.` and `..`.
package func directoryEntries(_ path: String) throws(FileError) -> [String] {
    guard let directory = unsafe opendir(path) else {
        throw FileError(path: path, problem: errno == ENOENT ? .missing : .notReadable(reason: systemErrorText()))
    }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
        let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { raw in
            unsafe String(pathBytes: raw.prefix { $0 != 0 })
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names.sortedBytewise()
}
