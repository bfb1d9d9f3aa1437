import Testing
import VideoData

/// Files that are whole and no video that can be read: each is named for what it is.
@Suite struct NamedContainerTests {
    private static let x264 = ["-c:v", "libx264", "-preset", "veryfast", "-g", "12"]

    private static func encrypted(_ folder: DecodingFolder, fragmented: Bool) throws -> [UInt8] {
        try ffmpeg(
            pattern(96, 64, frames: 24) + x264 + [
                "-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb", "-encryption_kid",
                "a7e61c373e219033c21091fa607bf3b8",
            ] + (fragmented ? ["-movflags", "frag_keyframe+empty_moov"] : []) + [folder.file("encrypted.mp4")])
        return try readBytes(folder.file("encrypted.mp4"))
    }

    private static let descriptions = ["moov", "trak", "mdia", "minf", "stbl", "stsd"]

    // MARK: Encryption

    @Test(arguments: [false, true], ["cenc", "cbcs", "cens", "cbc1"])
    func commonEncryption(_ fragmented: Bool, _ scheme: String) throws {
        let folder = try DecodingFolder()
        let bytes = try Self.encrypted(folder, fragmented: fragmented)
        let kind = Array("schm".utf8) + [0, 0, 0, 0]
        let path = try folder.write(MediaBytes.replacing(kind + Array("cenc".utf8), by: kind + Array(scheme.utf8), in: bytes), to: "a.mp4")
        let error = try #require(refusal(path))
        #expect(error.problem == .encrypted(scheme: "Common Encryption, \(scheme)"))
        #expect(error.exitStatus == .badData && error.description.contains("encrypted"))
        #expect(throws: error) { try VideoStream(VideoStreamRequest(path: path, grids: [Self.grid], shortSide: 64, batchCount: 8)) }
    }

    private static let grid = WindowGrid(window: .frames(4), stride: .frames(4), sampleCount: 4)

    /// The track's defaults say clear, and groups of samples in the fragments have keys.
    @Test(arguments: [1, 0])
    func sampleGroups(_ isProtected: UInt8) throws {
        let folder = try DecodingFolder()
        var bytes = try Self.encrypted(folder, fragmented: true)
        // tenc: version and flags, two reserved bytes, then whether samples are protected.
        let defaults = try #require(MediaBytes.offsets(of: Self.descriptions + ["encv", "sinf", "schi", "tenc"], in: bytes)?.last)
        #expect(bytes[defaults + 14] == 1)
        bytes[defaults + 14] = 0
        let entry: [UInt8] = [0, 0, isProtected, 8] + (0..<16).map { UInt8($0) }
        let group = MediaBytes.box("sgpd", [1, 0, 0, 0] + Array("seig".utf8) + MediaBytes.bigEndian(20) + MediaBytes.bigEndian(1) + entry)
        bytes = try #require(MediaBytes.appending(group, to: ["moof", "traf"], in: bytes))
        let error = refusalOrNil(try folder.write(bytes, to: "a.mp4"))
        #expect((error?.problem == .encrypted(scheme: "Common Encryption, cenc")) == (isProtected == 1))
    }

    /// Encrypted sound beside clear pictures is no obstacle, nor is a box that says that nothing is protected.
    @Test func clearPictures() throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 24) + Self.x264 + [folder.file("clear.mp4")])
        var bytes = try readBytes(folder.file("clear.mp4"))
        let information =
            MediaBytes.box("frma", Array("avc1".utf8)) + MediaBytes.box("schm", [0, 0, 0, 0] + Array("cenc".utf8) + [0, 1, 0, 0])
            + MediaBytes.box("schi", MediaBytes.box("tenc", [0, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 16)))
        bytes = try #require(MediaBytes.appending(MediaBytes.box("sinf", information), to: Self.descriptions + ["avc1"], in: bytes))
        let entry = try #require(MediaBytes.offsets(of: Self.descriptions + ["avc1"], in: bytes)?.last)
        bytes.replaceSubrange(entry + 4..<entry + 8, with: Array("encv".utf8))
        var video = try VideoFile(path: folder.write(bytes, to: "a.mp4"))
        var clear = try VideoFile(path: folder.file("clear.mp4"))
        #expect(try video.frames(at: [0, 23]) == clear.frames(at: [0, 23]))
    }

    @Test func fairPlay() throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 5) + Self.x264 + [folder.file("clear.mp4")])
        var bytes = try readBytes(folder.file("clear.mp4"))
        let entry = try #require(MediaBytes.offsets(of: Self.descriptions + ["avc1"], in: bytes)?.last)
        bytes.replaceSubrange(entry + 4..<entry + 8, with: Array("drmi".utf8))
        #expect(refusal(try folder.write(bytes, to: "a.m4v"))?.problem == .encrypted(scheme: "FairPlay"))
    }

    /// The track's name gives its place to an element that says that the track is encrypted.
    @Test(arguments: ["mkv", "webm"])
    func matroska(_ ending: String) throws {
        let folder = try DecodingFolder()
        let codec = ending == "mkv" ? Self.x264 : ["-c:v", "libvpx-vp9", "-cpu-used", "8"]
        let name = "nineteen characters"
        try ffmpeg(pattern(96, 64, frames: 5) + codec + ["-metadata:s:v:0", "title=" + name, folder.file("a." + ending)])
        let bytes = try readBytes(folder.file("a." + ending))
        let element: [UInt8] = [0x53, 0x6E, 0x80 | UInt8(name.utf8.count)] + Array(name.utf8)
        // ContentEncodings, ContentEncoding, then its type (encryption) and ContentEncryption with AES and a key of 2 bytes.
        let encryption: [UInt8] = [0x47, 0xE1, 0x81, 5, 0x47, 0xE2, 0x82, 7, 7]
        let inner: [UInt8] = [0x50, 0x33, 0x81, 1, 0x50, 0x35, 0x80 | UInt8(encryption.count)] + encryption
        let encodings: [UInt8] = [0x6D, 0x80, 0x80 | UInt8(name.utf8.count), 0x62, 0x40, 0x80 | UInt8(inner.count)] + inner
        #expect(encodings.count == element.count)
        let edited = MediaBytes.replacing(element, by: encodings, in: bytes)
        #expect(edited != bytes)
        let error = refusal(try folder.write(edited, to: "b." + ending))
        #expect(error?.problem == .encrypted(scheme: "Matroska's ContentEncryption, AES"))
    }

    @Test(arguments: [188, 192])
    func transportStream(_ packetCount: Int) throws {
        let folder = try DecodingFolder()
        try ffmpeg(
            pattern(96, 64, frames: 60) + Self.x264 + (packetCount == 192 ? ["-mpegts_m2ts_mode", "1"] : []) + ["-f", "mpegts", folder.file("a.ts")])
        var bytes = try readBytes(folder.file("a.ts"))
        for start in stride(from: packetCount - 188, to: bytes.count - 187, by: packetCount) where bytes[start + 3] & 0x10 != 0 {
            let identifier = Int(bytes[start + 1] & 0x1F) << 8 | Int(bytes[start + 2])
            // Of the video, as `ffmpeg` numbers it in either form.
            guard identifier == 0x100 || identifier == 0x1011 else { continue }
            bytes[start + 3] |= 0x80
            let payload = start + 4 + (bytes[start + 3] & 0x20 != 0 ? 1 + Int(bytes[start + 4]) : 0)
            for index in payload..<start + 188 { bytes[index] ^= UInt8(truncatingIfNeeded: index &* 31 &+ 7) }
        }
        #expect(refusal(try folder.write(bytes, to: "b.ts"))?.problem == .encrypted(scheme: "transport stream scrambling"))
        #expect(try VideoFile(path: folder.file("a.ts")).frameCount == 60)
    }

    /// The table of streams names the type that stands for encrypted samples.
    @Test func sampleAES() throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 30) + Self.x264 + [folder.file("a.ts")])
        var bytes = try readBytes(folder.file("a.ts"))
        for start in stride(from: 0, to: bytes.count - 187, by: 188) where bytes[start + 5] == 2 && bytes[start + 1] & 0x40 != 0 {
            let end = start + 8 + (Int(bytes[start + 6] & 0x0F) << 8 | Int(bytes[start + 7]))
            let type = start + 5 + 12 + (Int(bytes[start + 15] & 0x0F) << 8 | Int(bytes[start + 16]))
            #expect(bytes[type] == 0x1B)
            bytes[type] = 0xDB
            bytes.replaceSubrange(end - 4..<end, with: MediaBytes.tableChecksum(bytes[start + 5..<end - 4]))
        }
        #expect(refusal(try folder.write(bytes, to: "b.ts"))?.problem == .encrypted(scheme: "SAMPLE-AES"))
    }

    @Test func programStream() throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 60) + ["-c:v", "mpeg2video", "-f", "vob", folder.file("a.vob")])
        var bytes = try readBytes(folder.file("a.vob"))
        for index in 0..<bytes.count - 9 where bytes[index..<index + 4].elementsEqual([0, 0, 1, 0xE0]) { bytes[index + 6] |= 0x10 }
        #expect(refusal(try folder.write(bytes, to: "b.vob"))?.problem == .encrypted(scheme: "program stream scrambling"))
        #expect(try VideoFile(path: folder.file("a.vob")).frameCount == 60)
    }

    /// An object in the header of WMV, and a bit in every tag of FLV.
    @Test func rightsManagement() throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 5) + ["-c:v", "wmv2", folder.file("a.wmv")])
        var video = try readBytes(folder.file("a.wmv"))
        // The Content Encryption Object, of 24 bytes and four empty fields, in front of the others; lengths are little-endian.
        let object: [UInt8] =
            [0xFB, 0xB3, 0x11, 0x22, 0x23, 0xBD, 0xD2, 0x11, 0xB4, 0xB7, 0x00, 0xA0, 0xC9, 0x55, 0xFC, 0x6E, 40, 0, 0, 0, 0, 0, 0, 0]
            + [UInt8](repeating: 0, count: 16)
        video.insert(contentsOf: object, at: 30)
        let length = Int(video[16]) + Int(video[17]) << 8 + Int(video[18]) << 16 + object.count
        for byte in 0..<3 { video[16 + byte] = UInt8(length >> (8 * byte) & 0xFF) }
        video[24] += 1
        #expect(refusal(try folder.write(video, to: "b.wmv"))?.problem == .encrypted(scheme: "Windows Media rights management"))
        #expect(try VideoFile(path: folder.file("a.wmv")).frameCount == 5)

        try ffmpeg(pattern(96, 64, frames: 5) + ["-c:v", "flv", folder.file("a.flv")])
        var tags = try readBytes(folder.file("a.flv"))
        var offset = 13
        while offset + 11 < tags.count {
            if tags[offset] == 9 { tags[offset] |= 0x20 }
            offset += 15 + MediaBytes.number(tags[offset + 1..<offset + 4])
        }
        #expect(refusal(try folder.write(tags, to: "b.flv"))?.problem == .encrypted(scheme: "Adobe's FLV encryption"))
    }

    // MARK: Dolby Vision

    /// Profile 5 has no base layer that others can show; 8.1 and 8.4 have one.
    @Test(arguments: [(5, 0, true), (8, 1, false), (8, 4, false), (8, 0, true), (7, 6, false)])
    func dolbyVision(_ profile: Int, _ compatibility: Int, _ isRefused: Bool) throws {
        let folder = try DecodingFolder()
        try ffmpeg(
            pattern(96, 64, frames: 5) + ["-c:v", "libx265", "-x265-params", "log-level=none", "-tag:v", "hvc1", "-pix_fmt", "yuv420p10le", folder.file("a.mp4")])
        // Version 1.0; profile (7 bits), level 1 (6), no enhancement (3 bits: metadata, enhancement, base), compatibility (4).
        let packed = profile << 9 | 1 << 3 | 0b101
        let record: [UInt8] = [1, 0, UInt8(packed >> 8), UInt8(packed & 0xFF), UInt8(compatibility << 4)] + [UInt8](repeating: 0, count: 19)
        let bytes = try #require(
            MediaBytes.appending(MediaBytes.box(profile > 7 ? "dvvC" : "dvcC", record), to: Self.descriptions + ["hvc1"], in: readBytes(folder.file("a.mp4"))))
        let path = try folder.write(bytes, to: "b.mp4")
        if isRefused {
            #expect(refusal(path)?.problem == .dolbyVision(profile: profile))
        } else {
            #expect(try VideoFile(path: path).frameCount == 5)
        }
    }

    // MARK: Segments

    @Test(arguments: [false, true])
    func segments(_ isDash: Bool) throws {
        let folder = try DecodingFolder()
        let form = isDash
            ? ["-f", "dash", "-init_seg_name", "init.mp4", "-media_seg_name", "part$Number$.m4s", folder.file("a.mpd")]
            : ["-f", "hls", "-hls_segment_type", "fmp4", "-hls_time", "1", "-hls_segment_filename", folder.file("part%d.m4s"), folder.file("a.m3u8")]
        try ffmpeg(pattern(96, 64, frames: 60) + Self.x264 + form)
        let start = try readBytes(folder.file("init.mp4"))
        let part = try readBytes(folder.file("part1.m4s"))
        let segment = try #require(refusal(folder.file("part1.m4s")))
        #expect(segment.problem == .segment)
        #expect(segment.description.contains("cat INIT SEGMENT"))
        #expect(refusal(folder.file("init.mp4"))?.problem == .initialization)
        // Put together as the remedy says, they are a video.
        #expect(try VideoFile(path: folder.write(start + part, to: "joined.mp4")).frameCount > 0)
    }

    @Test func segmentsOfWebM() throws {
        let folder = try DecodingFolder()
        try ffmpeg(
            pattern(96, 64, frames: 30) + ["-c:v", "libvpx-vp9", "-cpu-used", "8", "-g", "10", "-cluster_time_limit", "200", "-live", "1", folder.file("a.webm")])
        let bytes = try readBytes(folder.file("a.webm"))
        let cluster = try #require(bytes.indices.first { bytes[$0...].starts(with: [0x1F, 0x43, 0xB6, 0x75]) })
        #expect(refusal(try folder.write(Array(bytes[cluster...]), to: "part.webm"))?.problem == .segment)
        #expect(refusal(try folder.write(Array(bytes[..<cluster]), to: "init.webm"))?.problem == .initialization)
        #expect(try VideoFile(path: folder.file("a.webm")).frameCount == 30)
    }

    /// A download that broke off stays one, also of a video in fragments.
    @Test func incompleteDownloads() throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 30) + Self.x264 + [folder.file("a.mp4")])
        let bytes = try readBytes(folder.file("a.mp4"))
        #expect(refusal(try folder.write(Array(bytes[..<(bytes.count / 2)]), to: "b.mp4"))?.problem == .incompleteDownload(byteCount: bytes.count / 2))
    }

    // MARK: Pictures

    @Test(arguments: [("heic", "a HEIC picture (a still)"), ("heix", "a HEIC picture (a still)"), ("mif1", "a HEIF picture (a still)"), ("avif", "an AVIF picture (a still)")])
    func stills(_ brand: String, _ words: String) throws {
        let folder = try DecodingFolder()
        let handler = MediaBytes.box("hdlr", [0, 0, 0, 0, 0, 0, 0, 0] + Array("pict".utf8) + [UInt8](repeating: 0, count: 13))
        let bytes =
            MediaBytes.box("ftyp", Array(brand.utf8) + [0, 0, 0, 0] + Array("mif1miaf".utf8)) + MediaBytes.box("meta", [0, 0, 0, 0] + handler)
            + MediaBytes.box("mdat", [UInt8](repeating: 7, count: 500))
        #expect(refusal(try folder.write(bytes, to: "a.mp4"))?.problem == .notVideo(what: words))
    }

    @Test func aPictureOfFFmpegs() throws {
        let folder = try DecodingFolder()
        for (name, words) in [("a.avif", "an AVIF picture (a still)"), ("a.png", "a PNG picture"), ("a.jpg", "a JPEG picture"), ("a.webp", "a WebP picture"), ("a.tiff", "a TIFF picture")] {
            let codec = name == "a.avif" ? ["-c:v", "libaom-av1", "-still-picture", "1", "-cpu-used", "8"] : []
            try ffmpeg(pattern(96, 64, frames: 1) + codec + [folder.file(name)])
            #expect(refusal(folder.file(name))?.problem == .notVideo(what: words))
        }
    }

    /// What opening says, for files that may be opened.
    private func refusalOrNil(_ path: String) -> VideoError? {
        do throws(VideoError) {
            _ = try VideoFile(path: path)
            return nil
        } catch {
            return error
        }
    }
}
