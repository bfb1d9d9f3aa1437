import Files

/// A recipe with cells that vary it: what an ablation runs.
///
///     base: few-shot/prompt                # and other settings of all cells
///     grid:
///       command: learn                     # of all cells that do not say otherwise
///       axis: layers with prompts          # title of the chart's axis
///       cells:
///         3 layers: {at: 3, prompts: {vision_depth: 3, text_depth: 3}}
///
/// A cell holds settings as recipes do, and may say more:
///
///     at         its place on the axis, for a line instead of bars
///     series     the line that it belongs to
///     command    learn or bridge
///     recipe     a recipe of the catalog in place of the grid's own
///     backbone   image or bridged: the CLIP to start from
///     videos      small: the pocket world's small set, also for bridge
///
/// In place of cells a grid may name methods, as `evaluate few-shot` takes them: a cell for each with each number of shots.
///
///     grid:
///       methods: [zero-shot, prompt, coop]
///       shots: [2, 8]
///       seeds: [1, 2, 3]                   # where nobody says otherwise; of any grid
package struct AblationGrid {
    package enum Start: String, CaseIterable {
        case image, bridged
    }

    package struct Cell {
        package let name: String
        package let at: Double?
        package let series: String?
        /// Nil of a method, which tells by itself.
        package let kind: RunKind?
        /// That learns by its own recipe; nil for the grid's settings.
        package let method: String?
        /// Of the catalog; nil for the grid's own settings.
        package let recipe: String?
        package let backbone: Start?
        package let needsSmallSet: Bool
        /// As `--set` takes them.
        package let assignments: [String]

        /// For a folder: letters and digits, hyphens between words.
        package var slug: String {
            name.lowercased().split { !$0.isLetter && !$0.isNumber }.joined(separator: "-")
        }
    }

    package let name: String
    package let path: String
    /// The first comment of its recipe; empty where it has none.
    package let title: String
    package let axis: String
    package private(set) var cells: [Cell]
    /// That are compared in place of cells that say what they set; none in other grids.
    package private(set) var methods: [String] = []
    /// Of each cell, where nobody says otherwise.
    package let seeds: [Int]
    /// Of each class, for each method.
    private var shots: [Int] = []

    /// What grids of the catalog begin with.
    private static let heading = "Ablation: "

    /// - Throws: every fault of the grid and of the settings of its cells, together.
    package init(path: String, name: String) throws {
        let root = try RecipeDocument.read(path, source: path)
        _ = try Recipe(path: path)
        var faults: [RecipeError.Fault] = []
        guard let node = root.entries(&faults).first(where: { $0.key == Recipe.gridKey })?.value else {
            throw AblationError.noGrid(path: path)
        }
        var axis = ""
        var kind: RunKind?
        var entries: [(key: String, value: RecipeNode)] = []
        var (methods, shots, seeds) = ([String](), [Int](), [Int]())
        for (key, value) in node.entries(&faults) {
            switch key {
            case "axis": axis = value.text(&faults) ?? ""
            case "command": kind = Self.kind(value, &faults)
            case "cells": entries = value.entries(&faults)
            case "methods": methods = value.members(&faults).compactMap { $0.text(&faults) }
            case "shots": shots = value.members(&faults).compactMap { $0.integer(in: 1...1_000_000, &faults) }
            case "seeds": seeds = value.members(&faults).compactMap { $0.integer(in: 0...Int.max, &faults) }
            default: faults.append(value.fault(.unknownKey(nearest: key.nearest(among: ["axis", "command", "cells", "methods", "shots", "seeds"]))))
            }
        }
        let given = entries.compactMap { Self.cell($0.key, $0.value, kind: kind, &faults) }
        if !given.isEmpty, !methods.isEmpty { faults.append(node.fault(.needs("cells or methods", found: "both"))) }
        guard faults.isEmpty else { throw RecipeError(faults) }
        self.name = name
        self.path = path
        self.axis = axis
        cells = given
        self.seeds = seeds.isEmpty ? [1] : seeds
        let text = String(decoding: try InputFile.contents(of: path, limit: RecipeDocument.byteLimit), as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix("#") }.map { $0.drop { $0 == "#" || $0 == " " } } ?? ""
        title = String(line.hasPrefix(Self.heading) ? line.dropFirst(Self.heading.count) : line)
        if !methods.isEmpty { compare(methods, shots: shots) }
        if let twice = cells.indices.first(where: { index in cells[..<index].contains { $0.slug == cells[index].slug } }) {
            throw AblationError.sameFolder(path: path, cell: cells[twice].name)
        }
        guard !cells.isEmpty else { throw AblationError.noGrid(path: path) }
    }

    /// A comparison of methods that is no recipe's.
    package init(name: String, title: String, methods: [String]) {
        (self.name, self.title) = (name, title)
        (path, axis) = ("", "method")
        (cells, seeds) = ([], [1])
        compare(methods, shots: [])
    }

    /// Puts methods in place of the cells: each with each number of shots, but for the one that learns nothing.
    ///
    /// - Parameters:
    ///   - methods: nil for the grid's own.
    ///   - shots: nil for the grid's own; with none of either a recipe tells.
    package mutating func compare(_ methods: [String]?, shots: [Int]?) {
        self.methods = methods ?? self.methods
        self.shots = shots ?? self.shots
        cells = self.methods.flatMap { method in
            method == Self.unlearned || self.shots.isEmpty ? [Self.cell(method, shots: nil)] : self.shots.map { Self.cell(method, shots: $0) }
        }
    }

    /// The method that learns nothing, and so knows no shots.
    package static let unlearned = "zero-shot"

    private static func cell(_ method: String, shots: Int?) -> Cell {
        Cell(
            name: method + (shots.map { ", \($0) \($0 == 1 ? "shot" : "shots")" } ?? ""), at: shots.map(Double.init), series: method, kind: nil,
            method: method, recipe: nil, backbone: nil, needsSmallSet: true, assignments: shots.map { ["training.shots=\($0)"] } ?? [])
    }

    /// Whether a recipe holds a grid.
    package static func isThere(in path: String) throws(RecipeError) -> Bool {
        guard case .mapping(let entries) = try RecipeDocument.read(path, source: path).content else { return false }
        return entries.contains { $0.key == Recipe.gridKey }
    }

    private static func kind(_ node: RecipeNode, _ faults: inout [RecipeError.Fault]) -> RunKind? {
        node.choice(of: [RunKind.learn, .bridge].map(\.rawValue), &faults).flatMap(RunKind.init)
    }

    private static func cell(
        _ name: String, _ node: RecipeNode, kind common: RunKind?, _ faults: inout [RecipeError.Fault]
    ) -> Cell? {
        var (kind, at, series, recipe) = (common, Double?.none, String?.none, String?.none)
        var backbone: Start?
        var needsSmallSet = false
        var settings: [(key: String, value: RecipeNode)] = []
        for (key, value) in node.entries(&faults) {
            switch key {
            case "at": at = value.number(in: -1_000_000...1_000_000, &faults)
            case "series": series = value.text(&faults)
            case "command": kind = self.kind(value, &faults)
            case "recipe": recipe = value.text(&faults)
            case "backbone": backbone = value.choice(of: Start.allCases.map(\.rawValue), &faults).flatMap(Start.init)
            case "videos", "films": needsSmallSet = value.choice(of: ["small"], &faults) != nil
            default: settings.append((key, value))
            }
        }
        // Read as a recipe for its faults alone.
        var checked = Recipe()
        checked.read(RecipeNode(.mapping(settings), source: node.source, line: node.line, key: node.key), &faults)
        let all = settings.flatMap { Self.assignments($0.key, $0.value) }
        // A method first: what is said beside it changes its numbers.
        let isMethod = { (assignment: String) in assignment.hasPrefix("prompts.method=") }
        let assignments = all.filter(isMethod) + all.filter { !isMethod($0) }
        guard let kind else {
            faults.append(node.fault(.needs("a command, learn or bridge, here or for the whole grid", found: "none")))
            return nil
        }
        guard !name.filter({ $0.isLetter || $0.isNumber }).isEmpty else {
            faults.append(node.fault(.needs("a name with letters or digits", found: name)))
            return nil
        }
        return Cell(
            name: name, at: at, series: series, kind: kind, method: nil, recipe: recipe, backbone: backbone, needsSmallSet: needsSmallSet,
            assignments: assignments)
    }

    /// `prompts.vision_depth=3` and so on.
    private static func assignments(_ key: String, _ node: RecipeNode) -> [String] {
        switch node.content {
        case .scalar(let text, _): ["\(key)=\(text)"]
        case .mapping(let entries): entries.flatMap { assignments("\(key).\($0.key)", $0.value) }
        case .sequence(let nodes):
            ["\(key)=" + nodes.map { if case .scalar(let text, _) = $0.content { text } else { "" } }.joined(separator: ",")]
        }
    }
}

extension AblationGrid {
    /// Those that come with the program, for the pocket world or for videos of one's own.
    package static let names = ["components", "fusion", "prompt-sides", "depth", "tokens", "bridged", "shots", "methods"]

    /// A grid that is named by path, as `recipe list` has it, or by the last word of that.
    package static func named(_ name: String, forPocket: Bool) throws -> AblationGrid {
        if name.hasSuffix(".yaml") || name.contains("/") || fileExists(name) && !isDirectory(name) {
            return try AblationGrid(path: RecipeCatalog.path(of: name), name: Self.stem(of: name))
        }
        guard names.contains(name) else { throw AblationError.unknown(name: name, nearest: name.nearest(among: names)) }
        return try AblationGrid(
            path: BundledFiles.path(of: "Recipes/\(forPocket ? "pocket/" : "")ablations/\(name).yaml"), name: name)
    }

    private static func stem(of path: String) -> String {
        let name = path.lastPathComponent
        return name.hasSuffix(".yaml") ? String(name.dropLast(".yaml".count)) : name
    }
}

/// What keeps a grid from being run.
package enum AblationError: ReportableError, Equatable {
    case unknown(name: String, nearest: String?)
    case noGrid(path: String)
    case sameFolder(path: String, cell: String)
    case noImageBackbone(cell: String)
    case otherGrid(path: String, cell: String)
    case notAGrid(path: String, holds: String)
    case unknownMethod(path: String, name: String, known: [String], nearest: String?)
    /// `--methods`, or several numbers of shots, with a grid whose cells say what they set.
    case notOfMethods(grid: String, option: String)

    package var exitStatus: ExitStatus {
        switch self {
        case .unknown: .missingInput
        case .noGrid, .sameFolder, .otherGrid, .unknownMethod: .badConfiguration
        case .noImageBackbone, .notOfMethods: .usage
        case .notAGrid: .inputOutput
        }
    }

    package var description: String {
        switch self {
        case .unknown(let name, let nearest):
            "there is no ablation \"\(name.escapedForDisplay)\". " + (nearest.map { "Did you mean \"\($0)\"? " } ?? "")
                + "There are \(AblationGrid.names.joined(separator: ", ")); a grid of your own is named by its .yaml file."
        case .noGrid(let path):
            "\(path.escapedForDisplay): says nothing about cells under `grid:`, so there is nothing to vary. "
                + "See Recipes/ablations/depth.yaml for one that does."
        case .sameFolder(let path, let cell):
            "\(path.escapedForDisplay): cell \"\(cell.escapedForDisplay)\" would take the folder of another. Name it otherwise."
        case .noImageBackbone(let cell):
            "cell \"\(cell.escapedForDisplay)\" starts from a CLIP that was not bridged: name it with --image-backbone FILE."
        case .otherGrid(let path, let cell):
            "\(path.escapedForDisplay): it holds a grid whose cell \"\(cell.escapedForDisplay)\" was started with other settings. "
                + "Repeat the command that began it to continue, or choose another --output."
        case .notAGrid(let path, let holds):
            "\(path.escapedForDisplay): holds \(holds.escapedForDisplay), which is no part of a grid. Choose another --output."
        case .unknownMethod(let path, let name, let known, let nearest):
            "\(path.escapedForDisplay): '\(name.escapedForDisplay)' under `methods:` is no method."
                + (nearest.map { " Did you mean '\($0)'?" } ?? " There are \(known.joined(separator: ", ")).")
        case .notOfMethods(let grid, let option):
            "\(option) is for grids of methods, but the cells of \(grid.escapedForDisplay) say themselves what they learn. "
                + "Leave it out, or run `vifi-prompt ablate methods`."
        }
    }
}
