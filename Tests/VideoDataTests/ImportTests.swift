import Files
import Foundation
import Testing

import VideoData

/// Lists in the forms in which data sets are published, small.
@Suite struct ImportTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func read(_ names: String...) throws -> ImportedSet {
        try ImportedSet(names.flatMap { try PublishedFile.files(at: folder.path.appendingPath($0)) })
    }

    private func clips(_ set: ImportedSet, _ part: String) -> [AnnotatedClip]? { set.parts.first { $0.name == part }?.clips }

    // MARK: Kinetics

    private let kineticsHead = "label,youtube_id,time_start,time_end,split,is_cc\n"

    @Test func kinetics() throws {
        try folder.write(
            "train.csv", kineticsHead + "testifying,---QUuC4vJs,84,94,train,0\r\n\"eating, slowly\",--3ouPhoy2A,20,30,train,0\nabseiling,a_b,0,10,train,1\n")
        try folder.write("validate.csv", kineticsHead + "abseiling,0wR5jVB-WPk,417,427,validate,0\n")
        try folder.write("test.csv", "youtube_id,time_start,time_end,split\n_X,1,11,test\n")
        let set = try read("train.csv", "validate.csv", "test.csv")
        // printf '%s\n' testifying abseiling 'eating, slowly' | LC_ALL=C sort
        #expect(set.classes.names == ["abseiling", "eating, slowly", "testifying"])
        #expect(set.parts.map(\.name) == ["train", "val"])
        #expect(
            clips(set, "train") == [
                AnnotatedClip(path: "testifying/---QUuC4vJs_000084_000094.mp4", label: 2),
                AnnotatedClip(path: "eating, slowly/--3ouPhoy2A_000020_000030.mp4", label: 1),
                AnnotatedClip(path: "abseiling/a_b_000000_000010.mp4", label: 0),
            ])
        #expect(clips(set, "val") == [AnnotatedClip(path: "abseiling/0wR5jVB-WPk_000417_000427.mp4", label: 0)])
        #expect(set.warnings == [.noLabels(file: folder.path + "/test.csv")])
    }

    @Test func kineticsTakesAClassList() throws {
        try folder.write("train.csv", kineticsHead + "air_drumming,x,1,11,train,0\n")
        try folder.write("labels.csv", "id,name\n0,zumba\n1,air drumming\n")
        #expect(clips(try read("train.csv", "labels.csv"), "train")?.map(\.label) == [1])
        try folder.write("other.csv", kineticsHead + "zumbaa,x,1,11,train,0\n")
        let found = datasetProblem { _ = try read("other.csv", "labels.csv") }
        #expect(found?.problem == .unknownClass("zumbaa", nearest: "zumba") && found?.line == 2)
    }

    @Test(arguments: [
        ("a,x,84.5,94,train,0", DatasetError.Problem.notANumber("84.5", column: "time_start")),
        ("a,x,-1,94,train,0", .notANumber("-1", column: "time_start")),
        ("a,x,1,18446744073709551616,train,0", .notANumber("18446744073709551616", column: "time_end")),
        ("a,../x,1,11,train,0", .leavesRoot("../x")), ("..,x,1,11,train,0", .leavesRoot("../x_000001_000011.mp4")),
        ("a,,1,11,train,0", .emptyName), (",x,1,11,train,0", .emptyName), ("a,x,1,11,train", .fieldCount(found: 5, expected: 6)),
        ("http:,x,1,11,train,0", .protocolName("http:/x_000001_000011.mp4")),
    ])
    func kineticsRefusesWithTheLine(row: String, problem: DatasetError.Problem) throws {
        try folder.write("train.csv", kineticsHead + "fine,x,1,11,train,0\n" + row + "\n")
        let found = datasetProblem { _ = try read("train.csv") }
        #expect(found?.problem == problem && found?.line == 3)
    }

    @Test func endlessRecordsAreRefused() throws {
        try folder.write("train.csv", kineticsHead + String(repeating: ",", count: 5_000_000))
        let found = datasetProblem { _ = try read("train.csv") }
        #expect(found?.problem == .tooManyFields(limit: 1024) && found?.line == 2)
    }

    /// A7 for published lists, with a sparse file: known by its start, refused at its first long line.
    @Test func endlessLinesAreRefusedAtOnce() throws {
        for (name, start, others) in [
            ("classInd.txt", "1 A", ["trainlist01.txt"]), ("trainlist01.txt", "A/", ["classInd.txt"]), ("a_test_split1.txt", "x", []),
        ] {
            try folder.write("classInd.txt", "1 A\n")
            try folder.write("trainlist01.txt", "A/x.avi 1\n")
            let path = try folder.write(name, start + String(repeating: "x", count: 100_000))
            #expect(truncate(path, 1 << 30) == 0)
            let clock = ContinuousClock.now
            #expect(datasetProblem { _ = try ImportedSet(([name] + others).map { try PublishedFile(folder.path.appendingPath($0)) }) } != nil)
            #expect(ContinuousClock.now - clock < .seconds(2))
        }
    }

    // MARK: UCF-101

    private func writeUCF() throws {
        try folder.write("ucf/classInd.txt", "1 ApplyEyeMakeup\r\n2 ApplyLipstick\r\n3 Archery\r\n")
        try folder.write(
            "ucf/trainlist01.txt", "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1\r\nArchery/v_Archery_g08_c02.avi 3\r\n")
        try folder.write("ucf/testlist01.txt", "ApplyLipstick/v_ApplyLipstick_g01_c01.avi\r\n")
        try folder.write("ucf/trainlist02.txt", "Archery/v_Archery_g01_c02.avi 3\n")
        try folder.write("ucf/testlist02.txt", "Archery/v_Archery_g02_c02.avi\n")
        try folder.write("ucf/README.txt", "anything")
    }

    @Test func ucf() throws {
        try writeUCF()
        let set = try read("ucf")
        #expect(set.classes.names == ["ApplyEyeMakeup", "ApplyLipstick", "Archery"])
        #expect(Set(set.parts.map(\.name)) == ["train1", "val1", "train2", "val2"])
        #expect(
            clips(set, "train1") == [
                AnnotatedClip(path: "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi", label: 0),
                AnnotatedClip(path: "Archery/v_Archery_g08_c02.avi", label: 2),
            ])
        #expect(clips(set, "val1") == [AnnotatedClip(path: "ApplyLipstick/v_ApplyLipstick_g01_c01.avi", label: 1)])
        #expect(set.classes.humanised.names == ["Apply Eye Makeup", "Apply Lipstick", "Archery"])
        #expect(set.emptyClassWarnings.count == 2)
    }

    @Test(arguments: [
        ("Archery/a.avi 2", DatasetError.Problem.labelContradictsFolder(label: 2, named: "ApplyLipstick", folder: "Archery")),
        ("Archery/a.avi 4", .labelOutOfRange(label: 4, classCount: 3)), ("Archery/a.avi 0", .labelOutOfRange(label: 0, classCount: 3)),
        ("Archry/a.avi 3", .unknownClass("Archry", nearest: "Archery")), ("/Archery/a.avi 3", .absolutePath("/Archery/a.avi")),
        ("../Archery/a.avi 3", .leavesRoot("../Archery/a.avi")),
    ])
    func ucfRefusesWithTheLine(line: String, problem: DatasetError.Problem) throws {
        try writeUCF()
        try folder.write("ucf/trainlist01.txt", "Archery/v_Archery_g08_c02.avi 3\n\(line)\n")
        let found = datasetProblem { _ = try read("ucf") }
        #expect(found?.problem == problem && found?.line == 2)
    }

    @Test func ucfClassesMustBeCounted() throws {
        try writeUCF()
        // Far enough in that the file is still known for what it is.
        let names = (1...20_000).map { "\($0 == 19_990 ? 7 : $0) Class\($0)\n" }.joined()
        try folder.write("ucf/classInd.txt", names)
        let found = datasetProblem { _ = try read("ucf") }
        #expect(found?.problem == .numberNotNext(found: 7, expected: 19_990) && found?.line == 19_990)
    }

    // MARK: HMDB-51

    @Test func hmdb() throws {
        for number in 1...2 {
            try folder.write("splits/brush_hair_test_split\(number).txt", "April_09_brush_hair_u_nm_np1_ba_goo_0.avi 1 \nb[1]#x.avi 2 \nunused.avi 0 \n")
            try folder.write("splits/cartwheel_test_split\(number).txt", "(Rad)Schlag_die_Bank!_cartwheel_f_cm_np1_le_med_0.avi \(number) \n")
        }
        let set = try read("splits")
        #expect(set.classes.names == ["brush_hair", "cartwheel"])
        #expect(set.classes.humanised.names == ["brush hair", "cartwheel"])
        #expect(set.parts.map(\.name) == ["train1", "val1", "train2", "val2"])
        #expect(
            clips(set, "train1") == [
                AnnotatedClip(path: "brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0.avi", label: 0),
                AnnotatedClip(path: "cartwheel/(Rad)Schlag_die_Bank!_cartwheel_f_cm_np1_le_med_0.avi", label: 1),
            ])
        #expect(clips(set, "val1") == [AnnotatedClip(path: "brush_hair/b[1]#x.avi", label: 0)])
        #expect(clips(set, "val2")?.count == 2)
    }

    @Test func hmdbFaults() throws {
        try folder.write("a/run_test_split1.txt", "a.avi 1\nb.avi 2\n")
        try folder.write("a/walk_test_split2.txt", "a.avi 1\n")
        guard case .needsFile = datasetProblem({ _ = try read("a") })?.problem else {
            Issue.record("a class without a split was taken")
            return
        }
        // A use that does not exist, too far in to be looked at for recognition.
        let long = (0..<9000).map { "video\($0).avi 1\n" }.joined() + "last.avi 3\n"
        try folder.write("b/run_test_split1.txt", long)
        let found = datasetProblem { _ = try read("b") }
        #expect(found?.problem == .labelNotANumber("3") && found?.line == 9001)
    }

    // MARK: Something-Something v2

    private func writeSomething() throws {
        try folder.write("ss/something-something-v2-labels.json", #"{"Approaching something with your camera":"0","Holding something next to something":"1"}"#)
        try folder.write(
            "ss/something-something-v2-train.json",
            """
            [
              {"id":"78687","label":"holding potato next to vicks vaporub bottle","template":"Holding [something] next to [something]","placeholders":["potato","vicks vaporub bottle"]},
              {"id":42326,"template":"Approaching [something] with your camera"}
            ]
            """)
        try folder.write("ss/something-something-v2-validation.json", #"[{"id":"74225","template":"Approaching [something] with your camera"}]"#)
        try folder.write("ss/something-something-v2-test.json", #"[{"id":"1420"}]"#)
    }

    @Test func something() throws {
        try writeSomething()
        let set = try read("ss")
        #expect(set.classes.names == ["Approaching something with your camera", "Holding something next to something"])
        #expect(clips(set, "train") == [AnnotatedClip(path: "78687.webm", label: 1), AnnotatedClip(path: "42326.webm", label: 0)])
        #expect(clips(set, "val") == [AnnotatedClip(path: "74225.webm", label: 0)])
        #expect(clips(set, "test") == nil)
        #expect(set.warnings == [.noLabels(file: folder.path + "/ss/something-something-v2-test.json")])
    }

    @Test(arguments: [
        ("train", #"[{"id":"1","template":"Eating [something]"}]"#, DatasetError.Problem.unknownClass("Eating something (clip 1)", nearest: nil)),
        ("train", #"[{"id":"../1","template":"Approaching [something] with your camera"}]"#, .leavesRoot("../1.webm")),
        ("train", #"[{"template":"Approaching [something] with your camera"}]"#, .notJSON(reason: "entry 1 has no \"id\"")),
        ("train", #"[{"id":"1","template":7}]"#, .notJSON(reason: "1.template is of another kind")),
        ("train", #"[{"id":"1","template":"Appro"#, .notJSON(reason: "it is truncated or damaged")),
        ("labels", #"{"a":"0","b":"2"}"#, .labelOutOfRange(label: 2, classCount: 2)),
        ("labels", #"{"a":"0","b":"-1"}"#, .labelOutOfRange(label: -1, classCount: 2)),
        ("labels", #"{"a":"0","b":"0"}"#, .labelOutOfRange(label: 0, classCount: 2)),
        ("labels", #"{"a":"18446744073709551616"}"#, .notANumber("18446744073709551616", column: "a")),
    ])
    func somethingFaults(file: String, text: String, problem: DatasetError.Problem) throws {
        try writeSomething()
        try folder.write("ss/something-something-v2-\(file).json", text)
        #expect(datasetProblem { _ = try read("ss") }?.problem == problem)
    }

    @Test func deepJSONIsRefused() throws {
        try writeSomething()
        let nested = "[{\"id\":" + String(repeating: "[", count: 100_000)
        try folder.write("ss/something-something-v2-train.json", nested)
        guard case .notJSON = datasetProblem({ _ = try read("ss") })?.problem else {
            Issue.record("a hundred thousand brackets were read")
            return
        }
    }

    // MARK: Lists

    @Test func listsWithClassTable() throws {
        try folder.write("hmdb51_train.txt", "a b (1).avi 0\r\n\"say \"\"hi\"\".avi\" 1\r\n")
        try folder.write("hmdb51_val1.txt", "\u{FEFF}b.avi 90 1\nc.mp4 250 0")
        try folder.write("labels.csv", "\u{FEFF}id,name\r\n0,\"Holding a, b\"\r\n1,run\r\n")
        let set = try read("hmdb51_train.txt", "labels.csv", "hmdb51_val1.txt")
        #expect(set.classes.names == ["Holding a, b", "run"])
        #expect(set.parts.map(\.name) == ["train", "val1"])
        #expect(clips(set, "train") == [AnnotatedClip(path: "a b (1).avi", label: 0), AnnotatedClip(path: "say \"hi\".avi", label: 1)])
        #expect(clips(set, "val1") == [AnnotatedClip(path: "b.avi", label: 1), AnnotatedClip(path: "c.mp4", label: 0)])
    }

    @Test func listsWithLabelMap() throws {
        try folder.write("label_map.txt", "air drumming\r\nabseiling\r\n\r\n")
        try folder.write("kinetics400_train_list_videos.txt", "air_drumming/x.mp4 0\n")
        try folder.write("kinetics400_val_list_videos.txt", "abseiling/y.mp4 1\n")
        let set = try read("label_map.txt", "kinetics400_train_list_videos.txt", "kinetics400_val_list_videos.txt")
        #expect(set.classes.names == ["air drumming", "abseiling"])
        #expect(set.parts.map(\.name) == ["train", "val"])
    }

    /// Names of ViFi-CLIP's lists that say more than what they are for.
    @Test func listsKeepNamesThatSayMore() throws {
        try folder.write("labels.csv", "id,name\n0,a\n")
        let names = [
            "train1_few_shot_2", "train1_few_shot_4", "base_train", "base_val", "fs_base_s1_train", "fs_base_s2_train", "novel_val", "train_tiny",
            "ZS_split1_K600_eval", "ucf101_train_split_2_videos", "hmdb51_val3",
        ]
        for name in names { try folder.write("lists/\(name).txt", "x.mp4 0\n") }
        let set = try read("lists", "labels.csv")
        let expected = Dictionary(uniqueKeysWithValues: names.map { ($0, $0) })
            .merging(["ucf101_train_split_2_videos": "train2", "hmdb51_val3": "val3"]) { $1 }
        #expect(Set(set.parts.map(\.name)) == Set(expected.values))
    }

    @Test func labelMapsHaveNoGaps() throws {
        let path = try folder.write("label_map.txt", "a\n\nb\n")
        let found = datasetProblem { _ = try ClassNames.read(path) }
        #expect(found?.problem == .emptyName && found?.line == 2)
    }

    @Test func publishedListsKeepTheirRules() throws {
        try folder.write("labels.csv", "id,name\n0,a\n1,b\n")
        for (line, problem) in [
            ("/etc/passwd 0", DatasetError.Problem.absolutePath("/etc/passwd")), ("a.mp4 2", .labelOutOfRange(label: 2, classCount: 2)),
            ("http://x 0", .protocolName("http://x")), ("frames/walk 12 1", .threeColumns(other: 1)),
        ] {
            try folder.write("train.txt", "fine.mp4 0\n\(line)\n")
            let found = datasetProblem { _ = try read("train.txt", "labels.csv") }
            #expect(found?.problem == problem && found?.line == 2)
        }
    }

    // MARK: Recognition

    @Test func mixturesAndStrangersAreRefused() throws {
        try writeUCF()
        try writeSomething()
        try folder.write("train.csv", kineticsHead + "a,x,1,11,train,0\n")
        guard case .mixedForms = datasetProblem({ _ = try read("ucf", "train.csv") })?.problem else {
            Issue.record("UCF-101 and Kinetics at once")
            return
        }
        guard case .needsFile = datasetProblem({ _ = try read("ss/something-something-v2-train.json") })?.problem else {
            Issue.record("clips without labels")
            return
        }
        guard case .needsFile = datasetProblem({ _ = try read("ucf/trainlist01.txt") })?.problem else {
            Issue.record("lists without class names")
            return
        }
        for (text, problem) in [
            ("", DatasetError.Problem.unknownForm), ("\n\n", .unknownForm), ("<html>", .unknownForm), ("a,b,c\n1,2,3\n", .unknownForm),
            ("a\0b", .zeroByte), ("PK\u{3}\u{4}\0", .packed("ZIP")), ("Rar!\u{1A}\u{7}\0", .packed("RAR")), (String(repeating: "x", count: 100_000), .unknownForm),
        ] {
            let path = try folder.write("strange.txt", text)
            #expect(datasetProblem { _ = try PublishedFile(path) }?.problem == problem)
        }
        try FileManager.default.createDirectory(atPath: folder.path + "/empty", withIntermediateDirectories: true)
        #expect(datasetProblem { _ = try read("empty") }?.problem == .unknownForm)
        guard case .file(let error) = datasetProblem({ _ = try read("none.txt") })?.problem else {
            Issue.record("a file that is not there")
            return
        }
        #expect(error.problem == .missing)
    }

    // MARK: Videos

    @Test func missingVideosAreRefusedOrCounted() throws {
        try writeUCF()
        try folder.write("videos/v_ApplyEyeMakeup_g08_c01.mp4", "x")
        try folder.write("videos/ApplyLipstick/v_ApplyLipstick_g01_c01.avi", "x")
        let index = try VideoIndex(root: folder.path + "/videos")
        var set = try read("ucf/classInd.txt", "ucf/trainlist01.txt", "ucf/testlist01.txt")
        #expect(
            datasetProblem { try set.locate(in: index, skipsMissing: false) }?.problem
                == .videosNotFound(first: ["Archery/v_Archery_g08_c02.avi"], count: 1, total: 2, root: folder.path + "/videos"))
        try set.locate(in: index, skipsMissing: true)
        #expect(clips(set, "train1") == [AnnotatedClip(path: "v_ApplyEyeMakeup_g08_c01.mp4", label: 0)])
        #expect(
            set.warnings == [
                .leftOut(list: folder.path + "/ucf/trainlist01.txt", first: "Archery/v_Archery_g08_c02.avi", count: 1, total: 2)
            ])
        // A list of which nothing is left is no list; the others stay.
        var both = try read("ucf/classInd.txt", "ucf/trainlist01.txt", "ucf/trainlist02.txt")
        try both.locate(in: index, skipsMissing: true)
        #expect(both.parts.map(\.name) == ["train1"])
        var other = try read("ucf/classInd.txt", "ucf/trainlist02.txt")
        #expect(datasetProblem { try other.locate(in: index, skipsMissing: true) } != nil)
    }
}

@Suite struct HumanisedNameTests {
    @Test(arguments: [
        ("ApplyEyeMakeup", "Apply Eye Makeup"), ("brush_hair", "brush hair"), ("YoYo", "Yo Yo"), ("TVShow", "TV Show"), ("TaiChi", "Tai Chi"),
        ("walk", "walk"), ("playing tennis", "playing tennis"), ("Holding something", "Holding something"), ("run100mFast", "run100m Fast"),
        ("__a__b_", "a b"), ("___", "___"), ("ÜbungMachen", "Übung Machen"), ("ABC", "ABC"), ("", ""),
    ])
    func wordsAreSplit(name: String, words: String) {
        #expect(name.humanised == words)
    }
}
