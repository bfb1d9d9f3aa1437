import ArgumentParser
import CLIPModel
import Evaluation
import Experiments
import Files
import Foundation
import Recipes
import Reports
import Tensors
import Training
import VideoData

struct EvaluateRetrievalCommand: PlannableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retrieval",
        abstract: "Finds videos by captions and captions by videos: R@1, R@5, R@10, median and mean rank.",
        discussion: """
            Without a model and captions it takes the newest run here that learned from captions, with its own test \
            captions, and where there is none the bridged pocket CLIP on the pocket world's small test list. The captions of \
            the run that --prompts or --backbone lie in need not be named either; --captions pocket is the pocket world's list.

              vifi-prompt evaluate retrieval --captions test.csv \\
                  --backbone clip.safetensors
              vifi-prompt evaluate retrieval --captions test.csv \\
                  --prompts runs/captions-learn/prompts/best.safetensors
              vifi-prompt evaluate retrieval --captions test.csv --max-words 32 \\
                  --output results/

            Table 10: with --methods each of them learns --train-captions first, with each seed, and all are set side by side \
            with what they learned and cost; --output is the folder of it all, runs/evaluate-retrieval by default. Repeat the \
            command to continue.

              vifi-prompt evaluate retrieval --methods zero-shot,prompt,fine-tune \\
                  --train-captions train.csv --captions test.csv \\
                  --backbone clip.safetensors --seeds 1,2,3

            A query's rank is 1 + the number of candidates that score higher than its answer; equal scores count \
            for the answer, and are counted. A caption looks for its video among all videos; a video looks for \
            its captions among all captions, and of several the best counts. docs/retrieval.md explains it all.
            """)

    @Option(
        help: ArgumentHelp(
            "Test captions: CSV with the header `video,caption`; `data import` makes it from MSR-VTT's lists.", valueName: "csv"))
    var captions: String?
    @Option(help: ArgumentHelp("Folder that the paths in the list start from; the list's own folder by default.", valueName: "folder"))
    var root: String?
    @Option(help: "Frames of a clip; 16 by default, or the prompt file's.")
    var frames: Int?
    @Option(
        help: ArgumentHelp(
            "Most tokens of a caption, start and end token included; what is longer is cut. CLIP4Clip takes 32.", valueName: "tokens"))
    var maxWords: Int?
    @Option(help: ArgumentHelp("Words around a caption, with {} in its place; the caption alone by default.", valueName: "words"))
    var template: String?
    @Flag(help: "Allow the list to reach videos outside the root through symbolic links.")
    var followLinks = false
    @Option(
        name: .customLong("on-bad-video"),
        help: ArgumentHelp("Videos that cannot be decoded: fail (the default), or skip them and their captions.", valueName: "policy"))
    var badVideoPolicy: BadVideoPolicy?

    @OptionGroup(title: "Learning") var learning: CaptionMethodOptions
    @OptionGroup(title: "Prompts") var prompts: PromptOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Settings") var recipe: RecipeOptions
    @OptionGroup(title: "Plan") var planning: DryRunOptions

    @Flag(help: "Use no prompts.")
    var zeroShot = false
    @Flag(help: jsonHelp)
    var json = false
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Folder for metrics.json, ranks.csv and top.jsonl.", valueName: "folder"))
    var output: String?
    @Flag(help: "With --output: also embeddings.safetensors, the vectors of all videos and captions.")
    var embeddings = false

    func validate() throws {
        guard !(zeroShot && prompts.prompts != nil) else { throw ValidationError("--zero-shot and --prompts exclude each other.") }
        try OutputFolder.check(output)
        try learning.check()
        guard learning.methods == nil || !zeroShot && prompts.prompts == nil && !embeddings else {
            throw ValidationError("--methods learn what they compare: leave out --prompts, --zero-shot and --embeddings. zero-shot is one of --methods.")
        }
        guard !embeddings || output != nil else { throw ValidationError("--embeddings needs --output, where they go.") }
        try requireRange("--frames", frames, 1...1024)
        try CaptionOptions.check(maxWords: maxWords)
    }

    private struct Prepared {
        let settings: Recipe
        let list: CaptionList
        let subject: LoadedModel
        let template: String?
        let sequences: [[Int]]
        let frameCount: Int
        let encoder: PairEncoder
        let pool: WorkerPool
    }

    private func prepared() throws -> Prepared {
        let pool = model.pool
        let given = try recipe.given(flags: flags)
        let listPath = given.data.scoredCaptions.flatMap { $0 == PocketHome.name ? nil : $0 }
        let selection = try Selection(
            prompts: prompts.prompts, backbone: given.model.checkpoint, namesData: listPath != nil, captions: true, without: zeroShot, context: .commandLine)
        let settings = try selection.settings(given)
        if let fusion = settings.fusion, fusion != .embedding {
            throw SettingsError.notWithCaptions(what: "fusion \(fusion.rawValue)", reason: "a video meets captions as one vector, the mean of its frames.")
        }
        let list = try testList(given, selection, pool: pool)
        let subject = try LoadedModel(
            prompts: selection.prompts, backbone: selection.backbonePath(), vocabulary: model.vocabulary, activation: model.activation,
            anyBackbone: prompts.anyBackbone, precision: model.precision ?? settings.model.precision, context: .commandLine)
        if subject.prompts?.video != nil || subject.backbone.architecture.crossFrame != nil {
            throw SettingsError.notWithCaptions(
                what: "a transformer over frames", reason: "a video meets captions as one vector, the mean of its frames.")
        }
        if subject.promptSet.configuration.followsVideos {
            throw ModelError.inFile(path: subject.promptPath ?? "", .prompts(.followsVideos(.captions)))
        }
        let template = subject.words(asked: settings.template)
        let sequences = try subject.backbone.tokens(
            of: list, prompts: subject.prompts?.header.configuration ?? .none, template: template,
            maxWords: settings.data.maxWords, tokenizer: subject.tokenizer, context: .commandLine)
        let frameCount = subject.frameCount(asked: settings.data.frames)
        let encoder = PairEncoder(
            backbone: subject.backbone.rounded(settings.rounding),
            prompts: subject.promptSet.rounded(settings.rounding).reading,
            frameCount: frameCount, pool: pool)
        return Prepared(
            settings: settings, list: list, subject: subject, template: template, sequences: sequences, frameCount: frameCount, encoder: encoder,
            pool: pool)
    }

    /// Measured on the first videos with their captions.
    func plan(timing: Bool) throws -> any CostPlan {
        if let comparison = try comparison() { return AblationPlans([try comparison.plan(timing: timing, threads: model.threads)]) }
        let prepared = try prepared()
        let list = prepared.list
        var seconds: Double?
        if timing {
            var few = CaptionList(path: list.path, root: list.root)
            var sequences: [[Int]] = []
            for (caption, sequence) in zip(list.captions, prepared.sequences) where caption.video < 4 {
                few.add(video: list.videos[caption.video], caption: caption.text)
                sequences.append(sequence)
            }
            let loader = loader(of: few, prepared.settings, subject: prepared.subject, frameCount: prepared.frameCount)
            let clock = ContinuousClock()
            let start = clock.now
            _ = try outcome(of: few, sequences: sequences, loader: loader, encoder: prepared.encoder, pool: prepared.pool)
            seconds = (clock.now - start) / .seconds(1) * Double(list.videos.count) / Double(max(1, few.videos.count))
        }
        let name = "\(list.path.escapedForDisplay), \(counted(list.captions.count, "caption", "captions")), \(prepared.subject.summary)"
        return EvaluationPlan(evaluationProtocol: "retrieval", parts: [.init(name: name, videos: list.videos.count, seconds: seconds)])
    }

    /// Nil without methods.
    private func comparison() throws -> AblationRun? {
        guard let methods = learning.methods?.values else { return nil }
        let source = try recipe.source { recipe in
            flags(&recipe)
            learning.apply(to: &recipe)
            model.inputs.apply(to: &recipe)
        }
        let videos = VideoInputs(root: root, frames: frames, followLinks: followLinks, badVideoPolicy: badVideoPolicy)
        return try RetrievalMethods.comparison(
            of: methods, source, seeds: learning.seeds?.values ?? [1],
            learning: ProtocolLearning(model: model.inputs, videos: videos, memory: MemoryBound(), fineTuneBackbone: learning.fineTuneBackbone),
            path: output ?? BackboneFinder.runsFolder.appendingPath("evaluate-retrieval"), context: .commandLine(json: json), draw: { try $0.drawChart(into: $1) })
    }

    func start() throws {
        if let comparison = try comparison() {
            let report = try comparison.run(threads: model.threads, resume: shellCommand(processArguments))
            if json { try Console.json(report) }
            return
        }
        if let output { try RetrievalFiles.prove(output) }
        let prepared = try prepared()
        let (list, subject, settings, frameCount) = (prepared.list, prepared.subject, prepared.settings, prepared.frameCount)
        let template = prepared.template
        let loader = loader(of: list, settings, subject: subject, frameCount: frameCount)
        let outcome = try outcome(of: list, sequences: prepared.sequences, loader: loader, encoder: prepared.encoder, pool: prepared.pool)
        for bad in loader.badVideos.all { Console.warning("not counted: \(bad.reason)") }
        let report = try RetrievalReport(
            subject: subject, list: list, outcome: outcome, frames: frameCount, template: template ?? "{}", maxWords: settings.data.maxWords,
            compat: settings.compat ?? [])
        // First, as it may be that nothing can be written.
        if json {
            try Console.json(report)
        } else {
            Console.result(
                "\(list.path.escapedForDisplay), \(counted(report.videos, "video", "videos")), \(counted(report.captions, "caption", "captions")), "
                    + "\(frameCount) frames, \(subject.summary)")
            Console.result(outcome.metrics.table)
        }
        if let output { try RetrievalFiles(outcome: outcome, list: list).write(report, to: output, withEmbeddings: embeddings, context: .commandLine) }
    }

    private func flags(_ recipe: inout Recipe) {
        recipe.data.testCaptions = captions ?? recipe.data.testCaptions
        recipe.data.root = root ?? recipe.data.root
        recipe.data.frames = frames ?? recipe.data.frames
        recipe.data.maxWords = maxWords ?? recipe.data.maxWords
        recipe.data.onBadVideo = badVideoPolicy ?? recipe.data.onBadVideo
        recipe.model.checkpoint = model.backbone ?? recipe.model.checkpoint
        recipe.template = template ?? recipe.template
    }

    private func testList(_ given: Recipe, _ selection: Selection, pool: WorkerPool) throws -> CaptionList {
        var (path, root) = (given.data.scoredCaptions, given.data.root)
        if path == PocketHome.name || selection.isPocket && path == nil {
            let set = try PocketHome.captionedSet(.small(), pool: pool, context: .commandLine)
            Console.note("This is the pocket world's small test list. For your own videos pass --captions LIST.")
            return try CaptionList.read(set.testCaptions)
        }
        if path == nil {
            guard let run = selection.run else { throw UnnamedError.noCaptions }
            let own = try run.testCaptions(pool: pool, context: .commandLine)
            (path, root) = (own.file, own.root)
        }
        let list = try CaptionList.read(path ?? "", root: root)
        for warning in list.warnings { Console.warning(warning.description) }
        try list.videoList.checkFiles(followsLinks: followLinks)
        return list
    }

    private func loader(of list: CaptionList, _ settings: Recipe, subject: LoadedModel, frameCount: Int) -> ClipLoader {
        var transform = ClipTransform.Configuration()
        settings.apply(to: &transform, own: subject.normalization)
        var loading = ClipLoader.Configuration()
        loading.badVideoPolicy = settings.data.onBadVideo ?? .fail
        return ClipLoader(
            list: list.videoList, reader: VideoFileReader.reporting(.commandLine).following(settings.pictures),
            sampler: settings.sampler(frameCount: frameCount),
            transform: .testing(side: subject.backbone.architecture.imagePixels, transform), seed: UInt64(settings.training.seed ?? 1),
            configuration: loading)
    }

    private func outcome(
        of list: CaptionList, sequences: [[Int]], loader: ClipLoader, encoder: PairEncoder, pool: WorkerPool
    ) throws -> RetrievalEvaluator.Outcome {
        let videos = ProgressReporter("retrieval", total: list.videos.count, unit: "videos")
        var captions: ProgressReporter?
        defer { captions?.finish() }
        return try RetrievalEvaluator(encoder, pool: pool).outcome(of: list, sequences: sequences, loader: loader) { stage, done in
            switch stage {
            case .videos: videos.show(done)
            case .captions:
                videos.finish()
                let progress = captions ?? ProgressReporter("retrieval", total: list.captions.count, unit: "captions")
                progress.show(done)
                captions = progress
            }
        }
    }
}
