import Foundation
import TestSupport
import Testing
import vifi_prompt

/// The recipes that come with the program say what the paper's configurations say (methods 1.5).
@Suite struct CatalogueTests {
    private static let folder = fixturePath("../../Recipes/")

    private static func recipe(_ name: String) throws -> Recipe { try Recipe(path: folder + name + ".yaml") }

    /// All recipes there are.
    static var names: [String] {
        (FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? [])
            .filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(".yaml".count)) }.sorted()
    }

    @Test func thereAreRecipes() { #expect(Self.names.count >= Self.rows.count) }

    @Test(arguments: names)
    func everyRecipeReads(_ name: String) throws {
        let recipe = try Self.recipe(name)
        #expect(recipe != Recipe())
        #expect(try Recipe(yaml: recipe.yaml, source: name) == recipe)
    }

    struct Row: Sendable {
        let name: String
        let frames: Int
        let effectiveBatch: Int
        let epochs: Int
        let learningRate: Double
        /// Tokens and depth, of both towers; nil where none are learned.
        var prompts: (tokens: Int, depth: Int)?
    }

    static let rows = [
        Row(name: "zero-shot/bridge-k400", frames: 32, effectiveBatch: 256, epochs: 10, learningRate: 8e-6),
        Row(name: "fully-supervised/bridge-k400", frames: 16, effectiveBatch: 512, epochs: 30, learningRate: 2.2e-5),
        Row(name: "few-shot/fine-tune", frames: 32, effectiveBatch: 64, epochs: 50, learningRate: 2e-6),
        Row(name: "few-shot/prompt", frames: 32, effectiveBatch: 64, epochs: 50, learningRate: 8e-3, prompts: (10, 12)),
        Row(name: "base-to-novel/prompt", frames: 32, effectiveBatch: 64, epochs: 11, learningRate: 4e-2, prompts: (16, 9)),
    ]

    @Test(arguments: rows)
    func recipesFollowThePaper(_ row: Row) throws {
        let recipe = try Self.recipe(row.name)
        #expect(recipe.data.frames == row.frames)
        #expect((recipe.training.batchSize ?? 0) * (recipe.training.accumulationSteps ?? 0) == row.effectiveBatch)
        // Clips are blended four at a time.
        #expect(recipe.training.batchSize == 4)
        #expect(recipe.training.epochs == row.epochs)
        #expect(recipe.training.learningRate == row.learningRate)
        #expect(recipe.training.warmupEpochs == 5)
        #expect(recipe.training.weightDecay == 1e-3)
        #expect(recipe.prompts.visionTokens == row.prompts?.tokens)
        #expect(recipe.prompts.textTokens == row.prompts?.tokens)
        #expect(recipe.prompts.visionDepth == row.prompts?.depth)
        #expect(recipe.prompts.textDepth == row.prompts?.depth)
        #expect(recipe.tuning == (row.prompts == nil ? .both : nil))
    }
}
