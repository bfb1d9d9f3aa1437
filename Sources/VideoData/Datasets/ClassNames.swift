import Files

/// The classes of a data set, numbered from 0 in the order of their list.
package struct ClassNames: Sendable, Equatable {
    package let names: [String]
    package var warnings: [DatasetWarning] = []
    private let indices: [String: Int]

    /// - Parameter names: of repeated ones the first keeps the name in `index(of:)`.
    package init(_ names: [String]) {
        self.names = names
        indices = Dictionary(zip(names, 0...)) { first, _ in first }
    }

    package var count: Int { names.count }

    package subscript(index: Int) -> String { names[index] }

    package func index(of name: String) -> Int? { indices[name] }

    /// Identifies the list: SHA-256 of its names in order, each with its length before it.
    package var digest: String {
        Digest.of(names.map { "\($0.utf8.count):\($0)\n" }.joined())
    }

    /// Reads class names: a table with the columns `id,name`, one name per line, or JSON.
    ///
    /// Of the table further columns are passed over. The number of a class is its row, the id only says something to
    /// people. `ClassNameForms` tells of the other forms.
    ///
    /// - Parameter expectedCount: refuses another number of classes.
    package static func read(_ path: String, expectedCount: Int? = nil) throws(DatasetError) -> ClassNames {
        let classes = try anyForm(path)
        if let expectedCount, classes.count != expectedCount {
            throw DatasetError(path: path, problem: .classCount(found: classes.count, expected: expectedCount))
        }
        return classes
    }

    private static func anyForm(_ path: String) throws(DatasetError) -> ClassNames {
        var bytes: [UInt8]
        do {
            bytes = try InputFile.contents(of: path, limit: CSVReader.byteLimit)
        } catch {
            throw DatasetError(path: path, problem: .file(error))
        }
        guard !bytes.contains(0) else { throw DatasetError(path: path, problem: .zeroByte) }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
        let start = bytes.first { $0 != 0x20 && !(9...13).contains($0) }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw DatasetError(path: path, problem: .notUTF8) }
        // A name may well begin with a bracket: `(UB) salto`, `[something]`.
        if start == UInt8(ascii: "{") || start == UInt8(ascii: "["), bytes.last(where: { $0 != 0x20 && !(9...13).contains($0) }) == (start == UInt8(ascii: "{") ? UInt8(ascii: "}") : UInt8(ascii: "]")),
            text.unicodeScalars.contains("\"") {
            return try json(bytes, path: path)
        }
        let first = text.unicodeScalars.prefix { $0 != "\n" && $0 != "\r" }
        let header = ListTable.fields(String(first)).map { $0.trimmingBlanks().lowercased() }
        if start == nil || header.contains("id") && header.contains("name") { return try table(path) }
        return try lines(text, path: path)
    }

    /// The columns `id,name`, found by their header.
    private static func table(_ path: String) throws(DatasetError) -> ClassNames {
        let records = try CSVReader.records(of: path)
        let header = (records.first?.fields ?? []).map { $0.trimmingBlanks().lowercased() }
        guard let idColumn = header.firstIndex(of: "id"), let nameColumn = header.firstIndex(of: "name") else {
            throw DatasetError(path: path, line: 1, problem: .header(found: records.first?.fields ?? []))
        }
        var names: [String] = []
        var warnings: [DatasetWarning] = []
        for record in records.dropFirst() {
            guard record.fields.count == header.count else {
                throw DatasetError(
                    path: path, line: record.line,
                    problem: .fieldCount(found: record.fields.count, expected: header.count))
            }
            let name = record.fields[nameColumn].trimmingBlanks()
            guard !name.isEmpty else { throw DatasetError(path: path, line: record.line, problem: .emptyName) }
            if warnings.isEmpty, let id = Int(record.fields[idColumn]), id != names.count {
                warnings.append(.idsOutOfOrder(file: path, line: record.line))
            }
            names.append(name)
        }
        guard !names.isEmpty else { throw DatasetError(path: path, problem: .noClasses) }
        var classes = ClassNames(names)
        classes.warnings = warnings + repeatedNames(names, in: path)
        return classes
    }

    static func repeatedNames(_ names: [String], in path: String) -> [DatasetWarning] {
        Dictionary(grouping: names.indices, by: { names[$0] })
            .filter { $0.value.count > 1 }
            .sorted { $0.value[0] < $1.value[0] }
            .map { .repeatedNames(file: path, name: $0.key, rows: $0.value) }
            + namesAlike(names, in: path)
    }

    /// Of names that differ by case alone.
    static func namesAlike(_ names: [String], in path: String) -> [DatasetWarning] {
        Dictionary(grouping: names.indices, by: { names[$0].lowercased() }).values
            .map { rows in rows.filter { row in !rows.contains { $0 < row && names[$0] == names[row] } } }
            .filter { $0.count > 1 }
            .sorted { $0[0] < $1[0] }
            .map { .namesDifferByCase(file: path, names: $0.map { names[$0] }) }
    }

    /// The list as `read` reads it back.
    package var text: String {
        "id,name\n" + names.enumerated().map { "\($0),\($1.csvField)\n" }.joined()
    }
}

extension ClassNames {
    /// The names with `humanised` words.
    package var humanised: ClassNames { ClassNames(names.map(\.humanised)) }
}

extension String {
    /// `ApplyEyeMakeup` and `apply_eye_makeup` as separate words; letters keep their case, which CLIP's
    /// tokenizer does not see. Capitals in a row stay together: `TVShow` is `TV Show`.
    package var humanised: String {
        let letters = Array(self)
        var words = ""
        for (index, letter) in letters.enumerated() {
            if letter == "_" || letter == " " {
                if !words.isEmpty && words.last != " " { words.append(" ") }
                continue
            }
            if index > 0, letter.isUppercase, words.last != " ", !words.isEmpty {
                let startsWord = index + 1 < letters.count && letters[index + 1].isLowercase && letters[index - 1].isUppercase
                if letters[index - 1].isLowercase || letters[index - 1].isNumber || startsWord { words.append(" ") }
            }
            words.append(letter)
        }
        let trimmed = words.trimmingBlanks()
        return trimmed.isEmpty ? self : trimmed
    }
}
