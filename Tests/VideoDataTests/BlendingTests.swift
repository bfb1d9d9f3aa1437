import Tensors
import Testing

import VideoData

@Suite struct BlendingTests {
    /// Clips of 2 frames of 8 × 8, each filled with its number.
    private func clips(_ count: Int) -> [PreparedClip] {
        (0..<count).map {
            PreparedClip(pixels: [Float](repeating: Float($0), count: 2 * 3 * 64), frameCount: 2, side: 8)
        }
    }

    @Test func targetsAreSmoothed() {
        let targets = Blending().targets(labels: [1, 0], classCount: 4)
        #expect(targets == [0.025, 0.925, 0.025, 0.025, 0.925, 0.025, 0.025, 0.025])
        #expect(Blending.off.targets(labels: [2], classCount: 3) == [0, 0, 1])
    }

    @Test func offLeavesClipsAlone() {
        var batch = clips(3)
        let targets = Blending.off.blend(&batch, labels: [0, 1, 2], classCount: 3, seed: 1, epoch: 0, step: 0)
        #expect(batch == clips(3))
        #expect(targets == [1, 0, 0, 0, 1, 0, 0, 0, 1])
    }

    /// The share of each clip's own pixels equals the share of its own label.
    @Test func pixelsAndTargetsAreMixedAlike() throws {
        var blending = Blending()
        blending.labelSmoothing = 0
        var kinds: Set<Bool> = []
        for step in 0..<60 {
            var batch = clips(4)
            let targets = blending.blend(&batch, labels: [0, 1, 2, 3], classCount: 4, seed: 7, epoch: 1, step: step)
            for (index, clip) in batch.enumerated() {
                let row = Array(targets[index * 4..<index * 4 + 4])
                #expect(abs(row.reduce(0, +) - 1) < 1e-5)
                let mean = clip.pixels.reduce(0, +) / Float(clip.pixels.count)
                let label = row.enumerated().reduce(0) { $0 + Float($1.offset) * $1.element }
                #expect(abs(mean - label) < 1e-4)
                if Set(clip.pixels).count > 1 { kinds.insert(true) }
                if Set(clip.pixels).count == 1 && row.max() != 1 { kinds.insert(false) }
                // Every frame and channel has the same box.
                let planes = stride(from: 0, to: clip.pixels.count, by: 64).map { Array(clip.pixels[$0..<$0 + 64]) }
                #expect(Set(planes).count == 1)
            }
        }
        #expect(kinds == [true, false])  // both CutMix and MixUp came up
    }

    /// methods 1.3: sides ⌊S·√(1 − λ)⌋, halved with rounding down, clipped at the border.
    @Test(arguments: [
        (0.75, 112, 112, CropBox(left: 56, top: 56, width: 112, height: 112)),
        (0.75, 0, 223, CropBox(left: 0, top: 167, width: 56, height: 57)),
        (0.0, 112, 112, CropBox(left: 0, top: 0, width: 224, height: 224)),
        // ⌊224·√0.5⌋ = 158: halves of 79.
        (0.5, 100, 100, CropBox(left: 21, top: 21, width: 158, height: 158)),
        // ⌊224·√0.3⌋ = 122, ⌊224·√0.31⌋ = 124, ⌊224·√0.305⌋ = 123: the odd one loses a pixel.
        (0.695, 100, 100, CropBox(left: 39, top: 39, width: 122, height: 122)),
    ])
    func cutBox(share: Double, centerX: Int, centerY: Int, box: CropBox) {
        #expect(Blending.cutBox(side: 224, share: share, centerX: centerX, centerY: centerY) == box)
    }

    @Test func nothingIsCutAtFullShare() {
        #expect(Blending.cutBox(side: 224, share: 1, centerX: 5, centerY: 5) == nil)
    }

    @Test func blendingFollowsItsKey() {
        func pixels(_ seed: UInt64, _ epoch: Int, _ step: Int) -> [[Float]] {
            var batch = clips(4)
            _ = Blending().blend(&batch, labels: [0, 1, 2, 3], classCount: 4, seed: seed, epoch: epoch, step: step)
            return batch.map(\.pixels)
        }
        #expect(pixels(1, 0, 0) == pixels(1, 0, 0))
        #expect(Set([pixels(1, 0, 0), pixels(2, 0, 0), pixels(1, 1, 0), pixels(1, 0, 1)]).count == 4)
    }

    @Test func aLoneClipKeepsItsTarget() {
        var batch = clips(1)
        let targets = Blending().blend(&batch, labels: [1], classCount: 2, seed: 1, epoch: 0, step: 3)
        #expect(batch == clips(1))
        #expect(targets == Blending().targets(labels: [1], classCount: 2))
    }
}
