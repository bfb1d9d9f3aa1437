import Foundation
import TestSupport

/// `docs/json.md`: what keys a document has, by the heading of its section.
struct JSONPage {
    /// A key with its place: `scores`, `[]`, `class`.
    typealias Place = [String]

    struct Row {
        let place: Place
        /// The section whose keys stand below this one.
        let included: String?
    }

    let sections: [String: [Row]]

    /// Sections whose keys stand below those of others.
    var included: Set<String> { Set(sections.values.joined().compactMap(\.included)) }

    static let path = "docs/json.md"

    init() throws {
        var sections: [String: [Row]] = [:]
        var section = ""
        for line in try String(contentsOfFile: packageRoot + "/" + Self.path, encoding: .utf8).split(separator: "\n") {
            if line.hasPrefix("## ") {
                section = String(line.dropFirst(3)).replacing("`", with: "")
                sections[section] = []
            } else if let match = line.firstMatch(of: #/^\| `([^`]+)` \| (.*) \|$/#) {
                let included = match.2.firstMatch(of: #/The keys of `([^`]+)`/#).map { String($0.1) }
                sections[section]?.append(Row(place: Self.place(String(match.1)), included: included))
            }
        }
        self.sections = sections.filter { !$0.value.isEmpty }
    }

    /// `scores[].class` as `scores`, `[]`, `class`.
    private static func place(_ key: String) -> Place {
        key.split(separator: ".").flatMap { part -> [String] in
            let name = part.prefix { $0 != "[" }
            return [String(name)] + [String](repeating: "[]", count: (part.count - name.count) / 2)
        }
    }

    /// Every key of a section, with those of the sections that it includes.
    func places(of section: String) -> [Place] {
        (sections[section] ?? []).flatMap { row -> [Place] in
            guard let included = row.included else { return [row.place] }
            return places(of: included).filter { $0 != ["schema"] }.map { row.place + $0 }
        }
    }

    /// Whether a row tells of this key. `<name>` in a row is any name; a row of a value tells of no value below it.
    static func tells(_ row: Place, of place: Place) -> Bool {
        row.count == place.count && zip(row, place).allSatisfy { $0 == $1 || $0.hasPrefix("<") }
    }

    /// The keys of a document that have a value which is no object and no list.
    static func leaves(_ value: Any, _ place: Place = []) -> Set<Place> {
        if let object = value as? [String: Any] {
            return object.reduce(into: []) { $0.formUnion(leaves($1.value, place + [$1.key])) }
        }
        if let list = value as? [Any] { return list.reduce(into: []) { $0.formUnion(leaves($1, place + ["[]"])) } }
        return [place]
    }
}
