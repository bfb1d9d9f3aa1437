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
        abstract: "Learns prompt tokens for both towers from a few clips per class; CLIP itself stays as it is.",
        discussion: """
            Without --train, --val, --test and --labels it learns on the pocket world's small data set from the \
            bridged pocket CLIP.

              vifi-prompt learn --shots 2
              vifi-prompt learn --shots 8 --method auto
              vifi-prompt learn --shots 8 --method maple
              vifi-prompt learn --train train.txt --val val.txt --labels labels.csv \\
                                --backbone bridged.safetensors --shots 8

            With --captions videos and captions find each other, as for text-video retrieval; docs/retrieval.md \
            explains it.

              vifi-prompt learn --captions train.csv --val-captions val.csv \\
                  --backbone bridged.safetensors

            The best and the last prompts are kept in the run's folder under prompts/.

            Prompts may begin late: with --vision-layers 6-11 and --text-layers 4-11 only these layers have prompts, \
            and nothing is computed backwards below them. In the text tower, layers below the first prompts read the \
            template's words in the prompts' places: the last ones before the name, as many as there are prompts, \
            and X where the template has too few. With --fixed-frames what lies below the first vision prompts is \
            computed once per clip and kept, as far as --memory allows. --quick learns language prompts only, on \
            features that the vision tower computes once. docs/late-prompts.md says what accuracy that gives up.

            --method also takes the prompt designs of other papers: coop, kgcoop, vpt, ivlp, maple and promptsrc, each \
            with its authors' numbers of tokens and layers, which the flags below change; cocoop, whose words a small \
            network moves for each video; pixel, which learns a border of pixels for every frame; and a5 and a6, which learn words \
            around the class names and a transformer over frames. docs/methods.md says what each learns. What comes out \
            are prompts like any others.

            With --backward-frames 4 each step sees all frames of its clips, but goes back through 4 of them only; \
            docs/cheaper-steps.md says what that gains and gives up. So does --merge-tokens 8, with which similar \
            patches of a frame are taken together from layer to layer.
            """)

    @OptionGroup(title: "Data") var data: DataOptions
    @OptionGroup(title: "Captions") var captions: CaptionOptions
    @OptionGroup(title: "Method") var method: MethodOptions
    @OptionGroup(title: "Prompts") var shape: PromptShapeOptions
    @OptionGroup(title: "Prompts") var initial: InitialPromptOptions
    @OptionGroup(title: "Training") var training: TrainingOptions
    @OptionGroup(title: "Training") var frames: TrainingFrameOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Settings") var recipe: RecipeOptions
    @OptionGroup(title: "Run") var runOptions: RunOptions
    @OptionGroup(title: "Plan") var planning: DryRunOptions
    @OptionGroup(title: "Memory") var memory: MemoryOptions

    @Flag(help: jsonHelp)
    var json = false

    func validate() throws {
        guard method.isAboutHead else { return }
        if shape.quick || frames.fixedFrames || frames.backwardFrames != nil || frames.framesSchedule != nil {
            throw ValidationError("--quick, --fixed-frames, --backward-frames and --frames-schedule are for prompts: leave them out with \(method.extend == nil ? "--method" : "--extend").")
        }
    }

    func request() throws -> RunRequest {
        var request = try request(data, recipe, memory: memory, flags: flags)
        request.initial = initial.inputs
        request.isQuick = shape.quick
        method.apply(to: &request)
        return request
    }

    private func flags(_ recipe: inout Recipe) {
        data.apply(to: &recipe)
        captions.apply(to: &recipe)
        training.apply(to: &recipe)
        model.inputs.apply(to: &recipe)
        method.apply(to: &recipe)
        shape.apply(to: &recipe)
        frames.apply(to: &recipe)
    }
}
