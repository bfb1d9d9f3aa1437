import ArgumentParser
import CLIPModel
import Files
import Tensors
import Training
import WeightFiles

struct BridgeCommand: LearningCommand {
    static let kind = RunKind.bridge

    static let configuration = CommandConfiguration(
        commandName: "bridge",
        abstract: "Fine-tunes CLIP on videos: frames one by one, their embeddings averaged.",
        discussion: """
            Without --train, --val and --labels it trains the pocket CLIP, which knows stills, on the videos of \
            the pocket world's large data set.

              vifi-prompt bridge
              vifi-prompt bridge --train train.txt --val val.txt --labels labels.csv --backbone clip.safetensors
              vifi-prompt bridge --import ViT-B-16.pt

            With --captions videos and captions find each other, as for text-video retrieval; docs/retrieval.md \
            explains it.

              vifi-prompt bridge --captions train.csv --val-captions test.csv --backbone clip.safetensors

            With --import nothing is trained: somebody's CLIP (OpenAI, open_clip, ViFi-CLIP, Hugging Face) becomes a \
            backbone file in Checkpoints. docs/checkpoints.md says what can be read.

            The bridged CLIP is kept in the run's folder as backbone.safetensors; `learn` takes it with --backbone.
            """)

    @OptionGroup(title: "Data") var data: DataOptions
    @OptionGroup(title: "Captions") var captions: CaptionOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Training") var training: TrainingOptions
    @OptionGroup(title: "Memory") var memory: MemoryOptions
    @OptionGroup(title: "Settings") var recipe: RecipeOptions
    @OptionGroup(title: "Run") var runOptions: RunOptions

    @Option(help: "What learns: both towers, image or text.")
    var tuning: Tuning?
    @Option(help: "How frames come together: embedding, decision or image.")
    var fusion: Fusion?
    @Option(help: ArgumentHelp("Name of the result, recorded in its file; bridged-clip by default.", valueName: "name"))
    var name: String?
    @Flag(help: "Keep the weights in half precision: files of half the size.")
    var half = false
    @Option(
        name: .customLong("import"),
        help: ArgumentHelp("Only make a backbone file of this CLIP: a file, or a folder of Hugging Face or open_clip.", valueName: "path"))
    var source: String?
    @Option(help: ArgumentHelp("With --import: the CLIP with the token table that ViFi-CLIP's checkpoints lack.", valueName: "path"))
    var clip: String?
    @Option(
        help: ArgumentHelp(
            "With --import: attention heads of the image and the text tower, such as 12,8, for CLIPs that do not say it.",
            valueName: "numbers"))
    var heads: HeadCounts?
    @Option(help: ArgumentHelp(
        "With --import, where a file holds several CLIPs, such as a model and its average: what the names of the one that is "
            + "meant start with.", valueName: "prefix"))
    var prefix: String?
    @Flag(help: "With --import: overwrite the backbone file.")
    var force = false

    func validate() throws {
        guard source != nil else {
            if clip != nil || force { throw ValidationError("--clip and --force are for --import.") }
            if heads != nil { throw ValidationError("--heads is for --import.") }
            if prefix != nil { throw ValidationError("--prefix is for --import.") }
            return
        }
        guard data.train == nil, data.val == nil, data.labels == nil, captions.captions == nil, model.backbone == nil, recipe.recipe == nil
        else {
            throw ValidationError("--import only makes a backbone file: leave out --train, --val, --labels, --captions, --backbone and --recipe.")
        }
        guard name?.utf8.contains(UInt8(ascii: "/")) != true, name != "" else {
            throw ValidationError("--name is a name, not a path. Use --output FILE.")
        }
    }

    func run() throws {
        if let source {
            return try BridgeImport(
                source: source, clip: clip, prefix: prefix, vocabulary: model.vocabulary, name: name, output: training.output,
                activation: model.activation, heads: heads, isHalf: half,
                force: force
            ).run()
        }
        try launch()
    }

    private func runSettings(_ resumed: ResumedRun?) throws -> Settings {
        try resumed?.settings(pool: model.pool) ?? Settings(kind: .bridge, recipeOptions: recipe, flags: flags, pool: model.pool)
    }

    /// Everything that a run needs, read and checked; nothing is written.
    private func prepared(_ resumed: ResumedRun?) throws -> (run: LearningRun, texts: RunTexts, makeTask: () -> BridgeTask) {
        var settings = try runSettings(resumed)
        let backbone = try settings.backbone(kind: .bridge, activation: model.activation)
        try resumed?.check(backbone)
        let tokenizer = try BackboneFinder.tokenizer(for: backbone, vocabulary: model.vocabulary)
        let runData = try RunData(settings: settings, kind: .bridge, options: data, resumed: resumed)
        settings = try settings.withWarmup(clipCount: runData.train.clips.count)
        let texts = try RunTexts(runData, settings: settings, prompts: .none, backbone: backbone, tokenizer: tokenizer)
        // Evaluating and saving take a copy of the weights; halving them, another.
        let besides = memory.videoBytes(frameCount: settings.frameCount, side: backbone.architecture.imagePixels)
            + LearningRun.batchBytes(settings, side: backbone.architecture.imagePixels) + (half ? 8 : 4) * backbone.parameterCount
            + backbone.architecture.packedWeightBytes(precision: backbone.precision, hasBackward: true)
            + backbone.architecture.packedWeightBytes(precision: backbone.precision, hasBackward: false)
        let makeTask = {
            BridgeTask(
                backbone: backbone, tuning: settings.recipe.tuning ?? .both,
                setting: TaskSetting(
                    sequences: texts.sequences, fusion: settings.fusion, frameCount: settings.frameCount, pool: settings.pool,
                    weightDecay: settings.recipe.training.weightDecay ?? 1e-3,
                    budget: memory.budget(pool: settings.pool, besides: besides), rounding: settings.rounding,
                    videoOfCaption: texts.videoOfCaption),
                normalization: settings.normalization(for: backbone))
        }
        let learning = LearningRun(
            kind: .bridge, settings: settings, data: runData, options: data, backbone: backbone, recipe: settings.recipe,
            saveInterval: runOptions.saveInterval, cacheBytes: memory.cacheBytes)
        return (learning, texts, makeTask)
    }

    /// - Throws: `TrainingError` where `--memory` is too little for the task.
    private func checked<Task: LearningTask>(_ task: Task) throws -> Task {
        try memory.check(shortfall: task.memoryShortfall)
        return task
    }

    func plan(timing: Bool) throws -> RunPlan {
        let (run, texts, makeTask) = try prepared(nil)
        try run.refuseCaptions()
        return try RunPlan(
            run, learned: .backbone(run.settings.recipe.tuning ?? .both), sequences: texts.sequences,
            seedCount: runOptions.seeds?.seeds.count ?? 1, hasHalfFiles: half, makeTask: { try checked(makeTask()) }, isTimed: timing)
    }

    func learn(_ start: RunStart) throws {
        try drawPocketVideos { try runSettings(start.resumed) }
        var (learning, texts, task) = try Ranks.group.agreed { () throws -> (LearningRun, RunTexts, BridgeTask) in
            let (learning, texts, makeTask) = try prepared(start.resumed)
            let task = try checked(makeTask())
            return (learning, texts, task)
        }
        let (settings, backbone, runData) = (learning.settings, learning.backbone, learning.data)
        if let valSequences = texts.valSequences {
            learning.captionTest = (
                valSequences,
                {
                    PairEncoder(
                        backbone: task.backbone(named: backbone.description.name, provenance: ""), frameCount: settings.frameCount,
                        pool: settings.pool)
                })
        }
        let provenance = "\(backbone.description.name) (\(backbone.digest.prefix(12))), tuned (\(settings.recipe.tuning ?? .both)) on "
            + "\(runData.amount), seed \(settings.seed), "
            + "recipe \(Digest.of(settings.recipe.yaml).prefix(12))"
        let outcome = try learning.train(task, sequences: texts.sequences, start: start) { path, report in
            var tuned = task.backbone(named: name ?? "bridged-clip", provenance: provenance)
            if half { tuned = tuned.roundedToFloat16() }
            for file in report.isBest ? ["last", "backbone"] : ["last"] {
                try tuned.save(to: path.appendingPath("\(file).safetensors"), elementType: half ? .float16 : .float32)
            }
        }
        outcome.result.show()
        Console.result("backbone: \(outcome.path.appendingPath("backbone.safetensors"))")
    }

    private func flags(_ recipe: inout Recipe) {
        data.apply(to: &recipe)
        captions.apply(to: &recipe)
        training.apply(to: &recipe)
        recipe.model.checkpoint = model.backbone ?? recipe.model.checkpoint
        recipe.model.precision = model.precision ?? recipe.model.precision
        recipe.tuning = tuning ?? recipe.tuning
        recipe.fusion = fusion ?? recipe.fusion
    }
}
