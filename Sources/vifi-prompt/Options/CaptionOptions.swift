import ArgumentParser
import Recipes

extension Recipe.LossChoice: ExpressibleByArgument {}

/// Videos with captions, in place of videos with classes.
struct CaptionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Learn from captions instead of classes: CSV with the header `video,caption`, or `pocket` for the pocket world's.",
            valueName: "csv"))
    var captions: String?

    @Option(help: ArgumentHelp("With --captions: validation captions, in the same form: the best epoch is chosen on them.", valueName: "csv"))
    var valCaptions: String?

    @Option(help: ArgumentHelp("With --captions: test captions, in the same form: scored once, with what was chosen.", valueName: "csv"))
    var testCaptions: String?

    @Option(
        help: ArgumentHelp(
            "With --captions: most tokens of a caption, start and end token included; what is longer is cut. The text tower's all by default.",
            valueName: "tokens"))
    var maxWords: Int?

    @Option(
        help: ArgumentHelp(
            "What a step compares. classes, the default of learn: each clip with all classes; batch, for learn: the clips of a batch with "
                + "the classes of these, both ways, as OST does. With --captions, contrastive, the default: each video and its caption find "
                + "each other in their batch; sigmoid, for a SigLIP: each pair is judged by itself.",
            valueName: "loss"))
    var loss: Recipe.LossChoice?

    func validate() throws { try Self.check(maxWords: maxWords) }

    static func check(maxWords: Int?) throws {
        if let maxWords, !(3...1024).contains(maxWords) {
            throw ValidationError("--max-words is \(maxWords); it must be between 3 (one token between start and end) and 1024.")
        }
    }

    func apply(to recipe: inout Recipe) {
        recipe.data.captions = captions ?? recipe.data.captions
        recipe.data.valCaptions = valCaptions ?? recipe.data.valCaptions
        recipe.data.testCaptions = testCaptions ?? recipe.data.testCaptions
        recipe.data.maxWords = maxWords ?? recipe.data.maxWords
        recipe.training.loss = loss ?? recipe.training.loss
    }
}
