import Files

/// The videos below a folder, by path and by name.
package struct VideoIndex: Sendable {
    package let root: String
    private var paths: Set<Bytewise> = []
    /// Paths by name without ending, in order.
    private var byStem: [Bytewise: [String]] = [:]

    /// Folders within folders that are looked into.
    private static let depthLimit = 6

    package init(root: String) throws(DatasetError) {
        self.root = root
        if StoredVideo.isArchive(root) { try addArchive() } else { try add(folder: "", depth: 0) }
    }

    package var count: Int { paths.count }

    func contains(_ path: String) -> Bool { paths.contains(path) }

    /// Videos with the name of `path`, whatever their endings and folders.
    func namesakes(of path: String) -> [String] { byStem[Self.stem(path)] ?? [] }

    static func stem(_ path: String) -> String {
        VideoEndings.isShownVideo(path.lastPathComponent) ? path.pathStem : path.lastPathComponent
    }

    private mutating func addArchive() throws(DatasetError) {
        do throws(FileError) {
            let archive = try TarArchive.shared(root)
            for name in archive.fileNames where VideoEndings.isShownVideo(name.lastPathComponent) { add(video: name) }
            for name in archive.frameFolders where !name.isEmpty { add(video: name) }
        } catch {
            throw DatasetError(path: root, problem: .file(error))
        }
    }

    private mutating func add(video path: String) {
        paths.insert(path)
        byStem[Self.stem(path.lastPathComponent), default: []].append(path)
    }

    private mutating func add(folder: String, depth: Int) throws(DatasetError) {
        let path = folder.isEmpty ? root : root.appendingPath(folder)
        let names: [String]
        do {
            names = try directoryEntries(path)
        } catch {
            // A folder within that may not be read holds no videos for us.
            if depth > 0 { return }
            throw DatasetError(path: path, problem: .file(error))
        }
        // A list cannot hold names with line breaks.
        for name in names where !name.isHiddenName && !name.utf8.contains(where: { $0 == 10 || $0 == 13 }) {
            let inner = folder.appendingPath(name)
            if VideoEndings.isShownVideo(name) || FrameFolder.isOne(root.appendingPath(inner)) {
                add(video: inner)
            } else if depth < Self.depthLimit, isDirectory(root.appendingPath(inner)) {
                try add(folder: inner, depth: depth + 1)
            }
        }
    }
}
