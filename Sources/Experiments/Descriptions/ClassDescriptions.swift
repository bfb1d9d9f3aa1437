import Files
import Foundation
import Recipes
import WeightFiles

/// How a video is compared with several descriptions of a class.
package enum DescriptionMatch: String, CaseIterable, Sendable {
    /// The class's vector is the mean of its descriptions' unit vectors, brought to unit length.
    case mean
    /// Frames are matched with descriptions by optimal transport (OST, CVPR 2024).
    case transport
}

/// Sentences that describe each class, from one file or several: a file holds one kind of them.
package struct ClassDescriptions: Sendable {
    package let match: DescriptionMatch
    private let files: [(path: String, sentences: [String: [String]])]
    /// Of what the files say, and of the way they are used.
    package let digest: String

    private static let byteLimit = 16 << 20
    private static let nodeLimit = 1_000_000

    /// - Parameter paths: of JSON or YAML files, `class name: [sentence, …]`.
    /// - Throws: `DescriptionError`, or what reading the file throws.
    package init(_ paths: [String], match: DescriptionMatch) throws {
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
        var result: [String: [String]] = [:]
        func add(_ name: String, _ sentences: [String?]) throws(DescriptionError) {
            guard result[name] == nil else { throw .repeated(path: path, name: name) }
            let texts = sentences.compactMap { $0?.trimmingCharacters(in: .whitespacesAndNewlines) }
            guard !texts.isEmpty, texts.count == sentences.count, texts.allSatisfy({ !$0.isEmpty }) else { throw .notSentences(path: path, name: name) }
            result[name] = texts
        }
        if path.lowercased().hasSuffix(".json") {
            guard case .object(let classes) = try JSONValue.read(path, byteLimit: byteLimit) else { throw DescriptionError.noClasses(path: path) }
            for (name, value) in classes.sorted(by: { $0.key < $1.key }) {
                guard case .list(let sentences) = value else { throw DescriptionError.notSentences(path: path, name: name) }
                try add(name, sentences.map { if case .text(let text) = $0 { text } else { nil } })
            }
        } else {
            guard case .mapping(let classes) = try RecipeDocument.read(path, source: path, byteLimit: byteLimit, nodeLimit: nodeLimit).content else {
                throw DescriptionError.noClasses(path: path)
            }
            for (name, node) in classes {
                guard case .sequence(let sentences) = node.content else { throw DescriptionError.notSentences(path: path, name: name) }
                try add(name, sentences.map { if case .scalar(let text, _) = $0.content { text } else { nil } })
            }
        }
        guard !result.isEmpty else { throw DescriptionError.noClasses(path: path) }
        return result
    }
}

/// Why descriptions cannot be used.
package enum DescriptionError: ReportableError, Equatable {
    case noClasses(path: String)
    case notSentences(path: String, name: String)
    case repeated(path: String, name: String)
    case missing(path: String, names: [String], nearest: String?)
    case notWith(what: String)

    package var exitStatus: ExitStatus {
        switch self {
        case .noClasses, .notSentences, .repeated, .missing: .badData
        case .notWith: .usage
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
        }
    }
}
