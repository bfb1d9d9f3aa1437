import CLIPModel
import Files
import Foundation
import TestSupport
import Testing

/// `learn --method` and `--regularize` with prompts: what comes out, what is gone on with, what is refused.
@Suite(.serialized) struct PromptMethodCommandTests {
    private let program: Program
    private static let videos = [
        "--train", "list.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2", "--batch-size", "5",
        "--accumulation-steps", "1", "--threads", "1",
    ]

    init() throws { program = try Program.withVideos() }

    private func learn(_ more: String..., status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation) throws -> Program.Outcome {
        let outcome = try program.run(["learn"] + Self.videos + ["--epochs", "3"] + more, sourceLocation: sourceLocation)
        #expect(outcome.status == status, "\(outcome.messages)", sourceLocation: sourceLocation)
        return outcome
    }

    private func prompts(_ run: String) throws -> PromptFile { try PromptFile.load(program.folder.path("\(run)/prompts/last.safetensors")) }

    /// Each method's file is prompts like any others, with the numbers that it brings as far as the towers have layers.
    @Test(arguments: ["coop", "cocoop", "kgcoop", "vpt", "ivlp", "maple", "promptsrc", "pixel"])
    func whatComesOutArePrompts(_ method: String) throws {
        let outcome = try learn("--method", method, "--output", method)
        #expect(outcome.messages.contains("only prompts have changed"))
        let file = try prompts(method)
        #expect(file.header.method == method && file.header.regularizer == (["kgcoop", "promptsrc"].contains(method) ? method : nil))
        let configuration = file.header.configuration
        let expected: (vision: Int, text: Int) = switch method {
        case "coop": (0, 16)
        // The template's bytes before the name.
        case "cocoop": (0, "a photo of a ".utf8.count)
        case "kgcoop": (0, 4)
        case "vpt": (8, 0)
        case "pixel": (0, 0)
        case "promptsrc": (4, 4)
        default: (2, 2)
        }
        #expect(configuration.visionTokens == expected.vision && configuration.textTokens == expected.text)
        if method.hasSuffix("coop") { #expect(configuration.textDepth == 1) }
        let answer = try program("predict", "video0.mp4", "--prompts", method, "--backbone", "clip.safetensors", "--json")
        #expect(answer.status == 0, "\(answer.messages)")
        let told = try program("inspect", "\(method)/prompts/last.safetensors", "--json")
        #expect(told.output.contains("\"method\" : \"\(method)\""), "\(told.output)")
    }

    /// Flags and what stands beside the method in a recipe change its numbers; a recipe below it does not.
    @Test func numbersCanBeChanged() throws {
        try program.folder.write("prompts: {vision_tokens: 5, text_tokens: 3, vision_depth: 1, text_depth: 1}\n", to: "below.yaml")
        try program.folder.write("base: below.yaml\nprompts: {method: maple, text_tokens: 3, vision_tokens: 3}\n", to: "maple.yaml")
        _ = try learn("--recipe", "maple.yaml", "--output", "a")
        #expect(try prompts("a").header.configuration.visionTokens == 3 && prompts("a").header.configuration.visionDepth > 1)
        _ = try learn("--method", "ivlp", "--vision-depth", "1", "--regularize", "kgcoop", "--output", "b")
        #expect(try prompts("b").header.configuration.visionDepth == 1 && prompts("b").header.regularizer == "kgcoop")
        let config = try String(contentsOfFile: program.folder.path("b/config.yaml"), encoding: .utf8)
        #expect(config.contains("method: \"ivlp\"") && config.contains("regularize: \"kgcoop\""), "\(config)")
        _ = try learn("--method", "promptsrc", "--regularize", "none", "--output", "c")
        #expect(try prompts("c").header.regularizer == nil)
        let uneven = try learn("--method", "maple", "--vision-tokens", "4", "--output", "d", status: 78)
        #expect(uneven.messages.contains("the same tokens and depth"), "\(uneven.messages)")
    }

    /// A run that was stopped comes to the same bits, its averages included, and the layers that FROSTER leaves behind.
    @Test(arguments: [["maple", "--regularize", "froster"], ["promptsrc"], ["cocoop"], ["pixel", "--pixel-form", "random-patch"]])
    func stoppedRunsGoOn(_ method: [String]) throws {
        // The text tower runs for each clip.
        let words = Self.videos + ["--method"] + method + ["--epochs", method == ["cocoop"] ? "100" : "300"]
        let whole = try program.run(["learn"] + words + ["--output", "whole"])
        #expect(whole.status == 0, "\(whole.messages)")
        #expect(try program.signal(SIGTERM, whenThere: "stopped/metrics.jsonl", ["learn"] + words + ["--output", "stopped"]) == 75, "\(program.lastMessages)")
        let again = try program.signal(SIGTERM, whenSaid: "Going on after step ", ["learn", "--resume", "stopped"])
        if again == 75 { #expect(try program("learn", "--resume", "stopped").status == 0) } else { #expect(again == 0) }
        func digest(_ run: String) throws -> String { try Digest.ofFile(program.folder.path("\(run)/prompts/last.safetensors")) }
        #expect(try digest("stopped") == digest("whole"))
        if method.contains("froster") { #expect(try prompts("whole").header.regularizer == "froster") }
    }

    /// The teacher's sentences decide the result: other ones are another run.
    @Test func theTeachersSentencesBelongToTheRun() throws {
        try program.folder.write("# mine\n\nsomebody does {}.\n", to: "mine.txt")
        _ = try learn("--method", "kgcoop", "--output", "given")
        _ = try learn("--method", "kgcoop", "--teacher-templates", "mine.txt", "--output", "mine")
        #expect(try prompts("given").prompts.digest != prompts("mine").prompts.digest)
        try program.folder.write("somebody does {}.\nno name here\n", to: "bad.txt")
        let bad = try learn("--method", "kgcoop", "--teacher-templates", "bad.txt", "--output", "bad", status: 65)
        #expect(bad.messages.contains("bad.txt:2: 'no name here' is no template"), "\(bad.messages)")
        try program.folder.write("# nothing\n", to: "empty.txt")
        let empty = try learn("--method", "kgcoop", "--teacher-templates", "empty.txt", "--output", "bad", status: 65)
        #expect(empty.messages.contains("empty.txt: holds no templates"), "\(empty.messages)")
        #expect(!fileExists(program.folder.path("bad")))
    }

    @Test func whatHasNoMeaningIsRefused() throws {
        #expect(try learn("--method", "mapel", status: 64).messages.contains("did you mean \"maple\"?"))
        #expect(try learn("--regularize", "kgcop", status: 64).messages.contains("Did you mean kgcoop?"))
        #expect(try learn("--method", "gda", "--regularize", "kgcoop", status: 64).messages.contains("--regularize is for prompts"))
        #expect(try learn("--teacher-templates", "x.txt", status: 64).messages.contains("--teacher-templates is for --regularize"))
        _ = try learn("--output", "run")
        #expect(try learn("--method", "maple", "--init", "run", status: 64).messages.contains("learns what prompts follow from"))
        try program.folder.write("prompts: {method: coop}\n", to: "coop.yaml")
        let bridge = try program.run(["bridge"] + Self.videos + ["--epochs", "1", "--recipe", "coop.yaml"])
        #expect(bridge.status == 64 && bridge.messages.contains("use `vifi-prompt learn`"), "\(bridge.messages)")
    }

    /// Texts that are others for each video leave no room for what needs the same for all.
    @Test func textsOfEachVideo() throws {
        for (words, said) in [
            (["--fusion", "decision"], "--fusion decision cannot go with --method cocoop"),
            (["--regularize", "kgcoop"], "--regularize kgcoop cannot go with --method cocoop"),
            (["--text-layers", "0-1"], "with other layers than the first cannot go with --method cocoop"),
            (["--name-place", "middle"], "is for methods that learn words of the text tower's input alone: coop, kgcoop"),
        ] {
            let outcome = try program.run(["learn"] + Self.videos + ["--method", "cocoop", "--epochs", "1", "--output", "no"] + words)
            #expect(outcome.status == 64 && outcome.messages.contains(said), "\(words): \(outcome.messages)")
        }
        let outcome = try learn("--method", "cocoop", "--fixed-frames", "--output", "run")
        #expect(outcome.messages.contains("are computed once per clip") && !outcome.messages.contains("steps of text alone"), "\(outcome.messages)")
        for (words, status, said) in [
            (["export", "--to", "classes"], 78 as Int32, "the text tower runs once per video"),
            (["eval", "--test", "val.txt", "--labels", "labels.csv", "--output", "no", "--fusion", "decision"], 64, "which fusion decision leaves out"),
        ] {
            let outcome = try program.run(words + ["--prompts", "run", "--backbone", "clip.safetensors"])
            #expect(outcome.status == status && outcome.messages.contains(said), "\(words): \(outcome.messages)")
        }
        let start = try learn("--init", "run/prompts/last.safetensors", "--output", "no", status: 64)
        #expect(start.messages.contains("holds what --method cocoop learned"), "\(start.messages)")
    }

    /// Words that stand elsewhere, or are others for each class: learned, gone on with, used, and refused where they say nothing.
    @Test func wordsStandElsewhere() throws {
        _ = try learn("--method", "coop", "--text-tokens", "3", "--name-place", "middle", "--output", "middle")
        #expect(try prompts("middle").prompts.words?.places == .context(count: 3, place: .middle, classCount: nil))
        let words = Self.videos + ["--method", "coop", "--text-tokens", "2", "--class-specific", "--name-place", "front", "--epochs", "400"]
        #expect(try program.run(["learn"] + words + ["--output", "whole"]).status == 0, "\(program.lastMessages)")
        #expect(try program.signal(SIGTERM, whenThere: "stopped/metrics.jsonl", ["learn"] + words + ["--output", "stopped"]) == 75, "\(program.lastMessages)")
        #expect(try program("learn", "--resume", "stopped").status == 0, "\(program.lastMessages)")
        #expect(
            try Digest.ofFile(program.folder.path("whole/prompts/last.safetensors"))
                == Digest.ofFile(program.folder.path("stopped/prompts/last.safetensors")))
        let file = try prompts("whole")
        #expect(file.prompts.words?.places == .context(count: 2, place: .front, classCount: 5))
        #expect(file.prompts.words?.table.rowCount == 10)
        // Names in another order keep their own words.
        try program.folder.write("id,name\n0,turning\n1,waving\n", to: "some.csv")
        let few = try program("predict", "video0.mp4", "--prompts", "whole", "--backbone", "clip.safetensors", "--labels", "some.csv", "--json")
        #expect(few.status == 0 && few.output.contains("turning"), "\(few.messages)")
        try program.folder.write("id,name\n0,turning\n1,wavin\n", to: "other.csv")
        let other = try program("predict", "video0.mp4", "--prompts", "whole", "--backbone", "clip.safetensors", "--labels", "other.csv")
        #expect(other.status == 64 && other.messages.contains("none were learned for 'wavin'. Did you mean 'waving'?"), "\(other.messages)")
        #expect(try learn("--name-place", "front", status: 64).messages.contains("is for methods that learn words of the text tower's input alone: coop, kgcoop"))
        #expect(try learn("--method", "maple", "--class-specific", status: 64).messages.contains("--class-specific (prompts.class_specific) is for"))
    }
}
