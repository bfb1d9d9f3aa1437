import ArgumentParser
import Files
import Foundation

/// The words of a command line beside the commands and flags that there are.
///
/// The parser stops at the first thing that it cannot place, which is often not what was mistyped: the value of an unknown
/// flag counts as an argument, and a misspelt command gets no suggestion. So what it refuses is looked through here once more.
struct CommandWords {
    /// Words that make no command, in the form in which the parser tells of them.
    struct Unknown: Error {
        let problem: String
        /// Whose `--help` tells more.
        let command: [String]

        var text: String { "Error: \(problem)\n  See '\(command.joined(separator: " ")) --help' for more information.\n" }
    }

    private struct Tool: Decodable { let command: Command }

    private struct Command: Decodable {
        let commandName: String
        let aliases: [String]?
        let shouldDisplay: Bool?
        let defaultSubcommand: String?
        let subcommands: [Command]?
        let arguments: [Argument]?

        func subcommand(_ name: String) -> Command? { subcommands?.first { $0.commandName == name || $0.aliases?.contains(name) == true } }
        /// Those that a person may type, in the order of `--help`.
        var verbs: [String] { (subcommands ?? []).filter { $0.shouldDisplay != false }.map(\.commandName).filter { $0 != "help" } }
        var flags: [String] { (arguments ?? []).flatMap { ($0.names ?? []).filter { $0.kind == "long" }.map(\.name) } }
        var takesWords: Bool { (arguments ?? []).contains { $0.kind == "positional" } }

        func argument(_ word: Substring) -> Argument? {
            arguments?.first { $0.names?.contains { ($0.kind == "short" ? "-" : "--") + $0.name == word } == true }
        }

        /// Where a command of this name lies below this one, as it is typed.
        func path(to name: String) -> [String]? {
            for command in subcommands ?? [] {
                if command.commandName == name || command.aliases?.contains(name) == true { return [command.commandName] }
                if let rest = command.path(to: name) { return [command.commandName] + rest }
            }
            return nil
        }
    }

    private struct Argument: Decodable {
        struct Name: Decodable {
            let kind: String
            let name: String
        }
        let kind: String
        let names: [Name]?
        let parsingStrategy: String?
    }

    private let root: Command

    /// What other programs call our commands.
    private static let synonyms = [
        "train": "learn", "fit": "learn", "finetune": "bridge", "fine-tune": "bridge", "test": "eval", "val": "eval", "validate": "eval",
        "score": "eval", "infer": "predict", "classify": "predict", "label": "predict", "plot": "viz", "visualize": "viz", "info": "inspect",
        "checks": "doctor", "benchmark": "bench",
    ]

    init?() {
        guard let tool = try? JSONDecoder().decode(Tool.self, from: Data(VifiPromptCommand._dumpHelp().utf8)) else { return nil }
        root = tool.command
    }

    /// The words with `--seed -1` written as `--seed=-1`: the parser takes what begins with a dash for a flag, and would say that a
    /// value is missing, not that it is below what is allowed.
    static func joiningNegativeNumbers(_ words: [String]) -> [String] {
        var result: [String] = []
        for word in words {
            if let last = result.last, last.hasPrefix("--"), last.count > 2, !last.contains("="), !result.contains("--"), isNegativeNumber(word) {
                result[result.count - 1] = last + "=" + word
            } else {
                result.append(word)
            }
        }
        return result
    }

    private static func isNegativeNumber(_ word: String) -> Bool {
        word.hasPrefix("-") && word.dropFirst().first.map { $0.isASCII && ($0.isNumber || $0 == ".") } == true && Double(word) != nil
    }

    /// The long flags of a command, without their dashes.
    func flags(of command: String) -> [String] { root.subcommand(command)?.flags ?? [] }

    /// - Parameter words: after the program's name.
    /// - Throws: the first word that is neither command nor flag.
    func check(_ words: [String]) throws(Unknown) {
        var command = root
        var path = ["vifi-prompt"]
        // Of the command whose default one was entered.
        var around: Command?
        var index = 0
        while index < words.count {
            let word = words[index]
            index += 1
            if word == "--" { return }
            if word.hasPrefix("-"), word.count > 1 {
                let name = word.prefix { $0 != "=" }
                if command.argument(name) == nil, let standard = command.defaultSubcommand.flatMap(command.subcommand) {
                    (around, command) = (command, standard)
                }
                guard let argument = command.argument(name) else {
                    // Short flags may be written together; the parser knows how.
                    guard name.hasPrefix("--") else { return }
                    throw Unknown(problem: "Unknown option '\(String(name).escapedForDisplay)'." + Self.flagSuggestion(name.dropFirst(2), command), command: path)
                }
                guard argument.kind == "option", !word.contains("=") else { continue }
                switch argument.parsingStrategy {
                case "upToNextOption": while index < words.count, !Self.isFlag(words[index]) { index += 1 }
                case "allRemainingInput": return
                default: if index < words.count, !Self.isFlag(words[index]) { index += 1 }
                }
                continue
            }
            if word == "help", path.count == 1 {
                guard command.subcommand(word) != nil else { return }
                continue
            }
            if let next = command.subcommand(word) {
                (command, around) = (next, nil)
                path.append(word)
                continue
            }
            if command.takesWords { try Self.checkFlagWithoutDashes(word, command, path) } else { throw unknown(word, command, around, path) }
        }
    }

    /// - Parameter message: what the parser says where an option takes a few values only.
    /// - Throws: where one of these was meant.
    func checkValue(_ words: [String], message: String) throws(Unknown) {
        // Few choices stand in the sentence, many on lines of their own.
        guard let match = message.firstMatch(of: #/^(The value '(.*)' is invalid for '.*'\. Please provide one of) ((?s:.*))$/#) else { return }
        let choices = match.3.matches(of: #/'([^'\n]+)'|(?m:^ +- (.+)$)/#).compactMap { ($0.1 ?? $0.2).map(String.init) }
        guard let meant = String(match.2).nearest(among: choices), let last = choices.last else { return }
        let list = choices.dropLast().map { "'\($0)'" }.joined(separator: ", ")
        throw Unknown(
            problem: "\(String(match.1).escapedForDisplay) \(list) or '\(last.escapedForDisplay)'. Did you mean '\(meant)'?", command: path(of: words))
    }

    /// The command that the words name, as it is typed.
    func path(of words: [String]) -> [String] {
        var (command, path) = (root, ["vifi-prompt"])
        for word in words {
            guard let next = command.subcommand(word) else { continue }
            command = next
            path.append(word)
        }
        return path
    }

    private static func isFlag(_ word: String) -> Bool { word.hasPrefix("-") && word.count > 1 }

    private static func flagSuggestion(_ name: Substring, _ command: Command) -> String {
        String(name).nearest(among: command.flags).map { " Did you mean '--\($0)'?" } ?? ""
    }

    /// `shots=2`, as some other programs write it.
    private static func checkFlagWithoutDashes(_ word: String, _ command: Command, _ path: [String]) throws(Unknown) {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, command.flags.contains(String(parts[0])), !fileExists(word) else { return }
        throw Unknown(problem: "Unexpected argument '\(word.escapedForDisplay)'. Did you mean '--\(word.escapedForDisplay)'?", command: path)
    }

    private func unknown(_ word: String, _ command: Command, _ around: Command?, _ path: [String]) -> Unknown {
        let shown = word.escapedForDisplay
        let verbs = command.verbs.isEmpty ? around?.verbs ?? [] : command.verbs
        guard !verbs.isEmpty else {
            let flag = word.prefix { $0 != "=" }
            let meant = command.flags.contains(String(flag)) ? " Did you mean '--\(shown)'?" : ""
            return Unknown(problem: "Unexpected argument '\(shown)'.\(meant)", command: path)
        }
        let meant = root.path(to: word)?.joined(separator: " ") ?? (path.count == 1 ? Self.synonyms[word.lowercased()] : nil)
            ?? word.nearest(among: verbs)
        return Unknown(
            problem: "'\(shown)' is not a command of \(path.joined(separator: " ")). " + (meant.map { "Did you mean '\($0)'? " } ?? "")
                + "The commands are \(verbs.joined(separator: ", ")).",
            command: path)
    }
}
