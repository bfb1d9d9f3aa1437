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
