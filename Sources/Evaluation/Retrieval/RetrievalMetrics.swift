/// How well captions find their videos, and videos their captions.
package struct RetrievalMetrics: Sendable, Codable, Equatable {
    /// One direction.
    package struct Direction: Sendable, Codable, Equatable {
        package var queries: Int
        /// R@k: share of the queries whose answer is among the first k, in percent.
        package var r1: Double
        package var r5: Double
        package var r10: Double
        /// Ranks count from 1; of an even number of queries the mean of the two in the middle.
        package var medianRank: Double
        package var meanRank: Double
        /// Queries whose answer's score some wrong candidate has, too. Such ties count for the answer.
        package var tied: Int

        package enum CodingKeys: String, CodingKey {
            case queries, r1, r5, r10, tied
            case medianRank = "median_rank"
            case meanRank = "mean_rank"
        }

        /// - Parameter ranks: of each query's answer, from 1; at least one.
        package init(ranks: [Int], tied: Int = 0) {
            queries = ranks.count
            self.tied = tied
            func share(_ k: Int) -> Double { 100 * Double(ranks.count { $0 <= k }) / Double(max(1, ranks.count)) }
            (r1, r5, r10) = (share(1), share(5), share(10))
            let sorted = ranks.sorted()
            medianRank = sorted.isEmpty ? 0 : Double(sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
            meanRank = Double(sorted.reduce(0, +)) / Double(max(1, sorted.count))
        }

        init(_ answers: [RetrievalAnswer]) { self.init(ranks: answers.map(\.rank), tied: answers.count(where: \.isTied)) }
    }

    package var textToVideo: Direction
    package var videoToText: Direction

    package enum CodingKeys: String, CodingKey {
        case textToVideo = "text_to_video"
        case videoToText = "video_to_text"
    }

    package init(textToVideo: [RetrievalAnswer], videoToText: [RetrievalAnswer]) {
        self.textToVideo = Direction(textToVideo)
        self.videoToText = Direction(videoToText)
    }
}

/// What became of one query.
package struct RetrievalAnswer: Sendable, Equatable {
    package struct Candidate: Sendable, Equatable {
        package var index: Int
        package var score: Float
    }

    /// The right candidate; of several the best-scored, of equally scored ones the first.
    package var answer: Candidate
    /// 1 + the number of candidates with a higher score than the answer (`methods.md` 8.5).
    package var rank: Int
    /// Whether a wrong candidate has the answer's very score.
    package var isTied: Bool
    /// The best candidates, the best first; equals in their order.
    package var best: [Candidate]

    /// - Parameters:
    ///   - scores: one per candidate, finite.
    ///   - right: positions of the right candidates; at least one.
    ///   - bestCount: how many of the best are kept.
    package init(scores: [Float], right: [Int], bestCount: Int) {
        precondition(!right.isEmpty, "a query has an answer")
        var answer = Candidate(index: right[0], score: scores[right[0]])
        for index in right.dropFirst() where scores[index] > answer.score { answer = Candidate(index: index, score: scores[index]) }
        self.answer = answer
        rank = 1 + scores.count { $0 > answer.score }
        let equals = scores.count { $0 == answer.score }
        isTied = equals > right.count { scores[$0] == answer.score }
        best = []
        for (index, score) in scores.enumerated() {
            if best.count == bestCount, let last = best.last, score <= last.score { continue }
            guard bestCount > 0 else { break }
            let place = best.firstIndex { $0.score < score } ?? best.count
            best.insert(Candidate(index: index, score: score), at: place)
            if best.count > bestCount { best.removeLast() }
        }
    }
}
