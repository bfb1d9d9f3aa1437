import Files

/// The columns of a list that is a table: `path,label`, with or without a header, as Open-VCLIP's and Kaggle's are, or
/// `path,start,end,label`.
struct ListTable {
    var path = 0
    var label = 1
    var frames: Int?
    /// Columns of a part's times.
    var times: (start: Int, end: Int)?
    var columnCount = 2
    var hasHeader = false

    /// What columns are called that hold what is needed, the most telling first.
    private static let pathNames = [
        "path", "file_path", "filepath", "video_path", "videopath", "clip_path", "full_path", "file_name", "filename", "file", "video", "video_name", "clip_name", "clip",
    ]
    private static let labelNames = ["label", "label_id", "class_id", "class_index", "class", "class_name", "label_name", "category", "target", "action", "tag"]
    private static let timeNames = [("start", "end"), ("start_seconds", "end_seconds"), ("start_time", "end_time"), ("starttime", "endtime")]
    private static let frameNames = ["frames", "frame_count", "num_frames", "n_frames", "total_frames"]

    /// A header that names both; nil for other text.
    init?(header fields: [String]) {
        let names = fields.map { $0.trimmingBlanks().lowercased().map { $0 == " " ? "_" : $0 } }.map { String($0) }
        func column(_ known: [String]) -> Int? { known.lazy.compactMap { names.firstIndex(of: $0) }.first }
        guard let path = column(Self.pathNames), let label = column(Self.labelNames), path != label else { return nil }
        self.path = path
        self.label = label
        frames = column(Self.frameNames)
        times = Self.timeNames.lazy.compactMap { start, end in
            names.firstIndex(of: start).flatMap { start in names.firstIndex(of: end).map { (start, $0) } }
        }.first
        columnCount = fields.count
        hasHeader = true
    }

    /// What the first lines of a list say of its form; nil for lines of `path label`.
    ///
    /// - Parameter lines: without blanks at their ends, none empty.
    init?(firstLines lines: [String]) {
        guard let first = lines.first else { return nil }
        let rows = lines.map(Self.fields)
        if let first = rows.first, let table = ListTable(header: first) {
            self = table
            return
        }
        guard first.utf8.first != UInt8(ascii: "\"") || Self.fields(first).count > 1 else { return nil }
        let width = rows[0].count
        // A comma belongs to a path where what follows the last blank is the label.
        guard (2...4).contains(width), rows.allSatisfy({ $0.count == width && Self.isRow($0) }),
            !lines.allSatisfy(Self.endsInLabel) || rows.allSatisfy({ VideoEndings.isShownVideo($0[0].lastPathComponent) })
        else { return nil }
        label = width - 1
        frames = width == 3 ? 1 : nil
        times = width == 4 ? (1, 2) : nil
        columnCount = width
    }

    private static func isRow(_ fields: [String]) -> Bool {
        let fields = fields.map { $0.trimmingBlanks() }
        guard let path = fields.first, let label = fields.last, !path.isEmpty, !label.isEmpty else { return false }
        if fields.count == 3, ListLine.wholeNumber(fields[1]) == nil { return false }
        if fields.count == 4, !fields[1...2].allSatisfy({ ClipPart.Time($0)?.isMarked ?? false }) { return false }
        return VideoEndings.isShownVideo(path.lastPathComponent) || path.contains("/") && ListLine.wholeNumber(label) != nil
    }

    private static func endsInLabel(_ line: String) -> Bool {
        guard let blank = line.lastIndex(where: \.isBlank) else { return false }
        return ListLine.looksLikeNumber(String(line[line.index(after: blank)...]))
    }

    /// The fields of one line; lines within quotes are not looked for here.
    static func fields(_ line: String) -> [String] {
        var fields: [String] = [""]
        var isQuoted = false
        var previous: Unicode.Scalar?
        for scalar in line.unicodeScalars {
            if scalar == "\"" {
                if !isQuoted, previous == "\"" { fields[fields.count - 1].unicodeScalars.append(scalar) }
                isQuoted.toggle()
            } else if scalar == ",", !isQuoted {
                fields.append("")
            } else {
                fields[fields.count - 1].unicodeScalars.append(scalar)
            }
            previous = scalar
        }
        return fields
    }

    /// What a row says.
    func line(_ record: CSVReader.Record) throws(LineFault) -> ListLine {
        guard record.fields.count == columnCount else {
            throw LineFault(.fieldCount(found: record.fields.count, expected: columnCount))
        }
        let fields = record.fields.map { $0.trimmingBlanks() }
        guard !fields[label].isEmpty, !fields[path].isEmpty else { throw LineFault(.oneField) }
        let count = try frames.map { column throws(LineFault) in
            guard let count = ListLine.wholeNumber(fields[column]) else { throw LineFault(.notANumber(fields[column], column: "frames")) }
            return count
        }
        let part = try times.map { columns throws(LineFault) in try ClipPart.inColumns(fields[columns.start], fields[columns.end]) } ?? nil
        return ListLine(path: fields[path], label: fields[label], frameCount: count, part: part)
    }
}
