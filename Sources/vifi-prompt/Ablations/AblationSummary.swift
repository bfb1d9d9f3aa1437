import Charts
import Evaluation
import Training

/// What the cells of a grid reached. Keys as `summary.json` has them.
struct AblationSummary: Codable {
    struct Cell: Codable {
        let name: String
        let at: Double?
        let series: String?
        /// `learn` or `bridge`.
        let command: String
        /// What the cell sets, as `--set` takes it.
        let settings: [String]
        let folder: String
        let seeds: [Int]
        /// Of the last epoch, and of the best: nothing is chosen by looking at the test list but `best_top1`.
        let measures: [SeedSummary.Measure]
        /// Of all seeds.
        let seconds: Double

        init(_ cell: AblationGrid.Cell, folder: String, results: [(seed: Int, result: RunResult)]) {
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

        func measure(_ name: String) -> SeedSummary.Measure? { measures.first { $0.name == name } }
    }

    let grid: String
    let title: String
    let axis: String
    let cells: [Cell]
    /// Of every two cells that can be compared, where their runs say what they made of each clip; nil in summaries of
    /// earlier programs.
    let differences: [Difference]?
    let isFinished: Bool

    struct Difference: Codable {
        let first: String
        let second: String
        /// That both cells ran with.
        let seeds: [Int]
        /// After the last epoch, the first cell's less the second's.
        let top1: PairedBootstrap.Difference
    }

    enum CodingKeys: String, CodingKey {
        case grid, title, axis, cells, differences
        case isFinished = "is_finished"
    }

    private static let measures: [(name: String, title: String)] = [
        ("last_top1", "top-1 %"), ("last_top5", "top-5 %"), ("last_mean_class", "mean of classes %"),
        ("best_top1", "best top-1 %"), ("training_loss", "training loss"),
    ]

    /// The heading of the first column.
    private var firstTitle: String { axis.isEmpty ? "cell" : axis }

    /// A Markdown table: mean and deviation over the seeds.
    var table: String {
        let present = Self.measures.filter { measure in cells.contains { $0.measure(measure.name) != nil } }
        let seedCount = cells.map(\.seeds.count).max() ?? 0
        var rows = [[firstTitle] + present.map(\.title) + ["seconds"]]
        for cell in cells {
            let values = present.map { measure -> String in
                guard let value = cell.measure(measure.name) else { return "–" }
                let places = measure.name == "training_loss" ? 3 : 1
                let mean = ProgressReporter.decimal(value.mean, places: places)
                return mean + (value.deviation.map { " ± " + ProgressReporter.decimal($0, places: places) } ?? "")
            }
            rows.append([cell.name] + values + [ProgressReporter.decimal(cell.seconds, places: 0)])
        }
        let note = seedCount > 1 ? "\n\nAfter the last epoch; mean ± deviation of \(seedCount) seeds." : "\n\nAfter the last epoch; one seed."
        return alignedTable(rows) + note
    }

    /// A Markdown table of the differences; nil without any.
    var differenceTable: String? {
        guard let differences, !differences.isEmpty else { return nil }
        let signed = { (value: Double) in (value > 0 ? "+" : "") + ProgressReporter.decimal(value, places: 1) }
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
    var csv: String {
        let titles = ["cell", "series", "at", "command", "settings", "n"]
            + Self.measures.flatMap { ["\($0.name)_mean", "\($0.name)_deviation"] } + ["seconds"]
        let lines = cells.map { cell in
            let words = [cell.name, cell.series ?? ""].map(ProfileReport.quoted) + [cell.at.map { "\($0)" } ?? "", cell.command]
            let values = Self.measures.flatMap { measure -> [String] in
                let value = cell.measure(measure.name)
                return [value.map { "\($0.mean)" } ?? "", value?.deviation.map { "\($0)" } ?? ""]
            }
            return words + [ProfileReport.quoted(cell.settings.joined(separator: " ")), "\(cell.seeds.count)"] + values + ["\(cell.seconds)"]
        }
        return ([titles] + lines).map { $0.joined(separator: ",") + "\n" }.joined()
    }

    /// Top-1 after the last epoch: lines where every cell has a place on the axis, else bars; nil without a
    /// test list.
    var chart: Chart? {
        let scored = cells.compactMap { cell in cell.measure("last_top1").map { (cell: cell, value: $0) } }
        guard !scored.isEmpty else { return nil }
        let words = scored.map { scored in
            "\(scored.cell.name): \(ProgressReporter.decimal(scored.value.mean, places: 1)) %"
                + (scored.value.deviation.map { " ± \(ProgressReporter.decimal($0, places: 1))" } ?? "")
        }
        let vertical = Axis("top-1 on the test list, %", range: 0...100)
        let seedCount = cells.map(\.seeds.count).max() ?? 0
        let unnamed = seedCount > 1 ? "mean of \(seedCount) seeds" : "one seed"
        let content: Chart.Content
        if scored.allSatisfy({ $0.cell.at != nil }), scored.count > 1 {
            var names: [String] = []
            for entry in scored where !names.contains(entry.cell.series ?? unnamed) { names.append(entry.cell.series ?? unnamed) }
            content = .lines(
                names.map { name in
                    Curve(
                        name,
                        scored.filter { ($0.cell.series ?? unnamed) == name }.map { Curve.Point($0.cell.at ?? 0, $0.value.mean) })
                })
        } else {
            content = .bars(Bars(labels: scored.map(\.cell.name), series: [.init(unnamed, scored.map(\.value.mean))]))
        }
        return Chart(
            title: "Top-1 by \(firstTitle)", summary: title + " " + words.joined(separator: "; "), horizontal: Axis(axis, isWhole: true), vertical: vertical, content: content)
    }
}
