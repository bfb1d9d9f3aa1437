/// What a random number is for. Each purpose has its own stream, so that drawing more for one
/// never shifts another.
package enum RandomPurpose: UInt32, Sendable {
    case weights = 1, prompts, shots, order, frames, crop, flip, color, gray, blend, video, caption, test
    /// Draws of classes.
    case classes = 14
    /// First centers of clusters.
    case cluster = 15
    /// Resampled clips and seeds of a difference.
    case bootstrap = 16
    /// Frames of a clip that the backward pass goes through.
    case backwardFrames = 17
    /// What a method of prompting learns beside the prompts.
    case projections = 18
    /// Inputs that a step of learning leaves out.
    case dropout = 19
    /// What a method learns behind the image tower.
    case temporal = 20
    /// In which sentence a class is read.
    case template = 21
    /// What learns beside the prompts and is left behind with the run.
    case distillation = 22
    /// Where in a frame a patch of learned pixels stands.
    case patchPlace = 23
}

/// A counter-based generator: Philox4x32-10 (Salmon et al., SC 2011).
///
/// A stream is named by (seed, purpose, epoch, item), so what it yields depends neither on the
/// number of threads nor on what was drawn before.
package struct RandomSource: RandomNumberGenerator, Sendable {
    private let key: SIMD2<UInt32>
    private let stream: SIMD2<UInt32>
    private let purposeAndEpoch: UInt32
    private var blockIndex: UInt32 = 0
    private var block = SIMD4<UInt32>()
    private var usedWords = 4

    /// - Parameters:
    ///   - epoch: below 2²⁴.
    ///   - item: index of the clip, video or tensor within the purpose.
    package init(seed: UInt64, purpose: RandomPurpose, epoch: Int = 0, item: Int = 0) {
        key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
        let item = UInt64(bitPattern: Int64(item))
        stream = SIMD2(UInt32(truncatingIfNeeded: item), UInt32(truncatingIfNeeded: item >> 32))
        purposeAndEpoch = purpose.rawValue << 24 | UInt32(truncatingIfNeeded: epoch) & 0xFF_FFFF
    }

    package mutating func next() -> UInt64 {
        let low = nextWord()
        return UInt64(nextWord()) << 32 | UInt64(low)
    }

    package mutating func nextWord() -> UInt32 {
        if usedWords == 4 {
            block = Self.philox(counter: SIMD4(blockIndex, purposeAndEpoch, stream.x, stream.y), key: key)
            blockIndex &+= 1
            usedWords = 0
        }
        defer { usedWords += 1 }
        return block[usedWords]
    }

    /// Uniform in `0 ..< 1`, 24 bits.
    package mutating func uniform() -> Float {
        Float(nextWord() >> 8) * 0x1p-24
    }

    /// Uniform in `range`.
    package mutating func uniform(in range: ClosedRange<Float>) -> Float {
        range.lowerBound + (range.upperBound - range.lowerBound) * uniform()
    }

    /// Uniform in `0 ..< bound`; `bound` at least 1.
    package mutating func integer(below bound: Int) -> Int {
        precondition(bound >= 1, "integer(below:) needs a positive bound")
        return Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// The ten rounds of Philox4x32.
    package static func philox(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
        var state = counter
        var key = key
        for _ in 0..<10 {
            let first = state.x.multipliedFullWidth(by: 0xD251_1F53)
            let second = state.z.multipliedFullWidth(by: 0xCD9E_8D57)
            state = SIMD4(second.high ^ state.y ^ key.x, second.low, first.high ^ state.w ^ key.y, first.low)
            key &+= SIMD2(0x9E37_79B9, 0xBB67_AE85)
        }
        return state
    }
}
