import Foundation

/// What rejecting unlikely answers costs and brings, threshold by threshold.
///
/// Probabilities and thresholds are what `RejectionRule` compares, single precision: counted in another one, an answer at the
/// edge could fall on the other side.
package struct ThresholdTable: Sendable, Equatable {
    /// A video's answer: what its best class was given, and whether that was right.
    package struct Answer: Sendable, Equatable {
        package var probability: Float
        package var isCorrect: Bool

        package init(probability: Float, isCorrect: Bool) {
            self.probability = probability
            self.isCorrect = isCorrect
        }
    }

    package struct Row: Sendable, Equatable {
        /// Least probability of an answer.
        package var threshold: Float
        /// Videos that are answered.
        package var answered: Int
        /// Answers that are right.
        package var correct: Int
        /// Videos of none of the classes that get an answer even so; nil where no such videos are known.
        package var fooled: Int?
        package var videos: Int

        /// Share of the videos that are answered, in percent.
        package var coverage: Double { videos == 0 ? 0 : 100 * Double(answered) / Double(videos) }
        /// Share of the answers that are right, in percent; nil without answers.
        package var accuracy: Double? { answered == 0 ? nil : 100 * Double(correct) / Double(answered) }
    }

    /// The most likely first.
    private let answers: [Answer]
    /// Of the first answers, none to all of them, how many are right.
    private let correctCounts: [Int]
    /// Best probabilities of videos that show none of the classes; nil where no such videos are known.
    private let outsiders: [Float]?

    package init(answers: [Answer], outsiders: [Float]? = nil) {
        self.answers = answers.sorted { $0.probability > $1.probability }
        correctCounts = self.answers.reduce(into: [0]) { $0.append($0[$0.count - 1] + ($1.isCorrect ? 1 : 0)) }
        self.outsiders = outsiders?.sorted(by: >)
    }

    package func row(at threshold: Float) -> Row {
        let answered = Self.count(of: answers.count) { answers[$0].probability >= threshold }
        return Row(
            threshold: threshold, answered: answered, correct: correctCounts[answered],
            fooled: outsiders.map { outsiders in Self.count(of: outsiders.count) { outsiders[$0] >= threshold } }, videos: answers.count)
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

    /// A threshold for each set of answers that some threshold leaves, the lowest that can be written down: from 0, which rejects
    /// none, to one that rejects all where no answer is certain.
    private var candidates: [Float] {
        let levels = Set(answers.map(\.probability) + (outsiders ?? [])).sorted()
        let above = zip(levels, levels.dropFirst().map { $0 } + [1]).map { level, next in Self.threshold(above: level, upTo: next) }
        return [0] + above.compactMap(\.self)
    }

    private static let leastPlaces = 4
    private static let mostPlaces = 9

    /// The lowest decimal number of few places that is above one probability and not above the next, so that it rejects the first
    /// and keeps the second; nil where there is none.
    private static func threshold(above level: Float, upTo next: Float) -> Float? {
        guard level < next else { return nil }
        // Numbers that are not probabilities have no places to try.
        guard (0..<1).contains(level) else { return next }
        for places in leastPlaces...mostPlaces {
            let unit = pow(10, Double(places))
            var number = (Double(level) * unit).rounded(.down)
            while Float(number / unit) <= level { number += 1 }
            let threshold = Float(number / unit)
            if threshold <= next { return threshold }
        }
        return next
    }

    /// The row of the lowest threshold at which at least `accuracy` percent of the answers are right, so the one that answers most
    /// videos; nil where no threshold reaches it.
    ///
    /// A higher threshold may leave out more right answers than wrong ones, so accuracy may fall again above it: `failing` is the
    /// lowest such row, nil where all thresholds above reach it, too.
    package func row(reaching accuracy: Double) -> (row: Row, failing: Row?)? {
        let rows = candidates.map(row).filter { $0.answered > 0 }
        func reaches(_ row: Row) -> Bool { row.accuracy.map { $0 >= accuracy } ?? false }
        guard let place = rows.firstIndex(where: reaches) else { return nil }
        return (rows[place], rows[place...].first { !reaches($0) })
    }

    /// The row with the most videos dealt with rightly: right answers, and outsiders without an answer. Of equals the one
    /// with the lowest threshold. Nil without outsiders.
    package func rowOfMostRight() -> Row? {
        guard let outsiders else { return nil }
        func right(_ row: Row) -> Int { row.correct + outsiders.count - (row.fooled ?? 0) }
        return candidates.map(row).max { (right($0), $1.threshold) < (right($1), $0.threshold) }
    }
}
