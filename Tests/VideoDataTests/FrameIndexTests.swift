import Foundation
import Testing
import VideoData

/// Files are read as a whole once: after that what is wanted is found by numbers that were kept.
@Suite struct FrameIndexTests {
    /// Videos of several megabytes, so that it pays to leave some of it out.
    @Test(arguments: [
        "libx264 a.mp4 -x264-params bframes=3:keyint=25", "libx264 a.mkv -x264-params keyint=25:open-gop=1", "libx264 a.ts -g 25", "libx264 a.flv -g 25",
        "mpeg2video a.mpg -qscale:v 2", "mpeg4 a.avi -qscale:v 2", "libvpx a.webm -b:v 20M -deadline realtime -cpu-used 8 -g 25", "mjpeg a.mov -qscale:v 2",
    ])
    func aSecondReadingShowsTheSame(_ kind: String) throws {
        let folder = try DecodingFolder()
        let parts = kind.split(separator: " ").map(String.init)
        let path = folder.file(parts[1])
        let noise = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25,noise=alls=40:allf=t", "-frames:v", "150", "-pix_fmt", parts[0] == "mjpeg" ? "yuvj420p" : "yuv420p"]
        try ffmpeg(noise + ["-c:v", parts[0], "-preset", "ultrafast"].prefix(parts[0] == "libx264" ? 4 : 2) + parts.dropFirst(2) + [path])
        let expected = try referenceFrames(path, width: 320, height: 240)
        let indexes = FrameIndexes()
        var limits = VideoLimits()
        limits.keptByteCount = 0
        for wanted in [[3, 77, 149], [140, 20], [60, 61, 62, 148], [0]] {
            var video = try VideoFile(path: path, limits: limits, indexes: indexes)
            #expect(video.frameCount == expected.count && indexes.count == 1)
            let frames = try video.frames(at: wanted)
            for (frame, number) in zip(frames, wanted) { #expect(largestDifference(frame.pixels, expected[number]) == 0, "frame \(number)") }
        }
    }

    @Test func aFileThatChangesIsCountedAgain() throws {
        let folder = try DecodingFolder()
        let indexes = FrameIndexes()
        for count in [20, 31] {
            try ffmpeg(pattern(96, 64, frames: count) + ["-c:v", "mpeg4", folder.file("a.avi")])
            #expect(try VideoFile(path: folder.file("a.avi"), indexes: indexes).frameCount == count)
        }
    }

    @Test func whatDoesNotFitIsNotKept() throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 20) + ["-c:v", "mpeg4", folder.file("a.avi")])
        let indexes = FrameIndexes(byteBudget: 100)
        #expect(try VideoFile(path: folder.file("a.avi"), indexes: indexes).frameCount == 20)
        #expect(indexes.count == 0)
    }

    /// Hours of video are a video: how many packets there may be depends on the file's size.
    @Test func aVideoOfManyFrames() throws {
        let folder = try DecodingFolder()
        let path = folder.file("long.mp4")
        try ffmpeg(["-f", "lavfi", "-i", "color=gray:size=16x16:rate=1000", "-frames:v", "204000", "-c:v", "libx264", "-preset", "ultrafast", "-g", "2000", path])
        var video = try VideoFile(path: path)
        #expect(video.frameCount == 204_000)
        #expect(try video.frames(at: [0, 203_999]).count == 2)
    }
}
