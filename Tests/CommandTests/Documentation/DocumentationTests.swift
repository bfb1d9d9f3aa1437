import Files
import Foundation
import TestSupport
import Testing

/// Every command that the documentation prints does what it is said to do, at least without an error.
@Suite(.serialized, .timeLimit(.minutes(10))) struct DocumentationTests {
    @Test(arguments: DocumentationPage.all) func commandsRun(_ page: DocumentationPage) throws {
        // The pocket world's films are drawn once, beside the program.
        let world = try DocumentedWorld(films: Program.builtFolder + "/pocket-films")
        try page.prepare(world)
        for command in try DocumentedCommand.all(of: page.path) {
            let outcome = try world.program.shell(command.text.withoutComment + DocumentationPage.shortening(of: command.text))
            #expect(outcome.status == 0, "\(command)\n\(outcome.messages.suffix(2000))")
        }
    }

    @Test func noPageIsLeftOut() throws {
        let known = Set(DocumentationPage.all.map(\.path))
        for page in try DocumentedCommand.pages where !known.contains(page) {
            #expect(try DocumentedCommand.all(of: page).isEmpty, "\(page) has commands: say in DocumentationPage.all what they need")
        }
        for page in known { #expect(try !DocumentedCommand.all(of: page).isEmpty, "\(page) has no commands") }
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

extension String {
    /// Without what follows a blank and a `#`, and an empty line's end.
    fileprivate var withoutComment: String {
        range(of: " #").map { String(self[..<$0.lowerBound]) } ?? self
    }
}
