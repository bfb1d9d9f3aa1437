import ArgumentParser
import CLIPModel
import Evaluation
import Experiments
import Files
import Recipes
import Tensors
import VideoData

/// Lists to score, one or several.
struct TestListOptions: ParsableArguments {
    @Option(
        name: [.customLong("test"), .customLong("val")],
        help: ArgumentHelp("Clips to score: lines `path label`, labels counted from 0. Repeated for several splits.", valueName: "list"))
    var tests: [String] = []

    @Option(
        help: ArgumentHelp("Class names: CSV with the header `id,name`, one name a line, or JSON; the row is the label. One for all splits, or one for each.", valueName: "csv"))
    var labels: [String] = []

    func validate() throws {
        guard labels.count <= 1 || tests.isEmpty || labels.count == tests.count else {
            throw ValidationError("--labels is given \(labels.count) times, --test \(tests.count) times: pass one for all, or one for each.")
        }
    }

    var inputs: TestListInputs { TestListInputs(tests: tests, labels: labels) }
}

/// Where a protocol goes, and how it is told.
struct ProtocolOutputOptions: ParsableArguments {
    @Flag(help: jsonHelp)
    var json = false

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "Folder of the evaluation; runs/evaluate-…, -2, -3, … by default. Finished parts in it are not repeated.",
            valueName: "folder"))
    var output: String?

    func validate() throws { try OutputFolder.check(output) }

    func show(_ outcome: (summary: ProtocolSummary, table: [[String]], folder: ProtocolFolder)) throws {
        try show(outcome.summary, table: outcome.table, folder: outcome.folder)
    }

    /// Prints what came out, and writes it: in this order, as it may be that nothing can be written.
    func show(_ summary: ProtocolSummary, table: [[String]], folder: ProtocolFolder) throws {
        if json { try Console.json(summary) } else { Console.result(alignedTable(table)) }
        try folder.write(summary, table: table)
        if !json { Console.result("summary: \(folder.path.appendingPath("summary.json"))") }
    }
}

/// How a protocol learns what it scores.
struct ProtocolLearningOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What is compared, with commas: prompt, fine-tune, zero-shot for the backbone as it is, and what learn and bridge take as --method, such as "
                + "coop, maple, a5, actionclip, x-clip, lora or gda.", valueName: "methods"),
        transform: CommaList.init(argument:))
    var methods: CommaList<MethodMember>?

    @Option(help: "Passes over the training clips.")
    var epochs: Int?

    @Option(help: "What fine-tuning trains: both towers, image, text, or lora for low-rank updates of both.")
    var tuning: Tuning?

    @Option(
        help: ArgumentHelp("Backbone that fine-tuning starts from; --backbone by default. The paper's table 3 starts from CLIP.", valueName: "file"))
    var fineTuneBackbone: String?

    @Option(
        help: ArgumentHelp(
            "What of a run is scored: last, or best on the validation list. Without a validation list best is chosen on the list that is scored, as ViFi-CLIP's code does.",
            valueName: "which"))
    var checkpoint = ScoredCheckpoint.last

    @Option(help: ArgumentHelp("Minutes between two checkpoints of a run.", valueName: "minutes"))
    var saveEvery: Double?

    /// Whether nothing is said about learning.
    var isEmpty: Bool {
        methods == nil && epochs == nil && tuning == nil && fineTuneBackbone == nil && checkpoint == .last && saveEvery == nil
    }

    func apply(to recipe: inout Recipe) {
        recipe.training.epochs = epochs ?? recipe.training.epochs
        recipe.tuning = tuning ?? recipe.tuning
    }
}

extension ScoredCheckpoint: ExpressibleByArgument {}

extension ProtocolLearning {
    init(_ options: ProtocolLearningOptions, model: ModelOptions, videos: VideoOptions, memory: MemoryOptions) {
        self.init(
            model: model.inputs, videos: videos.inputs, memory: memory.bound,
            saveInterval: options.saveEvery.map { $0 * 60 } ?? RunRequest.standardSaveInterval, checkpoint: options.checkpoint,
            fineTuneBackbone: options.fineTuneBackbone)
    }
}
