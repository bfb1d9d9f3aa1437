import Foundation
import TestSupport

/// A link of a page to a file or a heading of this repository.
struct DocumentedLink: CustomStringConvertible {
    let page: String
    let line: Int
    /// As it is written: a path from the page's folder, and after `#` a heading's anchor.
    let target: String

    var description: String { "\(page):\(line): \(target)" }

    /// The links and pictures of a page that lead neither to the network nor out of running text.
    static func all(of page: String) throws -> [DocumentedLink] {
        try prose(of: page).flatMap { line, text in
            text.replacing(#/`[^`]*`/#, with: "").matches(of: #/\]\(([^)\s]+)\)/#).map { String($0.1) }
                .filter { !$0.hasPrefix("http://") && !$0.hasPrefix("https://") && !$0.hasPrefix("mailto:") }
                .map { DocumentedLink(page: page, line: line, target: $0) }
        }
    }

    /// What is wrong with it, if anything.
    func problem() throws -> String? {
        let parts = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let folder = URL(fileURLWithPath: packageRoot + "/" + page).deletingLastPathComponent()
        let file = parts[0].isEmpty ? URL(fileURLWithPath: packageRoot + "/" + page) : folder.appendingPathComponent(parts[0]).standardizedFileURL
        guard file.path.hasPrefix(packageRoot + "/") else { return "leads out of the repository" }
        guard FileManager.default.fileExists(atPath: file.path) else { return "there is no such file" }
        guard parts.count == 2 else { return nil }
        let anchors = try Self.anchors(of: String(file.path.dropFirst(packageRoot.count + 1)))
        return anchors.contains(parts[1]) ? nil : "there is no such heading"
    }

    /// The anchors that GitHub gives a page's headings: lower case, without punctuation, blanks as hyphens, repeated ones
    /// numbered.
    static func anchors(of page: String) throws -> Set<String> {
        var counts: [String: Int] = [:]
        var anchors: Set<String> = []
        for (_, text) in try prose(of: page) where text.prefixMatch(of: #/#{1,6} /#) != nil {
            let words = text.drop { $0 == "#" }.trimmingCharacters(in: .whitespaces).replacing(#/\]\([^)]*\)/#, with: "")
            let anchor = words.lowercased().replacing(" ", with: "-").filter { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
            anchors.insert(counts[anchor].map { "\(anchor)-\($0)" } ?? anchor)
            counts[anchor, default: 0] += 1
        }
        return anchors
    }

    /// Lines with their numbers, without fenced code.
    private static func prose(of page: String) throws -> [(line: Int, text: String)] {
        var isFenced = false
        return try String(contentsOfFile: packageRoot + "/" + page, encoding: .utf8).components(separatedBy: "\n").enumerated()
            .compactMap { index, text in
                if text.hasPrefix("```") { isFenced.toggle() }
                return isFenced ? nil : (index + 1, text)
            }
    }
}
