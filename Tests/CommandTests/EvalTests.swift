import Foundation
import TestSupport
import Testing

/// `eval` on two copies of a real video, with a model of random numbers.
@Suite(.serialized) struct EvalTests {
    private let program: Program
    private let arguments: [String]

    init() throws {
        program = try Program()
        let paths = try SmallModel().write(to: program)
        let video = try Data(contentsOf: URL(fileURLWithPath: fixturePath("videos/bikes.mp4")))
        for name in ["one.mp4", "two.mp4"] { try program.folder.write([UInt8](video), to: name) }
        try program.folder.write("one.mp4 0\ntwo.mp4 1\n", to: "val.txt")
        try program.folder.write("id,name\n0,waving_hands\n1,jumping\n", to: "labels.csv")
        arguments = ["eval", "--backbone", paths.backbone, "--val", "val.txt", "--labels", "labels.csv", "--frames", "4"]
    }

    /// Probabilities of both videos, as written to predictions.jsonl.
    private func predictions(_ more: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
        let outcome = try program.run(arguments + more + ["--output", "out"], sourceLocation: sourceLocation)
        #expect(outcome.status == 0, "\(outcome.messages)", sourceLocation: sourceLocation)
        return try String(contentsOfFile: program.folder.path("out/predictions.jsonl"), encoding: .utf8)
    }

    @Test func oneViewIsTheDefault() throws {
        let plain = try predictions()
        #expect(try predictions("--views", "1x1") == plain)
        #expect(try predictions("--set", "evaluation.views=1x1") == plain)
        let many = try predictions("--views", "4x3")
        #expect(many != plain)
        #expect(try predictions("--views", "4x3") == many)
        // Both videos are the same, so they are predicted the same unless frames are drawn for each.
        func probabilities(_ text: String) -> [Substring] {
            text.split(separator: "\n").compactMap { $0.split(separator: "\"probabilities\":").last?.split(separator: "]").first }
        }
        #expect(Set(probabilities(many)).count == 1)
        let drawn = try predictions("--views", "4x3", "--compat", "random-views")
        #expect(Set(probabilities(drawn)).count == 2)
        #expect(try predictions("--views", "4x3", "--compat", "random-views") == drawn)
        #expect(try predictions("--compat", "random-views") == plain)
    }

    /// Each of these changes what this model predicts; the others concern training.
    @Test func quirksOfTestsTakeEffect() throws {
        let plain = try predictions()
        for quirk in ["imagenet-normalization", "half-inputs", "kept-underscores", "bare-names"] {
            #expect(try predictions("--compat", quirk) != plain, "\(quirk)")
        }
        let training = "unseen-tail,wrapped-frames,idle-first-step,unshifted-cosine,discarded-leftovers"
        #expect(try predictions("--compat", training) == plain)
        // Without prompts none are rounded.
        #expect(try predictions("--compat", "half-prompts") == plain)
        #expect(try predictions("--prompts", "runs/learn/prompts/best.safetensors", "--compat", "half-prompts") != plain)
        // A template on the command line is meant.
        #expect(
            try predictions("--compat", "bare-names", "--template", "a photo of a {}.") == plain)
    }

    @Test func recipesCarryTheSettings() throws {
        try program.folder.write(
            "data: {val: val.txt, labels: labels.csv, frames: 4}\nevaluation: {views: 2x1}\ncompat: half-inputs\n", to: "test.yaml")
        let outcome = try program("eval", "--recipe", "test.yaml", "--backbone", "runs/bridge/backbone.safetensors", "--json")
        #expect(outcome.status == 0, "\(outcome.messages)")
        for line in ["\"views\" : \"2x1\"", "\"frames\" : 4", "\"compat\" : \"half-inputs\""] {
            #expect(outcome.output.contains(line), "\(outcome.output)")
        }
        let many = try program("eval", "--recipe", "test.yaml", "--views", "64x3", "--frames", "8", "--backbone", "runs/bridge/backbone.safetensors")
        #expect(many.status == 64)
        #expect(many.messages.contains("64x3 views of 8 frames are 1536 frames of each video; at most 1024 are allowed."))
    }

    /// A run's configuration says which faults it repeats.
    @Test func runsRecordTheirQuirks() throws {
        let words = [
            "learn", "--backbone", "runs/bridge/backbone.safetensors", "--train", "val.txt", "--labels", "labels.csv", "--frames", "4",
            "--epochs", "2", "--vision-tokens", "1", "--text-tokens", "1", "--batch-size", "1", "--accumulation-steps", "1",
        ]
        func configuration(_ more: [String], output: String) throws -> String {
            let outcome = try program.run(words + more + ["--output", output])
            #expect(outcome.status == 0, "\(outcome.messages)")
            return try String(contentsOfFile: program.folder.path(output + "/config.yaml"), encoding: .utf8)
        }
        #expect(try configuration([], output: "a").contains("\ncompat: none\n"))
        #expect(try configuration(["--compat", "vifi-clip"], output: "b").contains("\ncompat: vifi-clip\n"))
        #expect(try configuration(["--compat", "half-prompts,unseen-tail"], output: "c").contains("\ncompat: half-prompts,unseen-tail\n"))
        // A step of 16 has no full batch of these two videos.
        let outcome = try program.run(
            words + ["--compat", "discarded-leftovers", "--set", "training.accumulation_steps=16", "--output", "d"])
        #expect(outcome.status == 78 && outcome.messages.contains("with discarded-leftovers no step is left"))
    }
}
