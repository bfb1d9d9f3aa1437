import CLIPModel
import Files
import Foundation
import Tensors
import TestSupport
import Testing

/// `bridge --tuning lora` and `import --lora`.
@Suite(.serialized) struct LowRankCommandTests {
    private let program: Program
    private static let videos = [
        "--train", "list.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2", "--batch-size", "5",
        "--accumulation-steps", "1", "--threads", "2",
    ]

    init() throws { program = try Program.withVideos() }

    private func bridge(_ more: String..., status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation) throws -> Program.Outcome {
        let outcome = try program.run(["bridge"] + Self.videos + ["--tuning", "lora", "--epochs", "3"] + more, sourceLocation: sourceLocation)
        #expect(outcome.status == status, "\(outcome.messages)", sourceLocation: sourceLocation)
        return outcome
    }

    private func backbone(_ path: String) throws -> Backbone { try Backbone.load(program.folder.path(path)) }

    /// The updates alone, merged into the backbone that they name, are the backbone that the run wrote.
    @Test func updatesMergeIntoTheBackboneOfTheRun() throws {
        let outcome = try bridge("--lora-rank", "3", "--lora-dropout", "0.25", "--output", "run")
        #expect(outcome.output.contains("updates alone: run/lora.safetensors"), "\(outcome.output)")
        let (before, tuned) = (try backbone("clip.safetensors"), try backbone("run/backbone.safetensors"))
        #expect(tuned.digest != before.digest)
        // Nothing but queries, keys and values has changed.
        #expect(tuned.parameters.vision.blocks[0].mlpInput.weight.values == before.parameters.vision.blocks[0].mlpInput.weight.values)
        #expect(tuned.parameters.text.tokenEmbedding.values == before.parameters.text.tokenEmbedding.values)
        let merged = try program("import", "clip.safetensors", "--lora", "run/lora.safetensors", "--output", "merged.safetensors", "--json")
        #expect(merged.status == 0 && merged.output.contains("\"backbone_sha256\" : \"\(tuned.digest)\""), "\(merged.messages)\(merged.output)")
        #expect(try LowRankFile.load(program.folder.path("run/lora.safetensors"), for: before).updates.rank == 3)
        let answer = try program("predict", "video0.mp4", "--backbone", "run/backbone.safetensors", "--labels", "labels.csv", "--json")
        #expect(answer.status == 0, "\(answer.messages)")
        // They belong to one backbone.
        let other = try program("import", "run/backbone.safetensors", "--lora", "run/lora.safetensors", "--output", "twice.safetensors")
        #expect(other.status == 65 && other.messages.contains("run/lora.safetensors") && !fileExists(program.folder.path("twice.safetensors")), "\(other.messages)")
    }

    @Test func stoppedRunsGoOn() throws {
        let words = Self.videos + ["--tuning", "lora", "--epochs", "200"]
        #expect(try program.run(["bridge"] + words + ["--output", "whole"]).status == 0)
        #expect(try program.signal(SIGTERM, whenThere: "stopped/metrics.jsonl", ["bridge"] + words + ["--output", "stopped"]) == 75, "\(program.lastMessages)")
        #expect(try program("bridge", "--resume", "stopped").status == 0)
        for name in ["backbone", "lora"] {
            #expect(try Digest.ofFile(program.folder.path("stopped/\(name).safetensors")) == Digest.ofFile(program.folder.path("whole/\(name).safetensors")), "\(name)")
        }
    }

    @Test func whatHasNoMeaningIsRefused() throws {
        let rank = try program.run(["bridge"] + Self.videos + ["--epochs", "1", "--lora-rank", "4"])
        #expect(rank.status == 64 && rank.messages.contains("--tuning lora"), "\(rank.messages)")
        #expect(try program.run(["bridge"] + Self.videos + ["--lora-rank", "0"]).status == 64)
        #expect(try program.run(["bridge"] + Self.videos + ["--lora-dropout", "0.25"]).status == 64)
        if Precision.bfloat16.obstacle == nil {
            let dropout = try program.run(["bridge"] + Self.videos + ["--tuning", "lora", "--lora-dropout", "0.25", "--precision", "bf16"])
            #expect(dropout.status == 64 && dropout.messages.contains("set --lora-dropout 0"), "\(dropout.messages)")
        }
        let learn = try program.run(["learn"] + Self.videos + ["--method", "lora"])
        #expect(learn.status == 64 && learn.messages.contains("bridge --tuning lora"), "\(learn.messages)")
        let both = try program("import", "clip.safetensors", "--lora", "x", "--clip", "clip.safetensors")
        #expect(both.status == 64 && both.messages.contains("--lora is for one backbone"), "\(both.messages)")
        let none = try program("import", "clip.safetensors", "--lora", "clip.safetensors", "--output", "m.safetensors")
        #expect(none.status == 65 && none.messages.contains("no low-rank updates"), "\(none.messages)")
    }

    /// A plan counts what learns.
    @Test func plansCountTheUpdates() throws {
        let planned = try program.run(["bridge"] + Self.videos + ["--tuning", "lora", "--epochs", "1", "--dry-run", "--no-timing", "--json"])
        #expect(planned.status == 0, "\(planned.messages)")
        let count = LowRankUpdates.parameterCount(rank: 2, architecture: try backbone("clip.safetensors").architecture)
        #expect(planned.output.contains("\"learning_parameters\" : \(count)"), "\(planned.output)")
    }
}
