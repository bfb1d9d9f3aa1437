import Foundation
import Tensors
import TestSupport
import Testing

/// What `--precision` says and refuses. oneDNN can be told to hide what the processor can do.
@Suite(.serialized) struct PrecisionCommandTests {
    private static let hidden = ["ONEDNN_MAX_CPU_ISA": "AVX512_CORE"]
    private static func reason(_ instruction: String) -> String {
        Precision.oneDNNVersion == nil ? "this program was built without oneDNN." : "this processor lacks \(instruction)."
    }

    /// Refused by name before anything is made, not emulated.
    @Test(arguments: [["learn", "--precision", "bf16"], ["bridge", "--set", "model.precision=bf16"]])
    func bfloat16IsRefusedWhereItIsMissing(arguments: [String]) throws {
        let program = try Program()
        let outcome = try program.run(arguments, environment: Self.hidden)
        #expect(outcome.status == 78)
        #expect(
            outcome.messages.hasPrefix("vifi-prompt: error: --precision bf16 is not possible: \(Self.reason("AVX512_BF16"))"),
            "\(outcome.messages)")
        #expect(outcome.output == "")
    }

    @Test(arguments: [["bench", "predict", "--precision", "int8"], ["learn", "--method", "cosine-mean", "--precision", "int8"]])
    func int8IsRefusedWhereItIsMissing(arguments: [String]) throws {
        let outcome = try Program().run(arguments, environment: Self.hidden)
        #expect(outcome.status == 78)
        #expect(
            outcome.messages.hasPrefix("vifi-prompt: error: --precision int8 is not possible: \(Self.reason("AVX512_VNNI"))"),
            "\(outcome.messages)")
        #expect(outcome.output == "")
    }

    /// What goes back needs gradients. Refused with what would do, whatever the way in which it was asked for.
    @Test(
        .enabled(if: Precision.int8.isAvailable, "int8 products are not available on this machine"),
        arguments: [
            (["learn", "--shots", "1", "--precision", "int8"], "learning prompts"),
            (["learn", "--set", "model.precision=int8"], "learning prompts"),
            (["plan", "bridge", "--precision", "int8"], "fine-tuning a backbone"),
            (["bench", "bridge", "--precision", "int8"], "a step that learns"),
        ])
    func int8IsRefusedWhereGradientsAreNeeded(arguments: [String], purpose: String) throws {
        let program = try Program.withVideos()
        let named = arguments[0] == "bench"
            ? [] : ["--train", "train.txt", "--val", "val.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2"]
        let outcome = try program.run(arguments + named)
        #expect(outcome.status == 78)
        #expect(
            outcome.messages.contains(
                "vifi-prompt: error: --precision int8 is not possible: \(purpose) needs gradients, and int8 is for the way forward alone. "
                    + "Use bf16 or fp32 here; int8 serves `predict`, `evaluate` and `learn --method`."),
            "\(outcome.messages)")
        #expect(outcome.output == "")
    }

    @Test func autoFallsBackAndSaysSo() throws {
        let program = try Program()
        let files = try SmallModel().write(to: program)
        let outcome = try program.run(
            ["predict", "none.mp4", "--prompts", files.prompts, "--backbone", files.backbone, "--precision", "auto"],
            environment: Self.hidden)
        #expect(outcome.messages.contains("Products in float32: \(Self.reason("AVX512_BF16"))\n"), "\(outcome.messages)")
        #expect(outcome.status == 66)
    }

    @Test(.enabled(if: Precision.bfloat16.isAvailable, "bfloat16 products are not available on this machine"))
    func bfloat16IsNamedWhereItIsUsed() throws {
        let program = try Program()
        let files = try SmallModel().write(to: program)
        for choice in ["bf16", "auto"] {
            let outcome = try program.run(
                ["predict", "none.mp4", "--prompts", files.prompts, "--backbone", files.backbone, "--precision", choice])
            #expect(outcome.messages.contains("Products in bfloat16 (oneDNN "), "\(outcome.messages)")
        }
    }

    /// Scores in int8 are near those in float32 and not the same; the record says which they are.
    @Test(.enabled(if: Precision.int8.isAvailable, "int8 products are not available on this machine"))
    func int8ScoresVideos() throws {
        let program = try Program.withVideos()
        let flags = ["evaluate", "list", "--val", "val.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2"]
        let full = try program.run(flags + ["--output", "full"])
        let bytes = try program.run(flags + ["--precision", "int8", "--output", "bytes"])
        #expect(full.status == 0 && bytes.status == 0, "\(bytes.messages)")
        #expect(bytes.messages.contains("The vision tower's products in int8 (oneDNN "), "\(bytes.messages)")
        let record = try String(contentsOfFile: program.folder.path("bytes/evaluation.json"), encoding: .utf8)
        #expect(record.contains("\"precision\" : \"int8\"") || record.contains("\"precision\":\"int8\""), "\(record)")
        let (fullScores, byteScores) = (try scores(program, "full"), try scores(program, "bytes"))
        #expect(fullScores != byteScores && fullScores.count == byteScores.count)
        for (one, other) in zip(fullScores, byteScores) { #expect(abs(one - other) < 0.1) }
    }

    private func scores(_ program: Program, _ folder: String) throws -> [Double] {
        let text = try String(contentsOfFile: program.folder.path("\(folder)/predictions.jsonl"), encoding: .utf8)
        return try text.split(separator: "\n").flatMap { line -> [Double] in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return try #require(object?["probabilities"] as? [Double])
        }
    }

    /// Features in int8 are not taken for those in float32.
    @Test(.enabled(if: Precision.int8.isAvailable, "int8 products are not available on this machine"))
    func featuresAreKeptByPrecision() throws {
        var program = try Program.withVideos()
        program.videos = program.folder.path("data")
        let flags = [
            "learn", "--method", "cosine-mean", "--train", "train.txt", "--val", "val.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors",
            "--frames", "2",
        ]
        for (precision, isCached) in [("fp32", false), ("int8", false), ("int8", true)] {
            let outcome = try program.run(flags + ["--precision", precision, "--output", "\(precision)-\(isCached)"])
            #expect(outcome.status == 0, "\(outcome.messages)")
            #expect(outcome.messages.contains("features: ") != isCached, "\(outcome.messages)")
        }
        let spaces = try program.run(["cache", "list"]).output
        #expect(spaces.contains("fp32") && spaces.contains("int8"), "\(spaces)")
    }
}
