import Foundation
import Testing
import VideoData

/// Files of which a part is gone: whoever reads them is told, and reads the same in every way.
@Suite struct DamageTests {
    /// A video, and what was done to it.
    struct Damage: CustomTestStringConvertible, Sendable {
        let name: String
        let encoding: [String]
        /// Of the file: where the damage begins, and how long it is; nil where all from there on is gone.
        let start: Double
        var length: Double?
        var value: UInt8 = 0
        var testDescription: String { "\(name), \(start), \(length ?? 1), \(value)" }
    }

    private static let kinds: [(String, [String])] = [
        ("a.mkv", ["-c:v", "libx264"]), ("a.ts", ["-c:v", "libx264"]), ("a.flv", ["-c:v", "libx264"]), ("b.flv", ["-c:v", "flv"]),
        ("a.webm", ["-c:v", "libvpx-vp9", "-cpu-used", "8"]), ("b.mkv", ["-c:v", "mpeg4"]), ("b.ts", ["-c:v", "mpeg2video"]),
    ]

    static let damages: [Damage] = kinds.flatMap { name, encoding in
        [
            Damage(name: name, encoding: encoding, start: 0.6), Damage(name: name, encoding: encoding, start: 0.4, length: 0.1),
            Damage(name: name, encoding: encoding, start: 0.5, length: 0.2, value: 0xff),
            Damage(name: name, encoding: encoding, start: 0.3, length: 0.02, value: 0x47),
        ]
    }

    private static let frameCount = 60

    private func video(_ name: String, _ encoding: [String], in folder: DecodingFolder) throws -> String {
        try ffmpeg(pattern(96, 64, frames: Self.frameCount) + encoding + ["-g", "12", "-threads", "1", folder.file(name)])
        return folder.file(name)
    }

    private func damaged(_ damage: Damage, in folder: DecodingFolder) throws -> String {
        var bytes = try readBytes(video(damage.name, damage.encoding, in: folder))
        let start = Int(Double(bytes.count) * damage.start) + 1
        if let length = damage.length {
            for index in start..<start + Int(Double(bytes.count) * length) { bytes[index] = damage.value }
        } else {
            bytes.removeSubrange(start...)
        }
        return try folder.write(bytes, to: "damaged-\(damage.name)")
    }

    @Test(arguments: damages)
    func whatIsLostIsTold(_ damage: Damage) throws {
        let folder = try DecodingFolder()
        let path = try damaged(damage, in: folder)
        var video = try VideoFile(path: path)
        _ = try video.frames(at: Array(0..<video.frameCount))
        let reference = try referenceFrames(path, width: 96, height: 64).count
        #expect(reference > 0 && reference <= Self.frameCount)
        if video.frameCount < Self.frameCount { #expect(!video.warnings.isEmpty, "\(video.frameCount) frames") }
        // Read once, forward, the same is told.
        let parts = try self.parts(path, unit: .seconds)
        #expect(parts.last?.warnings.isEmpty == video.warnings.isEmpty, "\(video.warnings)")
    }

    @Test(arguments: kinds)
    func soundFilesAreNotComplainedOf(_ name: String, _ encoding: [String]) throws {
        let folder = try DecodingFolder()
        let path = try video(name, encoding, in: folder)
        var video = try VideoFile(path: path)
        #expect(video.frameCount == Self.frameCount)
        _ = try video.frames(at: [0, 59])
        #expect(video.warnings.isEmpty, "\(video.warnings)")
        #expect(try parts(path, unit: .seconds).last?.warnings == [])
    }

    private func parts(_ path: String, unit: VideoSpan.Unit) throws -> [VideoPart] {
        let span: VideoSpan = unit == .frames ? .frames(1) : .seconds(0.04)
        let stream = try VideoStream(
            VideoStreamRequest(path: path, grids: [WindowGrid(window: span, stride: span, sampleCount: 1)], shortSide: 64, batchCount: 8))
        var parts = [try stream.next()]
        while let last = parts.last, !last.isLast { parts.append(try stream.next()) }
        return parts
    }

    /// Single frames, all frames at once and windows one frame long show the same pictures.
    @Test(arguments: damages + [
        Damage(name: "c.mp4", encoding: ["-c:v", "libx264"], start: 0.5, length: 0.05), Damage(name: "c.avi", encoding: ["-c:v", "mpeg4"], start: 0.5, length: 0.1),
        Damage(name: "c.mov", encoding: ["-c:v", "mjpeg"], start: 0.4, length: 0.1, value: 0xff), Damage(name: "d.mp4", encoding: ["-c:v", "libx265", "-x265-params", "log-level=none"], start: 0.4, length: 0.1, value: 0xff),
    ])
    func everyWayOfReadingShowsTheSame(_ damage: Damage) throws {
        let folder = try DecodingFolder()
        let path = try damaged(damage, in: folder)
        var video = try VideoFile(path: path)
        let count = video.frameCount
        let all = try video.frames(at: Array(0..<count))
        var shown: [VideoFrame?] = Array(repeating: nil, count: count)
        for frame in try parts(path, unit: .frames).flatMap(\.frames) {
            for point in frame.points[0] where point < count { shown[point] = frame.picture }
        }
        #expect(shown.map { $0?.pixels.hashValue } == all.map(\.pixels.hashValue))
        for sparse in [[count / 2], [count / 3, count - 1], [0, count / 4, count * 3 / 4]] {
            var fresh = try VideoFile(path: path)
            #expect(try fresh.frames(at: sparse).map(\.pixels.hashValue) == sparse.map { all[$0].pixels.hashValue }, "\(sparse)")
        }
    }

    /// Streams that turn up behind the header are probed under the same limit on pixels.
    @Test(arguments: ["flv a.flv", "libx264 b.flv", "mpeg2video a.mpg", "mpeg1video b.mpg", "mpeg2video a.ts", "libx264 b.ts", "mpeg4 c.ts", "libx264 a.mp4", "libvpx a.webm", "mpeg4 a.avi"])
    func thePixelLimitHoldsWhileProbing(_ kind: String) throws {
        let folder = try DecodingFolder()
        let parts = kind.split(separator: " ").map(String.init)
        try ffmpeg(pattern(352, 288, frames: 30) + ["-c:v", parts[0], folder.file(parts[1])])
        var limits = VideoLimits()
        limits.pixelCount = 352 * 288 - 1
        guard case .tooLarge(let what, let value, let limit) = refusal(folder.file(parts[1]), limits: limits)?.problem else {
            Issue.record("not refused for its size")
            return
        }
        #expect(what == "pixels in a frame" && value >= 352 * 288 && limit == 352 * 288 - 1)
    }
}
