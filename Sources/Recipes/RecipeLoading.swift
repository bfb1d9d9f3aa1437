import Files

extension Recipe {
    private static let baseKey = "base"
    /// What an ablation varies: for `AblationGrid`, not for a run of the recipe itself.
    package static let gridKey = "grid"

    /// Reads a recipe and what it stands on: `base: other.yaml`, relative to the recipe's folder, or
    /// `base: few-shot/prompt`, which comes with the program.
    ///
    /// Other bases must lie in the root folder: the outermost folder named `Recipes` around the recipe,
    /// else its own. Links count as what they lead to.
    ///
    /// - Throws: every fault of every file, together.
    package init(path: String) throws(RecipeError) {
        guard let resolved = resolvedPath(path) else {
            throw RecipeError([
                .init(source: path, line: nil, key: "", problem: .file(FileError(path: path, problem: .missing)))
            ])
        }
        var faults: [RecipeError.Fault] = []
        self = Self.load(
            path, resolved: resolved, root: RecipePlace.root(around: resolved), under: [], &faults)
        guard faults.isEmpty else { throw RecipeError(faults) }
    }

    /// Reads a recipe from text, which cannot stand on another.
    ///
    /// - Parameter source: what to call it in messages.
    package init(yaml: String, source: String) throws(RecipeError) {
        self.init()
        var faults: [RecipeError.Fault] = []
        read(try RecipeDocument.node(Array(yaml.utf8), source: source), &faults)
        guard faults.isEmpty else { throw RecipeError(faults) }
    }

    /// Applies `training.epochs=3`, as `--set` gives it.
    ///
    /// - Parameter source: what to call it in messages.
    package mutating func set(_ assignment: String, source: String = "--set") throws(RecipeError) {
        guard let equals = assignment.firstIndex(of: "="), equals > assignment.startIndex else {
            throw RecipeError([
                .init(source: source, line: nil, key: "", problem: .needs("key=value", found: assignment))
            ])
        }
        let value = String(assignment[assignment.index(after: equals)...])
        let keys = assignment[..<equals].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard keys.count <= RecipeDocument.depthLimit else {
            throw RecipeError([
                .init(source: source, line: nil, key: "", problem: .tooDeep(limit: RecipeDocument.depthLimit))
            ])
        }
        var node = RecipeNode(
            .scalar(value, isQuoted: false), source: source, line: nil, key: keys.joined(separator: "."))
        for depth in keys.indices.reversed() {
            node = RecipeNode(
                .mapping([(keys[depth], node)]), source: source, line: nil,
                key: keys[..<depth].joined(separator: "."))
        }
        var faults: [RecipeError.Fault] = []
        let method = prompts.method
        read(node, &faults)
        guard faults.isEmpty else { throw RecipeError(faults) }
        if prompts.method != nil, prompts.method != method { prompts.dropNumbers() }
    }

    // MARK: Paths

    /// Puts `folder` in place of the `./` that paths begin with.
    package mutating func startOwnPaths(from folder: String) {
        changePaths { path in
            guard path.utf8.starts(with: "./".utf8) else { return path }
            var rest = path.utf8[...]
            while rest.starts(with: "./".utf8) {
                rest = rest.dropFirst(2).drop { $0 == UInt8(ascii: "/") }
            }
            let name = String(Substring(rest))
            return name.isEmpty ? folder : folder == "." ? name : folder.appendingPath(name)
        }
    }

    /// The same recipe for somebody who is not in the folder where its relative paths start.
    package func placed(in folder: String) -> Recipe {
        var recipe = self
        recipe.changePaths { path in
            // A name that comes with the program, such as the pocket world's captions, is no path.
            path.hasPrefix("/") || !fileExists(folder.appendingPath(path)) ? path : folder.appendingPath(path)
        }
        return recipe
    }

    /// Every path that a recipe names goes through `change`.
    private mutating func changePaths(_ change: (String) -> String) {
        data.train = data.train.map(change)
        data.val = data.val.map(change)
        data.test = data.test.map(change)
        data.labels = data.labels.map(change)
        data.captions = data.captions.map(change)
        data.valCaptions = data.valCaptions.map(change)
        data.testCaptions = data.testCaptions.map(change)
        data.root = data.root.map(change)
        model.checkpoint = model.checkpoint.map(change)
        prompts.teacherTemplates = prompts.teacherTemplates.map(change)
        prompts.descriptions = prompts.descriptions.map(change)
        templates = templates.map(change)
    }

    // MARK: Bases

    /// - Parameters:
    ///   - path: what to call the recipe in messages.
    ///   - resolved: where it is, without links.
    ///   - chain: the resolved paths of the recipes that stand on this one.
    private static func load(
        _ path: String, resolved: String, root: String, under chain: [String], _ faults: inout [RecipeError.Fault]
    ) -> Recipe {
        let document: RecipeNode
        do {
            document = try RecipeDocument.read(resolved, source: path)
        } catch {
            faults += error.faults
            return Recipe()
        }
        guard case .mapping(let entries) = document.content else {
            var recipe = Recipe()
            recipe.read(document, &faults)
            return recipe
        }
        let own = entries.filter { $0.key != baseKey && $0.key != gridKey }
        var recipe = Recipe()
        recipe.read(
            RecipeNode(.mapping(own), source: document.source, line: document.line, key: ""), &faults)
        recipe.startOwnPaths(from: path.parentDirectory)
        guard let node = entries.first(where: { $0.key == baseKey })?.value, let base = node.text(&faults) else {
            return recipe
        }
        switch RecipePlace.place(of: base, in: resolved, root: root, under: chain) {
        case .success(let basePath):
            let under = load(basePath, resolved: basePath, root: root, under: chain + [resolved], &faults)
            return recipe.merged(over: under)
        case .failure(let problem):
            if chain.count < RecipePlace.baseLimit, let own = RecipeCatalog.file(named: base), let basePath = resolvedPath(own),
                basePath != resolved, !chain.contains(basePath)
            {
                let under = load(
                    basePath, resolved: basePath, root: RecipePlace.root(around: basePath), under: chain + [resolved], &faults)
                return recipe.merged(over: under)
            }
            faults.append(node.fault(problem))
            return recipe
        }
    }
}

/// Which files a file may stand on.
package enum RecipePlace {
    /// The most files that may stand under one.
    package static let baseLimit = 8

    /// Where the base of the recipe at `resolved` lies, if it may be read.
    package static func place(
        of base: String, in resolved: String, root: String, under chain: [String]
    ) -> Result<String, RecipeError.Problem> {
        guard chain.count < baseLimit else { return .failure(.basesTooDeep(limit: baseLimit)) }
        let wanted = base.hasPrefix("/") ? base : resolved.parentDirectory.appendingPath(base)
        // Whether a file outside exists is nobody's business: the wanted folder is checked first.
        guard let folder = resolvedPath(wanted.parentDirectory), isInside(folder, root) else {
            return .failure(.baseOutside(path: base, root: root))
        }
        guard let path = resolvedPath(wanted) else {
            return .failure(.file(FileError(path: wanted, problem: .missing)))
        }
        guard isInside(path, root) else { return .failure(.baseOutside(path: base, root: root)) }
        guard path != resolved, !chain.contains(path) else { return .failure(.baseCycle(path: base)) }
        return .success(path)
    }

    private static func isInside(_ path: String, _ root: String) -> Bool {
        path.hasSameBytes(as: root) || path.startsWithBytes(of: root == "/" ? root : root + "/")
    }

    /// The outermost folder called `name` around a file, else its own.
    package static func root(around resolved: String, named name: String = "Recipes") -> String {
        let folders = resolved.parentDirectory.split(separator: "/")
        guard let outermost = folders.firstIndex(of: Substring(name)) else { return resolved.parentDirectory }
        return "/" + folders[...outermost].joined(separator: "/")
    }
}

extension RecipeError.Problem: Error {}
