import Files
import Foundation

/// How a run ended.
package struct RunResult: Codable, Equatable, Sendable {
    /// Nil of a head, which takes no steps; so are epochs and loss.
    package var steps: Int?
    package var epochs: Int?
    package var trainingLoss: Double?
    /// Of the epoch that was best on the validation list, and so was chosen; nil without such a list.
    package var best: Scores?
    /// On the validation list: of the last epoch, or of a head, which has none.
    package var last: Scores?
    /// Of what was chosen, on the test list, which nothing was chosen by; nil without such a list.
    package var test: Scores?
    /// Of a head: its method, and its top-1 on training clips that were held out in turn, in percent.
    package var method: String?
    package var crossValidatedTop1: Double?
    /// The heads that were compared, and the texts alone.
    package var compared: [ComparedMethod]?
    /// Prompts, heads on prompts, and the best head without: each learned without each fold of the clips, and scored on it.
    package var comparedWithPrompts: [ComparedMethod]?
    /// Over all parts of the run.
    package var seconds: Double
    /// Most memory that the process has held since the run began; of a run that was resumed, since then. Nil in runs of programs
    /// that did not write it down.
    package var peakBytes: Int?
    /// Numbers that learned; nil, as the next two, in runs of programs that did not write it down.
    package var learnedParameters: Int?
    /// Of one view of a video through the model that came out, in 10⁹ multiply-adds: every token of every frame.
    package var viewGflops: Double?
    /// The same with the savings that change no number.
    package var neededViewGflops: Double?

    package init(
        steps: Int?, epochs: Int?, trainingLoss: Double?, best: Scores?, last: Scores?, test: Scores? = nil, seconds: Double, peakBytes: Int? = nil
    ) {
        self.steps = steps
        self.epochs = epochs
        self.trainingLoss = trainingLoss
        self.best = best
        self.last = last
        self.test = test
        self.seconds = seconds
        self.peakBytes = peakBytes
    }

    /// What a method reached on training clips that were held out in turn.
    package struct ComparedMethod: Codable, Equatable, Sendable {
        /// `zero-shot` for the texts alone.
        package let method: String
        /// JSON; the best of those that were compared. Nil for the texts alone.
        package let settings: String?
        /// Mean negative log-likelihood of the clips' classes, calibrated: what the choice is made by.
        package let logLoss: Double
        /// In percent.
        package let top1: Double
        package let standardError: Double
        package let meanClassAccuracy: Double
        package let seconds: Double
        /// Numbers that it learned or computed from clips.
        package let parameters: Int

        package init(
            method: String, settings: String?, logLoss: Double, top1: Double, standardError: Double, meanClassAccuracy: Double, seconds: Double,
            parameters: Int
        ) {
            self.method = method
            self.settings = settings
            self.logLoss = logLoss
            self.parameters = parameters
            self.top1 = top1
            self.standardError = standardError
            self.meanClassAccuracy = meanClassAccuracy
            self.seconds = seconds
        }
    }

    /// What a run is told by: the test list's scores, else those of the last epoch on the validation list.
    package var reported: Scores? { test ?? last }

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
