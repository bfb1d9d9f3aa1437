import Testing
import VideoData

@Suite struct CropGeometryTests {
    /// 224 of 256: the middle 7/8 of the shorter side.
    @Test func regionIsTheMiddle() {
        let transform = ClipTransform.testing(side: 224)
        let square = transform.seenRegion(of: FrameSize(width: 512, height: 512))
        #expect(square == PictureRegion(left: 32, top: 32, width: 448, height: 448))
        let wide = transform.seenRegion(of: FrameSize(width: 1024, height: 512))
        #expect(wide == PictureRegion(left: 288, top: 32, width: 448, height: 448))
        #expect(wide.scaled(x: 0.5, y: 0.25) == PictureRegion(left: 144, top: 8, width: 224, height: 112))
    }

    /// A mark at the region's edge is the first that the model sees.
    @Test(arguments: [(320, 240), (240, 320), (1280, 720), (80, 80), (20, 2000), (33, 57)])
    func regionHoldsWhatTheModelSees(width: Int, height: Int) {
        let transform = ClipTransform.testing(side: 64)
        let region = transform.seenRegion(of: FrameSize(width: width, height: height))
        #expect(region.left >= 0 && region.top >= 0)
        #expect(region.left + region.width <= Double(width) + 1e-9 && region.top + region.height <= Double(height) + 1e-9)
        // Each pixel holds its own place: the model's first and last pixels must tell the region's.
        func place(_ value: Int, _ count: Int) -> UInt8 { UInt8(min(255, value * 255 / max(1, count - 1))) }
        var pixels: [UInt8] = []
        for row in 0..<height { for column in 0..<width { pixels += [place(column, width), place(row, height), 0] } }
        let clip = transform.clips(
            from: [VideoFrame(width: width, height: height, pixels: pixels)], key: ClipKey(seed: 1, epoch: 0, clip: 0))[0]
        let normalization = Normalization.imageNet
        func seen(_ channel: Int, _ index: Int) -> Double {
            Double(clip.pixels[channel * 64 * 64 + index] * normalization.deviation[channel] + normalization.mean[channel]) / 255
        }
        let pixel = (x: region.width / 64, y: region.height / 64)
        let across = [region.left + pixel.x / 2, region.left + region.width - pixel.x / 2].map { ($0 - 0.5) / Double(width - 1) }
        let down = [region.top + pixel.y / 2, region.top + region.height - pixel.y / 2].map { ($0 - 0.5) / Double(height - 1) }
        #expect(abs(seen(0, 0) - min(max(across[0], 0), 1)) < 0.012 && abs(seen(0, 63) - min(max(across[1], 0), 1)) < 0.012)
        #expect(abs(seen(1, 0) - min(max(down[0], 0), 1)) < 0.012 && abs(seen(1, 63 * 64) - min(max(down[1], 0), 1)) < 0.012)
    }
}
