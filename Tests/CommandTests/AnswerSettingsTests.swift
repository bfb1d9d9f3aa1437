import Files
import Foundation
import Tensors
import TestSupport
import Testing

/// What `predict --output` takes for the same settings, and what it says of others.
@Suite(.serialized, .timeLimit(.minutes(15))) struct AnswerSettingsTests {
    private let program: Program

    init() throws { program = try Program.withVideos() }

    private func predict(_ flags: String...) throws -> Program.Outcome {
        try program.run(
            ["predict", "video1.mp4", "video2.mp4", "--backbone", "clip.safetensors", "--labels", "labels.csv", "--frames", "2", "--output", "out.jsonl"]
                + flags)
    }

    private func log() throws -> String { try String(contentsOfFile: program.folder.path("out.jsonl"), encoding: .utf8) }

    @Test(arguments: [
        (["--top", "3"], "other settings (--top 5, now 3)"),
        (["--set", "model.normalization=imagenet"], "other settings (frames, views, region, preprocessing or seed)"),
        (["--views", "2x1"], "other settings (frames, views, region, preprocessing or seed)"),
        (["--region", "0,0,50%,50%"], "other settings (frames, views, region, preprocessing or seed)"),
        (["--template", "{}"], "other settings (model, prompts, classes or their words)"),
        (["--precision", "bf16"], "other settings (model, prompts, classes or their words)"),
        (["--set", "model.precision=bf16"], "other settings (model, prompts, classes or their words)"),
        (["--threshold", "0.2"], "other settings (--threshold, --reject-label or --none-prompt)"),
        (["--window", "1s"], "other settings (--window, --stride, --smooth or --min-length)"),
    ] as [([String], String)])
    func otherSettingsAreNamed(_ flags: [String], _ words: String) throws {
        #expect(try predict().status == 0)
        let before = try log()
        let other = try program.run(
            ["predict", "video1.mp4", "--backbone", "clip.safetensors", "--labels", "labels.csv", "--frames", "2", "--output", "out.jsonl"] + flags)
        // A processor without these products refuses first, and says so.
        let isComputed = Precision.bfloat16.isAvailable || !flags.joined().contains("bf16")
        #expect(other.status == 78 && other.messages.contains(isComputed ? words : "is not possible"), "\(flags): \(other.messages)")
        #expect(try log() == before)
        #expect(try predict().messages.contains("2 of 2 videos are answered already"))
    }

    /// Random views (`--compat`) are another answer with another seed; without them the seed draws nothing.
    @Test func theSeedCountsWhereItDraws() throws {
        let random = ["--views", "2x1", "--compat", "random-views"]
        func answer(_ flags: [String], seed: Int, to output: String) throws -> Program.Outcome {
            try program.run(
                ["predict", "video1.mp4", "--backbone", "clip.safetensors", "--labels", "labels.csv", "--frames", "2", "--output", output,
                    "--set", "training.seed=\(seed)"] + flags.flatMap { $0 == "--compat" ? ["--set"] : $0 == "random-views" ? ["compat=random-views"] : [$0] })
        }
        #expect(try answer(random, seed: 1, to: "random.jsonl").status == 0)
        let other = try answer(random, seed: 2, to: "random.jsonl")
        #expect(other.status == 78 && other.messages.contains("frames, views, region, preprocessing or seed"), "\(other.messages)")
        #expect(try answer([], seed: 1, to: "fixed.jsonl").status == 0)
        #expect(try answer([], seed: 2, to: "fixed.jsonl").messages.contains("1 of 1 videos are answered already"))
    }

    /// A line of an earlier program cannot be compared.
    @Test func otherFormsAreSaid() throws {
        #expect(try predict().status == 0)
        let old = try log().replacing(#/"settings":"[^"]*"/#, with: "\"settings\":\"0123456789abcdef\"")
        try program.folder.write(old, to: "out.jsonl")
        let other = try predict()
        #expect(other.status == 78 && other.messages.contains("of a program that kept them in another form"), "\(other.messages)")
    }
}
