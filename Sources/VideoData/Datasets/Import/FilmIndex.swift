import Files

/// The films below a folder, found by path or by name.
///
/// Published lists name films as their authors kept them. On other disks the same films lie in one folder,
/// in folders with underscores, or in another container.
package struct FilmIndex: Sendable {
    package let root: String
    private var paths: Set<String> = []
    /// Paths by name without ending, in order.
    private var byStem: [String: [String]] = [:]

    /// Folders within folders that are looked into.
    private static let depthLimit = 6

    package init(root: String) throws(DatasetError) {
        self.root = root
        if StoredFilm.isArchive(root) { try addArchive() } else { try add(folder: "", depth: 0) }
    }

    package var count: Int { paths.count }

    private mutating func addArchive() throws(DatasetError) {
        do throws(FileError) {
            let archive = try TarArchive.shared(root)
            for name in archive.fileNames where ClassFolders.isFilm(name.lastPathComponent) { add(film: name) }
            for name in archive.frameFolders where !name.isEmpty { add(film: name) }
        } catch {
            throw DatasetError(path: root, problem: .file(error))
        }
    }

    private mutating func add(film path: String) {
        paths.insert(path)
        byStem[Self.stem(path.lastPathComponent), default: []].append(path)
    }

    private mutating func add(folder: String, depth: Int) throws(DatasetError) {
        let path = folder.isEmpty ? root : root.appendingPath(folder)
        let names: [String]
        do {
            names = try directoryEntries(path)
        } catch {
            // A folder within that may not be read holds no films for us.
            if depth > 0 { return }
            throw DatasetError(path: path, problem: .file(error))
        }
        // A list cannot hold names with line breaks.
        for name in names where name.first != "." && !name.utf8.contains(where: { $0 == 10 || $0 == 13 }) {
            let inner = folder.isEmpty ? name : folder + "/" + name
            if ClassFolders.isFilm(name) || FrameFolder.isOne(root.appendingPath(inner)) {
                add(film: inner)
            } else if depth < Self.depthLimit, isDirectory(root.appendingPath(inner)) {
                try add(folder: inner, depth: depth + 1)
            }
        }
    }

    /// The film that a list calls `path`: under that very path, else the one of that name, whatever its
    /// ending. Where several have the name, the folder decides, written with blanks or underscores, then the
    /// ending, then the order of paths.
    package func film(_ path: String) -> String? {
        if paths.contains(path) { return path }
        let candidates = byStem[Self.stem(path.lastPathComponent)] ?? []
        guard candidates.count > 1 else { return candidates.first }
        let folder = Self.plain(path.parentDirectory.lastPathComponent)
        let near = candidates.filter { Self.plain($0.parentDirectory.lastPathComponent) == folder }
        let name = path.lastPathComponent
        return near.first { $0.lastPathComponent == name } ?? near.first
            ?? candidates.first { $0.lastPathComponent == name } ?? candidates.first
    }

    private static func plain(_ folder: String) -> String {
        String(folder.lowercased().filter { $0 != " " && $0 != "_" && $0 != "-" })
    }

    private static func stem(_ name: String) -> String {
        guard ClassFolders.isFilm(name), let dot = name.lastIndex(of: ".") else { return name }
        return String(name[..<dot])
    }
}
