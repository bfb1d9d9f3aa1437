import ArgumentParser
import CLIPModel
import Experiments
import Recipes
import Tensors
import VideoData

/// Where settings come from besides single flags.
struct RecipeOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("A recipe: a YAML file, or a name from `vifi-prompt recipe list`. Flags go over it.", valueName: "recipe"))
    var recipe: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("One setting by its recipe key, such as training.epochs=20. May be repeated.", valueName: "key=value"))
    var assignments: [String] = []

    @Option(
        help: ArgumentHelp(
            "Faults of the reference code to repeat: vifi-clip for all, or names with commas; docs/reproduce.md explains them.",
            valueName: "names"))
    var compat: String?

    /// What the recipe says, over it the flags, over these --compat and --set.
    func given(flags: (inout Recipe) -> Void) throws -> Recipe { try source(flags: flags).given() }

    func source(flags: (inout Recipe) -> Void) throws -> RecipeSource {
        var flagged = Recipe()
        flags(&flagged)
        try flagged.checkFlags()
        return RecipeSource(file: recipe, flags: flagged, compat: compat, assignments: assignments)
    }
}

extension Recipe {
    /// Flags are held to the same ranges as recipes, and named as they were typed.
    func checkFlags() throws(RecipeError) {
        guard self != Recipe() else { return }
        do throws(RecipeError) {
            _ = try Recipe(yaml: yaml, source: "")
        } catch {
            throw RecipeError(error.faults.map { .init(source: Self.flag(ofKey: $0.key), line: nil, key: "", problem: $0.problem) })
        }
    }

    /// `--learning-rate` for `training.learning_rate`.
    static func flag(ofKey key: String) -> String {
        switch key {
        case "training.evaluate_every": "--eval-every"
        case "model.checkpoint": "--backbone"
        default: "--" + (key.split(separator: ".").last ?? "").replacing("_", with: "-")
        }
    }
}

/// The videos, their labels and how they are looked at.
struct DataOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Training clips: lines `path label`, labels counted from 0; `pocket` for all lists of the pocket world.", valueName: "list"))
    var train: String?

    @Option(help: ArgumentHelp("Validation clips, in the same form: the best epoch is chosen on them. Without them the last one counts.", valueName: "list"))
    var val: String?

    @Option(help: ArgumentHelp("Test clips, in the same form: scored once, with what was chosen.", valueName: "list"))
    var test: String?

    @Option(help: ArgumentHelp("Class names: CSV with the header `id,name`, one name a line, or JSON; the row is the label.", valueName: "csv"))
    var labels: String?

    @OptionGroup var videos: VideoOptions

    func apply(to recipe: inout Recipe) {
        recipe.data.train = train ?? recipe.data.train
        recipe.data.val = val ?? recipe.data.val
        recipe.data.test = test ?? recipe.data.test
        recipe.data.labels = labels ?? recipe.data.labels
        videos.apply(to: &recipe)
    }

    /// Whether no list and no class names are given.
    var isEmpty: Bool { [train, val, test, labels].allSatisfy { $0 == nil } }
    var root: String? { videos.root }
    var frames: Int? { videos.frames }
    var followLinks: Bool { videos.followLinks }
    var badVideoPolicy: BadVideoPolicy? { videos.badVideoPolicy }
}

/// The videos of lists that are named elsewhere, and how they are looked at.
struct VideoOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Folder or tar archive that the paths in the lists start from; each list's own folder by default.", valueName: "folder"))
    var root: String?

    @Option(help: "Frames of a clip.")
    var frames: Int?

    @Flag(help: "Allow lists to reach videos outside the root through symbolic links.")
    var followLinks = false

    @Option(
        name: .customLong("on-bad-video"),
        help: ArgumentHelp("Videos that cannot be decoded: fail (the default), skip, or replace by another of the list.", valueName: "policy"))
    var badVideoPolicy: BadVideoPolicy?

    @OptionGroup var allowances: AllowanceOptions

    func validate() throws {
        try requireRange("--frames", frames, 1...1024)
    }

    var inputs: VideoInputs {
        VideoInputs(
            root: root, frames: frames, followLinks: followLinks, badVideoPolicy: badVideoPolicy, allowances: allowances.inputs)
    }

    func apply(to recipe: inout Recipe) { inputs.apply(to: &recipe) }
}

extension BadVideoPolicy: ExpressibleByArgument {}

/// The model.
struct ModelOptions: ParsableArguments {
    @Option(
        name: .customLong("backbone"),
        help: ArgumentHelp("A backbone file, or any CLIP that `bridge --import` reads.", valueName: "file"))
    var backbone: String?

    @Option(
        help: ArgumentHelp(
            "The vocabulary, where none lies beside the backbone: CLIP's bpe_simple_vocab_16e6.txt.gz, merges.txt or tokenizer.json; of a "
                + "SigLIP its own tokenizer.json or spiece.model.", valueName: "file"))
    var vocabulary: String?

    @Option(help: "The MLPs' activation, for CLIPs that do not say it.")
    var activation: Activation?

    @Option(
        help: ArgumentHelp(
            "Precision of the large matrix products: fp32, bf16 (faster on processors that support it), int8 (faster still, where nothing learns by gradients), or auto for bf16 where it is supported.",
            valueName: "precision"))
    var precision: PrecisionChoice?

    @Option(help: "Threads of the model; all processors by default, shared out among the ranks of a machine.")
    var threads: Int?

    func validate() throws {
        try requireRange("--threads", threads, 1...1024)
    }

    var inputs: ModelInputs {
        ModelInputs(backbone: backbone, vocabulary: vocabulary, activation: activation, precision: precision, threads: threads)
    }

    var pool: WorkerPool { WorkerPool(threadCount: threads ?? Ranks.threadCount) }
}

/// How long and how fast a run learns.
struct TrainingOptions: ParsableArguments {
    @Option(help: "Clips of each class to learn from; all of them by default.")
    var shots: Int?

    @Option(help: "Passes over the training clips.")
    var epochs: Int?

    @Option(help: "Clips that are blended and go through the model together.")
    var batchSize: Int?

    @Option(help: "Batches whose gradients make one step.")
    var accumulationSteps: Int?

    @Option(help: "Peak learning rate.")
    var learningRate: Double?

    @Option(help: ArgumentHelp("Epochs between two evaluations of the validation list; by default there are five, however long the run is.", valueName: "epochs"))
    var evalEvery: Int?

    @Option(
        help: ArgumentHelp(
            "End the run once the smoothed training loss has not come down by more than 1 % for so many epochs; by default it takes all of them.",
            valueName: "epochs"))
    var earlyStop: Int?

    @Option(help: "Seed of everything random. The same seed gives the same file on the same machine.")
    var seed: Int?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Folder of the run; runs/<command>, -2, -3, … by default.", valueName: "folder"))
    var output: String?

    func apply(to recipe: inout Recipe) {
        recipe.training.shots = shots ?? recipe.training.shots
        recipe.training.epochs = epochs ?? recipe.training.epochs
        recipe.training.evaluateEvery = evalEvery ?? recipe.training.evaluateEvery
        recipe.training.earlyStop = earlyStop ?? recipe.training.earlyStop
        recipe.training.batchSize = batchSize ?? recipe.training.batchSize
        recipe.training.accumulationSteps = accumulationSteps ?? recipe.training.accumulationSteps
        recipe.training.learningRate = learningRate ?? recipe.training.learningRate
        recipe.training.seed = seed ?? recipe.training.seed
    }
}

extension PrecisionChoice: ExpressibleByArgument {}
extension Fusion: ExpressibleByArgument {}
extension LearnedWords.NamePlace: ExpressibleByArgument {}
extension PixelArea.Form: ExpressibleByArgument {}
extension Tuning: ExpressibleByArgument {}

extension Views: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}
