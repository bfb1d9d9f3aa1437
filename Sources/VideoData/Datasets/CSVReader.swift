import Files

/// The records of a CSV file, RFC 4180: fields split at commas, quoted where they hold commas, quotes
/// (written twice) or line breaks. Reads LF and CRLF, drops a byte order mark.
package struct CSVReader {
    package struct Record: Equatable {
        /// Where the record starts, from 1.
        package var line: Int
        package var fields: [String]
    }

    /// Class lists are small; the longest published one is 30 kB.
    static let byteLimit = 16 << 20

    /// Fields of one record; published tables have six.
    package static let fieldLimit = 1024

    /// What fields are.
    package enum Content {
        /// UTF-8; anything else is refused.
        case text
        /// Bytes, written as `String(pathBytes:)` writes them.
        case paths
    }

    package static func records(of path: String) throws(DatasetError) -> [Record] {
        var records: [Record] = []
        try eachRecord(of: path, byteLimit: byteLimit) { record throws(DatasetError) in records.append(record) }
        return records
    }

    /// Calls `body` with each record in turn: a table may be much larger in memory than in its file.
    package static func eachRecord(
        of path: String, byteLimit: Int, fieldLimit: Int = fieldLimit, as content: Content = .text,
        _ body: (Record) throws(DatasetError) -> Void
    ) throws(DatasetError) {
        let bytes: [UInt8]
        do {
            bytes = try InputFile.contents(of: path, limit: byteLimit)
        } catch {
            throw DatasetError(path: path, problem: .file(error))
        }
        guard !bytes.contains(0) else { throw DatasetError(path: path, problem: .zeroByte) }
        guard content == .paths || String(validating: bytes, as: UTF8.self) != nil else { throw DatasetError(path: path, problem: .notUTF8) }
        var parser = CSVReader(path: path, bytes: bytes, fieldLimit: fieldLimit, content: content)
        try parser.eachRecord(body)
    }

    private let path: String
    private let bytes: [UInt8]
    private let content: Content
    private let fieldLimit: Int
    private var index: Int
    private var line = 1

    private init(path: String, bytes: [UInt8], fieldLimit: Int, content: Content) {
        self.path = path
        self.fieldLimit = fieldLimit
        self.bytes = bytes
        self.content = content
        index = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    }

    private mutating func eachRecord(_ body: (Record) throws(DatasetError) -> Void) throws(DatasetError) {
        while index < bytes.count {
            var record = Record(line: line, fields: [try field()])
            while index < bytes.count && bytes[index] == UInt8(ascii: ",") {
                index += 1
                guard record.fields.count < fieldLimit else {
                    throw DatasetError(path: path, line: record.line, problem: .tooManyFields(limit: fieldLimit))
                }
                record.fields.append(try field())
            }
            skipLineEnd()
            if record.fields != [""] { try body(record) }  // An empty line is not a record.
        }
    }

    private mutating func field() throws(DatasetError) -> String {
        guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { return plainField() }
        let start = line
        index += 1
        var value: [UInt8] = []
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            if byte == UInt8(ascii: "\n") { line += 1 }
            if byte != UInt8(ascii: "\"") {
                value.append(byte)
            } else if index < bytes.count && bytes[index] == UInt8(ascii: "\"") {
                value.append(byte)
                index += 1
            } else {
                guard atFieldEnd else { throw DatasetError(path: path, line: line, problem: .textAfterQuote) }
                return text(value[...])
            }
        }
        throw DatasetError(path: path, line: start, problem: .unclosedQuote)
    }

    private mutating func plainField() -> String {
        let start = index
        while !atFieldEnd { index += 1 }
        return text(bytes[start..<index])
    }

    private func text(_ bytes: ArraySlice<UInt8>) -> String {
        content == .paths ? String(pathBytes: bytes) : String(decoding: bytes, as: UTF8.self)
    }

    private var atFieldEnd: Bool {
        guard index < bytes.count else { return true }
        switch bytes[index] {
        case UInt8(ascii: ","), UInt8(ascii: "\n"): return true
        case UInt8(ascii: "\r"): return index + 1 == bytes.count || bytes[index + 1] == UInt8(ascii: "\n")
        default: return false
        }
    }

    private mutating func skipLineEnd() {
        if index < bytes.count && bytes[index] == UInt8(ascii: "\r") { index += 1 }
        if index < bytes.count && bytes[index] == UInt8(ascii: "\n") { index += 1 }
        line += 1
    }
}

extension String {
    /// The text as a field of a CSV file: in double quotes where it holds commas, quotes or line breaks.
    package var csvField: String {
        let needsQuotes = utf8.contains { [UInt8(ascii: ","), UInt8(ascii: "\""), 10, 13].contains($0) }
        return needsQuotes ? inDoubleQuotes : self
    }
}
