import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct RecipeCommandTests {
    private let program: Program

    init() throws { program = try Program() }

    @Test func listIsAligned() throws {
        let outcome = try program("recipe", "list")
        #expect(outcome.status == 0 && outcome.messages == "")
        let groups = outcome.output.components(separatedBy: "\n\n").map { $0.split(separator: "\n").map(String.init) }
        let lines = groups.flatMap { $0 }
        #expect(
            lines.contains("few-shot/fine-tune                  Fine-tune CLIP as a whole on a few clips of each class of your own videos."))
        #expect(lines.allSatisfy { $0.count > 36 && $0.dropFirst(34).hasPrefix("  ") })
        // A group a folder, and numbers in their order.
        #expect(groups.allSatisfy { Set($0.map { $0.prefix { $0 != "/" } }).count == 1 })
        #expect(groups.map { $0[0].prefix { $0 != "/" } } == ["ablations", "base-to-novel", "few-shot", "fully-supervised", "pocket", "zero-shot"])
        let shots = lines.filter { $0.hasPrefix("few-shot/ssv2-") && $0.contains("-prompt ") }.map { $0.dropFirst(14).prefix { $0 != "s" } }
        #expect(shots == ["2", "4", "8", "16"])
    }

    @Test func listCanBeNarrowed() throws {
        let outcome = try program("recipe", "list", "HMDB51", "16shot")
        #expect(outcome.output.split(separator: "\n").map { $0.prefix { $0 != " " } } == ["few-shot/hmdb51-16shot-fine-tune", "few-shot/hmdb51-16shot-prompt"])
        let none = try program("recipe", "list", "hmdb52")
        #expect(none.status == 66 && none.output == "")
        #expect(none.messages.hasPrefix("vifi-prompt: error: no recipe has \"hmdb52\" in its name or title."))
    }

    @Test func defaultsCanBeFilledIn() throws {
        try program.folder.write("prompts: {vision_depth: 3}\n", to: "mine.yaml")
        let plain = try program("recipe", "show", "mine.yaml")
        #expect(plain.output == "prompts:\n  vision_depth: 3\n")
        let resolved = try program("recipe", "show", "mine.yaml", "--resolved")
        for line in ["  vision_depth: 3", "  text_depth: 12", "  learning_rate: 0.008", "compat: none"] {
            #expect(resolved.output.split(separator: "\n").map(String.init).contains(line))
        }
        try program.folder.write(resolved.output, to: "whole.yaml")
        #expect(try program("recipe", "show", "whole.yaml", "--resolved").output == resolved.output)
    }

    @Test func configurationsAreImported() throws {
        try program.folder.write("TRAIN: {LR: 8.e-03, BATCH_SIZE: 4}\nPRINT_FREQ: 50\n", to: "reference.yaml")
        let shown = try program("recipe", "import", "reference.yaml", "--gpus", "2")
        #expect(shown.status == 0 && shown.messages == "not taken over: PRINT_FREQ: progress is shown by time\n")
        #expect(shown.output.hasPrefix("# reference.yaml, a configuration of ViFi-CLIP.\n"))
        #expect(shown.output.contains("# Effective batch: 4 × 2 = 8 for 2 devices.\n"))
        let written = try program("recipe", "import", "reference.yaml", "--gpus", "2", "-o", "mine.yaml")
        #expect(written.output == "mine.yaml\n")
        #expect(try program("recipe", "check", "mine.yaml").output == "mine.yaml: fine\n")
        // What is printed and what is written are the same.
        let text = try String(contentsOfFile: program.folder.path("mine.yaml"), encoding: .utf8)
        #expect(text == shown.output)
        let again = try program("recipe", "import", "reference.yaml", "-o", "mine.yaml")
        #expect(again.status == 74 && again.messages.contains("mine.yaml: already exists."))
        #expect(try String(contentsOfFile: program.folder.path("mine.yaml"), encoding: .utf8) == text)
    }

    @Test func shownRecipesAreRecipes() throws {
        let shown = try program("recipe", "show", "base-to-novel/prompt", "--set", "training.epochs=3")
        #expect(shown.status == 0)
        #expect(shown.messages == "Recipe: \(packageRoot)/Recipes/base-to-novel/prompt.yaml\n")
        // Its own, its base's and the flag's.
        for line in ["  vision_tokens: 16", "  frames: 32", "  epochs: 3"] {
            #expect(shown.output.split(separator: "\n").map(String.init).contains(line))
        }
        try program.folder.write(shown.output, to: "mine.yaml")
        let again = try program("recipe", "show", "mine.yaml")
        #expect(again.output == shown.output)
        #expect(again.messages == "Recipe: mine.yaml\n")
    }

    @Test func allThatComeWithTheProgramAreFine() throws {
        let outcome = try program("recipe", "check")
        #expect(outcome.status == 0 && outcome.messages == "")
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.count >= 47 && lines.allSatisfy { $0.hasSuffix(".yaml: fine") })
    }

    @Test func progressIsPlainLinesOffATerminal() throws {
        let outcome = try program("demo", "pretrain", "--steps", "1", "--threads", "2", "--output", "clip.safetensors")
        #expect(outcome.status == 0)
        #expect(outcome.output.hasPrefix("clip.safetensors: ") && outcome.output.hasSuffix("\n"))
        #expect(outcome.messages.hasPrefix("pretrain: 1/1 steps, "))
        #expect(outcome.messages.split(separator: "\n").count == 1)
    }
}
