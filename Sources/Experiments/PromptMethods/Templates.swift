import CLIPModel
import Files
import Foundation
import Recipes

/// Sentences in which class names are read: one per line, with `{}` where a name goes. Empty lines and those that begin with
/// `#` are left out.
struct Templates {
    /// Those that come with the program.
    enum Bundled: String {
        /// For the teacher of regularized prompts.
        case teacher = "Recipes/templates/teacher.txt"
        /// For ActionCLIP.
        case actions = "Recipes/templates/actions.txt"
    }

    /// A file beyond this is no list of sentences.
    private static let byteLimit = 1 << 20

    let path: String
    let lines: [String]
    /// SHA-256 over the sentences.
    let digest: String

    /// - Parameter path: nil for sentences that come with the program.
    init(path: String?, bundled: Bundled) throws {
        let path = try path ?? BundledFiles.path(of: bundled.rawValue)
        let text = String(decoding: try InputFile.contents(of: path, limit: Self.byteLimit), as: UTF8.self)
        var lines: [String] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = line.trimmingCharacters(in: .whitespacesAndNewlines)
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard line.components(separatedBy: "{}").count == 2, line.unicodeScalars.count <= 1000 else {
                throw PromptMethodUseError.badTemplate(path: path, line: index + 1, text: String(line.prefix(100)))
            }
            lines.append(line)
        }
        guard !lines.isEmpty else { throw PromptMethodUseError.noTemplates(path: path) }
        self.path = path
        self.lines = lines
        digest = Digest.of(lines.joined(separator: "\n"))
    }

    /// Token sequences without prompts, for each template those of all classes.
    func sequences(of classNames: [String], backbone: Backbone, tokenizer: any Tokenizer) throws -> [[[Int]]] {
        try lines.map { try backbone.sequences(of: classNames, textTokens: 0, template: $0, tokenizer: tokenizer) }
    }
}
