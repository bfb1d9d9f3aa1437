import Evaluation
import Testing

/// Thresholds against counting every one of them by hand, with the rule that `predict` answers by.
@Suite struct ThresholdTests {
    fileprivate struct Video {
        let probability: Float
        let isCorrect: Bool
    }

    fileprivate struct Generator {
        var state: UInt64
        mutating func next(below limit: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % limit
        }
    }

    /// What `predict --threshold` answers: videos, and right ones.
    private func answered(_ videos: [Video], _ threshold: Float) -> (count: Int, right: Int) {
        let rule = RejectionRule(threshold: threshold)
        let left = videos.filter { rule.answer(VideoScores(classes: [$0.probability])) != nil }
        return (left.count, left.count { $0.isCorrect })
    }

    @Test(arguments: 1...40) func noLowerThresholdSuffices(_ seed: Int) {
        var generator = Generator(state: UInt64(seed))
        // Ties, neighbors in the last bit and in the fourth place: 20 to 60 videos.
        var videos: [Video] = []
        for _ in 0..<20 + generator.next(below: 40) {
            var probability = Float(generator.next(below: seed % 2 == 0 ? 50 : 9_999) + 1) / (seed % 2 == 0 ? 50 : 10_000)
            if generator.next(below: 4) == 0 { probability = videos.randomElement(&generator)?.probability.nextDown ?? probability }
            videos.append(Video(probability: probability, isCorrect: generator.next(below: 100) < UInt64(100 * probability)))
        }
        let table = ThresholdTable(answers: videos.map { .init(probability: $0.probability, isCorrect: $0.isCorrect) })
        let grid = (0...10_000).map { Float(Double($0) / 10_000) }
        for accuracy in [50.0, 66.6, 75, 90, 95, 100] {
            func suffices(_ threshold: Float) -> Bool {
                let (count, right) = answered(videos, threshold)
                return count > 0 && 100 * Double(right) / Double(count) >= accuracy
            }
            let lowest = grid.first(where: suffices)
            guard let found = table.row(reaching: accuracy) else {
                #expect(lowest == nil && !videos.contains { suffices($0.probability) }, "\(accuracy)")
                continue
            }
            let (count, right) = answered(videos, found.row.threshold)
            #expect(suffices(found.row.threshold) && count == found.row.answered && right == found.row.correct)
            // The printed number says the same.
            #expect(Float("\(found.row.threshold)") == found.row.threshold)
            if let lowest { #expect(found.row.threshold <= lowest, "\(accuracy): \(found.row.threshold) against \(lowest)") }
            // Every answer more would be too many.
            let lower = videos.map(\.probability).filter { $0 < found.row.threshold }.max()
            if let lower { #expect(!suffices(lower), "\(accuracy)") }
            // Higher ones, which need not all suffice.
            let failing = (grid + videos.map(\.probability)).filter { $0 > found.row.threshold && answered(videos, $0).count > 0 && !suffices($0) }.min()
            #expect((failing == nil) == (found.failing == nil), "\(accuracy)")
            if let failing, let told = found.failing { #expect(!suffices(told.threshold) && told.threshold <= failing) }
        }
    }
}

extension [ThresholdTests.Video] {
    fileprivate func randomElement(_ generator: inout ThresholdTests.Generator) -> ThresholdTests.Video? {
        isEmpty ? nil : self[Int(generator.next(below: UInt64(count)))]
    }
}
