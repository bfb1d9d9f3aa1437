import Evaluation
import Experiments
import Files
import Recipes
import Training

/// What the numbers were made with and what they cost.
package struct ReportSettings {
    package typealias Cell = ReportTable.Cell

    package let material: ReportMaterial

    package init(material: ReportMaterial) {
        self.material = material
    }

    // MARK: Settings

    package func section() -> ReportSection {
        ReportSection("Settings", recipes + environments + models + lists)
    }

    private var recipes: [HTML] {
        let runs = material.runs.filter { !$0.settings.isEmpty }
        guard !runs.isEmpty else { return [] }
        var keys: [String] = []
        for run in runs { for entry in run.settings where !keys.contains(entry.key) { keys.append(entry.key) } }
        let values = keys.map { key in runs.map { $0.setting(key) } }
        let differing = keys.indices.filter { Set(values[$0]).count > 1 }
        var blocks: [HTML] = []
        if !differing.isEmpty {
            blocks.append(
                ReportTable(
                    "What differs between runs", ["run"] + differing.map { keys[$0] },
                    runs.enumerated().map { index, run in
                        .init([.init(run.name)] + differing.map { values[$0][index].map { Cell($0, number: Double($0)) } ?? .init("not set") })
                    }).html)
        }
        let rows = keys.indices.map { index -> ReportTable.Row in
            let differs = Set(values[index]).count > 1
            var seen: [String] = []
            for value in values[index] where !seen.contains(value ?? "not set") { seen.append(value ?? "not set") }
            let text = seen.prefix(6).joined(separator: ", ") + (seen.count > 6 ? ", …" : "")
            return .init([.init(keys[index], kind: "key"), .init(text), .init(differs ? "differs" : "")], kind: differs ? "differs" : "")
        }
        let title = runs.count == 1 ? "Resolved recipe of \(runs[0].name)" : "Resolved recipes of \(runs.count) runs"
        blocks.append(ReportTable(title, ["key", "value", ""], rows).html)
        return blocks
    }

    private var environments: [HTML] {
        let runs = material.runs.filter { !$0.environment.isEmpty }
        guard !runs.isEmpty else { return [] }
        let keys = ["version", "processor", "processors", "threads", "system", "startedAt"]
        let titles = ["version", "processor", "processors", "threads", "system", "started"]
        return [
            ReportTable(
                "Environment", ["run"] + titles,
                runs.map { run in .init([.init(run.name)] + keys.map { key in run.environment[key].map { Cell($0, number: Double($0)) } ?? .none }) }
            ).html
        ]
    }

    private var models: [HTML] {
        var rows: [ReportTable.Row] = []
        for run in material.runs {
            if let record = run.record {
                rows.append(.init([.init(run.name), "backbone", .init(record.backbone), .none, .init(record.backboneSHA256, kind: "digest")]))
            }
            for prompts in run.prompts {
                rows.append(
                    .init([.init(run.name), "prompts", .init(prompts.file), ReportResults.number(prompts.parameters), .init(prompts.digest, kind: "digest")]))
            }
        }
        for evaluation in material.evaluations {
            let model = evaluation.record.model
            rows.append(.init([.init(evaluation.name), "backbone", .init(model.backbone), .none, .init(model.backboneSha256, kind: "digest")]))
            if let prompts = model.prompts {
                rows.append(.init([.init(evaluation.name), "prompts", .init(prompts), .none, .init(model.promptsSha256 ?? "", kind: "digest")]))
            }
        }
        for entry in material.retrievals {
            rows.append(.init([.init(entry.name), "backbone", .init(entry.metrics.backbone), .none, .init(entry.metrics.backboneSHA256, kind: "digest")]))
        }
        let table = ReportTable("Models", ["of", "what", "file or name", "numbers", "SHA-256 over numbers"], rows)
        return rows.isEmpty ? [] : [folded("Models and their digests", table, rows.count)]
    }

    private var lists: [HTML] {
        var rows: [ReportTable.Row] = []
        for run in material.runs {
            for (name, list) in (run.record?.lists ?? [:]).sorted(by: { $0.key < $1.key }) {
                rows.append(.init([.init(run.name), .init(name), .init(list.root), .init(list.sha256, kind: "digest"), .init("whole list: \(list.sourceSHA256)", kind: "digest")]))
            }
            if let record = run.record {
                rows.append(.init([.init(run.name), "class names", .none, .init(record.labelsSHA256, kind: "digest"), .init("")]))
            }
        }
        for evaluation in material.evaluations {
            let record = evaluation.record
            let setting = record.setting
            let words = "\(setting.frames) frames, \(setting.views) views, \(setting.fusion) fusion, \(setting.normalization) pixels, \(setting.precision)"
                + (setting.template.map { ", \"\($0)\"" } ?? "") + (["", Quirk.noneName].contains(setting.compat) ? "" : ", compat \(setting.compat)")
            rows.append(.init([.init(evaluation.name), .init(record.list), .init(record.root), .init(record.listSha256, kind: "digest"), .init(words)]))
        }
        for entry in material.retrievals {
            rows.append(.init([.init(entry.name), .init(entry.metrics.list), .none, .init(entry.metrics.listSHA256, kind: "digest"), .init("\(entry.metrics.frames) frames")]))
        }
        let table = ReportTable("Lists", ["of", "list", "paths start from", "SHA-256", "besides"], rows)
        return rows.isEmpty ? [] : [folded("Lists and their hashes", table, rows.count)]
    }

    private func folded(_ title: String, _ table: ReportTable, _ rowCount: Int) -> HTML {
        .element("details", rowCount <= 24 ? [("open", "open")] : [], [.element("summary", text: title), table.html])
    }

    // MARK: Cost

    package func cost() throws -> ReportSection {
        var blocks: [HTML] = []
        if !material.runs.isEmpty { blocks.append(runCosts.html) }
        if !material.evaluations.isEmpty {
            blocks.append(
                ReportTable(
                    "Scoring, without reading the model", ["evaluation", "videos", "time", "videos a second"],
                    material.evaluations.map { evaluation in
                        let record = evaluation.record
                        let rate = record.seconds > 0 ? Double(record.videos) / record.seconds : nil
                        return .init([
                            .init(evaluation.name), ReportResults.number(record.videos), ReportResults.time(record.seconds), ReportResults.share(rate),
                        ])
                    }).html)
        }
        guard !blocks.isEmpty else { return ReportSection("Cost") }
        blocks.append(try published().html)
        blocks.append(.paragraph("Figures of the paper with tables 4, 6 and 9, of ViT-B/16: `vifi-prompt profile` explains ours, `plan` says what a run will cost.", "small"))
        return ReportSection("Cost", blocks)
    }

    private var runCosts: ReportTable {
        ReportTable(
            "Runs", ["run", "learned numbers", "steps", "time", "of it in steps", "per step", "clips per second", "waiting for videos %", "peak memory"],
            material.runs.map { run in
                let log = run.log
                let steps = log.flatMap { $0.isByEpoch || $0.seconds <= 0 ? nil : $0.loss.count }
                return .init([
                    .init(run.name), ReportResults.number(run.prompts.first?.parameters), ReportResults.number(run.result?.steps ?? steps),
                    ReportResults.time(run.result?.seconds), ReportResults.time(steps.map { _ in log?.seconds ?? 0 }),
                    ReportResults.time(steps.map { (log?.seconds ?? 0) / Double($0) }),
                    ReportResults.share(steps.flatMap { _ in log.map { $0.clips / $0.seconds } }),
                    ReportResults.share(steps.flatMap { _ in log.map { 100 * $0.waitingSeconds / $0.seconds } }),
                    run.result?.peakBytes.map { Cell(bytes($0), number: Double($0)) } ?? .none,
                ])
            })
    }

    private func published() throws -> ReportTable {
        let titles = ["gflops": "GFLOPs", "parameters": "parameters, millions", "throughput": "views a second"]
        return ReportTable(
            "Cost in the paper's tables, and counted here", ["", "table", "system", "measure", "paper", "ours, counted", "note"],
            ProfileReport.comparison(try PublishedFigures()).map { line in
                .init([
                    "paper", .init(line.table), .init(line.system), .init(titles[line.measure] ?? line.measure), ReportResults.share(line.paper),
                    line.here.map { Cell(ProfileReport.decimal($0, 2), number: $0) } ?? .none, .init(line.note),
                ])
            })
    }
}
