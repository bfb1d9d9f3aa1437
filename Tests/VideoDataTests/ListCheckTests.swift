import Files
import Glibc
import TestSupport
import Testing

import VideoData

/// What would make a result false, found in lists.
@Suite struct ListCheckTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func list(_ name: String, _ text: String) throws -> AnnotationList {
        try AnnotationList.read(try folder.write(text, to: name))
    }

    private func video(_ name: String, _ bytes: [UInt8]) throws {
        try createDirectory(folder.path(name).parentDirectory)
        try folder.write(bytes, to: name)
    }

    private func message(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch {
            return "\(error)".replacing(folder.path + "/", with: "")
        }
    }

    private func shared(_ train: AnnotationList, _ validation: AnnotationList) -> String? {
        message { try ListChecks(train: train, validation: validation).refuseSharedVideos() }
    }

    // MARK: Training and validation

    @Test func oneFileIsFoundUnderAnyName() throws {
        for name in ["w/a.mp4", "w/b.mp4", "w/c.mp4"] { try video(name, Array(name.utf8)) }
        #expect(symlink("a.mp4", folder.path("w/link.mp4")) == 0)
        #expect(link(folder.path("w/b.mp4"), folder.path("w/hard.mp4")) == 0)
        let train = try list("train.txt", "w/c.mp4 0\nw/a.mp4 0\nw/b.mp4 0\n")
        #expect(shared(train, try list("v1.txt", "w/c.mp4 0\n")) == """
            v1.txt:1: 'w/c.mp4' is also in train.txt:1. Accuracy on videos that were learned from means nothing. Remove it from one of the \
            lists, or allow it with --allow-shared-videos.
            """)
        #expect(shared(train, try list("v2.txt", "w//c.mp4 0\n"))?.contains("is the same file as 'w/c.mp4' of train.txt:1") == true)
        #expect(shared(train, try list("v3.txt", "\nw/link.mp4 0\n"))?.hasPrefix("v3.txt:2: 'w/link.mp4' is the same file as 'w/a.mp4' of train.txt:2.") == true)
        #expect(shared(train, try list("v4.txt", "w/hard.mp4 0\n"))?.contains("is the same file as 'w/b.mp4' of train.txt:3") == true)
    }

    @Test func copiesAreFoundByTheirBytes() throws {
        // Above 64 KiB, so that pieces are compared first; `near` differs between the pieces only.
        var bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try video("a.mp4", bytes)
        try video("copy.mp4", bytes)
        bytes[50_000] ^= 1
        try video("near.mp4", bytes)
        try video("short.mp4", Array(bytes.dropLast()))
        for name in ["empty.mp4", "hollow.mp4"] { try video(name, []) }
        let train = try list("train.txt", "a.mp4 0\nempty.mp4 0\n")
        #expect(shared(train, try list("v1.txt", "near.mp4 0\ncopy.mp4 1\n"))?.hasPrefix("v1.txt:2: 'copy.mp4' has the same bytes as 'a.mp4' of train.txt:1.") == true)
        #expect(shared(train, try list("v2.txt", "near.mp4 0\nshort.mp4 0\nhollow.mp4 0\n")) == nil)
        // Two names that look alike are two files.
        try video("\u{E9}.mp4", [1])
        try video("e\u{301}.mp4", [2])
        #expect(shared(try list("t.txt", "\u{E9}.mp4 0\n"), try list("v.txt", "e\u{301}.mp4 0\n")) == nil)
    }

    @Test func theSearchEnds() throws {
        let names = (0..<30).map { "\($0).mp4" }
        for name in names { try video(name, Array(name.utf8)) }
        let text = names.map { "\($0) 0\n" }.joined()
        let same = SameVideos(try list("t.txt", text), and: try list("v.txt", text))
        #expect(same.pairs.count == 10 && same.isCutShort)
        #expect(shared(try list("t.txt", text), try list("v.txt", text))?.contains("more than 10 such videos were found") == true)
    }

    @Test func classesWithoutTrainingClipsAreNotScored() throws {
        let classes = ClassNames(["walk", "jump", "sit"])
        let checks = ListChecks(train: try list("t.txt", "a 0\nb 1\n"), validation: try list("v.txt", "c 0\nd 2\ne 2\n"))
        #expect(message { try checks.refuseUntrainedClasses(classes) } == """
            v.txt:2: videos of sit are scored, but t.txt holds none to learn from. Add some, remove the class from the validation list, or \
            allow it with --allow-untrained-classes.
            """)
        #expect(checks.warnings(classes).map(\.description) == ["\(folder.path)/v.txt: holds no clips of jump; they are learned and not tested."])
        let sound = ListChecks(train: try list("t.txt", "a 0\nb 1\n"), validation: try list("v.txt", "c 0\nd 1\n"))
        #expect(message { try sound.refuseUntrainedClasses(classes) } == nil && sound.warnings(classes).isEmpty)
    }

    // MARK: Draws

    @Test func aVideoFillsOnePlaceOfADraw() throws {
        for name in ["a.mp4", "b.mp4"] { try video(name, Array(name.utf8)) }
        try video("copy.mp4", Array("a.mp4".utf8))
        let twice = try list("twice.txt", "a.mp4 0\nb.mp4 0\na.mp4 0\n")
        #expect(message { try twice.refuseRepeatedDraws() } == """
            twice.txt:3: 'a.mp4' is also in twice.txt:1, so one video could be drawn twice. Remove one of them, or allow it \
            with --allow-repeats.
            """)
        let copied = try list("copied.txt", "a.mp4 0\nb.mp4 0\ncopy.mp4 1\n")
        #expect(message { try copied.refuseRepeatedDraws() }?.hasPrefix("copied.txt:3: 'copy.mp4' has the same bytes as 'a.mp4' of copied.txt:1, so") == true)
        #expect(message { try list("sound.txt", "a.mp4 0\nb.mp4 0\n").refuseRepeatedDraws() } == nil)
        // A split may be drawn where the videos are not.
        #expect(message { try list("gone.txt", "x.mp4 0\ny.mp4 0\n").refuseRepeatedDraws() } == nil)
    }

    // MARK: Warnings

    @Test(arguments: [("a 1\nb 2\nc 3\n", 3), ("a 0\nb 1\n", nil), ("a 1\nb 3\n", nil), ("a 1\n", nil)])
    func labelsThatSeemToCountFromOne(text: String, last: Int?) throws {
        #expect(try list("l.txt", text).warnings == (last.map { [.labelsFromOne(list: folder.path("l.txt"), last: $0)] } ?? []))
    }

    @Test func namesThatDifferByCase() throws {
        let classes = try ClassNames.read(try folder.write("id,name\n0,Walk\n1,walk\n2,jump\n3,walk\n", to: "l.csv"))
        #expect(
            classes.warnings.map { $0.description.replacing(folder.path + "/", with: "") } == [
                "l.csv: classes 1 and 3 are both called 'walk'; CLIP cannot tell them apart.",
                "l.csv: 'Walk' and 'walk' differ in upper and lower case only; to CLIP they are one name.",
            ])
        for name in ["videos/Walk/a.mp4", "videos/walk/b.mp4"] { try video(name, [1]) }
        let folders = try ClassFolders(root: folder.path("videos"))
        #expect(folders.classes.names == ["Walk", "walk"] && folders.classes.warnings == [.namesDifferByCase(file: folder.path("videos"), names: ["Walk", "walk"])])
    }

    @Test func foldersThatLookAlikeAreTwo() throws {
        for name in ["videos/\u{E9}/a.mp4", "videos/e\u{301}/b.mp4", "videos/e\u{301}/c.mp4"] { try video(name, [1]) }
        let folders = try ClassFolders(root: folder.path("videos"))
        #expect(folders.classes.count == 2 && folders.clips.map(\.label) == [0, 0, 1] && folders.classes.warnings.count == 0)
    }

    @Test func aTestFolderIsAListOfItsOwn() throws {
        for part in ["train", "val", "test"] { try video("videos/\(part)/walk/\(part).mp4", [1]) }
        #expect(try ClassFolders(root: folder.path("videos")).testClips?.map(\.path) == ["test/walk/test.mp4"])
    }

    // MARK: Names that are no UTF-8

    @Test func listsHoldBytes() throws {
        let bytes = Array("w/caf".utf8) + [0xE9] + Array(".mp4 1\nw/caf".utf8) + Array("\u{E9}.mp4 0\nw/a\\xE9.mp4 2\n".utf8)
        let list = try AnnotationList.read(try folder.write(bytes, to: "l.txt"))
        #expect(list.clips.map(\.path) == ["w/caf\\xE9.mp4", "w/caf\u{E9}.mp4", "w/a\\x5CxE9.mp4"])
        #expect(AnnotationList.bytes(of: list.clips) == bytes)
        #expect(list.lines(naming: list.clips[0]) == [1] && list.lines(naming: list.clips[1]) == [2])
        // Class names are text all the same.
        let names = try folder.write(Array("id,name\n0,caf".utf8) + [0xE9, 0x0A], to: "l.csv")
        #expect(datasetProblem { _ = try ClassNames.read(names) }?.problem == .notUTF8)
        let captions = Array("video,caption\ncaf".utf8) + [0xE9] + Array(".mp4,\"somebody, \\xE9\"\n".utf8)
        let read = try CaptionList.read(try folder.write(captions, to: "c.csv"))
        #expect(read.videos == ["caf\\xE9.mp4"] && read.captions.map(\.text) == ["somebody, \\xE9"] && read.bytes == captions)
        let alike = try CaptionList.read(try folder.write("video,caption\n\u{E9}.mp4,a\ne\u{301}.mp4,b\n", to: "two.csv"))
        #expect(alike.videos.count == 2 && alike.captions.map(\.video) == [0, 1])
        let wrong = try folder.write(Array("video,caption\na.mp4,caf".utf8) + [0xE9, 0x0A], to: "w.csv")
        let fault = datasetProblem { _ = try CaptionList.read(wrong) }
        #expect(fault?.problem == .notUTF8 && fault?.line == 2)
    }

    @Test func videosAreFoundByBytes() throws {
        let names = ["\u{E9}.mp4", "e\u{301}.mp4", "caf\\xE9.mp4"]
        for (index, name) in names.enumerated() { try video("in/" + name, [UInt8](repeating: 1, count: index + 1)) }
        let found = try VideoFolder(folder.path("in"), recursive: false).videos
        #expect(found.map(\.byteCount) == [3, 2, 1])
        var arrivals = VideoArrivals(settleSeconds: 0)
        #expect(arrivals.ready(among: found, now: 0, date: 0).count == 3)
        for video in found.prefix(2) { arrivals.take(video) }
        #expect(arrivals.ready(among: found, now: 1, date: 0).map(\.byteCount) == [1])
        var keys: Set<FrameCache.Key> = []
        for video in found { keys.insert(FrameCache.Key(path: video.path, shortSide: 8)) }
        #expect(keys.count == 3)
    }

    @Test func linksOutOfARootThatLooksAlikeAreRefused() throws {
        try video("caf\u{E9}/a.mp4", [1])
        try video("cafe\u{301}/secret.mp4", [1])
        #expect(symlink("../cafe\u{301}/secret.mp4", folder.path("caf\u{E9}/out.mp4")) == 0)
        let list = AnnotationList(path: "l", root: folder.path("caf\u{E9}"), clips: [AnnotatedClip(path: "out.mp4", label: 0)])
        guard case .linkLeavesRoot = datasetProblem({ try list.checkFiles() })?.problem else {
            Issue.record("the link was followed")
            return
        }
    }
}
