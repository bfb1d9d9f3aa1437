import Files
import Foundation
import Tensors
import TestSupport
import Testing

/// Every command that the documentation prints does what it is said to do, at least without an error.
@Suite(.serialized, .timeLimit(.minutes(30))) struct DocumentationTests {
    @Test(arguments: DocumentationPage.all) func commandsRun(_ page: DocumentationPage) throws {
        let world = try DocumentedWorld()
        try page.prepare(world)
        for command in try DocumentedCommand.all(of: page.path) { try run(command.shellLine, of: command, in: world) }
    }

    private func run(_ line: String, of command: DocumentedCommand, in world: DocumentedWorld) throws {
        let start = ContinuousClock.now
        let outcome = try world.program.shell(line)
        if outcome.status == 78, let precision = Self.missingPrecision(of: line) {
            #expect(outcome.messages.contains("--precision \(precision) is not possible"), "\(command)\n\(outcome.messages.suffix(2000))")
            return
        }
        #expect(outcome.status == 0, "\(command)\n\(outcome.messages.suffix(2000))")
        guard ProcessInfo.processInfo.environment["VIFI_PROMPT_TIME_DOCUMENTATION"] != nil else { return }
        print((ContinuousClock.now - start).formatted(.units(allowed: [.milliseconds])), line)
    }

    /// A precision that a command asks for and this processor lacks.
    private static func missingPrecision(of line: String) -> String? {
        [("bf16", Precision.bfloat16), ("int8", .int8)].first { line.contains("--precision \($0.0)") && !$0.1.isAvailable }?.0
    }

    /// The command in a recipe's comment: the pocket world's runs, another's is planned, with the lists that it names.
    @Test(arguments: DocumentedCommand.recipes) func recipesRunAsTheySay(_ recipe: String) throws {
        let world = try DocumentedWorld()
        try DocumentationPage.prepareForRecipe(world)
        let commands = try DocumentedCommand.all(ofRecipe: recipe)
        #expect(!commands.isEmpty)
        for command in commands {
            try world.lists(of: command)
            let isPocket = recipe.hasPrefix("Recipes/pocket/")
            let line = command.text.withoutComment
            if line.hasPrefix("vifi-prompt ablate") {
                try run(line + " --dry-run --no-timing", of: command, in: world)
            } else if isPocket || line.hasPrefix("vifi-prompt evaluate") {
                try run(command.shellLine, of: command, in: world)
            } else {
                try run(line.replacing("vifi-prompt ", with: "vifi-prompt plan ", maxReplacements: 1) + " --no-timing", of: command, in: world)
            }
        }
    }

    @Test func noPageIsLeftOut() throws {
        let known = Set(DocumentationPage.all.map(\.path))
        for page in try DocumentedCommand.pages where !known.contains(page) {
            #expect(try DocumentedCommand.all(of: page).isEmpty, "\(page) has commands: say in DocumentationPage.all what they need")
        }
        for page in known { #expect(try !DocumentedCommand.all(of: page).isEmpty, "\(page) has no commands") }
    }

    /// Links to files of the repository, and to headings in them.
    @Test func linksLeadSomewhere() throws {
        var count = 0
        for page in try DocumentedCommand.pages {
            for link in try DocumentedLink.all(of: page) {
                count += 1
                let problem = try link.problem()
                #expect(problem == nil, "\(link): \(problem ?? "")")
            }
        }
        #expect(count > 50)
    }

    /// In running text a command may be cut short, but what it names must be there.
    @Test func namedOptionsExist() throws {
        let program = try Program()
        var helps: [[String]: String] = [:]
        for page in try DocumentedCommand.pages {
            for span in try DocumentedCommand.spans(of: page) {
                let words = span.text.split(separator: " ").map(String.init)
                let names = Array(words.dropFirst().prefix { $0.allSatisfy { $0.isLowercase || $0 == "-" } && !$0.hasPrefix("-") })
                let help = try #require(try help(of: names, program, &helps))
                for word in words where word.hasPrefix("--") {
                    let option = String(word.prefix { $0 != "=" && $0 != "," })
                    #expect(help.contains(option), "\(span) names \(option)")
                }
            }
        }
    }

    /// The help of the command that `words` begin with, and of what it does by default; other words are arguments.
    private func help(of words: [String], _ program: Program, _ known: inout [[String]: String]) throws -> String? {
        for count in (0...words.count).reversed() {
            let command = Array(words.prefix(count))
            if let help = known[command] { return help }
            let outcome = try program.run(command + ["--help"])
            guard outcome.status == 0 else { continue }
            var help = outcome.output
            if let name = help.firstMatch(of: #/\n  (\S+) \(default\)/#) {
                help += try program.run(command + [String(name.1), "--help"]).output
            }
            known[command] = help
            return help
        }
        return nil
    }
}
