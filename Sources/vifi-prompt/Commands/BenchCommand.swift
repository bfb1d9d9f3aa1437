import ArgumentParser
import CLIPModel
import Experiments
import Files
import Foundation
import Recipes
import Tensors
import Training

/// Measures this machine at the program's own work.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures how fast this machine learns, predicts and decodes.",
        discussion: """
              vifi-prompt bench
              vifi-prompt bench learn --classes 400
              vifi-prompt bench learn --method cocoop
              vifi-prompt bench bridge --clips 4 --json
              vifi-prompt bench features
              vifi-prompt bench threads --clips 4
              vifi-prompt bench decode

            Models are ViT-B/16 with random weights: nothing has to be downloaded. Speed is compared with that \
            of bare matrix products, measured between the steps on the same threads.
            """,
        subcommands: [Learn.self, Bridge.self, Predict.self, FeaturesBench.self, ThreadsBench.self, DecodeBench.self], defaultSubcommand: Learn.self)

    struct Learn: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Steps of prompt learning: forward, backward, optimizer.")
        @OptionGroup var options: BenchOptions
        @OptionGroup var prompts: BenchPromptOptions

        @Option(
            help: ArgumentHelp(
                "Another way to prompt, such as coop or a5, with its authors' numbers; prompts of both towers by default.", valueName: "method"))
        var method: String?

        @Flag(help: "Use the same frames in each step: what lies below the first vision prompts is computed once, beforehand.")
        var fixedFrames = false

        @Option(
            help: ArgumentHelp(
                "Frames of each clip that the backward pass goes through; exact steps are measured beside, in turns.", valueName: "frames"))
        var backwardFrames: Int?

        @OptionGroup var merging: BenchMergingOptions

        func validate() throws {
            try requireRange("--backward-frames", backwardFrames, 1...options.frames)
            try merging.check(beside: options)
            if let method, method != BenchMethods.usual, let flag = prompts.given.first {
                throw ValidationError("\(flag) is about prompts of both towers, --method \(method) brings its authors' numbers: leave one of them out.")
            }
            let work = try benchUsage { try self.work() }
            if backwardFrames != nil {
                guard !options.videos else {
                    throw ValidationError("--videos feeds each step from other videos, --backward-frames compares two steps on the same clips: choose one.")
                }
                guard work.prompts.promptsVision else {
                    throw ValidationError("--backward-frames is for vision prompts, but the other flags leave none.")
                }
            }
            guard !(fixedFrames && options.videos) else {
                throw ValidationError("--videos feeds each step from other videos, --fixed-frames from the same clips: choose one.")
            }
            if fixedFrames, let method = work.method { try benchUsage { try method.checkFixedFrames() } }
        }

        private func work() throws -> BenchWork {
            var work = prompts.work(.learn)
            work.method = try method.flatMap {
                try BenchMethods.method($0, kind: .learn, on: work.architecture, classCount: options.classes)
            }
            work.hasFixedFrames = fixedFrames || work.method?.hasFixedFrames == true && !options.videos
            work.backwardFrameCount = backwardFrames
            work.mergedTokens = merging.mergeTokens ?? 0
            return work
        }

        func run() throws { try options.run(work()) }
    }

    struct Bridge: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Steps of fine-tuning both towers: forward, backward, optimizer.")
        @OptionGroup var options: BenchOptions

        @Option(
            help: ArgumentHelp(
                "actionclip, x-clip, or lora for low-rank updates of both towers; both towers as ViFi-CLIP trains them by default.", valueName: "method"))
        var method: String?

        func validate() throws { _ = try benchUsage { try self.work() } }

        private func work() throws -> BenchWork {
            var work = BenchWork(.bridge)
            work.method = try method.flatMap {
                try BenchMethods.method($0, kind: .bridge, on: work.architecture, classCount: options.classes)
            }
            return work
        }

        func run() throws { try options.run(work()) }
    }

    struct Predict: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Clips through the vision tower with prompts; class embeddings are computed before.")
        @OptionGroup var options: BenchOptions
        @OptionGroup var prompts: BenchPromptOptions
        @OptionGroup var merging: BenchMergingOptions

        func validate() throws { try merging.check(beside: options) }

        func run() throws {
            var work = prompts.work(.predict)
            work.mergedTokens = merging.mergeTokens ?? 0
            try options.run(work)
        }
    }
}

/// What is wrong with how a bench is called, beside how it is called.
private func benchUsage<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as BenchMethodError { throw ValidationError(error.description) }
}

struct BenchMergingOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Pairs of a frame's tokens that merge in each layer but the last; steps that merge none are measured beside, in turns.",
            valueName: "pairs"))
    var mergeTokens: Int?

    func check(beside options: BenchOptions) throws {
        try requireRange("--merge-tokens", mergeTokens, 0...TokenMerging.mostPairs(in: .vitB16))
        guard mergeTokens == nil || !options.videos else {
            throw ValidationError("--videos feeds each step from other videos, --merge-tokens compares two steps on the same clips: choose one.")
        }
    }
}

struct BenchPromptOptions: ParsableArguments {
    @Option(help: "Prompts per layer, in each tower; 10 by default.")
    var tokens: Int?

    @Option(help: "Layers with prompts, in each tower, from the first; 12 by default.")
    var depth: Int?

    @Option(
        help: ArgumentHelp("Layers of the vision tower with prompts, counted from 0: 6-11, 6, or none.", valueName: "layers"),
        transform: PromptLayers.parsed)
    var visionLayers: PromptLayers?

    @Option(
        help: ArgumentHelp("Layers of the text tower with prompts, counted from 0: 4-11, 4, or none.", valueName: "layers"),
        transform: PromptLayers.parsed)
    var textLayers: PromptLayers?

    func validate() throws {
        for (tower, layers) in [("vision", visionLayers), ("text", textLayers)] {
            if let layers, layers.range.upperBound > 12 {
                throw ValidationError("--\(tower)-layers is \(layers.text); ViT-B/16 has layers 0-11.")
            }
            if let layers, let depth, depth != 12, layers.range != 0..<depth {
                throw ValidationError("--\(tower)-layers \(layers.text) and --depth \(depth) contradict each other: leave one of them out.")
            }
        }
        try requireRange("--tokens", tokens, 0...64)
        if let depth, !(0...12).contains(depth) { throw ValidationError("--depth is \(depth); ViT-B/16 has 12 layers.") }
    }

    /// The flags that somebody gave.
    var given: [String] {
        [
            ("--tokens", tokens != nil), ("--depth", depth != nil), ("--vision-layers", visionLayers != nil), ("--text-layers", textLayers != nil),
        ].filter(\.1).map(\.0)
    }

    func work(_ kind: BenchWork.Kind) -> BenchWork {
        var work = BenchWork(kind)
        work.promptTokens = tokens ?? work.promptTokens
        work.promptDepth = depth ?? work.promptDepth
        work.visionLayers = visionLayers?.range
        work.textLayers = textLayers?.range
        return work
    }
}

struct BenchOptions: ParsableArguments {
    @Option(help: "Frames of a clip.")
    var frames = 16

    @Option(help: "Clips of a step.")
    var clips = 1

    @Option(help: "Classes.")
    var classes = 51

    @Option(help: ArgumentHelp("Precision of the large matrix products: fp32, bf16, int8 (predict alone), or auto for bf16 where it is supported.", valueName: "precision"))
    var precision = PrecisionChoice.fp32

    @Option(help: "Threads; all processors by default.")
    var threads: Int?

    @Option(help: "Steps to time, after one that is not.")
    var steps = 3

    @OptionGroup var memory: MemoryOptions

    @Flag(help: "Feed the steps from videos, read by one thread meanwhile, instead of from memory.")
    var videos = false

    @Flag(help: jsonHelp)
    var json = false

    func validate() throws {
        try requireRange("--frames", frames, 1...1024)
        try requireRange("--clips", clips, 1...1024)
        try requireRange("--classes", classes, 1...100_000)
        try requireRange("--steps", steps, 1...10_000)
        try requireRange("--threads", threads, 1...1024)
    }

    func run(_ work: BenchWork) throws {
        var work = work
        work.frameCount = frames
        work.clipCount = clips
        work.classCount = classes
        work.precision = try precision.resolved(note: { Console.note($0.description) })
        if work.kind != .predict { try work.precision.requireGradients(for: "a step that learns") }
        let pool = WorkerPool(threadCount: threads ?? WorkerPool.availableProcessors)
        Console.note("ViT-B/16 with random weights on \(pool.threadCount) threads; one step to warm up, \(steps) timed.")
        let source = videos ? try BenchVideos.stream(work, clips: (steps + 1) * clips) : nil
        defer { source?.stream.cancel() }
        let budget = memory.bound.budget(pool: pool, besides: work.packedWeightBytes)
        var exactWork = work
        exactWork.backwardFrameCount = nil
        exactWork.mergedTokens = 0
        let first = try BenchModel(exactWork, pool: pool, budget: budget, source: source?.clips)
        let model = work == exactWork ? first : try BenchModel(work, like: first, pool: pool, budget: budget)
        try memory.bound.check(shortfall: max(first.memoryShortfall, model.memoryShortfall))
        let bench = Bench(model: model, beside: model === first ? nil : first, pool: pool, stepCount: steps, videos: source?.time)
        let report = try bench.run { step, seconds in
            Console.note("step \(step): \(decimal(seconds, 3)) s")
        }
        if json { try Console.json(report) } else { Console.result(report.text) }
    }
}

private func decimal(_ value: Double, _ places: Int) -> String { NumberText.decimal(value, places: places) }

extension BenchReport {
    private var layerWords: String {
        visionLayers == textLayers && (visionLayers == "none" || visionLayers.hasPrefix("0"))
            ? counted(depth, "layer", "layers") : "vision layers \(visionLayers), text layers \(textLayers)"
    }

    private func comparison(with exact: Exact) -> String {
        """

              backward pass     through \(backwardFrames ?? frames) of \(frames) frames
              merging           \(mergeTokens == 0 ? "none" : "\(mergeTokens)") of a frame's tokens in each layer
              exact step        \(decimal(exact.secondsPerStep, 3)) s, \(decimal(exact.speedup, 2)) times as long; \
            \(decimal(Double(exact.taskBytes) / 1e9, 2)) GB for activations and what learns
            """
    }

    /// What learns, for people.
    private var learnedWords: String {
        method != nil ? "\(counted(learningParameters, "number learns", "numbers learn")), " : "\(tokens) prompts in \(layerWords), "
    }

    /// For people.
    var text: String {
        let total = breakdown.products + breakdown.attention + breakdown.elementwise + breakdown.decode + breakdown.waiting
        func share(_ seconds: Double) -> String { percent(100 * seconds / max(total, 1e-9)) }
        return """
            \(work)\(method.map { ", \($0)" } ?? ""): \(clips) × \(frames) frames, \(classes) classes, \(learnedWords)\(precision), \(threads) threads
              seconds a step    \(decimal(secondsPerStep, 3))  (\(decimal(fastestStep, 3)) to \(decimal(slowestStep, 3)), \(steps) steps)
              operations        \(decimal(Double(flopsNeeded) * 1e-9, 1)) GFLOP needed, \(decimal(Double(flopsDone) * 1e-9, 1)) done
              speed             \(decimal(Double(flopsNeeded) * 1e-9 / secondsPerStep, 1)) GFLOP/s, \(percent(100 * shareOfProductSpeed)) of the products' \
            \(decimal(productGflops, 1)) on this machine
              where time goes   products \(share(breakdown.products)), attention \(share(breakdown.attention)), \
            elementwise \(share(breakdown.elementwise)), decode \(share(breakdown.decode)), waiting \(share(breakdown.waiting))
              peak memory       \(decimal(Double(peakBytes) / 1e9, 2)) GB, of which \(decimal(Double(taskBytes) / 1e9, 2)) GB for activations and what learns
            """ + (exact.map(comparison) ?? "")
    }
}
