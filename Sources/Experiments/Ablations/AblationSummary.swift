import Evaluation
import Files
import Recipes
import Training

/// What the cells of a grid reached. Keys as `summary.json` has them.
package struct AblationSummary: Codable {
    package struct Cell: Codable {
        package let name: String
        package let at: Double?
        package let series: String?
        /// `learn` or `bridge`.
        package let command: String
        /// What the cell sets, as `--set` takes it.
        package let settings: [String]
        package let folder: String
        package let seeds: [Int]
        /// On the validation list of the last epoch and of the best, and on the test list of what was chosen.
        package let measures: [SeedSummary.Measure]
        /// Of all seeds.
        package let seconds: Double

        package init(_ cell: AblationGrid.Cell, folder: String, results: [(seed: Int, result: RunResult)]) {
            name = cell.name
            at = cell.at
            series = cell.series
            command = cell.kind.rawValue
            settings = cell.assignments
            self.folder = folder
            seeds = results.map(\.seed)
            let summary = SeedSummary(results)
            measures = summary.measures
            seconds = summary.runs.reduce(0) { $0 + $1.seconds }
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

    package struct Difference: Codable {
        package let first: String
        package let second: String
        /// That both cells ran with.
        package let seeds: [Int]
        /// On the test list, else on the validation list after the last epoch: the first cell's less the second's.
        package let top1: PairedBootstrap.Difference
    }

    private static let measures: [(name: String, title: String)] = [
        ("last_top1", "last top-1 %"), ("last_top5", "last top-5 %"), ("last_mean_class", "last mean of classes %"),
        ("best_top1", "best top-1 %"), ("test_top1", "test top-1 %"), ("test_top5", "test top-5 %"),
        ("test_mean_class", "test mean of classes %"), ("training_loss", "training loss"),
    ]

    /// The heading of the first column.
    package var firstTitle: String { axis.isEmpty ? "cell" : axis }

    /// A Markdown table: mean and deviation over the seeds.
    package var table: String {
        let tests = Self.measures.filter { $0.name.hasPrefix("test") }, others = Self.measures.filter { !$0.name.hasPrefix("test") }
        let present = (tests + others).filter { measure in cells.contains { $0.measure(measure.name) != nil } }
        let seedCount = cells.map(\.seeds.count).max() ?? 0
        var rows = [[firstTitle] + present.map(\.title) + ["seconds"]]
        for cell in cells {
            let values = present.map { measure -> String in
                guard let value = cell.measure(measure.name) else { return "–" }
                let places = measure.name == "training_loss" ? 3 : 1
                let mean = NumberText.decimal(value.mean, places: places)
                return mean + (value.deviation.map { " ± " + NumberText.decimal($0, places: places) } ?? "")
            }
            rows.append([cell.name] + values + [NumberText.decimal(cell.seconds, places: 0)])
        }
        let lists = [
            cells.contains { $0.measure("test_top1") != nil } ? "test: the test list, with the epoch that the validation list chose, else the last" : nil,
            cells.contains { $0.measure("last_top1") != nil } ? "last and best: epochs on the validation list" : nil,
        ].compactMap(\.self)
        let seeds = seedCount > 1 ? "Mean ± deviation of \(seedCount) seeds" : "One seed"
        return alignedTable(rows) + "\n\n" + ([seeds] + lists).joined(separator: "; ") + "."
    }

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
            + Self.measures.flatMap { ["\($0.name)_mean", "\($0.name)_deviation"] } + ["seconds"]
        let lines = cells.map { cell in
            let words = [cell.name, cell.series ?? ""].map(\.csvField) + [cell.at.map { "\($0)" } ?? "", cell.command]
            let values = Self.measures.flatMap { measure -> [String] in
                let value = cell.measure(measure.name)
                return [value.map { "\($0.mean)" } ?? "", value?.deviation.map { "\($0)" } ?? ""]
            }
            return words + [cell.settings.joined(separator: " ").csvField, "\(cell.seeds.count)"] + values + ["\(cell.seconds)"]
        }
        return ([titles] + lines).map { $0.joined(separator: ",") + "\n" }.joined()
    }
}
