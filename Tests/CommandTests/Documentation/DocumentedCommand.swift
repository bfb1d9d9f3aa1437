import Foundation
import TestSupport

/// A command of this program in a code block of the documentation.
struct DocumentedCommand: CustomStringConvertible {
    /// From the package's root.
    let page: String
    let line: Int
    /// As a shell takes it: lines that end with a backslash are joined, a comment stays.
    let text: String

    var description: String { "\(page):\(line): \(text)" }

    /// The commands of a page in their order, of fenced and of indented code.
    static func all(of page: String) throws -> [DocumentedCommand] { all(in: try lines(of: page), page) }

    /// The commands that a recipe's comment shows.
    static func all(ofRecipe page: String) throws -> [DocumentedCommand] {
        all(in: try lines(of: page).map { $0.hasPrefix("#") ? " " + $0.dropFirst() : "" }, page)
    }

    private static func lines(of page: String) throws -> [String] {
        try String(contentsOfFile: packageRoot + "/" + page, encoding: .utf8).components(separatedBy: "\n")
    }

    private static func all(in lines: [String], _ page: String) -> [DocumentedCommand] {
        var commands: [DocumentedCommand] = []
        var (isFenced, isContinued) = (false, false)
        for (index, line) in lines.enumerated() {
            if line.hasPrefix("```") {
                isFenced.toggle()
                continue
            }
            guard isFenced || line.hasPrefix("    ") else { continue }
            let code = line.trimmingCharacters(in: .whitespaces)
            if isContinued, let last = commands.popLast() {
                commands.append(DocumentedCommand(page: page, line: last.line, text: last.text + " " + code.withoutBackslash))
            } else if code.hasPrefix("vifi-prompt "), !code.contains("─►") {
                commands.append(DocumentedCommand(page: page, line: index + 1, text: code.withoutBackslash))
            } else {
                continue
            }
            isContinued = code.hasSuffix("\\")
        }
        return commands
    }

    /// Every page of the documentation, from the package's root.
    static var pages: [String] {
        get throws {
            let root = URL(fileURLWithPath: packageRoot)
            let documents = FileManager.default.enumerator(atPath: root.appendingPathComponent("docs").path)
            let names = documents.map { $0.compactMap { $0 as? String } } ?? []
            return (["README.md", "Checkpoints/README.md"] + names.filter { $0.hasSuffix(".md") }.map { "docs/" + $0 }).sorted()
        }
    }

    /// Every recipe that comes with the program, from the package's root.
    static var recipes: [String] {
        let names = FileManager.default.enumerator(atPath: packageRoot + "/Recipes").map { $0.compactMap { $0 as? String } } ?? []
        return names.filter { $0.hasSuffix(".yaml") }.map { "Recipes/" + $0 }.sorted()
    }

    /// `vifi-prompt …` in the running text of a page.
    static func spans(of page: String) throws -> [DocumentedCommand] {
        try lines(of: page).enumerated().flatMap { index, line in
            line.components(separatedBy: "`").enumerated().filter { $0.offset % 2 == 1 && $0.element.hasPrefix("vifi-prompt ") }
                .map { DocumentedCommand(page: page, line: index + 1, text: $0.element) }
        }
    }
}

extension String {
    fileprivate var withoutBackslash: String {
        hasSuffix("\\") ? dropLast().trimmingCharacters(in: .whitespaces) : self
    }
}
