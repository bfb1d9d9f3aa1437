import Files

extension AnnotationList {
    /// Whether the root is an archive, or a folder in one.
    ///
    /// - Throws: where it should be one and is none.
    func startsInArchive() throws(DatasetError) -> Bool {
        guard !isDirectory(root) else { return false }
        do throws(FileError) {
            return try StoredVideo.archive(in: root.appendingPath("video")) != nil
        } catch {
            throw DatasetError(path: root, problem: .file(error))
        }
    }

    /// Calls `body` with the position of each clip whose video is not in the archive.
    func eachFileMissingFromArchive(_ body: (_ index: Int, FileFault) throws(DatasetError) -> Void) throws(DatasetError) {
        for (index, clip) in clips.enumerated() where !StoredVideo.exists(videoPath(clip)) { try body(index, .missing) }
    }
}
