/// What a file is, told from its headers before FFmpeg sees it: FFmpeg's errors do not tell a segment from a broken download, and
/// it decodes encrypted samples to noise.
struct ContainerOutline {
    /// Of MP4 and its kind: tracks whose pictures are encrypted, with the scheme.
    private(set) var encryptedStreams: [Int: String] = [:]

    /// - Throws: what the file is, where it is not a video that can be read.
    init(_ source: MediaSource) throws(VideoError) {
        let firstBytes = try source.firstBytes(FirstBytes.neededCount)
        var problem = Self.picture(firstBytes).map { VideoError.Problem.notVideo(what: $0) }
        if let movie = try MovieOutline(source, firstBytes: firstBytes) {
            if problem == nil { problem = try movie.problem() }
            encryptedStreams = try movie.encryptedTracks()
        } else if let video = try MatroskaOutline(source, firstBytes: firstBytes) {
            problem = video.problem
            if problem == nil, let scheme = try video.encryption() { problem = .encrypted(scheme: scheme) }
        } else if let scheme = try Scrambling(source).schemeOfUnknownTransportStream() {
            problem = .encrypted(scheme: scheme)
        } else if let scheme = try Self.rightsManagement(source, firstBytes) {
            problem = .encrypted(scheme: scheme)
        }
        if let problem { throw VideoError(path: source.path, problem: problem) }
    }

    /// Pictures under a video's name. GIF is read as a video.
    private static func picture(_ bytes: [UInt8]) -> String? {
        if bytes.starts(with: [0xFF, 0xD8, 0xFF]) { return "a JPEG picture" }
        if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return "a PNG picture" }
        if bytes.starts(with: Array("RIFF".utf8)), bytes.dropFirst(8).starts(with: Array("WEBP".utf8)) { return "a WebP picture" }
        if bytes.starts(with: [0x49, 0x49, 0x2A, 0]) || bytes.starts(with: [0x4D, 0x4D, 0, 0x2A]) { return "a TIFF picture" }
        if bytes.dropFirst(4).starts(with: Array("JXL ".utf8)) || bytes.starts(with: [0xFF, 0x0A]) { return "a JPEG XL picture" }
        if bytes.dropFirst(4).starts(with: Array("jP  ".utf8)) { return "a JPEG 2000 picture" }
        return nil
    }

    /// In the headers of ASF (WMV) and FLV.
    private static func rightsManagement(_ source: MediaSource, _ firstBytes: [UInt8]) throws(VideoError) -> String? {
        let header: [UInt8] = [0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11]
        if firstBytes.starts(with: header) {
            // The content encryption objects, plain and extended: Advanced Systems Format, 10.
            let objects: [[UInt8]] = [
                [0xFB, 0xB3, 0x11, 0x22, 0x23, 0xBD, 0xD2, 0x11, 0xB4, 0xB7, 0x00, 0xA0, 0xC9, 0x55, 0xFC, 0x6E],
                [0x14, 0xE6, 0x8A, 0x29, 0x22, 0x26, 0x17, 0x4C, 0xB9, 0x35, 0xDA, 0xE0, 0x7E, 0xE9, 0x28, 0x9C],
            ]
            let length = firstBytes.count >= 24 ? MovieBoxes.number(firstBytes[16..<24].reversed()) : 0
            let end = Int(min(length, 1 << 20))
            var offset = 30
            while offset + 24 <= end {
                let head = try source.bytes(at: offset, count: 24)
                guard head.count == 24 else { return nil }
                if objects.contains(Array(head[0..<16])) { return "Windows Media rights management" }
                let size = MovieBoxes.number(head[16..<24].reversed())
                guard size >= 24, size <= 1 << 20 else { return nil }
                offset += Int(size)
            }
        }
        if firstBytes.starts(with: Array("FLV".utf8)), firstBytes.count >= 9 {
            var offset = Int(min(MovieBoxes.number(firstBytes[5..<9]), 1 << 20)) + 4
            for _ in 0..<64 {
                let head = try source.bytes(at: offset, count: 4)
                guard head.count == 4 else { return nil }
                // Bit 5: the packet has to be filtered first. Adobe Flash Video File Format 10.1, E.4.1.
                if head[0] & 0x3F == 0x29 { return "Adobe's FLV encryption" }
                offset += 15 + Int(MovieBoxes.number(head[1..<4]))
            }
        }
        return nil
    }
}
