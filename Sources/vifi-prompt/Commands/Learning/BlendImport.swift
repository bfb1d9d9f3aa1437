import ArgumentParser
import CLIPModel
import Experiments
import Files
import Recipes
import Tensors
import WeightFiles

/// Ratios in which two backbones are mixed, and how the best of them is found.
struct BlendOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Mix two backbones of one kind, an original and what it was fine-tuned to: each weight is this share of the first and the "
                + "rest of the second. Several shares, such as 0,0.25,0.5, need --val.", valueName: "shares"),
        transform: CommaList<ShareMember>.init(argument:))
    var blend: CommaList<ShareMember>?

    @Option(help: ArgumentHelp("With several shares: clips that each mixture is scored on; the best is written.", valueName: "list"))
    var val: String?

    @Option(help: ArgumentHelp("Class names of --val: CSV with the header `id,name`, one name a line, or JSON.", valueName: "csv"))
    var labels: String?

    @Option(help: ArgumentHelp("Words around a class name, with {} in its place.", valueName: "words"))
    var template: String?

    @OptionGroup var videos: VideoOptions

    func validate() throws {
        guard let blend else {
            guard val == nil, labels == nil, template == nil, videos.inputs == VideoInputs() else {
                throw ValidationError("--val, --labels, --template and what is said of videos are for --blend.")
            }
            return
        }
        guard (val == nil) == (labels == nil) else { throw ValidationError("--val and --labels go together.") }
        guard blend.values.count == 1 || val != nil else {
            throw ValidationError("several shares need clips to choose by: pass --val LIST and --labels CSV, or one share.")
        }
    }
}

enum ShareMember: CommaListMember {
    static func value(_ text: String) -> Float? { Float(text).flatMap { (0...1).contains($0) ? $0 : nil } }
    static let kind = "a share between 0 and 1"
    static let example = "0,0.25,0.5"
}

/// `import --blend`: writes a mixture of two backbones.
struct BlendImport {
    let original: String
    let tuned: String
    let options: BlendOptions
    let name: String?
    let output: String?
    let vocabulary: String?
    let activation: Activation?
    let isHalf: Bool
    let force: Bool
    let json: Bool

    func run() throws {
        let context = RunContext.commandLine(json: json)
        let first = try BackboneFinder.load(original, activation: activation, context: context)
        let second = try BackboneFinder.load(tuned, activation: activation, context: context)
        let name = name ?? "\(BridgeImport.name(of: tuned))-blend"
        let target = try BridgeImport.target(output: output, name: name, inputs: [original, tuned], force: force)
        // What cannot be mixed is told before videos are looked at.
        if first.description.normalization != second.description.normalization {
            Console.warning(
                "\(original.escapedForDisplay) normalizes pixels as \(first.description.normalization.name), \(tuned.escapedForDisplay) as "
                    + "\(second.description.normalization.name): the mixture does as the second.")
        }
        let sweep = try sweep(first, second, context: context)
        let ratio = sweep?.best?.ratio ?? options.blend?.values.first ?? 0.5
        let blended = try Backbone.blended([(first, ratio), (second, 1 - ratio)], named: name)
        var made = try MadeBackbone(blended, to: target, isHalf: isHalf, vocabulary: vocabulary ?? blended.vocabularyPath)
        (made.ratio, made.compared) = (ratio, sweep?.entries)
        if json { return try Console.json(made) }
        if let sweep {
            let rows = sweep.entries.map { ["\($0.ratio)", NumberText.decimal($0.top1, places: 1), NumberText.decimal($0.meanClassAccuracy, places: 1)] }
            Console.result(alignedTable([["share of the first", "top-1 %", "mean of classes %"]] + rows))
        }
        made.show(blended, making: "mixture")
    }

    private func sweep(_ first: Backbone, _ second: Backbone, context: RunContext) throws -> BlendSweep? {
        guard let val = options.val, let labels = options.labels, let ratios = options.blend?.values else { return nil }
        var settings = Recipe()
        settings.template = options.template
        options.videos.apply(to: &settings)
        let list = try TestList(val, labels: labels, videos: options.videos.inputs, root: options.videos.root, context: context)
        let job = EvaluationJob(
            evaluationProtocol: "list", settings: settings, videos: options.videos.inputs, model: ModelInputs(), template: options.template,
            pool: WorkerPool(threadCount: Ranks.threadCount), context: context)
        return try BlendSweep(
            of: first, and: second, ratios: ratios, on: list, job: job,
            tokenizer: BackboneFinder.tokenizer(for: second, vocabulary: vocabulary), context: context)
    }
}
