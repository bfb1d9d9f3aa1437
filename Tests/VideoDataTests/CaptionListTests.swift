import Files
import Foundation
import Testing

import VideoData

/// Lists of captions: reliability's cases A1, A4 to A8 in the form of CSV, and MSR-VTT's files.
@Suite struct CaptionListTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func read(_ text: String) throws -> CaptionList { try CaptionList.read(try folder.write("list.csv", text)) }

    @Test(arguments: [
        ("/etc/passwd,a", DatasetError.Problem.absolutePath("/etc/passwd")),
        ("../../x.mp4,a", .leavesRoot("../../x.mp4")),
        ("a/../../x.mp4,a", .leavesRoot("a/../../x.mp4")),
        ("http://host/x.mp4,a", .protocolName("http://host/x.mp4")),
        ("concat:a|b,a", .protocolName("concat:a|b")),
        ("\"a\nb.mp4\",a", .lineBreakInName("a\nb.mp4")),
        ("a.mp4", .fieldCount(found: 1, expected: 2)),
        ("a.mp4,a man, a dog", .fieldCount(found: 3, expected: 2)),
        ("a.mp4,", .emptyCaption),
        ("a.mp4,\" \t\"", .emptyCaption),
        (",a man", .noVideo),
        ("a.mp4,\"a man", .unclosedQuote),
        ("a.mp4,\"a\" man", .textAfterQuote),
        ("a.mp4," + String(repeating: "x", count: 4097), .textTooLong(limit: 4096)),
        (String(repeating: "x", count: 4097) + ".mp4,a", .textTooLong(limit: 4096)),
    ])
    func refusesWithTheLine(row: String, problem: DatasetError.Problem) {
        let found = datasetProblem { _ = try read("video,caption\nfine.mp4,a man walks\n\(row)\n") }
        #expect(found?.problem == problem && found?.line == 3)
        #expect(DatasetError(path: "l", problem: problem).exitStatus == .badData)
    }

    @Test(arguments: [
        ("", DatasetError.Problem.noCaptions), ("video,caption\n", .noCaptions),
        ("path,label\na,b\n", .captionHeader(found: ["path", "label"])), ("a.mp4 3\n", .captionHeader(found: ["a.mp4 3"])),
        ("video,caption\na\0,b\n", .zeroByte),
    ])
    func refusesTheWhole(text: String, problem: DatasetError.Problem) {
        #expect(datasetProblem { _ = try read(text) }?.problem == problem)
    }

    @Test func refusesWhatIsNotUTF8() throws {
        let path = try folder.write("latin.csv", Array("video,caption\na.mp4,caf".utf8) + [0xE9, 10])
        #expect(datasetProblem { _ = try CaptionList.read(path) }?.problem == .notUTF8)
        let parts = try folder.write("parts.csv", "video,start,end,caption\na.mp4,1,2,a man\n")
        #expect(datasetProblem { _ = try CaptionList.read(parts) }?.problem == .partsNotTaken(by: "whoever learns from captions"))
    }

    @Test func readsWhatIsMeant() throws {
        let list = try read(
            "\u{FEFF}Caption,source,Video\r\n\"a man, \"\"Bob\"\"\nwaves\",x,my videos/a b.mp4\r\nsomebody walks,y,c.mp4\r\n\r\nhe waves,z,my videos/a b.mp4")
        #expect(list.videos == ["my videos/a b.mp4", "c.mp4"])
        #expect(list.captions.map(\.text) == ["a man, \"Bob\"\nwaves", "somebody walks", "he waves"])
        #expect(list.captions.map(\.video) == [0, 1, 0])
        #expect(list.warnings.isEmpty)
        #expect(list.videoList.clips == [AnnotatedClip(path: "my videos/a b.mp4", label: 0), AnnotatedClip(path: "c.mp4", label: 1)])
        #expect(list.pairs.clips.map(\.label) == [0, 1, 2] && list.pairs.clips[2].path == "my videos/a b.mp4")
        // What is written reads back.
        let again = try CaptionList.read(try folder.write("again.csv", list.bytes))
        #expect(again.videos == list.videos && again.captions == list.captions)
    }

    @Test func tellsOfRepeatedRows() throws {
        let list = try read("video,caption\na.mp4,x\nb.mp4,x\na.mp4,x\na.mp4,x\n")
        #expect(list.warnings == [.repeatedCaptions(list: list.path, first: "x", line: 4, count: 2)])
        #expect(list.captions.count == 4)
    }

    /// Every prefix and every single changed byte either reads or is refused; nothing traps.
    @Test func damagedListsNeverTrap() throws {
        let bytes = Array("video,caption\n\"a \"\"b\"\".mp4\",\"one, two\"\r\nc.mp4,three\n".utf8)
        for cut in 0...bytes.count { _ = datasetProblem { _ = try CaptionList.read(try folder.write("cut.csv", Array(bytes[..<cut]))) } }
        for position in bytes.indices {
            for value in [UInt8(0), 10, 13, 34, 44, 0x80, 0xFF] {
                var damaged = bytes
                damaged[position] = value
                _ = datasetProblem { _ = try CaptionList.read(try folder.write("damaged.csv", damaged)) }
            }
        }
    }

    // MARK: MSR-VTT

    private static let object = """
        {"info": {"year": "2016"}, "videos": [{"category": 9, "video_id": "video1", "split": "train", "id": 1},
        {"video_id": "video2", "split": "validate"}, {"video_id": "video3", "split": "test"}, {"video_id": "video4", "split": "train"}],
        "sentences": [{"caption": "a, b", "video_id": "video1", "sen_id": 0}, {"caption": "c", "video_id": "video3"},
        {"caption": "d", "video_id": "video1"}, {"caption": "e", "video_id": "video2"}, {"caption": "f", "video_id": "video4"}]}
        """
    private static let test = "key,vid_key,video_id,sentence\nret0,msr3,video3,a person plugs in\r\nret1,msr4,video4,\"two, three\"\n"

    private func published(_ names: String...) throws -> ImportedCaptions {
        let files = try names.map { try PublishedFile(folder.path.appendingPath($0)) }
        #expect(try ImportedCaptions.takes(files))
        return try ImportedCaptions(files)
    }

    private func rows(_ set: ImportedCaptions, _ name: String) -> [String]? {
        set.parts.first { $0.name == name }.map { part in part.list.captions.map { "\(part.list.videos[$0.video]): \($0.text)" } }
    }

    @Test func theUsualFiles() throws {
        try folder.write("MSRVTT_data.json", Self.object)
        try folder.write("MSRVTT_JSFUSION_test.csv", Self.test)
        try folder.write("MSRVTT_train.9k.csv", "video_id\nvideo2\nvideo1\n")
        let set = try published("MSRVTT_data.json", "MSRVTT_JSFUSION_test.csv", "MSRVTT_train.9k.csv")
        #expect(set.parts.map(\.name) == ["train", "test"] && set.warnings.isEmpty && set.note == nil)
        #expect(rows(set, "train") == ["video1.mp4: a, b", "video1.mp4: d", "video2.mp4: e"])
        #expect(rows(set, "test") == ["video3.mp4: a person plugs in", "video4.mp4: two, three"])
    }

    @Test func otherCompanies() throws {
        try folder.write("data.json", Self.object)
        try folder.write("test.csv", Self.test)
        try folder.write("MSRVTT_train.7k.csv", "video_id\nvideo1\n")
        try folder.write("MSRVTT_train.9k.csv", "video_id\nvideo1\nvideo4\n")
        // By the splits of the data set itself.
        let alone = try published("data.json")
        #expect(alone.parts.map(\.name) == ["train", "val", "test"] && rows(alone, "val") == ["video2.mp4: e"])
        // All that is not tested on.
        let without = try published("data.json", "test.csv")
        #expect(without.note != nil && rows(without, "train") == ["video1.mp4: a, b", "video1.mp4: d", "video2.mp4: e"])
        let both = try published("data.json", "test.csv", "MSRVTT_train.7k.csv", "MSRVTT_train.9k.csv")
        #expect(both.parts.map(\.name) == ["train.7k", "train.9k", "test"])
        let error = #expect(throws: DatasetError.self) { try both.refuseSharedVideos(root: nil) }
        #expect(error?.description.contains("'video4.mp4' is also in ") == true)
        #expect(rows(try published("test.csv"), "test")?.count == 2)
    }

    @Test func refusesWhatDoesNotFit() throws {
        try folder.write("data.json", Self.object)
        try folder.write("unknown.csv", "video_id\nvideo1\nvideo9\n")
        let unknown = datasetProblem { _ = try published("data.json", "unknown.csv") }
        #expect(unknown?.problem == .unknownVideo("video9", file: "data.json") && unknown?.line == 3)
        let alone = datasetProblem { _ = try published("unknown.csv") }
        if case .needsFile = alone?.problem {} else { Issue.record("a list of videos alone has no captions") }
        try folder.write("climbs.csv", "key,vid_key,video_id,sentence\na,b,../x,c\n")
        #expect(datasetProblem { _ = try published("climbs.csv") }?.problem == .leavesRoot("../x"))
        try folder.write("cut.json", String(Self.object.prefix(300)))
        if case .notJSON = datasetProblem({ _ = try published("cut.json") })?.problem {} else { Issue.record("a cut file is no JSON") }
        try folder.write("list.txt", "a/b.mp4 0\n")
        let files = try ["data.json", "list.txt"].map { try PublishedFile(folder.path.appendingPath($0)) }
        if case .mixedForms = datasetProblem({ _ = try ImportedCaptions.takes(files) })?.problem {} else { Issue.record("classes and captions") }
        try folder.write("labels.json", "{\"Holding something\": \"0\"}")
        #expect(try PublishedFile(folder.path.appendingPath("labels.json")).form == .somethingLabels)
    }

    @Test func findsTheVideos() throws {
        try folder.write("data.json", Self.object)
        try folder.write("test.csv", Self.test)
        for video in ["videos/TrainValVideo/video1.mp4", "videos/video2.webm", "videos/video3.avi", "videos/video4.mp4"] { try folder.write(video) }
        var set = try published("data.json", "test.csv")
        try set.locate(in: VideoIndex(root: folder.path.appendingPath("videos")), skipsMissing: false)
        #expect(rows(set, "train") == ["TrainValVideo/video1.mp4: a, b", "TrainValVideo/video1.mp4: d", "video2.webm: e"])
        try FileManager.default.removeItem(atPath: folder.path.appendingPath("videos/video2.webm"))
        var fewer = try published("data.json", "test.csv")
        let index = try VideoIndex(root: folder.path.appendingPath("videos"))
        if case .videosNotFound(["video2.mp4"], 1, 2, _) = datasetProblem({ try fewer.locate(in: index, skipsMissing: false) })?.problem {
        } else { Issue.record("a missing video") }
        try fewer.locate(in: index, skipsMissing: true)
        #expect(rows(fewer, "train")?.count == 2)
    }

    // MARK: The pocket world

    /// Captions tell what the video maker drew, fit the pocket CLIP's 80 tokens, and are the same each time.
    @Test(arguments: [PocketCatalog.large(), .small()])
    func pocketCaptions(_ catalog: PocketCatalog) {
        let entries = catalog.train + catalog.test
        for entry in entries {
            #expect(entry.video.caption.contains(" figure \(catalog.classes[entry.label].name), "))
            #expect(("a photo of " + entry.video.caption).utf8.count <= 78)
        }
        let captions = catalog.test.map(\.video.caption)
        // Nearly all tell their video from the others.
        #expect(Set(captions).count > captions.count * 9 / 10)
    }

    @Test func pocketListsAreWrittenOnce() throws {
        let set = PocketDataSet(root: folder.path)
        try set.writeCaptions(of: .small())
        let list = try CaptionList.read(set.testCaptions)
        #expect(list.videos == PocketCatalog.small().test.map(\.path))
        #expect(list.captions.map(\.text) == PocketCatalog.small().test.map(\.video.caption))
        let before = try FileManager.default.attributesOfItem(atPath: set.testCaptions)[.modificationDate] as? Date
        try set.writeCaptions(of: .small())
        #expect(try FileManager.default.attributesOfItem(atPath: set.testCaptions)[.modificationDate] as? Date == before)
    }
}
