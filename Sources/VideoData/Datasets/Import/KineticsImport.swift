import Files
import Foundation

extension ImportedSet {
    /// Largest table read; that of Kinetics-700 has 27 MB.
    private static let tableByteLimit = 128 << 20

    /// Kinetics: CSV with `label`, `youtube_id`, `time_start`, `time_end` and maybe `split`; videos are called
    /// `<id>_000010_000020.mp4` and lie in a folder per class. Without a class list, classes are numbered in
    /// the order of their names, as in all published lists of Kinetics-400.
    static func kinetics(_ files: [PublishedFile], classes: ClassNames?) throws(DatasetError) -> ImportedSet {
        var rows: [Row] = []
        var warnings: [DatasetWarning] = []
        var sources: [String: String] = [:]
        for file in files {
            let read = try Self.rows(of: file.path)
            if read.isEmpty { warnings.append(.noLabels(file: file.path)) }
            for row in read where sources[row.part] == nil { sources[row.part] = file.path }
            rows += read
        }
        let known = classes ?? ClassNames(Set(rows.map(\.label)).sorted())
        // Class lists write names with blanks, some tables with underscores.
        let spellings = Dictionary(known.names.enumerated().map { ($1.replacingOccurrences(of: "_", with: " "), $0) }) { first, _ in first }
        var clips: [String: [AnnotatedClip]] = [:]
        for row in rows {
            guard let label = known.index(of: row.label) ?? spellings[row.label.replacingOccurrences(of: "_", with: " ")] else {
                throw DatasetError(
                    path: row.file, line: row.line,
                    problem: .unknownClass(row.label, nearest: row.label.nearest(among: known.names)))
            }
            clips[row.part, default: []].append(AnnotatedClip(path: row.video, label: label))
        }
        let order = ["train", "val", "test"]
        let parts = clips.keys.sorted { (order.firstIndex(of: $0) ?? 9, $0) < (order.firstIndex(of: $1) ?? 9, $1) }
        var set = ImportedSet(
            kind: "Kinetics", classes: known,
            parts: parts.map { Part(name: $0, source: sources[$0] ?? files[0].path, clips: clips[$0] ?? []) })
        set.warnings += warnings
        return set
    }

    private struct Row {
        let file: String
        let line: Int
        let label: String
        /// `train`, `val` or `test`.
        let part: String
        /// `label/id_000010_000020.mp4`
        let video: String
    }

    /// Nothing where the table has no labels: the test set's were kept back at first.
    private static func rows(of path: String) throws(DatasetError) -> [Row] {
        var rows: [Row] = []
        var columns: Columns?
        var isUnlabeled = false
        try CSVReader.eachRecord(of: path, byteLimit: tableByteLimit) { record throws(DatasetError) in
            if isUnlabeled { return }
            if let columns {
                rows.append(try row(record, columns, path))
            } else {
                columns = try Columns(header: record.fields, path: path)
                isUnlabeled = columns == nil
            }
        }
        return rows
    }

    /// Where a table keeps what is needed.
    private struct Columns {
        let names: [String]
        let label, id, start, end: Int
        let split: Int?

        /// Nil where there is no column of labels.
        init?(header: [String], path: String) throws(DatasetError) {
            let names = header.map { $0.trimmingBlanks().lowercased() }
            func column(_ name: String) throws(DatasetError) -> Int {
                guard let index = names.firstIndex(of: name) else {
                    throw DatasetError(path: path, line: 1, problem: .missingColumn(name, found: header))
                }
                return index
            }
            guard let label = names.firstIndex(of: "label") else { return nil }
            self.names = names
            self.label = label
            (id, start, end) = (try column("youtube_id"), try column("time_start"), try column("time_end"))
            split = names.firstIndex(of: "split")
        }
    }

    private static func row(_ record: CSVReader.Record, _ columns: Columns, _ path: String) throws(DatasetError) -> Row {
        guard record.fields.count == columns.names.count else {
            throw DatasetError(
                path: path, line: record.line,
                problem: .fieldCount(found: record.fields.count, expected: columns.names.count))
        }
        func seconds(_ column: Int) throws(DatasetError) -> String {
            let text = record.fields[column].trimmingBlanks()
            guard let number = Int(text), (0..<1_000_000).contains(number) else {
                throw DatasetError(path: path, line: record.line, problem: .notANumber(text, column: columns.names[column]))
            }
            return String(format: "%06d", number)
        }
        let label = record.fields[columns.label].trimmingBlanks()
        guard !label.isEmpty else { throw DatasetError(path: path, line: record.line, problem: .emptyName) }
        let id = record.fields[columns.id].trimmingBlanks()
        // An id is a part of a file's name, not a way elsewhere.
        guard !id.isEmpty, !id.contains("/") else {
            throw DatasetError(path: path, line: record.line, problem: id.isEmpty ? .emptyName : .leavesRoot(id))
        }
        let name = "\(id)_\(try seconds(columns.start))_\(try seconds(columns.end)).mp4"
        let video = label.replacingOccurrences(of: "/", with: "_") + "/" + name
        try DatasetError.checkPath(video, file: path, line: record.line)
        let split = columns.split.map { record.fields[$0].trimmingBlanks().lowercased() } ?? ""
        let part = partName(split) ?? partName(path.lastPathComponent) ?? "train"
        return Row(file: path, line: record.line, label: label, part: part, video: video)
    }

    /// The part that a word or a file's name speaks of.
    static func partName(_ text: String) -> String? {
        let text = text.lowercased()
        return text.contains("train") ? "train" : text.contains("val") ? "val" : text.contains("test") ? "test" : nil
    }
}
