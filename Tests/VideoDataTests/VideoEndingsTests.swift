import Foundation
import Testing
import VideoData

@Suite struct VideoEndingsTests {
    @Test(arguments: [
        "a.mp4", "a.MTS", "a.m2ts", "a.mpg", "a.MPEG", "a.vob", "a.mkv", "a.mk3d", "a.webm", "a.ogv", "a.wmv", "a.asf", "a.3g2", "a.mj2", "a.f4v",
        "a.ivf", "a.nut", "a.gif", "a.ts", "a.flv", "a.m4v", "a.mov", "a.qt", "a.h264", "a.hevc", "a.divx", "a.b.avi",
    ])
    func videos(_ name: String) { #expect(VideoEndings.isVideo(name)) }

    @Test(arguments: ["a.m4a", "a.mka", "a.mp3", "a.ogg", "a.png", "a.jpg", "a.avif", "a.heic", "a.txt", "a.csv", "mp4", ".mp4", "a.", "a", "a.m3u8", "a.ffconcat"])
    func others(_ name: String) { #expect(!VideoEndings.isVideo(name)) }

    /// What FFmpeg itself says of the demuxers that name their endings, but for sound and pictures.
    @Test(arguments: ["mov", "matroska", "avi", "flv", "nut", "m4v", "hevc"])
    func endingsAreTheDemuxers(_ demuxer: String) throws {
        let help = String(decoding: try ffmpeg(["-h", "demuxer=\(demuxer)"]), as: UTF8.self)
        let line = try #require(help.split(separator: "\n").first { $0.contains("Common extensions: ") })
        let endings = try #require(line.split(separator: ": ").last).dropLast().split(separator: ",")
        let others = ["m4a", "m4b", "isma", "mka", "mks", "avif", "heic", "heif", "265"]
        for ending in endings where !others.contains(String(ending)) { #expect(VideoEndings.isVideo("a.\(ending)"), "\(ending)") }
    }
}
