import Files
import Foundation

/// In JSON a recipe is the YAML that it prints.
extension Recipe: Codable {
    package init(from decoder: any Decoder) throws {
        self.init()
        let text = try decoder.singleValueContainer().decode(String.self)
        if !text.isEmpty { self = try Recipe(yaml: text, source: "recipe") }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self == Recipe() ? "" : yaml)
    }
}

extension Recipe {
    /// The dotted keys of all settings.
    package static var keys: [String] {
        fields.flatMap { field in field.innerKeys.isEmpty ? [field.key] : field.innerKeys.map { "\(field.key).\($0)" } }
    }

    /// Each setting by its dotted key, as it is printed.
    package var settings: [String: String] {
        var result: [String: String] = [:]
        var section = ""
        for line in yaml.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let key = line[..<colon].trimmingCharacters(in: .whitespaces)
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            let isInner = line.hasPrefix(" ")
            if value.isEmpty { section = key } else { result[isInner ? "\(section).\(key)" : key] = value }
        }
        return result
    }

    /// The same recipe for somebody who is not in the folder where its relative paths start.
    package func placed(in folder: String) -> Recipe {
        func placed(_ path: String?) -> String? {
            path.map { path in
                // A name that comes with the program, such as the pocket world's captions, is no path.
                path.hasPrefix("/") || !fileExists(folder.appendingPath(path)) ? path : folder.appendingPath(path)
            }
        }
        var recipe = self
        recipe.data.train = placed(data.train)
        recipe.data.val = placed(data.val)
        recipe.data.labels = placed(data.labels)
        recipe.data.captions = placed(data.captions)
        recipe.data.valCaptions = placed(data.valCaptions)
        recipe.data.root = placed(data.root)
        recipe.model.checkpoint = placed(model.checkpoint)
        return recipe
    }
}

/// Where the settings of a run come from: single settings over flags, over a recipe file.
package struct RecipeSource: Sendable {
    /// A recipe's path or its name in the catalog.
    package var file: String?
    package var flags: Recipe
    /// As `--compat` has it.
    package var compat: String?
    /// `key=value`, as `--set` has them.
    package var assignments: [String]

    package init(file: String? = nil, flags: Recipe = Recipe(), compat: String? = nil, assignments: [String] = []) {
        self.file = file
        self.flags = flags
        self.compat = compat
        self.assignments = assignments
    }

    /// All of it as one recipe.
    package func given() throws -> Recipe {
        var flagged = try asked()
        // Written into a run's recipe, `./` would mean the run's folder.
        flagged.startOwnPaths(from: ".")
        let base = try file.map { try Recipe(path: RecipeCatalog.path(of: $0)) }
        return flagged.merged(over: base ?? Recipe())
    }

    /// What is asked for without the file.
    package func asked() throws -> Recipe {
        var flagged = flags
        if let compat { try flagged.set("compat=\(compat)", source: "--compat") }
        for assignment in assignments { try flagged.set(assignment) }
        return flagged
    }
}
