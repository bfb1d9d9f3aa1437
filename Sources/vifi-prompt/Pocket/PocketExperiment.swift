import Files
import Foundation
import Training
import VideoData

/// Measures the pocket world's table by running this program's own commands, one process a run: what
/// it does is what a user would type.
struct PocketExperiment {
    /// Where runs go.
    let folder: String
    let set: PocketDataSet
    /// The bridged CLIP of seed 1; other seeds are bridged here.
    let firstBridged: String

    /// All measures of one seed, told one by one.
    func measure(seed: Int, report: (PocketMeasure, Double) throws -> Void) throws {
        let bridged = seed == 1 ? firstBridged : try bridge(seed: seed)
        try report(.imageZeroShot, zeroShot(BackboneFinder.imageBackbone()))
        try report(.bridgedZeroShot, zeroShot(bridged))
        try report(.prompts2, evaluate(["--backbone", bridged, "--prompts", prompts(shots: 2, seed: seed, bridged: bridged)]))
        try report(.prompts8, evaluate(["--backbone", bridged, "--prompts", prompts(shots: 8, seed: seed, bridged: bridged)]))
        try report(.fineTuned2, evaluate(["--zero-shot", "--backbone", fineTuned(seed: seed, bridged: bridged)]))

        let novel = ["--zero-shot", "--backbone", bridged]
        try report(.bridgedNovel, evaluate(novel, part: .novel))
        let learned = ["--backbone", bridged, "--prompts", try prompts(shots: 2, seed: seed, bridged: bridged, part: .base)]
        try report(.promptsBase, evaluate(learned, part: .base))
        try report(.promptsNovel, evaluate(learned, part: .novel))
        let tuned = ["--zero-shot", "--backbone", try fineTuned(seed: seed, bridged: bridged, part: .base)]
        try report(.fineTunedBase, evaluate(tuned, part: .base))
        try report(.fineTunedNovel, evaluate(tuned, part: .novel))
    }

    /// A backbone's accuracy by class names alone.
    func zeroShot(_ backbone: String) throws -> Double { try evaluate(["--zero-shot", "--backbone", backbone]) }

    private func bridge(seed: Int) throws -> String {
        let output = folder.appendingPath("bridge-seed\(seed)")
        let file = output.appendingPath("last.safetensors")
        if !fileExists(file) { _ = try Self.run(["bridge", "--seed", "\(seed)", "--output", output]) }
        return file
    }

    /// The last prompts, not the best on the test list: nothing is chosen by looking at it.
    private func prompts(shots: Int, seed: Int, bridged: String, part: PocketDataSet.Part? = nil) throws -> String {
        let output = folder.appendingPath("learn-\(part?.rawValue ?? "all")-\(shots)shots-seed\(seed)")
        let file = output.appendingPath("prompts/last.safetensors")
        if !fileExists(file) {
            _ = try Self.run(
                ["learn", "--recipe", "pocket/learn", "--backbone", bridged, "--shots", "\(shots)", "--seed", "\(seed)", "--output", output]
                    + lists(part))
        }
        return file
    }

    private func fineTuned(seed: Int, bridged: String, part: PocketDataSet.Part? = nil) throws -> String {
        let output = folder.appendingPath("fine-tune-\(part?.rawValue ?? "all")-2shots-seed\(seed)")
        let file = output.appendingPath("last.safetensors")
        if !fileExists(file) {
            _ = try Self.run(
                ["bridge", "--recipe", "pocket/fine-tune", "--backbone", bridged, "--shots", "2", "--seed", "\(seed)", "--output", output]
                    + lists(part))
        }
        return file
    }

    private func lists(_ part: PocketDataSet.Part?) -> [String] {
        let files = set.files(of: part)
        return ["--train", files.trainList, "--val", files.testList, "--labels", files.labels]
    }

    /// Top-1 in percent.
    private func evaluate(_ arguments: [String], part: PocketDataSet.Part? = nil) throws -> Double {
        struct Report: Decodable { let top1: Double }
        let files = set.files(of: part)
        let output = try Self.run(
            ["eval", "--json", "--output", folder.appendingPath("demo-eval"), "--val", files.testList, "--labels", files.labels] + arguments)
        return try JSONDecoder().decode(Report.self, from: output).top1
    }

    /// Runs this program; its messages go on to standard error.
    static func run(_ arguments: [String]) throws -> Data {
        Console.note("vifi-prompt " + arguments.joined(separator: " "))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: resolvedPath("/proc/self/exe") ?? "vifi-prompt")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw ExperimentFailure(arguments: arguments, status: process.terminationStatus)
        }
        return output
    }
}

private struct ExperimentFailure: ReportableError {
    let arguments: [String]
    let status: Int32
    var exitStatus: ExitStatus { ExitStatus(rawValue: status) ?? .software }
    var description: String { "`vifi-prompt \(arguments.joined(separator: " "))` ended with status \(status); its message is above." }
}
