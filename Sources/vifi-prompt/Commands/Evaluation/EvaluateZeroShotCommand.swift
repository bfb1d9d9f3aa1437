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

            Without lists: three draws of 8 of the pocket world's 16 classes, some seconds.
            """)

    @OptionGroup(title: "Data") var lists: TestListOptions
    @OptionGroup(title: "Data") var videos: VideoOptions
    @OptionGroup(title: "Draws") var drawn: DrawOptions
    @OptionGroup(title: "Prompts") var prompts: PromptOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Test") var test: TestOptions
    @OptionGroup(title: "Settings") var recipe: RecipeOptions
    @OptionGroup(title: "Output") var output: ProtocolOutputOptions
    @OptionGroup(title: "Plan") var planning: DryRunOptions

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
    }

    var json: Bool { output.json }

    func start() throws {
        let (scoring, drawn) = try prepared()
        try output.show(scoring.run(output: output.output, drawn: drawn))
    }

    func plan(timing: Bool) throws -> any CostPlan {
        let (scoring, drawn) = try prepared()
        return try scoring.plan(timing: timing, drawn: drawn)
    }

    private func prepared() throws -> (ListScoring, ListScoring.Drawing?) {
        var scoring = try ListScoring(
            name: "zero-shot", lists: lists, videos: videos, model: model, prompts: prompts, recipe: recipe, test: test, seed: seed,
            defaultFrames: 32)
        var drawing = draws.flatMap { draws in classesPerDraw.map { (draws: draws, classes: $0) } }
        if scoring.isPocket {
            try scoring.takePocket(.small())
            drawing = drawing ?? (draws: 3, classes: 8)
        }
        guard let drawing, let source = scoring.tests.first?.test else { return (scoring, nil) }
        scoring.inputs["number of classes in a draw"] = "\(drawing.classes)"
        scoring.inputs["classes left out"] = try without.map { try Digest.ofFile($0) } ?? "none"
        let all = try candidates(source.classes)
        guard drawing.classes <= all.count else {
            throw ProtocolError.tooFewClasses(path: source.list.path, classes: all.count, asked: drawing.classes)
        }
        let seed = scoring.seed
        return (scoring, { folder in
            try (0..<drawing.draws).map { draw in
                let members = ClassSubset(drawing: drawing.classes, from: all, seed: UInt64(seed), draw: draw)
                let clips = members.clips(of: source.list.clips)
                guard !clips.isEmpty else { throw ProtocolError.emptyHalf(path: source.list.path, half: "drawn") }
                let list = AnnotationList(path: source.list.path, root: source.list.root, clips: clips)
                let name = "draw\(draw + 1)"
                return (name, try folder.write(list, members.names(of: source.classes), name: name))
            }
        })
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

            Without lists: the bridged pocket CLIP on the test videos of the large set that it was bridged on, some seconds.
            """)

    @OptionGroup(title: "Data") var lists: TestListOptions
    @OptionGroup(title: "Data") var videos: VideoOptions
    @OptionGroup(title: "Prompts") var prompts: PromptOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Test") var test: TestOptions
    @OptionGroup(title: "Settings") var recipe: RecipeOptions
    @OptionGroup(title: "Output") var output: ProtocolOutputOptions
    @OptionGroup(title: "Plan") var planning: DryRunOptions

    @Option(help: "Seed of views that are drawn by chance.")
    var seed: Int?

    var json: Bool { output.json }

    func start() throws { try output.show(prepared().run(output: output.output)) }

    func plan(timing: Bool) throws -> any CostPlan { try prepared().plan(timing: timing) }

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
