import Files
import Foundation

/// The forms besides `id,name` that class names are published in.
extension ClassNames {
    /// One name per line, the line's number from 0 being the label, as mmaction2's `label_map.txt`: names may hold commas and
    /// slashes. Lines may carry their numbers (`0: walk`, `1 ApplyEyeMakeup` from 0 or 1 on, `walk,0`); these decide then.
    ///
    /// - Parameter text: the file's, without a byte order mark.
    static func lines(_ text: String, path: String) throws(DatasetError) -> ClassNames {
        var lines: [(number: Int, text: String)] = []
        for (index, line) in text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var line = String(String.UnicodeScalarView(line))
            if line.unicodeScalars.last == "\r" { line.unicodeScalars.removeLast() }
            guard line.utf8.count <= AnnotationList.lineLimit else {
                throw DatasetError(path: path, line: index + 1, problem: .lineTooLong(limit: AnnotationList.lineLimit))
            }
            lines.append((index + 1, line.trimmingBlanks()))
        }
        while lines.last?.text.isEmpty == true { lines.removeLast() }
        // Within the file an empty line would shift all labels after it.
        if let gap = lines.first(where: { $0.text.isEmpty }) { throw DatasetError(path: path, line: gap.number, problem: .emptyName) }
        guard !lines.isEmpty else { throw DatasetError(path: path, problem: .noClasses) }
        guard lines.count <= AnnotationList.labelLimit else { throw DatasetError(path: path, problem: .tooManyLines(limit: AnnotationList.labelLimit)) }
        let texts = lines.map(\.text)
        if texts.allSatisfy(isListLine) { throw DatasetError(path: path, line: 1, problem: .listInPlaceOfNames) }
        if path.lowercased().hasSuffix(".csv") {
            let rows = texts.map(ListTable.fields)
            // A table whose columns nobody names, or names otherwise.
            if rows[0].count > 1, rows.allSatisfy({ $0.count == rows[0].count }) { throw DatasetError(path: path, line: 1, problem: .header(found: rows[0])) }
            if ["name", "names", "class", "classes", "label", "labels", "class_name"].contains(texts[0].lowercased()), texts.count > 1 {
                return told(Array(texts.dropFirst()), path: path)
            }
        }
        return told(numbered(texts) ?? texts, path: path)
    }

    private static func told(_ names: [String], path: String) -> ClassNames {
        var classes = ClassNames(names)
        classes.warnings = repeatedNames(names, in: path)
        return classes
    }

    private static func isListLine(_ text: String) -> Bool {
        guard let line = try? ListLine(text, isClass: { _ in false }) else { return false }
        return VideoEndings.isShownVideo(line.path.lastPathComponent) && ListLine.wholeNumber(line.label) != nil
    }

    /// The names in the order of numbers that stand before or behind all of them, each once, from 0 or 1 on; nil where
    /// they do not.
    private static func numbered(_ lines: [String]) -> [String]? {
        for split in [leading, trailing] {
            let pairs = lines.compactMap(split)
            guard pairs.count == lines.count, let least = pairs.map(\.number).min(), least <= 1 else { continue }
            var names = [String?](repeating: nil, count: lines.count)
            for (number, name) in pairs where names.indices.contains(number - least) { names[number - least] = name }
            let found = names.compactMap(\.self)
            if found.count == lines.count { return found }
        }
        return nil
    }

    /// `12 name`, `12: name`, `12, name`, `12<tab>name`
    private static func leading(_ text: String) -> (number: Int, name: String)? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int(digits), let mark = text[digits.endIndex...].first, " :,\t.".contains(mark) else { return nil }
        let name = String(text[digits.endIndex...].dropFirst()).trimmingBlanks()
        return name.isEmpty ? nil : (number, name)
    }

    /// `name,12`
    private static func trailing(_ text: String) -> (number: Int, name: String)? {
        guard let comma = text.lastIndex(of: ","), let number = ListLine.wholeNumber(String(text[text.index(after: comma)...]).trimmingBlanks())
        else { return nil }
        let name = String(text[..<comma]).trimmingBlanks()
        return name.isEmpty ? nil : (number, name)
    }

    // MARK: JSON

    /// `{"0": "walk"}`, `{"walk": 0}` or `["walk"]`, as Open-VCLIP's and Text4Vis's class lists are.
    static func json(_ bytes: [UInt8], path: String) throws(DatasetError) -> ClassNames {
        let data = Data(bytes)
        let decoder = JSONDecoder()
        if let names = try? decoder.decode([String].self, from: data) { return try checked(names, path: path) }
        var pairs: [(number: Int, name: String)] = []
        if let byName = try? decoder.decode([String: Int].self, from: data) {
            pairs = byName.map { ($0.value, $0.key) }
        } else if let texts = try? decoder.decode([String: String].self, from: data) {
            let isByNumber = texts.keys.allSatisfy { ListLine.wholeNumber($0) != nil }
            for (key, value) in texts {
                guard let number = Int(isByNumber ? key : value) else {
                    throw DatasetError(path: path, problem: .notANumber(isByNumber ? key : value, column: isByNumber ? value : key))
                }
                pairs.append((number, isByNumber ? value : key))
            }
        } else {
            throw DatasetError(path: path, problem: .notJSON(reason: "class names are an array of names, or an object of names and numbers"))
        }
        var names = [String?](repeating: nil, count: pairs.count)
        for (number, name) in pairs.sorted(by: { $0.name < $1.name }) {
            guard names.indices.contains(number), names[number] == nil else {
                throw DatasetError(path: path, problem: .labelOutOfRange(label: number, classCount: names.count))
            }
            names[number] = name
        }
        return try checked(names.compactMap(\.self), path: path)
    }

    private static func checked(_ names: [String], path: String) throws(DatasetError) -> ClassNames {
        guard !names.isEmpty else { throw DatasetError(path: path, problem: .noClasses) }
        let trimmed = names.map { $0.trimmingBlanks() }
        guard !trimmed.contains("") else { throw DatasetError(path: path, problem: .emptyName) }
        return told(trimmed, path: path)
    }
}
