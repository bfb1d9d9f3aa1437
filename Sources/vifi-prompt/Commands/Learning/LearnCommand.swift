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

            The best and the last prompts are kept in the run's folder under prompts/.
            """)

    @OptionGroup(title: "Data") var data: DataOptions
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
    @Option(help: "How frames come together: embedding, decision or image.")
    var fusion: Fusion?

    func run() throws { try launch() }

    private struct Prepared {
        let run: LearningRun
        let sequences: [[Int]]
        let configuration: PromptConfiguration
        let makeTask: () -> PromptTask
    }

    private func runSettings(_ resumed: ResumedRun?) throws -> Settings {
        try resumed?.settings(pool: model.pool) ?? Settings(kind: .learn, recipeOptions: recipe, flags: flags, pool: model.pool)
    }

    /// Everything that a run needs, read and checked; nothing is written.
    private func prepared(_ resumed: ResumedRun?) throws -> Prepared {
        let settings = try runSettings(resumed)
        let backbone = try settings.backbone(kind: .learn, activation: model.activation)
        try resumed?.check(backbone)
        let tokenizer = try BackboneFinder.tokenizer(for: backbone, vocabulary: model.vocabulary)
        let given = try initial.prompts(
            for: backbone, asked: askedPrompts(), normalisation: settings.normalisation(for: backbone))
        try resumed?.check(initialDigest: given?.reading.digest, path: initial.path)
        let prompts = try given ?? startingPrompts(settings: settings, backbone: backbone, tokenizer: tokenizer)
        let configuration = prompts.configuration
        let runData = try RunData(settings: settings, kind: .learn, options: data, resumed: resumed)
        let sequences = try backbone.sequences(
            of: runData.classes.names, textTokens: configuration.textTokens, template: settings.recipe.template,
            keepsUnderscores: settings.recipe.repeats(.keptUnderscores), tokenizer: tokenizer)
        let filmBytes = memory.filmBytes(frameCount: settings.frameCount, side: backbone.architecture.imagePixels)
        let makeTask = {
            PromptTask(
                backbone: backbone, prompts: prompts,
                setting: TaskSetting(
                    sequences: sequences, fusion: settings.fusion, frameCount: settings.frameCount, pool: settings.pool,
                    weightDecay: settings.recipe.training.weightDecay ?? 1e-3,
                    budget: memory.budget(pool: settings.pool, besides: filmBytes), rounding: settings.rounding))
        }
        let learning = LearningRun(
            kind: .learn, settings: settings, data: runData, options: data, backbone: backbone,
            recipe: settings.recipe(with: configuration), initialDigest: given?.reading.digest,
            saveInterval: runOptions.saveInterval, cacheBytes: memory.cacheBytes)
        return Prepared(
            run: learning, sequences: sequences, configuration: configuration, makeTask: makeTask)
    }

    func plan(timing: Bool) throws -> RunPlan {
        let prepared = try prepared(nil)
        return try RunPlan(
            prepared.run, learned: .prompts(prepared.configuration), sequences: prepared.sequences,
            seedCount: runOptions.seeds?.seeds.count ?? 1, makeTask: prepared.makeTask, isTimed: timing)
    }

    func learn(_ start: RunStart) throws {
        try drawPocketFilms { try runSettings(start.resumed) }
        let (prepared, task) = try Ranks.group.agreed { () throws -> (Prepared, PromptTask) in
            let prepared = try self.prepared(start.resumed)
            let task = prepared.makeTask()
            try memory.check(shortfall: task.memoryShortfall)
            return (prepared, task)
        }
        let learning = prepared.run
        let (settings, backbone) = (learning.settings, learning.backbone)
        let outcome = try learning.train(task, sequences: prepared.sequences, start: start) { path, report in
            try checkUntouched(backbone)
            var header = PromptHeader(
                backbone: backbone, configuration: prepared.configuration, classNames: learning.data.classes.names,
                frameCount: settings.frameCount, fusion: settings.fusion,
                normalisation: settings.normalisation(for: backbone), template: settings.recipe.template ?? "a photo of a {}.",
                shots: settings.recipe.training.shots,
                seed: settings.seed, recipeDigest: Digest.of(learning.recipe.yaml))
            header.initialDigest = learning.initialDigest
            header.metrics["training_loss"] = report.trainingLoss
            header.metrics["epoch"] = Double(report.epoch)
            if let metrics = report.metrics {
                header.metrics["val_top1"] = metrics.top1
                header.metrics["val_top5"] = metrics.top5
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
                visionTokens: configuration.visionTokens, visionDepth: configuration.visionDepth,
                textTokens: words.count, textDepth: configuration.textDepth)
        }
        try configuration.check(against: backbone.architecture)
        var prompts = PromptSet(random: configuration, architecture: backbone.architecture, seed: settings.seed)
        if !words.isEmpty {
            prompts.text = backbone.templatePrompts(tokens: words, depth: configuration.textDepth, pool: settings.pool)
        }
        return prompts
    }

    /// Numbers of tokens and layers that the command line itself names.
    private func askedPrompts() throws -> Recipe.Prompts {
        var asked = Recipe()
        flags(&asked)
        for assignment in recipe.assignments { try asked.set(assignment) }
        return asked.prompts
    }

    private func flags(_ recipe: inout Recipe) {
        data.apply(to: &recipe)
        training.apply(to: &recipe)
        recipe.model.checkpoint = model.backbone ?? recipe.model.checkpoint
        recipe.model.precision = model.precision ?? recipe.model.precision
        recipe.prompts.visionTokens = visionTokens ?? recipe.prompts.visionTokens
        recipe.prompts.textTokens = textTokens ?? recipe.prompts.textTokens
        recipe.prompts.visionDepth = visionDepth ?? recipe.prompts.visionDepth
        recipe.prompts.textDepth = textDepth ?? recipe.prompts.textDepth
        recipe.fusion = fusion ?? recipe.fusion
    }

    /// The proof that learning prompts leaves the backbone as it was, before anything is saved.
    private func checkUntouched(_ backbone: Backbone) throws {
        let now = backbone.parameters.digest(of: backbone.architecture)
        guard now == backbone.digest else { throw TrainingError.backboneChanged(before: backbone.digest, after: now) }
    }
}

/// "61.3 %"
func percent(_ value: Double) -> String { ProgressReporter.decimal(value, places: 1) + " %" }
