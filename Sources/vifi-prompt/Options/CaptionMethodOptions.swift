import ArgumentParser
import Experiments
import Recipes

/// What learns from captions before it is compared.
struct CaptionMethodOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What is compared, with commas: prompt and fine-tune, which learn from --train-captions first, and zero-shot for the backbone as it is.",
            valueName: "methods"),
        transform: CommaList.init(argument:))
    var methods: CommaList<MethodMember>?

    @Option(help: ArgumentHelp("With --methods: captions to learn from, in the form of --captions.", valueName: "csv"))
    var trainCaptions: String?

    @Option(help: ArgumentHelp("With --methods: validation captions; the epoch to score is chosen on them. Without them the last one counts.", valueName: "csv"))
    var valCaptions: String?

    @Option(
        help: ArgumentHelp("With --methods: seeds of learning, with commas; 1 by default.", valueName: "seeds"),
        transform: SeedList.init(argument:))
    var seeds: SeedList?

    @Option(help: "With --methods: passes over the training captions.")
    var epochs: Int?

    @Option(help: ArgumentHelp("With --methods: backbone that fine-tuning starts from; --backbone by default.", valueName: "file"))
    var fineTuneBackbone: String?

    func apply(to recipe: inout Recipe) {
        recipe.data.captions = trainCaptions ?? recipe.data.captions
        recipe.data.valCaptions = valCaptions ?? recipe.data.valCaptions
        recipe.training.epochs = epochs ?? recipe.training.epochs
    }

    /// - Throws: for what says nothing without methods.
    func check() throws {
        guard methods == nil else { return }
        guard trainCaptions == nil, valCaptions == nil, seeds == nil, epochs == nil, fineTuneBackbone == nil else {
            throw ValidationError("--train-captions, --val-captions, --seeds, --epochs and --fine-tune-backbone are for --methods: name what is to be learned.")
        }
    }
}
