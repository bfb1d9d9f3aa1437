import Files
import Foundation
import VideoData

/// What the evaluation of one list leaves behind. `docs/settings.md` shows its files.
///
/// `evaluation.json` is written last: where it is, everything is.
package struct EvaluationFolder {
    package static let recordName = "evaluation.json"
    package static let perClassName = "per_class.csv"
    package static let confusionName = "confusion.csv"
    package static let predictionsName = "predictions.jsonl"

    /// What it writes.
    package static let kind = FolderKind(
        name: "evaluation", entries: [recordName, perClassName, confusionName, predictionsName])

    package let path: String

    package init(_ path: String) { self.path = path }

    /// The record of an evaluation that is finished; nil without one.
    package func record() throws(FileError) -> EvaluationRecord? {
        let file = path.appendingPath(Self.recordName)
        guard fileExists(file) else { return nil }
        let bytes = try InputFile.contents(of: file, limit: 64 << 20)
        do {
            return try ResultJSON.decoder.decode(EvaluationRecord.self, from: Data(bytes))
        } catch {
            throw FileError(
                path: file, problem: .damaged(reason: "it is not what this program writes there. Remove it, and the list is scored again"))
        }
    }

    /// Whether there is an evaluation that `write` would replace.
    package var isTaken: Bool { fileExists(path.appendingPath(Self.recordName)) }

    /// Before videos are scored: the folder is an evaluation's or may become one, and can be written.
    package func prove() throws(FileError) {
        try FolderMark.check(path, Self.kind)
        try proveWritable(folder: path)
    }

    /// Writes all files durably, in place of those of an earlier evaluation; what does not fit leaves these as they are.
    ///
    /// - Throws: also where the folder holds what no evaluation has written.
    package func write(
        _ record: EvaluationRecord, metrics: ClassificationMetrics, predictions: [Prediction], classes: ClassNames
    ) throws {
        try FolderMark.claim(path, Self.kind)
        let texts = [
            (Self.recordName, try ResultJSON.text(record)), (Self.perClassName, Self.perClass(metrics)),
            (Self.confusionName, Self.confusion(metrics, classes)), (Self.predictionsName, try Self.lines(predictions, classes)),
        ]
        let old = path.appendingPath(Self.recordName)
        try DurableFile.write(texts.map { (name: $0.0, bytes: Array($0.1.utf8)) }[...], in: path) { () throws(FileError) in
            // A record beside files of another evaluation would be worse than none.
            if fileExists(old) { try removeFile(old) }
        }
    }

    /// Shares in percent; an empty field where there is nothing to take a share of.
    static func perClass(_ metrics: ClassificationMetrics) -> String {
        let rows = metrics.perClass.map { result in
            let shares = [result.top1, result.precision, result.recall, result.f1].map { $0.map { "\($0)" } ?? "" }
            return ([result.name.csvField, "\(result.videos)", "\(result.correct)"] + shares).joined(separator: ",")
        }
        return (["class,videos,correct,top1,precision,recall,f1"] + rows).joined(separator: "\n") + "\n"
    }

    /// A table with a row and a column a class; for very many classes a row a pair that came.
    static func confusion(_ metrics: ClassificationMetrics, _ classes: ClassNames) -> String {
        guard classes.count <= ClassificationMetrics.confusionTableLimit else {
            let rows = metrics.confusions.map { "\(classes[$0.truth].csvField),\(classes[$0.predicted].csvField),\($0.videos)" }
            return (["truth,predicted,videos"] + rows).joined(separator: "\n") + "\n"
        }
        let rows = metrics.confusion.enumerated().map { label, row in
            ([classes[label].csvField] + row.map(String.init)).joined(separator: ",")
        }
        return (["truth," + classes.names.map(\.csvField).joined(separator: ",")] + rows).joined(separator: "\n") + "\n"
    }

    private struct Line: Encodable {
        struct Guess: Encodable {
            let `class`: String
            let label: Int
            let probability: Float
        }

        let video: String
        /// Of a part, in seconds.
        let start: Double?
        let end: Double?
        let label: Int
        let `class`: String
        let predicted: Int
        let predictedClass: String
        /// Of the predicted class.
        let probability: Float
        /// The true class's place, from 1.
        let rank: Int
        let top: [Guess]
        /// Of all classes, in their order.
        let probabilities: [Float]

        init(_ prediction: Prediction, _ classes: ClassNames) {
            let ranking = prediction.ranking.prefix(5)
            video = prediction.path
            (start, end) = (prediction.part?.start, prediction.part?.end)
            label = prediction.label
            `class` = classes[prediction.label]
            predicted = prediction.predicted
            predictedClass = classes[prediction.predicted]
            probability = prediction.probabilities[prediction.predicted]
            rank = prediction.rank
            top = ranking.map { Guess(class: classes[$0], label: $0, probability: prediction.probabilities[$0]) }
            probabilities = prediction.probabilities
        }
    }

    /// A JSON line per clip, as `predictions.jsonl` holds them.
    package static func lines(_ predictions: [Prediction], _ classes: ClassNames) throws -> String {
        try predictions.map { try ResultJSON.text(Line($0, classes), isOneLine: true) }.joined()
    }
}
