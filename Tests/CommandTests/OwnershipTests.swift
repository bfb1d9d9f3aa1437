import CLIPModel
import Files
import Foundation
import TestSupport
import Testing

/// What somebody else has put somewhere stays as it is, whatever a command is told to write there.
@Suite(.serialized, .timeLimit(.minutes(15))) struct OwnershipTests {
    private let program: Program

    init() throws { program = try Program.withVideos() }

    private static let common = [
        "--train", "list.txt", "--val", "list.txt", "--allow-shared-videos", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2",
        "--batch-size", "5", "--accumulation-steps", "1", "--vision-tokens", "2", "--text-tokens", "2", "--epochs", "1", "--threads", "1",
    ]

    private func path(_ name: String) -> String { program.folder.path(name) }

    private func foreign(_ name: String, _ text: String = "somebody's\n") throws {
        try createDirectory(path(name).parentDirectory)
        try program.folder.write(text, to: name)
    }

    private func text(_ name: String) throws -> String { try String(contentsOfFile: path(name), encoding: .utf8) }

    /// All files below a folder with their contents, without the program's streams.
    private func contents(_ folder: String) throws -> [String: Data] {
        let names = FileManager.default.enumerator(atPath: path(folder))?.compactMap { $0 as? String } ?? []
        return try Dictionary(uniqueKeysWithValues: names.filter { !$0.hasPrefix(".std") && !isDirectory(path(folder + "/" + $0)) }.map {
            ($0, try Data(contentsOf: URL(fileURLWithPath: path(folder + "/" + $0))))
        })
    }

    /// Runs a command that must refuse and leave a folder as it is.
    private func refused(_ arguments: [String], leaves folder: String, status: Int32 = 74, naming words: String) throws {
        let before = try contents(folder)
        let outcome = try program.run(arguments)
        #expect(outcome.status == status, "\(arguments): \(outcome.messages)")
        #expect(outcome.messages.contains(words), "\(arguments): \(outcome.messages)")
        #expect(try contents(folder) == before, "\(arguments)")
    }

    // MARK: Runs

    @Test(arguments: ["config.yaml", "results.csv", "metrics.jsonl", "notes.txt", "split/train.txt", ".hidden"])
    func aRunIsNotBegunInAForeignFolder(_ name: String) throws {
        try foreign("mine/\(name)")
        try refused(["learn"] + Self.common + ["-o", "mine"], leaves: "mine", naming: "mine: contains \(name.split(separator: "/")[0]), which this command did not write")
        try refused(["learn"] + Self.common + ["--seeds", "1,2", "-o", "mine"], leaves: "mine", naming: "mine: contains ")
    }

    /// A run that was killed while it tried whether its folder can be written to leaves a folder that is as good as empty.
    @Test func aProbeThatWasLeftBehindIsNobodys() throws {
        let probe = "run/.vifi-prompt-probe.tmp-13493-3906047512"
        try foreign(probe, "")
        let flags = ["learn", "--method", "nearest-mean", "--train", "list.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2"]
        let outcome = try program.run(flags + ["--output", "run"])
        #expect(outcome.status == 0, "\(outcome.messages)")
        #expect(!fileExists(path(probe)) && fileExists(path("run/head.safetensors")))
        try foreign("other/.vifi-prompt-probes", "")
        try refused(flags + ["--output", "other"], leaves: "other", naming: ".vifi-prompt-probes")
    }

    @Test func foldersOfSeedsAreNotEmptied() throws {
        try foreign("group/seed1/thesis.txt")
        try refused(["learn"] + Self.common + ["--seeds", "1,2", "-o", "group"], leaves: "group", naming: "thesis.txt")
        // In a group that is ours, and through a link.
        let start = ["learn"] + Self.common + ["--seeds", "1,2", "-o", "ours"]
        #expect(try program.run(start).status == 0)
        removeTree(path("ours/seed2"))
        try removeFile(path("ours/summary.json"))
        try foreign("elsewhere/thesis.txt")
        #expect(symlink(path("elsewhere"), path("ours/seed2")) == 0)
        try refused(["learn", "--resume", "ours"], leaves: "elsewhere", naming: "thesis.txt")
        #expect(unlink(path("ours/seed2")) == 0)
        // What a start that was killed has left is ours, and what somebody put beside it stays.
        try createDirectory(path("ours/seed2/split"))
        try FileManager.default.copyItem(atPath: path("ours/seed1/.vifi-prompt"), toPath: path("ours/seed2/.vifi-prompt"))
        try foreign("ours/seed2/config.yaml", "half")
        try foreign("ours/seed2/thesis.txt")
        #expect(try program("learn", "--resume", "ours").status == 0)
        #expect(try text("ours/seed2/thesis.txt") == "somebody's\n")
    }

    /// Their mean would be of two things.
    @Test func aSeedWithOtherSettingsIsNotTakenForDone() throws {
        let one = ["learn"] + Self.common + ["--seed", "1", "-o", "group/seed1"]
        #expect(try program.run(one).status == 0)
        try refused(
            ["learn"] + Self.common + ["--learning-rate", "0.01", "--seeds", "1,2", "-o", "group"], leaves: "group", status: 78,
            naming: "group/seed1: holds a run with other settings than this group: training.learning_rate (not set in it, 0.01 in the group)")
        // With the same settings, whatever their order and spelling, it is done.
        let reordered = ["learn", "--epochs=1"] + Self.common.dropLast(4) + ["--threads", "2", "--seeds", "1,2", "-o", "group"]
        let outcome = try program.run(reordered)
        #expect(outcome.status == 0 && !outcome.messages.contains("Seed 1,") && outcome.messages.contains("Seed 2,"), "\(outcome.messages)")
        // One that was exchanged later.
        removeTree(path("group/seed2"))
        try removeFile(path("group/summary.json"))
        #expect(try program.run(["learn"] + Self.common + ["--seed", "2", "--shots", "1", "-o", "group/seed2"]).status == 0)
        try refused(["learn", "--resume", "group"], leaves: "group", status: 78, naming: "training.shots (1 in it, not set in the group)")
    }

    /// Paths start where the group was begun, wherever it is resumed: its runs end with the same bits.
    @Test func groupsAreResumedFromElsewhere() throws {
        #expect(try program.run(["learn"] + Self.common + ["--seeds", "1,2", "-o", "group"]).status == 0)
        let file = path("group/seed2/prompts/last.safetensors")
        let expected = try Data(contentsOf: URL(fileURLWithPath: file))
        removeTree(path("group/seed2"))
        try removeFile(path("group/summary.json"))
        try createDirectory(path("deep/er"))
        let outcome = try program.shell("cd deep/er && vifi-prompt learn --resume ../../group")
        #expect(outcome.status == 0 && outcome.messages.contains("Paths are taken from "), "\(outcome.messages)")
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == expected)
        // And a single run, whose checkpoint is all that is left of it.
        try removeFile(path("group/seed1/finished.json"))
        let single = try program.shell("cd deep/er && vifi-prompt learn --resume ../../group/seed1")
        #expect(single.status == 0 && single.messages.contains("Paths are taken from "), "\(single.messages)")
    }

    @Test func resumingPassesOverWhatIsRunningOrNeverBegan() throws {
        #expect(try program.run(["learn"] + Self.common + ["--seeds", "1,2", "-o", "runs/group"]).status == 0)
        removeTree(path("runs/group/seed2"))
        try removeFile(path("runs/group/summary.json"))
        // Newer, and nothing has begun in it.
        try createDirectory(path("runs/dead"))
        try FileManager.default.copyItem(atPath: path("runs/group/seeds.json"), toPath: path("runs/dead/seeds.json"))
        do {
            let lock = try DirectoryLock(directory: path("runs/group"))
            let outcome = try program("learn", "--resume")
            #expect(outcome.status == 66 && outcome.messages.contains("no unfinished learn run"), "\(outcome.messages)")
            _ = consume lock
        }
        let outcome = try program("learn", "--resume")
        #expect(outcome.status == 0 && outcome.messages.hasPrefix("Resuming runs/group\n"), "\(outcome.messages)")
    }

    // MARK: Evaluations and pictures

    @Test func evaluationsStayApartFromEverythingElse() throws {
        let eval = ["eval", "--zero-shot", "--backbone", "clip.safetensors", "--val", "list.txt", "--labels", "labels.csv", "--frames", "2"]
        for name in ["predictions.jsonl", "evaluation.json", "notes.txt"] {
            try foreign("theirs/\(name)")
            try refused(eval + ["-o", "theirs"], leaves: "theirs", naming: "theirs: contains \(name), which this command did not write")
            removeTree(path("theirs"))
        }
        #expect(try program.run(eval + ["-o", "scores"]).status == 0)
        let again = try program.run(eval + ["-o", "scores"])
        #expect(again.status == 0 && again.messages.contains("in place of the evaluation that was there"), "\(again.messages)")
        // A copy of our mark stands for a kind, not for everything.
        try foreign("scores/config.yaml")
        try refused(["learn"] + Self.common + ["-o", "scores"], leaves: "scores", naming: "scores: contains config.yaml")
        // Refused before a video is opened.
        try program.folder.write("no video", to: "video3.mp4")
        try refused(eval + ["-o", "list.txt/scores"], leaves: "scores", naming: "list.txt")
    }

    @Test func retrievalsToo() throws {
        try program.folder.write("video,caption\nvideo1.mp4,a hand waves\nvideo2.mp4,someone claps\n", to: "captions.csv")
        let retrieval = ["evaluate", "retrieval", "--captions", "captions.csv", "--backbone", "clip.safetensors", "--frames", "2"]
        try foreign("theirs/metrics.json")
        try refused(retrieval + ["-o", "theirs"], leaves: "theirs", naming: "theirs: contains metrics.json")
        for _ in 0..<2 { #expect(try program.run(retrieval + ["-o", "ours"]).status == 0) }
    }

    @Test func picturesAreKnownByTheirMark() throws {
        try program.folder.write("truth,a,b\na,3,1\nb,0,4\n", to: "confusion.csv")
        for name in ["theirs/a.svg", "theirs/a.png"] {
            try foreign(name)
            let draw = ["viz", "confusion", "confusion.csv", "-o", name]
            try refused(draw, leaves: "theirs", naming: "\(name): already exists, and is no picture that vifi-prompt drew")
            #expect(try program.run(draw + ["--force"]).status == 0)
            // Now it is ours.
            #expect(try program.run(draw).status == 0)
        }
        try foreign("theirs/confusion.png")
        try refused(["viz", "confusion", "confusion.csv", "-o", "theirs"], leaves: "theirs", naming: "theirs/confusion.png: already exists")
        try foreign("plot/b.svg")
        try refused(["data", "stats", "list.txt", "--labels", "labels.csv", "--plot", "plot/b.svg"], leaves: "plot", naming: "plot/b.svg: already exists")
        let video = ["viz", "attention", "video1.mp4", "--backbone", "clip.safetensors", "--labels", "labels.csv", "--frames", "2", "-o", "video/x.mp4"]
        try foreign("video/x.mp4")
        try refused(video, leaves: "video", naming: "video/x.mp4: already exists")
        #expect(try program.run(video + ["--force"]).status == 0)
        #expect(try program.run(video).status == 0)
        // The marks are no damage: other programs read the files.
        let probe = try program.shell("ffprobe -v error -show_entries stream=codec_name -of csv=p=0 video/x.mp4 theirs/a.png 2>&1 || true; ffprobe -v error -show_entries stream=codec_name -of csv=p=0 theirs/a.png; ffprobe -v error -show_entries stream=codec_name -of csv=p=0 video/x.mp4")
        #expect(probe.output.contains("png") && probe.output.contains("h264"), "\(probe.output)\(probe.messages)")
    }

    // MARK: Weights and lists

    @Test func anImportKeepsWhatItReads() throws {
        try createDirectory(path("folder"))
        try FileManager.default.copyItem(atPath: path("clip.safetensors"), toPath: path("folder/model.safetensors"))
        #expect(link(path("folder/model.safetensors"), path("linked.safetensors")) == 0)
        for output in ["folder/model.safetensors", "linked.safetensors"] {
            let outcome = try program("bridge", "--import", "folder/model.safetensors", "-o", output, "--force")
            #expect(outcome.status == 64 && outcome.messages.contains("would overwrite what is imported"), "\(outcome.messages)")
        }
        // Beside the backbone, without --force.
        try foreign("out.merges.txt")
        let outcome = try program("bridge", "--import", "clip.safetensors", "-o", "out.safetensors")
        #expect(outcome.status == 74 && outcome.messages.contains("out.merges.txt: already exists"), "\(outcome.messages)")
        #expect(try text("out.merges.txt") == "somebody's\n" && !fileExists(path("out.safetensors")))
    }

    @Test func anAdapterOfSomebodyElseIsNotReplaced() throws {
        let (backbone, prompts) = try SmallModel().write(to: program)
        try foreign("lora/adapter_config.json", "{\"peft_type\": \"LORA\"}")
        try foreign("lora/adapter_model.safetensors")
        let export = ["export", "--prompts", prompts, "--backbone", backbone, "--to", "peft", "--force", "-o"]
        try refused(export + ["lora"], leaves: "lora", naming: "lora: holds more than an exported adapter")
        #expect(try program.run(export + ["ours"]).status == 0)
        #expect(try program.run(export + ["ours"]).status == 0)
        // Over a part of what is read.
        try refused(
            ["export", "--prompts", "ours", "--backbone", backbone, "--force", "-o", "ours/adapter_model.safetensors"], leaves: "ours", status: 64,
            naming: "but this command reads it")
    }

    @Test func listsThatAreReadStay() throws {
        try FileManager.default.copyItem(atPath: path("list.txt"), toPath: path("base-train.txt"))
        try refused(
            ["data", "split", "--train", "base-train.txt", "--labels", "labels.csv", "--base-novel", "--shots", "1", "--force"], leaves: ".", status: 64,
            naming: "base-train.txt: would be overwritten, but this command reads it")
        try refused(["data", "check", "list.txt", "--write-good", "list.txt", "--force"], leaves: ".", status: 64, naming: "list.txt: would be overwritten")
    }
}
