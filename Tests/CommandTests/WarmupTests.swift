import Foundation
import TestSupport
import Testing

/// What becomes of a warm-up in short runs. The rates in metrics.jsonl tell what really ran.
@Suite struct WarmupTests {
    private func learn(_ program: Program, _ arguments: String...) throws -> (status: Int32, messages: String) {
        let result = try program.run(
            [
                "learn", "--train", "list.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2",
                "--batch-size", "2", "--accumulation-steps", "1", "--threads", "1", "--vision-tokens", "1", "--text-tokens", "1",
                "--learning-rate", "1", "--output", "run",
            ] + arguments)
        return (result.status, result.messages)
    }

    /// The steps before the rate that was asked for: 10 clips are 5 steps an epoch.
    private func risingSteps(_ program: Program) throws -> Int {
        struct Line: Decodable { let learning_rate: Double? }
        let text = try String(contentsOfFile: program.folder.path("run/metrics.jsonl"), encoding: .utf8)
        let rates = try text.split(separator: "\n").compactMap { try JSONDecoder().decode(Line.self, from: Data($0.utf8)).learning_rate }
        return rates.firstIndex { $0 >= 1 - 1e-6 } ?? rates.count
    }

    private func configuration(_ program: Program) throws -> String {
        try String(contentsOfFile: program.folder.path("run/config.yaml"), encoding: .utf8)
    }

    @Test func aDefaultIsShortenedAndSaysSo() throws {
        let program = try Program.withVideos()
        let (status, messages) = try learn(program, "--epochs", "4")
        #expect(status == 0, "\(messages)")
        #expect(messages.contains("The warm-up is shortened to 2 epochs"))
        #expect(try configuration(program).contains("warmup_epochs: 2"))
        #expect(try risingSteps(program) == 9)
    }

    @Test func whatIsAskedForIsDone() throws {
        let program = try Program.withVideos()
        let (status, messages) = try learn(program, "--epochs", "4", "--set", "training.warmup_epochs=4")
        #expect(status == 0, "\(messages)")
        #expect(!messages.contains("shortened"))
        #expect(try configuration(program).contains("warmup_epochs: 4"))
        #expect(try risingSteps(program) == 19)
    }

    @Test func aRecipesOwnWarmupIsDone() throws {
        let program = try Program.withVideos()
        try program.folder.write("training: {epochs: 3, warmup_epochs: 2}\n", to: "recipe.yaml")
        let (status, messages) = try learn(program, "--recipe", "recipe.yaml")
        #expect(status == 0, "\(messages)")
        #expect(!messages.contains("shortened"))
        #expect(try risingSteps(program) == 9)
    }

    @Test func aRecipesWarmupGivesWayToAnotherLength() throws {
        let program = try Program.withVideos()
        try program.folder.write("training: {epochs: 30, warmup_epochs: 5}\n", to: "recipe.yaml")
        let (status, messages) = try learn(program, "--recipe", "recipe.yaml", "--epochs", "2")
        #expect(status == 0, "\(messages)")
        #expect(messages.contains("The warm-up is shortened to 1 epoch,"))
        #expect(try configuration(program).contains("warmup_epochs: 1"))
    }

    @Test func whatCannotBeIsRefusedWithTheReason() throws {
        let program = try Program.withVideos()
        let (status, messages) = try learn(program, "--epochs", "3", "--set", "training.warmup_epochs=4")
        #expect(status == 78, "\(messages)")
        #expect(messages.contains("warmup_epochs is 4.0, but the run has 3 epochs"))
        #expect(!FileManager.default.fileExists(atPath: program.folder.path("run")))
    }
}
