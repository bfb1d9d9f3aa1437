import Files
import VideoData

/// What a model said of each clip of a list: the files `val-predictions.csv`, of the last epoch, and `test-predictions.csv`,
/// of what was chosen, of a run.
package struct ClipVerdicts: Equatable, Sendable {
    /// - Parameter list: `val` or `test`.
    package static func fileName(of list: String) -> String { "\(list)-predictions.csv" }
    private static let header = ["video", "label", "predicted"]
    /// Of a list with parts of videos.
    private static let headerOfParts = ["video", "start", "end", "label", "predicted"]

    package struct Verdict: Equatable, Sendable {
        package let video: String
        /// Of the video; nil for all of it.
        package let part: ClipPart?
        package let label: Int
        package let predicted: Int
    }

    /// In the list's order.
    package let verdicts: [Verdict]

    package init(_ predictions: [Prediction]) {
        verdicts = predictions.map { Verdict(video: $0.path, part: $0.part, label: $0.label, predicted: $0.predicted) }
    }

    /// - Throws: `DatasetError` or `FileError` for a file that is none of these.
    package init(path: String) throws {
        let records = try CSVReader.records(of: path)
        let header = records.first?.fields == Self.headerOfParts ? Self.headerOfParts : Self.header
        verdicts = try records.dropFirst().map { record in
            let fields = record.fields
            guard fields.count == header.count, let label = Int(fields[fields.count - 2]), let predicted = Int(fields[fields.count - 1]) else {
                throw FileError(path: path, problem: .damaged(reason: "line \(record.line) is not \(header.joined(separator: ",")). Run the command again"))
            }
            let part = header == Self.header ? nil : Double(fields[1]).flatMap { start in Double(fields[2]).flatMap { ClipPart(start: start, end: $0) } }
            return Verdict(video: fields[0], part: part, label: label, predicted: predicted)
        }
    }

    package var csv: String {
        let hasParts = verdicts.contains { $0.part != nil }
        let rows = verdicts.map { verdict in
            let times = hasParts ? [verdict.part.map { "\($0.start)" } ?? "", verdict.part.map { "\($0.end)" } ?? ""] : []
            return ([verdict.video.csvField] + times + ["\(verdict.label)", "\(verdict.predicted)"]).joined(separator: ",")
        }
        return ([(hasParts ? Self.headerOfParts : Self.header).joined(separator: ",")] + rows).joined(separator: "\n") + "\n"
    }

    /// Whether each clip was labeled rightly.
    package var hits: [Bool] { verdicts.map { $0.label == $0.predicted } }
}
