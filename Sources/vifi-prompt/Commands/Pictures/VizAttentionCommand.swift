import ArgumentParser
import CLIPModel
import Charts
import Evaluation
import Experiments
import Files
import Reports
import Tensors
import Training
import VideoData

struct VizAttentionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attention",
        abstract: "Shows where a model looks in a video: a strip of frames (.png) and the video itself (.mp4).",
        discussion: """
              vifi-prompt viz attention CLIP.mp4 --prompts prompts.safetensors \\
                  -o attention.png -o attention.mp4
              vifi-prompt viz attention CLIP.mp4 --labels labels.csv --class archery \\
                  --compare clip.safetensors bridged.safetensors prompts.safetensors

            A map shows how much each place counts for a class: the predicted one, or --class. Relevance weighs the \
            attention of the last block, or of all from --from-block on, by the gradient of the class's logit; raw is \
            the class token's attention in the last block. A SigLIP and a Perception Encoder pool the tokens of a frame by \
            attention, which counts as their last block and is all that raw shows. Each frame's map goes from its least (blue) to its largest \
            value (red); a line surrounds half of the largest and more; what the model does not see is gray. Between \
            the frames that the model saw, the video blends their maps.

            Each of --compare is a backbone or prompts of any form, and makes a row of its own.
            """)

    enum Map: String, ExpressibleByArgument, CaseIterable { case relevance, raw }

    @Argument(help: ArgumentHelp("Videos of any kind that FFmpeg reads; one of the newest run's, or of the pocket world, by default.", valueName: "video"))
    var videos: [String] = []

    @Option(name: .customLong("class"), help: ArgumentHelp("The class that the maps are about; each model's own prediction by default.", valueName: "name"))
    var className: String?
    @Option(help: "What a map shows: relevance or raw.")
    var map = Map.relevance
    @Option(help: ArgumentHelp("Relevance from this block of the vision tower on, counted from 1; the last by default.", valueName: "block"))
    var fromBlock: Int?
    @Flag(help: "A row for every block: relevance from it on, or its raw attention.")
    var layers = false
    @Option(help: ArgumentHelp("With --map raw: one head, counted from 1, instead of the mean over heads.", valueName: "head"))
    var head: Int?
    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Backbones and prompts to show below each other.", valueName: "file"))
    var compare: [String] = []
    @Option(help: ArgumentHelp("Class names: CSV with the header `id,name`; the prompt file's by default.", valueName: "csv"))
    var labels: String?
    @Option(help: ArgumentHelp("Words around a class name where no text prompts are learned, with {} in its place.", valueName: "words"))
    var template: String?
    @Option(help: "Frames of each video; as many as the first prompts were learned with by default.")
    var frames: Int?
    @OptionGroup var pictures: PictureOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Prompts") var prompts: PromptOptions

    func validate() throws {
        try requireRange("--frames", frames, 1...1024)
        guard head == nil || map == .raw else { throw ValidationError("--head is about --map raw.") }
        guard fromBlock == nil || map == .relevance || layers else {
            throw ValidationError("--from-block is about relevance; with --map raw it needs --layers.")
        }
    }

    private var namesModel: Bool { model.backbone != nil || prompts.prompts != nil || !compare.isEmpty || labels != nil }

    func run() throws {
        guard !videos.isEmpty || !namesModel else { throw PictureError.noVideo }
        let outputs = try outputs(for: videos)
        for video in videos where !fileExists(video) { throw FileError(path: video, problem: .missing) }
        let pool = model.pool
        let models = try models(pool: pool)
        let chosen = try videos.isEmpty ? [ownVideo(pool)] : videos
        for (video, output) in zip(chosen, try videos.isEmpty ? [PictureOutput(pictures.output, name: "attention", endings: Self.endings, isForced: pictures.force)] : outputs) {
            try show(video, models: models, output: output, pool: pool)
        }
    }

    private static let endings = [".png", ".mp4"]

    private func outputs(for videos: [String]) throws -> [PictureOutput] {
        var taken: Set<String> = []
        let outputs = try videos.map { video in
            let last = video.lastPathComponent
            let stem = String(last.lastIndex(of: ".").map { last[..<$0] } ?? Substring(last))
            var name = "\(stem.isEmpty ? "video" : stem)-attention"
            // Videos of one name in different folders.
            var number = 2
            while !taken.insert(name).inserted {
                name = "\(stem)-attention-\(number)"
                number += 1
            }
            return try PictureOutput(pictures.output, name: name, endings: Self.endings, isForced: pictures.force)
        }
        if videos.count > 1, let path = outputs[0].files.first(where: { file in outputs[1].files.contains { $0.path == file.path } })?.path {
            throw PictureError.severalVideos(path: path)
        }
        return outputs
    }

    /// A video of the newest run; without one, of the pocket world.
    private func ownVideo(_ pool: WorkerPool) throws -> String {
        if let run = KeptRun.newest(), run.record != nil {
            let list = try (try? run.testList(videos: VideoInputs(), pool: pool, context: .commandLine).list) ?? run.trainingList()
            guard let first = list.clips.first else { throw PictureError.noVideo }
            return list.root.appendingPath(first.path)
        }
        let set = try PocketHome.dataSet(.small(), pool: pool, context: .commandLine)
        let list = try AnnotationList.read(set.testList)
        guard let first = list.clips.first else { throw PictureError.noVideo }
        Console.note("This is a video of the pocket world. For your own name them: `vifi-prompt viz attention CLIP.mp4`.")
        return list.root.appendingPath(first.path)
    }

    // MARK: Models

    private func models(pool: WorkerPool) throws -> [AttentionModel] {
        var subjects: [LoadedModel] = []
        var selection: Selection?
        func add(prompts path: String?, backbone: String?) throws {
            subjects.append(
                try LoadedModel(
                    prompts: path, backbone: backbone, vocabulary: model.vocabulary, activation: model.activation,
                    anyBackbone: prompts.anyBackbone, precision: model.precision, context: .commandLine))
        }
        if model.backbone != nil || prompts.prompts != nil {
            try add(prompts: prompts.prompts, backbone: model.backbone)
        } else if compare.isEmpty {
            let chosen = try Selection(prompts: nil, backbone: nil, namesData: labels != nil, context: .commandLine)
            // Before bridging, after it, and with prompts: the pocket world shows all three.
            if chosen.isPocket || chosen.run?.record?.isPocket == true { try add(prompts: nil, backbone: BackboneFinder.imageBackbone()) }
            if chosen.prompts != nil, let backbone = chosen.run?.recordedBackbone { try add(prompts: nil, backbone: backbone) }
            try add(prompts: chosen.prompts, backbone: chosen.backbonePath())
            selection = chosen
        }
        for path in compare {
            let isPrompts = (try? PromptFile.load(path)) != nil
            try add(prompts: isPrompts ? path : nil, backbone: isPrompts ? nil : path)
        }
        let names = try classNames(subjects, selection)
        let label = try className.map { name in
            guard let label = names.firstIndex(of: name) else { throw PictureError.unknownClass(name: name, among: names) }
            return label
        }
        var models: [AttentionModel] = []
        for subject in subjects {
            let classifier = try subject.classifier(
                classNames: names, template: template, fusion: nil, frameCount: frames ?? models.first?.classifier.frameCount, pool: pool)
            models.append(
                AttentionModel(
                    title: subject.summary, classifier: classifier, transform: subject.testTransform, names: names, label: label,
                    blocks: try blocks(of: classifier), kind: try kind(classifier), isByBlock: layers))
        }
        return models
    }

    /// First block to look at, from 0.
    private func blocks(of classifier: CLIPClassifier) throws(PictureError) -> Int {
        if let fromBlock, !(1...classifier.blockCount).contains(fromBlock) { throw .unknownBlock(fromBlock, count: classifier.blockCount) }
        if map == .raw, classifier.poolsTokens { return classifier.blockCount - 1 }
        return fromBlock.map { $0 - 1 } ?? (layers ? 0 : classifier.blockCount - 1)
    }

    private func kind(_ classifier: CLIPClassifier) throws(PictureError) -> AttentionMapKind {
        guard map == .raw else { return .relevance }
        if let head, !(1...classifier.headCount).contains(head) { throw .unknownHead(head, count: classifier.headCount) }
        return .raw(head: head.map { $0 - 1 })
    }

    private func classNames(_ subjects: [LoadedModel], _ selection: Selection?) throws -> [String] {
        if let labels {
            let classes = try ClassNames.read(labels)
            for warning in classes.warnings { Console.warning(warning.description) }
            return classes.names
        }
        if let header = subjects.lazy.compactMap(\.prompts?.header).first(where: { !$0.classNames.isEmpty }) { return header.classNames }
        let run = selection?.run ?? (prompts.prompts ?? model.backbone).flatMap(KeptRun.holding)
        if let own = try run?.classes() { return own.names }
        guard selection?.isPocket == true else { throw SettingsError.noSource }
        Console.note("Classes: the pocket world's small set. For your own pass --labels CSV.")
        return PocketCatalog.small().classes.map(\.name)
    }

    // MARK: One video

    private func show(_ video: String, models: [AttentionModel], output: PictureOutput, pool: WorkerPool) throws {
        var reading = try SampledVideo(
            path: video, frameCount: models[0].classifier.frameCount, transforms: models.map(\.transform))
        for warning in reading.warnings { Console.warning("\(video.escapedForDisplay): \(warning)") }
        let views = try models.indices.map { try models[$0].look(at: reading.clips[$0], of: reading.size) }
        // Only what needs it: a strip has no use for the video, and the other way round. All is made before any is written.
        var contents: [[UInt8]] = []
        for file in output.files {
            contents.append(file.ending == ".png" ? try reading.strip(of: views).png() : try reading.video(views, path: file.path, pool: pool, context: .commandLine))
        }
        for (file, bytes) in zip(output.files, contents) {
            try createDirectory(file.path.parentDirectory)
            try DurableFile.write(PictureMark.marked(bytes, path: file.path), to: file.path)
            Console.result(file.path.escapedForDisplay)
        }
        for (index, view) in views.enumerated() {
            Console.note((views.count > 1 ? "\(index + 1): " : "") + "\(view.title): \(view.finding)")
        }
    }
}
