import CLIPModel
import Files
import Foundation
import TestSupport
import Testing

/// `--descriptions`: sentences in place of class names.
@Suite struct DescriptionCommandTests {
    private let program: Program
    private static let names = ["waving", "clapping", "jumping", "sitting", "turning"]
    private static let test = ["--test", "list.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2"]

    init() throws {
        program = try Program.withVideos()
        func json(_ sentences: (String) -> [String]) throws -> String {
            let classes = Dictionary(uniqueKeysWithValues: Self.names.map { ($0, sentences($0)) })
            return String(decoding: try JSONSerialization.data(withJSONObject: classes), as: UTF8.self)
        }
        try program.folder.write(try json { ["a photo of a \($0)."] }, to: "one.json")
        try program.folder.write(Self.names.map { "\($0):\n  - a photo of a \($0).\n" }.joined(), to: "one.yaml")
        try program.folder.write(try json { ["someone is \($0)", "a film of \($0)", "\($0) outdoors"] }, to: "three.json")
    }

    private func predictions(_ flags: String..., output: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> [[String: Any]] {
        let outcome = try program.run(["eval"] + Self.test + flags + ["--output", output])
        #expect(outcome.status == 0, "\(outcome.messages)", sourceLocation: sourceLocation)
        return try String(contentsOfFile: program.folder.path("\(output)/predictions.jsonl"), encoding: .utf8).split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    /// A mean of one vector differs from it by rounding.
    private func same(_ left: Any, _ right: Any) -> Bool {
        switch (left, right) {
        case (let left as NSNumber, let right as NSNumber): abs(left.doubleValue - right.doubleValue) < 1e-5
        case (let left as [Any], let right as [Any]): left.count == right.count && zip(left, right).allSatisfy { same($0, $1) }
        case (let left as [String: Any], let right as [String: Any]):
            left.count == right.count && left.allSatisfy { key, value in right[key].map { same(value, $0) } ?? false }
        case (let left as String, let right as String): left == right
        default: false
        }
    }

    /// One description that spells the template is the template, in either form of the file.
    @Test func oneDescriptionIsATemplate() throws {
        let names = try predictions("--template", "a photo of a {}.", output: "names")
        #expect(same(try predictions("--descriptions", "one.json", output: "json"), names))
        #expect(same(try predictions("--descriptions", "one.yaml", output: "yaml"), names))
        let three = try predictions("--descriptions", "three.json", output: "three")
        #expect(!same(three, names))
        let matched = try predictions("--descriptions", "three.json", "--match", "transport", output: "transport")
        #expect(!same(matched, three) && matched.count == 10)
        let both = try predictions("--descriptions", "three.json", "--descriptions", "one.json", "--match", "transport", output: "both")
        #expect(!same(both, matched))
        let answer = try program("predict", "video0.mp4", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--descriptions", "three.json", "--json")
        #expect(answer.status == 0 && answer.output.contains("\"class\""), "\(answer.messages)")
    }

    /// Prompts of both towers learn with descriptions, are scored with them at the end of the run, and say so to whoever uses them
    /// without.
    @Test func promptsLearnWithDescriptions() throws {
        func run(_ words: String..., status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation) throws -> Program.Outcome {
            let outcome = try program.run(words)
            #expect(outcome.status == status, "\(outcome.messages)", sourceLocation: sourceLocation)
            return outcome
        }
        let source = [
            "--train", "train.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2", "--batch-size", "5",
            "--accumulation-steps", "1", "--epochs", "2", "--threads", "1",
        ]
        func learn(_ words: String..., status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation) throws -> Program.Outcome {
            let outcome = try program.run(["learn"] + source + words)
            #expect(outcome.status == status, "\(outcome.messages)", sourceLocation: sourceLocation)
            return outcome
        }
        _ = try learn("--descriptions", "three.json", "--test", "val.txt", "--output", "described")
        let file = try PromptFile.load(program.folder.path("described/prompts/last.safetensors"))
        #expect(file.header.descriptionsDigest != nil && file.header.configuration.learnsText)
        let scored = try run(
            "eval", "--prompts", "described", "--test", "val.txt", "--labels", "labels.csv", "--backbone",
            "clip.safetensors", "--descriptions", "three.json", "--output", "scored")
        #expect(!scored.messages.contains("was learned with descriptions"))
        func rows(_ path: String) throws -> [Substring] { try String(contentsOfFile: program.folder.path(path), encoding: .utf8).split(separator: "\n") }
        let answers = try rows("scored/predictions.jsonl").map { line in
            let entry = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            return try "\(#require(entry["video"] as? String)),\(#require(entry["label"] as? Int)),\(#require(entry["predicted"] as? Int))"
        }
        #expect(try rows("described/test-predictions.csv").dropFirst().map(String.init) == answers)
        let named = try run("predict", "video0.mp4", "--prompts", "described", "--backbone", "clip.safetensors", "--json")
        #expect(named.messages.contains("was learned with descriptions of the classes, here it reads their names"), "\(named.messages)")

        _ = try learn("--descriptions", "three.json", "--match", "transport", "--output", "matched")
        let matched = try PromptFile.load(program.folder.path("matched/prompts/last.safetensors"))
        #expect(matched.header.descriptionMatch == "transport" && matched.prompts.digest != file.prompts.digest)
        try program.folder.write(#"{"waving": ["x"]}"#, to: "few.json")
        #expect(try learn("--descriptions", "few.json", "--output", "no", status: 65).messages.contains("no descriptions of clapping"))
        for (words, said) in [
            (["--method", "cocoop"], "--descriptions cannot go with --method cocoop"),
            (["--method", "coop", "--class-specific"], "--descriptions cannot go with --class-specific"),
            (["--method", "gda"], "--descriptions is for prompts"),
            (["--match", "transport", "--fusion", "decision"], "--match transport cannot go with --fusion decision"),
            (["--match", "transport", "--regularize", "froster"], "--match transport cannot go with --regularize froster"),
        ] {
            let outcome = try program.run(["learn"] + source + ["--descriptions", "three.json", "--output", "no"] + words)
            #expect(outcome.status == 64 && outcome.messages.contains(said), "\(words): \(outcome.messages)")
        }
    }

    /// Clips that are compared with the classes of their batch, stopped and gone on with, by one thread and by two; and what cannot be
    /// compared so.
    @Test func batchesAreCompared() throws {
        let source = [
            "learn", "--train", "list.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2", "--loss", "batch",
        ]
        let transport = ["--descriptions", "three.json", "--match", "transport", "--batch-size", "4", "--accumulation-steps", "2"]
        func learn(_ words: [String], status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation) throws -> Program.Outcome {
            let outcome = try program.run(source + words)
            #expect(outcome.status == status, "\(words): \(outcome.messages)", sourceLocation: sourceLocation)
            return outcome
        }
        func digest(_ run: String) throws -> String { try Digest.ofFile(program.folder.path("\(run)/prompts/last.safetensors")) }
        let long = source + transport + ["--epochs", "150"]
        #expect(try program.run(long + ["--threads", "1", "--output", "whole"]).status == 0, "\(program.lastMessages)")
        #expect(
            try program.signal(SIGTERM, whenThere: "stopped/metrics.jsonl", long + ["--threads", "2", "--output", "stopped"]) == 75,
            "\(program.lastMessages)")
        #expect(try program("learn", "--resume", "stopped").status == 0, "\(program.lastMessages)")
        #expect(try digest("stopped") == digest("whole"))
        let file = try PromptFile.load(program.folder.path("whole/prompts/last.safetensors"))
        #expect(file.header.descriptionMatch == "transport")

        // Without a word about batches all clips of a step are one; no clip is blended with another.
        _ = try learn(["--epochs", "1", "--output", "names"])
        let config = try String(contentsOfFile: program.folder.path("names/config.yaml"), encoding: .utf8)
        for line in ["loss: batch", "batch_size: 64", "accumulation_steps: 1", "mixup: 0", "cutmix: 0", "label_smoothing: 0"] {
            #expect(config.contains(line), "\(line) in \(config)")
        }
        _ = try learn(["--epochs", "1", "--quick", "--descriptions", "three.json", "--output", "quick"])
        let planned = try program.run(["plan"] + source + transport + ["--epochs", "1"])
        #expect(planned.status == 0, "\(planned.messages)")
        for (words, said) in [
            (["--method", "cocoop"], "--method cocoop cannot go with --loss batch"), (["--method", "a5"], "--method a5 cannot go with --loss batch"),
            (["--regularize", "kgcoop"], "--regularize kgcoop cannot go with --loss batch"),
            (["--fusion", "image"], "--fusion image cannot go with --loss batch"),
            (["--backward-frames", "1"], "--backward-frames cannot go with --loss batch"),
            (["--set", "augmentation.mixup=0.8"], "augmentation.mixup, cutmix or label_smoothing cannot go with --loss batch"),
            (["--method", "gda"], "--loss batch"),
        ] {
            #expect(try learn(words + ["--epochs", "1", "--output", "no"], status: 64).messages.contains(said), "\(words): \(program.lastMessages)")
        }
        let bridge = try program.run(["bridge"] + source.dropFirst() + ["--epochs", "1", "--output", "no"])
        #expect(bridge.status == 64 && bridge.messages.contains("--loss batch (training.loss) is for learning prompts"), "\(bridge.messages)")
        let captions = try program("learn", "--captions", "pocket", "--loss", "batch", "--output", "no")
        #expect(captions.status == 64 && captions.messages.contains("--loss batch cannot go with --captions"), "\(captions.messages)")
    }

    @Test func whatIsWrongIsNamed() throws {
        func fails(_ flags: String..., status: Int32, _ words: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
            let outcome = try program.run(["eval"] + Self.test + flags + ["--output", "no"])
            #expect(outcome.status == status && outcome.messages.contains(words), "\(outcome.messages)", sourceLocation: sourceLocation)
        }
        try program.folder.write(#"{"waving": ["x"], "claping": ["y"]}"#, to: "some.json")
        try fails("--descriptions", "some.json", status: 65, "no descriptions of clapping, jumping, sitting, turning; the nearest name is \"claping\"")
        try program.folder.write(#"{"waving": "x"}"#, to: "text.json")
        try fails("--descriptions", "text.json", status: 65, "\"waving\" needs a list of sentences")
        try program.folder.write("- waving\n", to: "list.yaml")
        try fails("--descriptions", "list.yaml", status: 65, "no classes with descriptions")
        try fails("--descriptions", "gone.json", status: 66, "gone.json")
        try fails("--match", "mean", status: 64, "--match is for --descriptions")
        try fails("--descriptions", "one.json", "--names-only", status: 64, "exclude each other")
        let none = try program(
            "predict", "video0.mp4", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--descriptions", "one.json", "--none-prompt", "nothing")
        #expect(none.status == 64 && none.messages.contains("--none-prompt"), "\(none.messages)")
        _ = try program("learn", "--method", "rocchio", "--train", "list.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2", "--output", "head")
        let head = try program("eval", "--prompts", "head", "--test", "list.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--descriptions", "one.json")
        #expect(head.status == 64 && head.messages.contains("a head, which knows its classes"), "\(head.messages)")
    }
}
