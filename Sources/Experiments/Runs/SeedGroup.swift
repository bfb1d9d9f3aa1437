import Evaluation
import Files
import Foundation
import Recipes
import Training

/// Takes back what a command wrote down in a folder of runs before the first of them could begin.
package func removeRecord(_ name: String, of path: String) {
    try? removeFile(path.appendingPath(name))
    FolderMark.release(path)
}

/// The same run with several seeds, each with its own draw of shots: `seed1/`, `seed2/`, … in one folder,
/// and what they reached together.
///
///     seeds.json     seeds and what is asked for, so that the group can go on
///     summary.json   summary.csv   written when all seeds are finished
package struct SeedGroup: Codable {
    package let seeds: [Int]
    /// Of every run, but for its seed.
    package let request: RunRequest
    /// Where the group lies, as it can be typed now.
    package private(set) var path = ""

    package var kind: RunKind { request.kind }

    private static let recordName = "seeds.json"
    private static let summaryName = "summary.json"
    private static let tableName = "summary.csv"
    private static let folderKind = FolderKind(name: "seeds", entries: [recordName, summaryName, tableName])

    private enum CodingKeys: String, CodingKey {
        case seeds, request
    }

    /// - Throws: `FileError` where the folder holds something else already.
    package static func new(_ request: RunRequest, seeds: [Int], output: String?, context: RunContext) throws -> SeedGroup {
        let path = try output ?? RunDirectory.next(in: BackboneFinder.runsFolder, name: request.kind.rawValue + "-seeds")
        for name in [recordName, RunDirectory.recordName] where fileExists(path.appendingPath(name)) {
            throw FileError(
                path: path, problem: .cannotCreate(
                    reason: "it already holds a run. Resume it with `\(context.resumeCommand(request.kind, path))`, choose another --output, or remove it"))
        }
        let group = SeedGroup(seeds: seeds, request: request, path: path)
        try group.checkRuns()
        // Runs of single seeds that were made here one by one, as job arrays do, are the group's.
        try FolderMark.claim(path, folderKind) { name in
            name.contains(/^seed[0-9]+$/) && fileExists(path.appendingPath(name).appendingPath(RunDirectory.recordName))
        }
        try DurableFile.write(json(group), to: path.appendingPath(recordName))
        return group
    }

    /// The group in a folder, made where there is none. Seeds may be added to one that is there.
    ///
    /// - Throws: `FileError` where the folder holds something else, or runs of another request.
    package static func opened(_ request: RunRequest, seeds: [Int], output: String, context: RunContext) throws -> SeedGroup {
        guard let found = try read(output, kind: request.kind), found.request.firstDifference(from: request) == nil else {
            return try new(request, seeds: seeds, output: output, context: context)
        }
        guard seeds.contains(where: { !found.seeds.contains($0) }) else { return found }
        let group = SeedGroup(
            seeds: found.seeds + seeds.filter { !found.seeds.contains($0) }, request: found.request, path: output)
        try DurableFile.write(json(group), to: output.appendingPath(recordName))
        try removeFile(output.appendingPath(summaryName))
        return group
    }

    /// How its finished runs ended.
    package func results() throws -> [(seed: Int, result: RunResult)] {
        try seeds.compactMap { seed in try RunResult.read(run: folder(seed: seed)).map { (seed, $0) } }
    }

    /// Whether each clip was labeled rightly, for each of `seeds`: of the test list, or, where there is none, of the
    /// validation list after the last epoch; nil where a run has not written it down.
    package func hits(seeds: [Int]) throws -> [[Bool]]? {
        for list in ["test", "val"] {
            let files = seeds.map { folder(seed: $0).appendingPath(ClipVerdicts.fileName(of: list)) }
            if files.allSatisfy(fileExists) { return try files.map { try ClipVerdicts(path: $0).hits } }
        }
        return nil
    }

    /// - Returns: nil where the folder holds no group.
    package static func read(_ path: String, kind: RunKind) throws -> SeedGroup? {
        guard var group = try readJSON(SeedGroup.self, path.appendingPath(recordName)) else { return nil }
        guard group.kind == kind else { throw RunError.otherKind(path: path, kind: group.kind.rawValue) }
        group.path = path
        return group
    }

    /// With its path, as ranks tell each other.
    package struct Located: Codable {
        fileprivate let record: SeedGroup
        fileprivate let path: String

        package var group: SeedGroup {
            var group = record
            group.path = path
            return group
        }
    }

    package var located: Located { Located(record: self, path: path) }

    /// Looks at all folders of seeds before the first run begins.
    ///
    /// - Throws: `RunError` where one holds a run with other settings, `FileError` where it holds something else.
    private func checkRuns() throws {
        var first: RunRecord?
        for seed in seeds {
            let folder = folder(seed: seed)
            guard let record = try RunRecord.read(run: folder) else {
                try RunDirectory.checkFree(folder, resume: "")
                continue
            }
            if record.kind != kind { throw RunError.otherKind(path: folder, kind: record.kind.rawValue) }
            if let setting = record.request.firstDifference(from: request) {
                throw RunError.otherSettings(path: folder, setting: setting)
            }
            if let other = first.flatMap({ record.otherInput(than: $0) }) { throw RunError.otherInGroup(path: folder, input: other) }
            first = first ?? record
        }
    }

    private func folder(seed: Int) -> String { path.appendingPath("seed\(seed)") }

    package var isFinished: Bool { fileExists(path.appendingPath(Self.summaryName)) }

    /// The folders of its runs that have begun.
    package var begun: [String] { seeds.map { folder(seed: $0) }.filter { (try? RunRecord.read(run: $0)) != nil } }

    /// Runs what is not finished yet, then sums up.
    ///
    /// - Returns: nil on ranks but the first.
    @discardableResult
    package func run(threads: Int?, context: RunContext) throws -> SeedReport? {
        let ranks = context.group
        var lock: DirectoryLock?
        if ranks.rank == 0 { lock = try DirectoryLock(directory: path) }
        try ranks.agreed { if ranks.rank == 0 { try checkRuns() } }
        for (index, seed) in seeds.enumerated() {
            let folder = folder(seed: seed)
            if try ranks.told(value: RunResult.read(run: folder) != nil) { continue }
            context.note(.part(.seed(seed, number: index + 1, of: seeds.count, folder: folder)))
            do {
                try one(seed: seed, folder: folder, threads: threads, context: context)
            } catch let error as TrainingError where error.exitStatus == .interrupted {
                throw error.resuming(with: context.resumeCommand(kind, path))
            } catch {
                if ranks.rank == 0, !seeds.contains(where: { isDirectory(self.folder(seed: $0)) }) {
                    removeRecord(Self.recordName, of: path)
                }
                throw error
            }
        }
        let summary = ranks.rank == 0 ? try sumUp(context) : nil
        _ = consume lock
        return summary.map { SeedReport(kind: kind, folder: path, summary: $0) }
    }

    private func sumUp(_ context: RunContext) throws -> SeedSummary {
        let results = try seeds.compactMap { seed in try RunResult.read(run: folder(seed: seed)).map { (seed: seed, result: $0) } }
        let summary = SeedSummary(results)
        // First, as it may be that nothing can be written.
        context.result(.seeds(summary))
        try DurableFile.write(summary.csv, to: path.appendingPath(Self.tableName))
        try DurableFile.write(ResultJSON.text(summary), to: path.appendingPath(Self.summaryName))
        context.result(.file(.summary, path: path.appendingPath(Self.summaryName)))
        return summary
    }

    private func one(seed: Int, folder: String, threads: Int?, context: RunContext) throws {
        context.resetPeakMemory()
        let first = context.group.rank == 0 ? try seeds.first.flatMap { try RunRecord.read(run: self.folder(seed: $0)) } : nil
        try request.withSeed(seed).complete(folder, threads: threads, like: first, context: context)
    }
}

/// What runs that differ only in their seed reached.
package struct SeedSummary: Encodable, Equatable, Sendable {
    package struct Run: Encodable, Equatable, Sendable {
        package let seed: Int
        /// Of a head.
        package let method: String?
        package let crossValidatedTop1: Double?
        /// Nil of a head.
        package let trainingLoss: Double?
        package let last: Scores?
        package let best: Scores?
        package let test: Scores?
        package let seconds: Double
    }

    package struct Measure: Codable, Equatable, Sendable {
        package let name: String
        package let mean: Double
        /// Of the sample (n − 1); nil for one run.
        package let deviation: Double?
        package let values: [Double]
    }

    /// Runs that were counted.
    package let n: Int
    package let runs: [Run]
    package let measures: [Measure]

    package init(_ results: [(seed: Int, result: RunResult)]) {
        n = results.count
        runs = results.map {
            Run(
                seed: $0.seed, method: $0.result.method, crossValidatedTop1: $0.result.crossValidatedTop1,
                trainingLoss: $0.result.trainingLoss, last: $0.result.last, best: $0.result.best, test: $0.result.test,
                seconds: $0.result.seconds)
        }
        typealias Value = (name: String, value: (RunResult) -> Double?)
        let classes: [Value] = [
            ("last_top1", { $0.last?.top1 }), ("last_top5", { $0.last?.top5 }),
            ("last_mean_class", { $0.last?.meanClassAccuracy }), ("best_top1", { $0.best?.top1 }),
            ("test_top1", { $0.test?.top1 }), ("test_top5", { $0.test?.top5 }), ("test_mean_class", { $0.test?.meanClassAccuracy }),
            ("cross_validated_top1", { $0.crossValidatedTop1 }),
        ]
        let captions: [Value] = [
            ("last_text_to_video_r1", { $0.last?.retrieval?.textToVideo.r1 }),
            ("last_text_to_video_r5", { $0.last?.retrieval?.textToVideo.r5 }),
            ("last_video_to_text_r1", { $0.last?.retrieval?.videoToText.r1 }),
            ("best_text_to_video_r1", { $0.best?.retrieval?.textToVideo.r1 }),
            ("test_text_to_video_r1", { $0.test?.retrieval?.textToVideo.r1 }),
            ("test_text_to_video_r5", { $0.test?.retrieval?.textToVideo.r5 }),
            ("test_text_to_video_r10", { $0.test?.retrieval?.textToVideo.r10 }),
            ("test_video_to_text_r1", { $0.test?.retrieval?.videoToText.r1 }),
        ]
        let hasCaptions = results.contains { ($0.result.last ?? $0.result.test)?.retrieval != nil }
        let all: [Value] = (hasCaptions ? captions : classes) + [("training_loss", { $0.trainingLoss })]
        measures = all.compactMap { name, value in
            let values = results.compactMap { value($0.result) }
            guard values.count == results.count, !values.isEmpty else { return nil }
            let statistics = RunStatistics(values)
            return Measure(name: name, mean: statistics.mean, deviation: statistics.deviation, values: values)
        }
    }

    /// A row a seed, then mean and deviation.
    package var csv: String {
        var lines = [(["seed"] + measures.map(\.name)).joined(separator: ",")]
        for (index, run) in runs.enumerated() {
            lines.append((["\(run.seed)"] + measures.map { "\($0.values[index])" }).joined(separator: ","))
        }
        lines.append((["mean"] + measures.map { "\($0.mean)" }).joined(separator: ","))
        lines.append((["deviation"] + measures.map { $0.deviation.map { "\($0)" } ?? "" }).joined(separator: ","))
        return lines.joined(separator: "\n") + "\n"
    }

    /// Of measures, for people.
    package static let titles = [
        "last_top1": "last top-1 %", "last_top5": "last top-5 %", "last_mean_class": "last mean of classes %",
        "best_top1": "best top-1 %", "test_top1": "test top-1 %", "test_top5": "test top-5 %",
        "test_mean_class": "test mean of classes %", "cross_validated_top1": "held-out top-1 %", "training_loss": "training loss",
        "last_text_to_video_r1": "last text → video R@1 %", "last_text_to_video_r5": "last R@5 %",
        "last_video_to_text_r1": "last video → text R@1 %", "best_text_to_video_r1": "best text → video R@1 %",
        "test_text_to_video_r1": "test text → video R@1 %", "test_text_to_video_r5": "test R@5 %", "test_text_to_video_r10": "test R@10 %",
        "test_video_to_text_r1": "test video → text R@1 %",
    ]

    package var table: String {
        func text(_ value: Double, _ measure: Measure) -> String {
            NumberText.decimal(value, places: measure.name == "training_loss" ? 3 : 1)
        }
        // Among five classes or fewer every answer is among the best five.
        let tells = runs.contains { ($0.last ?? $0.test)?.tellingTop5 != nil }
        let columns = measures.filter { tells || !["last_top5", "test_top5"].contains($0.name) }
        // Heads know no epochs.
        let areHeads = runs.allSatisfy { $0.method != nil }
        func title(_ measure: Measure) -> String {
            let title = Self.titles[measure.name] ?? measure.name
            return areHeads ? title.replacing("last ", with: "validation ") : title
        }
        var rows = [["seed"] + columns.map { title($0) }]
        for (index, run) in runs.enumerated() { rows.append(["\(run.seed)"] + columns.map { text($0.values[index], $0) }) }
        rows.append(
            ["mean ± deviation, n = \(n)"]
                + columns.map { measure in
                    text(measure.mean, measure) + (measure.deviation.map { " ± " + text($0, measure) } ?? "")
                })
        return alignedTable(rows)
    }
}

/// A Markdown table whose columns are as wide as their widest cell; the first row is the heading.
package func alignedTable(_ rows: [[String]]) -> String {
    let count = rows.map(\.count).max() ?? 0
    let widths = (0..<count).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
    func line(_ row: [String]) -> String {
        let cells = (0..<count).map { column in
            let cell = column < row.count ? row[column] : ""
            return cell + String(repeating: " ", count: widths[column] - cell.count)
        }
        return "| " + cells.joined(separator: " | ") + " |"
    }
    let rule = "|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|"
    return ([line(rows.first ?? []), rule] + rows.dropFirst().map(line)).joined(separator: "\n")
}

extension RunResult {
    package func show(_ context: RunContext) {
        if let method {
            for (name, scores) in [("validation", last), ("test", test)] {
                guard let scores else { continue }
                context.result(.head(scores, list: name, method: method))
            }
            return
        }
        if let last, let best { context.result(.validation(last: last, best: best)) }
        if let test { context.result(.test(test, isBest: best != nil)) }
    }
}
