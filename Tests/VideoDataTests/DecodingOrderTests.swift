import Foundation
import Testing
import VideoData

/// A file made by several runs of `ffmpeg`, `$D` standing for the folder; the last one's output is the
/// file to test.
struct OrderCase: CustomTestStringConvertible, Sendable {
    let name: String
    let commands: [String]
    var width = 96
    var height = 64
    var tolerance = 0
    var testDescription: String { name }
}

private let source = "-f lavfi -i testsrc2=size=96x64:rate=25"
private let closed = "\(source) -frames:v 60 -c:v libx264 -preset veryfast -g 10"
private let open = "\(source) -frames:v 60 -c:v libx264 -preset veryfast -x264-params keyint=10:min-keyint=10:open-gop=1:bframes=3:scenecut=0"

private let cases: [OrderCase] = [
    // Invisible packets: 84 packets, 80 frames.
    OrderCase(
        name: "VP8 with alternate references",
        commands: [
            "\(source) -frames:v 80 -c:v libvpx -g 60 -auto-alt-ref 1 -lag-in-frames 16 -b:v 200k -cpu-used 4 -pass 1 -passlogfile $D/log -f null -",
            "\(source) -frames:v 80 -c:v libvpx -g 60 -auto-alt-ref 1 -lag-in-frames 16 -b:v 200k -cpu-used 4 -pass 2 -passlogfile $D/log $D/a.webm",
        ]),
    // Edit list: some frames are decoded and not shown.
    OrderCase(name: "cut in a closed group", commands: ["\(closed) $D/a.mp4", "-ss 0.9 -i $D/a.mp4 -c copy $D/b.mp4"]),
    OrderCase(name: "cut in an open group", commands: ["\(open) $D/a.mp4", "-ss 0.9 -i $D/a.mp4 -c copy $D/b.mp4"]),
    // Leading frames whose references are gone: 42 packets, 40 frames.
    OrderCase(
        name: "leading frames without references",
        commands: ["\(open) $D/a.mp4", "-ss 0.9 -i $D/a.mp4 -c copy -avoid_negative_ts 1 $D/b.mkv"]),
    OrderCase(name: "HEVC with leading frames skipped", commands: [
        "\(source) -frames:v 60 -c:v libx265 -x265-params log-level=none:keyint=10:min-keyint=10:open-gop=1:scenecut=0:pools=1 $D/a.mp4",
        "-ss 0.9 -i $D/a.mp4 -c copy -avoid_negative_ts 1 $D/b.mkv",
    ]),
    // V7: 30 ms and 400 ms in turn.
    OrderCase(
        name: "variable frame rate",
        commands: ["\(source) -vf setpts='(floor(N/2)*0.43+mod(N\\,2)*0.03)/TB' -vsync vfr -frames:v 30 -c:v libx264 -preset veryfast -g 9 $D/a.mp4"]),
    // V12: no time stamps, wrong ones, negative ones.
    OrderCase(name: "bare H.264", commands: ["\(closed) -bf 3 $D/a.h264"]),
    OrderCase(
        name: "time stamps in the order of sending",
        commands: ["\(closed) -bf 3 $D/a.mp4", "-i $D/a.mp4 -c copy -bsf:v setts=pts=DTS $D/b.mp4"]),
    OrderCase(
        name: "negative start",
        commands: ["\(closed) -bf 3 $D/a.mp4", "-i $D/a.mp4 -c copy -output_ts_offset -1.5 -avoid_negative_ts disabled $D/b.mkv"]),
    OrderCase(name: "fragmented", commands: ["\(closed) -bf 3 -movflags +frag_keyframe+empty_moov $D/a.mp4"]),
    OrderCase(name: "late start with sound", commands: [
        "\(source) -f lavfi -i sine -map 0:v -map 1:a -frames:v 50 -t 2 -c:v libx264 -preset veryfast -g 10 -c:a aac $D/a.mp4",
        "-i $D/a.mp4 -itsoffset 3 -i $D/a.mp4 -map 0:a -map 1:v -c copy $D/b.mp4",
    ]),
    // V8.
    OrderCase(
        name: "turned by 90°", commands: ["\(closed) $D/a.mp4", "-i $D/a.mp4 -c copy -metadata:s:v rotate=90 $D/b.mp4"],
        width: 64, height: 96),
    OrderCase(name: "turned by 180°", commands: ["\(closed) $D/a.mp4", "-i $D/a.mp4 -c copy -metadata:s:v rotate=180 $D/b.mp4"]),
    OrderCase(
        name: "turned by 270°", commands: ["\(closed) $D/a.mp4", "-i $D/a.mp4 -c copy -metadata:s:v rotate=270 $D/b.mp4"],
        width: 64, height: 96),
]

@Suite struct DecodingOrderTests {
    @Test(arguments: cases)
    func framesAreCountedAsFFmpegDoes(_ item: OrderCase) throws {
        let folder = try DecodingFolder()
        var path = ""
        for command in item.commands {
            let arguments = command.split(separator: " ").map {
                $0.replacingOccurrences(of: "$D", with: folder.path).replacingOccurrences(of: "'", with: "")
            }
            try ffmpeg(arguments)
            path = arguments[arguments.count - 1]
        }
        let expected = try referenceFrames(path, width: item.width, height: item.height)
        try compareAllAndSparse(path, with: expected, tolerance: item.tolerance)
    }

    /// V9: two sizes in one stream; frames of the second are scaled to the first.
    @Test func sizeChange() throws {
        let folder = try DecodingFolder()
        let encoding = ["-c:v", "libx264", "-preset", "veryfast", "-g", "10"]
        try ffmpeg(pattern(96, 64, frames: 20) + encoding + [folder.file("a.ts")])
        try ffmpeg(pattern(160, 128, frames: 20) + encoding + [folder.file("b.ts")])
        let bytes = try readBytes(folder.file("a.ts")) + readBytes(folder.file("b.ts"))
        let path = try folder.write(bytes, to: "both.ts")
        let expected = try referenceFrames(path, width: 96, height: 64)
        var video = try VideoFile(path: path)
        #expect(video.frameCount == expected.count)
        let frames = try video.frames(at: Array(expected.indices))
        for index in expected.indices { #expect(frames[index].pixels == expected[index], "frame \(index)") }
        #expect(video.warnings.contains(.sizeChange(width: 160, height: 128)))
    }

    /// A recording that begins in the middle of a group of pictures.
    @Test func cutTransportStream() throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 60) + ["-c:v", "libx264", "-x264-params", "keyint=10:open-gop=1", folder.file("a.ts")])
        let bytes = try readBytes(folder.file("a.ts"))
        let path = try folder.write(Array(bytes[(bytes.count * 2 / 5 / 188 * 188)...]), to: "cut.ts")
        let expected = try referenceFrames(path, width: 96, height: 64)
        var video = try VideoFile(path: path)
        #expect(video.frameCount == expected.count)
        let frames = try video.frames(at: Array(expected.indices))
        for index in expected.indices { #expect(frames[index].pixels == expected[index], "frame \(index)") }
    }

    /// What a telephone held upright writes: a quarter turn clockwise. The matrix is written by hand
    /// because versions of `ffmpeg` disagree about the sense of `rotate=90`.
    @Test(arguments: [
        ([0, 1, -1, 0], 1, [2, 0, 3, 1]),
        ([-1, 0, 0, -1], 2, [3, 2, 1, 0]),
        ([0, -1, 1, 0], 3, [1, 3, 0, 2]),
        ([-1, 0, 0, 1], 0, [1, 0, 3, 2]),
    ])
    func displayMatrix(_ rotation: [Int], quarterTurns: Int, corners: [Int]) throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 3) + ["-c:v", "libx264", folder.file("a.mp4")])
        var bytes = try readBytes(folder.file("a.mp4"))
        let box = try #require(bytes.indices.first { bytes[$0...].starts(with: Array("tkhd".utf8)) })
        for (position, value) in zip([0, 1, 3, 4], rotation) {
            let pattern = UInt32(bitPattern: Int32(value << 16))
            for byte in 0..<4 { bytes[box + 44 + position * 4 + byte] = UInt8(truncatingIfNeeded: pattern >> (24 - 8 * byte)) }
        }
        var turned = try VideoFile(path: folder.write(bytes, to: "b.mp4"))
        var plain = try VideoFile(path: folder.file("b.mp4"), pictures: PictureRules(appliesRotation: false))
        #expect(turned.info.quarterTurns == quarterTurns)
        let upright = try plain.frames(at: [1])[0]
        let frame = try turned.frames(at: [1])[0]
        #expect((upright.width, upright.height) == (96, 64))
        #expect((frame.width, frame.height) == (quarterTurns % 2 == 1 ? (64, 96) : (96, 64)))
        #expect((turned.info.width, turned.info.height) == (frame.width, frame.height))
        #expect(cornerPixels(frame) == corners.map { cornerPixels(upright)[$0] })
        let expected = try ffmpeg(
            ["-noautorotate", "-i", folder.file("b.mp4"), "-frames:v", "2", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        #expect(upright.pixels == Array(expected[(96 * 64 * 3)...]))
    }

    @Test func moreThreadsGiveTheSameFrames() throws {
        let path = fixtureVideo("bikes.mp4")
        var one = try VideoFile(path: path)
        var many = try VideoFile(path: path, threadCount: 4)
        let indices = [3, 200, 77, 249]
        #expect(try one.frames(at: indices) == many.frames(at: indices))
    }
}

/// The pixels at top left, top right, bottom left, bottom right.
private func cornerPixels(_ frame: VideoFrame) -> [[UInt8]] {
    let last = frame.width * frame.height
    return [0, frame.width - 1, last - frame.width, last - 1].map { Array(frame.pixels[$0 * 3..<$0 * 3 + 3]) }
}
