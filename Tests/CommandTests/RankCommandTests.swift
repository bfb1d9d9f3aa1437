import Files
import Foundation
import TestSupport
import Testing

/// Runs of several processes that mpirun starts, against the same run in one process.
@Suite(.serialized, .timeLimit(.minutes(15)), .enabled(if: Program.hasRanks, "mpirun is not here, or the build has no MPI"))
struct RankCommandTests {
    private static let flags = [
        "--train", "list.txt", "--val", "list.txt", "--allow-shared-videos", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2",
        "--batch-size", "4", "--accumulation-steps", "1", "--eval-every", "2", "--threads", "1", "--save-every", "0",
    ]

    private func arguments(_ command: String, epochs: Int, output: String) -> [String] {
        [command] + Self.flags + ["--epochs", "\(epochs)", "--output", output]
            + (command == "learn" ? ["--vision-tokens", "2", "--text-tokens", "2"] : [])
    }

    /// The log without times.
    private func log(_ program: Program, _ output: String) throws -> [String] {
        try String(contentsOfFile: program.folder.path(output + "/metrics.jsonl"), encoding: .utf8).split(separator: "\n").map { line in
            line.split(separator: ",").filter { !$0.contains("seconds") }.joined(separator: ",").replacingOccurrences(of: "}", with: "")
        }
    }

    private func prompts(_ program: Program, _ output: String) throws -> [String] {
        try ["prompts/best.safetensors", "prompts/last.safetensors", "config.yaml"].map { try Digest.ofFile(program.folder.path(output + "/" + $0)) }
    }

    private func count(_ text: String, in messages: String) -> Int { messages.components(separatedBy: text).count - 1 }

    /// Ten videos at four a step: the last step of an epoch has fewer clips than three ranks would like.
    @Test func learningIsTheSameBytes() throws {
        let program = try Program.withVideos()
        let alone = try program.run(arguments("learn", epochs: 4, output: "alone"))
        #expect(alone.status == 0, "\(alone.messages)")
        for ranks in 1...3 {
            let shared = try program.ranks(ranks, arguments("learn", epochs: 4, output: "ranks\(ranks)"))
            #expect(shared.status == 0, "\(shared.messages)")
            #expect(shared.output.replacingOccurrences(of: "ranks\(ranks)/", with: "alone/") == alone.output, "said once, with the same scores")
            if ranks > 1 { #expect(shared.messages.contains("\(ranks) ranks on 1 host:\n"), "\(shared.messages)") }
            #expect(try log(program, "ranks\(ranks)") == log(program, "alone"))
            #expect(try prompts(program, "ranks\(ranks)") == prompts(program, "alone"))
        }
    }

    @Test func bridgesAgree() throws {
        let program = try Program.withVideos()
        func losses(_ output: String) throws -> [Float] {
            try log(program, output).compactMap { $0.split(separator: ",").first { $0.hasPrefix("\"loss\":") }.flatMap { Float($0.dropFirst(7)) } }
        }
        #expect(try program.run(arguments("bridge", epochs: 2, output: "alone")).status == 0)
        for ranks in 2...3 {
            let shared = try program.ranks(ranks, arguments("bridge", epochs: 2, output: "ranks\(ranks)"))
            #expect(shared.status == 0, "\(shared.messages)")
            #expect(try losses("ranks\(ranks)").count == 6)
            expectClose(try losses("ranks\(ranks)"), try losses("alone"), tolerance: 1e-5, "losses of \(ranks) ranks")
        }
        let again = try program.ranks(2, arguments("bridge", epochs: 2, output: "again"))
        #expect(again.status == 0)
        #expect(try Digest.ofFile(program.folder.path("again/last.safetensors")) == Digest.ofFile(program.folder.path("ranks2/last.safetensors")))
    }

    /// The others end with it, and the run goes on with one rank more, and with none.
    @Test(arguments: [0, 1])
    func aDeadRankEndsTheRun(_ rank: Int) throws {
        let program = try Program.withVideos()
        #expect(try program.run(arguments("learn", epochs: 60, output: "alone")).status == 0)
        let dead = try program.stopRanks(2, arguments("learn", epochs: 60, output: "dead"), whenThere: "dead/prompts/last.safetensors", signal: SIGKILL, rank: rank)
        #expect(dead.status != 0, "\(dead.messages)")
        #expect(fileExists(program.folder.path("dead/run.json")) && !fileExists(program.folder.path("dead/finished.json")))
        let rest = try rank == 0 ? program.run(["learn", "--resume", "dead"]) : program.ranks(3, ["learn", "--resume", "dead"])
        #expect(rest.status == 0 && rest.messages.contains("Going on after step "), "\(rest.messages)")
        #expect(try log(program, "dead") == log(program, "alone"))
        #expect(try prompts(program, "dead") == prompts(program, "alone"))
    }

    /// To one rank, which tells the others.
    @Test(arguments: [(SIGUSR1, 1), (SIGTERM, 0), (SIGTERM, 1)])
    func signalsStopAllRanksTogether(_ number: Int32, _ rank: Int) throws {
        let program = try Program.withVideos()
        let stopped = try program.stopRanks(
            2, arguments("learn", epochs: 200, output: "stopped"), whenThere: "stopped/prompts/last.safetensors", signal: number, rank: rank)
        #expect(stopped.status == 75 && count("stopped on request after step ", in: stopped.messages) == 1, "\(stopped.messages)")
        let rest = try program.ranks(3, ["learn", "--resume", "stopped"])
        #expect(rest.status == 0 && rest.messages.contains("Going on after step "), "\(rest.messages)")
    }

    /// Before its length, with the same epoch on all ranks.
    @Test func runsEndEarlyTogether() throws {
        let program = try Program.withVideos()
        let early = ["--early-stop", "1", "--learning-rate", "1e-9"]
        let alone = try program.run(arguments("learn", epochs: 40, output: "alone") + early)
        #expect(alone.status == 0 && alone.messages.contains("Ended early, with epoch "), "\(alone.messages)")
        let shared = try program.ranks(3, arguments("learn", epochs: 40, output: "shared") + early)
        #expect(shared.status == 0 && count("Ended early, with epoch ", in: shared.messages) == 1, "\(shared.messages)")
        #expect(try log(program, "shared") == log(program, "alone"))
        #expect(try prompts(program, "shared") == prompts(program, "alone"))
    }

    @Test func errorsAreToldOnce() throws {
        let program = try Program.withVideos()
        let missing = try program.ranks(2, arguments("learn", epochs: 1, output: "x").map { $0 == "list.txt" ? "none.txt" : $0 })
        #expect(missing.status == 66 && count("none.txt: no such file", in: missing.messages) == 1, "\(missing.status) \(missing.messages)")
        let flags = try program.ranks(2, ["learn", "--nonsense"])
        #expect(flags.status == 64 && count("--nonsense", in: flags.messages) == 1, "\(flags.messages)")
        let batches = try program.ranks(2, arguments("learn", epochs: 1, output: "x") + ["--loss", "batch"])
        #expect(batches.status == 64 && count("mpirun cannot go with --loss batch", in: batches.messages) == 1, "\(batches.messages)")
        try program.folder.write("no video", to: "video3.mp4")
        let video = try program.ranks(3, arguments("learn", epochs: 1, output: "video"))
        #expect(video.status == 65 && count("video3.mp4", in: video.messages) == 1, "\(video.status) \(video.messages)")
        let taken = try program.ranks(2, arguments("learn", epochs: 1, output: "video"))
        #expect(count("it holds a run already", in: taken.messages) == 1 && taken.status == 74, "\(taken.status) \(taken.messages)")
        // Left out by all ranks alike.
        let skipping = ["--on-bad-video", "skip"]
        #expect(try program.run(arguments("learn", epochs: 2, output: "alone") + skipping).status == 0)
        let shared = try program.ranks(3, arguments("learn", epochs: 2, output: "shared") + skipping)
        #expect(shared.status == 0 && count("not used: ", in: shared.messages) == 2, "\(shared.messages)")
        #expect(try log(program, "shared") == log(program, "alone"))
        #expect(try prompts(program, "shared") == prompts(program, "alone"))
    }

    @Test func seedsGoOneAfterTheOther() throws {
        let program = try Program.withVideos()
        let shared = try program.ranks(2, arguments("learn", epochs: 2, output: "shared") + ["--seeds", "1,2"])
        #expect(shared.status == 0 && count("mean ± deviation, n = 2", in: shared.output) == 1, "\(shared.messages)")
        #expect(try program.run(arguments("learn", epochs: 2, output: "alone") + ["--seeds", "1,2"]).status == 0)
        #expect(try prompts(program, "shared/seed2") == prompts(program, "alone/seed2"))
    }
}

/// What launchers say, with and without MPI.
@Suite(.serialized, .timeLimit(.minutes(15))) struct RankLaunchTests {
    /// Equal runs that overwrite one another are refused, by the first of them alone.
    @Test(arguments: [("SLURM_NTASKS", "SLURM_PROCID"), ("PMI_SIZE", "PMI_RANK"), ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID")])
    func severalProcessesOfOneRankAreRefused(_ size: String, _ rank: String) throws {
        let program = try Program.withVideos()
        let flags = ["learn", "--train", "list.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--epochs", "1", "--output", "x"]
        let first = try program.run(flags, environment: Program.launcherEnvironment.merging([size: "4", rank: "0"]) { $1 })
        #expect(first.status == 69 && first.messages.contains("\(size)=4 says that 4 processes were started together"), "\(first.messages)")
        let second = try program.run(flags, environment: Program.launcherEnvironment.merging([size: "4", rank: "1"]) { $1 })
        #expect(second.status == 69 && second.messages.isEmpty, "\(second.messages)")
        #expect(!fileExists(program.folder.path("x")))
        let plan = try program.run(["plan"] + flags + ["--no-timing"], environment: [size: "4"])
        #expect(plan.status == 0, "planning is for one: \(plan.messages)")
    }
}

@Suite(.serialized, .timeLimit(.minutes(15))) struct SlurmArrayTests {
    /// The script is whole: the shell reads it, and an element of it runs, goes on, and is summed up.
    @Test func anElementRuns() throws {
        let program = try Program.withVideos()
        let planned = try program.run([
            "plan", "--emit", "slurm-array", "learn", "--train", "list.txt", "--val", "list.txt", "--allow-shared-videos", "--labels", "labels.csv", "--backbone",
            "clip.safetensors", "--frames", "2", "--epochs", "1", "--vision-tokens", "2", "--text-tokens", "2", "--seeds", "3,5", "--vary",
            "shots=1,2", "--vary", "learning-rate=0.01,0.02", "--threads", "1", "--no-timing",
        ])
        #expect(planned.status == 0, "\(planned.messages)")
        try program.folder.write(planned.output, to: "array.sh")
        let lines = planned.output.split(separator: "\n").map(String.init)
        #expect(lines.contains("#SBATCH --array=0-7") && lines.contains("#SBATCH --cpus-per-task=1"))
        #expect(lines.contains { $0.hasPrefix("#SBATCH --mem=") } && !lines.contains { $0.hasPrefix("#SBATCH --time=") })
        try program.folder.write("bash -n array.sh", to: "check.sh")
        #expect(try program.script("check.sh", environment: [:]).status == 0)
        for element in ["3", "2"] {
            let run = try program.script("array.sh", environment: ["SLURM_ARRAY_TASK_ID": element, "SLURM_NTASKS": "1", "PATH": "/usr/bin:/bin"])
            #expect(run.status == 0, "\(run.messages)")
        }
        let folder = "runs/learn-array/shots-1-learning-rate-0.02"
        #expect(fileExists(program.folder.path("\(folder)/seed3/finished.json")) && fileExists(program.folder.path("\(folder)/seed5/finished.json")))
        let again = try program.script("array.sh", environment: ["SLURM_ARRAY_TASK_ID": "3", "PATH": "/usr/bin:/bin"])
        #expect(again.status == 0 && again.messages.contains("there is nothing left to do"), "\(again.messages)")
        let none = try program.script("array.sh", environment: ["SLURM_ARRAY_TASK_ID": "8", "PATH": "/usr/bin:/bin"])
        #expect(none.status == 64)
        let summary = try program("summarize", "runs/learn-array")
        #expect(summary.status == 0 && summary.output.hasPrefix(folder) && summary.output.contains("mean ± deviation, n = 2"), "\(summary.output)")
        #expect(try program("summarize", ".").status == 0)
        #expect(try program("plan", "learn", "--vary", "shots=1").status == 64)
        // No flag of `learn` that is a setting: the array's runs would end with an error, or be planned as one that they are not.
        for vary in ["flip=0,1", "training.epochs=1,2", "memory=1G,2G", "shot=1,2"] {
            let refused = try program("plan", "--emit", "slurm-array", "learn", "--vary", vary, "--no-timing")
            #expect(refused.status == 64 && refused.messages.contains("--vary \(vary.prefix { $0 != "=" })"), "\(refused.messages)")
        }
    }
}
