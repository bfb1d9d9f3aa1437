import Files
import VideoData

/// What a model said of each clip of a list: the files `val-predictions.csv`, of the last epoch, and `test-predictions.csv`,
/// of what was chosen, of a run.
package struct ClipVerdicts: Equatable, Sendable {
    /// - Parameter list: `val` or `test`.
    package static func fileName(of list: String) -> String { "\(list)-predictions.csv" }
    private static let header = ["video", "label", "predicted"]

    package struct Verdict: Equatable, Sendable {
        package let video: String
        package let label: Int
        package let predicted: Int
    }

    /// In the list's order.
    package let verdicts: [Verdict]

    package init(_ predictions: [Prediction]) {
        verdicts = predictions.map { Verdict(video: $0.path, label: $0.label, predicted: $0.predicted) }
    }

    /// - Throws: `DatasetError` or `FileError` for a file that is none of these.
    package init(path: String) throws {
        let records = try CSVReader.records(of: path)
        verdicts = try records.dropFirst().map { record in
            guard record.fields.count == Self.header.count, let label = Int(record.fields[1]), let predicted = Int(record.fields[2]) else {
                throw FileError(path: path, problem: .damaged(reason: "line \(record.line) is not video,label,predicted. Run the command again"))
            }
            return Verdict(video: record.fields[0], label: label, predicted: predicted)
        }
    }

    package var csv: String {
        ([Self.header.joined(separator: ",")] + verdicts.map { "\($0.video.csvField),\($0.label),\($0.predicted)" })
            .joined(separator: "\n") + "\n"
    }

    /// Whether each clip was labeled rightly.
    package var hits: [Bool] { verdicts.map { $0.label == $0.predicted } }
}
