import ArgumentParser
import CLIPModel
import Evaluation
import Experiments
import Files
import Foundation
import Recipes
import Tensors
import Training
import VideoData

struct PredictCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict",
        abstract: "Names what happens in videos, in folders of videos, or when it happens in long ones.",
        discussion: """
              vifi-prompt predict CLIP.mp4 --prompts runs/learn/prompts/best.safetensors
              vifi-prompt predict *.mp4 --labels labels.csv --backbone clip.safetensors \\
                  --top 3 --json
              vifi-prompt predict match.mp4 --prompts p.safetensors --window 2s \\
                  --stride 1s --save match.srt --save match.svg
              vifi-prompt predict inbox/ --prompts p.safetensors --threshold 0.5 \\
                  --output answers.jsonl --watch --isolate
              vifi-prompt predict rtsp://camera/door --prompts p.safetensors --json

            Without a model and labels it takes the newest run here, with its own class names, and where there is none the pocket \
            world's CLIP. Classes are those of --labels, else the prompt file's or its run's. Of several --prompts each \
            answers for itself; the backbone is read and videos are decoded once. docs/predict.md explains windows, \
            "none of these", folders, live sources and the forms of answers.
            """)

    @Argument(help: ArgumentHelp("Videos of any kind that FFmpeg reads, folders of frames, folders and tar archives of videos; or one live source: - (standard input), /dev/video0 (a camera), rtsp://…, http://…", valueName: "video"))
    var videos: [String]

    @OptionGroup(title: "Prompts and classes") var subject: PredictedModelOptions
    @OptionGroup(title: "Prompts and classes") var described: DescriptionOptions
    @OptionGroup(title: "Answers") var answers: AnswerOptions
    @OptionGroup(title: "Forms") var forms: AnswerFormOptions
    @OptionGroup(title: "Long videos") var windows: WindowOptions
    @OptionGroup(title: "Many videos") var batch: BatchOptions
    @OptionGroup(title: "Live sources") var live: LiveOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Settings") var recipe: RecipeOptions

    private var prompts: [String] { subject.prompts }
    private var labels: [String] { subject.labels }
    private var template: String? { subject.template }
    private var frames: Int? { subject.frames }

    func validate() throws {
        guard forms.saved.isEmpty || windows.window != nil else {
            throw ValidationError("--save is about time lines: pass --window, such as --window 2s.")
        }
        guard described.descriptions.isEmpty || template == nil else { throw ValidationError("--descriptions and --template exclude each other.") }
        guard !batch.watch || videos.contains(where: isDirectory) else {
            throw ValidationError("--watch needs a folder to wait for videos in.")
        }
    }

    func run() throws {
        let source = try LivePrediction.source(of: videos, windows: windows, options: live, forms: forms, batch: batch)
        let settings = try recipe.given(flags: flags)
        if windows.window != nil || source != nil, let views = settings.evaluation.views, views.clips > 1 {
            throw ValidationError("--views \(views.text): windows are clips in time already; take 1x1 or 1x3 with --window.")
        }
        if !subject.allowRepeats { try RepeatedFile.refuse(among: prompts) }
        let pool = model.pool
        // A live source is no file that could be looked for.
        let sources = try source == nil ? VideoSources(videos, recursive: batch.recursive) : nil
        let models = try PredictionModels(
            settings: settings, model: model.inputs, prompts: prompts, labels: labels, noneTexts: answers.noneTexts,
            template: template, descriptions: described.read, region: subject.region, anyBackbone: subject.anyBackbone, pool: pool, context: .commandLine)
        let style = AnswerStyle(
            rule: answers.rule, rejectLabel: answers.rejectLabel, top: answers.top, namesModels: models.models.count > 1,
            windows: windows.spans.map { "\($0.window.text) every \($0.stride.text)" }, region: subject.region?.text)
        guard let sources else {
            if let source {
                try LivePrediction(
                    address: source, models: models.models, pictures: models.pictures, style: style, windows: windows, options: live, forms: forms
                ).run()
            }
            return
        }
        // From here on there is something to keep; without it a signal may end the process as usual.
        if batch.output != nil || batch.watch { Interruption.install() }
        var run = try PredictionRun(
            models: models.models, pictures: models.pictures, style: style, windows: windows, batch: batch, forms: forms,
            log: batch.output.map { try AnswerLog(path: $0, settings: answerSettings(models), retriesFailed: batch.retryFailed) },
            savesMany: sources.mayBeMany || models.models.count > 1)
        try run.process(sources)
    }

    private func flags(_ recipe: inout Recipe) {
        recipe.model.checkpoint = model.backbone ?? recipe.model.checkpoint
        recipe.data.frames = frames ?? recipe.data.frames
        recipe.template = template ?? recipe.template
        recipe.evaluation.views = subject.views ?? recipe.evaluation.views
        recipe.fusion = subject.fusion ?? recipe.fusion
    }

    private func answerSettings(_ models: PredictionModels) -> AnswerSettings {
        AnswerSettings(
            model: models.identity, videos: models.lookingAtVideos,
            windows: windows.spans.map { "\($0.window.text) \($0.stride.text) \(windows.smooth) \(windows.minimumSeconds)" } ?? "",
            rule: "\(answers.threshold ?? 0) \(answers.rejectLabel) \(answers.noneTexts)", top: answers.top)
    }
}
