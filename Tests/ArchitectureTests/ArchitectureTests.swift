import Foundation
import Testing

/// What may not happen below the executable, and which module imports which: read from the sources themselves.
@Suite struct ArchitectureTests {
    private struct Source {
        let module: String
        let name: String
        /// Without comments.
        let lines: [String]
    }

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    private static let executable = "vifi-prompt"

    private static func sources() throws -> [Source] {
        let folder = root.appendingPathComponent("Sources")
        let modules = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        return try modules.sorted().flatMap { module -> [Source] in
            let files = FileManager.default.enumerator(atPath: folder.appendingPathComponent(module).path)?.compactMap { $0 as? String } ?? []
            return try files.filter { $0.hasSuffix(".swift") }.sorted().map { file in
                let text = try String(contentsOf: folder.appendingPathComponent(module).appendingPathComponent(file), encoding: .utf8)
                let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
                    line.drop { $0 == " " }.hasPrefix("//") ? "" : String(line)
                }
                return Source(module: module, name: "\(module)/\(file)", lines: lines)
            }
        }
    }

    private static func matches(_ pattern: some RegexComponent, in sources: [Source]) -> [String] {
        sources.flatMap { source in
            source.lines.enumerated().filter { $0.element.contains(pattern) }.map { "\(source.name):\($0.offset + 1): \($0.element)" }
        }
    }

    private static func below() throws -> [Source] { try sources().filter { $0.module != executable } }

    /// Without sources every rule would hold.
    @Test func sourcesAreFound() throws {
        let modules = Set(try Self.below().map(\.module))
        #expect(modules.isSuperset(of: ["Files", "Tensors", "CLIPModel", "Training", "Methods", "Recipes", "Experiments", "Reports", "Serve", "VifiPrompt"]))
        #expect(Self.matches(/import ArgumentParser/, in: try Self.sources()).count > 10)
    }

    @Test func onlyTheExecutableParsesArguments() throws {
        #expect(Self.matches(/import ArgumentParser/, in: try Self.below()).isEmpty)
        #expect(Self.matches(#/CommandLine\.|processArguments/#, in: try Self.below().filter { $0.name != "Files/SystemCalls.swift" }).isEmpty)
    }

    /// A worker's answers to the process that started it are no printing. Where a matrix gets no memory the program ends on
    /// the spot, and says why.
    @Test func onlyTheExecutablePrints() throws {
        let sources = try Self.below().filter { !["Files/StandardStream.swift", "Tensors/Matrix.swift", "Experiments/Isolation/VideoWorker.swift"].contains($0.name) }
        let printing = #/\bprint\(|StandardStream\.(?:output|error)\.write|FileHandle\.standard(?:Output|Error)|\bfputs\(|\bputs\(/#
        #expect(Self.matches(printing, in: sources).isEmpty)
    }

    @Test func nobodyChangesTheWorkingDirectory() throws {
        #expect(Self.matches(#/\bchdir\(|changeCurrentDirectoryPath|changeDirectory\(/#, in: try Self.sources()).isEmpty)
    }

    /// Variables of a type or a file, and locks around them, in the modules that carry an experiment.
    @Test func experimentsHoldNoGlobalState() throws {
        let sources = try Self.below().filter { ["Methods", "Recipes", "Experiments", "Reports", "Serve"].contains($0.module) }
        #expect(Self.matches(#/static (?:private )?var \w+(?:: [^{]+)? =/#, in: sources).isEmpty)
        #expect(Self.matches(#/static let \w+.*= (?:Mutex|Atomic)/#, in: sources).isEmpty)
        #expect(Self.matches(#/^(?:package |private |public |fileprivate )?var /#, in: sources).isEmpty)
    }

    /// What happens is told as facts: sentences stand with the types of notes, warnings and results alone, and any text that one of
    /// them carries has a name that says what it is.
    @Test func whatHappensIsToldAsFacts() throws {
        let sources = try Self.below()
        for source in sources {
            let sentences = source.lines.joined(separator: "\n").matches(of: /\bcontext\.(?:note|warning|result)\(\s*".*/)
            #expect(sentences.isEmpty, "\(source.name)")
        }
        let told = sources.filter { $0.name.hasPrefix("Experiments/Context/") }
        #expect(Self.matches(/^ +case \w+\(\w+: .*\bString\b/, in: told).count > 20)
        #expect(Self.matches(/^ +case \w+\((?:.*, )?String\b/, in: told).isEmpty)
        #expect(Self.matches(/ExpressibleByString/, in: told).isEmpty)
        // Of whole messages only those that another process has put into words.
        let events = told.filter { $0.name.hasSuffix("/RunContext.swift") }
        #expect(Self.matches(/^ +case \w+\(.*String/, in: events).count == 1)
        #expect(Self.matches(/^ +case repeatedWarning\(text: String\)/, in: events).count == 1)
    }

    /// `Package.swift` names exactly the modules that a target imports.
    @Test func importsAreDeclared() throws {
        let package = try String(contentsOf: Self.root.appendingPathComponent("Package.swift"), encoding: .utf8)
        let system: Set = ["Foundation", "Glibc", "Synchronization", "Dispatch"]
        let targets = try #require(package.range(of: "\n    targets: [")).upperBound
        var compared = 0
        for (module, sources) in Dictionary(grouping: try Self.sources(), by: \.module) {
            let imported = Set(sources.flatMap { source in
                source.lines.compactMap { $0.firstMatch(of: /^(?:package |public |private )?import (\w+)/).map { String($0.1) } }
            }).subtracting(system)
            guard let start = package.range(of: "name: \"\(module)\",", options: [], range: targets..<package.endIndex),
                let list = package[start.upperBound...].firstMatch(of: /dependencies: \[([^\]]*)\]/)
            else {
                Issue.record("Package.swift has no target \(module) with dependencies")
                continue
            }
            let products = list.1.matches(of: /\.product\(name: "(\w+)"/).map { String($0.1) }
            let plain = list.1.replacing(/\.product\([^)]*\)/, with: "").matches(of: /"([\w-]+)"/).map { String($0.1) }
            #expect(Set(products + plain) == imported, "\(module)")
            compared += 1
        }
        #expect(compared > 8)
    }
}
