import Testing
import VideoData

/// One way to make a file, and how closely our frames match those of the `ffmpeg` program.
struct DecodingCase: CustomTestStringConvertible, Sendable {
    let name: String
    /// Between the pattern and the output's name.
    let arguments: [String]
    var width = 96
    var height = 64
    var frames = 40
    var tolerance = 0
    var testDescription: String { name }
}

private let x264 = ["-c:v", "libx264", "-preset", "veryfast", "-threads", "1"]

private let cases: [DecodingCase] = [
    DecodingCase(name: "h264.mp4", arguments: x264 + ["-g", "12"]),
    DecodingCase(name: "h264-pyramid.mp4", arguments: x264 + ["-g", "16", "-bf", "4", "-b_strategy", "0"]),
    DecodingCase(
        name: "h264-open-gop.mp4", arguments: x264 + ["-x264-params", "keyint=8:min-keyint=8:open-gop=1:bframes=3:scenecut=0"]),
    DecodingCase(name: "h264-intra-refresh.mp4", arguments: x264 + ["-x264-params", "keyint=10:intra-refresh=1"]),
    DecodingCase(name: "h264.mkv", arguments: x264 + ["-g", "12"]),
    DecodingCase(name: "h264.ts", arguments: x264 + ["-g", "12"]),
    DecodingCase(name: "h264.flv", arguments: x264 + ["-g", "12"]),
    DecodingCase(name: "h264.avi", arguments: x264 + ["-g", "12"]),
    DecodingCase(name: "h264-field-pairs.ts", arguments: x264 + ["-flags", "+ildct+ilme", "-x264-params", "tff=1"]),
    DecodingCase(name: "h264-odd.mp4", arguments: x264 + ["-pix_fmt", "yuv444p"], width: 97, height: 63),
    DecodingCase(name: "vp9-odd.webm", arguments: ["-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p", "-cpu-used", "8"], width: 97, height: 63),
    DecodingCase(name: "ffv1-odd.avi", arguments: ["-c:v", "ffv1", "-pix_fmt", "yuv420p"], width: 35, height: 21),
    DecodingCase(name: "av1.mp4", arguments: ["-c:v", "libsvtav1", "-preset", "12", "-g", "10"], frames: 20),
    DecodingCase(name: "av1.webm", arguments: ["-c:v", "libaom-av1", "-cpu-used", "8", "-g", "10", "-usage", "realtime"], frames: 20),
    // V14: 10 bits, full range, odd sizes, pixels that are not square, alpha; here and above and below.
    DecodingCase(name: "h264-10-bit.mp4", arguments: x264 + ["-pix_fmt", "yuv420p10le", "-g", "9"]),
    DecodingCase(name: "h264-422.mkv", arguments: x264 + ["-pix_fmt", "yuv422p"]),
    DecodingCase(
        name: "h264-full-range.mp4",
        arguments: ["-vf", "scale=out_range=full", "-color_range", "pc", "-pix_fmt", "yuvj420p"] + x264),
    DecodingCase(name: "h264-bt709.mp4", arguments: ["-colorspace", "bt709"] + x264),
    DecodingCase(name: "h264-wide-pixels.mp4", arguments: ["-vf", "setsar=16/11"] + x264),
    DecodingCase(name: "hevc.mp4", arguments: ["-c:v", "libx265", "-x265-params", "log-level=none:keyint=10:pools=1"]),
    DecodingCase(name: "hevc-10-bit.mkv", arguments: ["-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=none"]),
    DecodingCase(name: "vp8.webm", arguments: ["-c:v", "libvpx", "-g", "10", "-auto-alt-ref", "1", "-lag-in-frames", "16", "-deadline", "realtime"]),
    DecodingCase(name: "vp9.webm", arguments: ["-c:v", "libvpx-vp9", "-g", "10", "-auto-alt-ref", "1", "-lag-in-frames", "16", "-cpu-used", "8"]),
    DecodingCase(name: "vp9-alpha.webm", arguments: ["-vf", "format=yuva420p", "-c:v", "libvpx-vp9", "-cpu-used", "8"]),
    DecodingCase(name: "mpeg4.avi", arguments: ["-c:v", "mpeg4", "-bf", "2", "-g", "10"]),
    DecodingCase(name: "mpeg4.mp4", arguments: ["-c:v", "mpeg4", "-bf", "2", "-g", "10"]),
    DecodingCase(name: "mpeg2.mpg", arguments: ["-c:v", "mpeg2video", "-bf", "2", "-g", "10"]),
    DecodingCase(name: "mpeg1.mpg", arguments: ["-c:v", "mpeg1video", "-bf", "2", "-g", "10"]),
    DecodingCase(name: "mpeg2.ts", arguments: ["-c:v", "mpeg2video", "-bf", "2", "-g", "10"]),
    DecodingCase(name: "wmv2.wmv", arguments: ["-c:v", "wmv2"]),
    DecodingCase(name: "theora.ogv", arguments: ["-c:v", "libtheora", "-g", "10"]),
    DecodingCase(name: "sorenson.flv", arguments: ["-c:v", "flv"]),
    DecodingCase(name: "mjpeg.avi", arguments: ["-c:v", "mjpeg", "-pix_fmt", "yuvj422p"]),
    DecodingCase(name: "picture.gif", arguments: [], frames: 20),
    DecodingCase(name: "ffv1-alpha.mkv", arguments: ["-c:v", "ffv1", "-pix_fmt", "bgra", "-g", "7"]),
    DecodingCase(name: "prores-alpha.mov", arguments: ["-c:v", "prores_ks", "-pix_fmt", "yuva444p10le"]),
    DecodingCase(name: "png-alpha.mov", arguments: ["-c:v", "png", "-pix_fmt", "rgba"], frames: 20),
    DecodingCase(name: "gray.mkv", arguments: ["-c:v", "ffv1", "-pix_fmt", "gray"]),
    DecodingCase(name: "gbrp.mkv", arguments: ["-c:v", "ffv1", "-pix_fmt", "gbrp", "-vf", "format=gbrp"], width: 101, height: 67),
]

@Suite struct DecodingExactnessTests {
    @Test(arguments: cases)
    func everyFrameIsThatOfFFmpeg(_ item: DecodingCase) throws {
        let folder = try DecodingFolder()
        let path = folder.file(item.name)
        try ffmpeg(pattern(item.width, item.height, frames: item.frames) + item.arguments + [path])
        let expected = try referenceFrames(path, width: item.width, height: item.height)
        try compareAllAndSparse(path, with: expected, tolerance: item.tolerance)
    }

    @Test func realVideo() throws {
        let path = fixtureVideo("bikes.mp4")
        let expected = try referenceFrames(path, width: 640, height: 272)
        var video = try VideoFile(path: path)
        #expect(video.frameCount == 250)
        let indices = [249, 0, 131, 7, 131, 60]
        let frames = try video.frames(at: indices)
        for (index, frame) in zip(indices, frames) { #expect(frame.pixels == expected[index], "frame \(index)") }
        #expect(video.warnings.isEmpty)
    }

    /// Browsers write what they record while it goes on (WebM, live): without a length, an index or a rate, in clusters whose size
    /// is not told, with pictures at the times at which they came. Such a file is whole.
    @Test(arguments: [["libvpx"], ["libvpx-vp9", "-cpu-used", "8"]])
    func aLiveRecordingIsWhole(_ codec: [String]) throws {
        let folder = try DecodingFolder()
        let pictures = ["-vf", "select='gt(mod(n,5),1)'", "-vsync", "passthrough", "-c:v"] + codec + ["-deadline", "realtime"]
        var bytes = try ffmpeg(pattern(96, 64, frames: 30) + pictures + ["-live", "1", "-cluster_time_limit", "300", "-f", "webm", "-"])
        // RFC 9559: Cues would be 1C53BB6B; a size whose bits are all ones is unknown (RFC 8794, 6.2); EC is Void.
        func places(of identifier: [UInt8]) -> [Int] { bytes.indices.filter { bytes[$0...].starts(with: identifier) } }
        #expect(places(of: [0x1C, 0x53, 0xBB, 0x6B]).isEmpty)
        let clusters = places(of: [0x1F, 0x43, 0xB6, 0x75])
        #expect(clusters.count > 1)
        for size in clusters.map({ $0 + 4 }) {
            let count = bytes[size].leadingZeroBitCount + 1
            bytes.replaceSubrange(size..<size + count, with: [0xFF >> UInt8(count - 1)] + [UInt8](repeating: 0xFF, count: count - 1))
        }
        let rate = try #require(places(of: [0x23, 0xE3, 0x83, 0x84]).first)
        bytes.replaceSubrange(rate..<rate + 2, with: [0xEC, 0x86])

        let path = try folder.write(bytes, to: "live.webm")
        try compareAllAndSparse(path, with: referenceFrames(path, width: 96, height: 64))
        let video = try VideoFile(path: path)
        #expect(video.info.durationSeconds == nil && video.info.framesPerSecond == nil)
        // Of 25 frames a second, the third to the fifth of each five.
        let times = (0..<50).filter { $0 % 5 > 1 }.map { Double($0 - 2) / 25 }
        #expect(video.times.count == times.count && zip(video.times, times).allSatisfy { abs($0 - $1) < 1e-6 }, "\(video.times)")
        let stream = try VideoStream(
            VideoStreamRequest(path: path, grids: [WindowGrid(window: .seconds(1), stride: .seconds(1), sampleCount: 1)], shortSide: 64, batchCount: 8))
        var parts = [try stream.next()]
        while let last = parts.last, !last.isLast { parts.append(try stream.next()) }
        #expect(parts.flatMap(\.times).count == times.count && parts.last?.warnings == [])
    }
}

/// Decodes all frames at once, then scattered ones with the same and with fresh readers.
func compareAllAndSparse(
    _ path: String, with expected: [[UInt8]], tolerance: Int = 0, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    func check(_ frames: [VideoFrame], _ indices: [Int], _ comment: String) {
        for (index, frame) in zip(indices, frames) {
            let difference = largestDifference(frame.pixels, expected[index])
            #expect(difference <= tolerance, "\(comment): frame \(index)", sourceLocation: sourceLocation)
        }
    }
    var video = try VideoFile(path: path)
    try #require(video.frameCount == expected.count, sourceLocation: sourceLocation)
    let all = Array(expected.indices)
    check(try video.frames(at: all), all, "in order")
    var random = TestRandom(state: 7)
    for _ in 0..<6 {
        let indices = (0..<5).map { _ in Int.random(in: all.indices, using: &random) }
        check(try video.frames(at: indices), indices, "again \(indices)")
        var fresh = try VideoFile(path: path)
        check(try fresh.frames(at: indices), indices, "fresh \(indices)")
        let single = [indices[0]]
        check(try video.frames(at: single), single, "single")
    }
    // Without room to keep packets the file is read again instead.
    var limits = VideoLimits()
    limits.keptByteCount = 0
    var unkept = try VideoFile(path: path, limits: limits)
    let backwards = [all.count - 1, all.count / 2]
    check(try unkept.frames(at: backwards), backwards, "read again")
    let first = [0, all.count / 3]
    check(try unkept.frames(at: first), first, "read again")
    #expect(video.warnings.isEmpty, sourceLocation: sourceLocation)
}
