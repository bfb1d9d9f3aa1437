import Files

/// Everything that is wrong with a recipe, reported together.
package struct RecipeError: ReportableError, Equatable {
    package struct Fault: Sendable, Equatable {
        /// The recipe, or the flag that stands for one.
        package let source: String
        /// From 1; nil where the whole file is meant.
        package let line: Int?
        /// Dotted, as in `training.epochs`; empty where no key is meant.
        package let key: String
        package let problem: Problem

        package init(source: String, line: Int?, key: String, problem: Problem) {
            self.source = source
            self.line = line
            self.key = key
            self.problem = problem
        }
    }

    package enum Problem: Sendable, Equatable {
        case file(FileError)

        // The text as such.
        case notUTF8
        case holdsNUL
        case empty
        case syntax(String)
        case severalDocuments
        /// `&name`: aliases to it can make a small file huge.
        case anchor
        case tag(String)
        case tooDeep(limit: Int)
        case tooManyNodes(limit: Int)
        case keyIsNotText
        case duplicateKey

        // What the keys say.
        case unknownKey(nearest: String?)
        case noValue
        case needs(String, found: String)
        case outOfRange(found: String, allowed: String)
        case unknownChoice(found: String, choices: [String])

        // What a recipe stands on.
        case baseOutside(path: String, root: String)
        case baseCycle(path: String)
        case basesTooDeep(limit: Int)
    }

    package let faults: [Fault]

    package init(_ faults: [Fault]) { self.faults = faults }

    package var exitStatus: ExitStatus {
        if case .file(let error)? = faults.first?.problem, faults.count == 1 { return error.exitStatus }
        // What the command line says wrongly is one kind of error, whether a flag or a recipe key says it.
        return faults.allSatisfy { $0.source.hasPrefix("--") } ? .usage : .badConfiguration
    }

    package var description: String {
        let shown = faults.prefix(20).map(\.description)
        let more = faults.count > shown.count ? ["and \(faults.count - shown.count) more faults"] : []
        return (shown + more).joined(separator: "\n")
    }
}

extension RecipeError.Fault: CustomStringConvertible {
    package var description: String {
        // A file error names its file itself.
        if case .file(let error) = problem { return error.description }
        let place = source.escapedForDisplay + (line.map { ":\($0)" } ?? "")
        return [place, key.shortenedForDisplay, problem.words].filter { !$0.isEmpty }.joined(separator: ": ")
    }
}

extension RecipeError.Problem {
    fileprivate var words: String {
        switch self {
        case .file(let error): error.description
        case .notUTF8: "is not UTF-8 text. Save it as UTF-8."
        case .holdsNUL: "holds a NUL. Save it as plain UTF-8 text."
        case .empty: "holds nothing. 'vifi-prompt recipe show' prints a whole recipe to start from."
        case .syntax(let problem): "is not YAML: \(problem.shortenedForDisplay)."
        case .severalDocuments: "a second document starts here; a recipe is one."
        case .anchor: "anchors and aliases are not supported. Write the value out, or put a space after '&'."
        case .tag(let tag): "tags such as '\(tag.shortenedForDisplay)' are not supported. Leave it out."
        case .tooDeep(let limit): "is nested more than \(limit) levels deep."
        case .tooManyNodes(let limit): "holds more than \(limit) values."
        case .keyIsNotText: "a key must be a word."
        case .duplicateKey: "is given twice. Keep one."
        case .unknownKey(let nearest): "unknown key." + (nearest.map { " Did you mean '\($0)'?" } ?? "")
        case .noValue: "has no value. Give one or leave the line out."
        case .needs(let kind, let found): "'\(found.shortenedForDisplay)' is not \(kind)."
        case .outOfRange(let found, let allowed): "\(found.shortenedForDisplay) is out of range; \(allowed) is allowed."
        case .unknownChoice(let found, let choices):
            "'\(found.shortenedForDisplay)' is none of \(choices.joined(separator: ", "))."
                + (found.nearest(among: choices).map { " Did you mean '\($0)'?" } ?? "")
        case .baseOutside(let path, let root):
            "'\(path.shortenedForDisplay)' is outside of \(root.escapedForDisplay). A recipe's base must be in that folder or below it."
        case .baseCycle(let path): "'\(path.shortenedForDisplay)' leads back to this recipe."
        case .basesTooDeep(let limit): "more than \(limit) recipes are based on each other."
        }
    }
}

extension String {
    /// At most 80 characters, safe to print.
    fileprivate var shortenedForDisplay: String {
        let start = prefix(80)
        return String(start).escapedForDisplay + (start.endIndex < endIndex ? "…" : "")
    }
}
