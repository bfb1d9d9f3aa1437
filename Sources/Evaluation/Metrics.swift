/// How well a set of clips was classified.
package struct ClassificationMetrics: Sendable, Codable, Equatable {
    package struct ClassResult: Sendable, Codable, Equatable {
        package var name: String
        package var clips: Int
        package var correct: Int
        /// In percent; nil without clips.
        package var accuracy: Double?

        init(name: String, clips: Int, correct: Int) {
            self.name = name
            self.clips = clips
            self.correct = correct
            accuracy = clips == 0 ? nil : 100 * Double(correct) / Double(clips)
        }
    }

    package var clips: Int
    /// In percent.
    package var top1: Double
    /// In percent; counts the best `min(5, classes)`.
    package var top5: Double
    /// Mean over the classes that have clips of their accuracy, in percent.
    package var meanClassAccuracy: Double
    package var perClass: [ClassResult]
    /// `confusion[truth][prediction]`, clips.
    package var confusion: [[Int]]

    package init(predictions: [Prediction], classNames: [String]) {
        var confusion = classNames.map { _ in [Int](repeating: 0, count: classNames.count) }
        var top5Hits = 0
        for prediction in predictions {
            let ranking = prediction.ranking
            if let best = ranking.first { confusion[prediction.label][best] += 1 }
            if ranking.prefix(5).contains(prediction.label) { top5Hits += 1 }
        }
        let results = classNames.indices.map { label in
            ClassResult(name: classNames[label], clips: confusion[label].reduce(0, +), correct: confusion[label][label])
        }
        let total = max(1, predictions.count)
        let accuracies = results.compactMap(\.accuracy)
        clips = predictions.count
        top1 = 100 * Double(results.reduce(0) { $0 + $1.correct }) / Double(total)
        top5 = 100 * Double(top5Hits) / Double(total)
        meanClassAccuracy = accuracies.isEmpty ? 0 : accuracies.reduce(0, +) / Double(accuracies.count)
        perClass = results
        self.confusion = confusion
    }
}

/// What a classifier said of one film.
package struct Prediction: Sendable, Equatable {
    package var path: String
    package var label: Int
    /// One a class, summing to 1: softmax of the logits, averaged over views.
    package var probabilities: [Float]
    /// Position in the list.
    package var index: Int

    package init(path: String, label: Int, probabilities: [Float], index: Int = 0) {
        self.index = index
        self.path = path
        self.label = label
        self.probabilities = probabilities
    }

    /// Classes from the most to the least likely; equals in their order.
    package var ranking: [Int] {
        probabilities.indices.sorted { (probabilities[$1], $0) < (probabilities[$0], $1) }
    }
}

/// Mean and deviation over runs.
package struct RunStatistics: Sendable, Equatable {
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
