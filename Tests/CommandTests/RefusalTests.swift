import Files
import Foundation
import TestSupport
import Testing
import VideoData

/// What would make a result false is refused, and done where a flag asks for it.
@Suite(.serialized) struct RefusalTests {
    private let program: Program

    init() throws { program = try Program.withVideos() }

    private func learn(_ words: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> Program.Outcome {
        try program.run(
            ["learn", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2", "--epochs", "1", "--batch-size", "4"] + words,
            sourceLocation: sourceLocation)
    }

    private func write(_ name: String, _ videos: Range<Int>, copies: Bool = false) throws {
        try program.folder.write(videos.map { "video\($0).mp4 \($0 % 5)\n" }.joined(), to: name)
    }

    @Test func videosAreLearnedFromOrTestedOn() throws {
        try write("train.txt", 0..<6)
        try write("val.txt", 5..<10)
        let refused = try learn("--train", "train.txt", "--val", "val.txt", "--output", "a")
        #expect(refused.status == 65)
        #expect(refused.messages.contains("val.txt:1: 'video5.mp4' is also in train.txt:6. "), "\(refused.messages)")
        #expect(refused.messages.contains("--allow-shared-videos") && !fileExists(program.folder.path("a")))
        // A copy under another name, in another folder.
        try createDirectory(program.folder.path("copies"))
        let bytes = try InputFile.contents(of: program.folder.path("video2.mp4"), limit: 1 << 20)
        try program.folder.write(bytes, to: "copies/other.mp4")
        try program.folder.write("video6.mp4 1\ncopies/other.mp4 2\n", to: "copied.txt")
        let copied = try learn("--train", "train.txt", "--val", "copied.txt", "--output", "a")
        #expect(copied.status == 65)
        #expect(copied.messages.contains("copied.txt:2: 'copies/other.mp4' has the same bytes as 'video2.mp4' of train.txt:3."), "\(copied.messages)")
        #expect(try learn("--train", "train.txt", "--val", "val.txt", "--allow-shared-videos", "--output", "a").status == 0)
    }

    @Test func classesThatAreScoredAreLearned() throws {
        try write("train.txt", 0..<4)
        try write("val.txt", 5..<10)
        let refused = try learn("--train", "train.txt", "--val", "val.txt", "--output", "a")
        #expect(refused.status == 65)
        #expect(refused.messages.contains("val.txt:5: videos of turning are scored, but train.txt holds none to learn from."), "\(refused.messages)")
        #expect(try learn("--train", "train.txt", "--val", "val.txt", "--allow-untrained-classes", "--output", "a").status == 0)
        // The other way round it is a warning.
        try write("few.txt", 5..<8)
        let warned = try learn("--train", "list.txt", "--val", "few.txt", "--allow-shared-videos", "--output", "b")
        #expect(warned.status == 0 && warned.messages.contains("few.txt: holds no clips of sitting, turning; they are learned and not tested."))
    }

    @Test func aDrawHoldsAVideoOnce() throws {
        try program.folder.write((0..<5).map { "video\($0).mp4 \($0)\nvideo\($0).mp4 \($0)\n" }.joined(), to: "train.txt")
        let refused = try learn("--train", "train.txt", "--shots", "2", "--output", "a")
        #expect(refused.status == 65 && refused.messages.contains("train.txt:2: 'video0.mp4' is also in train.txt:1, so one video could be drawn twice"))
        #expect(try learn("--train", "train.txt", "--shots", "2", "--allow-repeats", "--output", "a").status == 0)
        let split = ["data", "split", "--train", "train.txt", "--labels", "labels.csv", "--shots", "2"]
        #expect(try program.run(split).status == 65 && !fileExists(program.folder.path("split.json")))
        #expect(try program.run(split + ["--allow-repeats"]).status == 0)
    }

    @Test func theSameListIsNotTwo() throws {
        try write("one.txt", 0..<5)
        // In another order, with other line ends.
        try program.folder.write((0..<5).reversed().map { "video\($0).mp4 \($0)\r\n" }.joined(), to: "two.txt")
        let words = [
            "evaluate", "zero-shot", "--val", "one.txt", "--val", "two.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2",
            "--output",
        ]
        let refused = try program.run(words + ["a"])
        #expect(refused.status == 64 && refused.messages.contains("two.txt: is the same list as one.txt"), "\(refused.messages)")
        #expect(try program.run(words + ["a", "--allow-repeats"]).status == 0)
    }

    @Test func theSamePromptsAreNotTwo() throws {
        let prompts = try SmallModel().write(to: program).prompts
        let bytes = try InputFile.contents(of: program.folder.path(prompts), limit: 1 << 20)
        try program.folder.write(bytes, to: "copy.safetensors")
        for (other, words) in [
            (prompts, "is given twice"), ("./" + prompts, "is the same as \(prompts)"), ("copy.safetensors", "has the same bytes as \(prompts)"),
        ] {
            let refused = try program("predict", "video0.mp4", "--prompts", prompts, "--prompts", other)
            #expect(refused.status == 64 && refused.messages.contains("\(other): \(words)"), "\(refused.messages)")
            #expect(try program("predict", "video0.mp4", "--prompts", prompts, "--prompts", other, "--allow-repeats").status == 0)
        }
    }

    @Test func aCopyOfARunIsNoSecondSeed() throws {
        #expect(try learn("--train", "list.txt", "--seeds", "1,2", "--output", "g").status == 0)
        #expect(try program("summarize", "g").status == 0)
        try FileManager.default.copyItem(atPath: program.folder.path("g/seed1"), toPath: program.folder.path("g/seed3"))
        for command in [["summarize", "g"], ["report", "g", "-o", "r.html"]] {
            let refused = try program.run(command)
            #expect(refused.status == 64 && refused.messages.contains("g/seed3: has the same bytes as g/seed1"), "\(refused.messages)")
            #expect(try program.run(command + ["--allow-repeats"]).status == 0)
        }
        #expect(try program("report", "g", "./g", "-o", "s.html").status == 64)
    }

    @Test func foldersWithCopiesAreNotDivided() throws {
        for (name, video) in [("walk/a.mp4", 0), ("walk/b.mp4", 0), ("jump/c.mp4", 1), ("jump/d.mp4", 2)] {
            try createDirectory(program.folder.path("videos/" + name).parentDirectory)
            try program.folder.write(InputFile.contents(of: program.folder.path("video\(video).mp4"), limit: 1 << 20), to: "videos/" + name)
        }
        let refused = try program("data", "init", "videos")
        #expect(refused.status == 65 && refused.messages.contains("has the same bytes as"), "\(refused.messages)")
        #expect(try program("data", "init", "videos", "--allow-shared-videos").status == 0)
    }

    @Test func importsKeepTrainingAndTestApart() throws {
        try createDirectory(program.folder.path("lists"))
        try createDirectory(program.folder.path("videos/walk"))
        for (name, text) in [("train_list.txt", "walk/a.mp4 0\n"), ("val_list.txt", "walk/b.mp4 0\n"), ("label_map.txt", "walk\n")] {
            try program.folder.write(text, to: "lists/" + name)
        }
        for name in ["a", "b"] { try program.folder.write("same", to: "videos/walk/\(name).mp4") }
        let refused = try program("data", "import", "lists", "--root", "videos")
        #expect(refused.status == 65 && refused.messages.contains("lists/val_list.txt:1: 'walk/b.mp4' has the same bytes as 'walk/a.mp4' of "), "\(refused.messages)")
        #expect(!fileExists(program.folder.path("videos/train.txt")))
        #expect(try program("data", "import", "lists", "--root", "videos", "--allow-shared-videos").status == 0)
    }
}
