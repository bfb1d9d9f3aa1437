import CLIPModel
import Files
import Foundation
import Recipes
import WeightFiles

/// Sentences that describe each class, from one file or several: a file holds one kind of them.
package struct ClassDescriptions: Sendable {
    package let match: Recipe.DescriptionMatch
    private let files: [(path: String, sentences: [String: [String]])]
    /// Of what the files say, and of the way they are used.
    package let digest: String

    private static let byteLimit = 16 << 20
    private static let nodeLimit = 1_000_000

    /// - Parameter paths: of JSON or YAML files, `class name: [sentence, …]`.
    /// - Throws: `DescriptionError`, or what reading the file throws.
    package init(_ paths: [String], match: Recipe.DescriptionMatch) throws {
        self.match = match
        files = try paths.map { ($0, try Self.read($0)) }
        digest = Digest.of(
            "\(match.rawValue) " + files.map { file in file.sentences.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "\n") }.joined(separator: "\n\n"))
    }

    /// For each file, the sentences of each class.
    ///
    /// - Throws: `DescriptionError.missing` naming all classes that a file leaves out.
    package func sentences(of names: [String]) throws(DescriptionError) -> [[[String]]] {
        var result: [[[String]]] = []
        for (path, sentences) in files {
            let missing = names.filter { sentences[$0] == nil }
            guard missing.isEmpty else {
                throw .missing(path: path, names: missing, nearest: missing.first.flatMap { $0.nearest(among: Array(sentences.keys)) })
            }
            result.append(names.map { sentences[$0] ?? [] })
        }
        return result
    }

    private static func read(_ path: String) throws -> [String: [String]] {
        let classes = try path.lowercased().hasSuffix(".json") ? JSONValue.read(path, byteLimit: byteLimit).describedClasses
            : RecipeDocument.read(path, source: path, byteLimit: byteLimit, nodeLimit: nodeLimit).describedClasses
        guard let classes, !classes.isEmpty else { throw DescriptionError.noClasses(path: path) }
        var result: [String: [String]] = [:]
        for (name, sentences) in classes {
            guard result[name] == nil else { throw DescriptionError.repeated(path: path, name: name) }
            let texts = sentences.map { $0?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "" }
            guard !texts.isEmpty, texts.allSatisfy({ !$0.isEmpty }) else { throw DescriptionError.notSentences(path: path, name: name) }
            result[name] = texts
        }
        return result
    }
}

extension Backbone {
    /// The tokens of the sentences that describe classes; says how many had to be cut.
    ///
    /// - Returns: the sequences, and for each file how many of them each class has.
    func tokens(
        of descriptions: ClassDescriptions, classNames: [String], prompts: PromptConfiguration, tokenizer: any Tokenizer, context: RunContext
    ) throws -> (sequences: [[Int]], counts: [[Int]]) {
        let sentences = try descriptions.sentences(of: classNames)
        let made = try sequences(
            ofCaptions: sentences.flatMap { $0.flatMap(\.self) }, prompts: prompts, template: nil, tokenizer: tokenizer)
        if made.cutCount > 0 {
            context.warning(.data(.descriptionsCut(count: made.cutCount, tokenLimit: made.tokenLimit)))
        }
        return (made.sequences, sentences.map { $0.map(\.count) })
    }
}

extension JSONValue {
    /// Lists of sentences by name, nil for what is no text; no sentence where there is no list. Nil where this is no object.
    fileprivate var describedClasses: [(name: String, sentences: [String?])]? {
        guard case .object(let classes) = self else { return nil }
        return classes.sorted { $0.key < $1.key }.map { name, value in
            guard case .list(let sentences) = value else { return (name, []) }
            return (name, sentences.map { if case .text(let text) = $0 { text } else { nil } })
        }
    }
}

extension RecipeNode {
    /// The same of YAML.
    fileprivate var describedClasses: [(name: String, sentences: [String?])]? {
        guard case .mapping(let classes) = content else { return nil }
        return classes.map { name, value in
            guard case .sequence(let sentences) = value.content else { return (name, []) }
            return (name, sentences.map { if case .scalar(let text, _) = $0.content { text } else { nil } })
        }
    }
}

/// Why descriptions cannot be used.
package enum DescriptionError: ReportableError, Equatable {
    case noClasses(path: String)
    case notSentences(path: String, name: String)
    case repeated(path: String, name: String)
    case missing(path: String, names: [String], nearest: String?)
    case notWith(what: String)
    case transportWith(what: String)
    case matchWithoutDescriptions

    package var exitStatus: ExitStatus {
        switch self {
        case .noClasses, .notSentences, .repeated, .missing: .badData
        case .notWith, .transportWith, .matchWithoutDescriptions: .usage
        }
    }

    package var description: String {
        switch self {
        case .noClasses(let path):
            "\(path.escapedForDisplay): no classes with descriptions. Write `class name: [sentence, …]` for each class, as JSON or YAML."
        case .notSentences(let path, let name):
            "\(path.escapedForDisplay): \"\(name.escapedForDisplay)\" needs a list of sentences, [\"…\", \"…\"], none of them empty."
        case .repeated(let path, let name):
            "\(path.escapedForDisplay): \"\(name.escapedForDisplay)\" is there twice. Join its sentences in one list."
        case .missing(let path, let names, let nearest):
            "\(path.escapedForDisplay): no descriptions of \(shortList(names))"
                + (nearest.map { "; the nearest name is \"\($0.escapedForDisplay)\"" } ?? "") + ". Every class needs some."
        case .notWith(let what):
            "--descriptions cannot go with \(what)."
        case .transportWith(let what):
            "--match transport cannot go with \(what). Leave one of them out."
        case .matchWithoutDescriptions:
            "--match (prompts.match) is for --descriptions. Leave it out, or name a file of them."
        }
    }
}
