import CLIPModel
import Files
import Foundation
import Tensors

/// Finds backbones that nobody named, and the vocabulary that some of them need.
enum BackboneFinder {
    static let runsFolder = "runs"
    private static let bridgedName = "pocket-bridged.safetensors"
    private static let vocabularyName = "bpe_simple_vocab_16e6.txt.gz"

    /// The pocket CLIP that knows stills.
    static func imageBackbone() throws -> String {
        try PocketHome.bundledFile("Checkpoints/\(PocketHome.imageBackboneName)")
    }

    /// The pocket CLIP after bridging: of the newest bridge run here, else the one that comes with the program.
    static func bridgedBackbone() throws -> String {
        try newest(in: "backbone.safetensors", runPrefix: RunKind.bridge.rawValue)
            ?? PocketHome.bundledFile("Checkpoints/\(bridgedName)")
    }

    /// The prompt file of the newest `learn` run here: its best, or its last where the run was stopped early.
    static func newestPrompts() -> String? {
        newest(in: "prompts/best.safetensors", runPrefix: RunKind.learn.rawValue)
            ?? newest(in: "prompts/last.safetensors", runPrefix: RunKind.learn.rawValue)
    }

    /// Reads a backbone that somebody named, and tells what was guessed.
    ///
    /// - Parameter likely: the activation to take where the file does not say it.
    static func load(_ path: String, activation: Activation? = nil, likely: Activation? = nil) throws -> Backbone {
        let backbone = try Backbone.load(path, options: CheckpointOptions(activation: activation, likelyActivation: likely))
        for warning in backbone.warnings { Console.warning("\(path.escapedForDisplay): \(warning)") }
        return backbone
    }

    /// The backbone that a prompt file belongs to, among the runs here and what comes with the program.
    static func backbone(for header: PromptHeader) throws -> Backbone {
        var candidates = runs(withPrefix: "").map { $0.appendingPath("backbone.safetensors") }.filter(fileExists)
        for name in [bridgedName, PocketHome.imageBackboneName] {
            if let path = try? PocketHome.bundledFile("Checkpoints/\(name)") { candidates.append(path) }
        }
        for path in candidates {
            guard let backbone = try? Backbone.load(path) else { continue }
            if backbone.digest == header.backboneDigest {
                Console.note("Backbone: \(path) (by its digest)")
                return backbone
            }
        }
        throw ModelError.backboneNotFound(digest: header.backboneDigest, name: header.backboneName)
    }

    /// The tokenizer that a backbone was trained with; CLIP's vocabulary is looked for beside the backbone and where
    /// `make vocabulary` puts it.
    static func tokenizer(for backbone: Backbone, vocabulary: String?) throws -> any Tokenizer {
        try backbone.tokenizer(
            vocabularyPath: vocabulary ?? backbone.vocabularyPath
                ?? (try? PocketHome.bundledFile("Checkpoints/vocabulary/\(vocabularyName)")))
    }

    private static func newest(in file: String, runPrefix: String) -> String? {
        runs(withPrefix: runPrefix).map { $0.appendingPath(file) }.filter(fileExists).max { modified($0) < modified($1) }
    }

    private static func runs(withPrefix prefix: String) -> [String] {
        let names = (try? directoryEntries(runsFolder)) ?? []
        return names.filter { $0.hasPrefix(prefix) }.map { runsFolder.appendingPath($0) }
    }

    private static func modified(_ path: String) -> Date {
        (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date ?? .distantPast
    }
}
