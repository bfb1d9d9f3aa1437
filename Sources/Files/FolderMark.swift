import Glibc

/// What a command writes into a folder of its own.
package struct FolderKind: Sendable {
    /// One word, which the mark holds.
    package let name: String
    /// The files and folders that it writes.
    package let entries: [String]

    package init(name: String, entries: [String]) {
        self.name = name
        self.entries = entries
    }
}

/// The file by which this program knows a folder as its own.
///
/// A folder belongs to a kind of output only if its mark says so. Into any other folder nothing is written unless it is
/// empty, or marked for another kind and without a name that this kind would write. The names in a folder never suffice:
/// `config.yaml`, `results.csv` and `metrics.json` are everybody's.
package enum FolderMark {
    package static let name = ".vifi-prompt"
    private static let heading = "vifi-prompt made this folder, and may replace in it what it wrote as:"
    /// Of the file that shows whether a folder can be written to.
    static let probeName = ".vifi-prompt-probe"
    /// Names that stand for nothing: of locks, of file systems, of a mark or a probe that was being written.
    private static let empty = ["lost+found"]

    /// - Parameter isNothing: names that the kind may find in a folder that is as good as empty.
    /// - Throws: `FileError` with `.foreign` where the folder is not this kind's and cannot become so. Nothing is written.
    package static func check(_ path: String, _ kind: FolderKind, isNothing: (String) -> Bool = { _ in false }) throws(FileError) {
        guard fileExists(path) else {
            var status = stat()
            guard unsafe lstat(path, &status) != 0 else {
                throw FileError(path: path, problem: .cannotCreate(reason: "it is a link to something that is not there"))
            }
            return
        }
        guard isDirectory(path) else { throw FileError(path: path, problem: .cannotCreate(reason: "it is not a directory")) }
        let kinds = kinds(of: path)
        if kinds?.contains(kind.name) == true { return }
        let entries = try directoryEntries(path).filter { !isOwn($0) && !isNothing($0) }
        let foreign = kinds == nil ? entries.first : entries.first { kind.entries.contains($0) }
        if let foreign { throw FileError(path: path, problem: .foreign(entry: foreign)) }
    }

    /// Makes the folder, or takes an empty one, and marks it.
    ///
    /// - Throws: as `check`, or where it cannot be made.
    package static func claim(_ path: String, _ kind: FolderKind, isNothing: (String) -> Bool = { _ in false }) throws(FileError) {
        try check(path, kind, isNothing: isNothing)
        try createDirectory(path)
        let kinds = kinds(of: path) ?? []
        guard !kinds.contains(kind.name) else { return }
        TemporaryPath.sweep(of: path.appendingPath(name))
        try DurableFile.write(([heading] + kinds + [kind.name]).joined(separator: "\n") + "\n", to: path.appendingPath(name))
    }

    /// Whether the folder is marked for a kind.
    package static func isClaimed(_ path: String, _ kind: FolderKind) -> Bool { kinds(of: path)?.contains(kind.name) == true }

    /// Takes the mark back from a folder that nothing was written to, and removes it if it is empty then.
    package static func release(_ path: String) {
        guard let entries = try? directoryEntries(path), entries.allSatisfy(isOwn) else { return }
        for name in entries where name != empty[0] { unsafe unlink(path.appendingPath(name)) }
        unsafe rmdir(path)
    }

    /// Whether a name says nothing about whose the folder is.
    package static func isOwn(_ entry: String) -> Bool {
        entry == name || DirectoryLock.isName(entry) || TemporaryPath.isName(entry, of: name) || TemporaryPath.isName(entry, of: probeName) || empty.contains(entry)
            || entry.utf8.starts(with: ".nfs".utf8)
    }

    /// Of the mark; nil without one.
    private static func kinds(of path: String) -> [String]? {
        let file = path.appendingPath(name)
        var status = stat()
        // Not through a link: that may be somebody else's mark.
        guard unsafe lstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            let bytes = try? InputFile.contents(of: file, limit: 4096)
        else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        return lines.first == heading ? Array(lines.dropFirst()) : nil
    }
}

/// Refuses to write over what the same command reads.
///
/// - Parameters:
///   - outputs: files to be written.
///   - inputs: files and folders that are read; of a folder all that is below it.
/// - Throws: `FileError` with `.isInput`.
package func refuseOverInputs(_ outputs: [String], inputs: [String]) throws(FileError) {
    for output in outputs where fileExists(output) {
        for input in inputs where isSameFile(output, input) || contains(input, output, depth: 0) {
            throw FileError(path: output, problem: .isInput)
        }
    }
}

/// Whether a file is below a folder, by itself or through a link, as the hub lays its files.
private func contains(_ folder: String, _ file: String, depth: Int) -> Bool {
    guard depth < 8, isDirectory(folder) else { return false }
    return ((try? directoryEntries(folder)) ?? []).contains { name in
        let path = folder.appendingPath(name)
        return isSameFile(path, file) || contains(path, file, depth: depth + 1)
    }
}
