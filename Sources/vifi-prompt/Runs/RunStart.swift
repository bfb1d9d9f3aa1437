import ArgumentParser
import CLIPModel
import Files
import Foundation
import Tensors
import Training

/// How a run begins: new, or where an earlier one stopped.
enum RunStart {
    /// - Parameters:
    ///   - arguments: after the command's name; they are kept, so that the run can be started again.
    ///   - output: nil for the next free folder under runs/.
    ///   - first: the first run of the group that this one belongs to.
    case new(arguments: [String], output: String?, like: RunRecord? = nil)
    case resumed(ResumedRun)

    var resumed: ResumedRun? {
        if case .resumed(let run) = self { run } else { nil }
    }
}

/// A command that learns, as far as starting and going on are concerned.
protocol LearningCommand: ParsableCommand {
    static var kind: RunKind { get }
    var runOptions: RunOptions { get }
    var training: TrainingOptions { get }
    var model: ModelOptions { get }
    /// One run from its start to its end.
    func learn(_ start: RunStart) throws
    /// What that run would cost.
    ///
    /// - Parameter timing: also takes a few clips through a step to measure it.
    func plan(timing: Bool) throws -> RunPlan
}

/// What a folder holds that somebody would go on with; ranks tell each other.
private struct Found: Codable {
    var seeds: SeedGroup.Located?
    var result: RunResult?
}

extension LearningCommand {
    /// - Parameter arguments: after the command's name.
    func launch(arguments: [String] = Array(processArguments.dropFirst(2))) throws {
        if runOptions.resume { try runOptions.refuseOthers(among: arguments) }
        if runOptions.seeds != nil, training.seed != nil { throw ValidationError("Pass --seed or --seeds, not both.") }
        let group = try Ranks.join()
        // Asks all ranks, so it must not wait until some of them need it.
        _ = try Ranks.places.get()
        if runOptions.resume {
            let path = try group.told(value: runOptions.folder ?? RunFinder.newestUnfinished(Self.kind))
            if runOptions.folder == nil { Console.note("Resuming \(path.escapedForDisplay)") }
            try resume(path)
        } else if let seeds = runOptions.seeds {
            // Rank 0 makes the folder and tells the others its name.
            let seedGroup = try group.told(
                value: SeedGroup.new(
                    kind: Self.kind, seeds: seeds.seeds, arguments: arguments.without(options: ["--seeds", "--output", "-o"]),
                    output: training.output).located)
            try seedGroup.group.run(Self.self, threads: nil)
        } else {
            if group.rank == 0, let output = training.output {
                try RunDirectory.checkFree(output, resume: resumeCommand(Self.kind, output))
                try proveWritable(folder: output)
            }
            try learn(.new(arguments: arguments, output: training.output))
        }
    }

    private func resume(_ path: String) throws {
        let found = try Ranks.group.told(value: self.found(path))
        if let seeds = found.seeds {
            try seeds.group.enteringWorkingDirectory().run(Self.self, threads: model.threads)
        } else if let result = found.result {
            Console.note("\(path.escapedForDisplay) is finished after \(result.steps) steps: there is nothing to go on with.")
            result.show()
            // A run that was killed between its results and its end leaves them.
            if Ranks.group.rank == 0 { Checkpoints(run: path).removeAll() }
        } else {
            let resumed = try Ranks.group.agreed { try ResumedRun(path, kind: Self.kind) }
            try Self.again(resumed, threads: model.threads)
        }
    }

    /// Brings the run in a folder to its end: starts it, goes on with it, or finds it finished.
    ///
    /// - Parameters:
    ///   - arguments: after the command's name, without output and threads.
    ///   - first: as in `RunStart.new`.
    static func complete(_ folder: String, arguments: [String], threads: Int?, like first: RunRecord? = nil) throws {
        let ranks = Ranks.group
        guard try ranks.told(value: RunResult.read(run: folder) == nil) else { return }
        if try ranks.told(value: RunRecord.read(run: folder) != nil) {
            try again(ranks.agreed { try ResumedRun(folder, kind: kind) }, threads: threads)
        } else {
            // Nothing was learned yet: what a crash left of the start is made anew in the same folder, if it is a run's.
            let arguments = arguments + ["--output", folder]
            let extra = threads.map { ["--threads", "\($0)"] } ?? []
            try parse(arguments.without(options: threads == nil ? [] : ["--threads"]) + extra)
                .learn(.new(arguments: arguments, output: folder, like: first))
        }
    }

    private func found(_ path: String) throws -> Found {
        if let group = try SeedGroup.read(path, kind: Self.kind) { return Found(seeds: group.located) }
        guard let record = try? RunRecord.read(run: path), record.kind == Self.kind.rawValue else { return Found() }
        return Found(result: try RunResult.read(run: path))
    }

    /// Starts the run's own command line again.
    static func again(_ resumed: ResumedRun, threads: Int?) throws {
        enter(workingDirectory: resumed.record.workingDirectory)
        let extra = threads.map { ["--threads", "\($0)"] } ?? []
        let command = try parse(resumed.record.arguments.without(options: threads == nil ? [] : ["--threads"]) + extra)
        try command.learn(.resumed(resumed))
    }

    /// Draws the pocket world's videos on one rank, where they are needed and not there; the others wait.
    func drawPocketVideos(_ settings: () throws -> Settings) throws {
        guard Ranks.group.count > 1 else { return }
        try Ranks.group.agreed {
            let settings = try settings()
            guard Ranks.group.rank == 0, settings.isPocket else { return }
            _ = try PocketHome.dataSet(Self.kind == .bridge ? .large() : .small(), pool: settings.pool)
        }
    }
}

/// A stopped run, checked to be one that can go on.
struct ResumedRun {
    /// As the user may type it now.
    let path: String
    let record: RunRecord
    let recipe: Recipe

    /// - Throws: `RunError` where the folder holds no such run, or one whose files were changed.
    init(_ path: String, kind: RunKind) throws {
        guard isDirectory(path) else { throw FileError(path: path, problem: .missing) }
        guard let record = try RunRecord.read(run: path) else { throw RunError.notARun(path: path) }
        guard record.kind == kind.rawValue else { throw RunError.otherKind(path: path, kind: record.kind) }
        let configuration = path.appendingPath("config.yaml")
        guard try Digest.ofFile(configuration) == record.configurationSHA256 else { throw RunError.changed(file: configuration) }
        let lists = record.lists.flatMap { name, list in
            [(record.fileName(list: name), list.sha256), (RunDirectory.marksName(list: name), list.videosSHA256)]
        }
        let labels = record.hasCaptions == true ? [] : [("labels.csv", record.labelsSHA256)]
        for (file, digest) in labels + lists {
            let file = path.appendingPath("split").appendingPath(file)
            guard try Digest.ofFile(file) == digest else { throw RunError.changed(file: file) }
        }
        self.record = record
        recipe = try Recipe(path: configuration)
        // The working directory may change before the path is used.
        self.path = path.hasPrefix("/") || record.workingDirectory == currentDirectory
            ? path : resolvedPath(path) ?? path
        if record.version != vifiPromptVersion {
            Console.warning("the run began with vifi-prompt \(record.version), this is \(vifiPromptVersion): results may differ by rounding.")
        }
        if record.processor != Machine.processorName {
            Console.warning(
                "the run began on \(record.processor), this is \(Machine.processorName): other instructions are used, so results "
                    + "agree up to rounding only.")
        }
    }

    /// The settings of the run; only the threads are new.
    func settings(pool: WorkerPool) throws -> Settings {
        if pool.threadCount != record.threads {
            Console.note(
                "\(pool.threadCount) threads instead of \(record.threads): sums are made in the same order, so the result stays the same.")
        }
        return try Settings(resuming: self, pool: pool)
    }

    /// - Throws: `RunError` where another backbone is there now.
    func check(_ backbone: Backbone) throws {
        guard backbone.isNamed(by: record.backboneSHA256, weights: record.backboneWeightsSHA256) else {
            throw RunError.otherBackbone(path: record.backbone, expected: record.backboneSHA256, actual: backbone.digest)
        }
    }

    /// - Parameter initialDigest: of the prompts that `--init` names now.
    /// - Throws: `RunError` where they are others than when the run began.
    func check(initialDigest: String?, path: String?) throws {
        guard initialDigest == record.initialSHA256 else { throw RunError.changed(file: path ?? "--init") }
    }
}

/// Runs in the runs folder.
enum RunFinder {
    /// The unfinished run or group of seeds that was last written to and that nobody is working on.
    static func newestUnfinished(_ kind: RunKind) throws -> String {
        let folders = ((try? directoryEntries(BackboneFinder.runsFolder)) ?? []).map { BackboneFinder.runsFolder.appendingPath($0) }
        let candidates = folders.filter { path in
            if let group = try? SeedGroup.read(path, kind: kind) {
                // A group of which nothing has begun was not stopped: its start failed.
                return !group.isFinished && !group.begun.isEmpty && isFree(path)
            }
            guard let record = try? RunRecord.read(run: path), record.kind == kind.rawValue else { return false }
            return (try? RunResult.read(run: path)) == nil && isFree(path)
        }
        guard let newest = candidates.max(by: { modified($0) < modified($1) }) else { throw RunError.noneUnfinished(kind: kind.rawValue) }
        return newest
    }

    /// Whether nobody is working on it.
    private static func isFree(_ path: String) -> Bool { (try? DirectoryLock(directory: path)) != nil }

    /// When it was last worked on.
    private static func modified(_ run: String) -> Date {
        // A folder's own time changes when a file in it appears, be it only a lock; a log's with every step.
        func time(_ path: String) -> Date? {
            (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
        }
        let seeds = ((try? directoryEntries(run)) ?? []).filter { $0.hasPrefix("seed") }.map { $0 + "/metrics.jsonl" }
        return (["metrics.jsonl", "seeds.json"] + seeds).compactMap { time(run.appendingPath($0)) }.max() ?? .distantPast
    }
}

/// What keeps a run from going on.
enum RunError: ReportableError, Equatable {
    case notARun(path: String)
    case otherKind(path: String, kind: String)
    case changed(file: String)
    case videoChanged(path: String, list: String)
    case videosGone(first: String, count: Int, list: String)
    case otherTokens
    case otherInGroup(path: String, input: String)
    /// - Parameter setting: what differs, and how.
    case otherSettings(path: String, setting: String)
    case otherBackbone(path: String, expected: String, actual: String)
    case noneUnfinished(kind: String)
    case noneFinished(folder: String)

    var exitStatus: Files.ExitStatus {
        switch self {
        case .notARun, .noneUnfinished, .noneFinished, .videosGone: .missingInput
        case .otherKind: .usage
        case .changed, .videoChanged, .otherTokens, .otherInGroup, .otherSettings, .otherBackbone: .badConfiguration
        }
    }

    var description: String {
        switch self {
        case .notARun(let path):
            "\(path.escapedForDisplay): holds no run that can go on (there is no run.json). Name the folder that a run's --output names."
        case .otherKind(let path, let kind):
            "\(path.escapedForDisplay): is a \(kind.escapedForDisplay) run; go on with it by `vifi-prompt \(kind.escapedForDisplay) --resume`."
        case .changed(let file):
            "\(file.escapedForDisplay): was changed after the run began; a resumed run must end as if it had never stopped. "
                + "Put it back, or start a new run with the changed file."
        case .videoChanged(let path, let list):
            "\(path.escapedForDisplay): this video of the \(list.escapedForDisplay) list is another one than when the run began. "
                + "Put it back, or start a new run."
        case .videosGone(let first, let count, let list):
            "\(first.escapedForDisplay): \(count == 1 ? "this video" : "this and \(count - 1) more videos") of the "
                + "\(list.escapedForDisplay) list cannot be found any more. Put back what was moved, or start a new run."
        case .otherTokens:
            "the class names become other tokens than when the run began: was the vocabulary exchanged? "
                + "Put it back, or start a new run."
        case .otherInGroup(let path, let input):
            "\(path.escapedForDisplay): the \(input.escapedForDisplay) is another one than that of the first seed, so their mean would say nothing. "
                + "Put it back, or start all seeds anew with another --output."
        case .otherSettings(let path, let setting):
            "\(path.escapedForDisplay): holds a run that was started otherwise than this group starts its runs: \(setting.escapedForDisplay). "
                + "Their mean would say nothing. Move that run away, or choose another --output."
        case .otherBackbone(let path, let expected, let actual):
            "\(path.escapedForDisplay): its SHA-256 over weights is \(actual.prefix(12))…, the run began with \(expected.prefix(12))…. "
                + "Put that backbone back, or start a new run."
        case .noneFinished(let folder):
            "\(folder.escapedForDisplay): holds no finished run in a folder seed1, seed2, …. `learn --seeds 1,2,3` and `plan --emit slurm-array` make such."
        case .noneUnfinished(let kind):
            "no unfinished \(kind) run in \(BackboneFinder.runsFolder)/. Name one: `vifi-prompt \(kind) --resume RUN`."
        }
    }
}

/// A run's relative paths start where it was started; if that is gone, here.
func enter(workingDirectory: String) {
    guard workingDirectory != currentDirectory, isDirectory(workingDirectory) else { return }
    Console.note("Paths are taken from \(workingDirectory.escapedForDisplay), where the run was started.")
    changeDirectory(to: workingDirectory)
}

extension [String] {
    /// The arguments without some options and their values, however these are written.
    func without(options: [String]) -> [String] {
        var result: [String] = []
        var skipsValue = false
        for argument in self {
            if skipsValue {
                skipsValue = false
            } else if options.contains(argument) {
                skipsValue = true
            } else if !options.contains(where: { argument.hasPrefix($0 + "=") }) {
                result.append(argument)
            }
        }
        return result
    }
}

/// A command as it can be typed in a shell.
func shellCommand(_ words: [String]) -> String {
    words.map { word in
        let isPlain = !word.isEmpty && word.unicodeScalars.allSatisfy {
            $0.properties.isAlphabetic || ("0"..."9").contains($0) || "-_./=,:+@%".unicodeScalars.contains($0)
        }
        // Names that are no UTF-8 as the shell writes them.
        if word.pathBytes != Array(word.utf8) { return "$'" + word.replacing("'", with: "\\'") + "'" }
        return isPlain ? word : "'" + word.replacingOccurrences(of: "'", with: "'\\''") + "'"
    }.joined(separator: " ")
}

/// The command that goes on with a run, as this program was called.
func resumeCommand(_ kind: RunKind, _ path: String) -> String {
    shellCommand([processArguments.first ?? "vifi-prompt", kind.rawValue, "--resume", path])
}
