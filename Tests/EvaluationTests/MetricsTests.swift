import Evaluation
import Foundation
import TestSupport
import Testing

/// Metrics against scikit-learn, SciPy and NumPy: `Tests/Fixtures/metrics`.
@Suite struct MetricsTests {
    struct Expected: Decodable {
        struct List: Decodable {
            struct Scores: Decodable {
                let top1, top5, mean_class_accuracy, macro_f1: Double
                let precision, recall, f1: [Double?]
                let support: [Int]
                let confusion: [[Int]]
            }

            let name: String
            let labels: [Int]
            let probabilities: [[Float]]
            let expected: Scores
        }

        struct Mean: Decodable {
            let values: [Double]
            let mean: Double
            let deviation: Double?
        }

        let lists: [List]
        let runs: [Mean]
        let harmonic_means: [Mean]
    }

    static let expected: Expected? = try? JSONDecoder().decode(
        Expected.self, from: Data(contentsOf: URL(fileURLWithPath: fixturePath("metrics/expected.json"))))

    private func isClose(_ found: Double?, _ expected: Double?) -> Bool {
        switch (found, expected) {
        case (nil, nil): true
        case (let found?, let expected?): abs(found - expected) < 1e-9
        default: false
        }
    }

    @Test func fixtureIsThere() { #expect(Self.expected?.lists.count == 7) }

    @Test(arguments: 0..<7)
    func listsAreScoredAsByScikitLearn(_ index: Int) throws {
        let list = try #require(Self.expected?.lists[index])
        let predictions = zip(list.labels, list.probabilities).map { Prediction(path: "", label: $0, probabilities: $1) }
        let names = list.probabilities[0].indices.map { "class \($0)" }
        let metrics = ClassificationMetrics(predictions: predictions, classNames: names)
        let expected = list.expected
        #expect(isClose(metrics.top1, expected.top1), "\(list.name)")
        #expect(isClose(metrics.top5, expected.top5), "\(list.name)")
        #expect(isClose(metrics.meanClassAccuracy, expected.mean_class_accuracy), "\(list.name)")
        #expect(isClose(metrics.macroF1, expected.macro_f1), "\(list.name)")
        #expect(metrics.confusion == expected.confusion, "\(list.name)")
        #expect(metrics.perClass.map(\.videos) == expected.support)
        for (label, result) in metrics.perClass.enumerated() {
            #expect(isClose(result.precision, expected.precision[label]), "\(list.name), precision of \(label)")
            #expect(isClose(result.recall, expected.recall[label]), "\(list.name), recall of \(label)")
            #expect(isClose(result.top1, expected.recall[label]), "\(list.name), top-1 of \(label)")
            #expect(isClose(result.f1, expected.f1[label]), "\(list.name), F1 of \(label)")
        }
        for prediction in predictions {
            #expect(prediction.ranking.first == prediction.predicted)
            #expect(prediction.ranking.firstIndex(of: prediction.label) == prediction.rank - 1)
        }
    }

    @Test func meansAreThoseOfNumPyAndSciPy() throws {
        let expected = try #require(Self.expected)
        for run in expected.runs {
            let statistics = RunStatistics(run.values)
            #expect(isClose(statistics.mean, run.mean) && isClose(statistics.deviation, run.deviation))
        }
        for pair in expected.harmonic_means { #expect(isClose(harmonicMean(pair.values[0], pair.values[1]), pair.mean)) }
        #expect(RunStatistics([3]).deviation == nil)
        #expect(harmonicMean(0, 0) == 0 && harmonicMean(50, 0) == 0)
    }

    /// Equally likely classes stand in the order of the list.
    @Test func tiesAreBrokenByOrder() {
        let tied = [0.25, 0.25, 0.25, 0.25] as [Float]
        let videos = (0..<4).map { Prediction(path: "\($0)", label: $0, probabilities: tied) }
        #expect(videos.map(\.predicted) == [0, 0, 0, 0])
        #expect(videos.map(\.rank) == [1, 2, 3, 4])
        let metrics = ClassificationMetrics(predictions: videos, classNames: ["a", "b", "c", "d"])
        #expect(metrics.top1 == 25 && metrics.top5 == 100)
        // With six classes the last of them is not among the best five.
        let six = (0..<6).map { Prediction(path: "\($0)", label: $0, probabilities: [Float](repeating: 1 / 6, count: 6)) }
        #expect(ClassificationMetrics(predictions: six, classNames: (0..<6).map(String.init)).top5 == 100 * 5.0 / 6)
        #expect(Prediction(path: "", label: 2, probabilities: [0.4, 0.1, 0.4, 0.1]).rank == 2)
    }

    /// By hand: three videos of two of four classes.
    @Test func smallLists() {
        let videos = [
            Prediction(path: "1", label: 0, probabilities: [0.6, 0.2, 0.1, 0.1]),
            Prediction(path: "2", label: 0, probabilities: [0.2, 0.5, 0.2, 0.1]),
            Prediction(path: "3", label: 2, probabilities: [0.1, 0.6, 0.2, 0.1]),
        ]
        let metrics = ClassificationMetrics(predictions: videos, classNames: ["a", "b", "c", "d"])
        #expect(metrics.confusion == [[1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
        #expect(isClose(metrics.top1, 100.0 / 3) && metrics.top5 == 100)
        // Of a half of its videos are right, of c none; b and d have no videos.
        #expect(metrics.perClass.map(\.top1) == [50, nil, 0, nil])
        #expect(metrics.perClass.map(\.precision) == [100, 0, nil, nil])
        #expect(isClose(metrics.perClass[0].f1, 200.0 / 3))
        #expect(metrics.perClass.map(\.f1).dropFirst() == [0, 0, nil])
        #expect(metrics.meanClassAccuracy == 25)
        let none = ClassificationMetrics(predictions: [], classNames: ["a"])
        #expect(none.videos == 0 && none.top1 == 0 && none.macroF1 == 0 && none.perClass[0].f1 == nil)
        let single = ClassificationMetrics(predictions: [Prediction(path: "", label: 0, probabilities: [1])], classNames: ["a"])
        #expect(single.top1 == 100 && single.top5 == 100 && single.macroF1 == 100)
    }
}
