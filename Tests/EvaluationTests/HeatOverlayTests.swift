import Evaluation
import Foundation
import TestSupport
import Testing
import VideoData

/// Maps on pictures against OpenCV and PyTorch (Tests/Fixtures/scripts/make_overlay.py).
@Suite struct HeatOverlayTests {
    private struct Fixture: Decodable {
        let jet: [Int]
        let side: Int
        let grid: Int
        let image: [UInt8]
        let relevance: [Float]
        let mask: [Float]
        let overlay: [Int]

        static func read() throws -> Fixture {
            try JSONDecoder().decode(Fixture.self, from: Data(contentsOf: URL(fileURLWithPath: fixturePath("overlay.json"))))
        }
    }

    @Test func jetIsOpenCVs() throws {
        let expected = try Fixture.read().jet
        for level in 0..<256 {
            let color = jet((Float(level) + 0.01) / 255)
            for channel in 0..<3 { #expect(abs(Int((255 * color[channel]).rounded()) - expected[3 * level + channel]) <= 1, "level \(level)") }
        }
        #expect(jet(-1) == jet(0) && jet(2) == jet(1))
    }

    @Test func mapsAreThoseOfTheNotebook() throws {
        let fixture = try Fixture.read()
        let overlay = HeatOverlay(map: fixture.relevance, gridSide: fixture.grid, side: fixture.side)
        var values: [Float] = []
        for row in 0..<fixture.side {
            for column in 0..<fixture.side {
                values.append(
                    overlay.value(x: (Double(column) + 0.5) / Double(fixture.side), y: (Double(row) + 0.5) / Double(fixture.side)))
            }
        }
        expectClose(values, fixture.mask, tolerance: 1e-5, "mask")
        let frame = VideoFrame(width: fixture.side, height: fixture.side, pixels: fixture.image)
        let drawn = overlay.drawn(
            on: frame, region: PictureRegion(left: 0, top: 0, width: Double(fixture.side), height: Double(fixture.side)), contour: false)
        // A rounding may choose the neighboring of 256 colors.
        let differences = zip(drawn.pixels, fixture.overlay).map { abs(Int($0) - $1) }
        #expect(differences.max() ?? 255 <= 3 && differences.count { $0 > 1 } <= 12, "\(differences.max() ?? 0)")
    }

    /// Outside the region the picture is gray and dark, inside it is not; the line runs where the map crosses one half.
    @Test func whatIsNotSeenIsGray() {
        let pixels = [UInt8](repeating: 0, count: 2400).indices.map { [UInt8(200), 100, 50][$0 % 3] }
        let frame = VideoFrame(width: 40, height: 20, pixels: pixels)
        let overlay = HeatOverlay(map: [0, 1, 0, 1], gridSide: 2, side: 20)
        let region = PictureRegion(left: 10, top: 0, width: 20, height: 20)
        func pixel(_ frame: VideoFrame, _ row: Int, _ column: Int) -> [UInt8] {
            let start = (row * 40 + column) * 3
            return Array(frame.pixels[start..<start + 3])
        }
        let drawn = overlay.drawn(on: frame, region: region, contour: true)
        // (0.299 · 200 + 0.587 · 100 + 0.114 · 50) / 2
        let gray: UInt8 = 62
        let (black, white): ([UInt8], [UInt8]) = ([0, 0, 0], [255, 255, 255])
        for row in [0, 10, 19] {
            for column in [0, 9, 30, 39] { #expect(pixel(drawn, row, column) == [gray, gray, gray]) }
            #expect(pixel(drawn, row, 10) != [gray, gray, gray] && pixel(drawn, row, 29) != [gray, gray, gray])
            #expect(pixel(drawn, row, 18) == black)
            #expect(pixel(drawn, row, 19) == black)
            #expect(pixel(drawn, row, 20) == white)
        }
        #expect(overlay.drawn(on: frame, region: region, contour: false) != drawn)
    }

    @Test(arguments: [[Float](repeating: 3, count: 4), [.nan, 1, 2, 3], [0, 0, 0, .infinity]])
    func flatAndBrokenMapsAreDrawn(map: [Float]) {
        let overlay = HeatOverlay(map: map, gridSide: 2, side: 8)
        #expect(overlay.value(x: 0.5, y: 0.5) == 0 || map.contains(where: \.isNaN))
        let frame = VideoFrame(width: 5, height: 7, pixels: [UInt8](repeating: 9, count: 105))
        _ = overlay.drawn(on: frame, region: PictureRegion(left: -3, top: 2.5, width: 20, height: 1.2), contour: true)
    }

    @Test func mapsBlend() {
        let (one, two) = (HeatOverlay(map: [0, 1, 0, 1], gridSide: 2, side: 20), HeatOverlay(map: [1, 0, 1, 0], gridSide: 2, side: 20))
        #expect(abs(one.mixed(with: two, 0.5).value(x: 0.1, y: 0.5) - 0.5) < 1e-6)
        #expect(one.mixed(with: two, 0).value(x: 0.9, y: 0.5) == one.value(x: 0.9, y: 0.5))
    }
}
