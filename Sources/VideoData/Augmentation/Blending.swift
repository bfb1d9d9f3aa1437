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

    /// Blends each clip with a partner drawn from the same micro-batch; one draw of λ and one box for all.
    ///
    /// - Parameters:
    ///   - clips: of one shape; changed in place.
    ///   - step: number of the micro-batch in its epoch; with `seed` and `epoch` it names the random stream.
    /// - Returns: the soft targets `[clips, classCount]`.
    package func blend(
        _ clips: inout [PreparedClip], labels: [Int], classCount: Int, seed: UInt64, epoch: Int, step: Int
    ) -> [Float] {
        precondition(clips.count == labels.count, "a label for each clip")
        var targets = targets(labels: labels, classCount: classCount)
        guard isMixing, let side = clips.first?.side else { return targets }

        var random = RandomSource(seed: seed, purpose: .blend, epoch: epoch, item: step)
        let isCutMix = random.uniform() < cutMixProbability
        let alpha = isCutMix ? cutMixAlpha : mixUpAlpha
        var share = random.beta(alpha, alpha)
        let partners = random.permutation(of: clips.count)
        if isCutMix {
            let box = Self.cutBox(
                side: side, share: share, centreX: random.integer(below: side), centreY: random.integer(below: side))
            if let box { Self.paste(box, of: partners, into: &clips) }
            // The box was clipped at the border: the share is what is really left.
            share = 1 - Double(box.map { $0.width * $0.height } ?? 0) / Double(side * side)
        } else {
            Self.mix(&clips, partners: partners, share: Float(share))
        }
        Self.mixRows(&targets, partners: partners, share: Float(share), rowLength: classCount)
        return targets
    }

    /// The box that CutMix replaces: sides ⌊S·√(1 − λ)⌋, halved with rounding down either side of the
    /// centre (an odd side loses a pixel), clipped to the frame. Nil where nothing is left.
    package static func cutBox(side: Int, share: Double, centreX: Int, centreY: Int) -> CropBox? {
        let half = Int(Double(side) * (1 - share).squareRoot()) / 2
        let left = max(centreX - half, 0)
        let top = max(centreY - half, 0)
        let width = min(centreX + half, side) - left
        let height = min(centreY + half, side) - top
        return width > 0 && height > 0 ? CropBox(left: left, top: top, width: width, height: height) : nil
    }

    private static func paste(_ box: CropBox, of partners: [Int], into clips: inout [PreparedClip]) {
        let originals = clips
        for (index, partner) in partners.enumerated() where partner != index {
            let side = clips[index].side
            for plane in 0..<clips[index].frameCount * 3 {
                for row in box.top..<box.top + box.height {
                    let start = (plane * side + row) * side + box.left
                    let range = start..<start + box.width
                    clips[index].pixels[range] = originals[partner].pixels[range]
                }
            }
        }
    }

    private static func mix(_ clips: inout [PreparedClip], partners: [Int], share: Float) {
        let originals = clips
        for (index, partner) in partners.enumerated() where partner != index {
            let count = originals[partner].pixels.count
            precondition(clips[index].pixels.count == count, "clips of one shape")
            unsafe clips[index].pixels.withUnsafeMutableBufferPointer { values in
                unsafe vifi_mix(values.baseAddress, originals[partner].pixels, share, count)
            }
        }
    }

    private static func mixRows(_ rows: inout [Float], partners: [Int], share: Float, rowLength: Int) {
        let originals = rows
        for (index, partner) in partners.enumerated() where partner != index {
            for column in 0..<rowLength {
                rows[index * rowLength + column] =
                    share * originals[index * rowLength + column] + (1 - share) * originals[partner * rowLength + column]
            }
        }
    }
}
