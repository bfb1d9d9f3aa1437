import Files
import Foundation

/// What a run was started with, beyond its recipe: enough to start the same thing again.
package struct RunRecord: Codable, Equatable, Sendable {
    /// A list of films as the run uses it.
    package struct List: Codable, Equatable, Sendable {
        /// Of the copy under `split/`.
        package var sha256: String
        /// The folder that its paths start from.
        package var root: String
        /// SHA-256 over the names and sizes of the films.
        package var filmsSHA256: String

        package init(sha256: String, root: String, filmsSHA256: String) {
            self.sha256 = sha256
            self.root = root
            self.filmsSHA256 = filmsSHA256
        }
    }

    package var format = 1
    /// `learn` or `bridge`.
    package var kind: String
    /// What followed the command's name.
    package var arguments: [String]
    /// Relative paths start here.
    package var workingDirectory: String
    package var isPocket: Bool
    package var backbone: String
    package var backboneSHA256: String
    package var configurationSHA256: String
    package var labelsSHA256: String
    /// `train` and, where there is one, `val`.
    package var lists: [String: List]
    package var version: String
    package var threads: Int
    package var processor: String

    package init(
        kind: String, arguments: [String], workingDirectory: String, isPocket: Bool, backbone: String, backboneSHA256: String,
        configurationSHA256: String, labelsSHA256: String, lists: [String: List], version: String, threads: Int
    ) {
        self.kind = kind
        self.arguments = arguments
        self.workingDirectory = workingDirectory
        self.isPocket = isPocket
        self.backbone = backbone
        self.backboneSHA256 = backboneSHA256
        self.configurationSHA256 = configurationSHA256
        self.labelsSHA256 = labelsSHA256
        self.lists = lists
        self.version = version
        self.threads = threads
        processor = Machine.processorName
    }

    /// - Returns: nil where the folder holds no run.
    package static func read(run: String) throws(FileError) -> RunRecord? {
        try decode(RunRecord.self, run.appendingPath(RunDirectory.recordName))
    }

    static func decode<Value: Decodable>(_ type: Value.Type, _ path: String) throws(FileError) -> Value? {
        guard fileExists(path) else { return nil }
        let bytes = try InputFile.contents(of: path, limit: 64 << 20)
        guard let value = try? JSONDecoder().decode(type, from: Data(bytes)) else {
            throw FileError(path: path, problem: .notReadable(reason: "it is not what this program writes there"))
        }
        return value
    }
}

/// How a run ended.
package struct RunResult: Codable, Equatable, Sendable {
    package var steps: Int
    package var epochs: Int
    package var trainingLoss: Double
    /// Of the epoch that was best on the test list; nil without one.
    package var best: Scores?
    /// Of the last epoch.
    package var last: Scores?
    /// Over all parts of the run.
    package var seconds: Double

    package init(steps: Int, epochs: Int, trainingLoss: Double, best: Scores?, last: Scores?, seconds: Double) {
        self.steps = steps
        self.epochs = epochs
        self.trainingLoss = trainingLoss
        self.best = best
        self.last = last
        self.seconds = seconds
    }

    /// - Returns: nil where the run is not finished.
    package static func read(run: String) throws(FileError) -> RunResult? {
        try RunRecord.decode(RunResult.self, run.appendingPath(RunDirectory.resultName))
    }
}

/// JSON with sorted keys, the same bytes for the same value.
func json(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
}
