import Tensors

/// Chooses which frames of a video the model sees.
///
/// A video of n frames is cut into `sampleCount` (k) segments. Training takes a random frame of each,
/// testing the middle one. Videos shorter than k repeat frames.
///
/// Source: mmaction's SampleFrames with clips of one frame, as the paper's code uses it (methods 1.6), but
/// for two faults of its training half, which `missesTail` and `wrapsShortVideos` bring back.
package struct FrameSampler: Sendable, Equatable {
    /// k, the frames given to the model. At least 1.
    package let sampleCount: Int
    /// Training segments are all ⌊n/k⌋ long, so the last n mod k frames of a video are never seen.
    package var missesTail = false
    /// In videos shorter than k, training frames that round up to n become frame 0.
    package var wrapsShortVideos = false

    package init(sampleCount: Int) {
        precondition(sampleCount >= 1, "a clip has at least one frame")
        self.sampleCount = sampleCount
    }

    /// One frame from each segment, by chance.
    ///
    /// Segment i is ⌊i·n/k⌋ up to ⌊(i+1)·n/k⌋; a video shorter than k repeats frames evenly, as in testing.
    ///
    /// With `missesTail` and a = ⌊n/k⌋ > 0 frame i is i·a + U{0 … a−1}. With `wrapsShortVideos` a shorter video's
    /// frame i is i·n/k rounded half to even, modulo n.
    ///
    /// - Parameter frameCount: n, at least 1.
    package func trainingIndices(frameCount: Int, using random: inout RandomSource) -> [Int] {
        trainingIndices(frameCount: frameCount) { random.integer(below: $0) }
    }

    /// The same with the caller's draws; `draw(bound)` answers in `0 ..< bound`.
    package func trainingIndices(frameCount: Int, draw: (Int) -> Int) -> [Int] {
        precondition(frameCount >= 1, "a video has at least one frame")
        guard frameCount >= sampleCount else {
            guard wrapsShortVideos else { return testIndices(frameCount: frameCount) }
            let step = Double(frameCount) / Double(sampleCount)
            return (0..<sampleCount).map { Int((Double($0) * step).rounded(.toNearestOrEven)) % frameCount }
        }
        let covered = missesTail ? frameCount / sampleCount * sampleCount : frameCount
        return (0..<sampleCount).map { index in
            let start = index * covered / sampleCount
            return start + draw((index + 1) * covered / sampleCount - start)
        }
    }

    /// The middle frame of each segment: ⌊i·n/k + n/2k⌋.
    ///
    /// Several views of one video are shifted evenly: view v of V takes the point (v + ½)/V of each segment,
    /// so one view is the middle and no two views agree where the video is long enough. (The paper's code
    /// draws each view by chance, see `trainingIndices`; its results then vary from run to run.)
    ///
    /// - Parameter frameCount: n, at least 1.
    package func testIndices(frameCount: Int, view: Int = 0, viewCount: Int = 1) -> [Int] {
        precondition(frameCount >= 1 && view >= 0 && view < viewCount, "no such view")
        let step = Double(frameCount) / Double(sampleCount)
        let shift = step * (Double(view) + 0.5) / Double(viewCount)
        return (0..<sampleCount).map { min(Int(Double($0) * step + shift), frameCount - 1) }
    }
}
