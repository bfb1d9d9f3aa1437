import ArgumentParser
import CLIPModel
import Experiments
import Files
import Recipes
import Tensors
import Training

struct LearnCommand: LearningCommand {
    static let kind = RunKind.learn

    static let configuration = CommandConfiguration(
        commandName: "learn",
        abstract: "Learns prompt tokens for both towers from a few clips a class; CLIP itself stays as it is.",
        discussion: """
            Without --train, --val and --labels it learns on the pocket world's small data set from the \
            bridged pocket CLIP.

              vifi-prompt learn --shots 2
              vifi-prompt learn --train train.txt --val val.txt --labels labels.csv \\
                                --backbone bridged.safetensors --shots 8

            With --captions videos and captions find each other, as for text-video retrieval; docs/retrieval.md \
            explains it.

              vifi-prompt learn --captions train.csv --val-captions test.csv --backbone bridged.safetensors

            The best and the last prompts are kept in the run's folder under prompts/.

            Prompts may begin late: with --vision-layers 6-11 and --text-layers 4-11 only these layers have prompts, \
            and nothing is computed backwards below them. In the text tower, layers below the first prompts read the \
            template's words in the prompts' places: the last ones before the name, as many as there are prompts, \
            and X where the template has too few. With --fixed-frames what lies below the first vision prompts is \
            computed once a clip and kept, as far as --memory allows. --quick learns language prompts only, on \
            features that the vision tower computes once. docs/late-prompts.md says what accuracy that gives up.
            """)

    @OptionGroup(title: "Data") var data: DataOptions
    @OptionGroup(title: "Captions") var captions: CaptionOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Training") var training: TrainingOptions
    @OptionGroup(title: "Memory") var memory: MemoryOptions
    @OptionGroup(title: "Settings") var recipe: RecipeOptions
    @OptionGroup(title: "Start") var initial: InitialPromptOptions
    @OptionGroup(title: "Run") var runOptions: RunOptions
    @OptionGroup(title: "Plan") var planning: DryRunOptions
    @OptionGroup(title: "Plan") var planForm: PlanFormOptions

    @Option(help: ArgumentHelp("Prompt tokens a layer of the vision tower; 0 for none.", valueName: "tokens"))
    var visionTokens: Int?
    @Option(help: ArgumentHelp("Prompt tokens a layer of the text tower; 0 for none.", valueName: "tokens"))
    var textTokens: Int?
    @Option(help: ArgumentHelp("Layers of the vision tower with prompts of their own, from the first.", valueName: "layers"))
    var visionDepth: Int?
    @Option(help: ArgumentHelp("Layers of the text tower with prompts of their own, from the first.", valueName: "layers"))
    var textDepth: Int?
    @Option(
        help: ArgumentHelp("Layers of the vision tower with prompts, counted from 0: 6-11, 6, or none.", valueName: "layers"),
        transform: PromptLayers.parsed)
    var visionLayers: PromptLayers?
    @Option(
        help: ArgumentHelp("Layers of the text tower with prompts, counted from 0: 4-11, 4, or none.", valueName: "layers"),
        transform: PromptLayers.parsed)
    var textLayers: PromptLayers?
    @Flag(help: "See training clips as test clips: the same frames and their center in each epoch, no flips, colors, MixUp or CutMix.")
    var fixedFrames = false
    @Flag(help: "Language prompts only, on fixed frames whose features are computed once: minutes instead of hours, less accuracy.")
    var quick = false
    @Option(help: "How frames come together: embedding, decision or image.")
    var fusion: Fusion?

    func validate() throws {
        func refuse(_ words: String) throws { throw ValidationError(words) }
        for (tower, layers, tokens) in [("vision", visionLayers, visionTokens), ("text", textLayers, textTokens)] {
            if let layers, let tokens, layers == .none, tokens > 0 {
                try refuse("--\(tower)-layers none and --\(tower)-tokens \(tokens) contradict each other: leave one of them out.")
            }
        }
        guard quick else { return }
        let vision = [
            visionLayers.flatMap { $0 == .none ? nil : "--vision-layers \($0.text)" },
            visionTokens.flatMap { $0 == 0 ? nil : "--vision-tokens \($0)" },
            visionDepth.flatMap { $0 == 0 || visionTokens == 0 ? nil : "--vision-depth \($0)" },
        ].compactMap(\.self)
        if let flag = vision.first {
            try refuse(
                "--quick learns language prompts only, so \(flag) cannot go with it. For late vision prompts on clips whose "
                    + "lower layers are computed once, write --vision-layers 6-11 --fixed-frames instead of --quick.")
        }
        if textTokens == 0 || textDepth == 0 || textLayers == PromptLayers.none {
            try refuse("--quick learns language prompts, and there are to be none.")
        }
    }

    var json: Bool { planForm.json }

    func request() throws -> RunRequest {
        var request = try request(data, recipe, memory: memory, flags: flags)
        request.initial = initial.inputs
        request.isQuick = quick
        return request
    }

    private func flags(_ recipe: inout Recipe) {
        data.apply(to: &recipe)
        captions.apply(to: &recipe)
        training.apply(to: &recipe)
        model.inputs.apply(to: &recipe)
        recipe.prompts.visionTokens = visionTokens ?? recipe.prompts.visionTokens
        recipe.prompts.textTokens = textTokens ?? recipe.prompts.textTokens
        recipe.prompts.visionDepth = visionDepth ?? recipe.prompts.visionDepth
        recipe.prompts.textDepth = textDepth ?? recipe.prompts.textDepth
        recipe.prompts.visionLayers = visionLayers ?? (quick ? PromptLayers.none : recipe.prompts.visionLayers)
        recipe.prompts.textLayers = textLayers ?? recipe.prompts.textLayers
        if quick || fixedFrames { recipe.augmentation.fixedFrames = true }
        recipe.fusion = fusion ?? recipe.fusion
    }
}
