import Testing

import VideoData

/// Whether the `ffmpeg` program here converts through zimg, too.
private let hasZscale: Bool = {
    guard let words = try? ffmpeg(["-filters"]) else { return false }
    return String(decoding: words, as: UTF8.self).contains(" zscale ")
}()

/// What a video in high dynamic range is made as.
struct BrightCase: CustomTestStringConvertible, Sendable {
    let name: String
    /// Name of the transfer in `ffmpeg`.
    let transfer: String
    let arguments: [String]
    var format = "yuv420p10le"
    var width = 192
    var height = 128
    /// Chroma between pixels is found by another filter where the size is odd.
    var tolerance = 1
    var testDescription: String { "\(transfer) \(name)" }
}

private let x265 = ["-c:v", "libx265", "-x265-params", "log-level=none:lossless=1:pools=1"]
private let ffv1 = ["-c:v", "ffv1"]

private let brightCases: [BrightCase] = ["arib-std-b67", "smpte2084"].flatMap { transfer in
    [
        BrightCase(name: "a.mp4", transfer: transfer, arguments: x265),
        BrightCase(name: "8-bit.mp4", transfer: transfer, arguments: ["-c:v", "libx264", "-qp", "0"], format: "yuv420p"),
        BrightCase(name: "422.mkv", transfer: transfer, arguments: ffv1, format: "yuv422p10le"),
        BrightCase(name: "444.mkv", transfer: transfer, arguments: ffv1, format: "yuv444p12le"),
        BrightCase(name: "444-16.mkv", transfer: transfer, arguments: ffv1, format: "yuv444p16le"),
    ]
}

@Suite struct HighDynamicRangeTests {
    /// The test pattern with its white at BT.2408's reference white.
    private static func make(_ item: BrightCase, in folder: DecodingFolder, frames: Int = 4) throws -> String {
        let path = folder.file(item.name)
        let filter =
            "format=gbrp,zscale=tin=bt709:pin=bt709:rin=full:t=\(item.transfer):p=bt2020:m=bt2020nc:r=limited:npl=203,format=\(item.format)"
        try ffmpeg(
            pattern(item.width, item.height, frames: frames) + ["-vf", filter] + item.arguments
                + ["-color_trc", item.transfer, "-color_primaries", "bt2020", "-colorspace", "bt2020nc", "-color_range", "tv", path])
        return path
    }

    /// On one thread: in slices, zscale 5.1 finds other chroma for 4:2:2.
    private static func zscaled(_ path: String, _ item: BrightCase) throws -> [[UInt8]] {
        let bytes = try ffmpeg([
            "-i", path, "-vf", "zscale=t=bt709:p=bt709:m=gbr:r=pc:npl=203:threads=1,format=gbrp", "-vsync", "passthrough", "-f", "rawvideo", "-pix_fmt",
            "rgb24", "-",
        ])
        let count = item.width * item.height * 3
        return stride(from: 0, to: bytes.count, by: count).map { Array(bytes[$0..<min($0 + count, bytes.count)]) }
    }

    /// Up to the knee as zscale converts; above it at most as much darker as the roll-off makes white.
    @Test(.enabled(if: hasZscale), arguments: brightCases)
    func asZscale(_ item: BrightCase) throws {
        let folder = try DecodingFolder()
        let path = try Self.make(item, in: folder)
        let expected = try Self.zscaled(path, item)
        var video = try VideoFile(path: path)
        #expect(video.info.transfer == item.transfer)
        #expect(video.info.dynamicRange == (item.transfer == "smpte2084" ? .pq : .hlg))
        let frames = try video.frames(at: Array(expected.indices))
        for (index, frame) in frames.enumerated() {
            var largest = 0
            var largestAbove = 0
            for (ours, theirs) in zip(frame.pixels, expected[index]) {
                let difference = abs(Int(ours) - Int(theirs))
                if theirs <= 246 { largest = max(largest, difference) } else { largestAbove = max(largestAbove, difference) }
            }
            #expect(largest <= item.tolerance, "frame \(index)")
            #expect(largestAbove <= 5, "frame \(index), near white")
        }
    }

    /// What was SDR before it became HDR is SDR again, up to the roll-off and zimg's approximations: zscale's own way back
    /// differs by up to 9.
    @Test(.enabled(if: hasZscale), arguments: ["arib-std-b67", "smpte2084"])
    func thereAndBack(_ transfer: String) throws {
        let folder = try DecodingFolder()
        let item = BrightCase(name: "a.mkv", transfer: transfer, arguments: ffv1, format: "yuv444p16le")
        let path = try Self.make(item, in: folder)
        let original = try ffmpeg(
            pattern(item.width, item.height, frames: 4) + ["-vf", "format=gbrp", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        var video = try VideoFile(path: path)
        let frames = try video.frames(at: [0, 1, 2, 3])
        #expect(largestDifference(frames.flatMap(\.pixels), original) <= 10)
    }

    /// Patches by hand: levels of BT.2408, table 1, in 10 bits of narrow range (64 + 876 × signal), and what becomes of each.
    static let levelCases: [(transfer: String, codes: [Int], levels: [ClosedRange<Int>])] = [
        // 18 % gray is at 38 % (26 cd/m²), reference white at 75 %; then 85, 92 and 100 %.
        ("arib-std-b67", [64, 397, 721, 809, 870, 940], [0...0, 104...112, 250...252, 252...254, 253...255, 254...255]),
        // 26, 203, 400, 1,000 and 10,000 cd/m² are at 38, 58, 65.2, 75.2 and 100 %.
        ("smpte2084", [64, 397, 573, 635, 723, 940], [0...0, 104...112, 250...252, 253...255, 254...255, 254...255]),
    ]

    @Test(arguments: levelCases)
    func levels(_ transfer: String, codes: [Int], expected: [ClosedRange<Int>]) throws {
        let folder = try DecodingFolder()
        let (patch, height) = (16, 16)
        let width = patch * codes.count
        let luma = codes.flatMap { code in [[UInt8]](repeating: [UInt8(code & 0xFF), UInt8(code >> 8)], count: patch).flatMap(\.self) }
        let chroma = [[UInt8]](repeating: [0, 2], count: width * height / 2).flatMap(\.self)
        try folder.write([[UInt8]](repeating: luma, count: height).flatMap(\.self) + chroma, to: "a.yuv")
        try ffmpeg([
            "-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", "\(width)x\(height)", "-i", folder.file("a.yuv"), "-c:v", "ffv1", "-color_trc",
            transfer, "-color_primaries", "bt2020", "-colorspace", "bt2020nc", "-color_range", "tv", folder.file("a.mkv"),
        ])
        var video = try VideoFile(path: folder.file("a.mkv"))
        let frame = try video.frames(at: [0])[0]
        let row = height / 2 * width * 3
        let middles = codes.indices.map { row + ($0 * patch + patch / 2) * 3 }
        for (start, range) in zip(middles, expected) {
            let level = frame.pixels[start..<start + 3].map(Int.init)
            #expect(range.contains(level[0]), "\(level[0])")
            #expect(level.allSatisfy { abs($0 - level[0]) <= 1 }, "gray stays gray")
        }
        // What is brighter is never darker, and not everything above white is white.
        let levels = middles.map { frame.pixels[$0] }
        #expect(levels == levels.sorted() && levels[2] < levels[3])
    }

    /// With the switch for decord's way, samples are taken as they are, as without zimg.
    @Test(.enabled(if: hasZscale), arguments: ["arib-std-b67", "smpte2084"])
    func unconverted(_ transfer: String) throws {
        let folder = try DecodingFolder()
        let item = BrightCase(name: "a.mp4", transfer: transfer, arguments: x265)
        let path = try Self.make(item, in: folder)
        let expected = try referenceFrames(path, width: item.width, height: item.height)
        var video = try VideoFile(path: path, pictures: PictureRules(convertsHighDynamicRange: false))
        #expect(try video.frames(at: [0, 3]).map(\.pixels) == [expected[0], expected[3]])
        var converted = try VideoFile(path: path)
        #expect(try converted.frames(at: [0])[0].pixels != expected[0])
    }

    /// Tags in the container alone count: FFmpeg drops them where the codec's own headers say nothing.
    @Test(.enabled(if: hasZscale), arguments: ["mp4", "mkv"])
    func tagsOfTheContainer(_ ending: String) throws {
        let folder = try DecodingFolder()
        let item = BrightCase(name: "a.mp4", transfer: "smpte2084", arguments: x265)
        let tagged = try Self.make(item, in: folder)
        try ffmpeg([
            "-i", tagged, "-c", "copy", "-bsf:v", "hevc_metadata=transfer_characteristics=2:colour_primaries=2:matrix_coefficients=2", "-color_trc",
            "smpte2084", "-color_primaries", "bt2020", "-colorspace", "bt2020nc", folder.file("b." + ending),
        ])
        var video = try VideoFile(path: tagged)
        var other = try VideoFile(path: folder.file("b." + ending))
        #expect(other.info.dynamicRange == .pq)
        #expect(try video.frames(at: [0, 2]) == other.frames(at: [0, 2]))
    }

    @Test(.enabled(if: hasZscale)) func streamsConvertAlike() throws {
        let folder = try DecodingFolder()
        let item = BrightCase(name: "a.mp4", transfer: "arib-std-b67", arguments: x265)
        let path = try Self.make(item, in: folder, frames: 12)
        let grid = WindowGrid(window: .frames(4), stride: .frames(4), sampleCount: 4)
        for pictures in [PictureRules(), PictureRules(convertsHighDynamicRange: false)] {
            var video = try VideoFile(path: path, pictures: pictures)
            let expected = try video.frames(at: Array(0..<12)) { $0.resized(shortSide: 64) }
            let stream = try VideoStream(VideoStreamRequest(path: path, grids: [grid], shortSide: 64, batchCount: 32, pictures: pictures))
            var streamed: [VideoFrame] = []
            while true {
                let part = try stream.next()
                streamed += part.frames.map(\.picture)
                if part.isLast { break }
            }
            #expect(streamed == expected)
        }
    }

    /// An odd size, and a format that zimg does not read, are brought to one that it does.
    @Test(.enabled(if: hasZscale), arguments: [("gbrp10le", 96, 64), ("rgb48le", 96, 64), ("gray10le", 96, 64), ("yuv420p10le", 97, 63)])
    func otherFormats(_ format: String, _ width: Int, _ height: Int) throws {
        let folder = try DecodingFolder()
        let path = folder.file("a.mkv")
        // A ramp without color, so that its conversion does not depend on chroma.
        try ffmpeg([
            "-f", "lavfi", "-i", "gradients=size=96x64:c0=black:c1=white:x0=0:y0=0:x1=95:y1=0:nb_colors=2,format=gray,format=gray10le,scale=\(width):\(height)",
            "-frames:v", "2", "-vf", "format=\(format)", "-c:v", "ffv1", "-color_trc", "smpte2084", path,
        ])
        var video = try VideoFile(path: path)
        let plain = try referenceFrames(path, width: width, height: height)
        let frame = try video.frames(at: [1])[0]
        #expect(frame.width == width && frame.height == height)
        // What is brighter in the file is brighter in the picture; PQ's upper half is white.
        let pairs = zip(plain[1], frame.pixels).sorted { $0.0 < $1.0 }
        #expect(zip(pairs, pairs.dropFirst()).allSatisfy { Int($0.1) <= Int($1.1) + 8 })
        #expect(pairs.first.map { $0.1 <= 2 } ?? false)
        #expect(pairs.last.map { $0.1 >= 254 } ?? false)
        #expect(frame.pixels.contains { $0 > 100 && $0 < 200 })
    }
}
