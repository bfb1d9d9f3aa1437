import Files
import Foundation
import Testing

import VideoData

/// Cases A1 to A9 of the reliability bar, and what lists in the wild look like.
@Suite struct AnnotationListTests {
    private func read(_ text: String, classCount: Int? = 10) throws -> AnnotationList {
        let folder = try TemporaryFolder()
        return try AnnotationList.read(try folder.write("list.txt", text), classCount: classCount)
    }

    /// A1, A3, A4, A8: paths that lead elsewhere, labels that are none, fields too few or too many, addresses.
    @Test(arguments: [
        ("/etc/passwd 0", DatasetError.Problem.absolutePath("/etc/passwd")),
        ("../../x 0", .leavesRoot("../../x")),
        ("a/../../x 0", .leavesRoot("a/../../x")),
        ("../\u{301}x 0", .leavesRoot("../\u{301}x")),
        ("a.mp4 -1", .labelOutOfRange(label: -1, classCount: 10)),
        ("a.mp4 10", .labelOutOfRange(label: 10, classCount: 10)),
        ("a.mp4 1.0", .labelNotANumber("1.0")),
        ("a.mp4 18446744073709551616", .labelNotANumber("18446744073709551616")),
        ("a.mp4 +1", .labelNotANumber("+1")),
        ("a.mp4 walk", .labelNotANumber("walk")),
        ("a.mp4", .oneField),
        ("clips/walk_1 120 3", .threeColumns(other: 1)),
        ("clips/walk 1.mp4 120 7 3", .severalNumbers("clips/walk 1.mp4 120 7 3")),
        ("a.mp4 3 x", .labelNotANumber("x")),
        ("a\0.mp4 3", .zeroByte),
        ("http://host/x.mp4 0", .protocolName("http://host/x.mp4")),
        ("concat:a|b 0", .protocolName("concat:a|b")),
        ("\"a b.mp4 0", .unclosedQuote),
        ("\"a\"b 0", .textAfterQuote),
        ("\"a b\"", .oneField),
    ])
    func refusesWithTheLine(text: String, problem: DatasetError.Problem) {
        let found = datasetProblem { _ = try read("fine.mp4 0\n\n\(text)\n") }
        #expect(found?.problem == problem && found?.line == 3)
        #expect(DatasetError(path: "l", problem: problem).exitStatus == .badData)
    }

    @Test(arguments: [
        ("walk/a.mp4 3", "walk/a.mp4", 3),
        ("\twalk/a.mp4 \t 3 ", "walk/a.mp4", 3),
        ("my clips/take 2 (final).mp4 0", "my clips/take 2 (final).mp4", 0),
        ("\"clips/walk 1 120\" 7", "clips/walk 1 120", 7),
        ("\"say \"\"hi\"\".mp4\" 7", "say \"hi\".mp4", 7),
        ("a[1]#&;!~(2).avi 5", "a[1]#&;!~(2).avi", 5),
        ("-i 1", "-i", 1),
        ("a..b/...mp4 1", "a..b/...mp4", 1),
        ("12:30 talk.mp4 1", "12:30 talk.mp4", 1),
        ("walk/a.mp4 120 3", "walk/a.mp4", 3),
        ("my walk/a 7.MP4\t120 \t3", "my walk/a 7.MP4", 3),
        ("walk/take 12.mp4 3", "walk/take 12.mp4", 3),
        ("\"walk/a.mp4 120\" 3", "walk/a.mp4 120", 3),
        ("ünï/ćode.mp4 9", "ünï/ćode.mp4", 9),
    ])
    func reads(text: String, path: String, label: Int) throws {
        #expect(try read(text).clips == [AnnotatedClip(path: path, label: label)])
    }

    /// A5.
    @Test(arguments: ["a.mp4 1\r\nb.mp4 2\r\n", "\u{FEFF}a.mp4 1\nb.mp4 2", "\u{FEFF}a.mp4 1\r\n\r\n  \r\nb.mp4 2\r\n\n"])
    func readsLineEndsOfAllSystems(text: String) throws {
        #expect(try read(text).clips == [AnnotatedClip(path: "a.mp4", label: 1), AnnotatedClip(path: "b.mp4", label: 2)])
    }

    @Test func refusesOtherEncodings() throws {
        let folder = try TemporaryFolder()
        let wide = try folder.write("wide.txt", [0xFF, 0xFE, 0x61, 0x00, 0x20, 0x00])
        #expect(datasetProblem { _ = try AnnotationList.read(wide) }?.problem == .zeroByte)
    }

    @Test func labelsWithoutClassNamesHaveALimitToo() {
        let found = datasetProblem { _ = try read("a.mp4 -1", classCount: nil) }
        let error = found.map { DatasetError(path: "l.txt", line: $0.line, problem: $0.problem) }
        #expect(error?.description == "l.txt:1: label -1; labels are whole numbers from 0 on, and below 1000000.")
    }

    @Test(arguments: ["", "\n\r\n \n", "\u{FEFF}"])
    func refusesEmptyLists(text: String) {
        #expect(datasetProblem { _ = try read(text) }?.problem == .noClips)
    }

    /// A7, with a sparse file instead of a gigabyte on disk.
    @Test func refusesAnEndlessLineAtOnce() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("long.txt", [UInt8](repeating: 0x61, count: 100_000))
        #expect(truncate(path, 1 << 30) == 0)
        let start = ContinuousClock.now
        let found = datasetProblem { _ = try AnnotationList.read(path) }
        #expect(found?.problem == .lineTooLong(limit: 4096) && found?.line == 1)
        #expect(ContinuousClock.now - start < .seconds(1))
        let name = String(repeating: "x", count: 4096)
        #expect(datasetProblem { _ = try read("\(name) 1") }?.problem == .lineTooLong(limit: 4096))
        #expect(try read("\(name.dropLast(2)) 1").clips.count == 1)
    }

    /// A6.
    @Test func warnsOfRepeatedPaths() throws {
        let list = try read("a 0\nb 2\na 0\na 0\nb 3\n")
        #expect(
            list.warnings.map { $0.description.split(separator: "/").last.map(String.init) } == [
                "list.txt:3: 'a' is listed again, and 1 more such lines.",
                "list.txt:5: 'b' is listed again with another label.",
            ])
        #expect(list.clips.count == 5)
    }

    /// A9.
    @Test func namesMissingFiles() throws {
        let folder = try TemporaryFolder()
        let names = (0..<40).map { "clips/\($0).mp4" }
        for name in names.prefix(28) { try folder.write(name, "x") }
        let path = try folder.write("list.txt", names.map { $0 + " 0\n" }.joined())
        let list = try AnnotationList.read(path)
        #expect(list.root == folder.path)
        let found = datasetProblem { try list.checkFiles() }
        let first = (28..<38).map { "clips/\($0).mp4" }
        #expect(found?.problem == .missingFiles(first: first, count: 12, total: 40, root: folder.path))
        let error = DatasetError(path: "list.txt", problem: .missingFiles(first: ["a"], count: 3, total: 9, root: "/d"))
        #expect(error.exitStatus == .missingInput)
        #expect(
            error.description == """
                list.txt: 3 of 9 files are missing under /d:
                  a
                  and 2 more
                Set --root to the folder that the paths start from, or remove the lines.
                """)
    }

    @Test func aFolderIsNotAVideo() throws {
        let folder = try TemporaryFolder()
        try folder.write("walk/a.mp4", "x")
        let list = try AnnotationList.read(try folder.write("list.txt", "walk 0\n"))
        #expect(datasetProblem { try list.checkFiles() } != nil)
    }

    /// A2.
    @Test func refusesLinksOutOfTheRoot() throws {
        let outside = try TemporaryFolder()
        let video = try outside.write("video.mp4", "x")
        let folder = try TemporaryFolder()
        try folder.write("data/inside.mp4", "x")
        let root = folder.path + "/data"
        try FileManager.default.createSymbolicLink(atPath: root + "/out.mp4", withDestinationPath: video)
        try FileManager.default.createSymbolicLink(atPath: root + "/in.mp4", withDestinationPath: "inside.mp4")
        try FileManager.default.createSymbolicLink(atPath: root + "/folder", withDestinationPath: outside.path)
        try FileManager.default.createSymbolicLink(atPath: root + "/gone.mp4", withDestinationPath: "nothing")

        func check(_ name: String, followsLinks: Bool = false) throws -> DatasetError.Problem? {
            let list = try AnnotationList.read(try folder.write("list.txt", "\(name) 0\n"), root: root)
            return datasetProblem { try list.checkFiles(followsLinks: followsLinks) }?.problem
        }
        #expect(try check("inside.mp4") == nil)
        #expect(try check("in.mp4") == nil)
        let target = try #require(resolvedPath(video))
        #expect(try check("out.mp4") == .linkLeavesRoot("out.mp4", target: target))
        #expect(try check("folder/video.mp4") == .linkLeavesRoot("folder/video.mp4", target: target))
        #expect(try check("folder/video.mp4", followsLinks: true) == nil)
        #expect(try check("gone.mp4") == .missingFiles(first: ["gone.mp4"], count: 1, total: 1, root: root))
    }

    @Test func writtenListsReadBack() throws {
        let clips = [
            "plain.mp4", "with blank.mp4", "walk 12", "walk.mp4 12", " led by blank", "\"quoted\".mp4", "trailing ", "a\tb 7",
        ].enumerated().map { AnnotatedClip(path: $0.element, label: $0.offset) }
        #expect(try read(String(decoding: AnnotationList.bytes(of: clips), as: UTF8.self)).clips == clips)
    }

    @Test func missingListsAndFIFOsAreReported() throws {
        let folder = try TemporaryFolder()
        let missing = folder.path + "/none.txt"
        #expect(throws: DatasetError(path: missing, problem: .file(FileError(path: missing, problem: .missing)))) {
            try AnnotationList.read(missing)
        }
        #expect(DatasetError(path: "x", problem: .file(FileError(path: "x", problem: .missing))).exitStatus == .missingInput)
        let pipe = folder.path + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        #expect(datasetProblem { _ = try AnnotationList.read(pipe) } != nil)
    }

    @Test func namesAreEscapedInMessages() {
        let error = DatasetError(path: "l\u{1B}[2J", line: 2, problem: .absolutePath("/\u{202E}x\n"))
        #expect(!error.description.unicodeScalars.contains { $0.value < 32 || $0.value == 0x202E })
    }
}
