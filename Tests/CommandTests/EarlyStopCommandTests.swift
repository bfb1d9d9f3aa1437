import Foundation
import TestSupport
import Testing

/// `--early-stop`, on runs that learn next to nothing from clips that stay the same.
@Suite struct EarlyStopCommandTests {
    private let program: Program
    private static let still = [
        "learn", "--train", "train.txt", "--val", "val.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2", "--batch-size", "5",
        "--accumulation-steps", "1", "--fixed-frames", "--learning-rate", "1e-9", "--epochs", "20", "--eval-every", "4", "--threads", "1",
    ]

    init() throws { program = try Program.withVideos() }

    private func run(_ words: [String], status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation) throws -> Program.Outcome {
        let outcome = try program.run(words)
        #expect(outcome.status == status, "\(words): \(outcome.messages)", sourceLocation: sourceLocation)
        return outcome
    }

    /// Five epochs of warm-up, and two in which nothing came of it: the seventh is the last, and is evaluated.
    @Test func aRunEndsEarly() throws {
        let outcome = try run(Self.still + ["--early-stop", "2", "--output", "run"])
        #expect(outcome.messages.contains("Ended early, with epoch 7 of 20: for 2 epochs the smoothed training loss, now "), "\(outcome.messages)")
        #expect(outcome.messages.contains("20 epochs, 20 steps at most"), "\(outcome.messages)")
        let finished = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: program.folder.path("run/finished.json"))))
        let result = try #require(finished as? [String: Any])
        #expect(result["epochs"] as? Int == 7 && result["steps"] as? Int == 7)
        let rows = try String(contentsOfFile: program.folder.path("run/results.csv"), encoding: .utf8).split(separator: "\n").dropFirst()
        #expect(rows.map { $0.prefix { $0 != "," } } == ["4", "7"])
        let whole = try run(Self.still + ["--output", "whole"])
        #expect(!whole.messages.contains("Ended early") && !whole.messages.contains("steps at most"), "\(whole.messages)")
    }

    @Test func plansTellTheMost() throws {
        let plan = try run(["plan"] + Self.still + ["--early-stop", "2"])
        #expect(plan.output.contains("at most, as --early-stop 2 may end it before") && plan.output.contains("in all, at most"), "\(plan.output)")
        #expect(try run(["plan"] + Self.still + ["--early-stop", "2", "--json", "--no-timing"]).output.contains("\"early_stop\" : 2"))
        #expect(try !run(["plan"] + Self.still + ["--json", "--no-timing"]).output.contains("early_stop"))
    }

    @Test func whatHasNoEndIsRefused() throws {
        for (words, status, said) in [
            (["--early-stop", "0"], 64 as Int32, "--early-stop: 0 is out of range; 1 to 100000 is allowed"),
            (["--method", "gda", "--early-stop", "2"], 64, "--early-stop cannot go with --method"),
            (["--method", "promptsrc", "--early-stop", "2"], 64, "--early-stop (training.early_stop) cannot go with --regularize promptsrc"),
        ] {
            // What a head has no use for is left out: it is not what is refused here.
            let source = words.contains("gda") ? Array(Self.still.prefix(11)) : Self.still
            #expect(try run(source + words + ["--output", "no"], status: status).messages.contains(said), "\(words): \(program.lastMessages)")
        }
    }
}
