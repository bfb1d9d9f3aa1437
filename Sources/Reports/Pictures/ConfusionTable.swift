import Charts
import Evaluation
import Experiments
import Files
import VideoData

/// How many videos of each class were taken for each.
package struct ConfusionTable {
    package let source: String
    package let names: [String]
    /// Those that came.
    package let counts: [ConfusionCount]
    /// Videos of each class.
    private let sums: [Int]

    /// Of one row together, so that sums cannot overflow.
    private static let countLimit = 1_000_000_000
    /// The most classes whose names can be read in a chart.
    private static let chartLimit = 400
    /// Classes that are drawn where there are more.
    private static let drawnCount = 100

    package init(source: String, names: [String], counts: [ConfusionCount]) {
        self.source = source
        self.names = names
        self.counts = counts
        sums = counts.reduce(into: names.map { _ in 0 }) { $0[$1.truth] += $1.videos }
    }

    // MARK: Reading

    /// A row of a file, without the zeros that most of a large table is.
    private struct Row {
        let line: Int
        let fieldCount: Int
        /// The first three.
        let start: [String]
        /// By column, from 0 after the first.
        var counts: [(column: Int, count: Int)] = []
        /// The first field that is no count.
        var fault: String?

        init(_ record: CSVReader.Record) {
            (line, fieldCount) = (record.line, record.fields.count)
            start = Array(record.fields.prefix(3))
            for (column, field) in record.fields.dropFirst().enumerated() where field != "0" {
                guard let count = Int(field), (0...countLimit).contains(count) else {
                    fault = fault ?? field
                    continue
                }
                if count > 0 { counts.append((column, count)) }
            }
        }
    }

    /// Of tables with a column a class, which early programs wrote for any number of classes.
    private static let fieldLimit = 20_001
    private static let byteLimit = 1 << 30

    /// - Parameter path: a `confusion.csv`, or a folder that holds one.
    package static func read(_ path: String) throws -> ConfusionTable {
        var file = path
        if isDirectory(path) {
            file = path.appendingPath("confusion.csv")
            guard fileExists(file) else { throw PictureError.noConfusion(folder: path) }
        }
        var header: [String]?
        var rows: [Row] = []
        try CSVReader.eachRecord(of: file, byteLimit: byteLimit, fieldLimit: fieldLimit) { record throws(DatasetError) in
            if header == nil { header = record.fields } else { rows.append(Row(record)) }
        }
        guard let header, header.first == "truth", header.count > 1 else {
            throw PictureError.confusion(path: file, line: 1, problem: "the header is another")
        }
        // Two classes may be called so: their table has a row for each.
        let isPairs = header == ["truth", "predicted", "videos"] && rows.map(\.start.first) != ["predicted", "videos"]
        return try isPairs ? pairs(rows, of: file, source: path.lastPathComponent) : table(header, rows, of: file, source: path.lastPathComponent)
    }

    private static func pairs(_ rows: [Row], of file: String, source: String) throws(PictureError) -> ConfusionTable {
        var labels: [String: Int] = [:]
        var names: [String] = []
        func label(_ name: String) -> Int {
            if let label = labels[name] { return label }
            labels[name] = names.count
            names.append(name)
            return names.count - 1
        }
        var counts: [ConfusionCount] = []
        for row in rows {
            guard row.fieldCount == 3 else {
                throw .confusion(path: file, line: row.line, problem: "\(row.fieldCount) fields, the header has 3")
            }
            guard let videos = Int(row.start[2]), (0...countLimit).contains(videos) else {
                throw .confusion(path: file, line: row.line, problem: "\"\(row.start[2].escapedForDisplay)\" is no count")
            }
            counts.append(ConfusionCount(truth: label(row.start[0]), predicted: label(row.start[1]), videos: videos))
        }
        return ConfusionTable(source: source, names: names, counts: counts)
    }

    private static func table(_ header: [String], _ rows: [Row], of file: String, source: String) throws(PictureError) -> ConfusionTable {
        let names = Array(header.dropFirst())
        guard rows.count == names.count else {
            throw .confusion(path: file, line: rows.last?.line ?? 1, problem: "\(names.count) classes have \(rows.count) rows")
        }
        var counts: [ConfusionCount] = []
        for (truth, (row, name)) in zip(rows, names).enumerated() {
            guard row.fieldCount == header.count else {
                throw .confusion(path: file, line: row.line, problem: "\(row.fieldCount) fields, the header has \(header.count)")
            }
            guard row.start[0] == name else {
                throw .confusion(
                    path: file, line: row.line,
                    problem: "the row is of \"\(row.start[0].escapedForDisplay)\", \"\(name.escapedForDisplay)\" is next in the header")
            }
            if let fault = row.fault { throw .confusion(path: file, line: row.line, problem: "\"\(fault.escapedForDisplay)\" is no count") }
            counts += row.counts.map { ConfusionCount(truth: truth, predicted: $0.column, videos: $0.count) }
        }
        return ConfusionTable(source: source, names: names, counts: counts)
    }

    // MARK: Showing

    private var errors: [ConfusionCount] { counts.filter { $0.truth != $0.predicted && $0.videos > 0 } }

    /// Whether the chart leaves classes out.
    package var isTooLarge: Bool { names.count > Self.chartLimit }

    /// Classes that a chart shows, in their order: all, or those with the most errors.
    private var drawn: [Int] {
        guard isTooLarge else { return Array(names.indices) }
        var counts = names.map { _ in 0 }
        for error in errors {
            counts[error.truth] += error.videos
            counts[error.predicted] += error.videos
        }
        return names.indices.sorted { (counts[$1], $0) < (counts[$0], $1) }.prefix(Self.drawnCount).sorted()
    }

    package var chart: Chart {
        let drawn = drawn
        let places = Dictionary(uniqueKeysWithValues: drawn.enumerated().map { ($1, $0) })
        var shares = drawn.map { label in [Double](repeating: sums[label] == 0 ? .nan : 0, count: drawn.count) }
        for count in counts {
            guard let row = places[count.truth], let column = places[count.predicted], sums[count.truth] > 0 else { continue }
            shares[row][column] = 100 * Double(count.videos) / Double(sums[count.truth])
        }
        let total = sums.reduce(0, +)
        let right = counts.reduce(0) { $0 + ($1.truth == $1.predicted ? $1.videos : 0) }
        let accuracy = total == 0 ? "no videos" : "top-1 \(percent(100 * Double(right) / Double(total))) of \(counted(total, "video", "videos"))"
        let part = isTooLarge ? ", the \(drawn.count) of \(names.count) classes with the most errors" : ""
        return Chart(
            title: "Confusion, \(source)\(part): \(accuracy)",
            summary: (["\(names.count) classes."] + mostFrequentErrors(3)).joined(separator: " "),
            horizontal: Axis("predicted class"), vertical: Axis("true class", range: 0...100),
            content: .heatMap(
                HeatMap(
                    rowLabels: drawn.map { names[$0] }, columnLabels: drawn.map { names[$0] }, values: shares,
                    scaleTitle: "share of the true class in percent", cellDecimals: 0)))
    }

    /// "a → b: 3 of 15 videos"
    package func mostFrequentErrors(_ limit: Int) -> [String] {
        errors.sorted { ($1.videos, $0.truth, $0.predicted) < ($0.videos, $1.truth, $1.predicted) }.prefix(limit).map { error in
            "\(names[error.truth].escapedForDisplay) → \(names[error.predicted].escapedForDisplay): \(error.videos) of "
                + counted(sums[error.truth], "video", "videos")
        }
    }
}
