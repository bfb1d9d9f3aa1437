import Files
import Foundation
import TestSupport
import Testing

/// Prompts that begin late and fixed frames in runs of the real program, without a recipe: over the defaults, which
/// name depths.
@Suite(.serialized, .timeLimit(.minutes(15))) struct LateRunTests {
    private let program: Program

    init() throws { program = try .withVideos() }

    private static let videos = ["--train", "list.txt", "--val", "list.txt", "--allow-shared-videos", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2"]
    private static let steps = ["--batch-size", "2", "--accumulation-steps", "1", "--vision-tokens", "2", "--threads", "1"]
    private static let quick = ["--quick", "--batch-size", "2", "--accumulation-steps", "1", "--text-tokens", "2", "--threads", "1"]

    private func learn(_ flags: [String], to output: String, epochs: Int = 2, sourceLocation: SourceLocation = #_sourceLocation) throws -> Program.Outcome {
        let outcome = try program.run(["learn"] + Self.videos + flags + ["--epochs", "\(epochs)", "--output", output])
        #expect(outcome.status == 0, "\(outcome.messages)", sourceLocation: sourceLocation)
        return outcome
    }

    private func digest(_ output: String) throws -> String { try Digest.ofFile(program.folder.path(output + "/prompts/last.safetensors")) }

    @Test(arguments: [
        ["--vision-layers", "1", "--text-layers", "1"], ["--vision-layers", "1"], ["--text-layers", "1"],
        ["--vision-layers", "1", "--text-layers", "none"],
        ["--vision-layers", "1", "--fixed-frames", "--memory", "400M"],
    ])
    func layersGoOverTheDefaultDepths(_ flags: [String]) throws {
        _ = try learn(Self.steps + flags + (flags.contains("none") ? [] : ["--text-tokens", "2"]), to: "late")
        let prompts = ["--prompts", "late/prompts/last.safetensors", "--backbone", "clip.safetensors"]
        let scored = try program.run(["eval"] + prompts + ["--val", "list.txt", "--labels", "labels.csv", "--output", "e"])
        #expect(scored.status == 0, "\(scored.messages)")
        for command in [["inspect", "late/prompts/last.safetensors"], ["predict", "video0.mp4"] + prompts] {
            let outcome = try program.run(command)
            #expect(outcome.status == 0, "\(command): \(outcome.messages)")
        }
    }

    @Test func quickRunsOfSeveralSeedsGoOn() throws {
        let flags = Self.quick + ["--seeds", "1,2", "--shots", "1"]
        _ = try learn(flags, to: "whole", epochs: 300)
        let start = ["learn"] + Self.videos + flags + ["--epochs", "300", "--output", "stopped"]
        let status = try program.signal(SIGTERM, whenThere: "stopped/seed1/metrics.jsonl", start)
        #expect(status == 75, "\(program.lastMessages)")
        let rest = try program.run(["learn", "--resume", "stopped"])
        #expect(rest.status == 0, "\(rest.messages)")
        for seed in ["seed1", "seed2"] { #expect(try digest("stopped/" + seed) == digest("whole/" + seed)) }
    }

    /// Layers below the first text prompts read the template that these were learned above, also for captions.
    @Test func anotherTemplateIsNotTakenBelowLatePrompts() throws {
        _ = try learn(Self.steps + ["--text-tokens", "2", "--text-layers", "1"], to: "late")
        try program.folder.write("video,caption\nvideo0.mp4,first\nvideo1.mp4,second\n", to: "captions.csv")
        let words = ["retrieval", "--captions", "captions.csv", "--prompts", "late/prompts/last.safetensors", "--backbone", "clip.safetensors", "--json"]
        let plain = try program.run(["evaluate"] + words)
        let other = try program.run(["evaluate"] + words + ["--template", "look {}"])
        #expect(plain.status == 0 && other.status == 0, "\(other.messages)")
        #expect(other.messages.contains("these are used, no other template"), "\(other.messages)")
        #expect(plain.output == other.output)
    }
}
