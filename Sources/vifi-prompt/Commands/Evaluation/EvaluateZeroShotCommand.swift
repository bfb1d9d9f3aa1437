import ArgumentParser
import CLIPModel
import Evaluation
import Experiments
import Files
import Recipes
import Training
import VideoData

struct EvaluateZeroShotCommand: PlannableCommand {
    static let configuration = CommandConfiguration(
        commandName: "zero-shot",
        abstract: "Classes by their names alone: several splits, or random draws of classes; mean ± deviation.",
        discussion: """
            The paper's HMDB-51 and UCF-101: three splits. Its Kinetics-600: three draws of 160 classes, here made \
            from a larger list, or given as lists with class names of their own.

              vifi-prompt evaluate zero-shot --backbone bridged.safetensors \\
                --labels labels.csv --test val1.txt --test val2.txt --test val3.txt
              vifi-prompt evaluate zero-shot --backbone clip.safetensors --names-only \\
                --test k600/val.txt --labels k600/labels.csv --without k400/labels.csv \\
                --draws 3 --classes-per-draw 160

            One view of 32 frames unless --views, --frames, a recipe or a prompt file say otherwise. Draws are kept in the \
            folder's lists/. Finished parts in the folder are not repeated.

            Table 1: with --methods each of them learns --train (Kinetics-400 in the paper) by a recipe of its own, and what \
            it learned is scored on every list.

              vifi-prompt evaluate zero-shot --methods zero-shot,fine-tune,a5,actionclip \\
                --train k400/train.txt --train-labels k400/labels.csv \\
                --backbone clip.safetensors --labels labels.csv --test val1.txt

            Without lists: three draws of 8 of the pocket world's 16 classes, some seconds; with --methods the pocket CLIP \
            that knows stills learns the large set first, some minutes a method.
            """)

    @OptionGroup(title: "Data") var lists: TestListOptions
    @OptionGroup(title: "Data") var videos: VideoOptions
    @OptionGroup(title: "Draws") var drawn: DrawOptions
    @OptionGroup(title: "Learning") var source: SourceOptions
    @OptionGroup(title: "Learning") var learning: ProtocolLearningOptions
    @OptionGroup(title: "Prompts") var prompts: PromptOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Test") var test: TestOptions
    @OptionGroup(title: "Settings") var recipe: RecipeOptions
    @OptionGroup(title: "Output") var output: ProtocolOutputOptions
    @OptionGroup(title: "Plan") var planning: DryRunOptions
    @OptionGroup(title: "Memory") var memory: MemoryOptions

    struct DrawOptions: ParsableArguments {
        @Option(help: ArgumentHelp("Random draws of classes from the list.", valueName: "number"))
        var draws: Int?

        @Option(help: ArgumentHelp("Classes of a draw.", valueName: "number"))
        var classesPerDraw: Int?

        @Option(help: "Seed of the draws, and of views that are drawn by chance.")
        var seed: Int?

        @Option(help: ArgumentHelp("Class names to leave out before drawing, such as those that the backbone was trained on.", valueName: "csv"))
        var without: String?
    }

    private var draws: Int? { drawn.draws }
    private var classesPerDraw: Int? { drawn.classesPerDraw }
    private var seed: Int? { drawn.seed }
    private var without: String? { drawn.without }

    func validate() throws {
        guard (draws == nil) == (classesPerDraw == nil) else { throw ValidationError("--draws and --classes-per-draw go together.") }
        try requireRange("--draws", draws, 1...1000)
        if let classesPerDraw, classesPerDraw < 1 { throw ValidationError("--classes-per-draw is \(classesPerDraw); it must be at least 1.") }
        guard draws == nil || lists.tests.count <= 1 else { throw ValidationError("--draws are made from one list: pass --test once.") }
        guard without == nil || draws != nil else { throw ValidationError("--without is for --draws.") }
        try source.check(learning, prompts)
    }

    var json: Bool { output.json }

    func start() throws {
        if let (scoring, drawn) = try learned() { return try output.show(scoring.run(output: output.output, drawn: drawn)) }
        let (scoring, drawn) = try prepared()
        try output.show(scoring.run(output: output.output, drawn: drawn))
    }

    func plan(timing: Bool) throws -> any CostPlan {
        if let (scoring, drawn) = try learned() { return try scoring.plan(timing: timing, drawn: drawn) }
        let (scoring, drawn) = try prepared()
        return try scoring.plan(timing: timing, drawn: drawn)
    }

    /// Nil without methods.
    private func learned() throws -> (LearnedScoring, ListScoring.Drawing?)? {
        guard
            var scoring = try LearnedScoring(
                .zeroShot, lists: lists, source: source, learning: learning, videos: videos, model: model, memory: memory, recipe: recipe, test: test,
                seed: seed)
        else { return nil }
        let drawing = try drawing(from: scoring.tests.first?.test, isPocket: scoring.isPocket, seed: seed ?? 1, inputs: &scoring.inputs)
        return (scoring, drawing)
    }

    private func prepared() throws -> (ListScoring, ListScoring.Drawing?) {
        var scoring = try ListScoring(
            name: "zero-shot", lists: lists, videos: videos, model: model, prompts: prompts, recipe: recipe, test: test, seed: seed,
            defaultFrames: 32)
        if scoring.isPocket { try scoring.takePocket(.small()) }
        let drawing = try drawing(from: scoring.tests.first?.test, isPocket: scoring.isPocket, seed: scoring.seed, inputs: &scoring.inputs)
        return (scoring, drawing)
    }

    /// How classes are drawn from a list; nil where nobody asks for it and nothing is the pocket world's.
    ///
    /// - Parameter inputs: what determines the numbers.
    private func drawing(from source: TestList?, isPocket: Bool, seed: Int, inputs: inout [String: String]) throws -> ListScoring.Drawing? {
        let asked = draws.flatMap { draws in classesPerDraw.map { (draws: draws, classes: $0) } }
        guard let drawing = asked ?? (isPocket ? (draws: 3, classes: 8) : nil), let source else { return nil }
        inputs["number of classes in a draw"] = "\(drawing.classes)"
        inputs["classes left out"] = try without.map { try Digest.ofFile($0) } ?? "none"
        let all = try candidates(source.classes)
        guard drawing.classes <= all.count else {
            throw ProtocolError.tooFewClasses(path: source.list.path, classes: all.count, asked: drawing.classes)
        }
        return { folder in
            try (0..<drawing.draws).map { draw in
                let members = ClassSubset(drawing: drawing.classes, from: all, seed: UInt64(seed), draw: draw)
                let clips = members.clips(of: source.list.clips)
                guard !clips.isEmpty else { throw ProtocolError.emptyHalf(path: source.list.path, half: "drawn") }
                let list = AnnotationList(path: source.list.path, root: source.list.root, clips: clips)
                let name = "draw\(draw + 1)"
                return (name, try folder.write(list, members.names(of: source.classes), name: name))
            }
        }
    }

    /// The classes to draw from, by number.
    private func candidates(_ classes: ClassNames) throws -> [Int] {
        let known = Set(try without.map { try ClassNames.readTold($0, context: .commandLine).names.map(Self.folded) } ?? [])
        let left = classes.names.indices.filter { !known.contains(Self.folded(classes[$0])) }
        if without != nil { Console.note("\(left.count) of \(classes.count) classes are left to draw from.") }
        return left
    }

    /// Names that differ in letter case or underscores alone are the same.
    private static func folded(_ name: String) -> String {
        String(name.lowercased().map { $0 == "_" ? " " : $0 })
    }
}

struct EvaluateSupervisedCommand: PlannableCommand {
    static let configuration = CommandConfiguration(
        commandName: "supervised",
        abstract: "The classes that a backbone was trained on, each video seen as 4 clips × 3 crops.",
        discussion: """
            Probabilities of all views are averaged. Clip v of 4 takes the point (v + ½)/4 of each segment, so results repeat; \
            with --compat vifi-clip or random-views frames are drawn by chance, as ViFi-CLIP's code does.

              vifi-prompt evaluate supervised --backbone bridged.safetensors \\
                --test k400/val.txt --labels k400/labels.csv

            16 frames unless --frames, a recipe or a prompt file say otherwise.

            Table 4: with --methods each of them learns --train by a recipe of its own first, and is scored so.

              vifi-prompt evaluate supervised --methods fine-tune,a6,actionclip \\
                --train k400/train.txt --test k400/val.txt --labels k400/labels.csv \\
                --backbone clip.safetensors

            Without lists: the bridged pocket CLIP on the test videos of the large set that it was bridged on, some seconds; with --methods \
            each learns that set from the pocket CLIP that knows stills.
            """)

    @OptionGroup(title: "Data") var lists: TestListOptions
    @OptionGroup(title: "Data") var videos: VideoOptions
    @OptionGroup(title: "Learning") var source: SourceOptions
    @OptionGroup(title: "Learning") var learning: ProtocolLearningOptions
    @OptionGroup(title: "Prompts") var prompts: PromptOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Test") var test: TestOptions
    @OptionGroup(title: "Settings") var recipe: RecipeOptions
    @OptionGroup(title: "Output") var output: ProtocolOutputOptions
    @OptionGroup(title: "Plan") var planning: DryRunOptions
    @OptionGroup(title: "Memory") var memory: MemoryOptions

    @Option(help: "Seed of views that are drawn by chance.")
    var seed: Int?

    var json: Bool { output.json }

    func validate() throws { try source.check(learning, prompts) }

    func start() throws { try output.show(learned()?.run(output: output.output) ?? prepared().run(output: output.output)) }

    func plan(timing: Bool) throws -> any CostPlan { try learned()?.plan(timing: timing) ?? prepared().plan(timing: timing) }

    /// Nil without methods.
    private func learned() throws -> LearnedScoring? {
        try LearnedScoring(
            .supervised, lists: lists, source: source, learning: learning, videos: videos, model: model, memory: memory, recipe: recipe, test: test,
            seed: seed)
    }

    private func prepared() throws -> ListScoring {
        var scoring = try ListScoring(
            name: "supervised", lists: lists, videos: videos, model: model, prompts: prompts, recipe: recipe, test: test, seed: seed,
            defaultFrames: 16)
        scoring.defaultViews("4x3")
        if scoring.isPocket { try scoring.takePocket(.large()) }
        return scoring
    }
}

extension ListScoring {
    fileprivate init(
        name: String, lists: TestListOptions, videos: VideoOptions, model: ModelOptions, prompts: PromptOptions, recipe: RecipeOptions,
        test: TestOptions, seed: Int?, defaultFrames: Int
    ) throws {
        let source = try recipe.source { recipe in
            videos.apply(to: &recipe)
            test.apply(to: &recipe)
            model.inputs.apply(to: &recipe)
            recipe.training.seed = seed ?? recipe.training.seed
        }
        try self.init(
            name: name, lists: lists.inputs, videos: videos.inputs, model: model.inputs, prompts: prompts.prompts,
            anyBackbone: prompts.anyBackbone, source: source, words: test.words, defaultFrames: defaultFrames, context: .commandLine)
    }
}
