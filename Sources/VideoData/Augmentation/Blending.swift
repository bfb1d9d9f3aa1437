import CKernels
import Glibc
import Tensors

/// MixUp and CutMix on a micro-batch, and the soft targets that go with them.
///
/// Source: the paper's `datasets/blending.py` (methods 1.3); Zhang et al. 2018, Yun et al. 2019.
package struct Blending: Sendable, Equatable {
    /// ε: the share of each target that is spread over all classes.
    package var labelSmoothing: Double = 0.1
    /// False leaves clips as they are and smooths the targets only.
    package var isMixing = true
    /// Chance of CutMix instead of MixUp.
    package var cutMixProbability: Float = 0.5
    /// λ ~ Beta(α, α).
    package var mixUpAlpha = 0.8
    package var cutMixAlpha = 1.0

    package init() {}

    /// No mixing, no smoothing: one-hot targets.
    package static var off: Blending {
        var blending = Blending()
        blending.isMixing = false
        blending.labelSmoothing = 0
        return blending
    }

    /// `[labels.count, classCount]`: 1 − ε + ε/C at the label, ε/C elsewhere.
    ///
    /// - Precondition: labels in `0 ..< classCount`.
    package func targets(labels: [Int], classCount: Int) -> [Float] {
        let spread = labelSmoothing / Double(classCount)
        var targets = [Float](repeating: Float(spread), count: labels.count * classCount)
        for (clip, label) in labels.enumerated() {
            precondition(label >= 0 && label < classCount, "label outside the class list")
            targets[clip * classCount + label] = Float(1 - labelSmoothing + spread)
        }
        return targets
    }

    /// Who is blended with whom in a micro-batch, and how: drawn before any video is read.
    package struct Draw: Sendable, Equatable {
        /// Of each clip; may be itself.
        package let partners: [Int]
        /// What CutMix replaces; nil for MixUp, and where nothing is left of the box.
        let box: CropBox?
        let isCutMix: Bool
        /// λ: the clip's own share of its target.
        let share: Float

        /// The clips that blending some of the micro-batch needs, in order.
        package func needed(for clips: Range<Int>) -> [Int] { Set(clips.map { partners[$0] } + clips).sorted() }
    }

    /// One draw of λ and one box for all clips of a micro-batch.
    ///
    /// - Parameters:
    ///   - side: of the clips, in pixels.
    ///   - step: number of the micro-batch in its epoch; with `seed` and `epoch` it names the random stream.
    package func draw(clipCount: Int, side: Int, seed: UInt64, epoch: Int, step: Int) -> Draw {
        guard isMixing, clipCount > 0 else { return Draw(partners: Array(0..<clipCount), box: nil, isCutMix: false, share: 1) }
        var random = RandomSource(seed: seed, purpose: .blend, epoch: epoch, item: step)
        let isCutMix = random.uniform() < cutMixProbability
        let alpha = isCutMix ? cutMixAlpha : mixUpAlpha
        let share = random.beta(alpha, alpha)
        let partners = random.permutation(of: clipCount)
        guard isCutMix else { return Draw(partners: partners, box: nil, isCutMix: false, share: Float(share)) }
        let box = Self.cutBox(side: side, share: share, centerX: random.integer(below: side), centerY: random.integer(below: side))
        // The box was clipped at the border: the share is what is really left.
        return Draw(
            partners: partners, box: box, isCutMix: true,
            share: Float(1 - Double(box.map { $0.width * $0.height } ?? 0) / Double(side * side)))
    }

    /// Blends each clip of a micro-batch with its partner.
    ///
    /// - Parameters:
    ///   - clips: of one shape; changed in place.
    ///   - step: as for `draw`.
    /// - Returns: the soft targets `[clips, classCount]`.
    package func blend(
        _ clips: inout [PreparedClip], labels: [Int], classCount: Int, seed: UInt64, epoch: Int, step: Int
    ) -> [Float] {
        precondition(clips.count == labels.count, "a label for each clip")
        guard let side = clips.first?.side else { return [] }
        let draw = draw(clipCount: clips.count, side: side, seed: seed, epoch: epoch, step: step)
        let originals = clips
        var targets: [Float] = []
        for (index, partner) in draw.partners.enumerated() {
            targets += target(
                labels[index], partner: partner == index ? nil : (originals[partner], labels[partner]), draw: draw,
                classCount: classCount, clip: &clips[index])
        }
        return targets
    }

    /// Blends one clip.
    ///
    /// - Parameter partner: nil where it is the clip itself.
    /// - Returns: its soft target `[classCount]`.
    package func target(
        _ label: Int, partner: (clip: PreparedClip, label: Int)?, draw: Draw, classCount: Int, clip: inout PreparedClip
    ) -> [Float] {
        let target = targets(labels: [label], classCount: classCount)
        guard let partner else { return target }
        if let box = draw.box {
            Self.paste(box, of: partner.clip, into: &clip)
        } else if !draw.isCutMix {
            Self.mix(&clip, with: partner.clip, share: draw.share)
        }
        return zip(target, targets(labels: [partner.label], classCount: classCount))
            .map { draw.share * $0 + (1 - draw.share) * $1 }
    }

    /// The box that CutMix replaces: sides ⌊S·√(1 − λ)⌋, halved with rounding down either side of the
    /// center (an odd side loses a pixel), clipped to the frame. Nil where nothing is left.
    package static func cutBox(side: Int, share: Double, centerX: Int, centerY: Int) -> CropBox? {
        let half = Int(Double(side) * (1 - share).squareRoot()) / 2
        let left = max(centerX - half, 0)
        let top = max(centerY - half, 0)
        let width = min(centerX + half, side) - left
        let height = min(centerY + half, side) - top
        return width > 0 && height > 0 ? CropBox(left: left, top: top, width: width, height: height) : nil
    }

    private static func paste(_ box: CropBox, of partner: PreparedClip, into clip: inout PreparedClip) {
        let side = clip.side
        for plane in 0..<clip.frameCount * 3 {
            for row in box.top..<box.top + box.height {
                let start = (plane * side + row) * side + box.left
                let range = start..<start + box.width
                clip.pixels[range] = partner.pixels[range]
            }
        }
    }

    private static func mix(_ clip: inout PreparedClip, with partner: PreparedClip, share: Float) {
        let count = partner.pixels.count
        precondition(clip.pixels.count == count, "clips of one shape")
        unsafe clip.pixels.withUnsafeMutableBufferPointer { values in
            unsafe vifi_mix(values.baseAddress, partner.pixels, share, count)
        }
    }
}
