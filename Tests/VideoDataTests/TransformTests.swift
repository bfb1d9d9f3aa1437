import Foundation
import Tensors
import Testing

import VideoData

/// Against OpenCV and torchvision, bit for bit (Fixtures/transforms/README.md).
@Suite struct TransformTests {
    struct Expected: Decodable {
        struct Resize: Decodable {
            var from: [Int]?
            var to: [Int]
            var sha256: String
        }
        struct Color: Decodable {
            var change: String
            var factor: Float
            var sha256: String
        }
        var resize: [Resize]
        var image: [Resize]
        var color: [Color]
        var gray: String
        var chain: String
    }

    let expected: Expected

    init() throws {
        expected = try JSONDecoder().decode(Expected.self, from: Data(try transformFixture("expected.json")))
    }

    @Test func resizesAsOpenCV() throws {
        for reference in expected.resize {
            let from = try #require(reference.from)
            let frame = pattern(width: from[0], height: from[1])
            let resized = frame.resized(to: FrameSize(width: reference.to[0], height: reference.to[1]))
            #expect(resized.digest == reference.sha256, "\(from) to \(reference.to)")
        }
        let image = try fixtureImage()
        for reference in expected.image {
            let resized = image.resized(to: FrameSize(width: reference.to[0], height: reference.to[1]))
            #expect(resized.digest == reference.sha256, "image to \(reference.to)")
        }
    }

    @Test func changesColorsAsTorchvision() throws {
        let image = try fixtureImage()
        for reference in expected.color {
            var frame = image
            frame.apply(try change(reference.change, reference.factor))
            #expect(frame.digest == reference.sha256, "\(reference.change) \(reference.factor)")
        }
        var gray = image
        gray.makeGray()
        #expect(gray.digest == expected.gray)
        var chain = image
        for step: ColorJitter.Change in [.brightness(1.25), .saturation(1.125), .contrast(0.75), .hue(0.0625)] {
            chain.apply(step)
        }
        #expect(chain.digest == expected.chain)
    }

    private func change(_ name: String, _ factor: Float) throws -> ColorJitter.Change {
        switch name {
        case "brightness": .brightness(factor)
        case "contrast": .contrast(factor)
        case "saturation": .saturation(factor)
        default: .hue(factor)
        }
    }

    @Test func testViewAgrees() throws {
        let bytes = try transformFixture("test-view.bin")
        let reference = stride(from: 0, to: bytes.count, by: 4).map { start in
            Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * UInt32($1)) })
        }
        let clips = ClipTransform.testing(side: 224)
            .clips(from: [try fixtureImage()], key: ClipKey(seed: 0, epoch: 0, clip: 0))
        #expect(clips.count == 1)
        var largest: Float = 0
        for channel in 0..<3 {
            for row in 0..<56 {
                for column in 0..<56 {
                    let value = clips[0].pixels[(channel * 224 + row * 4) * 224 + column * 4]
                    largest = max(largest, abs(value - reference[(channel * 56 + row) * 56 + column]))
                }
            }
        }
        #expect(largest < 1e-6)
    }

    @Test(arguments: [
        (1920, 1080, 256, 455, 256), (240, 320, 256, 256, 341), (256, 256, 256, 256, 256), (171, 128, 256, 342, 256),
        (340, 256, 224, 298, 224),
    ])
    func shortSideFollowsMMCV(width: Int, height: Int, shortSide: Int, newWidth: Int, newHeight: Int) {
        let size = FrameSize(width: width, height: height).scaled(toShortSide: shortSide)
        #expect(size == FrameSize(width: newWidth, height: newHeight))
    }

    @Test func shortSideKeepsTheProportionOfTheView() {
        #expect(ClipTransform.training(side: 224).shortSide == 256)
        #expect(ClipTransform.testing(side: 64).shortSide == 73)
        #expect(ClipTransform.testing(side: 336).shortSide == 384)
        #expect(ClipTransform.testing(side: 224, crops: 3).shortSide == 224)
    }

    /// Python's `int(256 / 224 * side)`, as the reference computes it.
    @Test(arguments: [
        (16, 18), (32, 36), (48, 54), (96, 109), (112, 128), (128, 146), (144, 164), (160, 182), (192, 219), (208, 237), (240, 274),
        (256, 292), (272, 310), (288, 329), (320, 365), (368, 420), (378, 432), (384, 438), (448, 512), (512, 585),
    ])
    func shortSideIsCutOffAsTheReferenceDoes(side: Int, shortSide: Int) {
        #expect(ClipTransform.training(side: side).shortSide == shortSide)
        #expect(ClipTransform.testing(side: side).shortSide == shortSide)
    }

    /// Whole, 65000 × 2 pixels at a short side of 256 would take 6 GB.
    @Test func thinFramesAreCut() {
        let frame = VideoFrame(width: 4000, height: 2, pixels: [UInt8](repeating: 9, count: 24_000))
        #expect(frame.resized(shortSide: 16).size == FrameSize(width: 512, height: 16))
    }

    @Test func threeCropsCoverTheLongSide() {
        let wide = CropBox.three(side: 4, of: FrameSize(width: 9, height: 4))
        #expect(wide.map(\.left) == [0, 4, 2] && wide.allSatisfy { $0.top == 0 })
        let tall = CropBox.three(side: 4, of: FrameSize(width: 4, height: 11))
        #expect(tall.map(\.top) == [0, 6, 3] && tall.allSatisfy { $0.left == 0 })
    }

    @Test func multiScaleCropsAreThoseOfThePaper() {
        let crop = MultiScaleCrop(scales: [1, 0.875, 0.75, 0.66], side: 224)
        let frame = FrameSize(width: 341, height: 256)
        var sizes: Set<FrameSize> = []
        for clip in 0..<2000 {
            var random = ClipKey(seed: 1, epoch: 0, clip: clip).source(.crop)
            let box = crop.box(in: frame, using: &random)
            sizes.insert(FrameSize(width: box.width, height: box.height))
            let stepX = (341 - box.width) / 4
            let stepY = (256 - box.height) / 4
            let places = [(0, 0), (4, 0), (0, 4), (4, 4), (2, 2)].map { [$0.0 * stepX, $0.1 * stepY] }
            #expect(places.contains([box.left, box.top]))
        }
        // Ten pairs of 256, 224, 192 and 168 that are at most one apart in that order.
        #expect(sizes.count == 10)
        #expect(Set(sizes.flatMap { [$0.width, $0.height] }) == [256, 224, 192, 168])
        #expect(!sizes.contains(FrameSize(width: 256, height: 192)))
    }

    @Test func sidesNearTheTargetSnapToIt() {
        let crop = MultiScaleCrop(scales: [0.875], side: 64)
        var random = ClipKey(seed: 1, epoch: 0, clip: 0).source(.crop)
        #expect(crop.box(in: FrameSize(width: 100, height: 73), using: &random).width == 64)  // ⌊73 · 0.875⌋ = 63
    }

    @Test func flippingTwiceIsNothing() {
        let frame = pattern(width: 5, height: 3)
        #expect(frame.flipped() != frame && frame.flipped().flipped() == frame)
        #expect(Array(frame.flipped().pixels[0..<3]) == Array(frame.pixels[12..<15]))
    }

    @Test func trainingWithoutChanceIsTheTestView() {
        var plain = ClipTransform.Configuration()
        plain.cropScales = []
        plain.flipProbability = 0
        plain.jitterProbability = 0
        plain.grayProbability = 0
        let frames = [pattern(width: 90, height: 70), pattern(width: 90, height: 70, shift: 50)]
        let key = ClipKey(seed: 1, epoch: 2, clip: 3)
        let trained = ClipTransform.training(side: 32, plain).clips(from: frames, key: key)
        #expect(trained == ClipTransform.testing(side: 32, plain).clips(from: frames, key: key))
    }

    @Test func shrinkingFirstChangesNothing() {
        let transform = ClipTransform.training(side: 32)
        let frames = [pattern(width: 90, height: 70)]
        let key = ClipKey(seed: 1, epoch: 2, clip: 3)
        #expect(transform.clips(from: frames.map(transform.shrunk), key: key) == transform.clips(from: frames, key: key))
    }

    @Test func augmentationFollowsItsKey() {
        let transform = ClipTransform.training(side: 32)
        let frames = [pattern(width: 90, height: 70), pattern(width: 90, height: 70)]
        func pixels(_ seed: UInt64, _ epoch: Int, _ clip: Int) -> [Float] {
            transform.clips(from: frames, key: ClipKey(seed: seed, epoch: epoch, clip: clip))[0].pixels
        }
        #expect(pixels(1, 0, 0) == pixels(1, 0, 0))
        #expect(Set([pixels(1, 0, 0), pixels(2, 0, 0), pixels(1, 1, 0), pixels(1, 0, 1)]).count == 4)
    }

    /// The decision is the clip's, the factors are each frame's; the flip is the same for all frames.
    /// Rounding to half precision is the last thing that happens to pixels, and changes nothing else.
    @Test func pixelsMayBeRounded() {
        var rounding = ClipTransform.Configuration()
        rounding.roundsToFloat16 = true
        let key = ClipKey(seed: 5, epoch: 0, clip: 1)
        let frame = pattern(width: 40, height: 30)
        for (plain, rounded) in [
            (ClipTransform.training(side: 16), ClipTransform.training(side: 16, rounding)),
            (.testing(side: 16), .testing(side: 16, rounding)),
        ] {
            let pixels = plain.clips(from: [frame], key: key)[0].pixels
            #expect(rounded.clips(from: [frame], key: key)[0].pixels == pixels.map { Float(Float16($0)) })
            #expect(pixels.contains { Float(Float16($0)) != $0 })
        }
    }

    @Test func jitterIsDecidedPerClipAndDrawnPerFrame() {
        var configuration = ClipTransform.Configuration()
        configuration.cropScales = []
        configuration.grayProbability = 0
        let transform = ClipTransform.training(side: 16, configuration)
        let frame = pattern(width: 40, height: 30)
        var jittered = 0
        for clip in 0..<400 {
            let key = ClipKey(seed: 5, epoch: 0, clip: clip)
            let pixels = transform.clips(from: [frame, frame], key: key)[0].pixels
            if pixels[..<768] != pixels[768...] { jittered += 1 }
        }
        #expect((290...350).contains(jittered))  // 320 ± 8 expected
    }

    @Test func flipComesHalfTheTimeAndCanBeOff() {
        var configuration = ClipTransform.Configuration()
        configuration.cropScales = []
        configuration.grayProbability = 0
        configuration.jitterProbability = 0
        let frame = pattern(width: 40, height: 30)
        func flips(_ configuration: ClipTransform.Configuration) -> Int {
            let plain = ClipTransform.testing(side: 16).clips(from: [frame], key: ClipKey(seed: 0, epoch: 0, clip: 0))
            return (0..<400).count { clip in
                let key = ClipKey(seed: 5, epoch: 0, clip: clip)
                return ClipTransform.training(side: 16, configuration).clips(from: [frame], key: key) != plain
            }
        }
        #expect((160...240).contains(flips(configuration)))
        configuration.flipProbability = 0
        #expect(flips(configuration) == 0)
    }

    @Test func jitterOfNoStrengthDrawsNothing() {
        var random = ClipKey(seed: 0, epoch: 0, clip: 0).source(.color)
        #expect(ColorJitter(brightness: 0, contrast: 0, saturation: 0, hue: 0).changes(using: &random).isEmpty)
        let changes = ColorJitter(brightness: 0.4, contrast: 0.4, saturation: 0.2, hue: 0.1).changes(using: &random)
        #expect(changes.count == 4)
    }
}
