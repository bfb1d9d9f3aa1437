import Files
import Foundation

/// Time lines that `predict --save` has written as `.csv` or `.json`, or `--output` as `.jsonl`: answers to be learned
/// from once somebody has corrected them. Stretches that were none of the classes are left out.
///
/// An answer that is none of the classes has no label and no probability, and has none either once somebody has written a
/// class over its name. So such an answer counts where the file holds that class elsewhere; the others are counted and told.
struct TimelineImport {
    /// Columns of `predict --csv`; see `VideoAnswer.csvHeader` of the module Experiments.
    static let columns = ["video", "start", "end", "answer", "probability"]

    private(set) var spans: [LabeledSpan] = []
    /// By the name of the answer.
    private var leftOut: [String: Int] = [:]
    private let path: String

    var warnings: [DatasetWarning] {
        leftOut.isEmpty ? [] : [.noneOfTheClasses(file: path, names: leftOut.sorted { $0.key < $1.key }.map { (name: $0.key, count: $0.value) })]
    }

    /// - Returns: the answer's class; nil for none of them.
    private mutating func label(_ answer: String, isClass: Bool, known: Set<String>) -> String? {
        if isClass || known.contains(Self.plain(answer)) { return answer }
        leftOut[answer, default: 0] += 1
        return nil
    }

    /// As labels are compared.
    private static func plain(_ name: String) -> String { name.split(whereSeparator: \.isWhitespace).joined(separator: " ") }

    // MARK: JSON

    private struct Line: Decodable {
        struct Segment: Decodable {
            let start: Double
            let end: Double
            let answer: Answer
        }

        struct Window: Decodable {
            let answer: Answer?
            let scores: [Score]?
        }

        struct Answer: Decodable {
            /// Nil for none of the classes.
            let label: Int?
            let `class`: String
        }

        struct Score: Decodable {
            let `class`: String
        }

        let video: String
        let prompts: String?
        let segments: [Segment]?
        let windows: [Window]?
        let answer: Answer?
        let scores: [Score]?

        /// Classes that the line shows to be ones.
        var classes: [String] {
            let answers = (segments ?? []).map(\.answer) + (windows ?? []).compactMap(\.answer) + [answer].compactMap(\.self)
            let scores = (windows ?? []).flatMap { $0.scores ?? [] } + (self.scores ?? [])
            return answers.filter { $0.label != nil }.map(\.class) + scores.map(\.class)
        }

        /// What is needed once the classes are known.
        var answers: Line { Line(video: video, prompts: prompts, segments: segments, windows: nil, answer: answer, scores: nil) }
    }

    init(json path: String) throws(DatasetError) {
        self.path = path
        let bytes: [UInt8]
        do {
            bytes = try InputFile.contents(of: path, limit: ImportedSet.jsonByteLimit)
        } catch {
            throw DatasetError(path: path, problem: .file(error))
        }
        var known: Set<String> = []
        var lines: [(number: Int, line: Line)] = []
        for (number, text) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            guard text.contains(where: { $0 != 0x20 && $0 != 0x0D }) else { continue }
            guard let line = try? JSONDecoder().decode(Line.self, from: Data(text)) else {
                throw DatasetError(path: path, line: number + 1, problem: .notJSON(reason: "the line is not an answer of predict, or damaged"))
            }
            known.formUnion(line.classes.map(Self.plain))
            lines.append((number + 1, line.answers))
        }
        for (number, line) in lines {
            for segment in line.segments ?? [] {
                guard let label = label(segment.answer.class, isClass: segment.answer.label != nil, known: known) else { continue }
                spans.append(
                    try LabeledSpan(
                        video: line.video, label: label, extent: .seconds(segment.start, segment.end), file: path,
                        place: "the segment from \(segment.start) of line \(number)"))
            }
            if line.segments == nil, let answer = line.answer, let label = label(answer.class, isClass: answer.label != nil, known: known) {
                spans.append(try LabeledSpan(video: line.video, label: label, extent: .whole, file: path, place: "line \(number)"))
            }
        }
    }

    // MARK: CSV

    /// A row.
    private struct Window {
        let video: String
        let prompts: String
        /// Nil for the whole video.
        let bounds: (start: Double, end: Double)?
        let answer: String
        /// It has a probability.
        let isClass: Bool
        let line: Int
    }

    /// A window with its class, nil for none of them.
    private struct LabeledWindow {
        let start: Double
        let end: Double
        let label: String?
        let line: Int
        var middle: Double { (start + end) / 2 }
    }

    /// A row a window: windows may overlap, and each speaks for the time that is nearer to its middle than to those of its
    /// neighbors, as in the time line that they are of. Between windows that do not meet, as where rows were removed, lies
    /// a gap, which has no label.
    init(table path: String) throws(DatasetError) {
        self.path = path
        var known: Set<String> = []
        var rows: [Window] = []
        var places: [String: Int] = [:]
        try CSVReader.eachRecord(of: path, byteLimit: ImportedSet.jsonByteLimit) { record throws(DatasetError) in
            guard !places.isEmpty else {
                for (place, name) in record.fields.enumerated() { places[name.trimmingBlanks().lowercased()] = place }
                return
            }
            func field(_ name: String) -> String { places[name].flatMap { record.fields.indices.contains($0) ? record.fields[$0] : nil } ?? "" }
            guard record.fields.count == places.count else {
                throw DatasetError(path: path, line: record.line, problem: .fieldCount(found: record.fields.count, expected: places.count))
            }
            let isClass = !field("probability").isEmpty
            if isClass { known.insert(Self.plain(field("answer"))) }
            if !field("best_class").isEmpty { known.insert(Self.plain(field("best_class"))) }
            var bounds: (start: Double, end: Double)?
            if !field("start").isEmpty || !field("end").isEmpty {
                guard let start = Double(field("start")), let end = Double(field("end")), ClipPart(start: start, end: end) != nil else {
                    throw DatasetError(path: path, problem: .annotation(.badSpan(place: "line \(record.line)", field("start"), field("end"))))
                }
                bounds = (start, end)
            }
            rows.append(Window(video: field("video"), prompts: field("prompts"), bounds: bounds, answer: field("answer"), isClass: isClass, line: record.line))
        }
        var windows: [String: [LabeledWindow]] = [:]
        var order: [(key: String, video: String)] = []
        for row in rows {
            let label = label(row.answer, isClass: row.isClass, known: known)
            guard let bounds = row.bounds else {
                if let label { spans.append(try LabeledSpan(video: row.video, label: label, extent: .whole, file: path, place: "line \(row.line)")) }
                continue
            }
            let key = row.video + "\n" + row.prompts
            if windows[key] == nil { order.append((key, row.video)) }
            windows[key, default: []].append(LabeledWindow(start: bounds.start, end: bounds.end, label: label, line: row.line))
        }
        for (key, video) in order { spans += try Self.joined(windows[key] ?? [], video: video, path: path) }
    }

    private static func joined(_ rows: [LabeledWindow], video: String, path: String) throws(DatasetError) -> [LabeledSpan] {
        // People sort tables by other columns, too.
        let windows = rows.sorted { ($0.start, $0.end) < ($1.start, $1.end) }
        var segments: [(label: String?, start: Double, end: Double, line: Int)] = []
        /// Until when the window before speaks, where this one touches it.
        var touched: Double?
        for (index, window) in windows.enumerated() {
            let next = index + 1 < windows.count ? windows[index + 1] : nil
            let meetsNext = next.map { $0.start <= window.end } ?? false
            let end = meetsNext ? next.map { (window.middle + $0.middle) / 2 } ?? window.end : window.end
            if touched != nil, let last = segments.last, last.label == window.label {
                segments[segments.count - 1].end = end
            } else {
                segments.append((window.label, touched ?? window.start, end, window.line))
            }
            touched = meetsNext ? end : nil
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
            func number(_ name: String) throws -> Double? { try container.decodeIfPresent(Double.self, forKey: Key(stringValue: name)) }
            let key = videoKeys.first { container.contains(Key(stringValue: $0)) } ?? "video"
            video = try container.decode(String.self, forKey: Key(stringValue: key))
            label = try container.decode(String.self, forKey: Key(stringValue: "label"))
            // A time that is no number is refused: without it the label would be the whole video's.
            let times = try timeKeys.map { (try number($0.0), try number($0.1)) }
            (start, end) = times.first { $0.0 != nil || $0.1 != nil } ?? (nil, nil)
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
