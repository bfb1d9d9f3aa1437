import Files
import Foundation
import TestSupport
import Testing

/// Layouts, labels and what is told about them, as a person meets them.
@Suite(.serialized) struct LayoutCommandTests {
    private let program: Program
    private let model = ["--backbone", "clip.safetensors", "--frames", "2"]

    init() throws { program = try Program.withVideos() }

    private func run(_ words: [String], status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation) throws -> Program.Outcome {
        let outcome = try program.run(words)
        #expect(outcome.status == status, "\(outcome.messages)", sourceLocation: sourceLocation)
        return outcome
    }

    private func shell(_ words: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.currentDirectoryURL = URL(fileURLWithPath: program.folder.path("."))
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    private func text(_ name: String) throws -> String { try String(contentsOfFile: program.folder.path(name), encoding: .utf8) }

    private let training = ["--set", "training.steps=2", "--set", "training.batch_size=2", "--set", "training.accumulation_steps=1",
        "--set", "prompts.vision_tokens=1", "--set", "prompts.text_tokens=1", "--set", "prompts.vision_depth=1", "--set", "prompts.text_depth=1"]

    /// The same videos from an archive and as folders of frames without loss give the same answers as the files.
    @Test func archivesAndFramesGiveTheSameAnswers() throws {
        try shell("sh", "-c", "tar -cf videos.tar video*.mp4; for i in 0 1 2 3 4 5 6 7 8 9; do mkdir -p frames/video$i; ffmpeg -nostdin -v error -i video$i.mp4 -vsync passthrough frames/video$i/f_%d.png; done; tar -cf frames.tar frames")
        try program.folder.write((0..<10).map { "video\($0) \($0 % 5)\n" }.joined(), to: "frames.txt")
        try program.folder.write((0..<10).map { "video\($0) 6 \($0 % 5)\n" }.joined(), to: "counted.txt")
        func predictions(_ list: String, _ more: String...) throws -> [String] {
            let folder = "out-" + UUID().uuidString
            _ = try run(["eval", "--zero-shot", "--val", list, "--labels", "labels.csv", "--output", folder] + model + more)
            return try text(folder + "/predictions.jsonl").split(separator: "\n").map { line in
                String(line.drop { $0 != "[" }.prefix { $0 != "]" })
            }
        }
        let files = try predictions("list.txt")
        #expect(files.count == 10)
        #expect(try predictions("list.txt", "--root", "videos.tar") == files)
        #expect(try predictions("frames.txt", "--root", "frames") == files)
        #expect(try predictions("counted.txt", "--root", "frames") == files)
        #expect(try predictions("frames.txt", "--root", "frames.tar/frames") == files)
        let answer = try run(["predict", "video3.mp4", "--labels", "labels.csv", "--json"] + model).output
        for path in ["videos.tar/video3.mp4", "frames/video3"] {
            #expect(try run(["predict", path, "--labels", "labels.csv", "--json"] + model).output == answer.replacingOccurrences(of: "video3.mp4", with: path))
        }
        #expect(try run(["predict", "videos.tar", "--labels", "labels.csv", "--json"] + model).output.split(separator: "\n").count == 10)
        #expect(try run(["data", "check", "list.txt", "--root", "videos.tar"]).output.hasPrefix("10 videos, 0 broken, 0 odd"))
        #expect(try run(["data", "check", "counted.txt", "--root", "frames"]).output.hasPrefix("10 videos, 0 broken, 0 odd"))
        _ = try run(["learn", "--train", "list.txt", "--labels", "labels.csv", "--root", "videos.tar", "--output", "tar-run"] + model + training)
        _ = try run(["learn", "--train", "frames.txt", "--labels", "labels.csv", "--root", "frames", "--output", "frames-run"] + model + training)
        let weights = { (run: String) in try Data(contentsOf: URL(fileURLWithPath: program.folder.path(run + "/metrics.jsonl"))).count }
        #expect(try weights("tar-run") > 0 && weights("frames-run") > 0)
    }

    @Test func severalLabelsAreRefusedByName() throws {
        for (list, words) in [
            ("video0.mp4 0 2\n", "0 frames"), ("video0.mp4 1 2\nvideo1.mp4 3 4\n", "'video0.mp4' has 1 frame, but it has 6"), ("video0.mp4 9999 2\n", "has 9999 frames, but it has 6"),
            ("video0.mp4 6 0\nvideo1.mp4 1\n", "columns"), ("video0.mp4 6 0 1\n", "more than two numbers"),
        ] {
            try program.folder.write(list, to: "multi.txt")
            for command in [["eval", "--zero-shot", "--val", "multi.txt"] + model, ["learn", "--train", "multi.txt"] + model + training] {
                let outcome = try run(command + ["--labels", "labels.csv", "--output", "refused"], status: 65)
                #expect(outcome.messages.contains(words), "\(outcome.messages)")
            }
            #expect(try program.run(["data", "check", "multi.txt"]).status == 65)
        }
        #expect(!FileManager.default.fileExists(atPath: program.folder.path("refused")))
    }

    @Test func runsAndPromptsNameTheirClasses() throws {
        _ = try run(["learn", "--train", "list.txt", "--val", "list.txt", "--allow-shared-videos", "--labels", "labels.csv", "--output", "run"] + model + training)
        let named = try run(["eval", "--prompts", "run", "--val", "list.txt", "--backbone", "clip.safetensors", "--output", "named"])
        #expect(named.messages.contains("run/prompts/best.safetensors") && named.messages.contains("Classes: those of run"))
        _ = try run(["eval", "--prompts", "run/prompts/best.safetensors", "--val", "list.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--output", "full"])
        #expect(try text("named/predictions.jsonl") == text("full/predictions.jsonl"))
        _ = try run(["predict", "video0.mp4", "--prompts", "run", "--backbone", "clip.safetensors"])
        // Another order is told, other words with the same tokens are.
        try program.folder.write("clapping\nwaving\njumping\nsitting\nturning\n", to: "order.txt")
        #expect(
            try run(["eval", "--prompts", "run", "--val", "list.txt", "--labels", "order.txt", "--backbone", "clip.safetensors", "--output", "order"])
                .messages.contains("in another order: class 0 is 'clapping' here and 'waving' there"))
        // The small model reads bytes in lower case or as they are: blanks for underscores are the same in either.
        try program.folder.write("id,name\n0,wav ing\n1,wav_ing\n2,jumping\n3,sitting\n4,turning\n", to: "same.csv")
        #expect(
            try run(["eval", "--zero-shot", "--val", "list.txt", "--labels", "same.csv", "--output", "same"] + model)
                .messages.contains("classes 0 'wav ing' and 1 'wav_ing' become the same tokens"))
        // Five classes: top-5 says nothing.
        #expect(try !run(["eval", "--zero-shot", "--val", "list.txt", "--labels", "labels.csv", "--output", "five"] + model).output.contains("top-5"))
        let table = try run(["evaluate", "zero-shot", "--val", "list.txt", "--labels", "labels.csv", "--output", "z"] + model).output
        #expect(table.contains("–") && !table.contains("100.0"))
    }

    @Test func classesAreTold() throws {
        try program.folder.write("id,name\n0,waving\n", to: "one.csv")
        try program.folder.write("video0.mp4 0\nvideo5.mp4 0\n", to: "one.txt")
        try program.folder.write("video0.mp4 0\nvideo1.mp4 1\n", to: "two.txt")
        for command in [
            ["eval", "--zero-shot", "--val", "one.txt", "--labels", "one.csv", "--output", "a"] + model, ["data", "stats", "one.txt", "--labels", "one.csv"],
            ["data", "check", "one.txt", "--labels", "one.csv"], ["data", "split", "--train", "one.txt", "--labels", "one.csv", "--shots", "1", "--output", "s"],
            ["learn", "--train", "one.txt", "--labels", "one.csv", "--output", "b"] + model + training, ["predict", "video0.mp4", "--labels", "one.csv"] + model,
        ] { #expect(try run(command).messages.contains("only one class"), "\(command)") }
        for command in [
            ["eval", "--zero-shot", "--val", "two.txt", "--labels", "labels.csv", "--output", "c"] + model, ["data", "stats", "two.txt", "--labels", "labels.csv"],
            ["data", "check", "two.txt", "--labels", "labels.csv"],
            ["evaluate", "zero-shot", "--val", "two.txt", "--labels", "labels.csv", "--output", "d"] + model,
        ] { #expect(try run(command).messages.contains("no videos of jumping, sitting, turning"), "\(command)") }
        #expect(try run(["data", "stats", "two.txt", "--labels", "labels.csv"]).output.contains("0 to 1 videos per class, median 0"))
        try program.folder.write("id,name\n0,a\n1,b\n", to: "ab.csv")
        try program.folder.write("video0.mp4 0\nvideo1.mp4 1\nvideo2.mp4 1\n", to: "ab.txt")
        #expect(try run(["data", "stats", "ab.txt", "--labels", "ab.csv"]).output.contains("1 to 2 videos per class, median 1.5"))
    }

    @Test func tablesSayWhatWasThere() throws {
        let words = ["--train", "list.txt", "--val", "list.txt", "--allow-shared-videos", "--labels", "labels.csv", "--root", "."] + model + training
        let few = try run(["evaluate", "few-shot", "--shots", "1,2,4", "--methods", "prompt", "--output", "few"] + words)
        #expect(few.output.contains("| K = 2 |") && few.output.contains("K = 4 (2 there)"))
        #expect(few.messages.contains("K = 4: 5 of 5 classes have fewer clips"))
        let novel = try run(["evaluate", "base-to-novel", "--shots", "4", "--output", "novel"] + words)
        #expect(novel.output.contains("(videos of an earlier draw)") && novel.output.contains("mean of 3, 1 different draw") && !novel.output.contains("±"))
        #expect(novel.messages.contains("holds the videos of an earlier draw") || novel.messages.contains("hold the videos of an earlier draw"))
    }

    @Test func brokenVideosNameTheRemedy() throws {
        try program.folder.write("no video", to: "bad.mp4")
        try program.folder.write("video0.mp4 0\nbad.mp4 1\n", to: "bad.txt")
        for command in [
            ["learn", "--train", "bad.txt", "--labels", "labels.csv", "--output", "a"] + model + training,
            ["eval", "--zero-shot", "--val", "bad.txt", "--labels", "labels.csv", "--output", "b"] + model,
        ] {
            let messages = try run(command, status: 65).messages
            #expect(messages.contains("bad.mp4") && messages.contains("vifi-prompt data check bad.txt") && messages.contains("--on-bad-video skip"))
        }
    }

    @Test func splitsKnowTheRootOfImportedLists() throws {
        try shell("sh", "-c", "mkdir videos && cp video0.mp4 video1.mp4 videos/")
        try program.folder.write("video0.mp4 0\nvideo1.mp4 1\n", to: "train.txt")
        try program.folder.write("id,name\n0,a\n1,b\n", to: "names.csv")
        _ = try run(["data", "import", "train.txt", "names.csv", "--root", "videos", "--output", "lists"])
        let split = try run(["data", "split", "--train", "lists/train.txt", "--labels", "lists/labels.csv", "--shots", "1"])
        let root = program.folder.path("videos")
        #expect(split.messages.contains("--root ") && split.messages.contains("/videos"))
        #expect(try text("lists/split.json").contains("/videos\""))
        _ = try run(["data", "check", "lists/train-1-shot.txt", "--root", root])
    }

    @Test func initTakesDividedAndNestedFolders() throws {
        try shell("sh", "-c", "for f in train/walk train/run val/walk val/run test/walk annotations; do mkdir -p d/$f; done; for f in train/walk train/run val/walk val/run test/walk; do cp video0.mp4 d/$f/; done; echo x > d/annotations/a.txt")
        _ = try run(["data", "init", "d", "--allow-shared-videos"])
        #expect(try text("d/train.txt") == "train/run/video0.mp4 0\ntrain/walk/video0.mp4 1\n" && text("d/val.txt") == "val/run/video0.mp4 0\nval/walk/video0.mp4 1\n")
        #expect(try text("d/test.txt") == "test/walk/video0.mp4 1\n")
        try shell("sh", "-c", "mkdir -p n/sports/golf n/sports/tennis n/home/cooking; for f in sports/golf sports/tennis home/cooking; do cp video0.mp4 video1.mp4 n/$f/; done")
        #expect(try run(["data", "init", "n", "--allow-shared-videos"]).messages.contains("the inner ones name the classes"))
        #expect(try text("n/labels.csv") == "id,name\n0,cooking\n1,golf\n2,tennis\n")
    }

    @Test func captionRunsHaveACurve() throws {
        try shell("mkdir", "c")
        try program.folder.write("{\"step\":1,\"epoch\":1,\"loss\":2,\"learning_rate\":0.1}\n{\"epoch\":1,\"training_loss\":2,\"val_text_to_video_r1\":25,\"val_text_to_video_r5\":75}\n{\"epoch\":2,\"training_loss\":1,\"val_text_to_video_r1\":50,\"val_text_to_video_r5\":100}\n", to: "c/metrics.jsonl")
        _ = try run(["viz", "curves", "c", "-o", "charts"])
        #expect(try text("charts/curves-accuracy.svg").contains("R@1"))
    }
}
