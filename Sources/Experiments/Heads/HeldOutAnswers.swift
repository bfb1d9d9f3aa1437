import Evaluation
import Files
import VideoData

/// What a head's kind says of each clip that it learns from, asked when it had not seen that clip: the file
/// `held-out.jsonl` of a run, in the form of an evaluation's `predictions.jsonl`, so that `thresholds` reads it.
package struct HeldOutAnswers {
    package static let fileName = "held-out.jsonl"

    package let predictions: [Prediction]

    /// - Parameter probabilities: of each clip, one per class.
    init(_ clips: [AnnotatedClip], _ probabilities: [[Float]]) {
        predictions = zip(clips, probabilities).enumerated().map { index, item in
            Prediction(path: item.0.path, label: item.0.label, probabilities: item.1, index: index)
        }
    }

    func write(into run: String, classes: ClassNames) throws {
        try DurableFile.write(EvaluationFolder.lines(predictions, classes), to: run.appendingPath(Self.fileName))
    }
}
