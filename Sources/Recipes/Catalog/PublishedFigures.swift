import Files

/// What papers print, by table: `Checkpoints/published.yaml`.
package struct PublishedFigures {
    package struct Table: Encodable {
        /// As the paper numbers it.
        package let number: String
        package let title: String
        package let source: String
        package let systems: [System]
    }

    package struct System: Encodable {
        package let name: String
        /// The row of `profile` that computes the same.
        package let id: String?
        package let frames: Int?
        /// What of that row reproduces the figure.
        package let counts: Count?
        package let note: String?
        /// By measure.
        package let figures: [String: Double]
    }

    package enum Count: String, CaseIterable, Encodable {
        case view
        case viewAndText = "view+text"
        case total
        case withoutTokens = "no-tokens"
        case withoutText = "no-text"
    }

    package let tables: [Table]

    /// - Throws: `FileError` where the list that comes with the program is missing, `RecipeError` naming key and line.
    package init() throws { try self.init(path: BundledFiles.path(of: "Checkpoints/published.yaml")) }

    package init(path: String) throws {
        var faults: [RecipeError.Fault] = []
        let root = try RecipeDocument.read(path, source: path)
        let sections = Dictionary(uniqueKeysWithValues: root.entries(&faults).map { ($0.key, $0.value) })
        var sources: [String: String] = [:]
        for (name, node) in sections["sources"]?.entries(&faults) ?? [] { sources[name] = node.text(&faults) }
        tables = (sections["tables"]?.entries(&faults) ?? []).map { number, node in
            Self.table(number, node, sources: sources, &faults)
        }
        guard faults.isEmpty else { throw RecipeError(faults) }
    }

    private static func table(
        _ number: String, _ node: RecipeNode, sources: [String: String], _ faults: inout [RecipeError.Fault]
    ) -> Table {
        var (title, source) = ("", "")
        var systems: [System] = []
        for (key, value) in node.entries(&faults) {
            switch key {
            case "title": title = value.text(&faults) ?? ""
            case "source": source = value.choice(of: sources.keys.sorted(), &faults).flatMap { sources[$0] } ?? ""
            case "systems": systems = value.entries(&faults).map { system($0.key, $0.value, &faults) }
            default: faults.append(value.fault(.unknownKey(nearest: nil)))
            }
        }
        return Table(number: number, title: title, source: source, systems: systems)
    }

    private static func system(_ name: String, _ node: RecipeNode, _ faults: inout [RecipeError.Fault]) -> System {
        var (id, note) = (String?.none, String?.none)
        var frames: Int?
        var counts: Count?
        var figures: [String: Double] = [:]
        for (key, value) in node.entries(&faults) {
            switch key {
            case "id": id = value.text(&faults)
            case "note": note = value.text(&faults)
            case "frames": frames = value.integer(in: 1...1024, &faults)
            case "counts": counts = value.choice(of: Count.allCases.map(\.rawValue), &faults).flatMap(Count.init)
            default: figures[key] = value.number(in: 0...1_000_000, &faults)
            }
        }
        return System(name: name, id: id, frames: frames, counts: counts, note: note, figures: figures)
    }
}
