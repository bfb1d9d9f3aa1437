import ArgumentParser
import Experiments
import Files
import Tensors
import Training

/// Times the frozen forward pass.
struct FeaturesBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "features",
        abstract: "Clips through the frozen vision tower, in every precision of this machine.",
        discussion: """
              vifi-prompt bench features
              vifi-prompt bench features --clips 4 --frames 8 --rounds 7

            Precisions take turns, so that ratios hold on a machine that does other things, too.
            """)

    @Option(help: "Frames of a clip.")
    var frames = 16

    @Option(help: "Clips of a pass.")
    var clips = 1

    @Option(help: "Threads; all processors by default.")
    var threads: Int?

    @Option(help: "Rounds to time, after one that is not.")
    var rounds = 5

    @Flag(help: jsonHelp)
    var json = false

    func validate() throws {
        try requireRange("--frames", frames, 1...1024)
        try requireRange("--clips", clips, 1...1024)
        try requireRange("--threads", threads, 1...1024)
        try requireRange("--rounds", rounds, 1...10_000)
    }

    func run() throws {
        let pool = WorkerPool(threadCount: threads ?? WorkerPool.availableProcessors)
        Console.note("ViT-B/16 with random weights on \(pool.threadCount) threads; one round to warm up, \(rounds) timed.")
        var bench = FeatureBench(frameCount: frames, clipCount: clips, pool: pool)
        let report = bench.run(rounds: rounds) { round, precision, seconds in
            Console.note("round \(round), \(precision.rawValue): \(NumberText.decimal(seconds, places: 3)) s")
        }
        if json { try Console.json(report) } else { Console.result(report.text) }
    }
}

extension FeatureReport {
    /// For people.
    var text: String {
        let head = ["precision", "clips/s", "slowest", "fastest", "times \(rows.first?.precision ?? "")", "error", "GFLOP/s"]
        let lines = rows.map { row in
            [row.precision] + [row.clipsPerSecond, row.slowest, row.fastest].map { NumberText.decimal($0, places: 3) }
                + [NumberText.decimal(row.ratio, places: 2), percent(100 * row.error), NumberText.decimal(row.gflops, places: 0)]
        }
        return "\(clips) × \(frames) frames, \(threads) threads, medians of \(rounds) rounds\n" + alignedTable([head] + lines)
    }
}
