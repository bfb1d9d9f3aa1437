import Foundation
import TestSupport
import Testing

/// `--memory` through the real program.
@Suite(.serialized, .timeLimit(.minutes(15))) struct MemoryTests {
    private static let flags = [
        "--train", "list.txt", "--val", "list.txt", "--allow-shared-videos", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "4",
        "--batch-size", "2", "--accumulation-steps", "1", "--epochs", "1",
    ]

    /// The number that the refusal names works, and `plan` says the same.
    @Test(arguments: [("learn", "1"), ("learn", "3"), ("bridge", "2")])
    func theNamedNumberIsEnough(_ command: String, threads: String) throws {
        let program = try Program.withVideos()
        let flags = Self.flags + ["--threads", threads] + (command == "learn" ? ["--vision-tokens", "2", "--text-tokens", "2"] : [])
        let refused = try program.run([command] + flags + ["--memory", "20M", "--output", "refused"])
        #expect(refused.status == 78, "\(refused.messages)")
        let planned = try program.run(["plan", command] + flags + ["--no-timing", "--memory", "20M"])
        #expect(planned.status == 78 && planned.messages == refused.messages, "\(planned.messages)")
        let number = try #require(refused.messages.firstMatch(of: /at least (\d+)M/)?.1)
        let enough = try program.run(["plan", command] + flags + ["--no-timing", "--memory", "\(number)M"])
        #expect(enough.status == 0, "\(enough.messages)")
        let learned = try program.run([command] + flags + ["--memory", "\(number)M", "--output", "learned"])
        #expect(learned.status == 0, "\(learned.messages)")
        // Not far more than is needed.
        let less = (Int(number) ?? 0) * 9 / 10
        #expect(try program.run([command] + flags + ["--memory", "\(less)M", "--output", "less"]).status == 78)
    }
}
