import ArgumentParser
import Evaluation
import Experiments
import Files
import Foundation
import Training

/// Collects what independent runs have reached.
struct SummarizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "summarize",
        abstract: "Collects the results of runs that differ in their seed: mean and deviation of each group.",
        discussion: """
            Runs in folders seed1, seed2, … of one folder are a group, as `plan --emit slurm-array` lays them out.

              vifi-prompt summarize runs/learn-array
              vifi-prompt summarize runs/learn-array --json
            """,
        aliases: ["summarise"])

    @Argument(help: ArgumentHelp("Folders with runs in them, at any depth.", valueName: "folder"))
    var folders: [String] = ["runs"]

    @Flag(help: jsonHelp)
    var json = false

    @Flag(help: allowRepeatsHelp)
    var allowRepeats = false

    func run() throws {
        if !allowRepeats { try RepeatedFile.refuse(among: folders) }
        var groups: [(name: String, summary: SeedSummary)] = []
        var unfinished: [String] = []
        for folder in folders {
            guard isDirectory(folder) else { throw FileError(path: folder, problem: .missing) }
            for found in try SeedRuns.below(folder) {
                unfinished += found.unfinished
                if !allowRepeats { try SameRuns.refuse(among: found.paths) }
                if !found.results.isEmpty { groups.append((found.path, SeedSummary(found.results))) }
            }
        }
        for path in unfinished { Console.warning("\(path.escapedForDisplay) is not finished: it is not counted.") }
        guard !groups.isEmpty else { throw RunError.noneFinished(folder: folders.joined(separator: ", ")) }
        if json {
            try Console.json(Report(groups: groups.map { Report.Group(folder: $0.name, summary: $0.summary) }))
        } else {
            for group in groups { Console.result("\(group.name.escapedForDisplay)\n\n\(group.summary.table)\n") }
        }
    }
}

extension SummarizeCommand {
    /// What `--json` prints.
    private struct Report: Encodable {
        struct Group: Encodable {
            let folder: String
            let summary: SeedSummary
        }
        let groups: [Group]
    }
}

/// The runs of a folder that are named after their seeds.
struct SeedRuns {
    let path: String
    let results: [(seed: Int, result: RunResult)]
    /// Folders of the results.
    let paths: [String]
    let unfinished: [String]

    /// Folders deeper than this hold no runs.
    private static let deepest = 6

    /// All groups in a folder and below it, by name.
    static func below(_ folder: String, depth: Int = 0) throws -> [SeedRuns] {
        guard depth < deepest else { return [] }
        var results: [(seed: Int, result: RunResult)] = []
        var paths: [String] = []
        var unfinished: [String] = []
        var groups: [SeedRuns] = []
        for name in try directoryEntries(folder) {
            let path = folder.appendingPath(name)
            guard isDirectory(path) else { continue }
            if let seed = name.hasPrefix("seed") ? Int(name.dropFirst(4)) : nil, try RunRecord.read(run: path) != nil {
                if let result = try RunResult.read(run: path) {
                    results.append((seed, result))
                    paths.append(path)
                } else {
                    unfinished.append(path)
                }
            } else if try RunRecord.read(run: path) == nil {
                groups += try below(path, depth: depth + 1)
            }
        }
        let own = results.isEmpty && unfinished.isEmpty
            ? [] : [SeedRuns(path: folder, results: results.sorted { $0.seed < $1.seed }, paths: paths, unfinished: unfinished)]
        return own + groups
    }
}
