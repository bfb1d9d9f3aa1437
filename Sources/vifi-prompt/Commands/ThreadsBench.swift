import ArgumentParser
import Experiments
import Files
import Recipes
import Tensors
import Training

/// Tells what more threads would bring.
struct ThreadsBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "threads",
        abstract: "What numbers of threads would make of a step: its counted work, laid out over them.",
        discussion: """
              vifi-prompt bench threads
              vifi-prompt bench threads --work bridge --threads 4,16,64

            The machine needs no more than one thread for it. Each number of threads takes one step, and the memory \
            that so many threads would use.
            """)

    @Option(help: "What a step does: learn, bridge or predict.")
    var work = BenchWork.Kind.learn

    @Option(help: ArgumentHelp("Numbers of threads, with commas.", valueName: "counts"), transform: ThreadCountList.init(argument:))
    var threads: ThreadCountList?

    @Option(help: "Frames of a clip.")
    var frames = 16

    @Option(help: "Clips of a step.")
    var clips = 4

    @Option(help: "Classes.")
    var classes = 51

    @Option(help: ArgumentHelp("Precision of the large matrix products: fp32, bf16, int8 (predict alone), or auto for bf16 where it is supported.", valueName: "precision"))
    var precision = PrecisionChoice.fp32

    @OptionGroup var memory: MemoryOptions

    @Flag(help: jsonHelp)
    var json = false

    func validate() throws {
        try requireRange("--frames", frames, 1...1024)
        try requireRange("--clips", clips, 1...1024)
        try requireRange("--classes", classes, 1...100_000)
    }

    func run() throws {
        var work = BenchWork(work)
        (work.frameCount, work.clipCount, work.classCount) = (frames, clips, classes)
        work.precision = try precision.resolved(note: { Console.note($0.description) })
        if work.kind != .predict { try work.precision.requireGradients(for: "a step that learns") }
        let besides = work.packedWeightBytes
        Console.note("ViT-B/16 with random weights: a step of each number of threads, done by one.")
        let report = try ThreadBench(work) { pool in memory.bound.budget(pool: pool, besides: besides) }.run(threadCounts: threads?.values ?? [4, 8, 16, 32, 64]) { row in
            Console.note("\(row.threads) threads: \(percent(100 * row.efficiency))")
        }
        if json { try Console.json(report) } else { Console.result(report.text) }
    }
}

extension BenchWork.Kind: ExpressibleByArgument {}

extension ThreadReport {
    /// For people.
    var text: String {
        let lines = rows.map { row in
            ["\(row.threads)", NumberText.decimal(row.speedup, places: 1), percent(100 * row.efficiency), percent(100 * row.alone)]
        }
        return """
            \(work): \(clips) × \(frames) frames, \(classes) classes, \(precision); \(NumberText.decimal(Double(operations) * 1e-9, places: 1)) GFLOP a step
            \(alignedTable([["threads", "times one", "busy", "one alone"]] + lines))
            """
    }
}
