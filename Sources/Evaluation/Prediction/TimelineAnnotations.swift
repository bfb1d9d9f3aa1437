import Files
import Foundation
import VideoData

/// Time lines in the forms of annotation programs, in which people correct them. What was none of the classes is left out.
package struct TimelineAnnotations {
    private struct Part {
        let start: Double
        let end: Double
        let label: String
        let probability: Float
    }

    private let parts: [Part]
    private let names: [String]
    /// As it was named.
    private let video: String

    /// - Parameter names: of the classes.
    package init(_ segments: [TimelineSegment], names: [String], video: String) {
        parts = segments.compactMap { segment in
            segment.label.map { Part(start: segment.start, end: segment.end, label: names[$0], probability: segment.probability ?? 0) }
        }
        (self.names, self.video) = (names, video)
    }

    // MARK: In seconds

    /// ELAN's document with one tier.
    ///
    /// Source: https://www.mpi.nl/tools/elan/EAFv3.0.xsd.
    ///
    /// - Parameters:
    ///   - folder: where it will lie; a video there is named without its folder as well, so that both can be moved.
    ///   - date: that the document names. The video's, so that the same time line is the same file.
    package func elan(in folder: String, date: Date) -> String {
        let path = resolvedPath(video) ?? video
        let isBeside = (resolvedPath(folder) ?? folder).hasSameBytes(as: path.parentDirectory)
        let media = ["MEDIA_URL=\"file://\(path.percentEncodedPath)\"", "MIME_TYPE=\"\(Self.mediaType(of: path))\""]
            + (isBeside ? ["RELATIVE_MEDIA_URL=\"./\(path.lastPathComponent.percentEncodedPath)\""] : [])
        var lines = [
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            "<ANNOTATION_DOCUMENT AUTHOR=\"\" DATE=\"\(date.formatted(.iso8601))\" FORMAT=\"3.0\" VERSION=\"3.0\" "
                + "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:noNamespaceSchemaLocation=\"http://www.mpi.nl/tools/elan/EAFv3.0.xsd\">",
            "    <HEADER MEDIA_FILE=\"\" TIME_UNITS=\"milliseconds\">", "        <MEDIA_DESCRIPTOR \(media.joined(separator: " "))/>",
            "        <PROPERTY NAME=\"lastUsedAnnotationId\">\(parts.count)</PROPERTY>", "    </HEADER>", "    <TIME_ORDER>",
        ]
        for (index, part) in parts.enumerated() {
            for (place, time) in [part.start, part.end].enumerated() {
                lines.append("        <TIME_SLOT TIME_SLOT_ID=\"ts\(2 * index + place + 1)\" TIME_VALUE=\"\(Int((time * 1000).rounded()))\"/>")
            }
        }
        lines += ["    </TIME_ORDER>", "    <TIER LINGUISTIC_TYPE_REF=\"default-lt\" TIER_ID=\"labels\">"]
        for (index, part) in parts.enumerated() {
            lines += [
                "        <ANNOTATION>",
                "            <ALIGNABLE_ANNOTATION ANNOTATION_ID=\"a\(index + 1)\" TIME_SLOT_REF1=\"ts\(2 * index + 1)\" TIME_SLOT_REF2=\"ts\(2 * index + 2)\">",
                "                <ANNOTATION_VALUE>\(part.label.escapedForXML)</ANNOTATION_VALUE>", "            </ALIGNABLE_ANNOTATION>", "        </ANNOTATION>",
            ]
        }
        lines += ["    </TIER>", "    <LINGUISTIC_TYPE GRAPHIC_REFERENCES=\"false\" LINGUISTIC_TYPE_ID=\"default-lt\" TIME_ALIGNABLE=\"true\"/>", "</ANNOTATION_DOCUMENT>"]
        return lines.joined(separator: "\n") + "\n"
    }

    private static func mediaType(of path: String) -> String {
        switch path.lowercased().split(separator: ".").last ?? "" {
        case "mp4", "m4v": "video/mp4"
        case "mov", "qt": "video/quicktime"
        case "webm": "video/webm"
        case "mkv": "video/x-matroska"
        case "avi": "video/x-msvideo"
        case "mpg", "mpeg", "mpe", "vob", "m2v": "video/mpeg"
        default: "video/*"
        }
    }

    /// Create ML's array: the file's name, a label, a start and an end in seconds.
    ///
    /// Source: see `CreateMLImport` of the module VideoData.
    package func createML() throws -> String {
        struct Entry: Encodable {
            let video: String
            let label: String
            let start: Double
            let end: Double
        }
        return try Self.json(parts.map { Entry(video: video.lastPathComponent, label: $0.label, start: $0.start.inMilliseconds, end: $0.end.inMilliseconds) })
    }

    // MARK: In frames

    /// Frames that begin in a part; none for a part shorter than a frame.
    private func frames(of part: Part, _ times: [Double]) -> Range<Int>? {
        let first = times.partitionPoint { $0 < part.start - ClipPart.slackSeconds }
        let end = times.partitionPoint { $0 < part.end - ClipPart.slackSeconds }
        return first < end ? first..<end : nil
    }

    /// A task of Label Studio with the time line as prediction, for a `TimelineLabels` called "label" on a `Video` called
    /// "video". Frames count from 1, and ranges hold both their ends.
    ///
    /// Sources: https://labelstud.io/guide/predictions.html, https://labelstud.io/tags/timelinelabels.
    ///
    /// - Parameters:
    ///   - times: at which the video's frames begin, in seconds.
    ///   - version: of what predicted.
    package func labelStudio(times: [Double], version: String) throws -> String {
        try Self.json([LabelStudioTask(video: video, results: labelStudioResults(times: times), version: version)])
    }

    /// The results of a prediction, as Label Studio takes them.
    package func labelStudioResults(times: [Double], from name: String = "label", to object: String = "video") -> [LabelStudioResult] {
        parts.compactMap { part in frames(of: part, times).map { (part, $0) } }.enumerated().map { index, item in
            LabelStudioResult(
                id: "\(index + 1)", fromName: name, toName: object, type: "timelinelabels", score: item.0.probability,
                value: .init(ranges: [.init(start: item.1.lowerBound + 1, end: item.1.upperBound)], timelinelabels: [item.0.label], choices: nil))
        }
    }

    /// CVAT's document with a tag at each frame: the form in which its loader takes labels that have no place in the
    /// picture, for tasks of videos as well.
    ///
    /// Source: https://docs.cvat.ai/docs/other/xml_format/; `load_anno` in cvat/apps/dataset_manager/formats/cvat.py.
    package func cvat(times: [Double]) -> String {
        let name = video.lastPathComponent.escapedForXML
        var lines = [
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>", "<annotations>", "  <version>1.1</version>", "  <meta>", "    <task>", "      <name>\(name)</name>",
            "      <size>\(times.count)</size>", "      <mode>interpolation</mode>", "      <overlap>0</overlap>", "      <start_frame>0</start_frame>",
            "      <stop_frame>\(max(0, times.count - 1))</stop_frame>", "      <labels>",
        ]
        for name in names { lines.append("        <label><name>\(name.escapedForXML)</name><type>tag</type><attributes></attributes></label>") }
        lines += ["      </labels>", "    </task>", "    <source>\(name)</source>", "  </meta>"]
        for part in parts {
            for frame in frames(of: part, times) ?? 0..<0 {
                let digits = String(repeating: "0", count: max(0, 6 - "\(frame)".count)) + "\(frame)"
                lines.append("  <image id=\"\(frame)\" name=\"frame_\(digits)\"><tag label=\"\(part.label.escapedForXML)\" source=\"auto\"></tag></image>")
            }
        }
        return (lines + ["</annotations>"]).joined(separator: "\n") + "\n"
    }

    // MARK: Writing

    private static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
    }
}

/// One thing that was found, in Label Studio's words.
package struct LabelStudioResult: Encodable, Sendable {
    package struct Value: Encodable, Sendable {
        package struct Range: Encodable, Sendable {
            let start: Int
            let end: Int
        }

        let ranges: [Range]?
        let timelinelabels: [String]?
        let choices: [String]?
    }

    let id: String
    let fromName: String
    let toName: String
    let type: String
    let score: Float
    let value: Value

    private enum CodingKeys: String, CodingKey {
        case id, type, score, value
        case fromName = "from_name"
        case toName = "to_name"
    }

    init(id: String, fromName: String, toName: String, type: String, score: Float, value: Value) {
        (self.id, self.fromName, self.toName, self.type, self.score, self.value) = (id, fromName, toName, type, score, value)
    }

    /// A choice for the whole video.
    package init(choice: String, from name: String, to object: String, score: Float) {
        self.init(id: "1", fromName: name, toName: object, type: "choices", score: score, value: Value(ranges: nil, timelinelabels: nil, choices: [choice]))
    }
}

/// What a model says of a task, as Label Studio takes it.
package struct LabelStudioPrediction: Encodable, Sendable {
    let result: [LabelStudioResult]
    /// The mean over what was found; 0 where nothing was.
    let score: Float
    let modelVersion: String

    private enum CodingKeys: String, CodingKey {
        case result, score
        case modelVersion = "model_version"
    }

    package init(_ result: [LabelStudioResult], version: String) {
        self.result = result
        score = result.isEmpty ? 0 : result.reduce(0) { $0 + $1.score } / Float(result.count)
        modelVersion = version
    }
}

/// A task with a prediction.
private struct LabelStudioTask: Encodable {
    let data: [String: String]
    let predictions: [LabelStudioPrediction]

    init(video: String, results: [LabelStudioResult], version: String) {
        data = ["video": video]
        predictions = [LabelStudioPrediction(results, version: version)]
    }
}
