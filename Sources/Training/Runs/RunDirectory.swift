import Files
import Foundation

/// The folder of one run: what was asked for, what it ran on, how it went, what came out.
///
///     config.yaml      the recipe with every default filled in
///     environment.json program, machine, threads
///     split/           the lists that were used, as files
///     metrics.jsonl    a line a step and an evaluation
///     results.csv      a line an evaluated epoch
///     prompts/, backbone.safetensors   what was learned: best and last
package struct RunDirectory: ~Copyable {
    package let path: String
    private let lock: DirectoryLock
    private var metrics: AppendFile
    private var results: AppendFile

    /// Creates `parent/name`, or `parent/name-2`, `-3`, … where that is taken.
    package static func next(in parent: String, name: String) -> String {
        var candidate = parent.appendingPath(name)
        var number = 2
        while fileExists(candidate) {
            candidate = parent.appendingPath("\(name)-\(number)")
            number += 1
        }
        return candidate
    }

    /// - Throws: `FileError` where the folder cannot be made or another run holds it.
    package init(path: String) throws(FileError) {
        try createDirectory(path)
        guard !fileExists(path.appendingPath("config.yaml")) else {
            throw FileError(path: path, problem: .cannotCreate(reason: "it holds a run already; choose another --output or remove it"))
        }
        // All three before the first is stored: a struct that owns handles cannot be left half made.
        let newLock = try DirectoryLock(directory: path)
        let newMetrics = try AppendFile(path: path.appendingPath("metrics.jsonl"))
        let newResults = try AppendFile(path: path.appendingPath("results.csv"))
        lock = newLock
        metrics = newMetrics
        results = newResults
        self.path = path
    }

    package func writeConfiguration(_ yaml: String) throws(FileError) {
        try DurableFile.write(yaml, to: path.appendingPath("config.yaml"))
    }

    package func writeEnvironment(version: String, threads: Int, arguments: [String]) throws {
        struct Environment: Encodable {
            let version: String
            let threads: Int
            let arguments: [String]
            let processors: Int
            let system: String
            let startedAt: String
        }
        let information = ProcessInfo.processInfo
        let environment = Environment(
            version: version, threads: threads, arguments: arguments, processors: information.activeProcessorCount,
            system: information.operatingSystemVersionString, startedAt: ISO8601DateFormatter().string(from: Date()))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try DurableFile.write(Array(try encoder.encode(environment)), to: path.appendingPath("environment.json"))
    }

    /// A list under `split/`. Returns its SHA-256.
    @discardableResult
    package func writeSplit(_ name: String, text: String) throws(FileError) -> String {
        try createDirectory(path.appendingPath("split"))
        return try DurableFile.write(text, to: path.appendingPath("split").appendingPath(name))
    }

    package mutating func log(_ step: StepReport) throws(FileError) {
        try metrics.append(
            line: Self.json([
                ("step", Double(step.step)), ("epoch", Double(step.epoch)), ("loss", step.loss), ("learning_rate", step.rate),
                ("clips", Double(step.clips)), ("seconds", step.seconds), ("waiting_seconds", step.waitingSeconds),
            ]))
    }

    package mutating func log(_ epoch: EpochReport) throws(FileError) {
        var fields = [("epoch", Double(epoch.epoch)), ("training_loss", epoch.trainingLoss), ("seconds", epoch.seconds)]
        if let metrics = epoch.metrics { fields += [("val_top1", metrics.top1), ("val_top5", metrics.top5)] }
        try metrics.append(line: Self.json(fields))
        if epoch.isFirstResult { try results.append(line: "epoch,training_loss,val_top1,val_top5,seconds") }
        let scores = [epoch.metrics?.top1, epoch.metrics?.top5].map { $0.map { "\($0)" } ?? "" }
        try results.append(line: "\(epoch.epoch),\(epoch.trainingLoss),\(scores[0]),\(scores[1]),\(epoch.seconds)")
        try metrics.sync()
        try results.sync()
    }

    /// One line of JSON; numbers that JSON lacks become null.
    private static func json(_ fields: [(String, Double)]) -> String {
        let parts = fields.map { name, value in
            let number = !value.isFinite ? "null" : value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
            return "\"\(name)\":\(number)"
        }
        return "{" + parts.joined(separator: ",") + "}"
    }
}
