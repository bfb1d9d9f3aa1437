import VideoData

/// How well a set of videos was classified. All shares are in percent.
package struct ClassificationMetrics: Sendable, Codable, Equatable {
    /// One class. A share whose denominator is 0 is nil.
    package struct ClassResult: Sendable, Codable, Equatable {
        package var name: String
        /// Videos of the class.
        package var videos: Int
        package var correct: Int
        /// Share of its videos that were recognized; the class's recall.
        package var top1: Double?
        /// Share of right ones among the videos that were taken for this class.
        package var precision: Double?
        package var recall: Double?
        /// 2·TP / (2·TP + FP + FN): nil only where there are neither videos nor predictions of the class.
        package var f1: Double?

        private enum CodingKeys: String, CodingKey {
            case name = "class"
            case videos, correct, top1, precision, recall, f1
        }

        init(name: String, videos: Int, correct: Int, predicted: Int) {
            func percent(_ part: Int, of whole: Int) -> Double? { whole == 0 ? nil : 100 * Double(part) / Double(whole) }
            self.name = name
            self.videos = videos
            self.correct = correct
            top1 = percent(correct, of: videos)
            recall = top1
            precision = percent(correct, of: predicted)
            f1 = percent(2 * correct, of: videos + predicted)
        }
    }

    package var videos: Int
    package var top1: Double
    /// Counts the best `min(5, classes)`.
    package var top5: Double
    /// Mean of `top1` over the classes that have videos.
    package var meanClassAccuracy: Double
    /// Mean of `f1` over the classes that have videos or predictions.
    package var macroF1: Double
    package var perClass: [ClassResult]
    /// Which classes were taken for which, in the order of truth and prediction; pairs that never came are left out.
    package var confusions: [ConfusionCount]

    /// Up to so many classes there is a table with a row and a column for each; a larger one is zeros for the most part, and
    /// hundreds of megabytes.
    package static let confusionTableLimit = 1000

    /// `confusion[truth][prediction]`, videos.
    package var confusion: [[Int]] {
        var table = perClass.map { _ in [Int](repeating: 0, count: perClass.count) }
        for count in confusions { table[count.truth][count.predicted] = count.videos }
        return table
    }

    /// - Parameter predictions: none give shares of 0.
    /// - Precondition: labels and probabilities fit the class names.
    package init(predictions: [Prediction], classNames: [String]) {
        var rows = classNames.map { _ in [Int: Int]() }
        var predictedCounts = classNames.map { _ in 0 }
        var top5Hits = 0
        for prediction in predictions {
            let predicted = prediction.predicted
            rows[prediction.label][predicted, default: 0] += 1
            predictedCounts[predicted] += 1
            if prediction.rank <= 5 { top5Hits += 1 }
        }
        perClass = classNames.indices.map { label in
            ClassResult(
                name: classNames[label], videos: rows[label].values.reduce(0, +), correct: rows[label][label] ?? 0,
                predicted: predictedCounts[label])
        }
        confusions = rows.enumerated().flatMap { truth, row in
            row.sorted { $0.key < $1.key }.map { ConfusionCount(truth: truth, predicted: $0.key, videos: $0.value) }
        }
        let total = Double(max(1, predictions.count))
        videos = predictions.count
        top1 = 100 * Double(perClass.reduce(0) { $0 + $1.correct }) / total
        top5 = 100 * Double(top5Hits) / total
        meanClassAccuracy = Self.mean(perClass.compactMap(\.top1))
        macroF1 = Self.mean(perClass.compactMap(\.f1))
    }

    private static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(1, values.count)) }
}

/// How many videos of a class were taken for a class: the same one, or another.
package struct ConfusionCount: Sendable, Codable, Equatable {
    package var truth: Int
    package var predicted: Int
    package var videos: Int

    package init(truth: Int, predicted: Int, videos: Int) {
        self.truth = truth
        self.predicted = predicted
        self.videos = videos
    }
}

/// What a classifier said of one video.
package struct Prediction: Sendable, Equatable {
    package var path: String
    /// Of the video; nil for all of it.
    package var part: ClipPart?
    package var label: Int
    /// One a class, summing to 1: softmax of the logits, averaged over views. Never empty.
    package var probabilities: [Float]
    /// Position in the list.
    package var index: Int

    package init(path: String, part: ClipPart? = nil, label: Int, probabilities: [Float], index: Int = 0) {
        self.part = part
        self.index = index
        self.path = path
        self.label = label
        self.probabilities = probabilities
    }

    package init(_ clip: AnnotatedClip, probabilities: [Float], index: Int) {
        self.init(path: clip.path, part: clip.part, label: clip.label, probabilities: probabilities, index: index)
    }

    /// Classes from the most to the least likely; equals in their order.
    package var ranking: [Int] {
        probabilities.indices.sorted { (probabilities[$1], $0) < (probabilities[$0], $1) }
    }

    /// The first of the ranking.
    package var predicted: Int {
        probabilities.indices.dropFirst().reduce(0) { probabilities[$1] > probabilities[$0] ? $1 : $0 }
    }

    /// The true class's place in the ranking, from 1.
    package var rank: Int {
        let own = probabilities[label]
        return 1 + probabilities.indices.count { probabilities[$0] > own || probabilities[$0] == own && $0 < label }
    }
}

/// Mean and deviation over runs.
package struct RunStatistics: Sendable, Codable, Equatable {
    package let mean: Double
    /// Of the sample (n − 1); nil for one run.
    package let deviation: Double?

    package init(_ values: [Double]) {
        let mean = values.reduce(0, +) / Double(max(1, values.count))
        self.mean = mean
        deviation = values.count < 2
            ? nil : (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)).squareRoot()
    }
}

/// 2ab / (a + b); 0 where both are 0. Of base and novel accuracy in table 2 of the paper.
package func harmonicMean(_ a: Double, _ b: Double) -> Double { a + b > 0 ? 2 * a * b / (a + b) : 0 }
