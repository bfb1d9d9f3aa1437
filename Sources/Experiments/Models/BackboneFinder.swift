import CLIPModel
import Files
import Foundation
import Recipes
import Tensors
import WeightFiles

/// Finds backbones that nobody named, and the vocabulary that some of them need.
package enum BackboneFinder {
    package static let runsFolder = "runs"
    private static let bridgedName = "pocket-bridged.safetensors"
    private static let vocabularyName = "bpe_simple_vocab_16e6.txt.gz"

    /// The pocket CLIP that knows stills.
    package static func imageBackbone() throws -> String {
        try BundledFiles.path(of: "Checkpoints/\(PocketHome.imageBackboneName)")
    }

    /// The pocket CLIP after bridging: of the newest bridge run here, else the one that comes with the program.
    package static func bridgedBackbone() throws -> String {
        try newest(in: "backbone.safetensors", runPrefix: RunKind.bridge.rawValue)
            ?? BundledFiles.path(of: "Checkpoints/\(bridgedName)")
    }

    /// The prompt file of the newest `learn` run here: its best, or its last where the run was stopped early.
    package static func newestPrompts() -> String? {
        newest(in: "prompts/best.safetensors", runPrefix: RunKind.learn.rawValue)
            ?? newest(in: "prompts/last.safetensors", runPrefix: RunKind.learn.rawValue)
    }

    /// What names of runs on captions begin with.
    package static let captionRunPrefix = "captions-"

    /// The newest backbone that was learned from captions here.
    package static func newestCaptionBackbone() -> String? {
        newest(in: "backbone.safetensors", runPrefix: captionRunPrefix + RunKind.bridge.rawValue)
    }

    /// Reads a backbone that somebody named, and tells what was guessed.
    ///
    /// - Parameter likely: the activation to take where the file does not say it.
    package static func load(_ path: String, activation: Activation? = nil, likely: Activation? = nil, context: RunContext) throws -> Backbone {
        let backbone = try Backbone.load(path, options: CheckpointOptions(activation: activation, likelyActivation: likely))
        for warning in backbone.warnings { context.warning(.model(.checkpoint(path: path, warning))) }
        return backbone
    }

    /// The backbone that prompts belong to: the one that their run began with, else among the runs here and what comes with the
    /// program.
    package static func backbone(for prompts: PromptFile, at path: String, context: RunContext) throws -> Backbone {
        let header = prompts.header
        let name = header.namesBackbone ? header.backboneName : nil
        if let (place, backbone) = try first(for: path, named: name, where: { try prompts.foreignness(of: $0) == nil }) {
            context.note(.model(.backboneFound(path: place, by: header.namesBackbone ? .digest : .weights)))
            return backbone
        }
        guard header.namesBackbone else { throw ModelError.prompts(.backboneNotFound) }
        throw ModelError.backboneNotFound(digest: header.backboneDigest, name: header.backboneName)
    }

    /// The backbone that a head was learned on, looked for where that of prompts is.
    ///
    /// - Throws: `HeadUseError` where it is not found.
    package static func backbone(for head: HeadFile, at path: String, context: RunContext) throws -> Backbone {
        let header = head.header
        if let (place, backbone) = first(
            for: path, named: header.backbone, where: { $0.isNamed(by: header.backboneSHA256, weights: header.backboneWeightsSHA256) })
        {
            context.note(.model(.backboneFound(path: place, by: .digest)))
            return backbone
        }
        throw HeadUseError.noBackbone(path: path, name: header.backbone)
    }

    /// The first backbone of that kind: the one that the run of `file` began with, of the runs here, of those that come with the
    /// program, of the imported ones.
    ///
    /// - Parameter name: of the wanted one; nil where it is not known.
    private static func first(
        for file: String, named name: String?, where belongs: (Backbone) throws -> Bool
    ) rethrows -> (path: String, backbone: Backbone)? {
        var candidates = [KeptRun.holding(file)?.recordedBackbone].compactMap(\.self)
        candidates += runs(withPrefix: "").flatMap { run in ["backbone", "last"].map { run.appendingPath("\($0).safetensors") } }
        candidates += [bridgedName, PocketHome.imageBackboneName].compactMap { try? BundledFiles.path(of: "Checkpoints/\($0)") }
        // Imported ones are large: where the right name is known, only those are read.
        let folder = "Checkpoints"
        for entry in (try? directoryEntries(folder)) ?? [] where entry.hasSuffix(".safetensors") {
            let path = folder.appendingPath(entry)
            if name == nil || (try? SafetensorsFile(path: path))?.metadata["name"] == name { candidates.append(path) }
        }
        for path in candidates where fileExists(path) {
            if let backbone = try? Backbone.load(path), try belongs(backbone) { return (path, backbone) }
        }
        return nil
    }

    /// The tokenizer that a backbone was trained with; its file is looked for beside the backbone, and CLIP's vocabulary where
    /// `make vocabulary` puts it, too.
    package static func tokenizer(for backbone: Backbone, vocabulary: String?) throws -> any Tokenizer {
        let isCLIP = backbone.description.tokenizer == .clipBPE
        return try backbone.tokenizer(
            vocabularyPath: vocabulary ?? backbone.vocabularyPath
                ?? (isCLIP ? try? BundledFiles.path(of: "Checkpoints/vocabulary/\(vocabularyName)") : nil))
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
