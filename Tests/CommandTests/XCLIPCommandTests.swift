import CLIPModel
import Files
import Foundation
import TestSupport
import Testing

/// `bridge --method x-clip`: a backbone whose frames see each other is used like any other, written for other programs, and nothing
/// is learned on it that needs frames alone.
@Suite(.serialized) struct XCLIPCommandTests {
    private let program: Program
    private static let bridging = [
        "bridge", "--train", "train.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "3", "--batch-size", "5",
        "--accumulation-steps", "1", "--threads", "1", "--method", "x-clip",
    ]

    init() throws { program = try Program.withVideos() }

    private func run(_ words: [String], status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation) throws -> Program.Outcome {
        let outcome = try program.run(words, sourceLocation: sourceLocation)
        #expect(outcome.status == status, "\(words): \(outcome.messages)", sourceLocation: sourceLocation)
        return outcome
    }

    /// The scores of a video, without the paths that stand beside them.
    private func scores(_ backbone: String, _ more: String...) throws -> String {
        let outcome = try run(["predict", "video7.mp4", "--backbone", backbone, "--labels", "labels.csv", "--json"] + more)
        return String(outcome.output[try #require(outcome.output.range(of: "\"scores\":")).upperBound...])
    }

    @Test func everyFormAnswersAlike() throws {
        _ = try run(Self.bridging + ["--epochs", "4", "--val", "val.txt", "--output", "run"])
        let backbone = try Backbone.load(program.folder.path("run/backbone.safetensors"))
        #expect(backbone.architecture.crossFrame?.frameCount == 3)
        // CLIP's text tower and its temperature are those of before.
        let before = try Backbone.load(program.folder.path("clip.safetensors"))
        #expect(zip(backbone.parameters.text.all, before.parameters.text.all).allSatisfy { $0.values == $1.values })
        #expect(backbone.logitScale == before.logitScale)
        #expect(!zip(backbone.parameters.vision.all, before.parameters.vision.all).contains { $0.values == $1.values && $0.count > 64 })

        let ours = try scores("run/backbone.safetensors")
        _ = try run(["export", "--to", "x-clip", "--backbone", "run/backbone.safetensors", "--output", "there.pth"])
        _ = try run(["export", "--to", "huggingface", "--backbone", "run/backbone.safetensors", "--output", "folder"])
        for (source, copy) in [("there.pth", "a.safetensors"), ("folder", "b.safetensors")] {
            _ = try run(["import", source, "--output", copy])
            let again = try Backbone.load(program.folder.path(copy))
            #expect(again.weightsDigest == backbone.weightsDigest && again.architecture == backbone.architecture)
        }
        // The tokenizer of a small backbone is not CLIP's: only our own file says so.
        #expect(try scores("run/backbone.safetensors", "--frames", "3") == ours)
        let timeline = try run([
            "predict", "video7.mp4", "--backbone", "run/backbone.safetensors", "--labels", "labels.csv", "--window", "1s", "--json",
        ])
        #expect(timeline.output.contains("\"windows\""), "\(timeline.output)")
        _ = try run(["eval", "--backbone", "run/backbone.safetensors", "--test", "val.txt", "--labels", "labels.csv", "--output", "scored"])
        _ = try run([
            "viz", "attention", "video7.mp4", "--backbone", "run/backbone.safetensors", "--labels", "labels.csv", "--output", "map.png",
        ])
        #expect(try run(["inspect", "run/backbone.safetensors"]).output.contains("X-CLIP of 3 frames"))
    }

    @Test func stoppedRunsGoOn() throws {
        let words = Self.bridging + ["--epochs", "60"]
        _ = try run(words + ["--output", "whole"])
        #expect(try program.signal(SIGTERM, whenThere: "stopped/metrics.jsonl", words + ["--output", "stopped"]) == 75, "\(program.lastMessages)")
        _ = try run(["bridge", "--resume", "stopped", "--threads", "2"])
        #expect(try Digest.ofFile(program.folder.path("stopped/last.safetensors")) == Digest.ofFile(program.folder.path("whole/last.safetensors")))
    }

    @Test func whatNeedsFramesAloneIsRefused() throws {
        _ = try run(Self.bridging + ["--epochs", "1", "--output", "run"])
        let xclip = "run/backbone.safetensors"
        let data = ["--train", "train.txt", "--labels", "labels.csv", "--frames", "3"]
        for (words, status, said) in [
            (["learn", "--backbone", xclip] + data, Int32(78), "prompts and heads are learned where each frame is seen alone"),
            (["learn", "--method", "gda", "--backbone", xclip] + data, 78, "prompts and heads are learned"),
            (["bridge", "--backbone", xclip] + data, 78, "is an X-CLIP"),
            (["bridge", "--method", "x-clip", "--backbone", xclip, "--frames", "4", "--train", "train.txt", "--labels", "labels.csv"], 78, "for clips of 3 frames"),
            (["bridge", "--method", "x-clip", "--tuning", "both", "--backbone", xclip] + data, 64, "CLIP's text tower stays as it is"),
            (["bridge", "--method", "x-clip", "--templates", "x.txt", "--backbone", xclip] + data, 64, "it reads class names in one sentence"),
            (["predict", "video7.mp4", "--backbone", xclip, "--labels", "labels.csv", "--frames", "4"], 78, "Pass --frames 3"),
            (["embed", "val.txt", "--labels", "labels.csv", "--backbone", xclip, "--output", "x.npz"], 78, "videos are embedded and searched"),
            (["export", "--to", "x-clip", "--backbone", "clip.safetensors", "--output", "x.pth"], 78, "Take --to huggingface for it"),
            (["export", "--to", "x-clip", "--prompts", "x", "--output", "x.pth"], 64, "prompts stay apart from it"),
        ] {
            let outcome = try run(words, status: status)
            #expect(outcome.messages.contains(said), "\(words): \(outcome.messages)")
        }
        // An X-CLIP goes on from where it is.
        let words = Self.bridging.map { $0 == "clip.safetensors" ? xclip : $0 }
        _ = try run(words + ["--epochs", "1", "--output", "further"])
    }
}
