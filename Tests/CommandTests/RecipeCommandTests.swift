import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct RecipeCommandTests {
    private let program: Program

    init() throws { program = try Program() }

    @Test func listIsAligned() throws {
        let outcome = try program("recipe", "list")
        #expect(outcome.status == 0 && outcome.messages == "")
        let lines = outcome.output.split(separator: "\n").map(String.init)
        #expect(lines.contains("few-shot/fine-tune            Fine-tune CLIP ViT-B/16 as a whole on 2 to 16 clips a class."))
        #expect(lines == lines.sorted())
        let columns = lines.map { line in line.range(of: "  [^ ]", options: .regularExpression).map { line.distance(from: line.startIndex, to: $0.lowerBound) } }
        #expect(lines.allSatisfy { $0.count > 30 && $0.dropFirst(28).hasPrefix("  ") }, "\(columns)")
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
        #expect(lines.count >= 7 && lines.allSatisfy { $0.hasSuffix(".yaml: fine") })
    }

    @Test func progressIsPlainLinesOffATerminal() throws {
        let outcome = try program("demo", "pretrain", "--steps", "1", "--threads", "2", "--output", "clip.safetensors")
        #expect(outcome.status == 0)
        #expect(outcome.output.hasPrefix("clip.safetensors: ") && outcome.output.hasSuffix("\n"))
        #expect(outcome.messages.hasPrefix("pretrain: 1/1 steps, "))
        #expect(outcome.messages.split(separator: "\n").count == 1)
    }
}
