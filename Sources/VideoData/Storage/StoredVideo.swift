import Files
import Glibc

/// Where the bytes of a video lie: in a file, in a tar archive, or one by one in a folder of frames.
///
/// A path that goes on behind an archive's name, `videos.tar/walk/a.mp4`, leads into it; so lists, workers and messages
/// need nothing but paths.
package enum StoredVideo {
    /// Opens a file, or a member of an archive.
    ///
    /// - Throws: `FileError`, naming the path.
    static func open(_ path: String) throws(FileError) -> InputFile {
        do {
            return try InputFile(path: path)
        } catch {
            guard error.problem == .missing, let (archive, name) = try archive(in: path) else { throw error }
            return try archive.open(name)
        }
    }

    /// The archive that a path leads into, and the name there; nil where the path leads through no file.
    ///
    /// - Throws: `FileError` where that file is not an archive.
    package static func archive(in path: String) throws(FileError) -> (archive: TarArchive, name: String)? {
        guard !path.utf8.contains(0) else { return nil }
        var head = path
        while true {
            let parent = head.parentDirectory
            // The root and the current folder have no file above them.
            guard parent != head, head.utf8.contains(UInt8(ascii: "/")) else { return nil }
            head = parent
            var status = stat()
            guard unsafe stat(head, &status) == 0 else { continue }
            guard status.st_mode & S_IFMT == S_IFREG else { return nil }
            let name = String(decoding: path.utf8.dropFirst(head.utf8.count).drop { $0 == UInt8(ascii: "/") }, as: UTF8.self)
            return (try TarArchive.shared(head), name)
        }
    }

    /// Whether `root` is an archive rather than a folder, told by what it is and not by its name.
    package static func isArchive(_ root: String) -> Bool { isRegularFile(root) }

    /// Whether a video lies at `path`: a file, a member of an archive, or a folder of frames.
    package static func exists(_ path: String) -> Bool {
        if isDirectory(path) { return FrameFolder.isOne(path) }
        if fileExists(path) { return true }
        do throws(FileError) {
            guard let (archive, name) = try archive(in: path) else { return false }
            return archive.contains(name) || !archive.frameNames(in: name).isEmpty
        } catch {
            return false
        }
    }
}
