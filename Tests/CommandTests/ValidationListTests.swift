import CLIPModel
import Files
import Foundation
import TestSupport
import Testing

/// The best epoch is chosen on the validation list; the test list is scored once, with what was chosen, and decides nothing.
@Suite(.serialized) struct ValidationListTests {
    private let program: Program
    private static let videos = ["--train", "train.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2"]
    private static let learning = [
        "--epochs", "6", "--eval-every", "1", "--set", "training.warmup_epochs=0", "--set", "training.batch_size=2", "--learning-rate", "0.02",
    ]
    private static let prompts = ["--vision-tokens", "1", "--text-tokens", "1"]

    init() throws {
        program = try Program.withVideos()
        try program.folder.write((5..<8).map { "video\($0).mp4 \($0 % 5)\n" }.joined(), to: "val.txt")
        try program.folder.write((8..<10).map { "video\($0).mp4 \($0 % 5)\n" }.joined(), to: "test.txt")
    }

    private func run(_ command: String, _ more: [String], sourceLocation: SourceLocation = #_sourceLocation) throws -> Program.Outcome {
        let own = command == "learn" ? Self.prompts : []
        let outcome = try program.run([command] + Self.videos + Self.learning + own + more, sourceLocation: sourceLocation)
        #expect(outcome.status == 0, "\(outcome.messages)", sourceLocation: sourceLocation)
        return outcome
    }

    private func digest(_ path: String) throws -> String { try Digest.ofFile(program.folder.path(path)) }
    /// Of the numbers alone: the files name the recipe, too, which names the lists.
    private func learned(_ path: String) throws -> String {
        let path = program.folder.path(path)
        return try path.contains("prompts/") ? PromptFile.load(path).prompts.digest : Backbone.load(path).digest
    }
    private func text(_ path: String) throws -> String { try String(contentsOfFile: program.folder.path(path), encoding: .utf8) }
    private func result(_ run: String) throws -> [String: Any] {
        let data = try Data(contentsOf: URL(fileURLWithPath: program.folder.path(run + "/finished.json")))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    private static func chosen(_ command: String) -> (best: String, last: String) {
        command == "learn" ? ("prompts/best.safetensors", "prompts/last.safetensors") : ("backbone.safetensors", "last.safetensors")
    }

    @Test(arguments: ["learn", "bridge"])
    func testScoresWhatValidationChose(command: String) throws {
        let files = Self.chosen(command)
        let outcome = try run(command, ["--val", "val.txt", "--test", "test.txt", "--output", "both"])
        #expect(outcome.output.contains("validation top-1 ") && outcome.output.contains("test top-1 "), "\(outcome.output)")
        // The test list changes nothing that is learned or chosen.
        _ = try run(command, ["--val", "val.txt", "--output", "alone"])
        for file in [files.best, files.last] { #expect(try learned("both/" + file) == learned("alone/" + file), "\(file)") }
        #expect(try result("alone")["test"] == nil)
        // The epochs' own log tells which was best on the validation list: of equals the last.
        let rows = try text("both/results.csv").split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
        let column = try #require(rows.first?.firstIndex(of: "val_top1"))
        let accuracies = rows.dropFirst().compactMap { Double($0[column]) }
        let best = try #require(accuracies.max())
        #expect(accuracies.count == 6)
        let scores = try #require(result("both")["best"] as? [String: Any])
        #expect(try abs(#require(scores["top1"] as? Double) - best) < 1e-3)
        if command == "learn" {
            let header = try PromptFile.load(program.folder.path("both/" + files.best)).header
            #expect(header.metrics["epoch"] == Double(1 + (accuracies.lastIndex(of: best) ?? 0)), "\(accuracies)")
        }
        // And the test list's scores are those that `eval` gives the chosen file.
        let model = command == "learn"
            ? ["--prompts", "both/" + files.best, "--backbone", "clip.safetensors"] : ["--zero-shot", "--backbone", "both/" + files.best, "--frames", "2"]
        let scored = try program.run(["eval", "--test", "test.txt", "--labels", "labels.csv", "--output", "eval"] + model)
        #expect(scored.status == 0, "\(scored.messages)")
        let predicted = try text("eval/predictions.jsonl").split(separator: "\n").map { line in
            let entry = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            return try "\(#require(entry["video"] as? String)),\(#require(entry["label"] as? Int)),\(#require(entry["predicted"] as? Int))"
        }
        #expect(try text("both/test-predictions.csv").split(separator: "\n").dropFirst().map(String.init) == predicted)
    }

    @Test func withoutAValidationListTheLastEpochCounts() throws {
        let outcome = try run("learn", ["--test", "test.txt", "--output", "run"])
        #expect(outcome.output.contains("of the last epoch") && !outcome.output.contains("validation"), "\(outcome.output)")
        // Both name the same epoch and hold the same prompts.
        #expect(try digest("run/prompts/best.safetensors") == digest("run/prompts/last.safetensors"))
        #expect(try result("run")["best"] == nil && result("run")["test"] != nil)
    }

    /// Killed after its last step and before the end: what is left is to score.
    @Test func aRunThatHasOnlyToBeScoredIsResumed() throws {
        _ = try run("learn", ["--val", "val.txt", "--test", "test.txt", "--output", "run"])
        let (before, predictions) = (try result("run"), try text("run/test-predictions.csv"))
        let kept = try digest("run/prompts/best.safetensors")
        _ = try run("learn", ["--val", "val.txt", "--test", "test.txt", "--output", "stopped", "--save-every", "0"])
        for file in ["finished.json", "test-predictions.csv"] { try FileManager.default.removeItem(atPath: program.folder.path("stopped/" + file)) }
        let resumed = try program("learn", "--resume", "stopped")
        guard resumed.status == 0 else { return #expect(resumed.messages.contains("checkpoint"), "\(resumed.messages)") }
        let after = try result("stopped")
        #expect(try text("stopped/test-predictions.csv") == predictions && digest("stopped/prompts/best.safetensors") == kept)
        #expect(try #require(after["trainingLoss"] as? Double) == #require(before["trainingLoss"] as? Double))
    }

    @Test func validationAndTestHaveNoVideoInCommon() throws {
        try program.folder.write("video7.mp4 2\nvideo9.mp4 4\n", to: "test.txt")
        let words = ["learn"] + Self.videos + Self.learning + Self.prompts + ["--val", "val.txt", "--test", "test.txt"]
        let refused = try program.run(words + ["--output", "a"])
        #expect(refused.status == 65 && refused.messages.contains("test.txt:1: 'video7.mp4' is also in val.txt:3. "), "\(refused.messages)")
        #expect(!fileExists(program.folder.path("a")))
        #expect(try program.run(words + ["--allow-shared-videos", "--output", "a"]).status == 0)
        let scored = try program.run(["eval", "--val", "val.txt", "--test", "test.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors"])
        #expect(scored.status == 64 && scored.messages.contains("eval scores one list"))
    }
}
