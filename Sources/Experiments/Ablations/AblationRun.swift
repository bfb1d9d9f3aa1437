import Evaluation
import Files
import Foundation
import Recipes
import Training

/// A grid on its way: a folder with one group of seeds a cell.
///
///     grid.json      the cells and their command lines, so that the same command goes on
///     <cell>/        seed1/, seed2/, … and their summary; of a cell that learns nothing ScoredCell
///     summary.json   summary.csv   chart.svg   chart.png   of the cells that are finished
package struct AblationRun {
    /// A cell and what it asks for.
    package struct Job: Codable, Equatable {
        package let cell: String
        package let folder: String
        /// But for seeds.
        package let request: RunRequest
        /// True where nothing is learned; nil elsewhere.
        package let isUnlearned: Bool?
    }

    package let grid: AblationGrid
    package let jobs: [Job]
    package let seeds: [Int]
    package let path: String
    private let context: RunContext
    /// Draws the chart of a summary into the folder.
    private let draw: (_ summary: AblationSummary, _ folder: String) throws -> Void

    private static let recordName = "grid.json"

    package init(
        _ grid: AblationGrid, seeds: [Int], path: String, context: RunContext, draw: @escaping (AblationSummary, String) throws -> Void,
        request: (AblationGrid.Cell) throws -> RunRequest
    ) rethrows {
        self.draw = draw
        self.context = context
        self.grid = grid
        self.seeds = seeds
        self.path = path
        jobs = try grid.cells.map {
            Job(cell: $0.name, folder: $0.slug, request: try request($0), isUnlearned: $0.method == AblationGrid.unlearned ? true : nil)
        }
    }

    private var heading: ShownResult { .grid(name: grid.name, title: grid.title) }

    private func folder(_ job: Job) -> String { path.appendingPath(job.folder) }

    /// Whether all seeds of a cell are there, with these settings.
    private func isFinished(_ job: Job) throws -> Bool {
        if let scored = scored(job) { return try scored.result() != nil }
        guard let group = try SeedGroup.read(folder(job), kind: job.request.kind), group.request.firstDifference(from: job.request) == nil else { return false }
        let results = try group.results()
        return seeds.allSatisfy { seed in results.contains { $0.seed == seed } }
    }

    /// Nil where a cell learns.
    private func scored(_ job: Job) -> ScoredCell? { job.isUnlearned == true ? ScoredCell(request: job.request, folder: folder(job)) : nil }

    // MARK: Planning

    /// What is left to do and what it costs, without starting it.
    ///
    /// - Parameters:
    ///   - timing: also takes a few clips of each cell through a step.
    ///   - threads: of the measurement.
    package func plan(timing: Bool, threads: Int?) throws -> AblationPlan {
        let cells = try jobs.map { job in
            AblationPlan.Cell(
                name: job.cell,
                plan: job.isUnlearned == true
                    ? nil : try job.request.withThreads(threads).plan(timing: timing, seedCount: seeds.count, context: context),
                isFinished: try isFinished(job))
        }
        return AblationPlan(grid: grid.name, heading: heading.description, cells: cells)
    }

    // MARK: Running

    /// Runs what is not finished yet; sums up after each cell.
    ///
    /// - Parameters:
    ///   - threads: nil for what the cells' own command lines say.
    ///   - resume: the command that goes on after an interruption.
    @discardableResult
    package func run(threads: Int?, resume: String) throws -> AblationReport {
        if isDirectory(path), !fileExists(path.appendingPath(Self.recordName)),
            let other = try directoryEntries(path).first(where: { !FolderMark.isOwn($0) && !TemporaryPath.isName($0, of: Self.recordName) })
        {
            throw AblationError.notAGrid(path: path, holds: other)
        }
        try createDirectory(path)
        let lock = try DirectoryLock(directory: path)
        try record()
        for (index, job) in jobs.enumerated() {
            if try isFinished(job) {
                context.note(.part(.cellIsFinished(named: job.cell, grid: grid.name)))
                continue
            }
            context.note(.part(.cell(named: job.cell, grid: grid.name, number: index + 1, of: jobs.count)))
            do {
                if let scored = scored(job) {
                    try scored.run(threads: threads, title: job.cell, context: context)
                } else {
                    try SeedGroup.opened(job.request, seeds: seeds, output: folder(job), context: context)
                        .run(threads: threads, context: context.ofPart)
                }
            } catch is EvaluationStopped {
                try write(summary())
                throw TrainingError.interruptedBefore(step: 1, resume: resume)
            } catch let error as TrainingError where error.exitStatus == .interrupted {
                try write(summary())
                throw error.resuming(with: resume)
            } catch {
                if !jobs.contains(where: { isDirectory(folder($0)) }) { removeRecord(Self.recordName, of: path) }
                throw error
            }
            let soFar = try summary()
            do {
                try write(soFar)
            } catch {
                // What cannot be written is said all the same.
                context.result(.cells(soFar))
                throw error
            }
        }
        let summary = try summary()
        context.result(heading)
        context.result(.cells(summary))
        if summary.differenceTable != nil { context.result(.differences(summary)) }
        try write(summary)
        context.result(.file(.summary, path: path.appendingPath("summary.json")))
        let chart = path.appendingPath("chart.svg")
        if fileExists(chart) { context.result(.file(.chart, path: chart)) }
        _ = consume lock
        return AblationReport(folder: path, summary: summary)
    }

    /// Writes down the cells, or compares them with those that the folder was begun with.
    private func record() throws {
        let name = path.appendingPath(Self.recordName)
        if let found = try readJSON([Job].self, name) {
            func isSame(_ one: Job, _ other: Job) -> Bool {
                one.cell == other.cell && one.request.firstDifference(from: other.request) == nil
            }
            let other = jobs.first { job in !found.contains { isSame($0, job) } }
                ?? found.first { job in !jobs.contains { isSame($0, job) } }
            if let other { throw AblationError.otherGrid(path: path, cell: other.cell) }
        } else {
            try DurableFile.write(json(jobs), to: name)
        }
    }

    private func summary() throws -> AblationSummary {
        let cells = try zip(grid.cells, jobs).compactMap { cell, job -> AblationSummary.Cell? in
            if let scored = scored(job) {
                return try scored.result().map { AblationSummary.Cell(cell, folder: job.folder, command: ScoredCell.command, seeds: [], results: [$0]) }
            }
            let results = try SeedGroup.read(folder(job), kind: job.request.kind)?.results() ?? []
            guard !results.isEmpty else { return nil }
            return AblationSummary.Cell(
                cell, folder: job.folder, command: job.request.kind.rawValue, seeds: results.map(\.seed), results: results.map(\.result))
        }
        return AblationSummary(
            grid: grid.name, title: grid.title, axis: grid.axis, cells: cells, differences: try differences(of: cells),
            isFinished: try jobs.allSatisfy(isFinished))
    }

    /// Whether the difference of two cells is told: cells of one series, or of one place on the axis; all where neither is said. In a
    /// grid of methods: with what learns nothing, and with the first method that learns, from as many shots.
    private func isTold(_ first: AblationSummary.Cell, _ second: AblationSummary.Cell) -> Bool {
        guard !grid.methods.isEmpty else { return first.series == second.series || first.at == second.at }
        let methods = [first.method, second.method]
        let measure = grid.methods.first { $0 != AblationGrid.unlearned }
        return methods.contains(AblationGrid.unlearned) || methods.contains(measure) && first.at == second.at
    }

    /// Of every two cells whose difference is told, over the seeds that both ran with.
    private func differences(of cells: [AblationSummary.Cell]) throws -> [AblationSummary.Difference] {
        var result: [AblationSummary.Difference] = []
        var bootstraps: [[Int]: PairedBootstrap] = [:]
        for (place, first) in cells.enumerated() {
            for second in cells[(place + 1)...] where isTold(first, second) {
                // What learns nothing is the same with every seed.
                let seeds = first.seeds.isEmpty ? second.seeds : second.seeds.isEmpty ? first.seeds : first.seeds.filter(second.seeds.contains)
                guard !seeds.isEmpty, let one = try hits(first, seeds: seeds), let other = try hits(second, seeds: seeds),
                    let clipCount = one.first?.count, clipCount > 0, (one + other).allSatisfy({ $0.count == clipCount })
                else { continue }
                let key = [seeds.count, clipCount]
                let bootstrap = bootstraps[key] ?? PairedBootstrap(seedCount: seeds.count, clipCount: clipCount)
                bootstraps[key] = bootstrap
                result.append(.init(first: first.name, second: second.name, seeds: seeds, top1: bootstrap.difference(of: one, from: other)))
            }
        }
        return result
    }

    private func hits(_ cell: AblationSummary.Cell, seeds: [Int]) throws -> [[Bool]]? {
        let folder = path.appendingPath(cell.folder)
        guard cell.command != ScoredCell.command else { return try ScoredCell.hits(of: folder).map { hits in seeds.map { _ in hits } } }
        return try SeedGroup.read(folder, kind: RunKind(rawValue: cell.command) ?? .learn)?.hits(seeds: seeds)
    }

    private func write(_ summary: AblationSummary) throws {
        try DurableFile.write(ResultJSON.text(summary), to: path.appendingPath("summary.json"))
        try DurableFile.write(summary.csv, to: path.appendingPath("summary.csv"))
        try draw(summary, path)
    }
}
