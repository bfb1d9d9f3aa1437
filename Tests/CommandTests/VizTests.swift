import Files
import Foundation
import TestSupport
import Testing
import VideoData

/// `viz` as a person runs it: what it writes, and what it says where it cannot.
@Suite struct VizTests {
    private let program: Program

    init() throws { program = try Program() }

    private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: program.folder.path(path)) }
    private func text(_ path: String) throws -> String { try String(contentsOfFile: program.folder.path(path), encoding: .utf8) }
    private func write(_ path: String, _ text: String) throws {
        let full = program.folder.path(path)
        try createDirectory(full.parentDirectory)
        try text.write(toFile: full, atomically: true, encoding: .utf8)
    }

    private func video(_ path: String, width: Int = 50, height: Int = 40, frames: Int = 12, rate: Double = 15, shift: Int = 0) throws {
        try createDirectory(program.folder.path(path).parentDirectory)
        var writer = try VideoWriter(path: program.folder.path(path), width: width, height: height, framesPerSecond: rate)
        for frame in 0..<frames {
            try writer.append((0..<width * height * 3).map { UInt8(truncatingIfNeeded: $0 / 7 + 9 * frame + shift) })
        }
        try writer.finish()
    }

    /// Width, height, frames and rate as FFmpeg's own program tells them.
    private func probe(_ path: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-show_entries", "stream=width,height,avg_frame_rate,nb_read_frames",
            "-of", "csv=p=0", program.folder.path(path),
        ]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        process.waitUntilExit()
        return String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    // MARK: attention

    @Test func attentionWritesStripAndVideo() throws {
        let (backbone, prompts) = try SmallModel().write(to: program)
        try video("clip.mp4")
        let outcome = try program(
            "viz", "attention", "clip.mp4", "--class", "jumping", "--compare", backbone, prompts, "--from-block", "1", "-o", "a.png", "-o", "out/b.mp4")
        #expect(outcome.status == 0, "\(outcome.messages)")
        #expect(outcome.output == "a.png\nout/b.mp4\n")
        #expect(outcome.messages.contains("1: small, no prompts: ") && outcome.messages.contains("2: small with prompts"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: program.folder.path("a.png"))).starts(with: [0x89, 0x50, 0x4E, 0x47]))
        // Two panels under a heading, at the video's own rate.
        #expect(try probe("out/b.mp4") == "100,60,15/1,12")
    }

    @Test func videoKeepsSizeAndRateAndStripsHaveARowABlock() throws {
        let (backbone, _) = try SmallModel().write(to: program)
        try video("clip.mp4", frames: 5, rate: 29.97)
        try write("labels.csv", "id,name\n0,a\n1,b\n")
        let common = ["viz", "attention", "clip.mp4", "--backbone", backbone, "--labels", "labels.csv"]
        #expect(try program.run(common).status == 0)
        #expect(try probe("pictures/clip-attention.mp4") == "50,40,30000/1001,5" || probe("pictures/clip-attention.mp4").hasPrefix("50,40,2997"))
        #expect(try program.run(common + ["--layers", "-o", "layers.png"]).status == 0)
        #expect(try program.run(common + ["--map", "raw", "--head", "1", "-o", "raw.png"]).status == 0)
        let size = { (path: String) in try Data(contentsOf: URL(fileURLWithPath: program.folder.path(path)))[20..<24].reduce(0) { $0 << 8 | Int($1) } }
        #expect(try size("layers.png") > size("raw.png"))
        #expect(try size("raw.png") == size("pictures/clip-attention.png"))
    }

    /// Slides: the video keeps its frames' times, and strip and video are written together or not at all.
    @Test func attentionKeepsTimesFarApart() throws {
        let (backbone, prompts) = try SmallModel().write(to: program)
        let path = program.folder.path("slides.mp4")
        let made = try program.shell(
            "ffmpeg -nostdin -v error -f lavfi -i testsrc2=size=50x40:rate=1 -vf \"setpts='if(eq(N,0),0,if(eq(N,1),700,705))/TB'\" -frames:v 3 -vsync vfr -c:v libx264 \(path)")
        try #require(made.status == 0, "\(made.messages)")
        let outcome = try program("viz", "attention", "slides.mp4", "--backbone", backbone, "--prompts", prompts, "-o", "a.png", "-o", "b.mp4")
        #expect(outcome.status == 0 && outcome.output == "a.png\nb.mp4\n", "\(outcome.messages)")
        let times = try program.shell("ffprobe -v error -select_streams v -show_entries frame=pts_time -of csv=p=0 b.mp4").output
        let seconds = times.split(whereSeparator: \.isNewline).compactMap { Double($0.split(separator: ",")[0]) }
        #expect(seconds.count == 3 && zip(seconds, [0, 700, 705]).allSatisfy { abs($0 - $1) < 0.01 }, "\(times)")
    }

    @Test func attentionSaysWhatIsWrong() throws {
        let (backbone, prompts) = try SmallModel().write(to: program)
        try video("clip.mp4")
        try video("other/clip.mp4")
        try write("broken.mp4", "no video")
        func refused(_ arguments: String..., status: Int32, _ words: String) throws {
            let outcome = try program.run(["viz", "attention"] + arguments)
            #expect(outcome.status == status, "\(arguments): \(outcome.messages)")
            #expect(outcome.messages.contains(words), "\(arguments): \(outcome.messages)")
            #expect(outcome.output.isEmpty && !exists("pictures"))
        }
        try refused("clip.mp4", "--prompts", prompts, "--class", "jumpin", status: 64, "there is no such class. Did you mean \"jumping\"?")
        try refused("clip.mp4", "--prompts", prompts, "--class", "swimming far", status: 64, "The 5 classes begin with \"waving\", \"clapping hands\", \"jumping\".")
        try refused("--prompts", prompts, status: 64, "Of which video?")
        try refused("none.mp4", "--prompts", prompts, status: 66, "none.mp4: no such file.")
        try refused("broken.mp4", "--prompts", prompts, status: 65, "broken.mp4")
        try refused("clip.mp4", "--prompts", prompts, "--from-block", "3", status: 64, "--from-block is 3; the vision tower has blocks 1 to 2.")
        try refused("clip.mp4", "--prompts", prompts, "--map", "raw", "--head", "2", status: 64, "--head is 2; the vision tower has heads 1 to 1.")
        try refused("clip.mp4", "--prompts", prompts, "--head", "1", status: 64, "--head is about --map raw.")
        try refused("clip.mp4", "--prompts", prompts, "-o", "a.gif", status: 64, "a.gif: this picture is written as .png or .mp4, not as '.gif'.")
        try refused("clip.mp4", "other/clip.mp4", "--prompts", prompts, "-o", "a.png", status: 64, "one file cannot hold the pictures of several videos")
        try refused("clip.mp4", "--prompts", prompts, "-o", "clip.mp4/a.png", status: 74, "clip.mp4 is not a directory")
        try refused("clip.mp4", "--compare", "none.safetensors", status: 66, "none.safetensors: no such file.")
        _ = backbone
    }

    @Test func videosOfOneNameDoNotOverwriteEachOther() throws {
        let (_, prompts) = try SmallModel().write(to: program)
        try video("clip.mp4")
        try video("other/clip.mp4", shift: 40)
        let outcome = try program("viz", "attention", "clip.mp4", "other/clip.mp4", "--prompts", prompts, "-o", "out")
        #expect(outcome.status == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: program.folder.path("out")).sorted() == [
            "clip-attention-2.mp4", "clip-attention-2.png", "clip-attention.mp4", "clip-attention.png",
        ])
    }

    /// A disk that fills up leaves no half picture behind.
    @Test func nothingIsHalfWritten() throws {
        let (_, prompts) = try SmallModel().write(to: program)
        try video("clip.mp4")
        let outcome = try program.limited(fileBlocks: 4, ["viz", "attention", "clip.mp4", "--prompts", prompts, "-o", "out/a.png"])
        #expect(outcome.status == 74, "\(outcome.messages)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: program.folder.path("out")).isEmpty)
    }

    // MARK: t-SNE

    private func writeList(_ count: Int, classes: Int) throws {
        for number in 0..<count { try video("videos/\(number).mp4", width: 32, height: 32, frames: 3, shift: 31 * number) }
        try write("videos/val.txt", (0..<count).map { "\($0).mp4 \($0 % classes)\n" }.joined())
        try write("videos/labels.csv", "id,name\n" + (0..<classes).map { "\($0),\"class, \($0)\"\n" }.joined())
    }

    @Test func tsneWritesChartsTableAndMetrics() throws {
        let (backbone, _) = try SmallModel().write(to: program)
        try writeList(9, classes: 3)
        let common = ["viz", "tsne", "--val", "videos/val.txt", "--labels", "videos/labels.csv", "--backbone", backbone, "--frames", "2"]
        let outcome = try program.run(common + ["-o", "out", "--threads", "1"])
        #expect(outcome.status == 0, "\(outcome.messages)")
        #expect(outcome.output.hasPrefix("out/tsne.svg\nout/tsne.png\nout/tsne.csv\nout/metrics.json\n"))
        #expect(outcome.output.contains("| clusters, k = 3 "))
        let lines = try text("out/tsne.csv").split(separator: "\n")
        #expect(lines.count == 10 && lines[0] == "path,label,class,x,y,cluster,plane_cluster")
        #expect(lines[2].hasPrefix("1.mp4,1,\"class, 1\","))
        let metrics = try #require(JSONSerialization.jsonObject(with: Data(text("out/metrics.json").utf8)) as? [String: Any])
        #expect(metrics["videos"] as? Int == 9 && metrics["clusters"] as? Int == 3 && metrics["method"] as? String == "exact")
        let embedding = try #require(metrics["embedding"] as? [String: Double])
        #expect(Set(embedding.keys) == ["homogeneity", "completeness", "v_measure"])
        // The same again, with more threads.
        #expect(try program.run(common + ["-o", "again", "--threads", "3"]).status == 0)
        for name in ["tsne.csv", "tsne.svg", "metrics.json"] { #expect(try text("again/\(name)") == text("out/\(name)")) }
    }

    @Test func tsneOfOneClassAndTooFewVideos() throws {
        let (backbone, _) = try SmallModel().write(to: program)
        try writeList(5, classes: 1)
        let common = ["viz", "tsne", "--val", "videos/val.txt", "--labels", "videos/labels.csv", "--backbone", backbone, "--frames", "2"]
        let outcome = try program.run(common)
        #expect(outcome.status == 0 && outcome.output.contains("| 1.0000      | 1.0000       | 1.0000    |"), "\(outcome.output)")
        let refused = try program.run(common + ["--perplexity", "5", "-o", "none"])
        #expect(refused.status == 64 && !exists("none"))
        #expect(refused.messages.contains("for 5 points it must be between 1 and 4"))
        try write("videos/val.txt", "0.mp4 0\n1.mp4 0\n")
        #expect(try program.run(common).messages.contains("t-SNE needs at least 4 points, but there are only 2."))
    }

    // MARK: confusion, curves, classes

    @Test func confusionIsDrawnFromFileAndFolder() throws {
        try write("run/confusion.csv", "truth,a,\"b, c\"\na,3,1\n\"b, c\",0,4\n")
        for path in ["run", "run/confusion.csv"] {
            let outcome = try program("viz", "confusion", path, "-o", "c.svg")
            #expect(outcome.status == 0 && outcome.output == "c.svg\n")
            #expect(outcome.messages == "a → b, c: 1 of 4 videos\n")
            #expect(try text("c.svg").contains("top-1 87.5 % of 8 videos"))
        }
        func refused(_ csv: String, _ words: String) throws {
            try write("bad.csv", csv)
            let outcome = try program("viz", "confusion", "bad.csv", "-o", "bad.svg")
            #expect(outcome.status == 65 && outcome.messages.contains(words), "\(outcome.messages)")
            #expect(!exists("bad.svg"))
        }
        try refused("name,a\na,1\n", "bad.csv, line 1: the header is another.")
        try refused("truth,a,b\na,1,2\n", "bad.csv, line 2: 2 classes have 1 rows.")
        try refused("truth,a,b\na,1,2\nc,1,2\n", "line 3: the row is of \"c\", \"b\" is next in the header.")
        try refused("truth,a,b\na,1,2\nb,1\n", "line 3: 2 fields, the header has 3.")
        try refused("truth,a,b\na,1,-2\nb,1,1\n", "line 2: \"-2\" is no count.")
        try refused("truth,a\na,9223372036854775807\n", "is no count.")
        #expect(try program("viz", "confusion", "none").status == 66)
        try createDirectory(program.folder.path("empty"))
        #expect(try program("viz", "confusion", "empty").messages.contains("empty: holds no confusion.csv."))
    }

    @Test func curvesOfSeveralRunsAreDrawnTogether() throws {
        func run(_ path: String, _ scale: Double) throws {
            let steps = (1...450).map { "{\"step\":\($0),\"epoch\":1,\"loss\":\($0 == 7 ? "null" : "\(scale / Double($0))"),\"learning_rate\":0.001}\n" }
            try write("\(path)/metrics.jsonl", steps.joined() + "{\"epoch\":1,\"training_loss\":1,\"seconds\":1,\"val_top1\":50,\"val_top5\":90}\n{\"epo")
        }
        try run("runs/group/seed1", 3)
        try run("runs/group/seed2", 4)
        let outcome = try program("viz", "curves", "runs/group", "-o", "out")
        #expect(outcome.status == 0, "\(outcome.messages)")
        #expect(outcome.output.split(separator: "\n").count == 6)
        #expect(try text("out/curves-loss.svg").contains("Loss: seed1, seed2"))
        // Without runs the newest one.
        try run("runs/learn", 2)
        let newest = try program("viz", "curves")
        #expect(newest.status == 0 && newest.messages.contains("The newest run: runs/learn."))
        #expect(exists("pictures/curves-accuracy.png"))
        // Only the table of epochs is left.
        try write("old/results.csv", "epoch,training_loss,val_top1,val_top5,seconds\n1,2.5,,,3\n2,1.5,50,90,3\n")
        #expect(try program("viz", "curves", "old", "-o", "old-out").output.contains("old-out/curves-accuracy.svg"))
        #expect(!exists("old-out/curves-learning-rate.svg"))
    }

    @Test func curvesSayWhatIsWrong() throws {
        #expect(try program("viz", "curves").messages.contains("There is no run in runs/"))
        #expect(try program("viz", "curves", "none").status == 66)
        try write("run/metrics.jsonl", "{\"step\":1,\"epoch\":1,\"loss\":2}\nnonsense\n{\"step\":2,\"epoch\":1,\"loss\":2}\n")
        let outcome = try program("viz", "curves", "run")
        #expect(outcome.status == 65 && outcome.messages.contains("run/metrics.jsonl, line 2: not what a run writes there."))
        try write("run/metrics.jsonl", "")
        #expect(try program("viz", "curves", "run").messages.contains("no step is in it yet"))
        #expect(!exists("pictures"))
    }

    @Test func classesAreDrawnAsDataStatsDoes() throws {
        try write("train.txt", "a.mp4 0\nb.mp4 1\nc.mp4 1\n")
        try write("labels.csv", "id,name\n0,rare\n1,common\n")
        #expect(try program("viz", "classes", "train.txt", "--labels", "labels.csv", "-o", "a.svg").status == 0)
        #expect(try program("data", "stats", "train.txt", "--labels", "labels.csv", "--plot", "b.svg").status == 0)
        #expect(try text("a.svg") == text("b.svg"))
        #expect(try program("viz", "classes", "train.txt").status == 64)
    }
}
