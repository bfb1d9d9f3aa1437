import Evaluation
import Files
import Foundation
import Training
import VideoData

/// Reads the files of a folder as the commands write them; whatever else is in them is refused with file and place.
package enum ReportFiles {
    /// The largest JSON and SVG that are read.
    private static let byteLimit = 64 << 20
    /// Of predictions.jsonl: 400 classes and 20,000 videos take 120 MB.
    private static let linesLimit = 1 << 30
    /// Of pictures that are put into the page as they are.
    package static let pictureLimit = 8 << 20

    // MARK: JSON

    package static func decode<Value: Decodable>(_ type: Value.Type, _ path: String, snakeCase: Bool = false) throws -> Value {
        let bytes = try InputFile.contents(of: path, limit: byteLimit)
        return try decode(type, bytes, path: path, line: nil, snakeCase: snakeCase)
    }

    private static func decode<Value: Decodable>(
        _ type: Value.Type, _ bytes: [UInt8], path: String, line: Int?, snakeCase: Bool
    ) throws -> Value {
        let decoder = ResultJSON.decoder
        if !snakeCase { decoder.keyDecodingStrategy = .useDefaultKeys }
        do {
            return try decoder.decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            let (keys, reason) = words(of: error)
            let place = [line.map { "line \($0)" }, keys.isEmpty ? nil : "key \(keys)"].compactMap(\.self).joined(separator: ", ")
            throw ReportError.damaged(path: path, place: place.isEmpty ? "as a whole" : place, reason: reason)
        }
    }

    /// Where in the value, with dots, and what is wrong.
    private static func words(of error: DecodingError) -> (keys: String, reason: String) {
        func keys(_ path: [any CodingKey]) -> String { path.map { $0.intValue.map { "\($0)" } ?? $0.stringValue }.joined(separator: ".") }
        return switch error {
        case .keyNotFound(let key, let context): (keys(context.codingPath + [key]), "it is missing")
        case .typeMismatch(_, let context): (keys(context.codingPath), "it is of another kind than this program writes")
        case .valueNotFound(_, let context): (keys(context.codingPath), "it has no value")
        case .dataCorrupted(let context): (keys(context.codingPath), "it is not the JSON that this program writes, or cut off")
        @unknown default: ("", "it cannot be read")
        }
    }

    // MARK: Evaluations

    /// A video that was scored; of `predictions.jsonl`.
    package struct Video: Decodable {
        package struct Guess: Decodable {
            package let `class`: String
            package let probability: Double
        }

        package let video: String
        /// Of a part, in seconds.
        package let start: Double?
        package let end: Double?
        package let label: Int
        package let `class`: String
        package let predicted: Int
        package let predictedClass: String
        package let probability: Double
        /// The true class's place, from 1.
        package let rank: Int
        package let top: [Guess]

        package var isWrong: Bool { label != predicted }
        package var part: ClipPart? { start.flatMap { start in end.flatMap { ClipPart(start: start, end: $0) } } }
        package var name: String { clipName(video, part) }
    }

    /// Videos that were taken for another class, in their order.
    ///
    /// - Parameter count: of all videos.
    package static func wrongVideos(_ path: String, count: Int) throws -> [Video] {
        let bytes = try InputFile.contents(of: path, limit: linesLimit)
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true)
        guard lines.count == count else {
            throw ReportError.damaged(path: path, place: "line \(lines.count)", reason: "it ends after \(lines.count) of \(count) videos")
        }
        var wrong: [Video] = []
        for (number, line) in lines.enumerated() {
            let video = try decode(Video.self, Array(line), path: path, line: number + 1, snakeCase: true)
            if video.isWrong { wrong.append(video) }
        }
        return wrong
    }

    /// A class of `per_class.csv`. Shares in percent; nil where there is nothing to take a share of.
    package struct ClassResult {
        package let name: String
        package let videos: Int
        package let correct: Int
        package let top1: Double?
        package let precision: Double?
        package let recall: Double?
        package let f1: Double?
    }

    package static func classResults(_ path: String) throws -> [ClassResult] {
        let records = try CSVReader.records(of: path)
        let header = ["class", "videos", "correct", "top1", "precision", "recall", "f1"]
        guard records.first?.fields == header else {
            throw ReportError.damaged(path: path, place: "line 1", reason: "the header is not \(header.joined(separator: ","))")
        }
        return try records.dropFirst().map { record in
            func refused(_ reason: String) -> ReportError { .damaged(path: path, place: "line \(record.line)", reason: reason) }
            let fields = record.fields
            guard fields.count == header.count else { throw refused("\(fields.count) fields, the header has \(header.count)") }
            guard let videos = Int(fields[1]), let correct = Int(fields[2]), (0...1_000_000_000).contains(videos), (0...videos).contains(correct) else {
                throw refused("\"\(fields[1])\" and \"\(fields[2])\" are no counts")
            }
            let shares = try fields[3...].map { field -> Double? in
                if field.isEmpty { return nil }
                guard let share = Double(field), (0...100).contains(share) else { throw refused("\"\(field)\" is no share in percent") }
                return share
            }
            return ClassResult(
                name: fields[0], videos: videos, correct: correct, top1: shares[0], precision: shares[1], recall: shares[2], f1: shares[3])
        }
    }

    // MARK: Pictures

    package static func png(_ path: String) throws -> [UInt8] {
        let bytes = try InputFile.contents(of: path, limit: pictureLimit)
        guard bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) else {
            throw ReportError.damaged(path: path, place: "its first bytes", reason: "it is no PNG")
        }
        return bytes
    }

    package static func svg(_ path: String) throws -> [UInt8] {
        let bytes = try InputFile.contents(of: path, limit: pictureLimit)
        guard let text = String(validating: bytes, as: UTF8.self), text.prefix(400).contains("<svg") else {
            throw ReportError.damaged(path: path, place: "its first bytes", reason: "it is no SVG")
        }
        return bytes
    }
}
