import ArgumentParser
import Experiments

/// What methods learn before they are scored on other lists.
struct SourceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "With --methods: clips to learn from, lines `path label`. The paper's table 1 learns Kinetics-400.", valueName: "list"))
    var train: String?

    @Option(help: ArgumentHelp("With --methods: class names of --train.", valueName: "csv"))
    var trainLabels: String?

    @Option(help: ArgumentHelp("With --methods: folder that the paths of --train start from; that of --root by default.", valueName: "folder"))
    var trainRoot: String?

    @Option(help: ArgumentHelp("With --methods: validation clips of the classes of --train, for --checkpoint best.", valueName: "list"))
    var trainVal: String?

    @Option(
        help: ArgumentHelp("With --methods: seeds of learning, with commas; that of the recipes by default.", valueName: "seeds"),
        transform: SeedList.init(argument:))
    var seeds: SeedList?

    var inputs: LearnedScoring.Source { .init(train: train, validation: trainVal, labels: trainLabels, root: trainRoot) }

    /// - Throws: for what says nothing without methods, and what methods leave no room for.
    func check(_ learning: ProtocolLearningOptions, _ prompts: PromptOptions) throws {
        guard learning.methods == nil else {
            guard prompts.prompts == nil else { throw ValidationError("--prompts are there already, and --methods learn: leave one of them out.") }
            return
        }
        guard inputs == .init(), seeds == nil, learning.isEmpty else {
            throw ValidationError("--train, --train-…, --seeds and how to learn are for --methods: name what is to be learned.")
        }
    }
}

extension LearnedScoring {
    /// The options of a setting; nil without methods.
    ///
    /// - Parameter seed: of what is drawn by chance, learning among it where `source` names no seeds.
    init?(
        _ name: Setting, lists: TestListOptions, source: SourceOptions, learning: ProtocolLearningOptions, videos: VideoOptions, model: ModelOptions,
        memory: MemoryOptions, recipe: RecipeOptions, test: TestOptions, seed: Int?
    ) throws {
        guard let methods = learning.methods?.values else { return nil }
        try self.init(
            name, lists: lists.inputs, source: source.inputs, methods: methods, seeds: source.seeds?.values,
            learning: ProtocolLearning(learning, model: model, videos: videos, memory: memory),
            recipe: recipe.source { recipe in
                videos.apply(to: &recipe)
                test.apply(to: &recipe)
                learning.apply(to: &recipe)
                model.inputs.apply(to: &recipe)
                recipe.training.seed = seed ?? recipe.training.seed
            }, words: test.words, context: .commandLine)
    }
}
