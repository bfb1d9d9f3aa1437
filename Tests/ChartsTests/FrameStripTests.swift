import Charts
import Files
import Foundation
import TestSupport
import Testing

@Suite struct FrameStripTests {
    private func strip(frames: Int, rows: Int, width: Int = 40, height: Int = 30) -> FrameStrip {
        func picture(_ level: Int) -> Picture {
            Picture(width: width, height: height, pixels: [UInt8](repeating: UInt8(level % 256), count: width * height * 3))
        }
        return FrameStrip(
            title: "video.mp4", columnTitles: (0..<frames).map { "frame \($0)" },
            rows: (0..<rows).map { row in FrameStrip.Row("row \(row)", (0..<frames).map { picture(40 * row + $0) }) },
            scale: FrameStrip.Scale(colors: [Color(0, 0, 1), Color(1, 0, 0)], low: "least", high: "largest", note: "a note"))
    }

    private func size(_ png: [UInt8]) -> (width: Int, height: Int) {
        func number(_ offset: Int) -> Int { png[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) } }
        return (number(16), number(20))
    }

    @Test func isDrawnTheSameEachTime() throws {
        let strip = strip(frames: 8, rows: 3)
        let png = try strip.png()
        #expect(png.starts(with: [0x89, 0x50, 0x4E, 0x47]))
        #expect(try strip.png() == png)
    }

    /// Sixteen frames stand in a row, the others below them.
    @Test func manyFramesGoOnBelow() throws {
        let (sixteen, more) = (try size(strip(frames: 16, rows: 2).png()), try size(strip(frames: 17, rows: 2).png()))
        #expect(more.width == sixteen.width && more.height > sixteen.height * 3 / 2)
        // A tile is as many picture elements large as is said: larger pictures would be wasted.
        #expect(FrameStrip.tilePixels(frameCount: 16) == 176 && FrameStrip.tilePixels(frameCount: 1) == 336)
        #expect(sixteen.width == 2 * 14 * 2 + 16 * 176 + 15 * 6)
    }

    /// Pictures keep their colors: decoded by another program.
    @Test func picturesKeepTheirColors() throws {
        let folder = try TemporaryDirectory()
        let red = Picture(width: 2, height: 2, pixels: [UInt8](repeating: 0, count: 12).enumerated().map { $0.offset % 3 == 0 ? 250 : $0.offset % 3 == 1 ? 20 : 90 })
        try FrameStrip(title: "", columnTitles: [""], rows: [FrameStrip.Row("", [red])]).write(to: folder.path("strip.png"))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["ffmpeg", "-v", "error", "-i", folder.path("strip.png"), "-f", "rawvideo", "-pix_fmt", "rgb24", folder.path("strip.raw")]
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        let pixels = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.path("strip.raw"))))
        let count = stride(from: 0, to: pixels.count, by: 3).count { Array(pixels[$0..<$0 + 3]) == [250, 20, 90] }
        #expect(count == 336 * 336)
    }

    @Test func oddStripsAreDrawnToo() throws {
        #expect(try !FrameStrip(title: "", columnTitles: [], rows: []).png().isEmpty)
        #expect(try !strip(frames: 1, rows: 1, width: 1, height: 500).png().isEmpty)
        #expect(try !strip(frames: 40, rows: 1, width: 500, height: 1).png().isEmpty)
        #expect(throws: ChartError.self) { try strip(frames: 3, rows: 200).png() }
        #expect(throws: ChartError.self) { try strip(frames: 1, rows: 1).write(to: "/nowhere/at/all.png") }
    }

    @Test func bannersShowTheFirstTextThatFits() throws {
        func banner(_ texts: String...) throws -> Picture { try bannerPicture(texts, width: 80, height: 20) }
        #expect(try banner("far too long for eighty picture elements", "short") == banner("short"))
        #expect(try banner("short", "1") == banner("short") && banner("short") != banner("1"))
        let long = try banner("far too long for eighty picture elements")
        #expect(long.width == 80 && long.height == 20 && long.pixels.contains { $0 < 128 })
    }
}
