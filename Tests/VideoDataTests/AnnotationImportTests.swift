import Files
import Foundation
import Testing

import VideoData

/// Files of annotation programs, in the form in which these write them.
@Suite struct AnnotationImportTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func annotations(_ files: [(String, String)], _ options: ImportedAnnotations.Options = .init()) throws -> ImportedAnnotations {
        var published: [PublishedFile] = []
        for (name, text) in files { published += try PublishedFile.files(at: try folder.write(name, text)) }
        #expect(ImportedAnnotations.takes(published))
        return try ImportedAnnotations(published, options: options)
    }

    /// `class start end` of each clip, paths before them where they differ.
    private func lines(_ set: ImportedSet) -> [String] {
        set.parts.flatMap(\.clips).map { "\($0.name) \(set.classes[$0.label])" }
    }

    private func lines(_ name: String, _ text: String, _ options: ImportedAnnotations.Options = .init()) throws -> [String] {
        lines(try annotations([(name, text)], options).set(in: nil, skipsMissing: false))
    }

    private func fault(_ name: String, _ text: String, _ options: ImportedAnnotations.Options = .init()) -> String? {
        do {
            return try lines(name, text, options).joined(separator: "\n")
        } catch {
            return "\(error)".replacing(folder.path + "/", with: "")
        }
    }

    // MARK: ELAN

    private static func eaf(media: String = "MEDIA_URL=\"file:///home/me/My%20videos/match.mp4\" MIME_TYPE=\"video/mp4\" RELATIVE_MEDIA_URL=\"./match.mp4\"", tiers: String) -> String {
        """
        <?xml version="1.0" encoding="UTF-8"?>
        <ANNOTATION_DOCUMENT AUTHOR="" DATE="2024-05-01T10:00:00+01:00" FORMAT="3.0" VERSION="3.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
            <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
                <MEDIA_DESCRIPTOR \(media)/>
                <PROPERTY NAME="lastUsedAnnotationId">3</PROPERTY>
            </HEADER>
            <TIME_ORDER>
                <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="0"/>
                <TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="1480"/>
                <TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="1480"/>
                <TIME_SLOT TIME_SLOT_ID="ts4"/>
                <TIME_SLOT TIME_SLOT_ID="ts5" TIME_VALUE="3200"/>
            </TIME_ORDER>
        \(tiers)
            <LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="default-lt" TIME_ALIGNABLE="true"/>
        </ANNOTATION_DOCUMENT>
        """
    }

    private static func tier(_ name: String, _ annotations: [(String, String, String)]) -> String {
        "<TIER LINGUISTIC_TYPE_REF=\"default-lt\" TIER_ID=\"\(name)\">"
            + annotations.enumerated().map { index, annotation in
                """
                <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a\(index + 1)" TIME_SLOT_REF1="\(annotation.0)" TIME_SLOT_REF2="\(annotation.1)">
                    <ANNOTATION_VALUE>\(annotation.2)</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
                """
            }.joined() + "</TIER>"
    }

    @Test func elanTiers() throws {
        let actions = Self.tier("actions", [("ts1", "ts2", "ride  bike"), ("ts3", "ts5", "a&amp;b"), ("ts1", "ts5", " ")])
        let notes = Self.tier("notes", [("ts1", "ts5", "blurred")])
        let translation = """
            <TIER LINGUISTIC_TYPE_REF="t" PARENT_REF="actions" TIER_ID="fr"><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a9" ANNOTATION_REF="a1">
            <ANNOTATION_VALUE>velo</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER>
            """
        let expected = ["match.mp4 0.0 1.48 ride bike", "match.mp4 1.48 3.2 a&b"]
        #expect(try lines("a.eaf", Self.eaf(tiers: actions + Self.tier("empty", []) + translation)) == expected)
        #expect(try lines("a.eaf", Self.eaf(tiers: actions + notes), .init(tier: "actions")) == expected)
        #expect(fault("a.eaf", Self.eaf(tiers: actions + notes)) == "a.eaf: has several tiers with annotations: 'actions', 'notes'. Choose one with --tier.")
        #expect(fault("a.eaf", Self.eaf(tiers: actions + notes), .init(tier: "fr")) == "a.eaf: has no tier 'fr' with annotations in time; it has 'actions', 'notes'.")
        #expect(fault("a.eaf", Self.eaf(tiers: Self.tier("x", [("ts1", "ts4", "walk")])))?.contains("annotation a1 of line") == true)
        #expect(fault("a.eaf", Self.eaf(tiers: Self.tier("x", [("ts5", "ts1", "walk")])))?.contains("goes from '3.2' to '0.0'") == true)
    }

    @Test func elanMedia() throws {
        let walk = Self.tier("x", [("ts1", "ts2", "walk")])
        #expect(try lines("a.eaf", Self.eaf(media: "MEDIA_URL=\"file:///C:/My%20videos/a%20b.mp4\" MIME_TYPE=\"video/mp4\"", tiers: walk)) == ["My videos/a b.mp4 0.0 1.48 walk"])
        // The annotations' time begins half a second into this video.
        #expect(try lines("a.eaf", Self.eaf(media: "MEDIA_URL=\"file:///a.mpg\" MIME_TYPE=\"video/mpeg\" TIME_ORIGIN=\"500\"", tiers: walk)) == ["a.mpg 0.5 1.98 walk"])
        let sound = "MEDIA_URL=\"file:///a.wav\" MIME_TYPE=\"audio/x-wav\"/><MEDIA_DESCRIPTOR MEDIA_URL=\"file:///b.mp4\" MIME_TYPE=\"video/mp4\""
        #expect(try lines("a.eaf", Self.eaf(media: sound, tiers: walk)) == ["b.mp4 0.0 1.48 walk"])
        #expect(fault("a.eaf", Self.eaf(tiers: walk).replacing("milliseconds", with: "PAL-frames"))?.contains("counts time in 'PAL-frames'") == true)
    }

    @Test func elanFilesOfSeveralVideosAreOneList() throws {
        let (a, b) = (Self.eaf(tiers: Self.tier("x", [("ts1", "ts2", "walk")])), Self.eaf(media: "MEDIA_URL=\"file:///b.mp4\" MIME_TYPE=\"video/mp4\"", tiers: Self.tier("x", [("ts1", "ts2", "jump")])))
        let set = try annotations([("a.eaf", a), ("b.eaf", b)]).set(in: nil, skipsMissing: false)
        #expect(set.parts.map(\.name) == ["train"] && set.classes.names == ["jump", "walk"] && set.kind == "ELAN annotations")
        #expect(lines(set) == ["match.mp4 0.0 1.48 walk", "b.mp4 0.0 1.48 jump"])
        // Names beside them number the classes, and no other will do.
        #expect(try annotations([("a.eaf", a), ("labels.csv", "id,name\n0,walk\n1,jump\n")]).classes.names == ["walk", "jump"])
        #expect(throws: DatasetError.self) { try annotations([("b.eaf", b), ("labels.csv", "id,name\n0,walk\n1,jumps\n")]) }
        #expect(throws: DatasetError.self) { try annotations([("a.eaf", a), ("c.json", "[{\"video\": \"a.mp4\", \"label\": \"x\"}]")]) }
    }

    @Test func hostileXMLIsRefused() {
        let laughs = "<!DOCTYPE a [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;\">]>"
        let text = Self.eaf(tiers: Self.tier("x", [("ts1", "ts2", "&lol2;")]))
        #expect(fault("a.eaf", text.replacing("?>", with: "?>\n\(laughs)"))
            == "a.eaf:2: is not the expected XML: it declares a document type (<!DOCTYPE), which is not read. Remove that declaration.")
        #expect(fault("a.eaf", String(text.prefix(1500)))?.hasPrefix("a.eaf:") == true)
        #expect(fault("a.eaf", "<x><ANNOTATION_DOCUMENT/></x>")?.contains("its outermost element is <x>, and <ANNOTATION_DOCUMENT> is expected") == true)
    }

    // MARK: Label Studio

    /// Of Label Studio 1.13: https://labelstud.io/guide/export.html and https://labelstud.io/tags/timelinelabels.
    private static func task(_ id: Int, video: String = "/data/upload/1/0b9ca1e4-match.mp4", annotations: [String], predictions: [String] = []) -> String {
        func annotation(_ result: String) -> String {
            "{\"id\": 1, \"completed_by\": 1, \"result\": [\(result)], \"was_cancelled\": false, \"ground_truth\": false, \"lead_time\": 3.5}"
        }
        return "{\"id\": \(id), \"annotations\": [\(annotations.map(annotation).joined(separator: ","))], \"file_upload\": \"0b9ca1e4-match.mp4\", "
            + "\"predictions\": [\(predictions.map(annotation).joined(separator: ","))], \"data\": {\"video\": \"\(video)\", \"fps\": 25}, \"meta\": {}}"
    }

    private static func range(_ start: Int, _ end: Int, _ label: String) -> String {
        "{\"value\": {\"ranges\": [{\"start\": \(start), \"end\": \(end)}], \"timelinelabels\": [\"\(label)\"]}, \"id\": \"Xo9\", \"from_name\": \"label\", "
            + "\"to_name\": \"video\", \"type\": \"timelinelabels\", \"origin\": \"manual\"}"
    }

    private static let choice = "{\"value\": {\"choices\": [\"walk\"]}, \"from_name\": \"c\", \"to_name\": \"video\", \"type\": \"choices\"}"
    private static let box =
        "{\"value\": {\"framesCount\": 100, \"duration\": 4, \"sequence\": [{\"frame\": 1, \"x\": 1, \"y\": 1, \"width\": 5, \"height\": 5}], \"labels\": [\"man\"]}, \"type\": \"videorectangle\"}"

    @Test func labelStudioTasks() throws {
        let tasks = [
            Self.task(1, annotations: [Self.range(1, 25, "ride bike") + "," + Self.range(26, 26, "jump") + "," + Self.box]),
            Self.task(2, video: "/data/local-files/?d=walk/a%20b.mp4", annotations: [Self.choice]), Self.task(3, annotations: []),
            Self.task(4, video: "s3://bucket/walk/c.mp4?versionId=1", annotations: [], predictions: [Self.range(1, 50, "walk")]),
            Self.task(5, video: "https://host/d.mp4", annotations: ["{\"value\": {\"start\": 1.5, \"end\": 2.5, \"labels\": [\"sing\"]}, \"type\": \"labels\"}"]),
        ]
        let set = try annotations([("export.json", "[\(tasks.joined(separator: ", "))]")], .init(frameRate: 25)).set(in: nil, skipsMissing: false)
        #expect(lines(set) == [
            "match.mp4 0.0 1.0 ride bike", "match.mp4 1.0 1.04 jump", "walk/a b.mp4 walk", "walk/c.mp4 0.0 2.0 walk", "d.mp4 1.5 2.5 sing",
        ])
        #expect(set.warnings.map(\.description).contains { $0.hasSuffix("passed over, as it gives a video no label in time: videorectangle (1).") })
    }

    /// What Label Studio 1.23 wrote of a project whose task had a prediction.
    private static let exported = """
        [{"id":1,"annotations":[{"id":1,"completed_by":1,"result":[{"from_name":"tl","id":"1","score":0.92126083,"to_name":"v","type":"timelinelabels",\
        "value":{"ranges":[{"end":50,"start":1}],"timelinelabels":["circle"]}}],"was_cancelled":false,"ground_truth":false,"lead_time":null,"prediction":{},\
        "result_count":1,"import_id":null,"last_action":null,"bulk_created":false,"task":1,"project":2,"updated_by":1,"parent_prediction":null,\
        "parent_annotation":null,"last_created_by":null}],"file_upload":"f6b13973-clapping.mp4","drafts":[],"predictions":[1],\
        "data":{"video":"\\/data\\/upload\\/2\\/f6b13973-clapping.mp4"},"meta":{}}]
        """

    @Test func labelStudioNamesPredictionsByNumber() throws {
        #expect(try lines("export.json", Self.exported, .init(frameRate: 25)) == ["clapping.mp4 0.0 2.0 circle"])
    }

    /// The other forms in which it exported the same project.
    @Test(arguments: [
        ("a.json", "[\n{\n  \"video\": \"\\/data\\/a.mp4\",\n  \"id\": 1,\n  \"tl\": [],\n  \"annotator\": 1,\n  \"annotation_id\": 1\n}\n]", "JSON-MIN"),
        ("a.csv", "\"annotation_id\",\"annotator\",\"created_at\",\"id\",\"lead_time\",\"tl\",\"updated_at\",\"video\"\n1,\"1\",\"2026\",1,\"\",\"[]\",\"2026\",\"/data/a.mp4\"\n", "CSV"),
    ])
    func labelStudioShortForms(_ name: String, _ text: String, _ form: String) {
        #expect(fault(name, text)?.contains("is Label Studio's \(form), which") == true, "\(fault(name, text) ?? "")")
    }

    @Test(arguments: [
        (task(7, annotations: [range(1, 5, "a"), range(2, 6, "a")]), "task 7 was annotated 2 times. Mark one annotation as ground truth"),
        (task(7, annotations: [range(0, 5, "a")]), "task 7 goes from 'frame 0.0' to 'frame 5.0'"),
        (task(7, annotations: [range(6, 5, "a")]), "task 7 goes from 'frame 6.0' to 'frame 5.0'"),
        (task(7, annotations: [range(1, 5, " ")]), "task 7 has no label"),
        (task(7, video: "", annotations: [range(1, 5, "a")]), "task 7 names no video"),
        (task(7, annotations: [choice.replacing("\"walk\"", with: "\"walk\", \"run\"")]), "task 7 has several choices for the whole video: 'walk', 'run'"),
        (task(7, annotations: [choice + "," + choice.replacing("walk", with: "run")]), "task 7 has several choices for the whole video: 'walk', 'run'"),
        (task(7, annotations: [choice.replacing("\"choices\"", with: "\"start\": 1, \"choices\"", maxReplacements: 1)]), "task 7 goes from '1.0' to ''"),
        (task(7, annotations: [range(1, 5, "a")]), "counts frames, whose times only the videos tell. Say with --root"),
        (task(7, annotations: [range(1, 5, "a")]) + "x", "is not the expected JSON"),
    ])
    func labelStudioFaults(_ task: String, _ words: String) {
        #expect(fault("export.json", "[\(task)]")?.contains(words) == true, "\(fault("export.json", "[\(task)]") ?? "")")
    }

    /// Beside the frames or seconds that a choice is for.
    @Test func labelStudioChoicesOfParts() throws {
        let seconds = Self.choice.replacing("\"choices\"", with: "\"start\": 1, \"end\": 2.5, \"choices\"", maxReplacements: 1)
        let frames = Self.choice.replacing("\"choices\"", with: "\"ranges\": [{\"start\": 1, \"end\": 50}], \"choices\"", maxReplacements: 1)
        #expect(try lines("export.json", "[\(Self.task(1, annotations: [seconds + "," + frames]))]", .init(frameRate: 25))
            == ["match.mp4 1.0 2.5 walk", "match.mp4 0.0 2.0 walk"])
    }

    /// A small file with more labels than are taken.
    @Test func labelsAreCountedAsTheyAreRead() {
        let ranges = [String](repeating: "{\"start\": 1, \"end\": 2}", count: 1001).joined(separator: ",")
        let labels = [String](repeating: "\"a\"", count: 1000).joined(separator: ",")
        let result = "{\"value\": {\"ranges\": [\(ranges)], \"timelinelabels\": [\(labels)]}, \"type\": \"timelinelabels\"}"
        #expect(fault("export.json", "[\(Self.task(1, annotations: [result]))]", .init(frameRate: 25))?.contains("more than 1000000 labels") == true)
    }

    // MARK: CVAT

    /// Of CVAT 2.7: https://docs.cvat.ai/docs/other/xml_format/.
    private static let cvat = """
        <?xml version="1.0" encoding="utf-8"?>
        <annotations>
          <version>1.1</version>
          <meta>
            <task><id>5</id><name>my task</name><size>50</size><mode>interpolation</mode><labels><label><name>walk</name><attributes></attributes></label></labels></task>
            <dumped>2024-05-01 10:00:00.000000+00:00</dumped>
            <source>match.mp4</source>
          </meta>
          <track id="0" label="walk" source="manual">
            <box frame="5" keyframe="1" outside="0" occluded="0" xtl="1.00" ytl="1.00" xbr="9.00" ybr="9.00" z_order="0"></box>
            <box frame="6" keyframe="0" outside="0" occluded="0" xtl="1.00" ytl="1.00" xbr="9.00" ybr="9.00" z_order="0"></box>
            <box frame="10" keyframe="1" outside="1" occluded="0" xtl="1.00" ytl="1.00" xbr="9.00" ybr="9.00" z_order="0"></box>
            <polygon frame="20" keyframe="1" outside="0" occluded="0" points="1,1;2,2;3,3" z_order="0"></polygon>
            <polygon frame="24" keyframe="1" outside="0" occluded="0" points="1,1;2,2;3,3" z_order="0"></polygon>
          </track>
          <image id="0" name="frame_000000"><tag label="jump" source="manual"></tag></image>
          <image id="1" name="frame_000001"><tag label="jump" source="manual"></tag></image>
          <tag frame="7" label="jump"/>
        </annotations>
        """

    @Test func cvatTracksAndTags() throws {
        #expect(try lines("annotations.xml", Self.cvat, .init(frameRate: 10)) == [
            "match.mp4 0.5 1.0 walk", "match.mp4 2.0 2.5 walk", "match.mp4 0.0 0.2 jump", "match.mp4 0.7 0.8 jump",
        ])
        let named = Self.cvat.replacing("<source>match.mp4</source>", with: "")
        #expect(try lines("annotations.xml", named, .init(frameRate: 10))[0] == "my task 0.5 1.0 walk")
        #expect(fault("annotations.xml", Self.cvat.replacing("frame=\"5\"", with: "frame=\"-5\""))?.contains("the track of line 9 is at frame '-5'. Frames are whole numbers") == true)
        #expect(fault("annotations.xml", Self.cvat)?.contains("or with --frame-rate") == true)
        #expect(fault("annotations.xml", Self.cvat, .init(tier: "x"))?.contains("--tier is about ELAN files") == true)
    }

    // MARK: Frames and videos

    /// The times of frames are those of the video's own stamps.
    @Test func framesAreTimedByTheVideo() throws {
        try createDirectory(folder.path.appendingPath("videos"))
        let path = folder.path.appendingPath("videos/match.mp4")
        try ffmpeg(pattern(96, 64, frames: 50) + ["-vf", "setpts='(N+floor(N*N/20))/(25*TB)'", "-vsync", "vfr", "-c:v", "libx264", path])
        let times = try openVideo(path).times
        let index = try VideoIndex(root: folder.path.appendingPath("videos"))
        let set = try annotations([("annotations.xml", Self.cvat)]).set(in: index, skipsMissing: false)
        let parts = set.parts[0].clips.compactMap(\.part)
        let ranges = [5..<10, 20..<25, 0..<2, 7..<8]
        #expect(parts.count == 4)
        for (part, range) in zip(parts, ranges) {
            #expect(abs(part.start - times[range.lowerBound]) < 1e-6 && abs(part.end - times[range.upperBound]) < 1e-6)
            #expect(try openVideo(path).frames(of: part, path: path) == range)
        }
        let beyond = Self.cvat.replacing("frame=\"24\"", with: "frame=\"50\"")
        let error = #expect(throws: DatasetError.self) { try annotations([("annotations.xml", beyond)]).set(in: index, skipsMissing: false) }
        #expect(error?.description.contains("names frame 50 of 'match.mp4', counted from 0, which has 50") == true)
        // Up to the last frame.
        let whole = Self.cvat.replacing("frame=\"24\"", with: "frame=\"49\"")
        let last = try annotations([("annotations.xml", whole)]).set(in: index, skipsMissing: false).parts[0].clips[1].part
        #expect(try openVideo(path).frames(of: last, path: path) == 20..<50)
    }

    @Test func videosAreLookedFor() throws {
        for name in ["videos/deep/match.mp4", "videos/walk/c.mp4"] { try folder.write(name, name) }
        let index = try VideoIndex(root: folder.path.appendingPath("videos"))
        let entries = ["/mnt/disk/match.mp4", "walk/c.mp4", "none.mp4"].map { "{\"video\": \"\($0)\", \"label\": \"x\", \"start\": 0.5, \"end\": 1.5}" }
        let read = try annotations([("a.json", "[\(entries.joined(separator: ","))]")])
        #expect(throws: DatasetError.self) { try read.set(in: index, skipsMissing: false) }
        let set = try read.set(in: index, skipsMissing: true)
        #expect(lines(set) == ["deep/match.mp4 0.5 1.5 x", "walk/c.mp4 0.5 1.5 x"])
        #expect(set.warnings.map(\.description).contains { $0.contains("1 of 3 videos are missing and left out") })
    }

    // MARK: Create ML, and our own

    @Test func createML() throws {
        let text = """
            [{"video": "a.mp4", "label": "walk", "start": 0.0, "end": 2.5}, {"video": "b.mp4", "label": "jump"},
             {"label": "walk", "end": 3, "start": 2, "video": "a.mp4"}]
            """
        #expect(try lines("a.json", text) == ["a.mp4 0.0 2.5 walk", "b.mp4 jump", "a.mp4 2.0 3.0 walk"])
        #expect(try lines("a.json", "[{\"videoPath\": \"a.mp4\", \"label\": \"walk\", \"startTime\": 1, \"endTime\": 2}]") == ["a.mp4 1.0 2.0 walk"])
        #expect(fault("a.json", "[{\"video\": \"a.mp4\", \"label\": \"walk\", \"start\": 1}]")?.contains("entry 1 goes from '1.0' to ''") == true)
        #expect(fault("a.json", "[{\"video\": \"a.mp4\", \"label\": \"walk\", \"start\": 2, \"end\": 1}]")?.contains("entry 1 goes from '2.0' to '1.0'") == true)
        #expect(fault("a.json", "[{\"video\": \"a.mp4\", \"label\": \"walk\", \"start\": \"1.5\", \"end\": \"2\"}]")?.contains("1.start is of another kind") == true)
        #expect(fault("a.json", "[{\"video\": \"../a.mp4\", \"label\": \"walk\"}]") == "a.mp4 walk")
        // Its CSV is a table that lists may have.
        let list = try ImportedSet(try PublishedFile.files(at: try folder.write("train.csv", "videoPath,label,start,end\na.mp4,walk,0,2.5\na.mp4,jump,3,4\n")))
        #expect(lines(list) == ["a.mp4 0.0 2.5 walk", "a.mp4 3.0 4.0 jump"])
    }

    @Test func timeLinesOfPredict() throws {
        let table = """
            video,prompts,start,end,answer,probability,best_class,best_probability
            in/a.mp4,,0.0,2.0,walk,0.9,walk,0.9
            in/a.mp4,,1.0,3.0,walk,0.8,walk,0.8
            in/a.mp4,,2.0,4.0,none of these,,walk,0.3
            in/a.mp4,,3.0,5.0,jump,0.7,jump,0.7
            in/b.mp4,,,,jump,0.7,jump,0.7
            in/c.mp4,,,,none of these,,jump,0.2

            """
        #expect(try lines("a.csv", table) == ["in/b.mp4 jump", "in/a.mp4 0.0 2.5 walk", "in/a.mp4 3.5 5.0 jump"])
        let answers = """
            {"schema":1,"seconds":5,"segments":[{"answer":{"class":"walk","label":0,"probability":0.85},"end":2.5,"start":0},{"answer":{"class":"none of these"},"end":3.5,"start":2.5}],"video":"in/a.mp4","windows":[]}
            {"answer":{"class":"jump","label":1,"probability":0.7},"schema":1,"scores":[],"video":"in/b.mp4"}
            {"error":"x","schema":1,"status":65,"video":"in/c.mp4"}

            """
        #expect(try lines("a.json", answers) == ["in/a.mp4 0.0 2.5 walk", "in/b.mp4 jump"])
        #expect(fault("a.json", answers + "{\"schema\":\n")?.contains("a.json:4: is not the expected JSON") == true)
        let told = try annotations([("a.csv", table)]).set(in: nil, skipsMissing: false).warnings.map(\.description)
        #expect(told.contains { $0.contains("none of the classes: 'none of these' (2).") })
    }

    /// Keys are sorted, so that the video stands behind 64 KiB of segments.
    @Test func longTimeLines() throws {
        let segments = (0..<2000).map { "{\"answer\":{\"class\":\"walk\",\"label\":0,\"probability\":0.85},\"end\":\($0 + 1),\"start\":\($0)}" }
        let line = "{\"schema\":1,\"seconds\":2000,\"segments\":[\(segments.joined(separator: ","))],\"video\":\"a.mp4\",\"windows\":[]}\n"
        #expect(line.utf8.count > 1 << 16)
        #expect(try lines("a.json", line).count == 2000)
    }

    /// Somebody has written a class over "none of these", which has no probability and no label.
    @Test func correctedAnswersThatWereNone() throws {
        let header = "video,prompts,start,end,answer,probability,best_class,best_probability\n"
        let rows = ["a.mp4,,0.0,1.0,walk,,jump,0.3", "a.mp4,,1.0,2.0,jump,0.9,jump,0.9", "a.mp4,,2.0,3.0,none of these,,walk,0.2", "b.mp4,,,,dance,,walk,0.2"]
        let table = header + rows.joined(separator: "\n") + "\n"
        #expect(try lines("a.csv", table) == ["a.mp4 0.0 1.0 walk", "a.mp4 1.0 2.0 jump"])
        let told = try annotations([("a.csv", table)]).set(in: nil, skipsMissing: false).warnings.map(\.description)
        #expect(told.contains { $0.contains("'dance' (1), 'none of these' (1).") })
        let answers = """
            {"answer":{"class":"walk"},"schema":1,"scores":[{"class":"jump","label":1,"probability":0.3}],"video":"a.mp4"}
            {"answer":{"class":"none of these"},"schema":1,"scores":[{"class":"walk","label":0,"probability":0.3}],"video":"b.mp4"}

            """
        #expect(try lines("a.json", answers) == ["a.mp4 walk"])
    }

    /// Rows in any order, and some of them removed: what no window shows has no label.
    @Test func tablesWithGaps() throws {
        let rows = ["6.0,8.0,walk", "1.0,3.0,walk", "2.0,4.0,jump"].map { "a.mp4,\($0),0.9" }
        #expect(try lines("a.csv", "video,start,end,answer,probability\n" + rows.joined(separator: "\n") + "\n")
            == ["a.mp4 1.0 2.5 walk", "a.mp4 2.5 4.0 jump", "a.mp4 6.0 8.0 walk"])
    }

    // MARK: Files

    /// Create ML's annotations of a video in which nothing was found.
    @Test func emptyArraysAreLeftOut() throws {
        let set = try annotations([("a.json", "[{\"video\": \"a.mp4\", \"label\": \"walk\"}]")]).set(in: nil, skipsMissing: false)
        #expect(lines(set) == ["a.mp4 walk"])
        let files = try ["a.json": "[{\"video\": \"a.mp4\", \"label\": \"walk\"}]", "b.json": "[\n\n]\n"].sorted { $0.key < $1.key }.flatMap {
            try PublishedFile.files(at: try folder.write($0.key, $0.value))
        }
        let both = try ImportedAnnotations(files, options: .init()).set(in: nil, skipsMissing: false)
        #expect(lines(both) == ["a.mp4 walk"])
        #expect(both.warnings.map(\.description).contains { $0.hasSuffix("b.json: names no classes; it is skipped.") })
    }

    @Test func foreignFilesOfAFolderArePassedOver() throws {
        try folder.write("set/a.json", "[{\"video\": \"a.mp4\", \"label\": \"walk\"}]")
        let others = [try folder.write("set/build.xml", "<project/>"), try folder.write("set/log.jsonl", "{\"time\": 1}\n")]
        #expect(try PublishedFile.files(at: folder.path.appendingPath("set")).map(\.path.lastPathComponent) == ["a.json"])
        #expect(throws: DatasetError.self) { try PublishedFile.files(at: others[0]) }
    }
}
