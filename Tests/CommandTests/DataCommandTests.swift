import Files
import Foundation
import TestSupport
import Testing

/// `vifi-prompt data …` from end to end, as people call it.
@Suite(.serialized) struct DataCommandTests {
    private let program: Program

    init() throws { program = try Program() }

    /// Writes files, and folders on the way.
    private func write(_ files: [String: String]) throws {
        for (name, text) in files {
            try createDirectory(program.folder.path(name).parentDirectory)
            try program.folder.write(text, to: name)
        }
    }

    private func text(_ name: String) throws -> String {
        try String(contentsOfFile: program.folder.path(name), encoding: .utf8)
    }

    private func exists(_ name: String) -> Bool { fileExists(program.folder.path(name)) }

    private func json(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    // MARK: init

    private func writeFolders() throws {
        for name in ["PourTea/a.mp4", "PourTea/b.mp4", "PourTea/c.mp4", "wave_hand/d.avi", "wave_hand/e.avi", "wave_hand/note.txt", "none/x.md"] {
            try write(["videos/\(name)": name])
        }
    }

    @Test func initMakesListsThatCanBeUsed() throws {
        try writeFolders()
        let outcome = try program("data", "init", "videos")
        #expect(outcome.status == 0, "\(outcome.messages)")
        #expect(outcome.output == "2 classes, 2 videos to learn from, 1 to choose the best epoch on, 2 to score at the end\nrecipe: videos/recipe.yaml\n")
        #expect(
            outcome.messages == """
                vifi-prompt: warning: too few videos for a validation list in wave_hand; they are learned from and tested.
                vifi-prompt: warning: 2 files are no videos: none/x.md, wave_hand/note.txt
                vifi-prompt: warning: 1 folder holds no videos and gives no class: none
                Next: vifi-prompt learn --recipe videos/recipe.yaml --backbone FILE

                """)
        #expect(try text("videos/labels.csv") == "id,name\n0,PourTea\n1,wave_hand\n")
        let lines = try text("videos/train.txt") + text("videos/val.txt") + text("videos/test.txt")
        #expect(
            lines.split(separator: "\n").sorted() == ["PourTea/a.mp4 0", "PourTea/b.mp4 0", "PourTea/c.mp4 0", "wave_hand/d.avi 1", "wave_hand/e.avi 1"])
        #expect(try text("videos/test.txt").split(separator: "\n").map(\.last) == ["0", "1"] && text("videos/val.txt").hasSuffix(" 0\n"))
        let shown = try program("recipe", "show", "videos/recipe.yaml")
        #expect(shown.status == 0)
        #expect(shown.output == "data:\n  train: \"videos/train.txt\"\n  val: \"videos/val.txt\"\n  test: \"videos/test.txt\"\n  labels: \"videos/labels.csv\"\n")
        // What sha256sum says.
        let summary = try json(try text("videos/data.json"))
        let lists = try #require(summary["lists"] as? [[String: Any]])
        #expect(lists.first?["sha256"] as? String == Digest.of(try text("videos/train.txt")))
        #expect(summary["seed"] as? Int == 1 && lists.map { $0["file"] as? String } == ["train.txt", "val.txt", "test.txt", "labels.csv"])
    }

    @Test func initOverwritesOnlyWhenTold() throws {
        try writeFolders()
        #expect(try program("data", "init", "videos").status == 0)
        let before = try text("videos/val.txt")
        let again = try program("data", "init", "videos", "--seed", "2")
        #expect(again.status == 74)
        #expect(again.messages.hasSuffix("videos: already contains train.txt, val.txt, test.txt, labels.csv, recipe.yaml. Choose another --output, or overwrite with --force.\n"))
        #expect(try text("videos/val.txt") == before)
        let forced = try program("data", "init", "videos", "--force", "--humanise-labels", "--val-share", "0", "--test-clips", "2")
        #expect(forced.status == 0)
        #expect(try text("videos/labels.csv") == "id,name\n0,Pour Tea\n1,wave hand\n")
        #expect(try text("videos/train.txt").split(separator: "\n").count == 2)
        // Elsewhere, the recipe says where videos are.
        #expect(try program("data", "init", "videos", "--output", "lists/new").status == 0)
        let root = try #require(resolvedPath(program.folder.path("videos")))
        #expect(try text("lists/new/recipe.yaml").contains("root: \"\(root)\""))
    }

    /// The folder may be moved, and the recipe named from anywhere.
    @Test func recipesFindTheListsBesideThem() throws {
        try writeFolders()
        #expect(try program("data", "init", "videos").status == 0)
        #expect(try text("videos/recipe.yaml").contains("train: \"./train.txt\""))
        try FileManager.default.moveItem(atPath: program.folder.path("videos"), toPath: program.folder.path("moved"))
        let shown = try program("recipe", "show", "moved/recipe.yaml")
        #expect(shown.output == "data:\n  train: \"moved/train.txt\"\n  val: \"moved/val.txt\"\n  test: \"moved/test.txt\"\n  labels: \"moved/labels.csv\"\n")
    }

    // MARK: import

    @Test func importsUCF() throws {
        try write([
            "lists/classInd.txt": "1 ApplyEyeMakeup\r\n2 Archery\r\n",
            "lists/trainlist01.txt": "ApplyEyeMakeup/v_a_g08_c01.avi 1\r\nArchery/v_b_g08_c01.avi 2\r\n",
            "lists/testlist01.txt": "Archery/v_c_g01_c01.avi\r\n",
            "UCF-101/ApplyEyeMakeup/v_a_g08_c01.avi": "a", "UCF-101/Archery/v_c_g01_c01.avi": "c",
        ])
        let refused = try program("data", "import", "lists", "--root", "UCF-101")
        #expect(refused.status == 66 && !exists("UCF-101/train1.txt"))
        #expect(refused.messages.contains("lists/trainlist01.txt: 1 of 2 videos were not found under UCF-101, neither at their published paths nor under unique names:\n  Archery/v_b_g08_c01.avi\n"))
        #expect(refused.messages.contains("leave them out with --skip-missing."))
        let outcome = try program("data", "import", "lists", "--root", "UCF-101", "--skip-missing")
        #expect(outcome.status == 0)
        #expect(outcome.messages.hasPrefix("UCF-101: 3 files, 2 classes, val1 1, train1 2\n2 videos below UCF-101\n"))
        #expect(outcome.output == "UCF-101/val1.txt: 1 video\nUCF-101/train1.txt: 1 video\nUCF-101/labels.csv: 2 classes\n")
        #expect(try text("UCF-101/train1.txt") == "ApplyEyeMakeup/v_a_g08_c01.avi 0\n")
        #expect(try text("UCF-101/val1.txt") == "Archery/v_c_g01_c01.avi 1\n")
        #expect(try text("UCF-101/recipe.yaml").contains("test: \"./val1.txt\""))
        let sources = try #require(try json(try text("UCF-101/data.json"))["sources"] as? [[String: Any]])
        #expect(sources.first?["sha256"] as? String == Digest.of("1 ApplyEyeMakeup\r\n2 Archery\r\n"))
    }

    @Test func importsWithoutVideos() throws {
        try write([
            "kinetics/train.csv": "label,youtube_id,time_start,time_end,split\nzumba,-a,1,11,train\nair drumming,b,0,10,train\n",
        ])
        let outcome = try program("data", "import", "kinetics/train.csv", "--output", "out")
        #expect(outcome.status == 0)
        #expect(try text("out/train.txt") == "zumba/-a_000001_000011.mp4 1\nair drumming/b_000000_000010.mp4 0\n")
        #expect(try text("out/labels.csv") == "id,name\n0,air drumming\n1,zumba\n")
        #expect(try program("data", "import", "kinetics/train.csv").status == 64)
    }

    // MARK: split

    /// Class c has 4 + c videos.
    private func writeLists(_ classes: Int) throws {
        let names = (0..<classes).map { "\($0),class \($0)\n" }.joined()
        let train = (0..<classes).flatMap { label in (0..<4 + label).map { "c\(label)/\($0).mp4 \(label)\n" } }.joined()
        let val = (0..<classes).map { "c\($0)/test.mp4 \($0)\n" }.joined()
        try write(["set/labels.csv": "id,name\n" + names, "set/train.txt": train, "set/val.txt": val])
    }

    @Test func splitsAreNestedAndRecorded() throws {
        try writeLists(3)
        let arguments = ["data", "split", "--train", "set/train.txt", "--labels", "set/labels.csv", "--shots", "4,2", "--seed", "7"]
        let outcome = try program.run(arguments)
        #expect(outcome.status == 0)
        let (two, four) = (try text("set/train-2-shot.txt"), try text("set/train-4-shot.txt"))
        let (lines2, lines4) = (two.split(separator: "\n"), four.split(separator: "\n"))
        #expect(lines2.count == 6 && lines4.count == 12 && Set(lines2).isSubset(of: Set(lines4)))
        #expect(outcome.output.hasPrefix("set/train-2-shot.txt: 6 videos, SHA-256 \(Digest.of(two).prefix(12))…\n"))
        let summary = try json(try text("set/split.json"))
        #expect(summary["tool"] as? String == "vifi-prompt 0.1.0" && summary["seed"] as? Int == 7 && summary["drawsAreNested"] as? Bool == true)
        let lists = try #require(summary["lists"] as? [[String: Any]])
        #expect(lists.map { $0["sha256"] as? String } == [Digest.of(two), Digest.of(four)])
        let sources = try #require(summary["sources"] as? [[String: Any]])
        #expect(sources[0]["sha256"] as? String == Digest.of(try text("set/train.txt")))
        // Once more elsewhere: the same lists, and a word on where their paths start.
        let elsewhere = try program.run(arguments + ["--output", "other"])
        #expect(elsewhere.messages.contains("Paths in these lists start from set"))
        #expect(try text("other/train-4-shot.txt") == four)
        #expect(try program.run(arguments).status == 74)
    }

    @Test func oneListInThreeParts() throws {
        try writeLists(5)
        let arguments = ["data", "split", "--train", "set/train.txt", "--labels", "set/labels.csv", "--parts"]
        #expect(try program.run(arguments + ["--val-clips", "1", "--test-share", "0.4", "--output", "parts"]).status == 0)
        let parts = try ["train", "val", "test"].map { try text("parts/\($0).txt").split(separator: "\n").map(String.init) }
        #expect(parts[1].count == 5 && Set(parts[1].map(\.last)).count == 5)
        #expect(parts.flatMap(\.self).sorted() == (try text("set/train.txt").split(separator: "\n").map(String.init).sorted()))
        #expect(try program.run(arguments + ["--shots", "2"]).status == 64 && program.run(arguments + ["--val-share", "0.6", "--test-share", "0.5"]).status == 64)
    }

    @Test func halvesGoByFrequency() throws {
        try writeLists(5)
        let outcome = try program(
            "data", "split", "--train", "set/train.txt", "--val", "set/val.txt", "--labels", "set/labels.csv", "--base-novel", "--shots", "3", "--output", "halves")
        #expect(outcome.status == 0)
        #expect(try text("halves/base-labels.csv") == "id,name\n0,class 2\n1,class 3\n2,class 4\n")
        #expect(try text("halves/novel-labels.csv") == "id,name\n0,class 0\n1,class 1\n")
        #expect(try text("halves/base-val.txt") == "c2/test.mp4 0\nc3/test.mp4 1\nc4/test.mp4 2\n")
        #expect(try text("halves/novel-val.txt") == "c0/test.mp4 0\nc1/test.mp4 1\n")
        let both = try program(
            "data", "split", "--train", "set/train.txt", "--val", "set/val.txt", "--test", "set/val.txt", "--labels", "set/labels.csv", "--base-novel", "--output",
            "both")
        #expect(try both.status == 0 && text("both/base-test.txt") == text("halves/base-val.txt") && text("both/novel-val.txt") == text("halves/novel-val.txt"))
        #expect(try text("halves/base-train.txt").split(separator: "\n").count == 6 + 7 + 8)
        let draws = try (1...3).map { try text("halves/base-train-3-shot-s\($0).txt") }
        #expect(Set(draws).count == 3 && draws.allSatisfy { $0.split(separator: "\n").count == 9 })
    }

    // MARK: stats

    @Test func statsCountAndDraw() throws {
        try writeLists(3)
        let outcome = try program(
            "data", "stats", "set/train.txt", "set/val.txt", "--labels", "set/labels.csv", "--plot", "f.svg", "--plot", "f.png")
        #expect(outcome.status == 0)
        #expect(
            outcome.output == """
                class    train.txt  val.txt
                class 0          4        1
                class 1          5        1
                class 2          6        1
                all             15        3
                train.txt: 4 to 6 videos per class, median 5
                val.txt: 1 to 1 videos per class, median 1

                """)
        #expect(try text("f.svg").contains("<desc id=\"desc\">3 classes by number of videos, from class 2 with 6 to class 0 with 4.</desc>"))
        let first = try text("f.svg")
        _ = try program("data", "stats", "set/train.txt", "--labels", "set/labels.csv", "--plot", "f.svg")
        #expect(try text("f.svg") == first)
        let counted = try json(try program("data", "stats", "set/train.txt", "--labels", "set/labels.csv", "--json").output)
        let classes = try #require(counted["classes"] as? [[String: Any]])
        #expect(classes.map { $0["clips"] as? [Int] } == [[4], [5], [6]])
    }

    // MARK: check

    private func writeVideos() throws {
        try createDirectory(program.folder.path("videos"))
        let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: fixturePath("videos/bikes.mp4"))))
        try program.folder.write(whole, to: "videos/good.mp4")
        try program.folder.write(Array(whole.prefix(whole.count / 2)), to: "videos/half.mp4")
        try program.folder.write("<!DOCTYPE html>", to: "videos/page.mp4")
        try write(["videos/list.txt": "good.mp4 0\nhalf.mp4 1\npage.mp4 0\ngone.mp4 1\n"])
    }

    @Test func checkNamesBrokenVideosAndWritesTheRest() throws {
        try writeVideos()
        let outcome = try program("data", "check", "videos/list.txt", "--write-good", "videos/good.txt")
        #expect(outcome.status == 65)
        #expect(outcome.output.contains("broken: videos/page.mp4: is a web page (HTML)"))
        #expect(outcome.output.contains("broken: videos/gone.mp4: no such file. Check the path.\n"))
        #expect(outcome.output.hasSuffix("\n") && outcome.output.contains("4 videos, "))
        #expect(try text("videos/good.txt").hasPrefix("good.mp4 0\n"))
        #expect(try !text("videos/good.txt").contains("page.mp4") && !text("videos/good.txt").contains("gone.mp4"))
        let again = try program("data", "check", "videos/good.txt", "--strict", "--json", "--write-good", "videos/strict.txt", "--threads", "1")
        let report = try json(again.output)
        #expect(try text("videos/strict.txt") == "good.mp4 0\n")
        #expect(report["odd"] as? Int == 0)
        let videos = try #require(report["videos"] as? Int)
        #expect(again.status == (videos == 1 ? 0 : 65))
        #expect(try program("data", "check", "videos/list.txt", "--write-good", "videos/good.txt").status == 74)
    }

    @Test func statsOpenVideos() throws {
        try writeVideos()
        try write(["videos/labels.csv": "id,name\n0,ride\n1,walk\n", "videos/one.txt": "good.mp4 0\n"])
        let outcome = try program("data", "stats", "videos/one.txt", "--labels", "videos/labels.csv", "--videos")
        #expect(outcome.status == 0)
        #expect(outcome.output.contains("one.txt: 1 video opened\n  frames: 250 to 250, median 250\n"))
        #expect(outcome.output.contains("  width: 640 to 640 pixels, median 640\n"))
    }

    // MARK: Faults

    struct Case: Sendable, CustomTestStringConvertible {
        let arguments: [String]
        let status: Int32
        let message: String

        init(_ arguments: String, _ status: Int32, _ message: String) {
            self.arguments = ["data"] + arguments.split(separator: " ").map(String.init)
            self.status = status
            self.message = message
        }

        var testDescription: String { arguments.joined(separator: " ") }
    }

    @Test(arguments: [
        Case("init none", 66, "vifi-prompt: error: none: no such file. Check the path."),
        Case("init set", 65, "vifi-prompt: error: set: holds no folders with videos in them."),
        Case("init set --val-share 1.5", 64, "Error: --val-share is 1.5; it must be from 0 to below 1."),
        Case("init", 64, "Error: Missing expected argument '<folder>'"),
        Case("import", 64, "Error: Missing expected argument '<file> ...'"),
        Case("import none.txt --root set", 66, "vifi-prompt: error: none.txt: no such file."),
        Case("import set/odd.txt --root set", 65, "vifi-prompt: error: set/odd.txt: is not a list or label file that `vifi-prompt data import` knows."),
        Case("import set/train.txt --root set", 64, "vifi-prompt: error: set/train.txt: needs class names beside it"),
        Case("split --train set/train.txt --labels set/labels.csv", 64, "Error: Say which: --parts, --shots 2,4,8,16 or --base-novel."),
        Case("split --train set/train.txt --labels set/labels.csv --shots 2,x", 64, "Error: The value '2,x' is invalid for '--shots <numbers>': 'x' is not a number of clips between 1 and 1000000."),
        Case("split --train set/train.txt --labels set/labels.csv --shots 0", 64, "Error: The value '0' is invalid for '--shots <numbers>': '0' is not a number of clips"),
        Case("split --train set/bad.txt --labels set/labels.csv --shots 2", 65, "vifi-prompt: error: set/bad.txt:2: label 9, but there are 3 classes"),
        Case("stats set/train.txt --labels set/labels.csv --plot x.pdf", 64, "Error: --plot is 'x.pdf'; charts are written as .svg or .png."),
        Case("stats set/train.txt --labels set/labels.csv --plot nowhere/x.svg", 74, "vifi-prompt: error: nowhere/x.svg: cannot be created"),
        Case("stats set/train.txt", 64, "Error: Missing expected argument '--labels <csv>'"),
        Case("check set/train.txt set/val.txt --write-good x", 64, "Error: --write-good is for one list at a time."),
        Case("check none.txt", 66, "vifi-prompt: error: none.txt: no such file."),
        Case("learn", 64, "Error: "),
    ])
    func faultsEndInTheirStatus(_ test: Case) throws {
        try writeLists(3)
        try write(["set/odd.txt": "a,b/c\n", "set/bad.txt": "a.mp4 0\nb.mp4 9\n"])
        let outcome = try program.run(test.arguments)
        #expect(outcome.status == test.status)
        #expect(outcome.messages.hasPrefix(test.message), "\(outcome.messages)")
        #expect(outcome.output == "")
    }
}
