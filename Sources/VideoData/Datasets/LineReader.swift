import Files

/// The lines of a text file, one after another, each checked and capped before it is kept.
///
/// Ends lines at LF or CRLF, drops a byte order mark, accepts a missing final newline.
struct LineReader: ~Copyable {
    private let file: InputFile
    private let lineLimit: Int
    private var buffer: [UInt8] = []
    private var position = 0
    private var offset = 0
    /// Of the line last returned, from 1.
    private(set) var lineNumber = 0

    init(path: String, lineLimit: Int) throws(DatasetError) {
        do {
            file = try InputFile(path: path)
        } catch {
            throw DatasetError(path: path, problem: .file(error))
        }
        self.lineLimit = lineLimit
    }

    /// The next line without its end, or nil after the last.
    mutating func next() throws(DatasetError) -> String? {
        guard let line = try nextBytes() else { return nil }
        guard let text = String(validating: line, as: UTF8.self) else {
            throw DatasetError(path: file.path, line: lineNumber, problem: .notUTF8)
        }
        return text
    }

    /// The next line of a list of paths, which are bytes: written as `String(pathBytes:)` writes them.
    mutating func nextOfPaths() throws(DatasetError) -> String? {
        try nextBytes().map { String(pathBytes: $0) }
    }

    private mutating func nextBytes() throws(DatasetError) -> [UInt8]? {
        var line: [UInt8] = []
        var hasLine = false
        while true {
            if position == buffer.count {
                guard try refill() else { break }
            }
            hasLine = true
            let rest = buffer[position...]
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            // Two bytes to spare for CR and the mark's third byte are not worth counting.
            guard line.count + (end - position) <= lineLimit else {
                throw DatasetError(path: file.path, line: lineNumber + 1, problem: .lineTooLong(limit: lineLimit))
            }
            line += rest[..<end]
            position = end
            if end < buffer.count {
                position += 1
                break
            }
        }
        guard hasLine else { return nil }
        lineNumber += 1
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        if lineNumber == 1 && line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
        guard !line.contains(0) else {
            throw DatasetError(path: file.path, line: lineNumber, problem: .zeroByte)
        }
        return line
    }

    private mutating func refill() throws(DatasetError) -> Bool {
        let count = min(1 << 16, file.byteCount - offset)
        guard count > 0 else { return false }
        do {
            buffer = try file.bytes(at: offset, count: count)
        } catch {
            throw DatasetError(path: file.path, problem: .file(error))
        }
        offset += count
        position = 0
        return true
    }
}
