import Testing
import VideoData

/// Turned pictures are those of the `ffmpeg` program, which turns before it converts.
@Suite struct RotatedFramesTests {
    static let formats = ["yuv420p", "yuv420p10le", "yuvj420p", "yuv422p", "yuv422p10le", "yuv444p", "yuv444p10le"]

    @Test(arguments: formats, [([0, 1, -1, 0], 1), ([-1, 0, 0, -1], 2), ([0, -1, 1, 0], 3)])
    func asFFmpeg(_ format: String, _ rotation: ([Int], Int)) throws {
        let folder = try DecodingFolder()
        try check(format, rotation.0, quarterTurns: rotation.1, width: 96, height: 64, in: folder)
    }

    @Test(arguments: ["yuv420p", "yuv420p10le"])
    func mirrored(_ format: String) throws {
        try check(format, [-1, 0, 0, 1], quarterTurns: 0, width: 96, height: 64, in: DecodingFolder())
    }

    private func check(_ format: String, _ rotation: [Int], quarterTurns: Int, width: Int, height: Int, in folder: DecodingFolder) throws {
        try ffmpeg(
            pattern(width, height, frames: 3) + ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", format, folder.file("a.mp4")])
        var bytes = try readBytes(folder.file("a.mp4"))
        let box = try #require(bytes.indices.first { bytes[$0...].starts(with: Array("tkhd".utf8)) })
        for (position, value) in zip([0, 1, 3, 4], rotation) {
            bytes.replaceSubrange(box + 44 + position * 4..<box + 48 + position * 4, with: MediaBytes.bigEndian(value << 16))
        }
        let path = try folder.write(bytes, to: "b.mp4")
        let isTurned = quarterTurns % 2 == 1
        let expected = try referenceFrames(path, width: isTurned ? height : width, height: isTurned ? width : height)
        var video = try VideoFile(path: path)
        let frames = try video.frames(at: [0, 1, 2])
        #expect(frames[0].width == (isTurned ? height : width))
        for index in 0..<3 { #expect(largestDifference(frames[index].pixels, expected[index]) == 0, "frame \(index)") }
    }
}
