import Evaluation
import Files
import Foundation
import Training

/// A grid on its way: a folder with one group of seeds a cell.
///
///     grid.json      the cells and their command lines, so that the same command goes on
///     <cell>/        seed1/, seed2/, … and their summary
///     summary.json   summary.csv   chart.svg   chart.png   of the cells that are finished
struct AblationRun {
    /// A cell and the command that runs it.
    struct Job: Codable, Equatable {
        let cell: String
        let folder: String
        let kind: String
        /// After the command's name, without seeds and output.
        let arguments: [String]
    }

    let grid: AblationGrid
    let jobs: [Job]
    let seeds: [Int]
    let path: String

    private static let recordName = "grid.json"

    /// - Parameter arguments: of a cell, without seeds and output.
    init(_ grid: AblationGrid, seeds: [Int], path: String, arguments: (AblationGrid.Cell) throws -> [String]) rethrows {
        self.grid = grid
        self.seeds = seeds
        self.path = path
        jobs = try grid.cells.map {
            Job(cell: $0.name, folder: $0.slug, kind: $0.kind.rawValue, arguments: try arguments($0))
        }
    }

    private var heading: String { grid.name + (grid.title.isEmpty ? "" : ": " + grid.title) }

    private func folder(_ job: Job) -> String { path.appendingPath(job.folder) }

    private func kind(_ job: Job) -> RunKind { RunKind(rawValue: job.kind) ?? .learn }

    /// Whether all seeds of a cell are there, with these settings.
    private func isFinished(_ job: Job) throws -> Bool {
        guard let group = try SeedGroup.read(folder(job), kind: kind(job)), group.arguments == job.arguments else { return false }
        let results = try group.results()
        return seeds.allSatisfy { seed in results.contains { $0.seed == seed } }
    }

    // MARK: Planning

    /// What is left to do and what it costs, without starting it.
    ///
    /// - Parameters:
    ///   - timing: also takes a few clips of each cell through a step.
    ///   - threads: of the measurement.
    func plan(timing: Bool, threads: Int?) throws {
        var rows = [["cell", "learns", "steps", "operations", "memory", "time", ""]]
        var operationSum = 0.0
        var timeSum = 0.0
        var commands: [String] = []
        for job in jobs {
            let arguments = job.arguments + ["--seeds", seeds.map { "\($0)" }.joined(separator: ",")]
            let measured = arguments + (threads.map { ["--threads", "\($0)"] } ?? [])
            let plan = try kind(job) == .learn
                ? LearnCommand.parse(measured).plan(timing: timing) : BridgeCommand.parse(measured).plan(timing: timing)
            let finished = try isFinished(job)
            if !finished {
                operationSum += plan.arithmetic.total
                timeSum += plan.time?.total ?? 0
            }
            rows.append([
                job.cell, "\(plan.work.learningParameters)", seeds.count > 1 ? "\(seeds.count) × \(plan.work.steps)" : "\(plan.work.steps)",
                operations(plan.arithmetic.total), bytes(plan.memory.total), plan.time.map { duration($0.total) } ?? "–",
                finished ? "finished" : "",
            ])
            commands.append("vifi-prompt " + shellCommand([job.kind] + arguments + ["--output", folder(job)]))
        }
        rows.append(["left to run", "", "", operations(operationSum), "", timing ? duration(timeSum) : "–", ""])
        Console.result(heading)
        Console.result(alignedTable(rows))
        Console.result(commands.joined(separator: "\n"))
    }

    // MARK: Running

    /// Runs what is not finished yet; sums up after each cell.
    ///
    /// - Parameters:
    ///   - threads: nil for what the cells' own command lines say.
    ///   - resume: the command that goes on after an interruption.
    func run(threads: Int?, resume: String) throws {
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
                Console.note("\(grid.name), \(job.cell): finished already")
                continue
            }
            Console.note("\(grid.name), cell \(index + 1) of \(jobs.count): \(job.cell)")
            do {
                try Console.$isPart.withValue(true) { try one(job, threads: threads) }
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
                Console.result(soFar.table)
                throw error
            }
        }
        let summary = try summary()
        Console.result(heading)
        Console.result(summary.table)
        if let table = summary.differenceTable { Console.result(table) }
        try write(summary)
        Console.result("summary: \(path.appendingPath("summary.json"))")
        Console.result("chart: \(path.appendingPath("chart.svg"))")
        _ = consume lock
    }

    private func one(_ job: Job, threads: Int?) throws {
        let group = try SeedGroup.opened(kind: kind(job), seeds: seeds, arguments: job.arguments, output: folder(job))
        switch kind(job) {
        case .learn: try group.run(LearnCommand.self, threads: threads)
        case .bridge: try group.run(BridgeCommand.self, threads: threads)
        }
    }

    /// Writes down the cells, or compares them with those that the folder was begun with.
    private func record() throws {
        let name = path.appendingPath(Self.recordName)
        if let found = try readJSON([Job].self, name) {
            let other = jobs.first { !found.contains($0) } ?? found.first { !jobs.contains($0) }
            if let other { throw AblationError.otherGrid(path: path, cell: other.cell) }
        } else {
            try DurableFile.write(json(jobs), to: name)
        }
    }

    private func summary() throws -> AblationSummary {
        let cells = try zip(grid.cells, jobs).compactMap { cell, job -> AblationSummary.Cell? in
            let results = try SeedGroup.read(folder(job), kind: kind(job))?.results() ?? []
            guard !results.isEmpty else { return nil }
            return AblationSummary.Cell(cell, folder: job.folder, results: results)
        }
        return AblationSummary(
            grid: grid.name, title: grid.title, axis: grid.axis, cells: cells, differences: try differences(of: cells),
            isFinished: try jobs.allSatisfy(isFinished))
    }

    /// Of every two cells that can be compared: cells of one series, or of one place on the axis; all where neither is said.
    private func differences(of cells: [AblationSummary.Cell]) throws -> [AblationSummary.Difference] {
        var result: [AblationSummary.Difference] = []
        var bootstraps: [[Int]: PairedBootstrap] = [:]
        for (place, first) in cells.enumerated() {
            for second in cells[(place + 1)...] where first.series == second.series || first.at == second.at {
                let seeds = first.seeds.filter(second.seeds.contains)
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
        try SeedGroup.read(path.appendingPath(cell.folder), kind: RunKind(rawValue: cell.command) ?? .learn)?.hits(seeds: seeds)
    }

    private func write(_ summary: AblationSummary) throws {
        try DurableFile.write(json(summary), to: path.appendingPath("summary.json"))
        try DurableFile.write(summary.csv, to: path.appendingPath("summary.csv"))
        guard let chart = summary.chart else { return }
        for ending in ["svg", "png"] { try chart.write(to: path.appendingPath("chart." + ending)) }
    }
}
