import ArgumentParser
import CLIPModel
import Experiments
import Files
import Foundation
import Recipes
import Tensors
import WeightFiles

extension Activation: ExpressibleByArgument {}

/// `import` and `bridge --import`: makes a backbone file of somebody's CLIP.
struct BridgeImport {
    /// - Throws: `ValidationError` for a path.
    static func check(name: String?) throws {
        guard name?.utf8.contains(UInt8(ascii: "/")) != true, name != "" else {
            throw ValidationError("--name is a name, not a path. Use --output FILE.")
        }
    }

    let source: String
    /// The CLIP that supplies what ViFi-CLIP's checkpoints lack.
    let clip: String?
    /// What stands before the names of the CLIP that is meant, where the file holds several.
    let prefix: String?
    /// CLIP's merges, to be kept beside the backbone instead of those that lie beside the source.
    let vocabulary: String?
    let name: String?
    let output: String?
    let activation: Activation?
    let heads: HeadCounts?
    let isHalf: Bool
    let force: Bool
    let json: Bool

    enum Problem: ReportableError, Equatable {
        case exists(path: String)
        case overInput(path: String)
        case ending(path: String)

        var exitStatus: Files.ExitStatus {
            switch self {
            case .exists: .inputOutput
            case .overInput, .ending: .usage
            }
        }

        var description: String {
            switch self {
            case .exists(let path): "\(path.escapedForDisplay): already exists. Pass --force to overwrite it, or --name or --output."
            case .overInput(let path): "\(path.escapedForDisplay): would overwrite what is imported. Pass another --output."
            case .ending(let path): "\(path.escapedForDisplay): backbone files end in .safetensors. Pass such an --output."
            }
        }
    }

    func run() throws {
        var options = CheckpointOptions(activation: activation, name: name ?? Self.name(of: source))
        options.heads = heads
        options.prefix = prefix
        if let clip { options.tokens = try Checkpoint(path: clip) }
        let checkpoint = try Checkpoint(path: source, options: options)
        let target = try Self.target(output: output, name: name ?? Self.name(of: source), inputs: inputs, force: force)
        if clip != nil, checkpoint.layout != .vifi {
            Console.warning("--clip is not needed: \(source.escapedForDisplay) holds its own token table.")
        }
        for warning in checkpoint.warnings { Console.warning("\(source.escapedForDisplay): \(warning)") }
        try createDirectory(target.parentDirectory)
        var vocabulary = vocabulary
        if vocabulary != nil, checkpoint.description.tokenizer == .bytes {
            Console.warning("\(source.escapedForDisplay): reads bytes and needs no vocabulary; --vocabulary is left out.")
            vocabulary = nil
        }
        let report = try checkpoint.write(to: target, isFloat16: isHalf, vocabulary: vocabulary)
        try show(checkpoint, report)
    }

    /// Files and folders that must stay as they are.
    private var inputs: [String] {
        // Of an index, the folder whose files it names.
        [source, clip].compactMap(\.self) + (source.hasSuffix(".index.json") ? [source.parentDirectory] : [])
    }

    /// Where the file goes.
    static func target(output: String?, name: String, inputs: [String], force: Bool) throws -> String {
        let target = output ?? "Checkpoints".appendingPath("\(name).safetensors")
        guard target.lowercased().hasSuffix(".safetensors") else { throw Problem.ending(path: target) }
        // The vocabulary goes beside it.
        let targets = [target] + keptVocabularyPaths(beside: target)
        do {
            try refuseOverInputs(targets, inputs: inputs)
        } catch {
            throw Problem.overInput(path: error.path)
        }
        if !force, let taken = targets.first(where: fileExists) { throw Problem.exists(path: taken) }
        // Before gigabytes are converted, not after them.
        for path in targets { try proveWritable(file: path) }
        return target
    }

    /// `ViT-B-16` for `ViT-B-16.pt`; the folder's name where a file has a name that all such files have.
    static func name(of path: String) -> String {
        // Links of the hub's cache lead to files that are named by their digests.
        let path = [".", ".."].contains(path.lastPathComponent) ? resolvedPath(path) ?? path : path
        if isDirectory(path) { return folderName(path) }
        let file = path.lastPathComponent
        let isUsual = CheckpointFolder.isUsual(file) && (file.hasSuffix(".safetensors") || !file.hasPrefix("model."))
        if isUsual { return folderName(path.parentDirectory) }
        for ending in [".safetensors", ".pth", ".pt", ".bin", ".ckpt"] where file.hasSuffix(ending) && file.utf8.count > ending.utf8.count {
            return String(file.dropLast(ending.count))
        }
        return file
    }

    /// The model's name where the hub's tools name folders otherwise: `ViT-B-16` for
    /// `models--organization--ViT-B-16/snapshots/REVISION` and for `ViT-B-16/0_CLIPModel`.
    private static func folderName(_ folder: String) -> String {
        let path = resolvedPath(folder) ?? folder
        let isRevision = path.parentDirectory.lastPathComponent == "snapshots"
        let model = isRevision ? path.parentDirectory.parentDirectory : path.lastPathComponent == "snapshots" ? path.parentDirectory : path
        let name = model.lastPathComponent
        if name.hasPrefix("models--"), let last = name.components(separatedBy: "--").last, !last.isEmpty { return last }
        return name.hasSuffix("_CLIPModel") ? model.parentDirectory.lastPathComponent : name
    }

    private func show(_ checkpoint: Checkpoint, _ report: ImportReport) throws {
        for (name, count) in report.nonFinite {
            Console.warning(
                "tensor \"\(name.escapedForDisplay)\" holds \(count) values that are NaN or infinite. The file was written, "
                    + "but nothing can be computed with it.")
        }
        if !report.roundedNames.isEmpty {
            Console.note("\(report.roundedNames.count) tensors of 64-bit numbers were rounded to 32 bits.")
        }
        var rows = [("backbone", report.path)]
        rows += checkpoint.rows
        var release: String?
        if let digest = report.sourceDigest {
            let (known, warning) = try KnownReleases.words(file: source, digest: digest)
            if let warning { Console.warning(warning) }
            release = known
            rows += [("source SHA-256", digest), ("known release", known)]
        }
        if json { return try Console.json(ImportedBackbone(checkpoint, report, knownRelease: release)) }
        rows += [("SHA-256", report.fileDigest), ("digest", report.backboneDigest)]
        if let vocabulary = report.vocabularyPath { rows.append(("vocabulary", vocabulary)) }
        Console.result(Inspection.aligned(rows.map { ($0.0, $0.1.escapedForDisplay) }).joined(separator: "\n"))
    }
}

/// What `--json` prints of an import.
private struct ImportedBackbone: Encodable {
    let file: String
    let sha256: String
    let backboneSha256: String
    /// A file of merges, beside the backbone.
    let vocabularyFile: String?
    let source: String
    /// Nil of a folder.
    let sourceSha256: String?
    let knownRelease: String?
    let format: String
    let layout: String
    let architecture: String
    let parameters: Int
    let activation: String
    let visionHeads: Int
    let textHeads: Int
    let normalization: String
    let promptTensors: [String]
    let ignored: [String: [String]]
    let ignoredObjects: [String]

    init(_ checkpoint: Checkpoint, _ report: ImportReport, knownRelease: String?) {
        file = report.path
        sha256 = report.fileDigest
        backboneSha256 = report.backboneDigest
        vocabularyFile = report.vocabularyPath
        source = checkpoint.path
        sourceSha256 = report.sourceDigest
        self.knownRelease = knownRelease
        format = checkpoint.source.format.rawValue
        layout = checkpoint.layout.rawValue
        architecture = checkpoint.architecture.summary
        parameters = checkpoint.parameterCount
        activation = checkpoint.architecture.activation.rawValue
        visionHeads = checkpoint.architecture.vision.headCount
        textHeads = checkpoint.architecture.text.headCount
        normalization = checkpoint.description.normalization.name
        promptTensors = checkpoint.promptNames
        ignored = checkpoint.ignoredNames
        ignoredObjects = checkpoint.source.ignoredObjects
    }
}

extension Checkpoint {
    /// Tensors that are no part of the backbone, by what they are.
    var ignoredNames: [String: [String]] { Dictionary(ignored.map { ($0.what, $0.names) }, uniquingKeysWith: { $0 + $1 }) }

    /// What was found in the file, for people.
    var rows: [(String, String)] {
        let rows = [
            ("source", path), ("format", source.format.rawValue), ("layout", layout.rawValue), ("architecture", architecture.summary),
            ("parameters", grouped(parameterCount)), ("activation", architecture.activation.rawValue),
            ("heads", "\(architecture.vision.headCount) of \(architecture.vision.headWidth), text "
                + "\(architecture.text.headCount) of \(architecture.text.headWidth)" + (headsAreSaid ? "" : " (by the towers' widths; the source does not say)")),
            ("normalization", description.normalization.name),
        ]
        return rows + leftOutRows
    }

    /// What is in the file besides the backbone.
    var leftOutRows: [(String, String)] {
        var rows: [(String, String)] = []
        if !promptNames.isEmpty {
            rows.append(("prompts inside", "\(promptNames.count) tensors, not imported: `vifi-prompt export` and `learn --init` read them"))
        }
        for group in ignored {
            let names = group.names.prefix(4).joined(separator: ", ") + (group.names.count > 4 ? ", …" : "")
            rows.append(("ignored", "\(group.what), \(group.names.count) tensors: \(names)"))
        }
        if !source.ignoredObjects.isEmpty {
            let shown = source.ignoredObjects.prefix(4).joined(separator: ", ") + (source.ignoredObjects.count > 4 ? ", …" : "")
            rows.append(("ignored", "\(source.ignoredObjects.count) objects: \(shown)"))
        }
        return rows
    }
}
