import Files
import Foundation

/// The folder of one run: what was asked for, what it ran on, how it went, what came out.
///
///     config.yaml      the recipe with every default filled in
///     environment.json program, machine, threads
///     run.json         what else is needed to go on: RunRecord
///     split/           the lists that were used, and the marks of their videos
///     metrics.jsonl    a line a step and an evaluation
///     results.csv      a line an evaluated epoch
///     events.out.…     the numbers of metrics.jsonl for TensorBoard
///     checkpoints/     where the run is; gone when it is finished
///     prompts/, backbone.safetensors   what was learned: best and last
///     finished.json    how it ended: RunResult
package struct RunDirectory: ~Copyable {
    package let path: String
    private let lock: DirectoryLock
    private var metrics: Log
    private var results: Log
    private var events: EventLog

    package static let recordName = "run.json"
    static let resultName = "finished.json"
    /// Under `split/`: VideoMarks of a list.
    package static func marksName(list: String) -> String { "\(list)-videos.txt" }
    private static let metricsName = "metrics.jsonl"
    private static let resultsName = "results.csv"

    /// What a run writes. What comes before the record may be made again.
    package static let kind = FolderKind(
        name: "run",
        entries: [
            "config.yaml", "environment.json", recordName, "split", metricsName, resultsName, EventLog.name, "checkpoints", "prompts", "backbone.safetensors",
            "last.safetensors", "head.safetensors", "held-out.jsonl", "val-predictions.csv", "test-predictions.csv", resultName,
        ])

    /// Makes `parent/name`, or `parent/name-2`, `-3`, … where that is taken: two that start at once get two folders.
    package static func next(in parent: String, name: String) throws(FileError) -> String {
        var candidate = parent.appendingPath(name)
        var number = 2
        while try !createNewDirectory(candidate) {
            candidate = parent.appendingPath("\(name)-\(number)")
            number += 1
        }
        return candidate
    }

    /// A new run's folder.
    ///
    /// - Parameter resume: the command that would go on with a run that is there already.
    /// - Throws: `FileError` where the folder cannot be made, holds a run or anything else that is not a run's, or another
    ///   process holds it.
    package init(newAt path: String, resume: String) throws(FileError) {
        try Self.checkFree(path, resume: resume)
        try createDirectory(path)
        try self.init(lockedAt: path) { () throws(FileError) in
            // Another process may have had the lock before.
            try Self.checkFree(path, resume: resume)
            try FolderMark.claim(path, Self.kind, isNothing: { Self.isEmptyLog(path, $0) })
        }
    }

    /// - Throws: `FileError` where the folder holds a run, or what no run has written.
    package static func checkFree(_ path: String, resume: String) throws(FileError) {
        // A start that failed leaves empty logs and no record: it may be made again.
        let hasLogs = (try? InputFile(path: path.appendingPath(metricsName)).byteCount) ?? 0 > 0
        let hasRecord = fileExists(path.appendingPath(recordName))
        if hasRecord || FolderMark.isClaimed(path, kind) && (hasLogs || !Checkpoints(run: path).names.isEmpty) {
            let isFinished = fileExists(path.appendingPath(resultName))
            throw FileError(
                path: path, problem: .cannotCreate(
                    reason: "it holds a \(isFinished ? "finished run" : "run") already. "
                        + (isFinished || !hasRecord ? "Choose" : "Resume it with `\(resume)`, choose")
                        + " another --output, or remove it"))
        }
        try FolderMark.check(path, kind, isNothing: { isEmptyLog(path, $0) })
    }

    private static func isEmptyLog(_ path: String, _ name: String) -> Bool {
        [metricsName, resultsName].contains(name) && (try? InputFile(path: path.appendingPath(name)).byteCount) == 0
    }

    /// The folder of a run that goes on.
    ///
    /// - Throws: `FileError` where another process holds it, or has finished it just now.
    package init(resuming path: String) throws(FileError) {
        try self.init(lockedAt: path) { () throws(FileError) in
            if fileExists(path.appendingPath(Self.resultName)) { throw FileError(path: path, problem: .locked) }
        }
    }

    /// - Parameter check: what must be so once the lock is held.
    private init(lockedAt path: String, check: () throws(FileError) -> Void) throws(FileError) {
        // All before the first is stored: a struct that owns handles cannot be left half made.
        let newLock = try DirectoryLock(directory: path)
        try check()
        let newMetrics = try AppendFile(path: path.appendingPath(Self.metricsName))
        let newResults = try AppendFile(path: path.appendingPath(Self.resultsName))
        let newEvents = EventLog(path: path.appendingPath(EventLog.name))
        lock = newLock
        events = newEvents
        metrics = Log(newMetrics)
        results = Log(newResults)
        self.path = path
    }

    /// Removes what a crash left half written: the temporary neighbors of `DurableFile` and `DurableFolder`, which
    /// nobody else makes here while the lock is held.
    package func sweep() {
        for folder in [path, path.appendingPath("split"), path.appendingPath("prompts")] {
            for name in (try? directoryEntries(folder)) ?? [] where TemporaryPath.isName(name) {
                TemporaryPath.remove(folder.appendingPath(name))
            }
        }
        Checkpoints(run: path).sweep()
    }

    /// Removes from the logs what came after a checkpoint: those steps are taken again.
    ///
    /// - Parameter byteCounts: `TrainingState.logBytes`; nothing stays of a log that it does not name.
    package mutating func cutLogs(to byteCounts: [String: Int]) throws(FileError) {
        let newMetrics = try AppendFile(
            path: path.appendingPath(Self.metricsName), keeping: byteCounts[Self.metricsName] ?? 0)
        let newResults = try AppendFile(
            path: path.appendingPath(Self.resultsName), keeping: byteCounts[Self.resultsName] ?? 0)
        let newEvents = EventLog(path: path.appendingPath(EventLog.name), keeping: byteCounts[EventLog.name] ?? 0)
        metrics = Log(newMetrics)
        results = Log(newResults)
        events = newEvents
    }

    /// Returns the file's SHA-256.
    package func writeConfiguration(_ yaml: String) throws(FileError) -> String {
        try DurableFile.write(yaml, to: path.appendingPath("config.yaml"))
    }

    /// - Parameter ranks: the host of each process, where there are several.
    package func writeEnvironment(version: String, threads: Int, ranks: [String] = []) throws {
        struct Environment: Encodable {
            let version: String
            let threads: Int
            let processors: Int
            let processor: String
            let system: String
            let startedAt: String
            let ranks: [String]?
        }
        let information = ProcessInfo.processInfo
        try write(
            Environment(
                version: version, threads: threads, processors: information.activeProcessorCount, processor: Machine.processorName,
                system: information.operatingSystemVersionString, startedAt: ISO8601DateFormatter().string(from: Date()),
                ranks: ranks.isEmpty ? nil : ranks),
            as: "environment.json")
    }

    /// From now on the run can go on after being stopped: everything that it needs is in the folder.
    package func write(record: some Encodable) throws { try write(record, as: Self.recordName) }

    /// The run is finished, and its checkpoints are not needed any more.
    package func write(_ result: RunResult) throws {
        try write(result, as: Self.resultName)
        Checkpoints(run: path).removeAll()
    }

    private func write(_ value: some Encodable, as name: String) throws {
        try DurableFile.write(json(value), to: path.appendingPath(name))
    }

    /// A list under `split/`. Returns its SHA-256.
    @discardableResult
    package func writeSplit(_ name: String, text: String) throws(FileError) -> String {
        try writeSplit(name, bytes: Array(text.utf8))
    }

    @discardableResult
    package func writeSplit(_ name: String, bytes: [UInt8]) throws(FileError) -> String {
        try createDirectory(path.appendingPath("split"))
        return try DurableFile.write(bytes, to: path.appendingPath("split").appendingPath(name))
    }

    package mutating func log(_ step: StepReport) {
        let fields = [
            ("epoch", Double(step.epoch)), ("loss", step.loss), ("learning_rate", step.rate),
            ("clips", Double(step.clips)), ("seconds", step.seconds), ("waiting_seconds", step.waitingSeconds),
        ]
        metrics.append(Self.line([("step", Double(step.step))] + fields))
        events.append(fields.map { ("step/\($0)", $1) }, step: step.step)
    }

    package mutating func log(_ epoch: EpochReport) {
        var fields = [("epoch", Double(epoch.epoch)), ("training_loss", epoch.trainingLoss), ("seconds", epoch.seconds)]
        if let metrics = epoch.metrics { fields += [(metrics.names.top1, metrics.top1), (metrics.names.top5, metrics.top5)] }
        metrics.append(Self.line(fields))
        events.append(fields.dropFirst().map { ("epoch/\($0)", $1) }, step: epoch.step)
        if epoch.isFirstResult {
            let names = epoch.metrics?.names ?? ("val_top1", "val_top5")
            results.append("epoch,training_loss,\(names.0),\(names.1),seconds")
        }
        let scores = [epoch.metrics?.top1, epoch.metrics?.top5].map { $0.map { "\($0)" } ?? "" }
        results.append("\(epoch.epoch),\(epoch.trainingLoss),\(scores[0]),\(scores[1]),\(epoch.seconds)")
    }

    /// Makes both logs durable. Returns their lengths by name, and that of TensorBoard's events, for `cutLogs`.
    package mutating func flushLogs() throws(FileError) -> [String: Int] {
        events.writeWaiting()
        return [Self.metricsName: try metrics.flush(), Self.resultsName: try results.flush(), EventLog.name: events.byteCount]
    }

    /// One line of JSON; numbers that JSON lacks become null.
    private static func line(_ fields: [(String, Double)]) -> String {
        let parts = fields.map { name, value in
            let number = !value.isFinite ? "null" : value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
            return "\"\(name)\":\(number)"
        }
        return "{" + parts.joined(separator: ",") + "}"
    }
}

/// A log whose lines wait in memory while the disk is full, so that none is missing afterwards.
private struct Log: ~Copyable {
    private let file: AppendFile
    private var waiting: [String] = []

    init(_ file: consuming AppendFile) { self.file = file }

    mutating func append(_ line: String) {
        waiting.append(line)
        try? writeWaiting()
    }

    /// - Returns: the log's length in bytes.
    mutating func flush() throws(FileError) -> Int {
        try writeWaiting()
        try file.sync()
        return file.byteCount
    }

    private mutating func writeWaiting() throws(FileError) {
        while let line = waiting.first {
            try file.append(line: line)
            waiting.removeFirst()
        }
    }
}
