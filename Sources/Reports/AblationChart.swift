import Charts
import Experiments
import Files
import Training

extension AblationSummary {
    /// Top-1: lines where every cell has a place on the axis, else bars; nil where nothing was scored.
    package var chart: Chart? {
        let scored = cells.compactMap { cell in cell.top1.map { (cell: cell, value: $0) } }
        guard !scored.isEmpty else { return nil }
        let words = scored.map { scored in
            "\(scored.cell.name): \(NumberText.decimal(scored.value.mean, places: 1)) %"
                + (scored.value.deviation.map { " ± \(NumberText.decimal($0, places: 1))" } ?? "")
        }
        let vertical = Axis("top-1 on the \(cells.contains { $0.measure("test_top1") != nil } ? "test" : "validation") list, %", range: 0...100)
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

    /// Draws the chart into a folder; nothing where there is none.
    package func drawChart(into folder: String) throws {
        guard let chart else { return }
        for ending in ["svg", "png"] { try chart.write(to: folder.appendingPath("chart." + ending)) }
    }
}
