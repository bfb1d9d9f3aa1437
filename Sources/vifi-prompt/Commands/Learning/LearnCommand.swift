import ArgumentParser
import CLIPModel
import Files
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

    func run() throws { try launch() }

    private struct Prepared {
        var run: LearningRun
        let texts: RunTexts
        let configuration: PromptConfiguration
        let makeTask: () -> PromptTask
        /// Asked once the task is made.
        let freezing: (PromptTask) -> Freezing?
    }

    private func runSettings(_ resumed: ResumedRun?) throws -> Settings {
        try resumed?.settings(pool: model.pool) ?? Settings(kind: .learn, recipeOptions: recipe, flags: flags, pool: model.pool)
    }

    /// Everything that a run needs, read and checked; nothing is written.
    private func prepared(_ resumed: ResumedRun?) throws -> Prepared {
        var settings = try runSettings(resumed)
        let backbone = try settings.backbone(kind: .learn, activation: model.activation)
        try resumed?.check(backbone)
        let tokenizer = try BackboneFinder.tokenizer(for: backbone, vocabulary: model.vocabulary)
        let asked = try asked()
        if quick, settings.hasCaptions {
            throw SettingsError.notWithCaptions(what: "--quick", reason: "captions are learned from whole clips. Leave one of them out.")
        }
        if settings.hasFixedFrames, !asked.augmentation.changes.isEmpty {
            throw SettingsError.fixedFramesChange(keys: asked.augmentation.changes)
        }
        let given = try initial.prompts(
            for: backbone, asked: asked.prompts, normalization: settings.normalization(for: backbone))
        try resumed?.check(initialDigest: given?.reading.digest, path: initial.path)
        let prompts = try given ?? startingPrompts(settings: settings, backbone: backbone, tokenizer: tokenizer)
        let configuration = prompts.configuration
        guard configuration != .none else { throw SettingsError.nothingLearns }
        let runData = try RunData(settings: settings, kind: .learn, options: data, resumed: resumed)
        settings = try settings.withWarmup(clipCount: runData.train.clips.count)
        let texts = try RunTexts(
            runData, settings: settings, prompts: configuration, backbone: backbone, tokenizer: tokenizer)
        let side = backbone.architecture.imagePixels
        let besides = memory.videoBytes(frameCount: settings.frameCount, side: side) + LearningRun.batchBytes(settings, side: side)
            + backbone.architecture.packedWeightBytes(precision: backbone.precision, hasBackward: true)
        let makeTask = {
            PromptTask(
                backbone: backbone, prompts: prompts,
                setting: TaskSetting(
                    sequences: texts.sequences, fusion: settings.fusion, frameCount: settings.frameCount, pool: settings.pool,
                    weightDecay: settings.recipe.training.weightDecay ?? 1e-3,
                    budget: memory.budget(pool: settings.pool, besides: besides), rounding: settings.rounding,
                    videoOfCaption: texts.videoOfCaption))
        }
        let freezing = { (task: PromptTask) in
            Freezing(
                task, settings: settings,
                byteBudget: memory.frozenBytes(
                    pool: settings.pool,
                    besides: besides + backbone.evaluationBytes(
                        prompts: configuration, sequences: texts.sequences, frameCount: settings.frameCount, pool: settings.pool)))
        }
        let learning = LearningRun(
            kind: .learn, settings: settings, data: runData, options: data, backbone: backbone,
            recipe: settings.recipe(with: configuration), initialDigest: given?.reading.digest,
            saveInterval: runOptions.saveInterval, cacheBytes: memory.cacheBytes)
        return Prepared(
            run: learning, texts: texts, configuration: configuration, makeTask: makeTask, freezing: freezing)
    }

    /// - Throws: `TrainingError` where `--memory` is too little for the task.
    private func checked<Task: LearningTask>(_ task: Task) throws -> Task {
        try memory.check(shortfall: task.memoryShortfall)
        return task
    }

    func plan(timing: Bool) throws -> RunPlan {
        let prepared = try prepared(nil)
        try prepared.run.refuseCaptions()
        return try RunPlan(
            prepared.run, learned: .prompts(prepared.configuration), sequences: prepared.texts.sequences,
            seedCount: runOptions.seeds?.seeds.count ?? 1, makeTask: { try checked(prepared.makeTask()) }, freezing: prepared.freezing, isTimed: timing)
    }

    func learn(_ start: RunStart) throws {
        try drawPocketVideos { try runSettings(start.resumed) }
        let (prepared, task) = try Ranks.group.agreed { () throws -> (Prepared, PromptTask) in
            let prepared = try self.prepared(start.resumed)
            let task = try checked(prepared.makeTask())
            return (prepared, task)
        }
        var learning = prepared.run
        let (settings, backbone) = (learning.settings, learning.backbone)
        if let valSequences = prepared.texts.valSequences {
            learning.captionTest = (
                valSequences,
                {
                    PairEncoder(
                        backbone: backbone, prompts: task.prompts.reading, frameCount: settings.frameCount, pool: settings.pool)
                })
        }
        let freezing = prepared.freezing(task)
        let outcome = try learning.train(task, sequences: prepared.texts.sequences, start: start, freezing: freezing) { path, report in
            try checkUntouched(backbone)
            var header = PromptHeader(
                backbone: backbone, configuration: prepared.configuration, classNames: learning.data.classes.names,
                frameCount: settings.frameCount, fusion: settings.fusion,
                normalization: settings.normalization(for: backbone), template: settings.recipe.template ?? "a photo of a {}.",
                shots: settings.recipe.training.shots,
                seed: settings.seed, recipeDigest: Digest.of(learning.recipe.yaml))
            header.initialDigest = learning.initialDigest
            header.metrics["training_loss"] = report.trainingLoss
            header.metrics["epoch"] = Double(report.epoch)
            if let metrics = report.metrics {
                header.metrics[metrics.names.top1] = metrics.top1
                header.metrics[metrics.names.top5] = metrics.top5
            }
            let file = PromptFile(prompts: task.prompts.reading, header: header)
            try createDirectory(path.appendingPath("prompts"))
            for name in report.isBest ? ["last", "best"] : ["last"] {
                try file.save(to: path.appendingPath("prompts/\(name).safetensors"))
            }
        }
        Console.note("The backbone's SHA-256 is \(backbone.digest.prefix(12))… as before: only prompts have changed.")
        outcome.result.show()
        Console.result("prompts: \(outcome.path.appendingPath("prompts/best.safetensors"))")
    }

    private func startingPrompts(
        settings: Settings, backbone: Backbone, tokenizer: any Tokenizer
    ) throws -> PromptSet<MutableMatrix> {
        var configuration = settings.fittedPrompts(to: backbone.architecture)
        var words: [Int] = []
        if settings.recipe.prompts.start == .template, configuration.textDepth > 0 {
            if let textTokens { Console.warning("--text-tokens \(textTokens) is not used: prompts.start is template, which has its own number of tokens.") }
            words = try backbone.templateTokens(settings.recipe.template ?? "", tokenizer: tokenizer)
            configuration = PromptConfiguration(
                visionTokens: configuration.visionTokens, visionLayers: configuration.visionLayers,
                textTokens: words.count, textLayers: configuration.textLayers)
        }
        try configuration.check(against: backbone.architecture)
        var prompts = PromptSet(random: configuration, architecture: backbone.architecture, seed: settings.seed)
        if !words.isEmpty {
            prompts.text = backbone.templatePrompts(tokens: words, layers: configuration.textLayers, pool: settings.pool)
        }
        return prompts
    }

    /// What the command line itself names.
    private func asked() throws -> Recipe {
        var asked = Recipe()
        flags(&asked)
        for assignment in recipe.assignments { try asked.set(assignment) }
        return asked
    }

    private func flags(_ recipe: inout Recipe) {
        data.apply(to: &recipe)
        captions.apply(to: &recipe)
        training.apply(to: &recipe)
        recipe.model.checkpoint = model.backbone ?? recipe.model.checkpoint
        recipe.model.precision = model.precision ?? recipe.model.precision
        recipe.prompts.visionTokens = visionTokens ?? recipe.prompts.visionTokens
        recipe.prompts.textTokens = textTokens ?? recipe.prompts.textTokens
        recipe.prompts.visionDepth = visionDepth ?? recipe.prompts.visionDepth
        recipe.prompts.textDepth = textDepth ?? recipe.prompts.textDepth
        recipe.prompts.visionLayers = visionLayers ?? (quick ? PromptLayers.none : recipe.prompts.visionLayers)
        recipe.prompts.textLayers = textLayers ?? recipe.prompts.textLayers
        if quick || fixedFrames { recipe.augmentation.fixedFrames = true }
        recipe.fusion = fusion ?? recipe.fusion
    }

    /// The proof that learning prompts leaves the backbone as it was, before anything is saved.
    private func checkUntouched(_ backbone: Backbone) throws {
        let now = backbone.parameters.digest(of: backbone.architecture)
        guard now == backbone.weightsDigest else { throw TrainingError.backboneChanged(before: backbone.weightsDigest, after: now) }
    }
}

/// "61.3 %"
func percent(_ value: Double) -> String { ProgressReporter.decimal(value, places: 1) + " %" }
