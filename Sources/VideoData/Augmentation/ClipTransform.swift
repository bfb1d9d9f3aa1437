import CKernels
import Tensors

/// What the model is fed: one view of one video.
package struct PreparedClip: Sendable, Equatable {
    /// `[frameCount, 3, side, side]`, RGB planes, normalized.
    package var pixels: [Float]
    package let frameCount: Int
    package let side: Int

    package init(pixels: [Float], frameCount: Int, side: Int) {
        precondition(pixels.count == frameCount * 3 * side * side, "pixels do not fill the clip")
        self.pixels = pixels
        self.frameCount = frameCount
        self.side = side
    }
}

/// Names the random streams of one clip, so that its augmentation depends on nothing else.
package struct ClipKey: Sendable, Hashable {
    package var seed: UInt64
    package var epoch: Int
    /// Index of the clip in its dataset.
    package var clip: Int

    package init(seed: UInt64, epoch: Int, clip: Int) {
        self.seed = seed
        self.epoch = epoch
        self.clip = clip
    }

    package func source(_ purpose: RandomPurpose) -> RandomSource {
        RandomSource(seed: seed, purpose: purpose, epoch: epoch, item: clip)
    }
}

/// Per-channel mean and deviation of pixel values in `0 ... 255`, RGB.
package struct Normalization: Sendable, Equatable {
    package var mean: [Float]
    package var deviation: [Float]

    package init(mean: [Float], deviation: [Float]) {
        precondition(mean.count == 3 && deviation.count == 3 && deviation.allSatisfy { $0 > 0 }, "three channels")
        self.mean = mean
        self.deviation = deviation
    }

    /// The ImageNet statistics. The paper's code feeds CLIP with these, not with CLIP's own.
    package static let imageNet = Normalization(mean: [123.675, 116.28, 103.53], deviation: [58.395, 57.12, 57.375])
    /// The statistics that CLIP was trained with: openai/CLIP's `_transform`, times 255.
    package static let clip = Normalization(
        mean: [0.48145466, 0.4578275, 0.40821073].map { Float($0 * 255.0) },
        deviation: [0.26862954, 0.26130258, 0.27577711].map { Float($0 * 255.0) })
    /// From −1 to 1.
    package static let centered = Normalization(mean: [127.5, 127.5, 127.5], deviation: [127.5, 127.5, 127.5])
}

/// Frames of a video to the clip that the model sees.
package struct ClipTransform: Sendable, Equatable {
    /// What training does to a clip; the defaults are the paper's (methods 1.6).
    package struct Configuration: Sendable, Equatable {
        /// Shares of the shorter side to crop at; none crops the center.
        package var cropScales: [Double] = [1, 0.875, 0.75, 0.66]
        /// Chance that the whole clip is mirrored. Zero for classes that tell left from right.
        package var flipProbability: Float = 0.5
        /// Chance that the colors of a clip are changed, each of its frames in its own way.
        package var jitterProbability: Float = 0.8
        package var jitter = ColorJitter(brightness: 0.4, contrast: 0.4, saturation: 0.2, hue: 0.1)
        /// Chance that the whole clip loses its colors.
        package var grayProbability: Float = 0.2
        package var normalization = Normalization.imageNet
        /// Rounds normalized pixels to float16, as the paper's code feeds them (methods 1.1).
        package var roundsToFloat16 = false

        package init() {}
    }

    package enum Stage: Sendable, Equatable {
        /// One random view.
        case training
        /// 1: the center. 3: first, last and middle along the longer side.
        case testing(cropCount: Int)
    }

    /// Side of the model's input, in pixels.
    package let side: Int
    package let stage: Stage
    package let configuration: Configuration

    package static func training(side: Int, _ configuration: Configuration = Configuration()) -> ClipTransform {
        ClipTransform(side: side, stage: .training, configuration: configuration)
    }

    /// - Parameter crops: 1 or 3.
    package static func testing(
        side: Int, crops: Int = 1, _ configuration: Configuration = Configuration()
    ) -> ClipTransform {
        precondition(crops == 1 || crops == 3, "one crop or three")
        return ClipTransform(side: side, stage: .testing(cropCount: crops), configuration: configuration)
    }

    private init(side: Int, stage: Stage, configuration: Configuration) {
        precondition(side >= 1, "a view has at least one pixel")
        self.side = side
        self.stage = stage
        self.configuration = configuration
    }

    /// Clips made of one list of frames.
    package var cropCount: Int {
        switch stage {
        case .training: 1
        case .testing(let count): count
        }
    }

    /// The shorter side that frames are resized to first: 256 for a view of 224, in that proportion for
    /// others; the view itself where three crops cover the frame.
    ///
    /// Cut off, not rounded, and computed in this order, as the reference does it: `int(256 / 224 * INPUT_SIZE)`
    /// (ViFi-CLIP `datasets/build.py`).
    package var shortSide: Int {
        cropCount == 3 ? side : Int(256.0 / 224.0 * Double(side))
    }

    /// The first step, the same in every epoch: what a cache may keep.
    package func shrunk(_ frame: VideoFrame) -> VideoFrame {
        frame.resized(shortSide: shortSide)
    }

    /// - Parameters:
    ///   - frames: as decoded or already `shrunk`; all of one size, at least one.
    ///   - key: names the random streams; unused in testing.
    /// - Returns: `cropCount` clips.
    package func clips(from frames: [VideoFrame], key: ClipKey) -> [PreparedClip] {
        precondition(!frames.isEmpty, "a clip has at least one frame")
        let frames = frames.map(shrunk)
        switch stage {
        case .training:
            return [normalized(augmented(frames, key: key))]
        case .testing(let count):
            let size = frames[0].size
            let boxes = count == 3 ? CropBox.three(side: side, of: size) : [CropBox.center(side: side, of: size)]
            return boxes.map { box in normalized(frames.map { $0.cropped(to: box) }) }
        }
    }

    private func augmented(_ frames: [VideoFrame], key: ClipKey) -> [VideoFrame] {
        var cropping = key.source(.crop)
        let size = frames[0].size
        let box =
            configuration.cropScales.isEmpty
            ? CropBox.center(side: side, of: size)
            : MultiScaleCrop(scales: configuration.cropScales, side: side).box(in: size, using: &cropping)
        let resize = BilinearResize(
            from: FrameSize(width: box.width, height: box.height), to: FrameSize(width: side, height: side))

        var flipping = key.source(.flip)
        let isFlipped = flipping.uniform() < configuration.flipProbability
        var coloring = key.source(.color)
        let isJittered = coloring.uniform() < configuration.jitterProbability
        var graying = key.source(.gray)
        let isGray = graying.uniform() < configuration.grayProbability

        return frames.map { frame in
            var frame = resize(frame.cropped(to: box))
            if isFlipped { frame = frame.flipped() }
            if isJittered {
                for change in configuration.jitter.changes(using: &coloring) { frame.apply(change) }
            }
            if isGray { frame.makeGray() }
            return frame
        }
    }

    private func normalized(_ frames: [VideoFrame]) -> PreparedClip {
        let count = side * side
        let mean = configuration.normalization.mean
        let inverse = configuration.normalization.deviation.map { Float(1 / Double($0)) }
        let pixels = unsafe [Float](unsafeUninitializedCapacity: frames.count * 3 * count) { buffer, filled in
            if let base = buffer.baseAddress {
                for (index, frame) in frames.enumerated() {
                    unsafe vifi_normalize(frame.pixels, mean, inverse, base + index * 3 * count, count)
                }
            }
            filled = frames.count * 3 * count
        }
        if configuration.roundsToFloat16 {
            return PreparedClip(pixels: pixels.map { Float(Float16($0)) }, frameCount: frames.count, side: side)
        }
        return PreparedClip(pixels: pixels, frameCount: frames.count, side: side)
    }
}
