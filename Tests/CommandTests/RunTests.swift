import Files
import Foundation
import TestSupport
import Testing

/// Runs of the real program that are stopped, killed, robbed of their disk, and go on.
@Suite(.serialized, .timeLimit(.minutes(15))) struct RunTests {
    private func world() throws -> Program { try .withVideos() }

    private static let flags = [
        "--train", "list.txt", "--val", "list.txt", "--allow-shared-videos", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2",
        "--batch-size", "2", "--accumulation-steps", "1", "--eval-every", "3", "--save-every", "0", "--threads", "1",
    ]

    private func arguments(_ command: String, epochs: Int, output: String) -> [String] {
        [command] + Self.flags + ["--epochs", "\(epochs)", "--output", output]
            + (command == "learn" ? ["--vision-tokens", "2", "--text-tokens", "2"] : [])
    }

    /// The bytes of what was learned, and the log without times.
    private func results(_ program: Program, _ output: String) throws -> [String] {
        let files = ["prompts/best.safetensors", "prompts/last.safetensors", "backbone.safetensors", "last.safetensors", "config.yaml"]
        let digests = try files.map { program.folder.path(output + "/" + $0) }.filter(fileExists).map { try Digest.ofFile($0) }
        let log = try String(contentsOfFile: program.folder.path(output + "/metrics.jsonl"), encoding: .utf8)
        return digests + log.split(separator: "\n").map { line in
            line.split(separator: ",").filter { !$0.contains("seconds") }.joined(separator: ",").replacingOccurrences(of: "}", with: "")
        }
    }

    /// Reliability's K1, small: killed at twenty moments, among them the start, a save and an evaluation.
    @Test(arguments: [("learn", 20), ("bridge", 6)])
    func killedAgainAndAgain(_ command: String, kills: Int) throws {
        let program = try Program.withVideos()
        let whole = try program.run(arguments(command, epochs: 9, output: "whole"))
        #expect(whole.status == 0, "\(whole.messages)")
        var random = SystemRandomNumberGenerator()
        for kill in 0..<kills {
            let isThere = fileExists(program.folder.path("killed/run.json"))
            let status = try program.signal(
                SIGKILL, afterMilliseconds: Int.random(in: 20...(kill % 2 == 0 ? 120 : 400), using: &random),
                isThere ? [command, "--resume", "killed"] : arguments(command, epochs: 9, output: "killed"))
            #expect(status == nil || status == 0, "it must be killed or finish, not fail: \(status ?? 0)")
            for name in (try? directoryEntries(program.folder.path("killed/checkpoints"))) ?? [] where !name.contains(".tmp") {
                #expect(fileExists(program.folder.path("killed/checkpoints/\(name)/manifest.json")))
            }
        }
        // On a busy machine every kill may have come before the run's first file.
        let isThere = fileExists(program.folder.path("killed/run.json"))
        let rest = try program.run(isThere ? [command, "--resume", "killed"] : arguments(command, epochs: 9, output: "killed"))
        #expect(rest.status == 0, "\(rest.messages)")
        #expect(try results(program, "killed") == results(program, "whole"))
        #expect(!fileExists(program.folder.path("killed/checkpoints")), "checkpoints go when the run is finished")
    }

    @Test(arguments: [SIGTERM, SIGINT, SIGUSR1])
    func signalsSaveAndEndWithTheirStatus(_ number: Int32) throws {
        let program = try Program.withVideos()
        #expect(try program.signal(number, whenThere: "stopped/checkpoints", arguments("learn", epochs: 400, output: "stopped")) == 75)
        let messages = program.lastMessages
        #expect(messages.contains("stopped on request after step ") && messages.contains(" learn --resume stopped"), "\(messages)")
        // A new run may not take its place.
        let again = try program.run(arguments("learn", epochs: 400, output: "stopped"))
        #expect(again.status == 74 && again.messages.contains("learn --resume stopped"), "\(again.messages)")
        // From elsewhere, with more threads, and stopped again.
        #expect(try program.signal(number, whenSaid: "Going on after step ", ["learn", "--resume", "stopped", "--threads", "2"]) == 75)
    }

    @Test func theNewestUnfinishedRunIsFound() throws {
        let program = try Program.withVideos()
        #expect(try program("learn", "--resume").status == 66)
        #expect(try program.signal(SIGTERM, whenThere: "runs/learn/checkpoints", Array(arguments("learn", epochs: 40, output: "x").dropLast(2 + 4)) + ["--vision-tokens", "2", "--text-tokens", "2"]) == 75)
        let resumed = try program("learn", "--resume")
        #expect(resumed.status == 0 && resumed.messages.hasPrefix("Resuming runs/learn\n"), "\(resumed.messages)")
        let finished = try program("learn", "--resume", "runs/learn")
        #expect(finished.status == 0 && finished.messages.contains("is finished after 200 steps"), "\(finished.messages)")
    }

    @Test func resumingTakesNothingElse() throws {
        let program = try Program.withVideos()
        #expect(try program.signal(SIGTERM, whenThere: "stopped/checkpoints", arguments("learn", epochs: 400, output: "stopped")) == 75)
        for (flags, status, message) in [
            (["--shots", "2"], Int32(64), "--shots cannot go with --resume"), (["--seed=3"], 64, "--seed cannot go with --resume"),
        ] {
            let outcome = try program.run(["learn", "--resume", "stopped"] + flags)
            #expect(outcome.status == status && outcome.messages.contains(message), "\(outcome.messages)")
        }
        #expect(try program("learn", "stopped").status == 64)
        #expect(try program("bridge", "--resume", "stopped").status == 64)
        #expect(try program("learn", "--resume", "nothing").status == 66)
        let videos = try Data(contentsOf: URL(fileURLWithPath: program.folder.path("video3.mp4")))
        for (file, change) in [("stopped/config.yaml", "# x\n"), ("stopped/split/train.txt", "video1.mp4 0\n"), ("video3.mp4", "x")] {
            let path = program.folder.path(file)
            let before = try Data(contentsOf: URL(fileURLWithPath: path))
            try (before + Data(change.utf8)).write(to: URL(fileURLWithPath: path))
            #expect(try program("learn", "--resume", "stopped").status == 78, "\(file)")
            try before.write(to: URL(fileURLWithPath: path))
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: program.folder.path("video3.mp4"))) == videos)
        // Of the same size, with one byte changed; then gone.
        var otherVideo = videos
        otherVideo[otherVideo.count - 9] ^= 1
        try otherVideo.write(to: URL(fileURLWithPath: program.folder.path("video3.mp4")))
        let changed = try program("learn", "--resume", "stopped")
        #expect(changed.status == 78 && changed.messages.contains("video3.mp4: this video of the "), "\(changed.messages)")
        try FileManager.default.removeItem(atPath: program.folder.path("video3.mp4"))
        let gone = try program("learn", "--resume", "stopped")
        #expect(gone.status == 66 && gone.messages.contains("Put back what was moved"), "\(gone.messages)")
        try videos.write(to: URL(fileURLWithPath: program.folder.path("video3.mp4")))
        // Damaged, and of another program.
        let record = try String(contentsOfFile: program.folder.path("stopped/run.json"), encoding: .utf8)
        try program.folder.write("{", to: "stopped/run.json")
        #expect(try program("learn", "--resume", "stopped").status == 65)
        try program.folder.write(record.replacingOccurrences(of: "\"format\" : 3", with: "\"format\" : 1"), to: "stopped/run.json")
        let old = try program("learn", "--resume", "stopped")
        #expect(old.status == 65 && old.messages.contains("Finish the run with the vifi-prompt that began it"), "\(old.messages)")
        try program.folder.write(record, to: "stopped/run.json")
        try SmallModel(seed: 2).backbone.save(to: program.folder.path("clip.safetensors"))
        let other = try program("learn", "--resume", "stopped")
        #expect(other.status == 78 && other.messages.contains("Put that backbone back"), "\(other.messages)")
    }

    @Test func otherInitialPromptsAreRefused() throws {
        let program = try Program.withVideos()
        for (seed, output) in [(1, "one"), (2, "two")] {
            let outcome = try program.run(arguments("learn", epochs: 1, output: output) + ["--seed", "\(seed)"])
            #expect(outcome.status == 0, "\(outcome.messages)")
        }
        let path = program.folder.path("start.safetensors")
        try FileManager.default.copyItem(atPath: program.folder.path("one/prompts/last.safetensors"), toPath: path)
        let start = Array(arguments("learn", epochs: 400, output: "stopped").dropLast(4)) + ["--init", "start.safetensors"]
        #expect(try program.signal(SIGTERM, whenThere: "stopped/checkpoints", start) == 75)
        try FileManager.default.removeItem(atPath: path)
        #expect(try program("learn", "--resume", "stopped").status == 66)
        try FileManager.default.copyItem(atPath: program.folder.path("two/prompts/last.safetensors"), toPath: path)
        let other = try program("learn", "--resume", "stopped")
        #expect(other.status == 78 && other.messages.contains("start.safetensors: was changed after the run began"), "\(other.messages)")
    }

    /// A start that failed has written nothing to go on with: the same command may be given again.
    @Test func aFailedStartIsMadeAgain() throws {
        let program = try Program.withVideos()
        try createDirectory(program.folder.path("run"))
        try program.folder.write("", to: "run/metrics.jsonl")
        let outcome = try program.run(arguments("learn", epochs: 1, output: "run"))
        #expect(outcome.status == 0, "\(outcome.messages)")
    }

    /// A checkpoint that is cut off gives way to the one before it, which is said; the end is the same.
    @Test func aDamagedCheckpointIsPassedOver() throws {
        let program = try Program.withVideos()
        _ = try program.run(arguments("learn", epochs: 30, output: "whole"))
        #expect(try program.signal(SIGTERM, whenThere: "stopped/checkpoints/step_00000011", arguments("learn", epochs: 30, output: "stopped")) == 75)
        let folder = program.folder.path("stopped/checkpoints")
        let newest = try #require(try directoryEntries(folder).last)
        #expect(truncate(folder + "/\(newest)/tensors.safetensors", 1000) == 0)
        // What a kill in the middle of writing leaves behind.
        try createDirectory(program.folder.path("stopped/prompts"))
        try program.folder.write("half", to: "stopped/prompts/best.safetensors.tmp-12-345")
        let resumed = try program("learn", "--resume", "stopped")
        #expect(resumed.status == 0)
        #expect(resumed.messages.contains("\(newest) is damaged (tensors.safetensors is not what was written): the one before it is looked at."))
        #expect(try results(program, "stopped") == results(program, "whole"))
        #expect(try directoryEntries(program.folder.path("stopped/prompts")) == ["best.safetensors", "last.safetensors"])
    }

    /// A limit on file sizes stands for a full disk: checkpoints of the bridge are larger, logs and lists smaller.
    @Test func aFullDiskStopsTheRunAtTheSecondFailure() throws {
        let program = try Program.withVideos()
        let outcome = try program.limited(fileBlocks: 200, arguments("bridge", epochs: 9, output: "full"))
        #expect(outcome.status == 74, "\(outcome.messages)")
        #expect(outcome.messages.contains("Training goes on; if the next attempt fails too, it stops."))
        #expect(outcome.messages.contains("stopped at step 2, because it cannot be saved: "))
        #expect(try directoryEntries(program.folder.path("full/checkpoints")) == [])
        // With room again the run starts over in its folder.
        #expect(try program("bridge", "--resume", "full").status == 0)
    }

    @Test func seedsAreSummedUp() throws {
        let program = try Program.withVideos()
        let start = Array(arguments("learn", epochs: 2, output: "seeds")) + ["--seeds", "1,2", "--shots", "1"]
        let outcome = try program.run(start)
        #expect(outcome.status == 0, "\(outcome.messages)")
        #expect(outcome.output.contains("| mean ± deviation, n = 2 | "), "\(outcome.output)")
        let draws = try [1, 2].map { try String(contentsOfFile: program.folder.path("seeds/seed\($0)/split/train.txt"), encoding: .utf8) }
        #expect(draws[0] != draws[1], "each seed draws its own shots")
        let csv = try String(contentsOfFile: program.folder.path("seeds/summary.csv"), encoding: .utf8).split(separator: "\n")
        #expect(csv.count == 5 && csv[0] == "seed,last_top1,last_top5,last_mean_class,best_top1,training_loss")
        let losses = try csv[1...2].map { try #require($0.split(separator: ",").last.flatMap { Double($0) }) }
        let deviation = try #require(csv[4].split(separator: ",").last.flatMap { Double($0) })
        #expect(abs(deviation - abs(losses[0] - losses[1]) / 2.0.squareRoot()) < 1e-9)

        // Finished seeds are not run again; the one that is missing is.
        let before = try Digest.ofFile(program.folder.path("seeds/seed1/prompts/last.safetensors"))
        let second = try Digest.ofFile(program.folder.path("seeds/seed2/prompts/last.safetensors"))
        try FileManager.default.removeItem(atPath: program.folder.path("seeds/seed2"))
        try FileManager.default.removeItem(atPath: program.folder.path("seeds/summary.json"))
        let resumed = try program("learn", "--resume", "seeds")
        #expect(resumed.status == 0 && !resumed.messages.contains("Seed 1,") && resumed.messages.contains("Seed 2,"), "\(resumed.messages)")
        let table = outcome.output.split(separator: "\n").filter { $0.hasPrefix("|") }
        #expect(resumed.output.split(separator: "\n").filter { $0.hasPrefix("|") } == table)
        #expect(try Digest.ofFile(program.folder.path("seeds/seed1/prompts/last.safetensors")) == before)
        #expect(try Digest.ofFile(program.folder.path("seeds/seed2/prompts/last.safetensors")) == second)
        let twice = try program.run(["learn", "--seeds", "1,1"])
        #expect(twice.status == 64 && twice.messages.contains("'1' is given twice"), "\(twice.messages)")
        // Seeds that saw other videos have no mean.
        try FileManager.default.removeItem(atPath: program.folder.path("seeds/seed2"))
        let list = try String(contentsOfFile: program.folder.path("list.txt"), encoding: .utf8)
        try program.folder.write(list.replacingOccurrences(of: "video9.mp4 4\n", with: "video8.mp4 4\n"), to: "list.txt")
        let other = try program("learn", "--resume", "seeds")
        #expect(other.status == 78 && other.messages.contains("the train list differs from that of the first seed"), "\(other.messages)")
    }

    // MARK: Late prompts

    private static let late = ["--vision-tokens", "2", "--text-tokens", "2", "--vision-layers", "1", "--text-layers", "1"]

    /// Cached prefixes in memory, computed anew each time, stopped and resumed: the same bits; files, `predict`, `eval`
    /// and `export` know the layers.
    @Test(arguments: [late + ["--fixed-frames"], ["--quick", "--text-tokens", "2"]])
    func latePromptsFromEndToEnd(_ flags: [String]) throws {
        let program = try world()
        func arguments(_ output: String) -> [String] { ["learn"] + Self.flags + ["--epochs", "12", "--output", output] + flags }
        let whole = try program.run(arguments("whole"))
        #expect(whole.status == 0 && whole.messages.contains("Fixed frames: training clips are seen as test clips are"), "\(whole.messages)")
        #expect(whole.messages.contains("10 training and 10 validation clips") && whole.messages.contains(" for these clips"))
        let planned = try program.run(["plan"] + arguments("planned"))
        #expect(planned.status == 0 && planned.output.contains("once per clip, not once per epoch"), "\(planned.messages)")
        let tight = try program.run(arguments("tight") + ["--memory", "192M"])
        #expect(tight.status == 0, "\(tight.messages)")
        #expect(try results(program, "tight") == results(program, "whole"))
        // It may have been too quick to be stopped.
        let status = try program.signal(SIGINT, whenThere: "stopped/checkpoints", arguments("stopped"))
        #expect(status == 75 || status == 0, "\(program.lastMessages)")
        if status == 75 {
            let resumed = try program("learn", "--resume", "stopped", "--threads", "2")
            #expect(resumed.status == 0, "\(resumed.messages)")
        }
        #expect(try results(program, "stopped") == results(program, "whole"))

        let isLate = flags.contains("--vision-layers")
        let prompts = "whole/prompts/last.safetensors"
        let subject = ["--prompts", prompts, "--backbone", "clip.safetensors"]
        let inspected = try program("inspect", prompts)
        let words = isLate ? "2 tokens × 1 layer (1)" : "0 tokens × 0 layers"
        #expect(inspected.output.contains("vision           \(words)\n"), "\(inspected.output)\(inspected.messages)")
        let predicted = try program.run(["predict", "video1.mp4"] + subject)
        #expect(predicted.status == 0, "\(predicted.messages)")
        for form in ["peft", "npz", "classes", "vifi-prompt"] {
            let exported = try program.run(["export", "--to", form, "--output", "out-\(form)" + (form == "peft" ? "" : form == "npz" ? ".npz" : ".safetensors")] + subject)
            #expect(exported.status == 0, "\(exported.messages)")
        }
        let other = try program("predict", "video1.mp4", "--prompts", "out-peft", "--backbone", "clip.safetensors")
        #expect(other.output == predicted.output)
        let checkpoint = try program.run(["export", "--to", "vifi-pth", "--output", "out.pth"] + subject)
        #expect(checkpoint.status == (isLate ? 78 : 0) && fileExists(program.folder.path("out.pth")) != isLate, "\(checkpoint.messages)")
        if isLate { #expect(checkpoint.messages.contains("vision prompts are in layers 1. ViFi-CLIP's begin at layer 0"), "\(checkpoint.messages)") }
    }

    /// Clips of one frame first and of two then: a run that is stopped comes to the same bits.
    @Test func fewFramesFirst() throws {
        let program = try world()
        func arguments(_ output: String) -> [String] { self.arguments("learn", epochs: 6, output: output) + ["--frames-schedule", "1,2"] }
        let few = try program.run(arguments("few"))
        #expect(few.status == 0 && few.messages.contains("2 frames each, in training 1 in 3, 2 in 3 epochs"), "\(few.messages)")
        let status = try program.signal(SIGINT, whenThere: "stopped/checkpoints", arguments("stopped"))
        #expect(status == 75 || status == 0, "\(program.lastMessages)")
        if status == 75 { #expect(try program("learn", "--resume", "stopped", "--threads", "2").status == 0, "\(program.lastMessages)") }
        #expect(try results(program, "stopped") == results(program, "few"))
        // What is scored has all frames.
        #expect(try program("inspect", "few/prompts/last.safetensors", "--json").output.contains("\"frames\" : 2"))
    }

    /// What merges stands in the file; whoever uses the prompts merges as much, and nobody can do otherwise.
    @Test func mergingFromEndToEnd() throws {
        let program = try world()
        func arguments(_ output: String) -> [String] { self.arguments("learn", epochs: 3, output: output) }
        #expect(try program.run(arguments("plain")).status == 0)
        #expect(try program.run(arguments("none") + ["--merge-tokens", "0"]).status == 0)
        #expect(try results(program, "none") == results(program, "plain"))
        let merged = try program.run(arguments("merged") + ["--merge-tokens", "2"])
        #expect(merged.status == 0, "\(merged.messages)")
        #expect(try results(program, "merged") != results(program, "plain"))
        let status = try program.signal(SIGINT, whenThere: "stopped/checkpoints", arguments("stopped") + ["--merge-tokens", "2"])
        #expect(status == 75 || status == 0, "\(program.lastMessages)")
        if status == 75 { #expect(try program("learn", "--resume", "stopped", "--threads", "2").status == 0) }
        #expect(try results(program, "stopped") == results(program, "merged"))

        let prompts = "merged/prompts/last.safetensors"
        let subject = ["--prompts", prompts, "--backbone", "clip.safetensors"]
        #expect(try program("inspect", prompts).output.contains("merging          2 tokens in each layer of the vision tower\n"))
        let predicted = try program.run(["predict", "video1.mp4"] + subject)
        #expect(predicted.status == 0, "\(predicted.messages)")
        #expect(try program.run(["export", "--to", "peft", "--output", "adapter"] + subject).status == 0)
        #expect(try program("predict", "video1.mp4", "--prompts", "adapter", "--backbone", "clip.safetensors").output == predicted.output)
        let checkpoint = try program.run(["export", "--to", "vifi-pth", "--output", "out.pth"] + subject)
        #expect(checkpoint.status == 78 && checkpoint.messages.contains("2 tokens merged in each layer of the vision tower. ViFi-CLIP merges none"))
        // Learning goes on with as many; another number is refused.
        let further = try program.run(["learn"] + Self.flags + ["--epochs", "1", "--init", prompts, "--output", "further"])
        #expect(further.status == 0, "\(further.messages)")
        #expect(try String(contentsOfFile: program.folder.path("further/config.yaml"), encoding: .utf8).contains("merge_tokens: 2"))
        for other in ["0", "1"] {
            let refused = try program.run(["learn"] + Self.flags + ["--epochs", "1", "--init", prompts, "--output", "x", "--merge-tokens", other])
            #expect(refused.status == 64 && refused.messages.contains("--merge-tokens is \(other), the prompts have 2"), "\(refused.messages)")
        }
        let bridged = try program.run(self.arguments("bridge", epochs: 1, output: "b") + ["--set", "prompts.merge_tokens=1"])
        #expect(bridged.status == 64 && bridged.messages.contains("bridge learns weights"), "\(bridged.messages)")
        let head = try program.run(["learn"] + Self.flags.prefix(9) + ["--method", "gda", "--merge-tokens", "1", "--output", "h"])
        #expect(head.status == 64, "\(head.messages)")
    }

    @Test func aSignalWhileClipsAreComputed() throws {
        let program = try world()
        // The pass over ten videos is over in a moment: many more of them.
        let list = try String(contentsOfFile: program.folder.path("list.txt"), encoding: .utf8)
        for copy in 0..<60 {
            for video in 0..<10 {
                try FileManager.default.createSymbolicLink(
                    atPath: program.folder.path("f\(copy)-\(video).mp4"), withDestinationPath: "video\(video).mp4")
            }
        }
        let long = (0..<60).map { copy in list.replacingOccurrences(of: "video", with: "f\(copy)-") }.joined()
        try program.folder.write(long, to: "long.txt")
        let start = ["learn", "--quick", "--text-tokens", "2", "--train", "long.txt"] + Self.flags.dropFirst(2) + ["--epochs", "1", "--output", "early"]
        #expect(try program.signal(SIGINT, whenThere: "early/run.json", start) == 75)
        #expect(program.lastMessages.contains("before step 1, while clips were computed") && program.lastMessages.contains("learn --resume early"), "\(program.lastMessages)")
        let resumed = try program("learn", "--resume", "early")
        #expect(resumed.status == 0, "\(resumed.messages)")
    }

    @Test(arguments: [
        (["--vision-layers", "11-6"], 64, "11-6 ends before it begins; write 6-11."),
        (["--vision-layers", "six"], 64, "\"six\" names no layers; write layers counted from 0"),
        (["--vision-layers", "1-2"], 78, "the backbone's vision layers are 0-1, counted from 0"),
        (["--text-layers", "1", "--text-depth", "2"], 78, "text layers 1 and a text depth of 2 contradict each other"),
        (["--vision-layers", "1", "--vision-tokens", "0"], 78, "prompts are asked for in vision layers 1, with 0 tokens each"),
        (["--vision-layers", "none", "--vision-tokens", "2"], 64, "--vision-layers none and --vision-tokens 2 contradict each other"),
        (["--vision-layers", "none", "--text-layers", "none"], 78, "there is nothing to learn"),
        (["--quick", "--vision-layers", "1"], 64, "--quick learns language prompts only, so --vision-layers 1 cannot go with it"),
        (["--quick", "--text-layers", "none"], 64, "--quick learns language prompts, but the other flags leave no text prompts"),
        (["--fixed-frames", "--set", "augmentation.flip=0.5"], 64, "augmentation.flip would change it"),
        (["--backward-frames", "3"], 64, "the backward pass cannot go through 3 frames of a clip that has 2 frames"),
        (["--backward-frames", "0"], 64, "0 is out of range"),
        (["--quick", "--backward-frames", "1"], 64, "the vision tower has none"),
        (["--frames-schedule", "2,1"], 64, "'2,1' is no schedule; write numbers of frames that grow, such as 4,8,16"),
        (["--frames-schedule", "1,4"], 64, "(training.frames_schedule) ends with 4 frames, but clips have 2. End it with 2, or set --frames 4"),
        (["--frames-schedule", "1,2", "--fixed-frames"], 64, "cannot go with --fixed-frames (augmentation.fixed_frames) or --quick"),
        (["--frames-schedule", "1,2", "--early-stop", "3"], 64, "cannot go with --early-stop (training.early_stop)"),
        (["--frames-schedule", "1,2", "--regularize", "promptsrc"], 64, "cannot go with --regularize promptsrc"),
        (["--merge-tokens", "3"], 78, "has enough for at most 2. Set --merge-tokens (prompts.merge_tokens)"),
        (["--set", "prompts.merge_tokens=-1"], 64, "-1 is out of range"),
        (["--prompts-behind-norm", "--vision-layers", "1"], 78, "vision prompts of layer 0, and there are none"),
        (["--quick", "--prompts-behind-norm"], 64, "so --prompts-behind-norm cannot go with it"),
        (["--set", "prompts.text_layers=1-0"], 64, "prompts.text_layers: '1-0' is not layers counted from 0"),
        (["--quick", "--memory", "20M"], 78, "--memory 20M is too little"),
        // No contradiction: without tokens a depth says nothing. What stops this run is its memory.
        (["--quick", "--vision-tokens", "0", "--vision-depth", "12", "--memory", "20M"], 78, "--memory 20M is too little"),
        (["--set", "prompts.vision_tokens=0", "--set", "prompts.vision_depth=12", "--vision-layers", "none", "--memory", "20M"], 78, "--memory 20M is too little"),
    ] as [([String], Int32, String)])
    func layersThatMakeNoSense(flags: [String], status: Int32, words: String) throws {
        let program = try world()
        let outcome = try program.run(["learn"] + Self.flags + ["--epochs", "1", "--output", "bad"] + flags)
        #expect(outcome.status == status && outcome.messages.contains(words), "\(outcome.status) \(outcome.messages)")
        #expect(!fileExists(program.folder.path("bad")), "nothing is written")
    }

    @Test func depthsAreTheSpecialCase() throws {
        let program = try world()
        let tokens = ["--vision-tokens", "2", "--text-tokens", "2"]
        for (output, flags) in [("depth", ["--vision-depth", "2", "--text-depth", "1"]), ("layers", ["--vision-layers", "0-1", "--text-layers", "0"])] {
            let outcome = try program.run(["learn"] + Self.flags + ["--epochs", "2", "--output", output] + tokens + flags)
            #expect(outcome.status == 0, "\(outcome.messages)")
        }
        #expect(try results(program, "depth") == results(program, "layers"))
    }

    @Test func plansNameNumbersAndLeaveNothing() throws {
        let program = try Program.withVideos()
        let start = Array(arguments("learn", epochs: 4, output: "planned"))
        let text = try program.run(["plan"] + start + ["--no-timing"])
        #expect(text.status == 0 && text.output.contains("steps       20 in 4 epochs, 2 clips each; 2 evaluations"), "\(text.output)\(text.messages)")
        let json = try program.run(["plan"] + start + ["--json"])
        let plan = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        #expect(plan["kind"] as? String == "learn")
        let time = try #require(plan["time"] as? [String: Double])
        #expect(time["total"].map { $0 > 0 } == true && time["reading_share"].map { (0...1).contains($0) } == true)
        #expect(!fileExists(program.folder.path("planned")) && !fileExists(program.folder.path("runs")))
    }

    @Test func doctorFindsThisMachineFit() throws {
        let program = try Program()
        let outcome = try program("doctor", "--json")
        #expect(outcome.status == 0, "\(outcome.output)")
        #expect(outcome.output.contains("\"can_run\" : true") && outcome.output.contains("\"OpenBLAS\""))
        #expect(try directoryEntries(program.folder.path).allSatisfy { $0.hasPrefix(".std") }, "nothing is left behind")
        try program.folder.write("a file where the cache should be", to: "data")
        let broken = try program("doctor")
        #expect(broken.status == 69 && broken.output.contains("missing  cache"), "\(broken.output)")
    }
}
