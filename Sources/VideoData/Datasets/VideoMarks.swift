import Files

/// What tells videos apart without reading all of them: name, size, and SHA-256 over pieces of the bytes.
///
/// Every byte of videos up to 64 KiB, else the first, the middle and the last 16 KiB: another video, or the same
/// one encoded anew, differs there, and thousands of videos are looked at in seconds.
package struct VideoMarks: Equatable, Sendable {
    /// A line a video, in the order of the list: digest, size in bytes, path.
    package let text: String

    private static let wholeByteCount = 64 << 10
    private static let pieceByteCount = 16 << 10

    /// A video that cannot be read has a mark of its own: it may be there and be skipped.
    package init(of list: AnnotationList) {
        text = list.clips.map { clip in
            let (digest, byteCount) = (try? Self.mark(list.videoPath(clip))) ?? ("unreadable", 0)
            return "\(digest) \(byteCount) \(clip.path)\n"
        }.joined()
    }

    /// Of one video.
    package static func mark(_ path: String) throws(FileError) -> (digest: String, byteCount: Int) {
        if let folder = try? FrameFolder(path, limits: VideoLimits()) { return try mark(folder) }
        let file = try StoredVideo.open(path)
        let count = file.byteCount
        var digest = Digest()
        if count <= wholeByteCount {
            digest.update(try file.bytes(at: 0, count: count))
        } else {
            for offset in [0, (count - pieceByteCount) / 2, count - pieceByteCount] {
                digest.update(try file.bytes(at: offset, count: pieceByteCount))
            }
        }
        return (digest.hexadecimal, count)
    }

    /// All names, and the first, the middle and the last frame.
    private static func mark(_ folder: FrameFolder) throws(FileError) -> (digest: String, byteCount: Int) {
        var digest = Digest()
        digest.update(Array(folder.names.joined(separator: "\n").utf8))
        var byteCount = 0
        for index in Set([0, folder.names.count / 2, folder.names.count - 1]).sorted() {
            let frame = try mark(folder.path(ofFrame: index))
            digest.update(Array(frame.digest.utf8))
            byteCount += frame.byteCount
        }
        return (digest.hexadecimal, byteCount)
    }

    /// The path of the first video whose mark is not the one in `earlier`; nil where all are the same.
    package func firstDifference(from earlier: String) -> String? {
        let now = text.split(separator: "\n"), before = earlier.split(separator: "\n")
        guard let line = zip(now, before).first(where: { !$0.utf8.elementsEqual($1.utf8) })?.0 ?? now.dropFirst(before.count).first else { return nil }
        return line.split(separator: " ", maxSplits: 2).last.map(String.init)
    }
}
