import Evaluation
import Files
import Foundation
import TestSupport
import Testing
import VideoData

/// Time lines that are written for annotation programs come back as the parts that they are of.
@Suite struct TimelineAnnotationTests {
    private let folder: TemporaryDirectory
    private let path: String
    private let names = ["ride bike", "a<b & \"c\"", "jump"]
    private let segments = [
        TimelineSegment(start: 0, end: 1.2104, label: 0, probability: 0.75, windows: 0..<1),
        TimelineSegment(start: 1.2104, end: 2.0167, label: nil, probability: nil, windows: 1..<2),
        TimelineSegment(start: 2.0167, end: 3.3, label: 1, probability: 0.5, windows: 2..<3),
        TimelineSegment(start: 3.3, end: 4, label: 0, probability: 0.25, windows: 3..<4),
    ]

    init() throws {
        folder = try TemporaryDirectory()
        path = folder.path("videos/my match.mp4")
        try createDirectory(folder.path("videos"))
        var writer = try VideoWriter(path: path, width: 48, height: 40, framesPerSecond: 25)
        for frame in 0..<100 { try writer.append([UInt8](repeating: UInt8(frame), count: 48 * 40 * 3)) }
        try writer.finish()
    }

    private var annotations: TimelineAnnotations { TimelineAnnotations(segments, names: names, video: path) }

    private func imported(_ text: String, as name: String, _ options: ImportedAnnotations.Options = .init()) throws -> [(path: String, name: String, part: ClipPart)] {
        try folder.write(text, to: name)
        let set = try ImportedAnnotations(try PublishedFile.files(at: folder.path(name)), options: options)
            .set(in: try VideoIndex(root: folder.path("videos")), skipsMissing: false)
        return try set.parts[0].clips.map { ($0.path, set.classes[$0.label], try #require($0.part)) }
    }

    private func expectSame(_ found: [(path: String, name: String, part: ClipPart)], within tolerance: Double, sourceLocation: SourceLocation = #_sourceLocation) {
        let expected = segments.filter { $0.label != nil }
        #expect(found.map(\.name) == expected.map { names[$0.label ?? 0] } && Set(found.map(\.path)) == ["my match.mp4"], sourceLocation: sourceLocation)
        for (part, segment) in zip(found.map(\.part), expected) {
            #expect(abs(part.start - segment.start) <= tolerance && abs(part.end - segment.end) <= tolerance, "\(part)", sourceLocation: sourceLocation)
        }
    }

    @Test func elan() throws {
        let text = annotations.elan(in: folder.path("videos"), date: Date(timeIntervalSince1970: 0))
        expectSame(try imported(text, as: "a.eaf"), within: 0.000501)
        #expect(text.contains("DATE=\"1970-01-01T00:00:00Z\"") && text.contains("RELATIVE_MEDIA_URL=\"./my%20match.mp4\""))
        #expect(annotations.elan(in: folder.path("."), date: Date()).contains("RELATIVE") == false)
        // The order of elements and the attributes that EAFv3.0.xsd demands.
        let document = try XMLTree.read(Array(text.utf8))
        #expect(document.children.map(\.name) == ["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE"])
        for name in ["DATE", "AUTHOR", "VERSION"] { #expect(document[name] != nil) }
        let slots = Set(try #require(document.first("TIME_ORDER")).children.compactMap { $0["TIME_SLOT_ID"] })
        let tier = try #require(document.first("TIER"))
        #expect(tier["LINGUISTIC_TYPE_REF"] == document.first("LINGUISTIC_TYPE")?["LINGUISTIC_TYPE_ID"] && slots.count == 6)
        for annotation in tier.children.flatMap(\.children) {
            #expect(slots.contains(annotation["TIME_SLOT_REF1"] ?? "") && slots.contains(annotation["TIME_SLOT_REF2"] ?? ""))
        }
    }

    @Test func createML() throws {
        expectSame(try imported(try annotations.createML(), as: "a.json"), within: 0.000501)
    }

    /// Within a frame, and frames are counted as each program counts them.
    @Test func labelStudio() throws {
        let times = try openVideo(path).times
        let text = try annotations.labelStudio(times: times, version: "1")
        for options in [ImportedAnnotations.Options(), .init(frameRate: 25)] { expectSame(try imported(text, as: "a.json", options), within: 0.0401) }
        let tasks = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]])
        let prediction = try #require((tasks[0]["predictions"] as? [[String: Any]])?.first)
        let results = try #require(prediction["result"] as? [[String: Any]])
        // Frames 0 to 30 begin before 1.2104 s; 50.4 frames are 2.0167 s.
        #expect(results.map { (($0["value"] as? [String: Any])?["ranges"] as? [[String: Int]])?.first } == [
            ["start": 1, "end": 31], ["start": 52, "end": 83], ["start": 84, "end": 100],
        ])
        #expect(prediction["score"] as? Double == 0.5 && prediction["model_version"] as? String == "1")
        #expect((tasks[0]["data"] as? [String: String])?["video"] == path)
    }

    @Test func cvat() throws {
        let times = try openVideo(path).times
        let text = annotations.cvat(times: times)
        // By label, then by frame, as tags are.
        let found = try imported(text, as: "a.xml").sorted { $0.part.start < $1.part.start }
        expectSame(found, within: 0.0401)
        let document = try XMLTree.read(Array(text.utf8))
        #expect(document.children.prefix(2).map(\.name) == ["version", "meta"] && document.all("image").count == 31 + 32 + 17)
        let labels = document.first("meta")?.first("task")?.first("labels")?.all("label").compactMap { $0.first("name")?.text }
        #expect(labels == names)
    }

    /// A part shorter than a frame, in which none begins.
    @Test func noFrameBeginsInSomeParts() throws {
        let short = [TimelineSegment(start: 0.05, end: 0.07, label: 0, probability: 1, windows: 0..<1)]
        let annotations = TimelineAnnotations(short, names: names, video: path)
        #expect(annotations.labelStudioResults(times: [0, 0.04, 0.08]).isEmpty)
    }
}
