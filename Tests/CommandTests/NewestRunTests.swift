import Files
import Foundation
import TestSupport
import Testing

/// What commands take where nobody names a model or data, and that they take nothing where somebody names one of them.
@Suite(.serialized) struct NewestRunTests {
    private let program: Program

    init() throws {
        program = try Program.withVideos()
        try program.folder.write("id,name\n0,first\n1,second\n2,third\n3,fourth\n4,fifth\n", to: "others.csv")
        try program.folder.write((5..<9).map { "video\($0).mp4 \($0 % 5)\n" }.joined(), to: "few.txt")
        try learn("val.txt", "labels.csv", to: "runs/learn")
        // Of a name that says nothing, and newer.
        try learn("few.txt", "others.csv", to: "runs/mine")
    }

    private func learn(_ list: String, _ labels: String, to run: String) throws {
        let outcome = try program(
            "learn", "--train", "train.txt", "--val", list, "--labels", labels, "--backbone", "clip.safetensors", "--frames", "2", "--epochs", "1",
            "--set", "training.warmup_epochs=0", "--vision-tokens", "1", "--text-tokens", "1", "--output", run)
        #expect(outcome.status == 0, "\(outcome.messages)")
    }

    private func evaluation(_ folder: String) throws -> [String: Any] {
        let data = try Data(contentsOf: URL(fileURLWithPath: program.folder.path(folder + "/evaluation.json")))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    private func taken(_ words: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
        let outcome = try program.run(words)
        #expect(outcome.status == 0, "\(words): \(outcome.messages)", sourceLocation: sourceLocation)
        let lines = outcome.messages.split(separator: "\n").filter { $0.contains("newest run") }
        #expect(lines.count == 1 && lines[0].contains("runs/mine"), "\(words): \(outcome.messages)", sourceLocation: sourceLocation)
        #expect(!(outcome.messages + outcome.output).contains("pocket"), "\(words)", sourceLocation: sourceLocation)
        return outcome.output
    }

    @Test func allTakeTheSameRunWithItsOwnLists() throws {
        let scored = try taken("eval", "--output", "out")
        #expect(scored.contains("4 videos") && scored.contains("fifth") && !scored.contains("waving"))
        let record = try evaluation("out")
        #expect(record["list"] as? String == "runs/mine/split/val.txt")
        let model = try #require(record["model"] as? [String: Any])
        #expect(model["prompts"] as? String == "runs/mine/prompts/best.safetensors")
        #expect(try taken("predict", "video0.mp4").contains("second"))
        _ = try taken("export", "--output", "copy.safetensors")
        #expect(try Digest.ofFile(program.folder.path("copy.safetensors")) == Digest.ofFile(program.folder.path("runs/mine/prompts/best.safetensors")))
        _ = try taken("viz", "confusion", "-o", "confusion.svg")
        #expect(try String(contentsOfFile: program.folder.path("confusion.svg"), encoding: .utf8).contains("of 4 videos"))
        _ = try taken("viz", "classes", "-o", "classes.svg")
        _ = try taken("viz", "tsne", "-o", "tsne")
        _ = try taken("viz", "attention", "-o", "attention.png")
        let outcome = try program("inspect")
        #expect(outcome.status == 0 && outcome.output.contains("first, second"), "\(outcome.messages)")
        #expect(try program("report", "-o", "page.html").status == 0)
        #expect(try String(contentsOfFile: program.folder.path("page.html"), encoding: .utf8).contains("runs/mine"))
        #expect(try program("thresholds").status == 66, "no evaluation in runs/")
        // Without its prompts, on the backbone that it began with.
        #expect(try program("eval", "--zero-shot", "--output", "zero").status == 0)
        #expect(try evaluation("zero")["list"] as? String == "runs/mine/split/val.txt")
        let setting = try #require(evaluation("zero")["setting"] as? [String: Any])
        #expect(setting["frames"] as? Int == 2, "as the run looked at videos")
    }

    /// A part that is named is not completed from elsewhere.
    @Test(arguments: [
        "eval --backbone clip.safetensors", "eval --zero-shot --backbone clip.safetensors", "eval --val few.txt --labels others.csv",
        "eval --prompts copy.safetensors", "predict video0.mp4 --labels others.csv", "predict video0.mp4 --backbone clip.safetensors",
        "viz tsne --backbone clip.safetensors", "viz tsne --val few.txt --labels others.csv", "viz attention video0.mp4 --labels others.csv",
        "viz attention video0.mp4 --backbone clip.safetensors", "evaluate zero-shot --val few.txt --labels others.csv",
        "evaluate supervised --backbone clip.safetensors", "evaluate retrieval --backbone clip.safetensors",
    ])
    func nothingComesFromElsewhere(_ line: String) throws {
        try FileManager.default.copyItem(
            atPath: program.folder.path("runs/mine/prompts/best.safetensors"), toPath: program.folder.path("copy.safetensors"))
        try SmallModel().backbone.save(to: program.folder.path("runs/backbone.safetensors"))
        let outcome = try program.run(line.split(separator: " ").map(String.init))
        #expect(outcome.status == 64 && outcome.output == "", "\(outcome.messages)")
        #expect(outcome.messages.contains("--") && !outcome.messages.contains("newest run is taken"), "\(outcome.messages)")
        #expect(try directoryEntries(program.folder.path("runs")).sorted() == ["backbone.safetensors", "learn", "mine"])
    }

    /// The lists of the run that a file lies in are not another run's.
    @Test func aFileOfARunBringsItsLists() throws {
        let outcome = try program("eval", "--prompts", "runs/learn/prompts/last.safetensors", "--output", "out")
        #expect(outcome.status == 0 && outcome.output.contains("5 videos") && outcome.output.contains("waving"), "\(outcome.messages)")
        #expect(try evaluation("out")["list"] as? String == "runs/learn/split/val.txt")
        // A run without a test list has none to bring.
        let learned = try program(
            "learn", "--train", "train.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2", "--epochs", "1",
            "--set", "training.warmup_epochs=0", "--vision-tokens", "1", "--text-tokens", "1", "--output", "runs/blind")
        #expect(learned.status == 0)
        let blind = try program("eval")
        #expect(blind.status == 64 && blind.messages.contains("runs/blind: this run has no test list"), "\(blind.messages)")
    }
}
