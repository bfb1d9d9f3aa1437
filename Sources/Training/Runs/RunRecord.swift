import Files
import Foundation

/// What a run was started with, beyond its recipe: enough to start the same thing again.
package struct RunRecord: Codable, Equatable, Sendable {
    /// A list of videos as the run uses it.
    package struct List: Codable, Equatable, Sendable {
        /// Of the copy under `split/`.
        package var sha256: String
        /// The folder that its paths start from.
        package var root: String
        /// Of the videos' marks under `split/`.
        package var videosSHA256: String
        /// SHA-256 over the whole list, from which shots may have been drawn.
        package var sourceSHA256: String

        package init(sha256: String, root: String, videosSHA256: String, sourceSHA256: String) {
            self.sha256 = sha256
            self.root = root
            self.videosSHA256 = videosSHA256
            self.sourceSHA256 = sourceSHA256
        }
    }

    /// Raised when runs of earlier programs cannot be gone on with.
    package static let format = 2

    package var format = RunRecord.format
    /// `learn` or `bridge`.
    package var kind: String
    /// What followed the command's name.
    package var arguments: [String]
    /// Relative paths start here.
    package var workingDirectory: String
    package var isPocket: Bool
    package var backbone: String
    package var backboneSHA256: String
    /// Of the weights alone; nil in runs of before the two digests were told apart.
    package var backboneWeightsSHA256: String?
    package var configurationSHA256: String
    package var labelsSHA256: String
    /// Over the tokens of the class names: another vocabulary makes others.
    package var sequencesSHA256: String
    /// Over the prompts of `--init`; nil without.
    package var initialSHA256: String?
    /// `train` and, where there is one, `val`.
    package var lists: [String: List]
    /// Whether the lists are of captions, CSV, and there are no classes.
    package var hasCaptions: Bool?
    package var version: String
    package var threads: Int
    package var processor: String
    /// Processes that shared the steps; nil for one.
    package var ranks: Int?

    package init(
        kind: String, arguments: [String], workingDirectory: String, isPocket: Bool, backbone: String, backboneSHA256: String,
        configurationSHA256: String, labelsSHA256: String, sequencesSHA256: String, initialSHA256: String?, lists: [String: List],
        hasCaptions: Bool = false, version: String, threads: Int
    ) {
        self.hasCaptions = hasCaptions ? true : nil
        self.kind = kind
        self.arguments = arguments
        self.workingDirectory = workingDirectory
        self.isPocket = isPocket
        self.backbone = backbone
        self.backboneSHA256 = backboneSHA256
        self.configurationSHA256 = configurationSHA256
        self.labelsSHA256 = labelsSHA256
        self.sequencesSHA256 = sequencesSHA256
        self.initialSHA256 = initialSHA256
        self.lists = lists
        self.version = version
        self.threads = threads
        processor = Machine.processorName
    }

    /// The name of a list under `split/`.
    package func fileName(list: String) -> String { list + (hasCaptions == true ? ".csv" : ".txt") }

    /// What a run of the same group was started with otherwise, beyond seed and shots; nil for nothing.
    package func otherInput(than first: RunRecord) -> String? {
        let named = first.backboneWeightsSHA256 == nil ? [backboneSHA256, backboneWeightsSHA256] : [backboneSHA256]
        if !named.contains(first.backboneSHA256) { return "backbone" }
        if labelsSHA256 != first.labelsSHA256 { return "list of labels" }
        if sequencesSHA256 != first.sequencesSHA256 { return "vocabulary" }
        if initialSHA256 != first.initialSHA256 { return "file of --init" }
        for name in ["train", "val"] where lists[name]?.sourceSHA256 != first.lists[name]?.sourceSHA256 { return "\(name) list" }
        return lists["val"]?.videosSHA256 == first.lists["val"]?.videosSHA256 ? nil : "videos of the val list"
    }

    /// - Returns: nil where the folder holds no run.
    /// - Throws: `FileError` where the file is damaged, or from a program whose runs cannot be gone on with.
    package static func read(run: String) throws(FileError) -> RunRecord? {
        struct Form: Decodable { let format: Int }
        let path = run.appendingPath(RunDirectory.recordName)
        if let form = try readJSON(Form.self, path)?.format, form != format {
            throw FileError(
                path: path,
                problem: .damaged(
                    reason: "it has form \(form), this program's runs have form \(format). Finish the run with the "
                        + "vifi-prompt that began it, or start a new one"))
        }
        return try readJSON(RunRecord.self, path)
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
    /// Most memory that the process has held; nil in runs of programs that did not write it down.
    package var peakBytes: Int?

    package init(
        steps: Int, epochs: Int, trainingLoss: Double, best: Scores?, last: Scores?, seconds: Double, peakBytes: Int? = nil
    ) {
        self.steps = steps
        self.epochs = epochs
        self.trainingLoss = trainingLoss
        self.best = best
        self.last = last
        self.seconds = seconds
        self.peakBytes = peakBytes
    }

    /// - Returns: nil where the run is not finished.
    package static func read(run: String) throws(FileError) -> RunResult? {
        try readJSON(RunResult.self, run.appendingPath(RunDirectory.resultName))
    }
}

/// The value in a file that `json` has made; nil where there is no file.
package func readJSON<Value: Decodable>(_ type: Value.Type, _ path: String) throws(FileError) -> Value? {
    guard fileExists(path) else { return nil }
    let bytes = try InputFile.contents(of: path, limit: 64 << 20)
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    guard let value = try? decoder.decode(type, from: Data(bytes)) else {
        throw FileError(
            path: path, problem: .damaged(reason: "it is not what this program writes there. Put it back from a copy, or start a new run"))
    }
    return value
}

/// JSON with sorted keys, the same bytes for the same value. JSON has no infinite numbers and no NaN: these are the
/// words "inf", "-inf" and "nan".
package func json(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
}
