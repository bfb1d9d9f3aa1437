import ArgumentParser
import CLIPModel
import Files
import Foundation
import Tensors
import VideoData
import WeightFiles

/// Writes learned prompts, or what they make of a list of classes, to a file for use elsewhere.
struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes a prompt file, or class embeddings made with it, for use elsewhere.",
        discussion: """
            Without arguments it exports the best prompts of the newest learn run here.

              vifi-prompt export --output my-prompts.safetensors
              vifi-prompt export --to classes --labels labels.csv

            With --to classes the text tower runs once, now: the file holds one unit vector a class \
            (class_embeddings) and the factor on cosine similarities (logit_scale). Prompts of the vision \
            tower cannot be merged like this; films still go through the backbone with the prompt file.
            """)

    enum Form: String, ExpressibleByArgument, CaseIterable {
        case prompts, classes
    }

    @Option(help: ArgumentHelp("A prompt file; the best of the newest learn run by default.", valueName: "file"))
    var prompts: String?

    @Option(help: ArgumentHelp("The backbone that the prompts belong to; found by its digest by default.", valueName: "file"))
    var backbone: String?

    @Option(name: .customLong("to"), help: ArgumentHelp("What to write.", valueName: "form"))
    var form: Form = .prompts

    @Option(help: ArgumentHelp("Class names for --to classes: CSV with the header `id,name`; the prompt file's own by default.", valueName: "csv"))
    var labels: String?

    @Option(help: ArgumentHelp("CLIP's vocabulary bpe_simple_vocab_16e6.txt.gz, for backbones that need it.", valueName: "file"))
    var vocabulary: String?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("A .safetensors file or a folder; <run>-prompts or <run>-classes.safetensors here by default.", valueName: "path"))
    var output: String?

    @Flag(help: "Overwrite the output.")
    var force = false

    func validate() throws {
        if form == .prompts, labels != nil {
            throw ValidationError("--labels is for --to classes; a prompt file fits any class names.")
        }
    }

    func run() throws {
        guard let source = prompts ?? BackboneFinder.newestPrompts() else { throw ExportError.noPrompts }
        if prompts == nil { Console.note("Prompts: \(source.escapedForDisplay) (newest run)") }
        let file = try PromptFile.load(source)
        let backbone = try backbone.map { try BackboneFinder.load($0, likely: file.header.activation) } ?? BackboneFinder.backbone(for: file.header)
        do {
            try file.check(against: backbone)
        } catch {
            throw ModelError.inFile(path: source, error)
        }
        let target = try target(for: source)
        switch form {
        case .prompts:
            let bytes = try InputFile.contents(of: source, limit: Int.max)
            let digest = try DurableFile.write(bytes, to: target)
            Console.result("\(target.escapedForDisplay): prompts, \(bytes.count) bytes, SHA-256 \(digest)")
        case .classes:
            try writeClasses(file, source: source, backbone: backbone, to: target)
        }
    }

    /// Where the file goes.
    ///
    /// - Throws: `ExportError` where something is there that should stay.
    private func target(for source: String) throws(ExportError) -> String {
        let name = "\(Self.runName(of: source))-\(form.rawValue).safetensors"
        var target = output ?? name
        if isDirectory(target) {
            target = target.appendingPath(name)
        } else if !target.lowercased().hasSuffix(".safetensors") {
            throw .ending(path: target)
        }
        guard let taken = resolvedPath(target) else { return target }
        for input in [source, backbone, labels].compactMap(\.self) where resolvedPath(input) == taken {
            throw .overInput(path: target)
        }
        guard force else { throw .exists(path: target) }
        return target
    }

    /// `learn-2` for `runs/learn-2/prompts/best.safetensors`, `mine` for `mine.safetensors`.
    private static func runName(of source: String) -> String {
        let folder = (resolvedPath(source) ?? source).parentDirectory
        if folder.lastPathComponent == "prompts", folder.parentDirectory != "/" { return folder.parentDirectory.lastPathComponent }
        let name = source.lastPathComponent
        return name.hasSuffix(".safetensors") ? String(name.dropLast(".safetensors".count)) : name
    }

    // MARK: Classes

    private func writeClasses(_ file: PromptFile, source: String, backbone: Backbone, to target: String) throws {
        let header = file.header
        let names = try classNames(of: header)
        let sequences = try backbone.sequences(
            of: names, textTokens: header.configuration.textTokens, template: header.template,
            tokenizer: try BackboneFinder.tokenizer(for: backbone, vocabulary: vocabulary))
        // Only the text tower matters here: one frame and no vision prompts.
        let classifier = VideoClassifier(
            backbone: backbone, prompts: PromptSet(vision: [], text: file.prompts.text), sequences: sequences,
            frameCount: 1, pool: WorkerPool())
        let embeddings = classifier.text.unit
        guard nonFiniteCount(in: embeddings) == 0 else { throw ModelError.notNumbers(what: "the class embeddings") }
        let digest = try SafetensorsWriter.write(
            [
                (ClassEmbeddingsFile.embeddings, [embeddings.rowCount, embeddings.columnCount], embeddings.values),
                (ClassEmbeddingsFile.scale, [1], [backbone.logitScale]),
            ],
            metadata: try ClassEmbeddingsFile.metadata(
                header: header, classNames: names, promptFileDigest: try Digest.ofFile(source)),
            to: target)
        Console.result(
            "\(target.escapedForDisplay): \(names.count) classes × \(embeddings.columnCount), SHA-256 \(digest)")
        if header.configuration.visionDepth > 0 {
            Console.note("The vision prompts are not in it: films still need \(source.escapedForDisplay).")
        }
    }

    private func classNames(of header: PromptHeader) throws -> [String] {
        guard let labels else { return header.classNames }
        let classes = try ClassNames.read(labels)
        for warning in classes.warnings { Console.warning(warning.description) }
        return classes.names
    }
}

/// What a file of class embeddings holds.
enum ClassEmbeddingsFile {
    /// `[classes, embedding width]`, unit length.
    static let embeddings = "class_embeddings"
    /// `[1]`, the factor on cosine similarities.
    static let scale = "logit_scale"
    static let formatKey = "vifi_classes_format"
    static let classNamesKey = "class_names"

    /// The classes, and what the films' side must do so that its embeddings meet these.
    static func metadata(header: PromptHeader, classNames: [String], promptFileDigest: String) throws -> [String: String] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return [
            formatKey: "1", classNamesKey: String(decoding: try encoder.encode(classNames), as: UTF8.self),
            "backbone_sha256": header.backboneDigest, "backbone_name": header.backboneName,
            "prompt_file_sha256": promptFileDigest, "vision_tokens": "\(header.configuration.visionTokens)",
            "vision_depth": "\(header.configuration.visionDepth)", "frames": "\(header.frameCount)",
            "fusion": header.fusion.rawValue, "normalisation": header.normalisation.name, "tool_version": vifiPromptVersion,
        ]
    }
}

/// Why nothing was exported.
enum ExportError: ReportableError {
    case noPrompts
    case ending(path: String)
    case exists(path: String)
    case overInput(path: String)

    var exitStatus: ExitStatus {
        switch self {
        case .noPrompts: .missingInput
        case .ending, .overInput: .usage
        case .exists: .inputOutput
        }
    }

    var description: String {
        switch self {
        case .noPrompts:
            "no learn run with prompts in \(BackboneFinder.runsFolder)/. Run `vifi-prompt learn --shots 2` first, "
                + "or name a prompt file with --prompts."
        case .ending(let path): "\(path.escapedForDisplay): the output needs the ending .safetensors, or must be a folder."
        case .exists(let path): "\(path.escapedForDisplay): is there already. Name another --output, or pass --force to overwrite it."
        case .overInput(let path): "\(path.escapedForDisplay): is read by this very export. Name another --output."
        }
    }
}
