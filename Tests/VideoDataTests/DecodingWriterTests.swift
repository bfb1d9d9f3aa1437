import Files
import Foundation
import Testing
import VideoData

@Suite struct DecodingWriterTests {
    /// A smooth picture that moves: compresses well, so that decoded pixels are near.
    private func picture(_ index: Int, width: Int, height: Int) -> [UInt8] {
        var pixels: [UInt8] = []
        for row in 0..<height {
            for column in 0..<width {
                pixels.append(UInt8(min(255, 40 + column * 2)))
                pixels.append(UInt8(min(255, 30 + row * 2)))
                pixels.append(UInt8(80 + index * 5))
            }
        }
        return pixels
    }

    private func video(_ path: String, count: Int, quality: VideoWriter.Quality = .init()) throws -> [UInt8] {
        var writer = try VideoWriter(path: path, width: 64, height: 48, framesPerSecond: 12.5, quality: quality)
        for index in 0..<count { try writer.append(picture(index, width: 64, height: 48)) }
        return try writer.finishedBytes()
    }

    @Test(arguments: [
        VideoWriter.Quality(), VideoWriter.Quality(preset: "veryfast"), VideoWriter.Quality(keyFrameInterval: 4),
        VideoWriter.Quality(avoidsH264: true),
    ])
    func whatIsWrittenIsReadBack(_ quality: VideoWriter.Quality) throws {
        let folder = try DecodingFolder()
        let path = folder.file("video.mp4")
        var writer = try VideoWriter(path: path, width: 64, height: 48, framesPerSecond: 12.5, quality: quality)
        for index in 0..<20 { try writer.append(picture(index, width: 64, height: 48)) }
        #expect(!FileManager.default.fileExists(atPath: path))
        try writer.finish()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["video.mp4"])

        var video = try VideoFile(path: path)
        #expect(video.info.codec == (quality.avoidsH264 ? "mpeg4" : "h264"))
        #expect(video.frameCount == 20 && video.info.framesPerSecond == 12.5)
        #expect(video.info.durationSeconds == 1.6 && video.warnings.isEmpty)
        let frames = try video.frames(at: Array(0..<20))
        for index in 0..<20 {
            let difference = zip(frames[index].pixels, picture(index, width: 64, height: 48))
                .reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
            #expect(Double(difference) / Double(64 * 48 * 3) < 3, "frame \(index)")
        }
        let expected = try referenceFrames(path, width: 64, height: 48)
        #expect(frames.map(\.pixels) == expected)
    }

    @Test(arguments: [VideoWriter.Quality(), VideoWriter.Quality(avoidsH264: true)])
    func sameFramesGiveTheSameBytes(_ quality: VideoWriter.Quality) throws {
        let first = try video("a.mp4", count: 8, quality: quality)
        #expect(try video("b.mp4", count: 8, quality: quality) == first)
        // The table of contents stands before the pictures.
        let contents = try #require(first.indices.first { first[$0...].starts(with: Array("moov".utf8)) })
        let pictures = try #require(first.indices.first { first[$0...].starts(with: Array("mdat".utf8)) })
        #expect(contents < pictures)
    }

    @Test func impossibleVideos() throws {
        #expect(throws: VideoError.self) { _ = try VideoWriter(path: "a.mp4", width: 63, height: 48, framesPerSecond: 10) }
        #expect(throws: VideoError.self) { _ = try VideoWriter(path: "a.mp4", width: 64, height: 8194, framesPerSecond: 10) }
        #expect(throws: VideoError.self) { _ = try VideoWriter(path: "a.mp4", width: 64, height: 48, framesPerSecond: .nan) }
        #expect(throws: VideoError.self) { try VideoWriter(path: "a.mp4", width: 64, height: 48, framesPerSecond: 10).finish() }
        var writer = try VideoWriter(path: "/nowhere/a.mp4", width: 64, height: 48, framesPerSecond: 10)
        try writer.append(picture(0, width: 64, height: 48))
        do throws(VideoError) {
            try writer.finish()
            Issue.record("written to a folder that is not there")
        } catch {
            #expect(error.exitStatus == .inputOutput)
        }
    }
}
