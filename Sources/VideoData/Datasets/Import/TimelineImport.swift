import Files
import Foundation

/// Time lines that `predict --save` has written as `.csv` or `.json`, or `--output` as `.jsonl`: answers to be learned
/// from once somebody has corrected them. Stretches that were none of the classes are left out.
enum TimelineImport {
    /// Columns of `predict --csv`; see `VideoAnswer.csvHeader` of the module Experiments.
    static let columns = ["video", "start", "end", "answer", "probability"]

    // MARK: JSON

    private struct Line: Decodable {
        struct Segment: Decodable {
            let start: Double
            let end: Double
            let answer: Answer
        }

        struct Answer: Decodable {
            /// Nil for none of the classes.
            let label: Int?
            let `class`: String
        }

        let video: String
        let prompts: String?
        let segments: [Segment]?
        let answer: Answer?
    }

    static func spans(ofJSON path: String) throws(DatasetError) -> [LabeledSpan] {
        let bytes: [UInt8]
        do {
            bytes = try InputFile.contents(of: path, limit: ImportedSet.jsonByteLimit)
        } catch {
            throw DatasetError(path: path, problem: .file(error))
        }
        var spans: [LabeledSpan] = []
        for (number, text) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            guard text.contains(where: { $0 != 0x20 && $0 != 0x0D }) else { continue }
            guard let line = try? JSONDecoder().decode(Line.self, from: Data(text)) else {
                throw DatasetError(path: path, line: number + 1, problem: .notJSON(reason: "the line is not an answer of predict, or damaged"))
            }
            for segment in line.segments ?? [] where segment.answer.label != nil {
                spans.append(
                    try LabeledSpan(
                        video: line.video, label: segment.answer.class, extent: .seconds(segment.start, segment.end), file: path,
                        place: "the segment from \(segment.start) of line \(number + 1)"))
            }
            if line.segments == nil, let answer = line.answer, answer.label != nil {
                spans.append(try LabeledSpan(video: line.video, label: answer.class, extent: .whole, file: path, place: "line \(number + 1)"))
            }
        }
        return spans
    }

    // MARK: CSV

    private struct Window {
        let start: Double
        let end: Double
        /// Nil for none of the classes.
        let label: String?
        let line: Int
        var middle: Double { (start + end) / 2 }
    }

    /// A row a window: windows may overlap, and each speaks for the time that is nearer to its middle than to those of its
    /// neighbors, as in the time line that they are of.
    static func spans(ofTable path: String) throws(DatasetError) -> [LabeledSpan] {
        var places: [String: Int] = [:]
        var windows: [String: [Window]] = [:]
        var order: [(key: String, video: String)] = []
        var spans: [LabeledSpan] = []
        try CSVReader.eachRecord(of: path, byteLimit: ImportedSet.jsonByteLimit) { record throws(DatasetError) in
            guard !places.isEmpty else {
                for (place, name) in record.fields.enumerated() { places[name.trimmingBlanks().lowercased()] = place }
                return
            }
            func field(_ name: String) -> String { places[name].flatMap { record.fields.indices.contains($0) ? record.fields[$0] : nil } ?? "" }
            guard record.fields.count == places.count else {
                throw DatasetError(path: path, line: record.line, problem: .fieldCount(found: record.fields.count, expected: places.count))
            }
            let label = field("probability").isEmpty ? nil : field("answer")
            if field("start").isEmpty, field("end").isEmpty {
                if let label { spans.append(try LabeledSpan(video: field("video"), label: label, extent: .whole, file: path, place: "line \(record.line)")) }
                return
            }
            guard let start = Double(field("start")), let end = Double(field("end")), ClipPart(start: start, end: end) != nil else {
                throw DatasetError(path: path, problem: .annotation(.badSpan(place: "line \(record.line)", field("start"), field("end"))))
            }
            let key = field("video") + "\n" + field("prompts")
            if windows[key] == nil { order.append((key, field("video"))) }
            windows[key, default: []].append(Window(start: start, end: end, label: label, line: record.line))
        }
        for (key, video) in order { spans += try joined(windows[key] ?? [], video: video, path: path) }
        return spans
    }

    private static func joined(_ windows: [Window], video: String, path: String) throws(DatasetError) -> [LabeledSpan] {
        var segments: [(label: String?, start: Double, end: Double, line: Int)] = []
        for (index, window) in windows.enumerated() {
            let end = index + 1 < windows.count ? (window.middle + windows[index + 1].middle) / 2 : window.end
            if let last = segments.last, last.label == window.label {
                segments[segments.count - 1].end = end
            } else {
                segments.append((window.label, segments.last?.end ?? 0, end, window.line))
            }
        }
        var spans: [LabeledSpan] = []
        for segment in segments {
            guard let label = segment.label else { continue }
            spans.append(
                try LabeledSpan(video: video, label: label, extent: .seconds(segment.start, segment.end), file: path, place: "line \(segment.line)"))
        }
        return spans
    }
}

/// Annotations of Create ML: an array of objects with a video, a label, and a start and an end in seconds for a part. Its
/// CSV form is a table that lists may have.
///
/// Source: https://developer.apple.com/documentation/createml/mlactionclassifier/datasource/directorywithvideosandannotation(at:annotationfile:videocolumn:labelcolumn:starttimecolumn:endtimecolumn:),
/// which leaves the names of the columns to whoever writes the file.
enum CreateMLImport {
    static let videoKeys = ["video", "videoPath", "video_path", "path", "file", "filename"]
    static let timeKeys = [("start", "end"), ("startTime", "endTime"), ("start_time", "end_time")]

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { return nil }
    }

    private struct Entry: Decodable {
        let video: String
        let label: String
        let start: Double?
        let end: Double?

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            func number(_ name: String) -> Double? { (try? container.decodeIfPresent(Double.self, forKey: Key(stringValue: name))) ?? nil }
            let key = videoKeys.first { container.contains(Key(stringValue: $0)) } ?? "video"
            video = try container.decode(String.self, forKey: Key(stringValue: key))
            label = try container.decode(String.self, forKey: Key(stringValue: "label"))
            (start, end) = timeKeys.lazy.map { (number($0.0), number($0.1)) }.first { $0.0 != nil || $0.1 != nil } ?? (nil, nil)
        }
    }

    static func spans(of path: String) throws(DatasetError) -> [LabeledSpan] {
        var spans: [LabeledSpan] = []
        for (position, entry) in try ImportedSet.decode([Entry].self, path).enumerated() {
            let place = "entry \(position + 1)"
            let extent: LabeledSpan.Extent
            switch (entry.start, entry.end) {
            case (nil, nil): extent = .whole
            case (let start?, let end?): extent = .seconds(start, end)
            case (let start, let end):
                throw DatasetError(
                    path: path, problem: .annotation(.badSpan(place: place, start.map { "\($0)" } ?? "", end.map { "\($0)" } ?? "")))
            }
            spans.append(try LabeledSpan(video: entry.video, label: entry.label, extent: extent, file: path, place: place))
        }
        return spans
    }
}
