import Files

extension AnnotationList {
    /// Whether the root is an archive, or a folder in one.
    ///
    /// - Throws: where it should be one and is none.
    func startsInArchive() throws(DatasetError) -> Bool {
        guard !isDirectory(root) else { return false }
        do throws(FileError) {
            return try StoredFilm.archive(in: root.appendingPath("film")) != nil
        } catch {
            throw DatasetError(path: root, problem: .file(error))
        }
    }

    /// Calls `body` with the position of each clip whose film is not in the archive.
    func eachFileMissingFromArchive(_ body: (_ index: Int, FileFault) throws(DatasetError) -> Void) throws(DatasetError) {
        for (index, clip) in clips.enumerated() where !StoredFilm.exists(filmPath(clip)) { try body(index, .missing) }
    }
}
