import ArgumentParser
import CLIPModel
import Experiments
import Files
import Recipes
import Reports
import Tensors
import Training
import VideoData

/// What each method holds, computes and reaches on this machine.
struct ProfileCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "profile",
        abstract: "Counts parameters and operations of every method and prompt setting, and times those that run here.",
        discussion: """
              vifi-prompt profile --no-timing
              vifi-prompt profile --architecture ViT-L/14 --frames 8 --classes 51
              vifi-prompt profile --backbone Checkpoints/ViT-B-16.safetensors --csv

            Operations are of a forward pass: once as the papers count them, a multiply-add as one, and once \
            as two. "needed" is what this program computes for the same numbers. For ViT-B/16 the papers' own \
            figures stand beside ours (Checkpoints/published.yaml). docs/cost.md explains the counts.
            """)

    @Option(help: ArgumentHelp("ViT-B/16, ViT-B/32 or ViT-L/14, with random weights; ViT-B/16 by default.", valueName: "name"))
    var architecture: KnownArchitecture?

    @Option(help: ArgumentHelp("A backbone file, whose sizes and weights are taken instead.", valueName: "file"))
    var backbone: String?

    @Option(help: "Frames of a view.")
    var frames = 16

    @Option(help: "Classes.")
    var classes = 400

    @Option(help: ArgumentHelp("Precision of the large matrix products: fp32, bf16, int8, or auto for bf16 where it is supported.", valueName: "precision"))
    var precision = PrecisionChoice.fp32

    @Option(help: "Threads; all processors by default.")
    var threads: Int?

    @Option(help: "Views that are timed, after one that is not; the median counts.")
    var views = 3

    @Flag(help: "Leave out the measured throughput.")
    var noTiming = false

    @Flag(help: jsonHelp)
    var json = false

    @Flag(help: "Print the rows as CSV.")
    var csv = false

    func validate() throws {
        guard architecture == nil || backbone == nil else { throw ValidationError("Pass --architecture or --backbone, not both.") }
        guard !json || !csv else { throw ValidationError("Pass --json or --csv, not both.") }
        try requireRange("--frames", frames, 1...1024)
        try requireRange("--classes", classes, 1...100_000)
        try requireRange("--views", views, 1...10_000)
        try requireRange("--threads", threads, 1...1024)
    }

    func run() throws {
        let loaded = try backbone.map { try BackboneFinder.load($0, context: .commandLine) }
        let sizes = loaded?.architecture ?? (architecture ?? .vitB16).sizes
        let name = loaded?.displayName ?? (architecture ?? .vitB16).rawValue
        let methods = Method.all(for: sizes)
        var report = ProfileReport(
            architecture: name, summary: sizes.summary, frames: frames, classes: classes,
            rows: methods.map { row($0, sizes, bytes: loaded?.description.tokenizer == .bytes) },
            published: sizes == .vitB16 ? try ProfileReport.comparison(PublishedFigures()) : [])
        if !noTiming { try time(&report, methods: methods, backbone: loaded ?? BenchModel.backbone(of: sizes)) }
        if json {
            try Console.json(report)
        } else {
            Console.result(csv ? report.csv : report.text)
        }
    }

    private func row(_ method: Method, _ sizes: CLIPArchitecture, bytes: Bool) -> ProfileReport.Row {
        ProfileReport.Row(
            method,
            cost: MethodCost(
                method, architecture: sizes, frameCount: frames, classCount: classes,
                sequences: ProfileReport.sequences(method, architecture: sizes, classCount: classes, bytes: bytes)))
    }

    /// Times each vision tower once: rows that do the same to a video share the measurement.
    private func time(_ report: inout ProfileReport, methods: [Method], backbone: Backbone) throws {
        let pool = WorkerPool(threadCount: threads ?? WorkerPool.availableProcessors)
        let computing = backbone.computing(in: try precision.resolved(note: { Console.note($0.description) }))
        let settings = methods.map { method in method.isOurs ? method.visionPrompts : nil }
        var different: [PromptConfiguration] = []
        for case let setting? in settings where !different.contains(setting) { different.append(setting) }
        Console.note("Timing \(different.count) vision towers on \(pool.threadCount) threads; one view of each to warm up, \(views) timed.")
        let progress = ProgressReporter("profile", total: different.count, unit: "towers")
        for (index, setting) in different.enumerated() {
            let rate = try viewsPerSecond(computing, setting, pool: pool)
            for (row, own) in settings.enumerated() where own == setting { report.rows[row].viewsPerSecond = rate }
            progress.show(index + 1)
        }
        progress.finish()
        for index in report.published.indices where report.published[index].measure == "throughput" {
            let id = report.published[index].id
            report.published[index].here = report.rows.first { $0.id == id && frames == 16 }?.viewsPerSecond
        }
        report.machine = .init(processor: Machine.processorName, threads: pool.threadCount, precision: computing.precision.rawValue)
    }

    private func viewsPerSecond(_ backbone: Backbone, _ prompts: PromptConfiguration, pool: WorkerPool) throws -> Double {
        let sizes = backbone.architecture
        // Class embeddings are computed before, so one class is as good as many.
        let classifier = CLIPClassifier(
            backbone: backbone, prompts: PromptSet(random: prompts, architecture: sizes, seed: 1).reading,
            sequences: [[sizes.vocabularySize - 2, 1, sizes.vocabularySize - 1]], frameCount: frames, pool: pool)
        let clip = BenchModel.clip(of: sizes, frameCount: frames, number: 0)
        var seconds: [Double] = []
        for view in 0...views {
            let start = WorkMeter.now
            _ = try classifier.logits(clips: [clip])
            if view > 0 { seconds.append(Double(WorkMeter.now - start) * 1e-9) }
        }
        return 1 / (median(seconds) ?? .nan)
    }
}

/// The architectures of OpenAI's ViT releases at 224 pixels.
enum KnownArchitecture: String, CaseIterable, ExpressibleByArgument {
    case vitB16 = "ViT-B/16"
    case vitB32 = "ViT-B/32"
    case vitL14 = "ViT-L/14"

    /// Takes "b16", "B/16" and "vit-b-16" too.
    init?(argument: String) {
        func letters(_ text: String) -> String { text.lowercased().filter { $0.isLetter || $0.isNumber } }
        let wanted = letters(argument)
        guard let found = Self.allCases.first(where: { letters($0.rawValue) == wanted || letters($0.rawValue) == "vit" + wanted }) else {
            return nil
        }
        self = found
    }

    var sizes: CLIPArchitecture {
        switch self {
        case .vitB16: .vitB16
        case .vitB32: .vitB32
        case .vitL14: .vitL14
        }
    }
}

extension Method {
    /// The prompts that change what is computed for a video.
    fileprivate var visionPrompts: PromptConfiguration {
        PromptConfiguration(
            visionTokens: kind.prompts.visionTokens, visionLayers: kind.prompts.visionLayers, textTokens: 0, textLayers: 0..<0,
            pixels: kind.prompts.pixels)
    }
}
