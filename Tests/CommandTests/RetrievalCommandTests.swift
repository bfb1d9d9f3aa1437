import Files
import Foundation
import TestSupport
import Testing
import VideoData
import WeightFiles

/// `retrieval`, and `learn` and `bridge` with captions, on ten small videos with a model of random numbers.
@Suite(.serialized, .timeLimit(.minutes(15))) struct RetrievalCommandTests {
    private let program: Program

    init() throws {
        program = try Program()
        try SmallModel().backbone.save(to: program.folder.path("clip.safetensors"))
        var rows = "video,caption\n"
        for video in 0..<10 {
            var writer = try VideoWriter(path: program.folder.path("video\(video).mp4"), width: 48, height: 40, framesPerSecond: 25)
            for frame in 0..<6 {
                try writer.append((0..<48 * 40 * 3).map { UInt8(truncatingIfNeeded: ($0 * (video + 3)) / 7 + frame * 20 + video * 11) })
            }
            try writer.finish()
            rows += "video\(video).mp4,\"number \(video), moving\"\n"
        }
        // Two videos have two captions, and one caption is said of two videos.
        try program.folder.write(rows + "video3.mp4,stripes that wander\nvideo4.mp4,\"number 5, moving\"\n", to: "captions.csv")
    }

    private func run(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> Program.Outcome {
        let outcome = try program.run(arguments, sourceLocation: sourceLocation)
        #expect(outcome.status == 0, "\(outcome.messages)", sourceLocation: sourceLocation)
        return outcome
    }

    private func text(_ name: String) throws -> String { try String(contentsOfFile: program.folder.path(name), encoding: .utf8) }

    private struct Report: Decodable {
        struct Direction: Decodable, Equatable {
            let queries: Int
            let r1: Double
            let r5: Double
            let r10: Double
            let median_rank: Double
            let mean_rank: Double
            let tied: Int
        }
        struct Metrics: Decodable, Equatable {
            let text_to_video: Direction
            let video_to_text: Direction
        }
        let videos: Int
        let captions: Int
        let frames: Int
        let template: String
        let list_sha256: String
        let metrics: Metrics
    }

    /// Each learns the same captions with each seed, and is scored as it is by itself.
    @Test func methodsStandSideBySide() throws {
        func list(_ videos: Range<Int>) -> String { "video,caption\n" + videos.map { "video\($0).mp4,\"number \($0), moving\"\n" }.joined() }
        try program.folder.write(list(0..<6), to: "train.csv")
        try program.folder.write(list(6..<10), to: "test.csv")
        let test = ["--captions", "test.csv", "--frames", "2", "--backbone", "clip.safetensors"]
        let learned = ["evaluate", "retrieval", "--methods", "zero-shot,prompt,fine-tune", "--train-captions", "train.csv", "--epochs", "1", "--seeds", "1,2",
            "--output", "side"] + test
        let outcome = try program.run(learned)
        #expect(outcome.status == 0 && outcome.output.contains("| test text → video R@1 % |"), "\(outcome.messages)\(outcome.output)")
        struct Summary: Decodable {
            struct Cell: Decodable {
                struct Measure: Decodable {
                    let name: String
                    let values: [Double]
                }
                let name: String
                let seeds: [Int]
                let learned_parameters: Int
                let measures: [Measure]
                func values(_ measure: String) -> [Double]? { measures.first { $0.name == measure }?.values }
            }
            let cells: [Cell]
        }
        let summary = try JSONDecoder().decode(Summary.self, from: Data(contentsOf: URL(fileURLWithPath: program.folder.path("side/summary.json"))))
        #expect(summary.cells.map(\.name) == ["zero-shot", "prompt", "fine-tune"] && summary.cells.map(\.seeds) == [[], [1, 2], [1, 2]])
        #expect(summary.cells[0].learned_parameters == 0 && summary.cells.dropFirst().allSatisfy { $0.learned_parameters > 0 })
        for (index, model) in [[], ["--prompts", "side/prompt/seed1/prompts/best.safetensors"], ["--backbone", "side/fine-tune/seed1/backbone.safetensors"]].enumerated() {
            let alone = try program.run(["evaluate", "retrieval", "--json"] + (index == 2 ? Array(test.dropLast(2)) : test) + model)
            let metrics = try JSONDecoder().decode(Report.self, from: Data(alone.output.utf8)).metrics
            #expect(summary.cells[index].values("test_text_to_video_r1")?.first == metrics.text_to_video.r1)
            #expect(summary.cells[index].values("test_video_to_text_r1")?.first == metrics.video_to_text.r1)
        }
        let again = try program.run(learned)
        #expect(again.output == outcome.output && again.messages.contains("retrieval, prompt: finished already"), "\(again.messages)")
        for (words, message) in [
            (["--methods", "coop", "--train-captions", "train.csv"], "coop learns classes"), (["--methods", "prompt"], "--train-captions is needed too"),
            (["--train-captions", "train.csv"], "are for --methods"), (["--methods", "prompt", "--zero-shot"], "--methods learn"),
        ] {
            let refused = try program.run(["evaluate", "retrieval"] + test + words)
            #expect(refused.status == 64 && refused.messages.contains(message), "\(refused.messages)")
        }
    }

    private func report(_ name: String) throws -> Report {
        try JSONDecoder().decode(Report.self, from: Data(contentsOf: URL(fileURLWithPath: program.folder.path(name))))
    }

    /// What the files say agrees with what follows from the vectors, counted here anew.
    @Test func filesAgreeWithTheVectors() throws {
        let outcome = try run(
            "evaluate", "retrieval", "--captions", "captions.csv", "--backbone", "clip.safetensors", "--frames", "3", "--output", "out", "--embeddings", "--json")
        let report = try report("out/metrics.json")
        #expect(outcome.output == (try text("out/metrics.json")))
        #expect(report.videos == 10 && report.captions == 12 && report.frames == 3 && report.template == "{}")
        #expect(report.list_sha256 == (try Digest.ofFile(program.folder.path("captions.csv"))))

        let file = try SafetensorsFile(path: program.folder.path("out/embeddings.safetensors"))
        let (videos, captions) = (try file.floats(named: "videos"), try file.floats(named: "captions"))
        let videoOfCaption = try file.floats(named: "video_of_caption").map { Int($0) }
        #expect(videoOfCaption == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 3, 4])
        let width = videos.count / 10
        func score(_ caption: Int, _ video: Int) -> Double {
            (0..<width).reduce(0) { $0 + Double(captions[caption * width + $1]) * Double(videos[video * width + $1]) }
        }
        // Scores closer than float32 tells apart are not worth a failure: ranks may differ by as many.
        func ranks(_ queries: Int, _ scores: (Int) -> [Double], _ right: (Int) -> [Int]) -> [ClosedRange<Int>] {
            (0..<queries).map { query in
                let row = scores(query)
                let best = right(query).map { row[$0] }.max() ?? 0
                return 1 + row.count { $0 > best + 1e-6 }...1 + row.count { $0 > best - 1e-6 }
            }
        }
        let toVideo = ranks(12, { caption in (0..<10).map { score(caption, $0) } }, { [videoOfCaption[$0]] })
        let toText = ranks(
            10, { video in (0..<12).map { score($0, video) } }, { video in (0..<12).filter { videoOfCaption[$0] == video } })
        let rows = try text("out/ranks.csv").split(separator: "\n").dropFirst().map(String.init)
        let found = rows.compactMap { $0.split(separator: ",").dropLast().last.flatMap { Int($0) } }
        #expect(rows.count == 22 && found.count == 22)
        for (rank, range) in zip(found, toVideo + toText) { #expect(range.contains(rank)) }
        let first = found.prefix(12)
        #expect(abs(report.metrics.text_to_video.r5 - 100 * Double(first.count { $0 <= 5 }) / 12) < 1e-9)
        #expect(abs(report.metrics.text_to_video.mean_rank - Double(first.reduce(0, +)) / 12) < 1e-9)
        #expect(report.metrics.video_to_text.queries == 10 && report.metrics.video_to_text.tied > 0)
        #expect(rows[0].hasPrefix("text_to_video,video0.mp4,\"number 0, moving\","))

        struct Line: Decodable {
            struct Candidate: Decodable {
                let video: String
                let score: Double
                let right: Bool
            }
            let direction: String
            let rank: Int
            let top: [Candidate]
        }
        let lines = try text("out/top.jsonl").split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        #expect(lines.map(\.rank) == found && lines.allSatisfy { $0.top.count == 10 })
        for line in lines {
            #expect(zip(line.top, line.top.dropFirst()).allSatisfy { $0.score >= $1.score })
            if line.rank == 1 { #expect(line.top.contains { $0.right && $0.score == line.top[0].score }) }
        }
    }

    @Test func longCaptionsAreCutAndCounted() throws {
        try program.folder.write("video,caption\nvideo0.mp4,\(String(repeating: "long ", count: 40))\nvideo1.mp4,short\n", to: "long.csv")
        let arguments = ["evaluate", "retrieval", "--captions", "long.csv", "--backbone", "clip.safetensors", "--frames", "2"]
        let plain = try program.run(arguments)
        #expect(plain.status == 0 && plain.messages.contains("1 of 2 captions has more than 77 tokens and loses its end."), "\(plain.messages)")
        let less = try program.run(arguments + ["--max-words", "4"])
        #expect(less.messages.contains("2 of 2 captions have more than 4 tokens and lose their end."), "\(less.messages)")
    }

    @Test func refusesWithItsStatus() throws {
        try program.folder.write("video,caption\n../x.mp4,a\n", to: "climbs.csv")
        try program.folder.write("video,caption\nnone.mp4,a\n", to: "missing.csv")
        try program.folder.write("not a video", to: "text.mp4")
        try program.folder.write("video,caption\ntext.mp4,a\nvideo1.mp4,b\n", to: "broken.csv")
        for (list, status, words) in [
            ("climbs.csv", Int32(65), "climbs.csv:2: '../x.mp4' leaves the data folder"), ("missing.csv", 66, "1 of 1 files are missing"),
            ("absent.csv", 66, "no such file"), ("clip.safetensors", 65, "zero byte"), ("broken.csv", 65, "text.mp4"),
        ] {
            let outcome = try program("evaluate", "retrieval", "--captions", list, "--backbone", "clip.safetensors", "--frames", "2", "--output", "never")
            #expect(outcome.status == status && outcome.messages.contains(words), "\(list): \(outcome.messages)")
        }
        #expect(!fileExists(program.folder.path("never")))
        let skipped = try program(
            "evaluate", "retrieval", "--captions", "broken.csv", "--backbone", "clip.safetensors", "--frames", "2", "--on-bad-video", "skip", "--json")
        #expect(skipped.status == 0 && skipped.output.contains("\"skipped_videos\" : 1"), "\(skipped.messages)")
        for flags in [["--max-words", "2"], ["--embeddings"], ["--frames", "0"], ["--zero-shot", "--prompts", "x"]] {
            #expect(try program.run(["evaluate", "retrieval"] + flags).status == 64, "\(flags)")
        }
        for flags in [
            ["--train", "x"], ["--val", "x"], ["--shots", "2"], ["--fusion", "image"], ["--compat", "half-prompts"], ["--set", "augmentation.cutmix=1"],
        ] {
            let outcome = try program.run(["learn", "--captions", "captions.csv", "--backbone", "clip.safetensors"] + flags)
            #expect(outcome.status == 64, "\(flags): \(outcome.messages)")
        }
        #expect(try program("learn", "--max-words", "9").status == 64)
    }

    // MARK: Learning

    private func arguments(_ command: String, epochs: Int, output: String, more: [String] = []) -> [String] {
        [
            command, "--captions", "captions.csv", "--val-captions", "captions.csv", "--allow-shared-videos", "--backbone", "clip.safetensors", "--frames", "2",
            "--batch-size", "5", "--epochs", "\(epochs)", "--eval-every", "3", "--save-every", "0", "--threads", "1", "--learning-rate",
            "1e-3", "--output", output,
        ] + (command == "learn" ? ["--vision-tokens", "2", "--text-tokens", "2"] : []) + more
    }

    private func results(_ output: String) throws -> [String] {
        let files = ["prompts/best.safetensors", "prompts/last.safetensors", "backbone.safetensors", "last.safetensors", "config.yaml"]
        let digests = try files.map { program.folder.path(output + "/" + $0) }.filter(fileExists).map { try Digest.ofFile($0) }
        let log = try text(output + "/metrics.jsonl")
        return digests + log.split(separator: "\n").map { line in
            line.split(separator: ",").filter { !$0.contains("seconds") }.joined(separator: ",").replacingOccurrences(of: "}", with: "")
        }
    }

    /// Stopped by signals and gone on with, a run ends with the same bytes; with more threads, too.
    @Test(arguments: ["learn", "bridge"])
    func resumedRunsEndTheSame(_ command: String) throws {
        let whole = try program.run(arguments(command, epochs: 6, output: "whole"))
        #expect(whole.status == 0, "\(whole.messages)")
        #expect(whole.messages.contains("12 captions of 10 videos, 2 frames each"), "\(whole.messages)")
        #expect(whole.output.contains("text → video R@1"), "\(whole.output)")
        #expect(try text("whole/results.csv").hasPrefix("epoch,training_loss,val_text_to_video_r1,val_text_to_video_r5,seconds\n"))
        var status = try program.signal(SIGTERM, whenThere: "parts/checkpoints", arguments(command, epochs: 6, output: "parts"))
        #expect(status == 75, "\(program.lastMessages)")
        for threads in 2...3 {
            status = try program.signal(
                SIGTERM, whenSaid: "Going on after step ", [command, "--resume", "parts", "--threads", "\(threads)"])
            #expect(status == 75 || status == 0, "\(program.lastMessages)")
        }
        let rest = try program.run([command, "--resume", "parts"])
        #expect(rest.status == 0, "\(rest.messages)")
        #expect(try results("parts") == results("whole"))
        #expect(try text("whole/split/train.csv") == text("parts/split/train.csv"))
        // What the run measured is what `retrieval` measures with its files.
        struct Finished: Decodable {
            struct Scores: Decodable { let retrieval: Report.Metrics }
            let last: Scores
        }
        let finished = try JSONDecoder().decode(Finished.self, from: Data(text("whole/finished.json").utf8)).last.retrieval
        let model = command == "learn"
            ? ["--prompts", "whole/prompts/last.safetensors", "--backbone", "clip.safetensors"] : ["--backbone", "whole/last.safetensors", "--frames", "2"]
        let again = try program.run(["evaluate", "retrieval", "--captions", "captions.csv", "--json"] + model)
        #expect(again.status == 0, "\(again.messages)")
        #expect(try JSONDecoder().decode(Report.self, from: Data(again.output.utf8)).metrics == finished)
    }

    /// Activations that do not fit are computed again, to the same bits.
    @Test(arguments: ["learn", "bridge"])
    func memoryDoesNotChangeTheResult(_ command: String) throws {
        _ = try program.run(arguments(command, epochs: 2, output: "all"))
        let bounded = try program.run(arguments(command, epochs: 2, output: "bounded", more: ["--memory", "400M"]))
        #expect(bounded.status == 0, "\(bounded.messages)")
        #expect(try results("bounded") == results("all"))
    }

    /// From random weights: videos whose captions were learned are found, both ways.
    @Test func findsWhatItHasLearned() throws {
        let before = try run("evaluate", "retrieval", "--captions", "captions.csv", "--backbone", "clip.safetensors", "--frames", "2", "--json")
        _ = try run("bridge", "--captions", "captions.csv", "--backbone", "clip.safetensors", "--frames", "2", "--epochs", "300",
            "--set", "augmentation.fixed_frames=true",
            "--batch-size", "12", "--learning-rate", "1e-3", "--output", "tuned", "--threads", "2")
        _ = try run("evaluate", "retrieval", "--captions", "captions.csv", "--backbone", "tuned/backbone.safetensors", "--frames", "2", "--output", "after")
        let after = try report("after/metrics.json")
        let first = try JSONDecoder().decode(Report.self, from: Data(before.output.utf8))
        // Chance is a mean rank of 5.5 among videos and of 6 among captions.
        #expect(first.metrics.text_to_video.mean_rank > 4 && first.metrics.video_to_text.mean_rank > 4, "\(first.metrics)")
        #expect(after.metrics.text_to_video.mean_rank < 1.5 && after.metrics.video_to_text.mean_rank < 1.5, "\(after.metrics)")
    }

    /// `data import` makes what the others read.
    @Test func importedListsAreRead() throws {
        try createDirectory(program.folder.path("lists"))
        try program.folder.write(
            "{\"videos\": [{\"video_id\": \"video1\", \"split\": \"train\"}], \"sentences\": [{\"video_id\": \"video1\", \"caption\": \"a, b\"}, {\"video_id\": \"video2\", \"caption\": \"c\"}]}",
            to: "lists/MSRVTT_data.json")
        try program.folder.write("key,vid_key,video_id,sentence\nret0,msr2,video2,it moves\n", to: "lists/MSRVTT_JSFUSION_test.csv")
        try program.folder.write("video_id\nvideo1\n", to: "lists/MSRVTT_train.9k.csv")
        let imported = try run("data", "import", "lists", "--root", ".")
        #expect(imported.output == "./train.csv: 1 caption of 1 video\n./test.csv: 1 caption of 1 video\n")
        #expect(try text("train.csv") == "video,caption\nvideo1.mp4,\"a, b\"\n")
        #expect(try text("data.json").contains("MSRVTT_train.9k.csv"))
        _ = try run("evaluate", "retrieval", "--captions", "test.csv", "--backbone", "clip.safetensors", "--frames", "2")
        #expect(try program("data", "import", "lists", "--root", ".").status == 74)
    }
}
