/// What rejecting unlikely answers costs and brings, threshold by threshold.
package struct ThresholdTable: Sendable, Equatable {
    /// A film's answer: what its best class was given, and whether that was right.
    package struct Answer: Sendable, Equatable {
        package var probability: Double
        package var isCorrect: Bool

        package init(probability: Double, isCorrect: Bool) {
            self.probability = probability
            self.isCorrect = isCorrect
        }
    }

    package struct Row: Sendable, Equatable {
        /// Least probability of an answer.
        package var threshold: Double
        /// Films that are answered.
        package var answered: Int
        /// Answers that are right.
        package var correct: Int
        /// Films of none of the classes that get an answer even so; nil where no such films are known.
        package var fooled: Int?
        package var films: Int

        /// Share of the films that are answered, in percent.
        package var coverage: Double { films == 0 ? 0 : 100 * Double(answered) / Double(films) }
        /// Share of the answers that are right, in percent; nil without answers.
        package var accuracy: Double? { answered == 0 ? nil : 100 * Double(correct) / Double(answered) }
    }

    /// The most likely first.
    private let answers: [Answer]
    /// Of the first answers, none to all of them, how many are right.
    private let correctCounts: [Int]
    /// Best probabilities of films that show none of the classes; nil where no such films are known.
    private let outsiders: [Double]?

    package init(answers: [Answer], outsiders: [Double]? = nil) {
        self.answers = answers.sorted { $0.probability > $1.probability }
        correctCounts = self.answers.reduce(into: [0]) { $0.append($0[$0.count - 1] + ($1.isCorrect ? 1 : 0)) }
        self.outsiders = outsiders?.sorted(by: >)
    }

    package func row(at threshold: Double) -> Row {
        let answered = Self.count(of: answers.count) { answers[$0].probability >= threshold }
        return Row(
            threshold: threshold, answered: answered, correct: correctCounts[answered],
            fooled: outsiders.map { outsiders in Self.count(of: outsiders.count) { outsiders[$0] >= threshold } }, films: answers.count)
    }

    /// How many places from the first on fulfil `condition`, found by halving: none does after the first that does not.
    private static func count(of length: Int, where condition: (Int) -> Bool) -> Int {
        var range = 0..<length
        while !range.isEmpty {
            let middle = (range.lowerBound + range.upperBound) / 2
            range = condition(middle) ? middle + 1..<range.upperBound : range.lowerBound..<middle
        }
        return range.lowerBound
    }

    /// Candidates: thresholds at which something changes, from 0 up.
    private var candidates: [Double] { [0] + Set(answers.map(\.probability) + (outsiders ?? [])).sorted() }

    /// The row that answers most films while at least `accuracy` percent of the answers are right; of equals the one with
    /// the highest threshold. Nil where no threshold reaches it.
    package func row(reaching accuracy: Double) -> Row? {
        candidates.map(row).filter { ($0.accuracy ?? 0) >= accuracy }
            .max { ($0.answered, $0.threshold) < ($1.answered, $1.threshold) }
    }

    /// The row with the most films dealt with rightly: right answers, and outsiders without an answer. Of equals the one
    /// with the lowest threshold. Nil without outsiders.
    package func rowOfMostRight() -> Row? {
        guard let outsiders else { return nil }
        func right(_ row: Row) -> Int { row.correct + outsiders.count - (row.fooled ?? 0) }
        return candidates.map(row).max { (right($0), $1.threshold) < (right($1), $0.threshold) }
    }
}
