import ArgumentParser
import Experiments
import Files
import Recipes

/// Shows what recipes there are and what they say.
struct RecipeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recipe",
        abstract: "Lists, shows, checks and imports recipes.",
        discussion: """
            A recipe is a YAML file of settings for `bridge`, `learn` and `eval`. Flags go over a recipe, a recipe over \
            the one it names as its base, and that over the defaults.
            """,
        subcommands: [List.self, Show.self, Check.self, Import.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Names the recipes that come with the program.",
            discussion: """
                With words, only those that have all of them in their name or title.

                  vifi-prompt recipe list hmdb51 prompt
                """)

        @Argument(help: ArgumentHelp("Words to look for.", valueName: "word"))
        var words: [String] = []

        @Flag(help: jsonHelp)
        var json = false

        /// What `--json` prints.
        private struct Report: Encodable {
            struct Entry: Encodable {
                let name: String
                let title: String
                let path: String
            }
            let recipes: [Entry]
        }

        func run() throws {
            let entries = try RecipeCatalog.all().filter { entry in
                let text = (entry.name + " " + entry.title).lowercased()
                return words.allSatisfy { text.contains($0.lowercased()) }
            }
            guard !entries.isEmpty else { throw SettingsError.noRecipeWith(words: words) }
            if json { return try Console.json(Report(recipes: entries.map { .init(name: $0.name, title: $0.title, path: $0.path) })) }
            let width = entries.map(\.name.count).max() ?? 0
            for (index, entry) in entries.enumerated() {
                if index > 0, entry.group != entries[index - 1].group { Console.result("") }
                let gap = String(repeating: " ", count: width - entry.name.count + 2)
                Console.result((entry.name + gap + entry.title).escapedForDisplay)
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints a recipe with everything that it takes from its base.",
            discussion: """
                What is printed is a recipe by itself; what it leaves out is left to the defaults. With --resolved \
                these are filled in: those of `learn` for a recipe with prompts, of `bridge` for another that trains.

                  vifi-prompt recipe show few-shot/prompt --set training.shots=2 > mine.yaml
                """)

        @Argument(help: ArgumentHelp("A name from `vifi-prompt recipe list`, or a YAML file.", valueName: "recipe"))
        var recipe: String

        @Option(
            name: .customLong("set"),
            help: ArgumentHelp("One setting by its recipe key, such as training.epochs=20. May be repeated.", valueName: "key=value"))
        var assignments: [String] = []
        @Flag(help: "Fill in the defaults.")
        var resolved = false

        @Flag(help: jsonHelp)
        var json = false

        /// What `--json` prints.
        private struct Report: Encodable {
            let path: String
            /// As text, by their keys in recipes.
            let settings: [String: String]
        }

        func run() throws {
            let path = try RecipeCatalog.path(of: recipe)
            var assigned = Recipe()
            for assignment in assignments { try assigned.set(assignment) }
            var shown = assigned.merged(over: try Recipe(path: path))
            if resolved, let kind = shown.kind {
                shown = shown.merged(over: .defaults(for: kind))
                if shown.training.warmupEpochs == nil, shown.training.steps == nil, let epochs = shown.training.epochs {
                    shown.training.warmupEpochs = Recipe.Training.defaultWarmup(epochs: epochs)
                }
            }
            if json {
                let settings = Dictionary(uniqueKeysWithValues: shown.settings.map { ($0.key, $0.value) })
                return try Console.json(Report(path: path, settings: settings))
            }
            Console.note("Recipe: \(path.escapedForDisplay)")
            // The YAML ends with its own line break.
            Console.result(String(shown.yaml.dropLast()))
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Reads recipes and reports everything that is wrong with them.",
            discussion: "Without names it checks all recipes that come with the program.")

        @Argument(help: ArgumentHelp("Names from `vifi-prompt recipe list`, or YAML files.", valueName: "recipe"))
        var recipes: [String] = []

        @Flag(help: jsonHelp)
        var json = false

        /// What `--json` prints.
        private struct Report: Encodable {
            struct Entry: Encodable {
                let path: String
                let faults: [String]
            }
            let recipes: [Entry]
        }

        func run() throws {
            let paths = try recipes.isEmpty ? RecipeCatalog.all().map(\.path) : recipes.map(RecipeCatalog.path)
            var faults: [RecipeError.Fault] = []
            var checked: [Report.Entry] = []
            for path in paths {
                var found: [RecipeError.Fault] = []
                do {
                    _ = try Recipe(path: path)
                    if try AblationGrid.isThere(in: path) { _ = try AblationGrid(path: path, name: path) }
                    if !json { Console.result("\(path.escapedForDisplay): fine") }
                } catch let error as RecipeError {
                    found = error.faults
                }
                checked.append(.init(path: path, faults: found.map { RecipeError([$0]).description }))
                faults += found
            }
            if json { try Console.json(Report(recipes: checked)) }
            guard faults.isEmpty else { throw RecipeError(faults) }
        }
    }
}
