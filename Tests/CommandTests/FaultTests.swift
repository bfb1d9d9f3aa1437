import CLIPModel
import Files
import Foundation
import TestSupport
import Testing

/// Disks that fail, network file systems that lack something, signals and kills in the middle of writing.
@Suite(.serialized, .timeLimit(.minutes(15)), .enabled(if: PreloadLibrary.canBeMade)) struct FaultTests {
    private let program: Program
    private let disk: FaultyDisk

    init() throws {
        program = try Program.withVideos()
        disk = try FaultyDisk()
    }

    private static let run = [
        "--train", "list.txt", "--val", "list.txt", "--allow-shared-videos", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2",
        "--batch-size", "5", "--accumulation-steps", "1", "--epochs", "4", "--threads", "1", "--save-every", "0", "--eval-every", "9",
    ]
    private static let eval = ["eval", "--zero-shot", "--backbone", "clip.safetensors", "--val", "list.txt", "--labels", "labels.csv", "--frames", "2"]

    private func path(_ name: String) -> String { program.folder.path(name) }
    private func entries(_ name: String) throws -> [String] { try directoryEntries(path(name)) }

    // MARK: Reading back, syncing

    /// What cannot be read back was not saved: that is a failed write (74), not a missing input (66).
    @Test func whatCannotBeReadBackIsNotSaved() throws {
        let outcome = try program.run(
            ["bridge", "--import", "clip.safetensors", "-o", "out.safetensors"], environment: disk.environment(.init("pread", EIO, path: "out.safetensors.tmp-")))
        #expect(outcome.status == 74 && outcome.messages.contains("what was written cannot be read back, Input/output error"), "\(outcome.messages)")
        #expect(!fileExists(path("out.safetensors")))
        // In a run it is a lost checkpoint, and the second in a row ends it.
        let learn = try program.run(
            ["learn"] + Self.run + ["-o", "run"], environment: disk.environment(.init("pread", EIO, path: "tensors.safetensors.tmp-")))
        #expect(learn.status == 74 && learn.messages.contains("Training goes on") && learn.messages.contains("stopped at step 2"), "\(learn.messages)")
        #expect(try entries("run/checkpoints").isEmpty)
    }

    @Test func aFolderThatCannotBeSyncedIsTold() throws {
        let outcome = try program.run(
            ["export", "--prompts", SmallModel().write(to: program).prompts, "-o", "there/p.safetensors"],
            environment: disk.environment(.init("fsyncdir", EIO, path: "/there")))
        #expect(outcome.status == 74 && outcome.messages.contains("its folder cannot be synced: Input/output error"), "\(outcome.messages)")
        // A file system that knows no such thing is none that fails.
        let other = try program.run(
            ["export", "--prompts", "runs/learn/prompts/best.safetensors", "-o", "fine/p.safetensors"],
            environment: disk.environment(.init("fsyncdir", EINVAL)))
        #expect(other.status == 0, "\(other.messages)")
    }

    // MARK: Resuming

    private func stopped() throws {
        let outcome = try program.run(
            ["learn"] + Self.run + ["-o", "run"], environment: disk.environment(.init("fsync", EIO, path: "tensors.safetensors.tmp-", skipping: 3)))
        #expect(outcome.status == 74, "\(outcome.messages)")
        #expect(try entries("run/checkpoints").count == 2)
    }

    /// Nobody knows whether it is damaged; the logs and the other checkpoint stay as they are.
    @Test(arguments: [EIO, ESTALE, EMFILE])
    func aCheckpointThatCannotBeReadNowEndsTheResume(_ error: Int32) throws {
        try stopped()
        let names = try entries("run/checkpoints")
        let log = try Digest.ofFile(path("run/metrics.jsonl"))
        let outcome = try program.run(
            ["learn", "--resume", "run"], environment: disk.environment(.init("pread", error, path: "\(names[1])/tensors.safetensors")))
        #expect(outcome.status == 74 && outcome.messages.contains("this checkpoint cannot be read now, and may be sound"), "\(outcome.messages)")
        #expect(try entries("run/checkpoints") == names)
        #expect(try Digest.ofFile(path("run/metrics.jsonl")) == log)
        #expect(try program("learn", "--resume", "run").status == 0)
    }

    @Test func onlyDamagedCheckpointsAreARefusal() throws {
        try stopped()
        let names = try entries("run/checkpoints")
        let log = try Digest.ofFile(path("run/metrics.jsonl"))
        for name in names { #expect(truncate(path("run/checkpoints/\(name)/tensors.safetensors"), 100) == 0) }
        let outcome = try program("learn", "--resume", "run")
        #expect(outcome.status == 65 && outcome.messages.contains("all 2 checkpoints are damaged"), "\(outcome.messages)")
        #expect(try entries("run/checkpoints") == names)
        #expect(try Digest.ofFile(path("run/metrics.jsonl")) == log)
        removeTree(path("run/checkpoints"))
        #expect(try program("learn", "--resume", "run").status == 0)
    }

    // MARK: What network file systems lack

    @Test func withoutLocksAFileSaysWhoUsesTheFolder() throws {
        let faults = disk.environment(.init("flock", ENOSYS))
        #expect(try program.run(["learn"] + Self.run + ["-o", "run"], environment: faults).status == 0)
        #expect(try entries("run").contains(".lock-owner") == false)
        let host = try String(contentsOfFile: "/proc/sys/kernel/hostname", encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        for (owner, status) in [("process 1 on elsewhere", Int32(74)), ("process 999999999 on \(host)", 0)] {
            try createDirectory(path("next"))
            try program.folder.write(owner, to: "next/.lock-owner")
            let outcome = try program.run(["learn"] + Self.run + ["-o", "next"], environment: faults)
            #expect(outcome.status == status, "\(owner): \(outcome.messages)")
            if status != 0 { #expect(outcome.messages.contains("\(owner), according to next/.lock-owner, because this file system has no locks")) }
            removeTree(path("next"))
        }
    }

    @Test(arguments: [EINVAL, ENOSYS])
    func withoutExchangeAFolderIsReplacedAllTheSame(_ error: Int32) throws {
        let (backbone, prompts) = try SmallModel().write(to: program)
        let export = ["export", "--prompts", prompts, "--backbone", backbone, "--to", "peft", "--force", "-o", "adapter"]
        for _ in 0..<2 {
            let outcome = try program.run(export, environment: disk.environment(.init("exchange", error)))
            #expect(outcome.status == 0, "\(outcome.messages)")
        }
        #expect(try directoryEntries(program.folder.path).filter { $0.hasPrefix("adapter") } == ["adapter"])
        // As a crash between the two renames leaves it: the next one finds the old folder again.
        try renameDirectory(path("adapter"), to: path("adapter.previous"))
        #expect(try program.run(export).status == 0)
        #expect(try directoryEntries(program.folder.path).filter { $0.hasPrefix("adapter") } == ["adapter"])
    }

    // MARK: Signals and kills

    /// Stops a command once its temporary file is there, and says what is left of it.
    private func left(by signal: String, _ command: String, _ folder: String) throws -> (status: Int32, names: [String]) {
        let faults = disk.environment(.init("fsync", nil, path: "x.safetensors.tmp-", skipping: 1))
            .map { "\($0)='\($1)'" }.joined(separator: " ")
        let outcome = try program.shell(
            // The file by which the place is proven is there for a moment only.
            "set -m; mkdir -p \(folder); env \(faults) \(command) & pid=$!; for i in $(seq 200); do a=$(ls \(folder)/*.tmp-* 2>/dev/null); "
                + "sleep 0.2; b=$(ls \(folder)/*.tmp-* 2>/dev/null); test -n \"$a\" -a \"$a\" = \"$b\" && break; done; "
                + "kill -\(signal) $pid; wait $pid; exit $?")
        return (outcome.status, try entries(folder))
    }

    @Test(arguments: ["TERM", "INT", "HUP", "KILL"])
    func importsLeaveNothingBehind(_ signal: String) throws {
        let numbers: [String: Int32] = ["TERM": 15, "INT": 2, "HUP": 1, "KILL": 9]
        let number = try #require(numbers[signal])
        let (status, names) = try left(by: signal, "vifi-prompt bridge --import clip.safetensors -o out/x.safetensors", "out")
        #expect(status == 128 + number)
        if signal == "KILL" {
            #expect(names.count == 1 && names[0].hasPrefix("x.safetensors.tmp-"), "\(names)")
        } else {
            #expect(names.isEmpty, "\(names)")
        }
        // Somebody's files of such names are not ours: of another target, and of a process that lives.
        try program.folder.write("", to: "out/y.safetensors.tmp-1-2")
        try program.folder.write("", to: "out/x.safetensors.tmp-draft")
        #expect(try program("bridge", "--import", "clip.safetensors", "-o", "out/x.safetensors").status == 0)
        #expect(try entries("out") == ["x.safetensors", "x.safetensors.tmp-draft", "y.safetensors.tmp-1-2"])
    }

    @Test func exportsLeaveNothingBehind() throws {
        let (backbone, prompts) = try SmallModel().write(to: program)
        for signal in ["TERM", "INT"] {
            let names = try left(by: signal, "vifi-prompt export --prompts \(prompts) --backbone \(backbone) -o out/x.safetensors", "out").names
            #expect(names.isEmpty, "\(names)")
        }
    }

    // MARK: Places that cannot be written

    /// Said before the work: no video is opened.
    @Test func placesAreProvenBeforeTheWork() throws {
        for video in 0..<10 { try program.folder.write("no video", to: "video\(video).mp4") }
        try createDirectory(path("full"))
        for arguments in [
            Self.eval + ["-o", "full/scores"], ["data", "check", "list.txt", "--write-good", "full/good.txt"],
            ["predict", "video1.mp4", "--backbone", "clip.safetensors", "--labels", "labels.csv", "--window", "1s", "--save", "full/{}.srt"],
            ["viz", "tsne", "--val", "list.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "-o", "full/tsne"],
            ["bridge", "--import", "clip.safetensors", "-o", "full/x.safetensors"],
        ] {
            let outcome = try program.run(arguments, environment: disk.environment(.init("write", ENOSPC, path: "/full/")))
            #expect(outcome.status == 74 && outcome.messages.contains("No space left on device"), "\(arguments) \(outcome.status): \(outcome.messages)")
            #expect(!outcome.messages.contains("video1.mp4: ") && !outcome.output.contains("broken"), "\(arguments): \(outcome.messages)\(outcome.output)")
            #expect(try entries("full").isEmpty)
        }
    }

    /// A disk that fills up during the work: what was found out is on standard output.
    @Test func resultsThatCannotBeWrittenArePrinted() throws {
        func lost(_ arguments: [String], _ file: String, skipping: Int = 0, _ words: String) throws {
            let outcome = try program.run(arguments, environment: disk.environment(.init("write", ENOSPC, path: file, skipping: skipping)))
            #expect(outcome.status == 74 && outcome.output.contains(words), "\(arguments) \(outcome.status): \(outcome.output)\(outcome.messages)")
        }
        try lost(Self.eval + ["-o", "scores"], "predictions.jsonl.tmp-", "top-1")
        #expect(!fileExists(path("scores/evaluation.json")), "whole or not at all")
        try lost(["data", "check", "list.txt", "--write-good", "good.txt"], "good.txt.tmp-", skipping: 1, "10 videos, 0 broken")
        try lost(
            ["predict", "video1.mp4", "--backbone", "clip.safetensors", "--labels", "labels.csv", "--frames", "2", "--window", "1s", "--save", "x.srt", "--csv"],
            "x.srt.tmp-", skipping: 1, "video1.mp4,")
        try lost(["learn"] + Self.run + ["-o", "run"], "finished.json.tmp-", "validation top-1")
        try lost(["learn"] + Self.run + ["--seeds", "1,2", "-o", "seeds"], "summary.json.tmp-", "mean ± deviation, n = 2")
    }

    // MARK: Divergence

    /// What is saved holds numbers, so that resuming meets the same end and not a worse one.
    @Test(arguments: ["learn", "bridge"])
    func aRunThatDivergesSavesNoNaN(_ command: String) throws {
        let tokens = ["--vision-tokens", "2", "--text-tokens", "2"]
        let arguments = command == "learn" ? Self.run + tokens : Self.run
        // With a decay of 0.9 at a rate of 10 a step multiplies what learns by about -8.
        let outcome = try program.run(
            [command] + arguments + ["--learning-rate", "10", "--set", "training.weight_decay=0.9", "--epochs", "100", "-o", "run"])
        #expect(outcome.status == 78 && outcome.messages.contains("training has diverged"), "\(outcome.status) \(outcome.messages)")
        for name in (try? entries("run/checkpoints")) ?? [] {
            let bytes = try InputFile.contents(of: path("run/checkpoints/\(name)/tensors.safetensors"), limit: 1 << 28)
            let header = 8 + (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
            let values = stride(from: header, to: bytes.count - 3, by: 4).map { place in
                Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[place + $1]) << (8 * $1) })
            }
            #expect(values.allSatisfy { $0.isFinite }, "\(name)")
        }
    }
}
