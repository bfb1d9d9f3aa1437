import ArgumentParser
import Evaluation
import Experiments
import Files
import Foundation
import Training

struct ThresholdsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "thresholds",
        abstract: "Shows what predict's --threshold costs and brings, measured on videos whose class is known.",
        discussion: """
              vifi-prompt eval --prompts p.safetensors --test val.txt --labels labels.csv \\
                  --output scores
              vifi-prompt thresholds scores/predictions.jsonl --accuracy 90

            Without a file it takes the predictions of the newest evaluation in runs/.

            Each row is a threshold, with the videos that are answered (coverage) and the answers that are right \
            (accuracy). To see how many videos of none of the classes get an answer all the same, label a folder of them \
            with `predict none/ --json` and pass the result as --outsiders.
            """)

    @Argument(help: ArgumentHelp("predictions.jsonl of an evaluation; that of the newest one in runs/ by default.", valueName: "jsonl"))
    var predictions: String?

    @Option(help: ArgumentHelp("Answers of `predict --json` to videos that show none of the classes.", valueName: "jsonl"))
    var outsiders: String?

    @Option(help: ArgumentHelp("Also show the lowest threshold at which this share of the answers is right, in percent.", valueName: "percent"))
    var accuracy: Double?

    @Option(
        help: ArgumentHelp("Thresholds to show, with commas; 0 to 0.9 in steps of 0.1 by default.", valueName: "numbers"),
        transform: CommaList.init(argument:))
    var at: CommaList<ThresholdMember>?

    @Flag(help: jsonHelp)
    var json = false

    private var thresholds: [Float] { at?.values.sorted() ?? (0..<10).map { Float($0) / 10 } }

    func validate() throws {
        if let accuracy, !(accuracy > 0 && accuracy <= 100) { throw ValidationError("--accuracy is \(accuracy); it must be above 0 and at most 100.") }
    }

    /// What `--json` prints.
    private struct Report: Encodable {
        struct Row: Encodable {
            let threshold: Float
            let answered: Int
            let coverage: Double
            let correct: Int
            let accuracy: Double?
            let outsidersAnswered: Int?

            init(_ row: ThresholdTable.Row) {
                threshold = row.threshold
                answered = row.answered
                coverage = row.coverage
                correct = row.correct
                accuracy = row.accuracy
                outsidersAnswered = row.fooled
            }
        }
        let videos: Int
        let outsiders: Int?
        let rows: [Row]
        let reaching: Row?
        /// The lowest threshold above that at which too few answers are right again.
        let failing: Row?
        let mostRight: Row?
    }

    func run() throws {
        let predictions = try self.predictions ?? newest()
        let answers = try ScoredLine.read(predictions).map { line in
            guard let known = line.answer else { throw ThresholdsError.noTruth(path: predictions) }
            return known
        }
        guard !answers.isEmpty else { throw ThresholdsError.nothing(path: predictions) }
        let strangers = try outsiders.map { try ScoredLine.read($0).flatMap(\.bestProbabilities) }
        if let outsiders, strangers?.isEmpty == true { throw ThresholdsError.nothing(path: outsiders) }
        let table = ThresholdTable(answers: answers, outsiders: strangers)
        let rows = thresholds.map(table.row)
        let reaching = accuracy.flatMap(table.row(reaching:))
        let mostRight = table.rowOfMostRight()
        if json {
            try Console.json(
                Report(
                    videos: answers.count, outsiders: strangers?.count, rows: rows.map(Report.Row.init),
                    reaching: reaching.map { Report.Row($0.row) }, failing: reaching?.failing.map(Report.Row.init), mostRight: mostRight.map(Report.Row.init)))
            return
        }
        show(rows, outsiders: strangers?.count)
        if let accuracy {
            let text = NumberText.decimal(accuracy, places: accuracy == accuracy.rounded() ? 0 : 1)
            if let reaching {
                Console.result(
                    "\(text) % of the answers are right at --threshold \(reaching.row.threshold), the lowest: \(Self.words(reaching.row))")
                if let failing = reaching.failing {
                    Console.result(
                        "but not at every higher one: at --threshold \(failing.threshold) \(failing.accuracy.map(percent) ?? "none") of the answers are right")
                }
            } else {
                Console.result("at no threshold \(text) % of the answers are right")
            }
        }
        if let mostRight {
            Console.result("most videos are treated correctly at --threshold \(mostRight.threshold): \(Self.words(mostRight))")
        }
    }

    /// The predictions of the evaluation that was written last.
    private func newest() throws -> String {
        func modified(_ path: String) -> Date {
            (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date ?? .distantPast
        }
        let folder = BackboneFinder.runsFolder
        let files = ((try? directoryEntries(folder)) ?? []).map { folder.appendingPath($0).appendingPath(EvaluationFolder.predictionsName) }
        guard let newest = files.filter(isRegularFile).max(by: { modified($0) < modified($1) }) else { throw ThresholdsError.noEvaluation }
        Console.note("The newest evaluation: \(newest.escapedForDisplay). For another name its file.")
        return newest
    }

    private static func words(_ row: ThresholdTable.Row) -> String {
        "\(percent(row.coverage)) answered, \(row.accuracy.map(percent) ?? "none") of these right"
            + (row.fooled.map { ", \(counted($0, "outsider", "outsiders")) answered" } ?? "")
    }

    private func show(_ rows: [ThresholdTable.Row], outsiders: Int?) {
        func right(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
        let videos = rows.first?.videos ?? 0
        Console.result(
            "\(counted(videos, "video", "videos"))" + (outsiders.map { ", \(counted($0, "outsider", "outsiders"))" } ?? "")
                + "\nthreshold  answered  coverage  right  accuracy" + (outsiders == nil ? "" : "  outsiders answered"))
        for row in rows {
            let hasTwoPlaces = (row.threshold * 100).rounded() / 100 == row.threshold
            var line = right(hasTwoPlaces ? NumberText.decimal(Double(row.threshold), places: 2) : "\(row.threshold)", 9) + right("\(row.answered)", 10)
            line += right(percent(row.coverage), 10) + right("\(row.correct)", 7) + right(row.accuracy.map(percent) ?? "–", 10)
            if let outsiders, let fooled = row.fooled {
                line += right("\(fooled) (\(percent(100 * Double(fooled) / Double(max(1, outsiders)))))", 20)
            }
            Console.result(line)
        }
    }
}

/// A line of an evaluation's predictions, or of `predict --json`.
private struct ScoredLine: Decodable {
    /// A class by number or by name.
    enum Class: Decodable, Equatable {
        case number(Int)
        case name(String)

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            self = if let number = try? container.decode(Int.self) { .number(number) } else { .name(try container.decode(String.self)) }
        }
    }

    private struct Score: Decodable {
        var probability: Float
    }

    private struct Window: Decodable {
        var scores: [Score]
    }

    private var label: Class?
    private var predicted: Class?
    private var prediction: Class?
    private var probability: Float?
    private var probabilities: [Float]?
    private var rank: Int?
    private var scores: [Score]?
    private var windows: [Window]?

    /// Nil where the video's own class is not known.
    var answer: ThresholdTable.Answer? {
        guard let label, let predicted = predicted ?? prediction, let best = probability ?? probabilities?.max() else { return nil }
        return ThresholdTable.Answer(probability: best, isCorrect: rank.map { $0 == 1 } ?? (label == predicted))
    }

    /// One a video, or one a window.
    var bestProbabilities: [Float] {
        if let windows { return windows.compactMap { $0.scores.first?.probability } }
        return [scores?.first?.probability ?? probability ?? probabilities?.max()].compactMap(\.self)
    }

    private static let byteLimit = 1 << 30

    static func read(_ path: String) throws -> [ScoredLine] {
        let bytes = try InputFile.contents(of: path, limit: byteLimit)
        return try bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated().compactMap { number, line in
            guard line.contains(where: { $0 != 0x20 && $0 != 0x0d }) else { return nil }
            do { return try JSONDecoder().decode(ScoredLine.self, from: Data(line)) } catch {
                throw ThresholdsError.badLine(path: path, line: number + 1)
            }
        }
    }
}

/// Why no table can be made.
enum ThresholdsError: ReportableError {
    case badLine(path: String, line: Int)
    case noTruth(path: String)
    case nothing(path: String)
    case noEvaluation

    var exitStatus: ExitStatus {
        if case .noEvaluation = self { .missingInput } else { .badData }
    }

    var description: String {
        switch self {
        case .badLine(let path, let line):
            "\(path.escapedForDisplay):\(line): is not a JSON object of a video. Pass predictions.jsonl of an evaluation, or what `predict --json` prints."
        case .noTruth(let path):
            "\(path.escapedForDisplay): its videos have no label, so right and wrong answers cannot be told apart. Pass predictions.jsonl of an evaluation."
        case .nothing(let path): "\(path.escapedForDisplay): holds no videos that were answered."
        case .noEvaluation:
            "no evaluation in \(BackboneFinder.runsFolder)/. `vifi-prompt eval` makes one; or name the predictions.jsonl of another."
        }
    }
}
