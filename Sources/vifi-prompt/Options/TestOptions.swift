import ArgumentParser
import CLIPModel
import Recipes

/// How class names are worded and videos are looked at in a test.
struct TestOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Words around a class name, with {} in its place.", valueName: "words"))
    var template: String?

    @Flag(help: "Bare class names without a template, as the paper tests CLIP itself.")
    var namesOnly = false

    @Option(help: ArgumentHelp("Clips in time × crops in space of each video, such as 4x3: 1 to 64 clips, 1 or 3 crops; 1x1 by default.", valueName: "views"))
    var views: Views?

    @Option(help: "How frames come together; the prompt file's way by default.")
    var fusion: Fusion?

    func validate() throws {
        guard template == nil || !namesOnly else { throw ValidationError("--names-only and --template exclude each other.") }
    }

    /// The words that the command line asks for.
    var words: String? { namesOnly ? "{}" : template }

    func apply(to recipe: inout Recipe) {
        recipe.template = words ?? recipe.template
        recipe.fusion = fusion ?? recipe.fusion
        recipe.evaluation.views = views ?? recipe.evaluation.views
    }
}
