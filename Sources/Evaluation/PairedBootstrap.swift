import Tensors

/// How sure a difference of two settings is that ran with the same seeds and were tested on the same clips.
///
/// Seeds and clips are drawn anew with replacement, each time the same ones for both settings, so that what is hard
/// about a clip or lucky about a seed cancels (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993,
/// chapter 13: percentile interval). With one seed the interval tells of clips alone.
package struct PairedBootstrap {
    /// Percentage points of accuracy, the first setting's less the second's.
    package struct Difference: Codable, Equatable, Sendable {
        package let mean: Double
        /// Of the interval that holds 95 % of the resampled differences.
        package let low: Double
        package let high: Double

        /// Whether the interval leaves zero out.
        package var isClear: Bool { low > 0 || high < 0 }
    }

    private let clipCount: Int
    private let seedCount: Int
    /// For each resampling how often each clip, and each seed, was drawn.
    private let clipDraws: [[Int32]]
    private let seedDraws: [[Int32]]

    /// - Parameters:
    ///   - seedCount: runs of each setting, at least 1.
    ///   - clipCount: of the list that all were tested on, at least 1.
    ///   - seed: of the resampling.
    package init(seedCount: Int, clipCount: Int, resampleCount: Int = 4000, seed: UInt64 = 1) {
        precondition(seedCount >= 1 && clipCount >= 1 && resampleCount >= 2, "nothing to resample")
        func draws(_ count: Int, epoch: Int) -> [[Int32]] {
            (0..<resampleCount).map { resample in
                var source = RandomSource(seed: seed, purpose: .bootstrap, epoch: epoch, item: resample)
                var counts = [Int32](repeating: 0, count: count)
                for _ in 0..<count { counts[source.integer(below: count)] += 1 }
                return counts
            }
        }
        self.clipCount = clipCount
        self.seedCount = seedCount
        clipDraws = draws(clipCount, epoch: 0)
        seedDraws = draws(seedCount, epoch: 1)
    }

    /// - Parameters:
    ///   - first: `[seed][clip]`, whether the clip was labeled rightly.
    ///   - second: of the other setting, in the same order.
    package func difference(of first: [[Bool]], from second: [[Bool]]) -> Difference {
        precondition(first.count == seedCount && second.count == seedCount, "another number of seeds")
        let gains = zip(first, second).map { one, other in
            precondition(one.count == clipCount && other.count == clipCount, "another number of clips")
            return zip(one, other).map { Int32($0 ? 1 : 0) - Int32($1 ? 1 : 0) }
        }
        let scale = 100 / (Double(seedCount) * Double(clipCount))
        let mean = scale * Double(gains.reduce(0) { $0 + $1.reduce(0) { $0 + Int($1) } })
        let resampled = zip(clipDraws, seedDraws).map { clips, seeds in
            scale * zip(seeds, gains).reduce(0.0) { sum, part in
                part.0 == 0 ? sum : sum + Double(part.0) * Double(zip(clips, part.1).reduce(Int32(0)) { $0 &+ $1.0 &* $1.1 })
            }
        }.sorted()
        return Difference(mean: mean, low: Self.quantile(0.025, of: resampled), high: Self.quantile(0.975, of: resampled))
    }

    /// Interpolated linearly between the neighbors, as NumPy does by default.
    private static func quantile(_ share: Double, of sorted: [Double]) -> Double {
        let position = share * Double(sorted.count - 1)
        let lower = Int(position)
        let upper = min(lower + 1, sorted.count - 1)
        return sorted[lower] + (sorted[upper] - sorted[lower]) * (position - Double(lower))
    }
}
