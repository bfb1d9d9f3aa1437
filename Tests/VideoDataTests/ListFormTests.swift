import Files
import Foundation
import Testing

import VideoData

/// Lists and class names in the forms that others publish them in; the lines are as in their files.
@Suite struct ListFormTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func read(_ text: String, _ name: String = "list.csv", root: String? = nil, classes: [String]? = nil) throws -> AnnotationList {
        try AnnotationList.read(try folder.write(name, text), root: root, classes: classes.map { ClassNames($0) })
    }

    @Test(arguments: [
        // Open-VCLIP
        ("val/zumba/PY_aNRmCnzw.mkv,9\nval/zumba/tJpeCt2nakQ.mp4.webm,3\n", ["val/zumba/PY_aNRmCnzw.mkv", "val/zumba/tJpeCt2nakQ.mp4.webm"], [9, 3]),
        ("path,label\na.mp4,1\n\"b, c.mp4\",0\n", ["a.mp4", "b, c.mp4"], [1, 0]),
        ("\u{FEFF}Label,File Name\r\n1,a.mp4\r\n0,my clip 3.mp4\r\n", ["a.mp4", "my clip 3.mp4"], [1, 0]),
        ("video_name,split,class_id\na.mp4,train,7\n", ["a.mp4"], [7]),
        ("a.mp4,24,1\nb.mp4,30,0\n", ["a.mp4", "b.mp4"], [1, 0]),
        ("my clip 3.mp4,0\n", ["my clip 3.mp4"], [0]),
        // Commas in paths of lines with blanks are part of them.
        ("walk, run/a.mp4 1\njump, b.mp4 0\n", ["walk, run/a.mp4", "jump, b.mp4"], [1, 0]),
        // Text4Vis, EZ-CLIP: frames of each video stand before the label.
        ("sword/Pirates_2_sword_f_cm_np2_le_med_4 90 4\nwave/OldSchool 48 5\n", ["sword/Pirates_2_sword_f_cm_np2_le_med_4", "wave/OldSchool"], [4, 5]),
        ("\"walk 12\" 24 3\n", ["walk 12"], [3]),
    ])
    func tablesAndLines(text: String, paths: [String], labels: [Int]) throws {
        for name in ["list.csv", "list.txt"] {
            let list = try read(text, name)
            #expect(list.clips.map(\.path) == paths && list.clips.map(\.label) == labels)
        }
    }

    @Test(arguments: [
        ("a.mp4,ride bike\nb.mp4,Walk\n", [1, 0]),
        ("a.mp4 ride bike\nb.mp4 walk\n", [1, 0]),
        ("a.mp4 RideBike\nb.mp4 WALK\n", [1, 0]),
        ("\"a.mp4\" ride_bike\nb.mp4 0\n", [1, 0]),
        ("path,label\na.mp4,1\nb.mp4,walk\n", [1, 0]),
    ])
    func namesStandForLabels(text: String, labels: [Int]) throws {
        #expect(try read(text, classes: ["walk", "ride bike"]).clips.map(\.label) == labels)
    }

    @Test func namesWithoutAClassListAreSorted() throws {
        let list = try read("b.mp4,walk\na.mp4,ride bike\nc.mp4,walk\n")
        #expect(list.labelNames?.names == ["ride bike", "walk"] && list.clips.map(\.label) == [1, 0, 1])
        #expect(datasetProblem { _ = try read("a.mp4,walk\nb.mp4,1\n") }?.problem == .namesAndNumbers)
        #expect(
            datasetProblem { _ = try read("a.mp4,walk\nb.mp4,rum\n", classes: ["walk", "run"]) }?.problem == .unknownClass("rum", nearest: "run"))
    }

    @Test(arguments: [
        ("a.mp4 24 0\nb.mp4 1\n", DatasetError.Problem.twoColumns(other: 1)),
        ("a.mp4 1\nb.mp4 24 0\n", .threeColumns(other: 1)),
        ("a.mp4 3 1 2\n", .severalNumbers("a.mp4 3 1 2")),
        ("a.mp4 24 1\nb.mp4 0 2\n", .noFramesStated(path: "b.mp4")),
        ("path,label\na.mp4,1,2\n", .fieldCount(found: 3, expected: 2)),
        ("path,label\n/etc/passwd,1\n", .absolutePath("/etc/passwd")),
        ("path,label\n../a.mp4,1\n", .leavesRoot("../a.mp4")),
        ("path,label\na.mp4,\n", .oneField),
    ])
    func columnsMeanOneThing(text: String, problem: DatasetError.Problem) {
        #expect(datasetProblem { _ = try read(text) }?.problem == problem)
    }

    /// A1's other half: absolute paths that lead below the root, also through a link to it.
    @Test func absolutePathsBelowTheRoot() throws {
        try folder.write("data/walk/a.mp4", "x")
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/other", withDestinationPath: "data")
        let root = folder.path + "/data"
        for (written, given) in [(root, root), (root + "/", root + "/"), (root, folder.path + "/other"), (folder.path + "/other", root)] {
            let list = try read("\(written)/walk/a.mp4 0\n", root: given)
            #expect(list.clips.map(\.path) == ["walk/a.mp4"])
            try list.checkFiles()
        }
        for text in ["\(root)x/a.mp4 0", "\(root) 0", "\(root)/../b.mp4 0"] {
            #expect(datasetProblem { _ = try read(text, root: root) } != nil)
        }
    }

    // MARK: Class names

    @Test(arguments: [
        // mmaction2: Something-Something, Moments, Multi-Moments, MultiSports, FineGym
        ("label_map.txt", "Laying something on the table on its side, not upright\nHolding something\n", ["Laying something on the table on its side, not upright", "Holding something"]),
        ("label_map.txt", "crafting,0\nstroking/petting,1\n", ["crafting", "stroking/petting"]),
        ("label_map.txt", "0: aerobic_push_up\n1: aerobic_bent_leg(s)_jump\n", ["aerobic_push_up", "aerobic_bent_leg(s)_jump"]),
        ("label_map.txt", "(UB) salto backward with 0.5 turn\n[odd name]\n", ["(UB) salto backward with 0.5 turn", "[odd name]"]),
        ("classInd.txt", "1 ApplyEyeMakeup\r\n2 ApplyLipstick\r\n", ["ApplyEyeMakeup", "ApplyLipstick"]),
        ("names.txt", "1,walk\n0,run\n", ["run", "walk"]),
        ("names.csv", "name\nwalk\nrun\n", ["walk", "run"]),
        ("names.csv", "walk\nrun, fast\n", ["walk", "run, fast"]),
        ("names.txt", "3 point shot\n2 point shot\n", ["3 point shot", "2 point shot"]),
        // Text4Vis, Open-VCLIP
        ("k400-index2cls.json", "{\"1\": \"Archery\", \"0\": \"Applying sunscreen\"}", ["Applying sunscreen", "Archery"]),
        ("ucf101-openset-cls2index", "{\"Baby Crawling\": 1, \"Apply Lipstick\": 0}", ["Apply Lipstick", "Baby Crawling"]),
        ("labels.json", "{\"Holding something\": \"1\", \"Bending something\": \"0\"}", ["Bending something", "Holding something"]),
        ("labels.json", " [\"walk\", \"run\"]\n", ["walk", "run"]),
        // EZ-CLIP's descriptions
        ("gpt.csv", "id,name,description\n1,sit,\"\n\nSit is an action\"\n2,run,x\n", ["sit", "run"]),
    ])
    func classNames(file: String, text: String, names: [String]) throws {
        #expect(try ClassNames.read(try folder.write(file, text)).names == names)
    }

    @Test(arguments: [
        ("labels.csv", "0,walk\n1,run\n", DatasetError.Problem.header(found: ["0", "walk"])),
        ("labels.txt", "walk/a.mp4 0\nrun/b.mp4 1\n", .listInPlaceOfNames),
        ("labels.json", "{\"walk\": 0, \"run\": 2}", .labelOutOfRange(label: 2, classCount: 2)),
        ("labels.json", "{\"walk\": 0, \"run\": 0}", .labelOutOfRange(label: 0, classCount: 2)),
        ("labels.json", "[\"walk\", \" \"]", .emptyName),
    ])
    func refusesOtherFiles(file: String, text: String, problem: DatasetError.Problem) {
        #expect(datasetProblem { _ = try ClassNames.read(try folder.write(file, text)) }?.problem == problem)
    }

    // MARK: Import

    @Test func importsPublishedForms() throws {
        func imported(_ files: [String: String], root: Bool = true) throws -> ImportedSet {
            let place = try TemporaryFolder()
            for (name, text) in files { try place.write(name, text) }
            return try ImportedSet(PublishedFile.files(at: place.path), root: root ? place.path : nil)
        }
        let open = try imported(["test.csv": "Archery/v_Archery_g01_c01.avi,1\n", "index2cls.json": "{\"0\": \"Apply Lipstick\", \"1\": \"Archery\"}"])
        #expect(open.classes.names == ["Apply Lipstick", "Archery"] && open.parts.first?.clips == [AnnotatedClip(path: "Archery/v_Archery_g01_c01.avi", label: 1)])
        let other = try imported(["test.csv": "Archery/v_Archery_g01_c01.avi,1\n", "cls2index.json": "{\"Apply Lipstick\": 0, \"Archery\": 1}"])
        #expect(other.classes.names == open.classes.names)
        let both = try imported(["test.csv": "a/b.avi,1\n", "k-cls2index.json": "{\"x\": 0, \"y\": 1}", "k-index2cls.json": "{\"1\": \"y\", \"0\": \"x\"}"])
        #expect(both.classes.names == ["x", "y"])
        let ez = try imported(["train.txt": "/media/sdb/HMDB51/Abby_clap_u_nm.avi 78 1\n", "labels.csv": "id,name\n0,walk\n1,clap\n"])
        #expect(ez.parts.first?.clips == [AnnotatedClip(path: "media/sdb/HMDB51/Abby_clap_u_nm.avi", label: 1)])
        #expect(datasetProblem { _ = try imported(["train.txt": "/media/sdb/HMDB51/a.avi 78 1\n", "labels.csv": "id,name\n0,walk\n1,clap\n"], root: false) }?.line == 1)
        let sth = try imported(["label_map.txt": "Laying something on its side, not upright\nHolding something\n", "sthv2_train_list_videos.txt": "1.webm 1\n"])
        #expect(sth.classes.count == 2 && sth.parts.first?.clips.first?.label == 1)
        let mmit = try imported(["label_map.txt": "crafting,0\nstroking/petting,1\n", "train.txt": "a.mp4 1\n"])
        #expect(mmit.classes.names == ["crafting", "stroking/petting"])
        let kaggle = try imported(["train.csv": "clip_name,clip_path,label\nx,/train/Swing/x.avi,Swing\ny,/train/Yoyo/y.avi,Yoyo\n"])
        #expect(kaggle.classes.names == ["Swing", "Yoyo"] && kaggle.parts.first?.clips.map(\.path) == ["train/Swing/x.avi", "train/Yoyo/y.avi"])
    }

    // MARK: Folders

    private func classFolders(_ videos: [String]) throws -> ClassFolders {
        let place = try TemporaryFolder()
        for video in videos { try place.write(video, "x") }
        return try ClassFolders(root: place.path)
    }

    @Test func dividedFoldersMayHaveAnnotationsBesideThem() throws {
        let found = try classFolders(["train/walk/a.mp4", "val/walk/b.mp4", "annotations/train.txt", "annotations/labels/classInd.txt"])
        #expect(found.clips == [AnnotatedClip(path: "train/walk/a.mp4", label: 0)] && found.valClips == [AnnotatedClip(path: "val/walk/b.mp4", label: 0)])
        let three = try classFolders(["train/walk/a.mp4", "valid/walk/b.mp4", "test/walk/c.mp4", "test/run/d.mp4"])
        #expect(three.classes.names == ["run", "walk"] && three.valClips?.map(\.path) == ["valid/walk/b.mp4"])
        #expect(three.testClips?.map(\.path) == ["test/run/d.mp4", "test/walk/c.mp4"])
        let wrapped = try classFolders(["videos/train/walk/a.mp4", "videos/val/walk/b.mp4", "annotations/list.txt"])
        #expect(wrapped.clips.map(\.path) == ["videos/train/walk/a.mp4"] && wrapped.valClips?.map(\.path) == ["videos/val/walk/b.mp4"])
    }

    @Test func nestedFolders() throws {
        let gathered = try classFolders(["sports/golf/a.mp4", "sports/tennis/b.mp4", "home/cooking/c.mp4"])
        #expect(gathered.classes.names == ["cooking", "golf", "tennis"] && gathered.level?.isInner == true)
        #expect(gathered.clips.map(\.label) == [0, 1, 2])
        let cameras = try classFolders(["walk/cam1/a.mp4", "walk/cam2/b.mp4", "run/cam1/c.mp4"])
        #expect(cameras.classes.names == ["run", "walk"] && cameras.level?.isInner == false)
        let dates = try classFolders(["walk/2024/a.mp4", "walk/2025/b.mp4", "run/2026/c.mp4"])
        #expect(dates.classes.names == ["run", "walk"])
        let mixed = try classFolders(["walk/a.mp4", "walk/more/b.mp4", "run/c.mp4"])
        #expect(mixed.classes.names == ["run", "walk"] && mixed.clips.map(\.path) == ["run/c.mp4", "walk/a.mp4", "walk/more/b.mp4"])
        let divided = try classFolders(["train/sports/golf/a.mp4", "train/sports/tennis/b.mp4", "val/sports/golf/c.mp4", "val/sports/tennis/d.mp4"])
        #expect(divided.classes.names == ["golf", "tennis"])
    }

    @Test func foldersOfFramesAreVideos() throws {
        let found = try classFolders(["walk/clip1/img_1.jpg", "walk/clip1/img_2.jpg", "walk/clip2/img_1.jpg", "run/clip1/1.png"])
        #expect(found.classes.names == ["run", "walk"] && found.clips.map(\.path) == ["run/clip1", "walk/clip1", "walk/clip2"] && found.level == nil)
    }
}
