import CLIPModel
import Foundation
import TestSupport
import Testing
import Experiments
import Recipes
import Reports

/// Grids of settings, and the figures that papers print.
@Suite struct AblationTests {
    private static let recipes = fixturePath("../../Recipes/")

    private static func grid(_ name: String) throws -> AblationGrid { try AblationGrid(path: recipes + name + ".yaml", name: name) }

    private static let learning: [(name: String, cells: Int)] = [
        ("prompt-sides", 3), ("depth", 5), ("tokens", 4), ("bridged", 2), ("shots", 8), ("components", 3), ("fusion", 3),
    ]

    @Test(arguments: learning)
    func papersGrids(_ name: String, cells: Int) throws {
        let grid = try Self.grid("ablations/" + name)
        #expect(grid.cells.count == cells && !grid.axis.isEmpty && !grid.title.hasPrefix("Ablation"))
        #expect(Set(grid.cells.map(\.slug)).count == cells)
        // Cells differ in what they set, in where they start or in what they do.
        #expect(Set(grid.cells.map { "\($0.assignments) \($0.backbone as Any) \($0.kind as Any)" }).count == cells)
        for cell in grid.cells { #expect(cell.kind == (["components", "fusion"].contains(name) || cell.series == "fine-tuning" ? .bridge : .learn)) }
    }

    @Test func everyGridIsThereForThePocketWorldToo() throws {
        for name in AblationGrid.names {
            let grid = try Self.grid("pocket/ablations/" + name)
            #expect(grid.cells.count >= 2)
            // Its videos and backbones need no flag.
            for cell in grid.cells where cell.kind == .bridge && cell.recipe == "pocket/fine-tune" { #expect(cell.needsSmallSet) }
            // The pocket CLIP has four layers for vision and three for text.
            for assignment in grid.cells.flatMap(\.assignments) {
                let parts = assignment.split(separator: "=")
                if parts[0] == "prompts.vision_depth" { #expect(Int(parts[1]).map { $0 <= 4 } == true) }
                if parts[0] == "prompts.text_depth" { #expect(Int(parts[1]).map { $0 <= 3 } == true) }
            }
        }
    }

    /// Each method with each number of shots, but for the one that learns nothing.
    @Test(arguments: ["ablations/methods", "pocket/ablations/methods"]) func methodsAndShotsMakeCells(_ name: String) throws {
        var grid = try Self.grid(name)
        #expect(grid.seeds == [1, 2, 3] && grid.methods.allSatisfy { LearningMethod(rawValue: $0) != nil })
        #expect(Set(grid.methods).isSuperset(of: ["zero-shot", "prompt", "fine-tune", "actionclip", "lora"]) && grid.methods.first == "zero-shot")
        #expect(grid.cells.count == 1 + 2 * (grid.methods.count - 1) && Set(grid.cells.map(\.slug)).count == grid.cells.count)
        grid.compare(["coop", "zero-shot", "gda"], shots: [1, 4])
        #expect(grid.cells.map(\.name) == ["coop, 1 shot", "coop, 4 shots", "zero-shot", "gda, 1 shot", "gda, 4 shots"])
        #expect(grid.cells.map(\.assignments) == [["training.shots=1"], ["training.shots=4"], [], ["training.shots=1"], ["training.shots=4"]])
        #expect(grid.cells.map(\.at) == [1, 4, nil, 1, 4] && grid.cells.allSatisfy { $0.kind == nil && $0.method == $0.series })
        grid.compare(nil, shots: [3])
        #expect(grid.cells.map(\.name) == ["coop, 3 shots", "zero-shot", "gda, 3 shots"])
    }

    @Test func depthsAndTokensAreThoseAskedFor() throws {
        #expect(try Self.grid("ablations/depth").cells.map(\.assignments) == [1, 3, 6, 9, 12].map {
            ["prompts.vision_depth=\($0)", "prompts.text_depth=\($0)"]
        })
        #expect(try Self.grid("ablations/tokens").cells.compactMap(\.at) == [2, 4, 8, 16])
        #expect(try Self.grid("ablations/fusion").cells.map(\.assignments) == [["fusion=embedding"], ["fusion=decision"], ["fusion=image"]])
        let shots = try Self.grid("ablations/shots").cells
        #expect(shots.filter { $0.series == "prompts" }.compactMap(\.at) == [2, 4, 8, 16])
        #expect(shots.filter { $0.series == "fine-tuning" }.allSatisfy { $0.recipe == "few-shot/fine-tune" })
    }

    /// A grid's own settings are a recipe like any other.
    @Test func aGridIsARecipe() throws {
        let recipe = try Recipe(path: Self.recipes + "pocket/ablations/depth.yaml")
        #expect(recipe.training.shots == 2 && recipe.prompts.start == .template)
    }

    @Test(arguments: [
        ("grid: {command: learn, cells: {a: {prompts: {depth: 3}}}}", "prompts.depth"),
        ("grid: {command: learn, cells: {a: {training: {epochs: 0}}}}", "epochs"),
        ("grid: {command: run, cells: {a: {}}}", "run"),
        ("grid: {cells: {a: {}}}", "a command, learn or bridge"),
        ("grid: {command: learn, cell: {a: {}}}", "Did you mean 'cells'?"),
        ("grid: {command: learn, cells: {a: {at: high}}}", "a number"),
        ("grid: {command: learn, cells: {a: {videos: large}}}", "small"),
        ("grid: {command: learn, cells: {\"-\": {}}}", "letters or digits"),
        ("grid: {command: learn, cells: {a b: {}, a-b: {}}}", "would take the folder of another"),
        ("grid: {command: learn, cells: {}}", "says nothing about cells"),
        ("training: {epochs: 3}", "says nothing about cells"),
        ("grid: 7", "a section"),
        ("grid: {methods: [coop], command: learn, cells: {a: {}}}", "cells or methods"),
        ("grid: {methods: coop}", "a list"),
        ("grid: {methods: [coop, coop]}", "would take the folder of another"),
        ("grid: {methods: [coop], shots: [0]}", "shots"),
        ("grid: {method: [coop]}", "Did you mean 'methods'?"),
    ])
    func faultsAreNamed(_ yaml: String, words: String) throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write(yaml + "\n", to: "grid.yaml")
        let error = #expect(throws: (any Error).self) { try AblationGrid(path: path, name: "grid") }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains(words), "\(text)")
    }

    // MARK: Published figures

    @Test func publishedCostsAreOurs() throws {
        let figures = try PublishedFigures(path: fixturePath("../../Checkpoints/published.yaml"))
        let methods = Method.all(for: .vitB16).map(\.id)
        let systems = figures.tables.flatMap(\.systems)
        for system in systems {
            if let id = system.id { #expect(methods.contains(id), "\(id)") }
            // A figure that stands beside ours says what it counts.
            if system.id != nil { #expect(system.counts != nil && system.note != nil, "\(system.name)") }
        }
        #expect(figures.tables.allSatisfy { !$0.title.isEmpty && !$0.source.isEmpty && !$0.systems.isEmpty })
        let compared = ProfileReport.comparison(figures)
        #expect(Set(compared.map(\.table)).isSuperset(of: ["4", "6", "9"]))
        for line in compared {
            guard let here = line.here else { continue }
            // Within the papers' rounding, and what notes explain.
            let tolerance = line.measure == "gflops" ? (line.table == "4, other lengths" ? 1.0 : 0.5) : 0.4
            #expect(abs(here - line.paper) <= tolerance, "\(line.table) \(line.system): \(here) for \(line.paper)")
        }
        #expect(compared.contains { $0.measure == "throughput" && $0.paper == 71.1 && $0.here == nil })
    }

    /// The harmonic means that the page prints are those of its own columns, so that no digit was misread.
    @Test func harmonicMeansFit() throws {
        let figures = try PublishedFigures(path: fixturePath("../../Checkpoints/published.yaml"))
        var compared = 0
        for system in figures.tables.filter({ ["2", "8"].contains($0.number) }).flatMap(\.systems) {
            for (measure, mean) in system.figures where measure.hasSuffix("_hm") {
                let set = measure.dropLast(3)
                let base = try #require(system.figures["\(set)_base"])
                let novel = try #require(system.figures["\(set)_novel"])
                #expect(abs(2 * base * novel / (base + novel) - mean) < 0.15, "\(system.name) \(measure)")
                compared += 1
            }
        }
        #expect(compared == 7 * 4 + 5 * 3)
    }

    /// Every number of the paper's tables as they were read from a copy of it, in the order of the columns; nothing else is said to
    /// be the paper's.
    @Test func figuresAreThePapers() throws {
        let figures = try PublishedFigures(path: fixturePath("../../Checkpoints/published.yaml"))
        let paper = try RecipeDocument.read(fixturePath("paper_tables.yaml"), source: "paper_tables.yaml")
        var faults: [RecipeError.Fault] = []
        var read: [String: [Double]] = [:]
        let names = ["Decision-level fusion": "decision", "Image-level fusion": "image", "Embedding fusion": "embedding"]
        for (number, table) in paper.entries(&faults) {
            for (system, row) in try #require(table.entries(&faults).first { $0.key == "rows" }).value.entries(&faults) {
                guard case .sequence(let cells) = row.content else { continue }
                for cell in cells {
                    // A mean with its deviation, a number, or a word such as "4 × 3" that is no figure.
                    guard case .scalar(let text, _) = cell.content else { continue }
                    let parts = text.components(separatedBy: " ± ").compactMap(Double.init)
                    read["\(number.prefix { $0 != "," }) \(names[system] ?? system)", default: []] += parts
                }
            }
        }
        #expect(faults.isEmpty && read.count == 67)
        var ours: [String: [Double]] = [:]
        for table in figures.tables where !table.number.contains(",") {
            for system in table.systems {
                ours["\(table.number) \(system.name.prefix { $0 != "," })", default: []] += Array(system.figures.values) + (table.number == "4" ? [Double(system.frames ?? 0)] : [])
            }
        }
        #expect(Set(ours.keys) == Set(read.keys))
        for (row, values) in read { #expect(ours[row]?.sorted() == values.sorted(), "\(row): \(ours[row] ?? []) for \(values)") }
    }

    /// A reader looks for a system in several tables: it has one name in all of them.
    @Test func systemsHaveOneNameAndFiguresASource() throws {
        let figures = try PublishedFigures(path: fixturePath("../../Checkpoints/published.yaml"))
        // What follows a comma says which row of the system it is.
        let spelled = Set(figures.tables.flatMap(\.systems).map { String($0.name.split(separator: ",")[0]) })
        let plainSpelled = Set(spelled.map { $0.lowercased().filter { $0.isLetter || $0.isNumber } })
        #expect(plainSpelled.count == spelled.count, "a system is spelled in two ways: \(spelled.sorted())")
        #expect(spelled.filter { $0.lowercased().hasPrefix("vifi") } == ["ViFi-CLIP"])
        #expect(spelled.filter { $0.lowercased().hasPrefix("x") } == ["X-CLIP"])
        #expect(spelled.filter { $0.lowercased().contains("vanilla") } == ["Vanilla CLIP"])
        let table = try #require(figures.tables.first { $0.number == "1" })
        let plain = try #require(table.systems.first { $0.name == "Vanilla CLIP" })
        #expect(plain.figures["hmdb51"] == 40.8 && plain.figures["k600"] == 59.8)
        for table in figures.tables {
            for system in table.systems {
                for measure in system.figures.keys where measure.hasSuffix("_sd") {
                    #expect(system.figures[String(measure.dropLast(3))] != nil, "\(table.number) \(system.name) \(measure)")
                }
                // Of prints in percent, none is beyond it; top-5 is never below top-1.
                if let one = system.figures["top1"], let five = system.figures["top5"] { #expect(one < five && five < 100) }
                if let one = system.figures["k600"], let five = system.figures["k600_top5"] { #expect(one < five && five < 100) }
            }
        }
    }
}
