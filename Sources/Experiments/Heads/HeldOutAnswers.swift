import Evaluation
import Files
import Foundation
import VideoData

/// What a head's kind says of each clip that it learns from, asked when it had not seen that clip: the file
/// `held-out.jsonl` of a run, in the form of an evaluation's `predictions.jsonl`, so that `thresholds` reads it.
package struct HeldOutAnswers {
    private static let fileName = "held-out.jsonl"
    private static let byteLimit = 1 << 30

    package let predictions: [Prediction]

    /// - Parameter probabilities: of each clip, one per class.
    init(_ clips: [AnnotatedClip], _ probabilities: [[Float]]) {
        predictions = zip(clips, probabilities).enumerated().map { index, item in
            Prediction(item.0, probabilities: item.1, index: index)
        }
    }

    func write(into run: String, classes: ClassNames) throws {
        try DurableFile.write(EvaluationFolder.lines(predictions, classes), to: run.appendingPath(Self.fileName))
    }

    private struct Line: Decodable {
        let video: String
        let start: Double?
        let end: Double?
        let label: Int
        let probabilities: [Float]
    }

    /// What a run has written; nil where nothing could be held out.
    ///
    /// - Parameter classCount: of the run.
    /// - Throws: `FileError` for a file that is none of these.
    package init?(run: String, classCount: Int) throws {
        let path = run.appendingPath(Self.fileName)
        guard fileExists(path) else { return nil }
        let lines = try InputFile.contents(of: path, limit: Self.byteLimit).split(separator: UInt8(ascii: "\n"))
        predictions = try lines.enumerated().map { index, bytes in
            guard let line = try? ResultJSON.decoder.decode(Line.self, from: Data(bytes)), (0..<classCount).contains(line.label),
                line.probabilities.count == classCount
            else { throw FileError(path: path, problem: .damaged(reason: "line \(index + 1) is not a clip with its probabilities. Run the command again")) }
            let part = line.start.flatMap { start in line.end.flatMap { ClipPart(start: start, end: $0) } }
            return Prediction(path: line.video, part: part, label: line.label, probabilities: line.probabilities, index: index)
        }
    }
}
