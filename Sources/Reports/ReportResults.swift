import Charts
import Evaluation
import Experiments
import Files
import Recipes
import Training

/// Results as tables, the paper's beside them, and curves.
package struct ReportResults {
    package typealias Cell = ReportTable.Cell

    package let material: ReportMaterial

    package init(material: ReportMaterial) {
        self.material = material
    }

    package static func share(_ value: Double?) -> Cell { value.map { Cell(NumberText.decimal($0, places: 1), number: $0) } ?? .none }
    package static func number(_ value: Int?) -> Cell { value.map { Cell(grouped($0), number: Double($0)) } ?? .none }
    package static func time(_ seconds: Double?) -> Cell { seconds.map { Cell(duration($0), number: $0) } ?? .none }
    private static func gflops(_ value: Double?) -> Cell { value.map { Cell(AblationSummary.gflops($0), number: $0) } ?? .none }
    private static func spread(_ values: [Double]) -> Cell {
        let statistics = RunStatistics(values)
        return values.isEmpty ? .none : Cell(PaperTables.text(statistics.mean, statistics.deviation), number: statistics.mean)
    }

    // MARK: Results

    package func section() -> ReportSection {
        var blocks = material.protocols.flatMap { protocolTables($0.name, $0.summary) }
        blocks += material.grids.flatMap(gridTables)
        if !material.evaluations.isEmpty { blocks.append(evaluations.html) }
        if !material.retrievals.isEmpty { blocks.append(retrievals.html) }
        if !material.clusters.isEmpty { blocks.append(clusters.html) }
        if !material.runs.isEmpty { blocks += [runs.html] + (seeds.map { [$0.html] } ?? []) }
        return ReportSection("Results", blocks)
    }

    private var runs: ReportTable {
        let hasCaptions = material.runs.contains { $0.result?.reported?.retrieval != nil }
        let names = hasCaptions ? ["R@1 or top-1 %", "R@5 or top-5 %"] : ["top-1 %", "top-5 %"]
        return ReportTable(
            "Runs: on the test list, or on the validation list after the last epoch; best is the epoch that the validation list chose",
            ["run", "kind", "shots", "seed", "steps"] + names + ["mean of classes %", "best \(names[0])", "training loss", ""],
            material.runs.map { run in
                let result = run.result
                return .init([
                    .init(run.name), .init(run.record?.kind.rawValue ?? ""), Self.text(run.setting("training.shots")), Self.text(run.setting("training.seed")),
                    Self.number(result?.steps ?? run.log?.loss.count), Self.share(result?.reported?.top1), Self.share(result?.reported?.tellingTop5),
                    Self.share(result?.reported?.meanClassAccuracy), Self.share(result?.best?.top1),
                    result?.trainingLoss.map { .init(NumberText.decimal($0, places: 3), number: $0) } ?? .none,
                    .init(result == nil ? "not finished" : result?.reported == nil ? "nothing scored" : result?.test == nil ? "validation list" : "test list"),
                ])
            })
    }

    private static func text(_ word: String?) -> Cell { word.map { Cell($0, number: Double($0)) } ?? .none }

    /// Runs that differ in their seed alone.
    private var seedGroups: [(runs: [ReportRun], seeds: [String])] {
        var order: [[String]] = []
        var groups: [[String]: [ReportRun]] = [:]
        for run in material.runs where run.result?.reported != nil && !run.settings.isEmpty {
            if groups[run.group] == nil { order.append(run.group) }
            groups[run.group, default: []].append(run)
        }
        return order.compactMap { groups[$0] }.filter { $0.count > 1 }.map { ($0, $0.map { $0.setting("training.seed") ?? "?" }) }
    }

    private var seeds: ReportTable? {
        let groups = seedGroups
        guard !groups.isEmpty else { return nil }
        return ReportTable(
            "Runs that differ in their seed alone: mean ± deviation of the sample",
            ["runs", "seeds", "n", "shots", "top-1 %", "top-5 %", "mean of classes %", "best top-1 %"],
            groups.map { group in
                let reported = group.runs.compactMap { $0.result?.reported }
                return .init([
                    .init("\(group.runs[0].name) … \(group.runs[group.runs.count - 1].name)"), .init(group.seeds.joined(separator: ", ")),
                    Self.number(group.runs.count), Self.text(group.runs[0].setting("training.shots")), Self.spread(reported.map(\.top1)),
                    Self.spread(reported.compactMap(\.tellingTop5)), Self.spread(reported.map(\.meanClassAccuracy)), Self.spread(group.runs.compactMap { $0.result?.best?.top1 }),
                ])
            })
    }

    private var evaluations: ReportTable {
        ReportTable(
            "Evaluations", ["evaluation", "protocol", "videos", "unreadable", "classes", "views", "top-1 %", "top-5 %", "mean of classes %", "macro F1 %"],
            material.evaluations.map { evaluation in
                let record = evaluation.record
                return .init([
                    .init(evaluation.name), .init(record.evaluationProtocol), Self.number(record.videos), Self.number(record.unreadable.count),
                    Self.number(record.classes), .init(record.setting.views), Self.share(record.top1),
                    // Five of five are always right.
                    Self.share(record.tellingTop5), Self.share(record.meanClassAccuracy), Self.share(record.macroF1),
                ])
            })
    }

    private var retrievals: ReportTable {
        ReportTable(
            "Retrieval", ["retrieval", "direction", "queries", "R@1 %", "R@5 %", "R@10 %", "median rank", "mean rank", "tied"],
            material.retrievals.flatMap { entry in
                [("text → video", entry.metrics.metrics.textToVideo), ("video → text", entry.metrics.metrics.videoToText)].map { title, direction in
                    .init([
                        .init(entry.name), .init(title), Self.number(direction.queries), Self.share(direction.r1), Self.share(direction.r5),
                        Self.share(direction.r10), Self.share(direction.medianRank), Self.share(direction.meanRank), Self.number(direction.tied),
                    ])
                }
            })
    }

    private var clusters: ReportTable {
        ReportTable(
            "Clusters of k-means, k = classes",
            ["t-SNE", "videos", "classes", "space", "homogeneity", "completeness", "V-measure"],
            material.clusters.flatMap { entry in
                [("embeddings", entry.metrics.embedding), ("plane of t-SNE", entry.metrics.plane)].map { space, agreement in
                    .init(
                        [.init(entry.name), Self.number(entry.metrics.videos), Self.number(entry.metrics.clusters), .init(space)]
                            + [agreement.homogeneity, agreement.completeness, agreement.vMeasure].map {
                                .init(NumberText.decimal($0, places: 3), number: $0)
                            })
                }
            })
    }

    // MARK: Protocols and grids

    private static let measureTitles = [
        "top1": "top-1 %", "top5": "top-5 %", "mean_class_accuracy": "mean of classes %", "macro_f1": "macro F1 %",
        "test_top1": "test top-1 %", "test_top5": "test top-5 %", "test_mean_class": "test mean of classes %",
        "last_top1": "last top-1 %", "last_top5": "last top-5 %", "last_mean_class": "last mean of classes %", "best_top1": "best top-1 %",
        "training_loss": "training loss",
    ]

    private func protocolTables(_ name: String, _ summary: ProtocolSummary) -> [HTML] {
        var measures: [String] = []
        for result in summary.results where !measures.contains(result.measure) { measures.append(result.measure) }
        var keys: [(method: String, shots: Int?, part: String?)] = []
        for result in summary.results where !keys.contains(where: { $0 == (result.method, result.shots, result.part) }) {
            keys.append((result.method, result.shots, result.part))
        }
        let rows = keys.map { key -> ReportTable.Row in
            let members = summary.results.filter { $0.method == key.method && $0.shots == key.shots && $0.part == key.part }
            let cells = measures.map { measure -> Cell in
                guard let result = members.first(where: { $0.measure == measure }) else { return .none }
                return Cell(PaperTables.text(result.mean, result.deviation), number: result.mean)
            }
            let singles = members.first { $0.measure == "top1" }?.values.map { NumberText.decimal($0, places: 1) } ?? []
            return .init(
                [.init(key.method), Self.number(key.shots), .init(key.part.map { $0 == "harmonic_mean" ? "harmonic mean" : $0 } ?? ""), Self.number(members[0].n)]
                    + cells + [.init(singles.joined(separator: ", "))])
        }
        let table = ReportTable(
            "\(summary.evaluationProtocol): \(name), mean ± deviation of the sample",
            ["method", "shots", "classes", "n"] + measures.map { Self.measureTitles[$0] ?? $0 } + ["top-1 of each"], rows)
        return [table.html, .paragraph("Made by: \(summary.command)", "small")]
    }

    private func gridTables(_ entry: (name: String, path: String, summary: AblationSummary)) -> [HTML] {
        let grid = entry.summary
        var measures: [String] = []
        for measure in grid.cells.flatMap(\.measures) where !measures.contains(measure.name) { measures.append(measure.name) }
        let rows = grid.cells.map { cell -> ReportTable.Row in
            let cells = measures.map { name -> Cell in
                guard let measure = cell.measures.first(where: { $0.name == name }) else { return .none }
                let places = name == "training_loss" ? 3 : 1
                let text = NumberText.decimal(measure.mean, places: places)
                    + (measure.deviation.map { " ± " + NumberText.decimal($0, places: places) } ?? "")
                return Cell(text, number: measure.mean)
            }
            let costs = [
                Self.number(cell.learnedParameters), Self.gflops(cell.viewGflops), Self.gflops(cell.neededViewGflops), Self.time(cell.seconds),
                cell.peakBytes.map { Cell(bytes($0), number: Double($0)) } ?? .none,
            ]
            return .init([.init(cell.name), Self.number(cell.seeds.count)] + cells + costs + [.init(cell.settings.joined(separator: " "), kind: "key")])
        }
        let table = ReportTable(
            "\(entry.name): \(grid.title)", [grid.axis.isEmpty ? "cell" : grid.axis, "seeds"] + measures.map { Self.measureTitles[$0] ?? SeedSummary.titles[$0] ?? $0 }
                + ["learned", "GFLOPs of a view", "needed", "time", "peak memory", "sets"], rows)
        return [table.html] + (grid.isFinished ? [] : [.paragraph("Not all cells are finished yet.", "note")])
    }

    // MARK: Beside the paper

    /// Only what was measured on a data set of the paper stands beside its numbers.
    package func paper(_ tables: PaperTables, _ known: KnownDataSets) throws -> ReportSection {
        var blocks: [HTML] = []
        // Of other videos, by name.
        var others: [String] = []
        func set(_ name: String, _ classes: some Sequence<String>, among columns: [String]) -> String? {
            let set = known.dataSet(ofClasses: classes).flatMap { columns.contains($0) ? $0 : nil }
            if set == nil { others.append(name) }
            return set
        }
        for entry in material.protocols {
            let parts = material.evaluations.filter { $0.path.hasPrefix(entry.path + "/") }
            let classes = Set(parts.flatMap { $0.classes.map(\.name) })
            if let set = set(entry.name, classes, among: Self.columns[entry.summary.evaluationProtocol] ?? []) {
                blocks += beside(entry.name, entry.summary, set, tables)
            }
        }
        for grid in material.grids where grid.summary.grid.contains("fusion") {
            let classes = material.runs.first { $0.path.hasPrefix(grid.path + "/") }?.classNames ?? []
            guard set(grid.name, classes, among: ["k400"]) != nil else { continue }
            let ours = grid.summary.cells.compactMap { cell in
                cell.top1.map { PaperTables.Ours(name: cell.name, figures: ["here": ($0.mean, $0.deviation)]) }
            }
            blocks += tables.table("5", ours: ours, others: [("here", "Kinetics-400, these videos")])
        }
        let protocolPaths = material.protocols.map { $0.path + "/" }
        for evaluation in material.evaluations where !protocolPaths.contains(where: { evaluation.path.startsWithBytes(of: $0) }) {
            let record = evaluation.record
            let isPrompted = record.model.prompts != nil
            guard let set = set(evaluation.name, evaluation.classes.map(\.name), among: isPrompted ? ["hmdb51", "ucf101", "ssv2"] : ["hmdb51", "ucf101", "k600"])
            else { continue }
            let shots = material.runs.first { run in run.prompts.contains { $0.digest == record.model.promptsSha256 } }?.setting("training.shots")
            let measure = isPrompted ? shots.flatMap { ["2", "4", "8", "16"].contains($0) ? "\(set)_\($0)" : nil } ?? "here" : set
            blocks += tables.table(
                isPrompted ? "7" : "1", ours: [PaperTables.Ours(name: evaluation.name, figures: [measure: (record.top1, nil)])],
                others: [("here", "\(set), K = \(shots ?? "unknown")")])
        }
        let gridPaths = material.grids.map { $0.path + "/" }
        let runs = material.runs.filter { run in !(protocolPaths + gridPaths).contains { run.path.startsWithBytes(of: $0) } && run.result?.reported != nil }
        blocks += besideRuns(runs.filter { $0.result?.reported?.retrieval == nil }, tables) { set($0.name, $0.classNames, among: $1) }
        let retrieved = material.retrievals.filter { entry in
            if Self.isMSRVTT(entry) { return true }
            others.append(entry.name)
            return false
        }
        if !retrieved.isEmpty {
            blocks += tables.table(
                "10", ours: retrieved.map { PaperTables.Ours(name: $0.name, figures: ["r1": ($0.metrics.metrics.textToVideo.r1, nil), "r5": ($0.metrics.metrics.textToVideo.r5, nil)]) })
        }
        if !blocks.isEmpty {
            blocks.insert(
                .paragraph(
                    "Numbers can be compared only where split, backbone, frames and views are the same, too. Data sets are told by their class names.",
                    "note"), at: 0)
        }
        if !others.isEmpty {
            let names = others.prefix(8).joined(separator: ", ") + (others.count > 8 ? ", …" : "")
            blocks.append(
                .paragraph("No number of the paper stands beside \(names): \(others.count == 1 ? "it is" : "they are") of none of its data sets.", "note"))
        }
        return ReportSection("Beside the paper", blocks)
    }

    /// The data sets that a protocol's tables have columns for.
    private static let columns = [
        "zero-shot": ["hmdb51", "ucf101", "k600"], "base-to-novel": ["k400", "hmdb51", "ucf101", "ssv2"], "few-shot": ["hmdb51", "ucf101", "ssv2"],
        "supervised": ["k400"],
    ]

    /// The 1,000 test videos of MSR-VTT, which are called video7010 and so on.
    private static func isMSRVTT(_ entry: (name: String, path: String, metrics: RetrievalReport)) -> Bool {
        guard entry.metrics.videos >= 900, let bytes = try? InputFile.contents(of: entry.path.appendingPath("ranks.csv"), limit: 64 << 20) else { return false }
        let rows = String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropFirst()
        return !rows.isEmpty && rows.allSatisfy { $0.contains(/video\d{1,5}/) }
    }

    /// - Parameter prefix: the data set, as measures of the tables begin.
    private func beside(_ name: String, _ summary: ProtocolSummary, _ prefix: String, _ tables: PaperTables) -> [HTML] {
        let known = Self.columns[summary.evaluationProtocol] ?? []
        let top1 = summary.results.filter { $0.measure == "top1" }
        var methods: [(method: String, shots: Int?)] = []
        for result in top1 where !methods.contains(where: { $0 == (result.method, result.shots) }) { methods.append((result.method, result.shots)) }
        func figure(_ result: ProtocolSummary.Result) -> (mean: Double, deviation: Double?) { (result.mean, result.deviation) }
        switch summary.evaluationProtocol {
        case "zero-shot":
            let ours = methods.map { key -> PaperTables.Ours in
                var row = PaperTables.Ours(name: "\(name): \(key.method)", figures: [:])
                for result in summary.results where result.method == key.method {
                    if result.measure == "top1" { row.figures[prefix] = figure(result) }
                    if result.measure == "top5" { row.figures[prefix + "_top5"] = figure(result) }
                }
                return row
            }
            return tables.table("1", ours: ours, others: [(prefix + "_top5", prefix + " top-5")].filter { $0.0 != "k600_top5" })
        case "base-to-novel":
            let ours = methods.map { key -> PaperTables.Ours in
                var row = PaperTables.Ours(name: "\(name): \(key.method)" + (key.shots.map { ", \($0) shots" } ?? ""), figures: [:])
                for result in top1 where result.method == key.method && result.shots == key.shots {
                    row.figures["\(prefix)_\(result.part == "harmonic_mean" ? "hm" : result.part ?? "")"] = figure(result)
                }
                return row
            }
            return tables.table("2", ours: ours) + tables.table("8", ours: ours)
        case "few-shot":
            var names: [String] = []
            for key in methods where !names.contains(key.method) { names.append(key.method) }
            var own: [(String, String)] = []
            let ours = names.map { method -> PaperTables.Ours in
                var row = PaperTables.Ours(name: "\(name): \(method)", figures: [:])
                for result in top1 where result.method == method {
                    let shots = result.shots ?? 0
                    row.figures["\(prefix)_\(shots)"] = figure(result)
                    if !own.contains(where: { $0.0 == "\(prefix)_\(shots)" }) { own.append(("\(prefix)_\(shots)", "\(prefix) K=\(shots)")) }
                }
                return row
            }
            let columns = ["2", "4", "8", "16"].flatMap { shots in known.map { "\($0)_\(shots)" } }
            let others = own.filter { !columns.contains($0.0) }.map { (measure: $0.0, title: $0.1) }
            return tables.table("3", ours: ours, others: others) + tables.table("7", ours: ours, others: others)
        case "supervised":
            let ours = methods.map { key -> PaperTables.Ours in
                var row = PaperTables.Ours(name: "\(name): \(key.method)", figures: [:])
                for result in summary.results where result.method == key.method && result.shots == key.shots && ["top1", "top5"].contains(result.measure) {
                    row.figures[result.measure] = figure(result)
                }
                return row
            }
            return tables.table("4", ours: ours)
        default:
            return []
        }
    }

    /// Few shots belong beside tables 3 and 7, all clips beside table 4.
    ///
    /// - Parameter set: the data set of a run, among those that a table has columns for.
    private func besideRuns(_ runs: [ReportRun], _ tables: PaperTables, set: (ReportRun, _ among: [String]) -> String?) -> [HTML] {
        let groups = Dictionary(grouping: runs, by: \.group)
        var seen: Set<[String]> = []
        var (few, full): ([PaperTables.Ours], [PaperTables.Ours]) = ([], [])
        for run in runs where seen.insert(run.group).inserted {
            let members = (groups[run.group] ?? []).compactMap { $0.result?.reported }
            let statistics = RunStatistics(members.map(\.top1))
            let name = run.name + (members.count > 1 ? " and \(members.count - 1) more seeds" : "")
            if let shots = run.setting("training.shots") {
                guard let set = set(run, ["hmdb51", "ucf101", "ssv2"]) else { continue }
                let measure = ["2", "4", "8", "16"].contains(shots) ? "\(set)_\(shots)" : "here"
                few.append(.init(name: name + ", K=\(shots)", figures: [measure: (statistics.mean, statistics.deviation)]))
            } else {
                guard set(run, ["k400"]) != nil else { continue }
                let fives = RunStatistics(members.map(\.top5))
                full.append(.init(name: name, figures: ["top1": (statistics.mean, statistics.deviation), "top5": (fives.mean, fives.deviation)]))
            }
        }
        let other = [(measure: "here", title: "other numbers of shots")]
        return (few.isEmpty ? [] : tables.table("3", ours: few, others: other) + tables.table("7", ours: few, others: other))
            + (full.isEmpty ? [] : tables.table("4", ours: full))
    }

    // MARK: Curves

    package func curves() throws -> ReportSection {
        let logs = material.runs.compactMap(\.log)
        guard !logs.isEmpty else { return ReportSection("Curves") }
        let shown = Array(logs.prefix(RunLog.limit))
        let titles = ["Loss on the training clips.", "Learning rate.", "Accuracy on the test list, in percent."]
        let figures = try zip(RunLog.charts(of: shown), titles).compactMap { chart, title in
            try chart.map { try ReportPage.figure($0, caption: title + " " + $0.summary) }
        }
        let note = logs.count > shown.count ? [HTML.paragraph("Curves of the first \(shown.count) of \(logs.count) runs: more cannot be told apart.", "note")] : []
        return ReportSection("Curves", note + [.element("div", [("class", "charts")], figures)])
    }

    package func grids() throws -> ReportSection {
        let figures = try material.grids.compactMap { grid -> HTML? in
            let file = grid.path.appendingPath("chart.svg")
            guard fileExists(file) else { return nil }
            return ReportPage.figure(
                try ReportFiles.svg(file), type: "image/svg+xml", words: "Chart of \(grid.summary.title)", caption: "\(grid.name): \(grid.summary.title)")
        }
        return ReportSection("Ablations", figures.isEmpty ? [] : [.element("div", [("class", "charts")], figures)])
    }
}
