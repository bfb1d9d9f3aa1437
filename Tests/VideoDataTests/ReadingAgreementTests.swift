import Foundation
import Testing
import VideoData

/// Odd but sound videos, read whole and by windows: neither way finds anything missing.
@Suite struct ReadingAgreementTests {
    private func parts(_ path: String) throws -> [VideoPart] {
        let grid = WindowGrid(window: .seconds(1), stride: .seconds(1), sampleCount: 1)
        let stream = try VideoStream(VideoStreamRequest(path: path, grids: [grid], shortSide: 64, batchCount: 8))
        var parts = [try stream.next()]
        while let last = parts.last, !last.isLast { parts.append(try stream.next()) }
        return parts
    }

    /// Slides: time stamps far apart stand, as they do in a player.
    @Test(arguments: ["a.mp4", "a.mkv", "a.mov", "a.avi"])
    func stampsFarApartStand(_ name: String) throws {
        let folder = try DecodingFolder()
        let path = folder.file(name)
        let rate = name.hasSuffix("avi") ? ["-r", "1", "-vsync", "cfr", "-c:v", "mjpeg"] : ["-vsync", "vfr", "-c:v", "libx264"]
        try ffmpeg(
            ["-f", "lavfi", "-i", "testsrc2=size=96x64:rate=1", "-vf", "setpts='if(eq(N,0),0,if(eq(N,1),700,705))/TB'", "-frames:v", name.hasSuffix("avi") ? "706" : "3"]
                + rate + [path])
        let parts = try parts(path)
        let times = parts.flatMap(\.times)
        if name.hasSuffix("avi") {
            #expect(times.count == 706)
        } else {
            #expect(times.count == 3 && zip(times, [0, 700, 705]).allSatisfy { abs($0 - $1) < 0.01 }, "\(times)")
            #expect(try VideoFile(path: path).times == times)
        }
        #expect((parts.last?.seconds ?? 0) >= 705 && parts.last?.warnings == [])
    }

    /// Videos cut without encoding begin before they are shown.
    @Test(arguments: ["0.9", "1.3"])
    func editListsAreNoLoss(_ start: String) throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 60) + ["-c:v", "libx264", "-g", "30", "-bf", "2", folder.file("a.mp4")])
        let path = folder.file("b.mp4")
        try ffmpeg(["-ss", start, "-i", folder.file("a.mp4"), "-c", "copy", path])
        var video = try VideoFile(path: path)
        let expected = try referenceFrames(path, width: 96, height: 64)
        #expect(video.frameCount == expected.count && expected.count < 60)
        _ = try video.frames(at: [0, expected.count - 1])
        #expect(video.warnings.isEmpty)
        let parts = try parts(path)
        #expect(parts.flatMap(\.times).count == expected.count && parts.last?.warnings == [])
    }

    /// DivX with B-frames packed into the packets of others, and packets of their own for nothing.
    @Test func packedDivXIsNoLoss() throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 41) + ["-c:v", "mpeg4", "-bf", "1", "-g", "20", "-qscale:v", "3", "-f", "m4v", folder.file("a.m4v")])
        let path = try folder.write(PackedDivX(stream: readBytes(folder.file("a.m4v")), width: 96, height: 64).avi, to: "packed.avi")
        let expected = try referenceFrames(path, width: 96, height: 64)
        #expect(expected.count >= 40)
        var video = try VideoFile(path: path)
        #expect(video.frameCount == expected.count)
        let frames = try video.frames(at: Array(expected.indices))
        #expect(zip(frames, expected).allSatisfy { largestDifference($0.pixels, $1) == 0 })
        #expect(video.warnings.isEmpty, "\(video.warnings)")
        let parts = try parts(path)
        #expect(parts.flatMap(\.times).count == expected.count)
        // The last picture of all has no stamp of its own; nothing is missing or damaged.
        let warnings = parts.last?.warnings ?? ["none"]
        #expect(warnings == ["1 frames have no time; each is assumed to begin 40 ms after the one before"])
    }
}

/// An AVI as DivX 5 wrote it: each B-frame in one chunk with the picture that it refers to, and a chunk that repeats
/// nothing where its own would be.
private struct PackedDivX {
    let avi: [UInt8]

    init(stream: [UInt8], width: Int, height: Int) {
        // Pictures begin with 00 00 01 B6; what stands before the first or between them are headers.
        let starts = stream.indices.dropLast(4).filter { stream[$0...].starts(with: [0, 0, 1, 0xb6]) }
        var pictures: [[UInt8]] = []
        for (index, start) in starts.enumerated() {
            let first = index == 0 ? 0 : start
            pictures.append(Array(stream[first..<(index + 1 < starts.count ? starts[index + 1] : stream.count)]))
        }
        // The kind is in the two bits behind the start code: 2 is B.
        func isB(_ index: Int) -> Bool { stream[starts[index] + 4] >> 6 == 2 }
        let signature = [0, 0, 1, 0xb2] + Array("DivX503b1393p".utf8)
        var chunks: [[UInt8]] = []
        var index = 0
        while index < pictures.count {
            var chunk = pictures[index]
            if index == 0 {
                let headers = starts[0]
                chunk = Array(chunk[..<headers]) + signature + Array(chunk[headers...])
            }
            if index + 1 < pictures.count, isB(index + 1) {
                chunks += [chunk + pictures[index + 1], [0, 0, 1, 0xb6, 0x51, 0xff, 0xff]]
                index += 2
            } else {
                chunks.append(chunk)
                index += 1
            }
        }
        avi = Self.container(chunks, width: width, height: height)
    }

    private static func number(_ value: Int, bytes: Int = 4) -> [UInt8] { (0..<bytes).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
    private static func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
        Array(name.utf8) + number(content.count) + content + (content.count % 2 == 1 ? [0] : [])
    }

    private static func container(_ chunks: [[UInt8]], width: Int, height: Int) -> [UInt8] {
        let mainHeader = [40_000, 0, 0, 0x10, chunks.count, 0, 1, 0, width, height, 0, 0, 0, 0].flatMap { number($0) }
        let streamHeader =
            Array("vidsDIVX".utf8) + [0, 0, 0, 1, 25, 0, chunks.count, 0, -1, 0].flatMap { number($0) } + [0, 0, width, height].flatMap { number($0, bytes: 2) }
        let format = [40, width, height].flatMap { number($0) } + number(1, bytes: 2) + number(24, bytes: 2) + Array("DX50".utf8)
            + [width * height * 3, 0, 0, 0, 0].flatMap { number($0) }
        let header = chunk("LIST", Array("hdrl".utf8) + chunk("avih", mainHeader)
            + chunk("LIST", Array("strl".utf8) + chunk("strh", streamHeader) + chunk("strf", format)))
        var content = Array("movi".utf8)
        var index: [UInt8] = []
        for (place, bytes) in chunks.enumerated() {
            index += Array("00dc".utf8) + number(place == 0 ? 0x10 : 0) + number(content.count) + number(bytes.count)
            content += chunk("00dc", bytes)
        }
        return chunk("RIFF", Array("AVI ".utf8) + header + chunk("LIST", content) + chunk("idx1", index))
    }
}
