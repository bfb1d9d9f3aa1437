import Evaluation
import Files
import Recipes
import Training

/// What the cells of a grid reached. Keys as `summary.json` has them.
package struct AblationSummary: Codable, Equatable, Sendable {
    package struct Cell: Codable, Equatable, Sendable {
        package let name: String
        package let at: Double?
        package let series: String?
        /// In a grid of methods.
        package let method: String?
        /// `learn` or `bridge`, or `evaluate` where nothing is learned.
        package let command: String
        /// What the cell sets, as `--set` takes it.
        package let settings: [String]
        package let folder: String
        /// None where nothing is learned.
        package let seeds: [Int]
        /// On the validation list of the last epoch and of the best, and on the test list of what was chosen.
        package let measures: [SeedSummary.Measure]
        /// Of all seeds.
        package let seconds: Double
        /// Numbers that learned, the most of any seed; nil, as the next two, where runs do not say it.
        package let learnedParameters: Int?
        /// Of one view of a video, in 10⁹ multiply-adds, as `RunResult` has it.
        package let viewGflops: Double?
        package let neededViewGflops: Double?
        /// The most memory that a seed's run held.
        package let peakBytes: Int?

        /// - Parameters:
        ///   - command: `learn` or `bridge`, or that of a cell which learns nothing.
        ///   - seeds: of the results; none where nothing was learned.
        package init(_ cell: AblationGrid.Cell, folder: String, command: String, seeds: [Int], results: [RunResult]) {
            name = cell.name
            at = cell.at
            series = cell.series
            method = cell.method
            self.command = command
            settings = cell.assignments
            self.folder = folder
            self.seeds = seeds
            measures = SeedSummary(results.enumerated().map { (seed: seeds.isEmpty ? 0 : seeds[$0], result: $1) }).measures
            seconds = results.reduce(0) { $0 + $1.seconds }
            learnedParameters = results.compactMap(\.learnedParameters).max()
            viewGflops = results.compactMap(\.viewGflops).max()
            neededViewGflops = results.compactMap(\.neededViewGflops).max()
            peakBytes = results.compactMap(\.peakBytes).max()
        }

        package func measure(_ name: String) -> SeedSummary.Measure? { measures.first { $0.name == name } }

        /// What a cell is told by: on the test list, else on the validation list after the last epoch.
        package var top1: SeedSummary.Measure? { measure("test_top1") ?? measure("last_top1") }
    }

    package let grid: String
    package let title: String
    package let axis: String
    package let cells: [Cell]
    /// Of every two cells that can be compared, where their runs say what they made of each clip; nil in summaries of
    /// earlier programs.
    package let differences: [Difference]?
    package let isFinished: Bool

    package struct Difference: Codable, Equatable, Sendable {
        package let first: String
        package let second: String
        /// That both cells ran with.
        package let seeds: [Int]
        /// On the test list, else on the validation list after the last epoch: the first cell's less the second's.
        package let top1: PairedBootstrap.Difference
    }

    private static let measures = [
        "last_top1", "last_top5", "last_mean_class", "best_top1", "test_top1", "test_top5", "test_mean_class", "training_loss",
    ]
    /// In their place where captions are learned.
    private static let captionMeasures = [
        "last_text_to_video_r1", "last_text_to_video_r5", "last_video_to_text_r1", "best_text_to_video_r1", "test_text_to_video_r1",
        "test_text_to_video_r5", "test_text_to_video_r10", "test_video_to_text_r1", "training_loss",
    ]

    private var measures: [String] {
        cells.contains { cell in cell.measures.contains { $0.name.contains("_to_") } } ? Self.captionMeasures : Self.measures
    }

    /// The heading of the first column.
    package var firstTitle: String { axis.isEmpty ? "cell" : axis }

    /// A Markdown table: mean and deviation over the seeds.
    package var table: String {
        let tests = measures.filter { $0.hasPrefix("test") }, others = measures.filter { !$0.hasPrefix("test") }
        let present = (tests + others).filter { measure in cells.contains { $0.measure(measure) != nil } }
        let seedCount = cells.map(\.seeds.count).max() ?? 0
        let costs = Self.costs.filter { cost in cells.contains { cost.text($0) != nil } }
        var rows = [[firstTitle] + present.map { SeedSummary.titles[$0] ?? $0 } + costs.map(\.title)]
        for cell in cells {
            let values = present.map { measure -> String in
                guard let value = cell.measure(measure) else { return "–" }
                let places = measure == "training_loss" ? 3 : 1
                let mean = NumberText.decimal(value.mean, places: places)
                return mean + (value.deviation.map { " ± " + NumberText.decimal($0, places: places) } ?? "")
            }
            rows.append([cell.name] + values + costs.map { $0.text(cell) ?? "–" })
        }
        let lists = [
            present.contains { $0.hasPrefix("test") } ? "test: the test list, with the epoch that the validation list chose, else the last" : nil,
            present.contains { $0.hasPrefix("last") } ? "last and best: epochs on the validation list" : nil,
            cells.contains { $0.viewGflops != nil } ? "GFLOPs: of a view, as profile counts it; needed: of these; seconds: of all seeds" : nil,
        ].compactMap(\.self)
        let seeds = seedCount > 1 ? "Mean ± deviation of \(seedCount) seeds" : "One seed"
        return alignedTable(rows) + "\n\n" + ([seeds] + lists).joined(separator: "; ") + "."
    }

    /// What a cell costs, for people.
    private static let costs: [(title: String, text: @Sendable (Cell) -> String?)] = [
        ("learned", { $0.learnedParameters.map { "\($0)" } }),
        ("GFLOPs", { $0.viewGflops.map(gflops) }),
        ("needed", { $0.neededViewGflops.map(gflops) }),
        ("seconds", { NumberText.decimal($0.seconds, places: 0) }),
        ("peak memory", { $0.peakBytes.map { bytes($0) } }),
    ]

    /// Few enough digits for a table.
    @Sendable package static func gflops(_ value: Double) -> String { NumberText.decimal(value, places: value < 1 ? 4 : value < 10 ? 2 : 1) }

    /// A Markdown table of the differences; nil without any.
    package var differenceTable: String? {
        guard let differences, !differences.isEmpty else { return nil }
        let signed = { (value: Double) in (value > 0 ? "+" : "") + NumberText.decimal(value, places: 1) }
        let rows = differences.map { difference in
            [
                "\(difference.first) – \(difference.second)", signed(difference.top1.mean),
                "\(signed(difference.top1.low)) to \(signed(difference.top1.high))", difference.top1.isClear ? "yes" : "no",
            ]
        }
        return alignedTable([["difference in top-1", "points", "95 % interval", "clear"]] + rows)
            + "\n\nPaired bootstrap over clips and seeds: clear where the interval leaves zero out."
    }

    /// A line a cell.
    package var csv: String {
        let titles = ["cell", "series", "at", "command", "settings", "n"]
            + measures.flatMap { ["\($0)_mean", "\($0)_deviation"] }
            + ["seconds", "learned_parameters", "view_gflops", "needed_view_gflops", "peak_bytes"]
        let lines = cells.map { cell in
            let words = [cell.name, cell.series ?? ""].map(\.csvField) + [cell.at.map { "\($0)" } ?? "", cell.command]
            let values = measures.flatMap { measure -> [String] in
                let value = cell.measure(measure)
                return [value.map { "\($0.mean)" } ?? "", value?.deviation.map { "\($0)" } ?? ""]
            }
            let counts = [cell.learnedParameters, cell.peakBytes].map { $0.map(String.init) ?? "" }
            let work = [cell.viewGflops, cell.neededViewGflops].map { $0.map { "\($0)" } ?? "" }
            let costs = ["\(cell.seconds)", counts[0], work[0], work[1], counts[1]]
            // What learns nothing was scored once.
            return words + [cell.settings.joined(separator: " ").csvField, "\(max(1, cell.seeds.count))"] + values + costs
        }
        return ([titles] + lines).map { $0.joined(separator: ",") + "\n" }.joined()
    }
}
