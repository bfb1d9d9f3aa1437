import CLIPModel
import Foundation
import TestSupport
import Testing
import Recipes

/// The recipes that come with the program say what the paper's configurations say (methods 1.5).
@Suite struct CatalogTests {
    private static let folder = fixturePath("../../Recipes/")

    private static func recipe(_ name: String) throws -> Recipe { try Recipe(path: folder + name + ".yaml") }

    /// All recipes there are.
    static var names: [String] {
        (FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? [])
            .filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(".yaml".count)) }.sorted()
    }

    @Test func thereAreRecipes() { #expect(Self.names.count >= Self.rows.count) }

    /// But for grids of methods, which have no settings of their own.
    @Test(arguments: names.filter { !$0.hasSuffix("ablations/methods") })
    func everyRecipeReads(_ name: String) throws {
        let recipe = try Self.recipe(name)
        #expect(recipe != Recipe())
        #expect(try Recipe(yaml: recipe.yaml, source: name) == recipe)
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let frames: Int
        let effectiveBatch: Int
        let epochs: Int
        let learningRate: Double
        var tuning: Tuning? = .both
        /// Tokens and depth, of both towers; nil where none are learned.
        var prompts: (tokens: Int, depth: Int)?
        var shots: Int?
        var views: Views?

        var testDescription: String { name }
    }

    /// The configuration table of methods 1.5, row by row, for each data set and number of shots.
    static let rows: [Row] = {
        var rows = [Row(name: "few-shot/fine-tune", frames: 32, effectiveBatch: 64, epochs: 50, learningRate: 2e-6)]
        rows.append(
            Row(name: "few-shot/prompt", frames: 32, effectiveBatch: 64, epochs: 50, learningRate: 8e-3, tuning: nil, prompts: (10, 12)))
        rows.append(
            Row(name: "base-to-novel/fine-tune", frames: 32, effectiveBatch: 64, epochs: 11, learningRate: 2e-6, shots: 16))
        rows.append(
            Row(
                name: "base-to-novel/prompt", frames: 32, effectiveBatch: 64, epochs: 11, learningRate: 4e-2, tuning: nil,
                prompts: (16, 9), shots: 16))
        for (side, tuning) in [("", Tuning.both), ("-image", .image), ("-text", .text)] {
            rows.append(
                Row(
                    name: "zero-shot/bridge-k400" + side, frames: 32, effectiveBatch: 256, epochs: 10, learningRate: 8e-6,
                    tuning: tuning))
            // Only both towers together get the larger batch and rate.
            rows.append(
                Row(
                    name: "fully-supervised/bridge-k400" + side, frames: 16, effectiveBatch: tuning == .both ? 512 : 256,
                    epochs: 30, learningRate: tuning == .both ? 2.2e-5 : 8e-6, tuning: tuning, views: Views("4x3")))
        }
        for dataSet in ["hmdb51", "ucf101", "ssv2"] {
            for shots in [2, 4, 8, 16] {
                rows.append(
                    Row(
                        name: "few-shot/\(dataSet)-\(shots)shot-fine-tune", frames: 32, effectiveBatch: 64, epochs: 50,
                        learningRate: 2e-6, shots: shots))
                rows.append(
                    Row(
                        name: "few-shot/\(dataSet)-\(shots)shot-prompt", frames: 32, effectiveBatch: 64, epochs: 50,
                        learningRate: 8e-3, tuning: nil, prompts: (10, 12), shots: shots))
            }
            rows.append(
                Row(
                    name: "base-to-novel/\(dataSet)-prompt", frames: 32, effectiveBatch: 64, epochs: 11, learningRate: 4e-2,
                    tuning: nil, prompts: (16, 9), shots: 16))
        }
        for dataSet in ["k400", "hmdb51", "ucf101", "ssv2"] {
            rows.append(
                Row(
                    name: "base-to-novel/\(dataSet)-fine-tune", frames: 32, effectiveBatch: 64, epochs: 11, learningRate: 2e-6,
                    shots: 16))
        }
        return rows
    }()

    @Test(arguments: rows)
    func recipesFollowThePaper(_ row: Row) throws {
        let recipe = try Self.recipe(row.name)
        #expect(recipe.data.frames == row.frames)
        #expect((recipe.training.batchSize ?? 0) * (recipe.training.accumulationSteps ?? 0) == row.effectiveBatch)
        // Clips are blended four at a time.
        #expect(recipe.training.batchSize == 4)
        #expect(recipe.training.epochs == row.epochs && recipe.training.steps == nil)
        #expect(recipe.training.learningRate == row.learningRate)
        #expect(recipe.training.warmupEpochs == 5)
        #expect(recipe.training.weightDecay == 1e-3)
        #expect(recipe.training.seed == 1024)
        #expect(recipe.training.shots == row.shots)
        #expect(recipe.prompts.visionTokens == row.prompts?.tokens)
        #expect(recipe.prompts.textTokens == row.prompts?.tokens)
        #expect(recipe.prompts.visionDepth == row.prompts?.depth)
        #expect(recipe.prompts.textDepth == row.prompts?.depth)
        #expect(recipe.tuning == row.tuning)
        #expect(recipe.fusion == .embedding && recipe.template == "a photo of a {}.")
        #expect(recipe.evaluation.views == row.views)
        // Methods 1.3 and 1.6: no configuration changes these.
        let augmentation = recipe.augmentation
        #expect(augmentation.mixup == 0.8 && augmentation.cutmix == 1 && augmentation.labelSmoothing == 0.1)
        #expect(augmentation.flip == 0.5 && augmentation.colorJitter == 0.8 && augmentation.gray == 0.2)
        #expect(augmentation.multiScale == true)
        // What is right holds unless somebody asks for the reference's faults.
        #expect(recipe.compat == nil && recipe.model == Recipe.Model())
    }

    @Test(arguments: ["hmdb51", "ucf101", "k600"])
    func zeroShotTests(_ dataSet: String) throws {
        let recipe = try Self.recipe("zero-shot/eval-\(dataSet)")
        #expect(recipe.data.frames == 32 && recipe.evaluation.views == .single)
        #expect(recipe.template == "a photo of a {}." && recipe.training == Recipe.Training())
    }

    /// The pocket world's numbers were measured with the reference's schedule.
    @Test(arguments: ["bridge", "learn", "fine-tune"])
    func pocketRecipesKeepTheirSchedule(_ name: String) throws {
        #expect(try Self.recipe("pocket/\(name)").compat == [.idleFirstStep, .unshiftedCosine])
    }

    /// Whoever reads a recipe finds its command, what it costs and what it aims at.
    @Test(arguments: names)
    func headersSayWhatIsNeeded(_ name: String) throws {
        let text = try String(contentsOfFile: Self.folder + name + ".yaml", encoding: .utf8)
        let comment = text.split(separator: "\n").prefix { $0.hasPrefix("#") }
        #expect(comment.count >= 5 && (comment.first?.count ?? 0) <= 120)
        #expect(comment.contains { $0.hasPrefix("#   vifi-prompt ") && (name.hasPrefix("pocket/") || $0.contains(name.hasPrefix("ablations/") ? "ablate" : "--recipe \(name)")) })
        let words = comment.map { $0.dropFirst(2) }.joined(separator: " ")
        guard !name.hasPrefix("pocket/") else { return }
        #expect(words.contains("Work: ") && words.contains("not measured") && words.contains("Aims at"))
    }
}
