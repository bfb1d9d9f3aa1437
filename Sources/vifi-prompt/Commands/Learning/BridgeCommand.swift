import ArgumentParser
import CLIPModel
import Experiments
import Files
import Recipes
import Tensors
import Training
import WeightFiles

struct BridgeCommand: LearningCommand {
    static let kind = RunKind.bridge

    static let configuration = CommandConfiguration(
        commandName: "bridge",
        abstract: "Fine-tunes CLIP on videos: frames one by one, their embeddings averaged.",
        discussion: """
            Without --train, --val, --test and --labels it trains the pocket CLIP, which knows stills, on the videos of \
            the pocket world's large data set.

              vifi-prompt bridge
              vifi-prompt bridge --train train.txt --val val.txt --labels labels.csv \\
                  --backbone clip.safetensors
              vifi-prompt bridge --method actionclip --train train.txt \\
                  --labels labels.csv --backbone clip.safetensors
              vifi-prompt bridge --import ViT-B-16.pt

            With --captions videos and captions find each other, as for text-video retrieval; docs/retrieval.md \
            explains it.

              vifi-prompt bridge --captions train.csv --val-captions val.csv \\
                  --backbone clip.safetensors

            With --method actionclip the whole CLIP learns together with a transformer over frames, which is kept beside the \
            backbone under prompts/. With --method x-clip frames see each other in the image tower, and the backbone is of that kind. \
            docs/methods.md explains both.

            With --import nothing is trained: somebody's CLIP (OpenAI, open_clip, ViFi-CLIP, Hugging Face) becomes a \
            backbone file in Checkpoints. docs/checkpoints.md says what can be read.

            The bridged CLIP is kept in the run's folder as backbone.safetensors; `learn` takes it with --backbone.
            """)

    @OptionGroup(title: "Data") var data: DataOptions
    @OptionGroup(title: "Captions") var captions: CaptionOptions
    @OptionGroup(title: "Fine-tuning") var tuned: FineTuningOptions
    @OptionGroup(title: "Training") var training: TrainingOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Settings") var recipe: RecipeOptions
    @OptionGroup(title: "Import") var imported: ImportOptions
    @OptionGroup(title: "Run") var runOptions: RunOptions
    @OptionGroup(title: "Plan") var planning: DryRunOptions
    @OptionGroup(title: "Memory") var memory: MemoryOptions

    @Flag(help: jsonHelp)
    var json = false

    struct FineTuningOptions: ParsableArguments {
        @Option(help: "What learns: both towers, image, text, or lora for low-rank updates of both.")
        var tuning: Tuning?
        @Option(help: ArgumentHelp("actionclip or x-clip: another way to train the whole CLIP; ViFi-CLIP's by default.", valueName: "method"))
        var method: String?
        @Option(
            help: ArgumentHelp(
                "With --method actionclip: sentences in which class names are read, one per line with {} for the name; by default a list that "
                    + "comes with the program.", valueName: "file"))
        var templates: String?
        @Option(help: ArgumentHelp("With --tuning lora: rank of the updates; 2 by default.", valueName: "rank"))
        var loraRank: Int?
        @Option(help: ArgumentHelp("With --tuning lora: share of the updates' inputs that each step leaves out, at most 0.9; 0 by default.", valueName: "share"))
        var loraDropout: Double?
        @Option(help: "How the frames of a clip are combined: embedding, decision or image.")
        var fusion: Fusion?
        @Option(help: ArgumentHelp("Name of the result, recorded in its file; bridged-clip by default.", valueName: "name"))
        var name: String?
        @Flag(help: "Keep the weights in half precision: files of half the size.")
        var half = false
    }

    struct ImportOptions: ParsableArguments {
        @Option(
            name: .customLong("import"),
            help: ArgumentHelp(
                "Only make a backbone file of this CLIP, at --output FILE: a file, or a folder of Hugging Face or open_clip.", valueName: "path"))
        var source: String?
        @Option(help: ArgumentHelp("With --import: the CLIP with the token table that ViFi-CLIP's checkpoints lack.", valueName: "path"))
        var clip: String?
        @Option(
            help: ArgumentHelp(
                "With --import: attention heads of the image and the text tower, such as 12,8, for CLIPs that do not say it.",
                valueName: "numbers"),
            transform: HeadCounts.parsed)
        var heads: HeadCounts?
        @Option(help: ArgumentHelp(
            "With --import, where a file holds several CLIPs, such as a model and its average: how the tensor names of the one that is "
                + "meant begin.", valueName: "prefix"))
        var prefix: String?
        @Flag(help: "With --import: overwrite the backbone file.")
        var force = false

        func validate() throws {
            guard source == nil else { return }
            let stray = [("--clip", clip != nil), ("--heads", heads != nil), ("--prefix", prefix != nil), ("--force", force)].first { $0.1 }
            if let stray { throw ValidationError("\(stray.0) is for --import.") }
        }
    }

    func validate() throws {
        try requireRange("--lora-rank", tuned.loraRank, 1...1024)
        try requireRange("--lora-dropout", tuned.loraDropout, 0...0.9)
        guard imported.source != nil else { return }
        guard data.isEmpty, captions.captions == nil, model.backbone == nil, recipe.recipe == nil
        else {
            throw ValidationError("--import only makes a backbone file: leave out --train, --val, --test, --labels, --captions, --backbone and --recipe.")
        }
        try BridgeImport.check(name: tuned.name)
    }

    func run() throws {
        guard let source = imported.source else { return try planning.isAsked ? showPlan() : start() }
        guard try !planning.isAsked else { throw ValidationError("--import only makes a backbone file; there is nothing to plan.") }
        try BridgeImport(
            source: source, clip: imported.clip, prefix: imported.prefix, vocabulary: model.vocabulary, name: tuned.name, output: training.output,
            activation: model.activation, heads: imported.heads, isHalf: tuned.half, force: imported.force, json: json
        ).run()
    }

    func request() throws -> RunRequest {
        var request = try request(data, recipe, memory: memory, flags: flags)
        request.backboneName = tuned.name
        request.keepsHalf = tuned.half
        return request
    }

    private func flags(_ recipe: inout Recipe) {
        data.apply(to: &recipe)
        captions.apply(to: &recipe)
        training.apply(to: &recipe)
        model.inputs.apply(to: &recipe)
        recipe.tuning = tuned.tuning ?? recipe.tuning
        recipe.method = tuned.method ?? recipe.method
        recipe.templates = tuned.templates ?? recipe.templates
        recipe.loraRank = tuned.loraRank ?? recipe.loraRank
        recipe.loraDropout = tuned.loraDropout ?? recipe.loraDropout
        recipe.fusion = tuned.fusion ?? recipe.fusion
    }
}
