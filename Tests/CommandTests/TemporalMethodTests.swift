import CLIPModel
import Files
import Foundation
import TestSupport
import Testing

/// `learn --method a5` and `a6`, `bridge --method actionclip`: what comes out is used, kept and exported like any prompts, and nothing is left out on the way.
@Suite(.serialized) struct TemporalMethodTests {
    private let program: Program
    private static let videos = [
        "--train", "train.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "3", "--batch-size", "5",
        "--accumulation-steps", "1", "--threads", "1", "--words-before", "3", "--words-after", "2",
    ]

    init() throws { program = try Program.withVideos() }

    @discardableResult
    private func learn(
        _ method: String, _ more: String..., status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Program.Outcome {
        let outcome = try program.run(["learn"] + Self.videos + ["--method", method] + more, sourceLocation: sourceLocation)
        #expect(outcome.status == status, "\(outcome.messages)", sourceLocation: sourceLocation)
        return outcome
    }

    private func scores(_ prompts: String, _ more: String...) throws -> String {
        let outcome = try program.run(
            ["predict", "video7.mp4", "--prompts", prompts, "--backbone", "clip.safetensors", "--labels", "labels.csv", "--json"] + more)
        #expect(outcome.status == 0, "\(outcome.messages)")
        // Only the scores: the path of the prompts stands beside them.
        let scores = try #require(outcome.output.range(of: "\"scores\":"))
        return String(outcome.output[scores.upperBound...])
    }

    /// The last tensors of the file are those that a checkpoint and a folder hold too: all answer alike.
    @Test(arguments: ["a5", "a6"])
    func everyFormAnswersAlike(_ method: String) throws {
        let outcome = try learn(method, "--epochs", "4", "--val", "val.txt", "--output", "run")
        #expect(outcome.messages.contains("are computed once per clip") && outcome.messages.contains("only prompts have changed"))
        let file = try PromptFile.load(program.folder.path("run/prompts/best.safetensors"))
        #expect(file.header.method == method && file.header.video?.layerCount == (method == "a5" ? 1 : 2))
        #expect(file.prompts.words?.places == .around(before: 3, after: 2))
        let ours = try scores("run")
        for (form, name) in [("peft", "folder"), ("efficient-prompt", "there.pth.tar")] {
            let export = try program("export", "--prompts", "run", "--backbone", "clip.safetensors", "--to", form, "--output", name)
            #expect(export.status == 0, "\(export.messages)")
        }
        #expect(try scores("folder") == ours)
        let foreign = try program("inspect", "there.pth.tar")
        #expect(foreign.output.contains("Efficient-Prompt checkpoint"), "\(foreign.output)\(foreign.messages)")
        let told = try program("inspect", "run/prompts/best.safetensors", "--json")
        #expect(told.output.contains("\"words\" : \"3 words before and 2 behind the class name\""), "\(told.output)")
        let list = try program(
            "eval", "--prompts", "run", "--backbone", "clip.safetensors", "--test", "val.txt", "--labels", "labels.csv", "--output", "scored")
        #expect(list.status == 0, "\(list.messages)")
        let metrics = try String(contentsOfFile: program.folder.path("run/metrics.jsonl"), encoding: .utf8)
        #expect(metrics.contains("val"))
    }

    /// A run that was stopped comes to the same bits; so does one with frames of its own in each epoch, on two threads.
    @Test(arguments: [[], ["--set", "augmentation.fixed_frames=false"]])
    func stoppedRunsGoOn(_ more: [String]) throws {
        let words = ["learn"] + Self.videos + ["--method", "a5", "--epochs", "200"] + more
        let whole = try program.run(words + ["--output", "whole"])
        #expect(whole.status == 0, "\(whole.messages)")
        #expect(
            try program.signal(SIGTERM, whenThere: "stopped/metrics.jsonl", words + ["--output", "stopped"]) == 75, "\(program.lastMessages)")
        let again = try program("learn", "--resume", "stopped", "--threads", "2")
        #expect(again.status == 0, "\(again.messages)")
        func digest(_ run: String) throws -> String { try Digest.ofFile(program.folder.path("\(run)/prompts/last.safetensors")) }
        #expect(try digest("stopped") == digest("whole"))
    }

    @Test func whatItLeavesNoRoomForIsRefused() throws {
        for (words, said) in [
            (["--fusion", "decision"], "--fusion decision cannot go with --method a5"),
            (["--regularize", "kgcoop"], "--regularize kgcoop cannot go with --method a5"),
            (["--vision-tokens", "2", "--vision-depth", "1"], "--vision-tokens cannot go with --method a5"),
            (["--words-before", "400"], "at most"),
        ] {
            let outcome = try program.run(["learn"] + Self.videos + ["--method", "a5", "--epochs", "1", "--output", "no"] + words)
            #expect(outcome.status != 0 && outcome.messages.contains(said), "\(words): \(outcome.messages)")
        }
        #expect(!fileExists(program.folder.path("no")))
        let stray = try program.run(["learn"] + Self.videos + ["--epochs", "1"])
        #expect(stray.status == 64 && stray.messages.contains("--words-before (prompts.words_before) is for methods that learn words"), "\(stray.messages)")
        try learn("a5", "--epochs", "1", "--output", "run")
        for (words, status, said) in [
            (["predict", "video1.mp4", "--frames", "4"], 64 as Int32, "a transformer over at most 3 frames, but clips of 4"),
            (["eval", "--test", "val.txt", "--labels", "labels.csv", "--output", "no", "--fusion", "decision"], 64, "fusion decision would leave out"),
            (["export", "--to", "classes"], 78, "transformer over frames"), (["export", "--to", "vifi-pth"], 78, "ViFi-CLIP has no names for"),
        ] {
            let outcome = try program.run(words + ["--prompts", "run", "--backbone", "clip.safetensors"])
            #expect(outcome.status == status && outcome.messages.contains(said), "\(words): \(outcome.messages)")
        }
        let start = try program.run(
            ["learn"] + Self.videos.dropLast(4) + ["--epochs", "1", "--init", "run/prompts/best.safetensors"])
        #expect(start.status == 64 && start.messages.contains("holds what --method a5 learned"), "\(start.messages)")
    }

    // MARK: ActionCLIP

    private static let bridging = [
        "bridge", "--train", "train.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "3", "--batch-size", "5",
        "--threads", "1", "--method", "actionclip",
    ]

    /// A run keeps a backbone and what stands behind it: together they are used, and alike in every form.
    @Test func actionCLIPIsABackboneAndMore() throws {
        try program.folder.write("{}\na video of {}.\n# not this\n", to: "sentences.txt")
        let run = try program.run(Self.bridging + ["--epochs", "4", "--val", "val.txt", "--templates", "sentences.txt", "--output", "run"])
        #expect(run.status == 0, "\(run.messages)")
        let file = try PromptFile.load(program.folder.path("run/prompts/best.safetensors"))
        #expect(file.header.method == "actionclip" && file.header.templates == ["{}", "a video of {}."])
        #expect(file.header.video?.layerCount == 6 && file.header.video?.keepsFrames == true && file.prompts.all.isEmpty)
        let bridged = try Backbone.load(program.folder.path("run/backbone.safetensors"))
        #expect(try file.check(against: bridged) == nil)
        func scores(_ prompts: String, _ backbone: String) throws -> Substring {
            let outcome = try program("predict", "video7.mp4", "--prompts", prompts, "--backbone", backbone, "--labels", "labels.csv", "--json")
            #expect(outcome.status == 0, "\(outcome.messages)")
            return try outcome.output[#require(outcome.output.range(of: "\"scores\":")).upperBound...]
        }
        #expect(try scores("run", "run/backbone.safetensors").contains("waving"))
        let export = try program("export", "--prompts", "run", "--backbone", "run/backbone.safetensors", "--to", "actionclip", "--output", "there.pt")
        #expect(export.status == 0, "\(export.messages)")
        let imported = try program("import", "there.pt", "--output", "again.safetensors")
        #expect(imported.status == 0, "\(imported.messages)")
        let again = try program("export", "--prompts", "there.pt", "--backbone", "again.safetensors", "--output", "again-prompts.safetensors")
        #expect(again.status == 0 && again.messages.contains("16 sentences of Recipes/templates/actions.txt"), "\(again.messages)")
        let read = try PromptFile.load(program.folder.path("again-prompts.safetensors"))
        #expect(read.tensorsDigest == file.tensorsDigest && read.header.templates.count == 16)
        #expect(try Backbone.load(program.folder.path("again.safetensors")).parameters.digest(of: bridged.architecture) == bridged.weightsDigest)
        let alone = try program("eval", "--backbone", "run/backbone.safetensors", "--test", "val.txt", "--labels", "labels.csv", "--output", "alone")
        #expect(alone.status == 0, "\(alone.messages)")
    }

    /// A plan measures a step in which clips meet the texts of their batch.
    @Test func actionCLIPIsPlanned() throws {
        let plan = try program.run(["plan"] + Self.bridging + ["--epochs", "1", "--val", "val.txt", "--json"])
        #expect(plan.status == 0 && plan.output.contains("\"time\""), "\(plan.messages)")
    }

    /// A run that was stopped draws the same sentences and comes to the same bits.
    @Test func stoppedBridgesGoOn() throws {
        let words = Self.bridging + ["--epochs", "120"]
        #expect(try program.run(words + ["--output", "whole"]).status == 0, "\(program.lastMessages)")
        #expect(try program.signal(SIGTERM, whenThere: "stopped/metrics.jsonl", words + ["--output", "stopped"]) == 75, "\(program.lastMessages)")
        let again = try program("bridge", "--resume", "stopped")
        #expect(again.status == 0, "\(again.messages)")
        for file in ["prompts/last.safetensors", "last.safetensors"] {
            #expect(try Digest.ofFile(program.folder.path("stopped/\(file)")) == Digest.ofFile(program.folder.path("whole/\(file)")), "\(file)")
        }
    }

    @Test func theWrongCommandSaysTheRightOne() throws {
        for (words, said) in [
            (["learn", "--method", "actionclip"], "`vifi-prompt bridge --method actionclip` is meant"),
            (["bridge", "--method", "a5"], "`vifi-prompt learn --method a5` is meant"), (["bridge", "--method", "gda"], "`vifi-prompt learn --method gda` is meant"),
            (["bridge", "--method", "actionclop"], "Did you mean actionclip?"),
            (["bridge", "--method", "actionclip", "--fusion", "decision"], "--fusion decision cannot go with --method actionclip"),
            (["bridge", "--method", "actionclip", "--tuning", "image"], "--tuning image cannot go with --method actionclip"),
            (["bridge", "--method", "actionclip", "--set", "augmentation.mixup=0.8"], "augmentation.mixup, cutmix or label_smoothing cannot go"),
            (["bridge", "--set", "training.frames_schedule=1,2"], "--frames-schedule (training.frames_schedule) is for learning prompts"),
            (
                ["learn", "--method", "a5", "--set", "augmentation.fixed_frames=false", "--frames-schedule", "1,16"],
                "--frames-schedule (training.frames_schedule) cannot go with --method a5"
            ),
            (["learn", "--method", "gda", "--frames-schedule", "1,16"], "--frames-schedule are for prompts"),
            (["bridge", "--templates", "x.txt"], "--templates (templates) is for methods"),
        ] {
            let outcome = try program.run(words + ["--train", "train.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors"])
            #expect(outcome.status == 64 && outcome.messages.contains(said), "\(words): \(outcome.messages)")
        }
    }
}
