import Files
import VideoData

/// The data sets of the paper's tables, told by their class names: `Checkpoints/data_sets.yaml`.
package struct KnownDataSets {
    private struct Entry {
        /// As the tables' measures begin.
        let id: String
        let classCounts: [Int]
        /// In percent.
        let share: Double
        let names: Set<String>
    }

    private let entries: [Entry]

    /// - Throws: `FileError` where the list that comes with the program is missing, `RecipeError` naming key and line.
    package init() throws {
        let path = try BundledFiles.path(of: "Checkpoints/data_sets.yaml")
        var faults: [RecipeError.Fault] = []
        var entries: [Entry] = []
        for (id, node) in try RecipeDocument.read(path, source: path).entries(&faults) {
            var (counts, share, names): ([Int], Double, [String]) = ([], 100, [])
            for (key, value) in node.entries(&faults) {
                let members = if case .sequence(let nodes) = value.content { nodes } else { [value] }
                switch key {
                case "classes": counts = members.compactMap { $0.integer(in: 1...100_000, &faults) }
                case "share": share = value.number(in: 1...100, &faults) ?? 100
                case "names": names = members.compactMap { $0.text(&faults) }
                default: faults.append(value.fault(.unknownKey(nearest: key.nearest(among: ["classes", "share", "names"]))))
                }
            }
            entries.append(Entry(id: id, classCounts: counts, share: share, names: Set(names.map(Self.folded))))
        }
        guard faults.isEmpty else { throw RecipeError(faults) }
        self.entries = entries
    }

    /// Letters and digits alone, in small letters.
    private static func folded(_ name: String) -> String { name.lowercased().filter { $0.isLetter || $0.isNumber } }

    /// The data set that has these classes; nil where it is none of the paper's.
    package func dataSet(ofClasses names: some Sequence<String>) -> String? {
        let classes = Set(names.map(Self.folded))
        let found = entries.filter { entry in
            entry.classCounts.contains(classes.count) && !entry.names.isEmpty
                && 100 * Double(entry.names.intersection(classes).count) >= entry.share * Double(entry.names.count)
        }
        return found.count == 1 ? found[0].id : nil
    }
}
