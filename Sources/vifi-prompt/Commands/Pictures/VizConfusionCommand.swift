import ArgumentParser
import Charts
import Evaluation
import Files
import Training
import VideoData

struct VizConfusionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "confusion",
        abstract: "Draws which classes are taken for which.",
        discussion: """
              vifi-prompt viz confusion runs/evaluation
              vifi-prompt viz confusion confusion.csv -o confusion.png

            Each row is a true class; its shades are the share of its films in percent. Without a folder the pocket \
            world's small test list is evaluated now, with the newest prompts.
            """)

    @Argument(help: ArgumentHelp("Folder of an evaluation, or its confusion.csv.", valueName: "path"))
    var path: String?
    @OptionGroup var pictures: PictureOptions
    @Option(help: "Threads of the model, where one is asked; all processors by default.")
    var threads: Int?

    func validate() throws {
        if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads is \(threads); 1 to 1024 make sense.") }
    }

    func run() throws {
        let output = try PictureOutput(pictures.output, name: "confusion", endings: [".svg", ".png"], isForced: pictures.force)
        let table = try path.map(ConfusionTable.read) ?? evaluated()
        try output.write(table.chart)
        for line in table.mostFrequentErrors(5) { Console.note(line) }
    }

    private func evaluated() throws -> ConfusionTable {
        var model = try ModelOptions.parse([])
        model.threads = threads
        let data = try PictureData(
            data: DataOptions.parse([]), model: model, prompts: PromptOptions.parse([]), template: nil, pool: model.pool)
        let progress = ProgressReporter("confusion", total: data.list.clips.count, unit: "films")
        let predictions = try Evaluator(data.classifier).predictions(of: data.loader) { progress.show($0) }
        progress.finish()
        let metrics = ClassificationMetrics(predictions: predictions, classNames: data.classes.names)
        return ConfusionTable(source: data.list.path.lastPathComponent, names: data.classes.names, counts: metrics.confusion)
    }
}

/// How many films of each class were taken for each.
struct ConfusionTable {
    let source: String
    let names: [String]
    /// `[truth][prediction]`
    let counts: [[Int]]

    /// Of one row together, so that sums cannot overflow.
    private static let countLimit = 1_000_000_000

    init(source: String, names: [String], counts: [[Int]]) {
        self.source = source
        self.names = names
        self.counts = counts
    }

    /// - Parameter path: a `confusion.csv`, or a folder that holds one.
    static func read(_ path: String) throws -> ConfusionTable {
        var file = path
        if isDirectory(path) {
            file = path.appendingPath("confusion.csv")
            guard fileExists(file) else { throw PictureError.noConfusion(folder: path) }
        }
        let records = try CSVReader.records(of: file)
        guard let header = records.first, header.fields.first == "truth", header.fields.count > 1 else {
            throw PictureError.confusion(path: file, line: 1, problem: "the header is another")
        }
        let names = Array(header.fields.dropFirst())
        guard records.count == names.count + 1 else {
            let last = records.last?.line ?? 1
            throw PictureError.confusion(path: file, line: last, problem: "\(names.count) classes have \(records.count - 1) rows")
        }
        let counts = try zip(records.dropFirst(), names).map { record, name in
            guard record.fields.count == header.fields.count else {
                throw PictureError.confusion(
                    path: file, line: record.line, problem: "\(record.fields.count) fields, the header has \(header.fields.count)")
            }
            guard record.fields[0] == name else {
                throw PictureError.confusion(
                    path: file, line: record.line,
                    problem: "the row is of \"\(record.fields[0].escapedForDisplay)\", \"\(name.escapedForDisplay)\" is next in the header")
            }
            return try record.fields.dropFirst().map { field in
                guard let count = Int(field), (0...countLimit).contains(count) else {
                    throw PictureError.confusion(path: file, line: record.line, problem: "\"\(field.escapedForDisplay)\" is no count")
                }
                return count
            }
        }
        return ConfusionTable(source: path.lastPathComponent, names: names, counts: counts)
    }

    private func sum(_ row: Int) -> Int { counts[row].reduce(0, +) }

    var chart: Chart {
        let shares = counts.indices.map { row in
            let sum = sum(row)
            return counts[row].map { sum == 0 ? Double.nan : 100 * Double($0) / Double(sum) }
        }
        let total = counts.indices.reduce(0) { $0 + sum($1) }
        let right = counts.indices.reduce(0) { $0 + counts[$1][$1] }
        let accuracy = total == 0 ? "no films" : "top-1 \(percent(100 * Double(right) / Double(total))) of \(counted(total, "film", "films"))"
        return Chart(
            title: "Confusion, \(source): \(accuracy)", summary: (["\(names.count) classes."] + mostFrequentErrors(3)).joined(separator: " "),
            horizontal: Axis("predicted class"), vertical: Axis("true class", range: 0...100),
            content: .heatMap(
                HeatMap(
                    rowLabels: names, columnLabels: names, values: shares, scaleTitle: "share of the true class in percent", cellDecimals: 0)))
    }

    /// "a → b: 3 of 15 films"
    func mostFrequentErrors(_ limit: Int) -> [String] {
        let errors = counts.indices.flatMap { row in
            counts[row].indices.filter { $0 != row && counts[row][$0] > 0 }.map { (row, $0, counts[row][$0]) }
        }
        return errors.sorted { ($1.2, $0.0, $0.1) < ($0.2, $1.0, $1.1) }.prefix(limit).map { truth, guess, count in
            "\(names[truth].escapedForDisplay) → \(names[guess].escapedForDisplay): \(count) of \(counted(sum(truth), "film", "films"))"
        }
    }
}
