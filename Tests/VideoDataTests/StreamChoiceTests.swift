import Testing
import VideoData

/// Which track of several is the video.
@Suite struct StreamChoiceTests {
    private static let video = ["-f", "lavfi", "-i", "testsrc2=size=128x96:rate=25,trim=end_frame=58"]
    private static let still = ["-f", "lavfi", "-i", "testsrc2=size=256x192:rate=25,trim=end_frame=1"]
    /// A track of stills at `place` and a video beside it.
    private static func encoders(still place: Int) -> [String] {
        ["-c:v:\(place)", "mjpeg", "-pix_fmt:v:\(place)", "yuvj420p", "-c:v:\(1 - place)", "libx264", "-pix_fmt:v:\(1 - place)", "yuv420p"]
    }

    /// A large still picture beside a video, first or last, and marked as default.
    @Test(arguments: ["a.mp4", "a.mkv", "a.mov", "a.avi", "fragmented.mp4"], [0, 1])
    func stillPictures(_ name: String, place: Int) throws {
        let folder = try DecodingFolder()
        try ffmpeg(
            (place == 0 ? Self.still + Self.video : Self.video + Self.still) + ["-map", "0:v", "-map", "1:v"] + Self.encoders(still: place)
                + ["-disposition:v:\(place)", "default", "-disposition:v:\(1 - place)", "0"]
                + (name.hasPrefix("fragmented") ? ["-movflags", "frag_keyframe+empty_moov", "-g", "20"] : []) + [folder.file(name)])
        var video = try VideoFile(path: folder.file(name))
        #expect(video.info.width == 128 && video.frameCount == 58)
        #expect(try video.frames(at: [0, 57]).count == 2)
    }

    /// A few stills, and in MKV, where nothing counts them.
    @Test(arguments: ["a.mp4", "a.mkv"])
    func slides(_ name: String) throws {
        let folder = try DecodingFolder()
        try ffmpeg(
            ["-f", "lavfi", "-i", "testsrc2=size=256x192:rate=1:duration=3", "-f", "lavfi", "-i", "testsrc2=size=128x96:rate=25:duration=3"]
                + ["-map", "0:v", "-map", "1:v"] + Self.encoders(still: 0) + [folder.file(name)])
        let video = try VideoFile(path: folder.file(name))
        #expect(video.info.width == 128 && video.frameCount == 75)
    }

    /// Of two videos the larger is read, as `ffmpeg` does; of a still alone, the still.
    @Test(arguments: ["a.mp4", "a.mkv"])
    func videos(_ name: String) throws {
        let folder = try DecodingFolder()
        try ffmpeg(
            ["-f", "lavfi", "-i", "testsrc2=size=128x96:rate=25:duration=1", "-f", "lavfi", "-i", "testsrc2=size=256x192:rate=25:duration=1"]
                + ["-map", "0:v", "-map", "1:v", "-c:v", "libx264", "-disposition:v", "0"]
                + (name == "a.mkv" ? ["-default_mode", "passthrough"] : []) + [folder.file(name)])
        var video = try VideoFile(path: folder.file(name))
        #expect(video.frameCount == 25)
        #expect(name == "a.mp4" || video.info.width == 256)
        let expected = try ffmpeg(["-i", folder.file(name), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        #expect(try video.frames(at: Array(0..<25)).flatMap(\.pixels) == expected)
        try ffmpeg(Self.still + ["-c:v", "mjpeg", folder.file("still-" + name)])
        #expect(try VideoFile(path: folder.file("still-" + name)).frameCount == 1)
    }
}
