/// What the first bytes of a file say it is, where that is not a video.
enum FirstBytes {
    static let neededCount = 4096

    /// The problem with a file that begins with `bytes`, if they show one.
    static func problem(in bytes: [UInt8]) -> VideoError.Problem? {
        if bytes.isEmpty { return .empty }
        let text = openingText(of: bytes)
        if text.hasPrefix("version https://git-lfs.github.com/spec/") {
            return .notVideo(what: "a Git LFS pointer (a note that stands for the real file; run: git lfs pull)")
        }
        for start in ["<!doctype html", "<html", "<head", "<body"] where text.hasPrefix(start) {
            return .notVideo(what: "a web page (HTML), probably a server's message instead of the download")
        }
        if text.hasPrefix("<?xml") { return .notVideo(what: "an XML document") }
        if text.hasPrefix("#extm3u") { return .playlist(what: "an HLS playlist") }
        if text.hasPrefix("ffconcat") { return .playlist(what: "an ffconcat list") }
        if bytes.starts(with: [0x50, 0x4b, 3, 4]) { return .notVideo(what: "a zip archive") }
        if bytes.starts(with: [0x1f, 0x8b]) { return .notVideo(what: "a gzip archive") }
        return nil
    }

    /// The first words of a text, in lower case; empty for anything but plain text.
    private static func openingText(of bytes: [UInt8]) -> String {
        let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]
        let body = bytes.dropFirst(bytes.starts(with: byteOrderMark) ? 3 : 0)
            .drop { $0 == 0x20 || (9...13).contains($0) }
            .prefix(64).prefix { $0 < 0x80 }
        return String(decoding: body, as: UTF8.self).lowercased()
    }

    /// Words for a file that no demuxer recognized.
    static func unrecognized(_ bytes: [UInt8]) -> VideoError.Problem {
        if bytes.allSatisfy({ $0 == 0 }) {
            return .notVideo(what: "\(bytes.count == neededCount ? "filled with" : "only") zero bytes")
        }
        let isText = bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 9 || $0 == 10 || $0 == 13 }
        return isText ? .notVideo(what: "a text file") : .unknownContainer
    }

    /// Whether an MP4 lacks its table of contents, or its boxes reach beyond the end of the file.
    ///
    /// - Parameter read: bytes at an offset, fewer at the end of the file.
    static func isIncompleteMovie(
        byteCount: Int, read: (_ offset: Int, _ count: Int) throws(VideoError) -> [UInt8]
    ) throws(VideoError) -> Bool {
        var offset = 0
        var hasTableOfContents = false
        for boxIndex in 0..<1000 {
            let head = try read(offset, 16)
            guard head.count >= 8 else { break }
            let kind = String(decoding: head[4..<8], as: UTF8.self)
            guard boxIndex > 0 || ["ftyp", "moov", "mdat", "wide", "free", "skip"].contains(kind) else { return false }
            hasTableOfContents = hasTableOfContents || kind == "moov"
            var length = head[0..<4].reduce(0) { $0 << 8 | UInt64($1) }
            if length == 1 && head.count == 16 { length = head[8..<16].reduce(0) { $0 << 8 | UInt64($1) } }
            if length == 0 { break }  // The box reaches to the end of the file.
            guard length >= 8, let step = Int(exactly: length) else { return false }
            let (end, overflow) = offset.addingReportingOverflow(step)
            if overflow || end > byteCount { return true }
            offset = end
        }
        return !hasTableOfContents && offset > 0
    }
}
