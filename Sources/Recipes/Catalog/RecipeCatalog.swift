import Files
import Foundation

/// The recipes that come with the program.
package enum RecipeCatalog {
    package struct Entry {
        /// Path below `Recipes`, without `.yaml`.
        package let name: String
        package let path: String
        /// The first line of the header comment.
        package let title: String
        /// The folder below `Recipes`.
        package var group: Substring { name.prefix { $0 != "/" } }
    }

    package static func all() throws -> [Entry] {
        // A folder of this name may be anybody's; one with this recipe in it is the program's.
        let root = try BundledFiles.path(of: "Recipes/pocket/learn.yaml").parentDirectory.parentDirectory
        // By number where there is one: 2shot, 4shot, 16shot.
        return try entries(in: root, prefix: "").sorted {
            $0.group != $1.group ? $0.group < $1.group : $0.name.compare($1.name, options: .numeric) == .orderedAscending
        }
    }

    /// The file of a recipe of this name that comes with the program.
    package static func file(named name: String) -> String? {
        (try? all())?.first { $0.name == name }?.path
    }

    /// The file of a recipe that is named by path or by catalog name.
    package static func path(of recipe: String) throws -> String {
        // A folder hides no recipe of its name.
        if fileExists(recipe), !isDirectory(recipe) { return recipe }
        let entries = try all()
        let name = recipe.hasPrefix("Recipes/") ? String(recipe.dropFirst("Recipes/".count)) : recipe
        if let entry = entries.first(where: { $0.name == name || $0.name + ".yaml" == name }) { return entry.path }
        throw UnknownRecipe(name: recipe, nearest: recipe.nearest(among: entries.map(\.name)))
    }

    private static func entries(in folder: String, prefix: String) throws -> [Entry] {
        var result: [Entry] = []
        for name in try directoryEntries(folder) {
            let path = folder.appendingPath(name)
            if isDirectory(path) {
                result += try entries(in: path, prefix: prefix + name + "/")
            } else if name.hasSuffix(".yaml") {
                let text = String(decoding: try InputFile.contents(of: path, limit: 64 << 10), as: UTF8.self)
                let title = text.split(separator: "\n").first.map { $0.drop { $0 == "#" || $0 == " " } }.map(String.init) ?? ""
                result.append(Entry(name: prefix + String(name.dropLast(5)), path: path, title: title))
            }
        }
        return result
    }
}

/// A name that no recipe has.
package struct UnknownRecipe: ReportableError {
    package let name: String
    package let nearest: String?

    package var exitStatus: ExitStatus { .missingInput }

    package var description: String {
        "no recipe \"\(name.escapedForDisplay)\". " + (nearest.map { "Did you mean \"\($0)\"? " } ?? "")
            + "`vifi-prompt recipe list` shows those that come with the program."
    }
}
