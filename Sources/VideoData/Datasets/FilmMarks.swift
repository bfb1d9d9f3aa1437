import Files

/// What tells films apart without reading all of them: name, size, and SHA-256 over pieces of the bytes.
///
/// Every byte of films up to 64 KiB, else the first, the middle and the last 16 KiB: another film, or the same
/// one encoded anew, differs there, and thousands of films are looked at in seconds.
package struct FilmMarks: Equatable, Sendable {
    /// A line a film, in the order of the list: digest, size in bytes, path.
    package let text: String

    private static let wholeByteCount = 64 << 10
    private static let pieceByteCount = 16 << 10

    /// A film that cannot be read has a mark of its own: it may be there and be skipped.
    package init(of list: AnnotationList) {
        text = list.clips.map { clip in
            let (digest, byteCount) = (try? Self.mark(list.filmPath(clip))) ?? ("unreadable", 0)
            return "\(digest) \(byteCount) \(clip.path)\n"
        }.joined()
    }

    static func mark(_ path: String) throws(FileError) -> (digest: String, byteCount: Int) {
        let file = try InputFile(path: path)
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

    /// The path of the first film whose mark is not the one in `earlier`; nil where all are the same.
    package func firstDifference(from earlier: String) -> String? {
        let now = text.split(separator: "\n"), before = earlier.split(separator: "\n")
        guard let line = zip(now, before).first(where: { !$0.utf8.elementsEqual($1.utf8) })?.0 ?? now.dropFirst(before.count).first else { return nil }
        return line.split(separator: " ", maxSplits: 2).last.map(String.init)
    }
}
