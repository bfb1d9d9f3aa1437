/// How likely each class is, and how likely none of them.
package struct VideoScores: Sendable, Equatable {
    /// One a class.
    package var classes: [Float]
    /// What texts that stand for "none of these" were given; 0 where there are none. With `classes` it sums to 1.
    package var none: Float

    package init(classes: [Float], none: Float = 0) {
        self.classes = classes
        self.none = none
    }

    /// - Parameter probabilities: of the classes, then of the texts that stand for none of them.
    init(probabilities: [Float], classCount: Int) {
        classes = Array(probabilities.prefix(classCount))
        none = probabilities.dropFirst(classCount).reduce(0, +)
    }

    /// Classes from the most to the least likely; equals in their order.
    package var ranking: [Int] { Prediction(path: "", label: 0, probabilities: classes).ranking }

    /// The most likely class, the first of equals.
    package var best: Int? { classes.indices.max { (classes[$0], $1) < (classes[$1], $0) } }

    /// The mean of some scores of the same classes.
    static func mean(of scores: some Collection<VideoScores>) -> VideoScores {
        var sum = VideoScores(classes: [Float](repeating: 0, count: scores.first?.classes.count ?? 0))
        for score in scores {
            for (index, probability) in score.classes.enumerated() { sum.classes[index] += probability }
            sum.none += score.none
        }
        let count = Float(max(1, scores.count))
        return VideoScores(classes: sum.classes.map { $0 / count }, none: sum.none / count)
    }
}

/// When the answer is "none of these".
package struct RejectionRule: Sendable, Equatable {
    /// Least probability of an answer; 0 never rejects.
    package var threshold: Float

    package init(threshold: Float = 0) { self.threshold = threshold }

    /// The class to answer with, or nil for none: where the best is less likely than the threshold, or than the texts
    /// that stand for none together.
    package func answer(_ scores: VideoScores) -> Int? {
        guard let best = scores.best, scores.classes[best] >= threshold, scores.classes[best] > scores.none else { return nil }
        return best
    }
}
