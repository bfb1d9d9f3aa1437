import Charts
import Experiments
import Files
import Training

extension AblationSummary {
    /// Top-1: lines where every cell has a place on the axis, else bars, of methods a group each; nil where nothing was scored.
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
        if scored.allSatisfy({ $0.cell.method != nil }) {
            content = .bars(Self.bars(ofMethods: scored, unnamed: unnamed))
        } else if scored.allSatisfy({ $0.cell.at != nil }), scored.count > 1 {
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

    /// A group of bars for each method, a bar for each number of shots; what learns nothing has one bar.
    private static func bars(ofMethods scored: [(cell: Cell, value: SeedSummary.Measure)], unnamed: String) -> Bars {
        var (methods, places) = ([String](), [Double]())
        for (cell, _) in scored {
            if let method = cell.method, !methods.contains(method) { methods.append(method) }
            if let at = cell.at, !places.contains(at) { places.append(at) }
        }
        func value(_ method: String, at place: Double?) -> Double? { scored.first { $0.cell.method == method && $0.cell.at == place }?.value.mean }
        let series = places.enumerated().map { index, place in
            Bars.Series(
                "\(NumberText.decimal(place, places: 0)) shots, \(unnamed)",
                methods.map { value($0, at: place) ?? (index == 0 ? value($0, at: nil) : nil) })
        }
        return Bars(labels: methods, series: series.isEmpty ? [.init(unnamed, methods.map { value($0, at: nil) })] : series)
    }

    /// Draws the chart into a folder; nothing where there is none.
    package func drawChart(into folder: String) throws {
        guard let chart else { return }
        for ending in ["svg", "png"] { try chart.write(to: folder.appendingPath("chart." + ending)) }
    }
}
