import Evaluation
import Experiments
import Foundation
import Training

/// A run that somebody asked the server for, from the wish to its end.
struct ServedRun: Codable, Identifiable, Sendable {
    enum Method: String, Codable, Sendable {
        /// The best head by clips that are held out: seconds.
        case auto
        /// VL prompts: minutes to hours.
        case prompts
    }

    enum State: String, Codable, Sendable {
        case waiting, running, finished, failed, cancelled

        var isOver: Bool { self != .waiting && self != .running }
    }

    struct Progress: Codable, Sendable {
        let title: String
        let done: Int
        let total: Int
        let detail: String
        let secondsLeft: Double?
    }

    struct Result: Codable, Sendable {
        /// Of what was learned, among what answers.
        let prompts: String
        let method: String?
        let seconds: Double
        let heldOut: HeldOut?
        let compared: [RunResult.ComparedMethod]
    }

    let id: String
    let name: String
    let dataSet: String
    let method: Method
    /// Of prompts; nil for as many as the recipe has.
    let steps: Int?
    let seed: Int
    let created: Date
    var state = State.waiting
    var began: Date?
    var ended: Date?
    var progress: Progress?
    /// Step and loss.
    var losses: [[Double]] = []
    var messages: [String] = []
    var error: String?
    var result: Result?
    /// Whether what it learned was deleted.
    var isDismissed: Bool?

    private static let lossLimit = 500
    private static let messageLimit = 200

    mutating func note(_ message: String) {
        if messages.count < Self.messageLimit { messages.append(message) }
    }

    /// Long runs keep every second point, again and again, so that the curve stays whole.
    mutating func note(step: Int, loss: Double) {
        guard loss.isFinite else { return }
        losses.append([Double(step), loss])
        if losses.count > Self.lossLimit { losses = losses.enumerated().filter { $0.offset % 2 == 1 }.map(\.element) }
    }

    // MARK: What clients are told

    struct Details: Encodable {
        let id: String
        let name: String
        let dataSet: String
        let method: Method
        let state: State
        /// Runs before it, while it waits.
        let place: Int
        let created: String
        let seconds: Double
        let progress: Progress?
        let losses: [[Double]]?
        let messages: [String]
        let error: String?
        let result: Result?
    }

    /// - Parameter place: runs before it.
    func details(place: Int, withLosses: Bool = true) -> Details {
        Details(
            id: id, name: name, dataSet: dataSet, method: method, state: state, place: place, created: created.formatted(.iso8601),
            seconds: began.map { (ended ?? Date()).timeIntervalSince($0) } ?? 0, progress: state == .running ? progress : nil,
            losses: withLosses ? losses : nil, messages: messages, error: error, result: result)
    }
}

/// What was said of each clip by a classifier that had not seen it.
struct HeldOut: Codable, Sendable {
    struct Clip: Codable, Sendable {
        let clip: String
        let `class`: String
        let predicted: String
        /// Of the predicted class.
        let probability: Double
    }

    struct Class: Codable, Sendable {
        let name: String
        let count: Int
        let correct: Int
    }

    /// What a least probability of an answer costs and brings.
    struct Threshold: Codable, Sendable {
        let threshold: Double
        let answered: Int
        let correct: Int
    }

    let top1: Double
    let standardError: Double?
    let clips: [Clip]
    let classes: [Class]
    /// Rows are what clips are, columns what they were called.
    let confusion: [[Int]]
    let thresholds: [Threshold]

    /// - Parameters:
    ///   - classNames: in the order of the labels.
    ///   - clips: ids by the names of their files.
    init(_ predictions: [Prediction], classNames: [String], clips: [String: String], standardError: Double?) {
        let metrics = ClassificationMetrics(predictions: predictions, classNames: classNames)
        (top1, confusion) = (metrics.top1, metrics.confusion)
        classes = metrics.perClass.map { Class(name: $0.name, count: $0.videos, correct: $0.correct) }
        self.standardError = standardError
        let answers = predictions.map { ($0, ThresholdTable.Answer(probability: $0.probabilities[$0.predicted], isCorrect: $0.label == $0.predicted)) }
        self.clips = answers.map { prediction, answer in
            Clip(
                clip: clips[prediction.path] ?? prediction.path, class: classNames[prediction.label], predicted: classNames[prediction.predicted],
                probability: Double(answer.probability))
        }
        let table = ThresholdTable(answers: answers.map(\.1))
        thresholds = (0..<100).map { percent in
            let row = table.row(at: Float(percent) / 100)
            return Threshold(threshold: Double(percent) / 100, answered: row.answered, correct: row.correct)
        }
    }
}
