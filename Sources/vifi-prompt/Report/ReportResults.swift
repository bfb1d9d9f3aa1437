import Charts
import Evaluation
import Files
import Training

/// Results as tables, the paper's beside them, and curves.
struct ReportResults {
    typealias Cell = ReportTable.Cell

    let material: ReportMaterial

    static func share(_ value: Double?) -> Cell { value.map { Cell(ProgressReporter.decimal($0, places: 1), number: $0) } ?? .none }
    static func number(_ value: Int?) -> Cell { value.map { Cell(grouped($0), number: Double($0)) } ?? .none }
    static func time(_ seconds: Double?) -> Cell { seconds.map { Cell(duration($0), number: $0) } ?? .none }
    private static func spread(_ values: [Double]) -> Cell {
        let statistics = RunStatistics(values)
        return values.isEmpty ? .none : Cell(PaperTables.text(statistics.mean, statistics.deviation), number: statistics.mean)
    }

    // MARK: Results

    func section() -> ReportSection {
        var blocks = material.protocols.flatMap { protocolTables($0.name, $0.summary) }
        blocks += material.grids.flatMap(gridTables)
        if !material.evaluations.isEmpty { blocks.append(evaluations.html) }
        if !material.retrievals.isEmpty { blocks.append(retrievals.html) }
        if !material.clusters.isEmpty { blocks.append(clusters.html) }
        if !material.runs.isEmpty { blocks += [runs.html] + (seeds.map { [$0.html] } ?? []) }
        return ReportSection("Results", blocks)
    }

    private var runs: ReportTable {
        let hasCaptions = material.runs.contains { $0.result?.last?.retrieval != nil }
        let names = hasCaptions ? ["R@1 or top-1 %", "R@5 or top-5 %"] : ["top-1 %", "top-5 %"]
        return ReportTable(
            "Runs: after the last epoch, and after the one that was best on the test list",
            ["run", "kind", "shots", "seed", "steps"] + names + ["mean of classes %", "best \(names[0])", "training loss", ""],
            material.runs.map { run in
                let result = run.result
                return .init([
                    .init(run.name), .init(run.record?.kind ?? ""), Self.text(run.setting("training.shots")), Self.text(run.setting("training.seed")),
                    Self.number(result?.steps ?? run.log?.loss.count), Self.share(result?.last?.top1), Self.share(result?.last?.tellingTop5),
                    Self.share(result?.last?.meanClassAccuracy), Self.share(result?.best?.top1),
                    result.map { .init(ProgressReporter.decimal($0.trainingLoss, places: 3), number: $0.trainingLoss) } ?? .none,
                    .init(result == nil ? "not finished" : result?.last == nil ? "no test list" : ""),
                ])
            })
    }

    private static func text(_ word: String?) -> Cell { word.map { Cell($0, number: Double($0)) } ?? .none }

    /// Runs that differ in their seed alone.
    private var seedGroups: [(runs: [ReportRun], seeds: [String])] {
        var order: [[String]] = []
        var groups: [[String]: [ReportRun]] = [:]
        for run in material.runs where run.result?.last != nil && !run.settings.isEmpty {
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
                let last = group.runs.compactMap { $0.result?.last }
                return .init([
                    .init("\(group.runs[0].name) … \(group.runs[group.runs.count - 1].name)"), .init(group.seeds.joined(separator: ", ")),
                    Self.number(group.runs.count), Self.text(group.runs[0].setting("training.shots")), Self.spread(last.map(\.top1)),
                    Self.spread(last.compactMap(\.tellingTop5)), Self.spread(last.map(\.meanClassAccuracy)), Self.spread(group.runs.compactMap { $0.result?.best?.top1 }),
                ])
            })
    }

    private var evaluations: ReportTable {
        ReportTable(
            "Evaluations", ["evaluation", "protocol", "films", "unreadable", "classes", "views", "top-1 %", "top-5 %", "mean of classes %", "macro F1 %"],
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
            ["t-SNE", "films", "classes", "space", "homogeneity", "completeness", "V-measure"],
            material.clusters.flatMap { entry in
                [("embeddings", entry.metrics.embedding), ("plane of t-SNE", entry.metrics.plane)].map { space, agreement in
                    .init(
                        [.init(entry.name), Self.number(entry.metrics.films), Self.number(entry.metrics.clusters), .init(space)]
                            + [agreement.homogeneity, agreement.completeness, agreement.vMeasure].map {
                                .init(ProgressReporter.decimal($0, places: 3), number: $0)
                            })
                }
            })
    }

    // MARK: Protocols and grids

    private static let measureTitles = [
        "top1": "top-1 %", "top5": "top-5 %", "mean_class_accuracy": "mean of classes %", "macro_f1": "macro F1 %",
        "last_top1": "top-1 %", "last_top5": "top-5 %", "last_mean_class": "mean of classes %", "best_top1": "best top-1 %",
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
            let singles = members.first { $0.measure == "top1" }?.values.map { ProgressReporter.decimal($0, places: 1) } ?? []
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
                let text = ProgressReporter.decimal(measure.mean, places: places)
                    + (measure.deviation.map { " ± " + ProgressReporter.decimal($0, places: places) } ?? "")
                return Cell(text, number: measure.mean)
            }
            return .init([.init(cell.name), Self.number(cell.seeds.count)] + cells + [Self.time(cell.seconds), .init(cell.settings.joined(separator: " "), kind: "key")])
        }
        let table = ReportTable(
            "\(entry.name): \(grid.title)", [grid.axis.isEmpty ? "cell" : grid.axis, "seeds"] + measures.map { Self.measureTitles[$0] ?? $0 } + ["time", "sets"], rows)
        return [table.html] + (grid.isFinished ? [] : [.paragraph("Not all cells are finished yet.", "note")])
    }

    // MARK: Beside the paper

    func paper(_ tables: PaperTables) throws -> ReportSection {
        var blocks: [HTML] = []
        for entry in material.protocols { blocks += beside(entry.name, entry.summary, tables) }
        for grid in material.grids where grid.summary.grid.contains("fusion") {
            let ours = grid.summary.cells.compactMap { cell in
                cell.measures.first { $0.name == "last_top1" }.map { PaperTables.Ours(name: cell.name, figures: ["here": ($0.mean, $0.deviation)]) }
            }
            blocks += tables.table("5", ours: ours, others: [("here", "these films")])
        }
        let protocolPaths = material.protocols.map { $0.path + "/" }
        let lists = material.evaluations.filter { evaluation in !protocolPaths.contains { evaluation.path.startsWithBytes(of: $0) } }
        for (table, members) in [("1", lists.filter { $0.record.model.prompts == nil }), ("7", lists.filter { $0.record.model.prompts != nil })] where !members.isEmpty {
            blocks += tables.table(
                table,
                ours: members.map { evaluation in
                    let record = evaluation.record
                    let set = table == "1" ? PaperTables.dataSet(ofList: record.list, root: record.root, among: ["hmdb51", "ucf101", "k600"]) : nil
                    return PaperTables.Ours(name: evaluation.name, figures: [set ?? "here": (record.top1, nil)])
                }, others: [("here", "these films")])
        }
        let gridPaths = material.grids.map { $0.path + "/" }
        let runs = material.runs.filter { run in !(protocolPaths + gridPaths).contains { run.path.startsWithBytes(of: $0) } && run.result?.last != nil }
        blocks += besideRuns(runs.filter { $0.result?.last?.retrieval == nil }, tables)
        let retrieved = material.retrievals.map { ($0.name, $0.metrics.metrics.textToVideo) }
            + runs.compactMap { run in (run.result?.last?.retrieval?.textToVideo).map { (run.name, $0) } }
        if !retrieved.isEmpty {
            blocks += tables.table("10", ours: retrieved.map { PaperTables.Ours(name: $0.0, figures: ["r1": ($0.1.r1, nil), "r5": ($0.1.r5, nil)]) })
        }
        if !material.clusters.isEmpty {
            blocks.append(.paragraph("The paper's table 11 has homogeneity, completeness and V-measure of clusters; Checkpoints/published.yaml does not hold its numbers.", "note"))
        }
        if material.isPocket, !blocks.isEmpty {
            blocks.insert(.paragraph("Numbers of the pocket world cannot be compared with the paper's: they are of other films and another CLIP. The tables show the form alone.", "warning"), at: 0)
        } else if !blocks.isEmpty {
            blocks.insert(.paragraph("Numbers can be compared only where data set, split, backbone, frames and views are the same. Columns are chosen by the names of lists and folders.", "note"), at: 0)
        }
        return ReportSection("Beside the paper", blocks)
    }

    private func beside(_ name: String, _ summary: ProtocolSummary, _ tables: PaperTables) -> [HTML] {
        let first = summary.evaluations.first?.evaluation
        let sets = ["zero-shot": ["hmdb51", "ucf101", "k600"], "base-to-novel": ["k400", "hmdb51", "ucf101", "ssv2"], "few-shot": ["hmdb51", "ucf101", "ssv2"]]
        let known = sets[summary.evaluationProtocol] ?? []
        let prefix = summary.isPocket ? "here" : first.flatMap { PaperTables.dataSet(ofList: $0.list, root: $0.root, among: known) } ?? "here"
        let words = "these films"
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
            return tables.table("1", ours: ours, others: [("here", words), ("here_top5", words + " top-5")])
        case "base-to-novel":
            let ours = methods.map { key -> PaperTables.Ours in
                var row = PaperTables.Ours(name: "\(name): \(key.method)" + (key.shots.map { ", \($0) shots" } ?? ""), figures: [:])
                for result in top1 where result.method == key.method && result.shots == key.shots {
                    row.figures["\(prefix)_\(result.part == "harmonic_mean" ? "hm" : result.part ?? "")"] = figure(result)
                }
                return row
            }
            let own = [("here_base", words + " base"), ("here_novel", words + " novel"), ("here_hm", words + " HM")]
            return tables.table("2", ours: ours, others: own) + tables.table("2, bridge and prompt", ours: ours, others: own)
        case "few-shot":
            var names: [String] = []
            for key in methods where !names.contains(key.method) { names.append(key.method) }
            var own: [(String, String)] = []
            let ours = names.map { method -> PaperTables.Ours in
                var row = PaperTables.Ours(name: "\(name): \(method)", figures: [:])
                for result in top1 where result.method == method {
                    let shots = result.shots ?? 0
                    row.figures["\(prefix)_\(shots)"] = figure(result)
                    if !own.contains(where: { $0.0 == "\(prefix)_\(shots)" }) { own.append(("\(prefix)_\(shots)", words + " K=\(shots)")) }
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
    private func besideRuns(_ runs: [ReportRun], _ tables: PaperTables) -> [HTML] {
        let groups = Dictionary(grouping: runs, by: \.group)
        var seen: Set<[String]> = []
        var (few, full): ([PaperTables.Ours], [PaperTables.Ours]) = ([], [])
        for run in runs where seen.insert(run.group).inserted {
            let members = (groups[run.group] ?? []).compactMap { $0.result?.last }
            let statistics = RunStatistics(members.map(\.top1))
            let name = run.name + (members.count > 1 ? " and \(members.count - 1) more seeds" : "")
            if let shots = run.setting("training.shots") {
                let root = run.record?.lists["val"]?.root ?? ""
                let set = PaperTables.dataSet(ofList: "", root: root, among: ["hmdb51", "ucf101", "ssv2"])
                let measure = ["2", "4", "8", "16"].contains(shots) ? set.map { "\($0)_\(shots)" } : nil
                few.append(.init(name: name + ", K=\(shots)", figures: [measure ?? "here": (statistics.mean, statistics.deviation)]))
            } else {
                let fives = RunStatistics(members.map(\.top5))
                full.append(.init(name: name, figures: ["top1": (statistics.mean, statistics.deviation), "top5": (fives.mean, fives.deviation)]))
            }
        }
        return (few.isEmpty ? [] : tables.table("3", ours: few, others: [("here", "these films")]) + tables.table("7", ours: few, others: [("here", "these films")]))
            + (full.isEmpty ? [] : tables.table("4", ours: full))
    }

    // MARK: Curves

    func curves() throws -> ReportSection {
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

    func grids() throws -> ReportSection {
        let figures = try material.grids.compactMap { grid -> HTML? in
            let file = grid.path.appendingPath("chart.svg")
            guard fileExists(file) else { return nil }
            return ReportPage.figure(
                try ReportFiles.svg(file), type: "image/svg+xml", words: "Chart of \(grid.summary.title)", caption: "\(grid.name): \(grid.summary.title)")
        }
        return ReportSection("Ablations", figures.isEmpty ? [] : [.element("div", [("class", "charts")], figures)])
    }
}
