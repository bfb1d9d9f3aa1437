import Tensors

/// Chooses which frames of a film the model sees.
///
/// A film of n frames is cut into `sampleCount` (k) segments. Training takes a random frame of each,
/// testing the middle one. Films shorter than k repeat frames.
///
/// Source: mmaction's SampleFrames with clips of one frame, as the paper's code uses it (methods 1.6).
package struct FrameSampler: Sendable, Equatable {
    /// k, the frames given to the model. At least 1.
    package let sampleCount: Int

    package init(sampleCount: Int) {
        precondition(sampleCount >= 1, "a clip has at least one frame")
        self.sampleCount = sampleCount
    }

    /// One frame from each segment, by chance.
    ///
    /// With a = ⌊n/k⌋ > 0 frame i is i·a + U{0 … a−1}, so the last n mod k frames are never taken.
    /// A shorter film repeats frames evenly, i·n/k rounded half to even; what rounds up to n wraps to frame 0.
    ///
    /// - Parameter frameCount: n, at least 1.
    package func trainingIndices(frameCount: Int, using random: inout RandomSource) -> [Int] {
        trainingIndices(frameCount: frameCount) { random.integer(below: $0) }
    }

    /// The same with the caller's draws; `draw(bound)` answers in `0 ..< bound`.
    package func trainingIndices(frameCount: Int, draw: (Int) -> Int) -> [Int] {
        precondition(frameCount >= 1, "a film has at least one frame")
        let segment = frameCount / sampleCount
        guard segment > 0 else {
            let step = Double(frameCount) / Double(sampleCount)
            return (0..<sampleCount).map { Int((Double($0) * step).rounded(.toNearestOrEven)) % frameCount }
        }
        return (0..<sampleCount).map { $0 * segment + draw(segment) }
    }

    /// The middle frame of each segment: ⌊i·n/k + n/2k⌋.
    ///
    /// Several views of one film are shifted evenly: view v of V takes the point (v + ½)/V of each segment,
    /// so one view is the middle and no two views agree where the film is long enough. (The paper's code
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
