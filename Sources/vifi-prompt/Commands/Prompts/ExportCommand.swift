import ArgumentParser
import CLIPModel
import Experiments
import Files
import Foundation
import Recipes
import Tensors
import VideoData
import WeightFiles

/// Writes learned prompts, or what they make of a list of classes, to a file for use elsewhere.
struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes learned prompts, or class embeddings made with them, for use elsewhere.",
        discussion: """
            Without arguments it exports the best prompts of the newest learn run here, or its head.

              vifi-prompt export --output my-prompts.safetensors
              vifi-prompt export --to peft --output my-adapter
              vifi-prompt export --to vifi-pth --prompts my-prompts.safetensors
              vifi-prompt export --to classes --labels labels.csv
              vifi-prompt export --to onnx --output model.onnx

            Forms:
              vifi-prompt  this program's prompt file, .safetensors
              vifi-pth     a checkpoint that ViFi-CLIP loads, .pth; readable with torch.load
              peft         a folder in PEFT's layout: adapter_config.json, adapter_model.safetensors, model card
              npz          a NumPy archive; of a linear head its class matrix
              efficient-prompt  what --method a5 or a6 learned, as their authors' code keeps it, .pth.tar
              actionclip   what bridge --method actionclip learned, with its backbone, as its authors' code keeps it, .pt
              dassl        what CoOp, VPT and IVLP load, for the latter two with the backbone, .pth.tar
              x-clip       what bridge --method x-clip made, as its authors' code keeps it, .pth
              huggingface  a backbone as a folder that transformers loads as CLIPModel or XCLIPModel
              classes      class embeddings, .safetensors or .npz
              onnx         an ONNX model of prompts and classes, or of a head: frames in, logits out, .onnx

            x-clip and huggingface write the backbone that --backbone names, or the newest run's, and no prompts. \
            All others but npz, classes and onnx can be given to --prompts and --init again. With --to classes the text tower \
            runs once, now: the file holds one unit vector a class (class_embeddings) and the factor on cosine \
            similarities (logit_scale). Prompts of the vision tower cannot be merged like this; videos still go \
            through the backbone with the prompts. --to onnx takes prompts, heads and, with --zero-shot, the backbone alone; \
            docs/prompt-file.md says what its input must be.
            """)

    @Option(
        help: ArgumentHelp(
            "Learned prompts in any form; the best of the newest learn run by default.", valueName: "path"))
    var prompts: String?

    @Option(help: ArgumentHelp("The backbone that the prompts belong to; found by its digest by default.", valueName: "file"))
    var backbone: String?

    @Flag(help: anyBackboneHelp)
    var anyBackbone = false

    @Option(name: .customLong("to"), help: ArgumentHelp("What to write.", valueName: "form"))
    var form: ExportForm = .prompts

    @Flag(help: "With --to vifi-pth or efficient-prompt: write the backbone too, so that their code does not keep the CLIP it starts with.")
    var withBackbone = false

    @Flag(help: "With --to onnx: no prompts and no head, but the backbone alone, with class names in its template.")
    var zeroShot = false

    @Option(help: ArgumentHelp("Class names for --to classes, onnx and dassl: CSV with the header `id,name`; the prompt file's own by default.", valueName: "csv"))
    var labels: String?

    @Option(
        help: ArgumentHelp(
            "For --to classes and onnx: faults of the reference code to repeat, vifi-clip for all, or names with commas; docs/reproduce.md explains them.",
            valueName: "names"))
    var compat: String?

    @Option(help: ArgumentHelp("CLIP's vocabulary bpe_simple_vocab_16e6.txt.gz, for backbones that need it.", valueName: "file"))
    var vocabulary: String?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Where to: its ending fits the form, or it is a folder to write into; <run>-<form> here by default.", valueName: "path"))
    var output: String?

    @Flag(help: "Overwrite the output.")
    var force = false

    @Flag(help: jsonHelp)
    var json = false

    func validate() throws {
        if !form.readsClasses, form != .dassl, labels != nil {
            throw ValidationError("--labels is for --to classes, onnx and dassl; prompts fit any class names.")
        }
        if !form.readsClasses, compat != nil {
            throw ValidationError("--compat is for --to classes and onnx; the other forms hold prompts, which stay as they are.")
        }
        if form != .onnx, zeroShot { throw ValidationError("--zero-shot is for --to onnx; the other forms hold what was learned.") }
        if zeroShot, prompts != nil { throw ValidationError("--zero-shot and --prompts exclude each other.") }
        if form != .checkpoint, form != .efficientPrompt, withBackbone {
            throw ValidationError("--with-backbone is for --to vifi-pth and efficient-prompt.")
        }
        if form.isBackbone, prompts != nil {
            throw ValidationError("--to \(form.rawValue) writes a backbone, which --backbone names; prompts stay apart from it.")
        }
    }

    func run() throws {
        if form.isBackbone { return try exportBackbone() }
        if form == .onnx { return try exportONNX() }
        // Class names are what is written with the prompts, as videos are to predict: they choose no model. A backbone that does not
        // belong to the prompts is refused.
        guard let source = try Selection(prompts: prompts, backbone: nil, namesData: false, needsPrompts: true, context: .commandLine).prompts else { throw ExportError.noPrompts }
        if let head = HeadFile.file(at: source) { return try export(head: head, of: source) }
        let (file, backbone) = try PromptFile.load(source, backbone: backbone, anyBackbone: anyBackbone, context: .commandLine)
        let target = try target(for: source)
        try prove(target)
        try createDirectory(target.parentDirectory)
        var written = Export(form: form, file: target, prompts: source)
        switch form {
        case .prompts: written.sha256 = try writePrompts(file, source: source, to: target)
        case .checkpoint: written.sha256 = try writeCheckpoint(file, backbone: backbone, source: source, to: target)
        case .adapter: written.sha256 = try PromptAdapter.save(file, to: target, name: Self.runName(of: source), replaces: force)
        case .archive: written.sha256 = try PromptArchive.write(file, to: target)
        case .efficientPrompt, .actionCLIP: written.sha256 = try writeForeign(file, backbone: backbone, source: source, to: target)
        case .dassl: written.sha256 = try writeDassl(file, backbone: backbone, source: source, to: target)
        case .classes: try writeClasses(file, source: source, backbone: backbone, as: &written)
        case .xCLIP, .huggingFace, .onnx: break
        }
        try tell(&written)
    }

    /// A head stays as it is, byte for byte, or becomes its class matrix.
    private func export(head path: String, of source: String) throws {
        guard form == .prompts || form == .archive else { throw HeadUseError.notExported(form: form.rawValue) }
        let head = try HeadFile.load(path)
        let target = try target(for: source)
        try prove(target)
        try createDirectory(target.parentDirectory)
        var written = Export(form: form, file: target, prompts: source)
        written.sha256 = form == .prompts
            ? try DurableFile.write(try InputFile.contents(of: path, limit: Int.max), to: target) : try head.writeArchive(to: target)
        try tell(&written, isHead: true)
    }

    /// A backbone as another program keeps it: the one that is named, else that of the newest run.
    private func exportBackbone() throws {
        let selection = try Selection(prompts: nil, backbone: backbone, namesData: false, without: true, context: .commandLine)
        guard let source = try selection.backbonePath() else { throw ExportError.noBackbone }
        let loaded = try BackboneFinder.load(source, activation: nil, context: .commandLine)
        let target = try target(for: source)
        try prove(target)
        try createDirectory(target.parentDirectory)
        var written = Export(form: form, file: target, backbone: source)
        do {
            written.sha256 = form == .xCLIP ? try loaded.writeXCLIP(to: target) : try loaded.writeHuggingFace(to: target)
        } catch let error as ModelError {
            throw ModelError.inFile(path: source, error)
        }
        if form == .huggingFace {
            Console.note("Its tokenizer is CLIP's: AutoTokenizer.from_pretrained(\"openai/clip-vit-base-patch32\") or the like beside it.")
        }
        try tell(&written)
    }

    /// A model with its classes: prompts or a head, or the backbone alone.
    private func exportONNX() throws {
        let selection = try Selection(
            prompts: prompts, backbone: zeroShot ? backbone : nil, namesData: false, needsPrompts: !zeroShot, without: zeroShot, context: .commandLine)
        let backbone = zeroShot ? try selection.backbonePath() : backbone
        guard let source = selection.prompts ?? (zeroShot ? backbone : nil) else { throw ExportError.noPrompts }
        let model = try LoadedModel(
            prompts: selection.prompts, backbone: backbone, vocabulary: vocabulary, anyBackbone: anyBackbone, context: .commandLine)
        let target = try target(for: source)
        try prove(target)
        let export = try ONNXExport(model, labels: try labels.map(classes(in:)), settings: try settings(), pool: WorkerPool())
        try createDirectory(target.parentDirectory)
        var written = Export(form: form, file: target, prompts: selection.prompts, backbone: zeroShot ? backbone : nil)
        written.sha256 = try export.write(to: target)
        (written.classes, written.width) = (export.classNames.count, export.width)
        try tell(&written)
    }

    private func tell(_ written: inout Export, isHead: Bool = false) throws {
        if !form.isFolder { written.bytes = try? InputFile(path: written.file).byteCount }
        if json { try Console.json(written) } else { Console.result(written.text(isHead: isHead)) }
    }

    // MARK: Where to

    /// Where the file goes.
    ///
    /// - Throws: `ExportError` where something is there that should stay.
    private func target(for source: String) throws -> String {
        let name = Self.runName(of: source) + form.suffix
        var target = output ?? name
        if isDirectory(target), form != .adapter || !PromptAdapter.isAdapter(target), form != .huggingFace {
            target = target.appendingPath(name)
        } else if !form.fits(target) {
            throw ExportError.ending(path: target, form: form)
        }
        guard fileExists(target) else { return target }
        try refuseOverInputs([target], inputs: [source, backbone, labels, vocabulary].compactMap(\.self))
        guard force else { throw ExportError.exists(path: target) }
        if form == .adapter, !PromptAdapter.isReplaceable(target) { throw ExportError.notAnAdapter(path: target) }
        if form == .huggingFace, !HuggingFaceFolder.isReplaceable(target) { throw ExportError.notAFolderOfTransformers(path: target) }
        return target
    }

    /// Before the text tower runs, not after it.
    private func prove(_ target: String) throws(FileError) {
        guard form.isFolder else { return try proveWritable(file: target) }
        TemporaryPath.sweep(of: target)
        try proveWritable(folder: target.parentDirectory)
    }

    /// `learn-2` for `runs/learn-2/prompts/best.safetensors`, `mine` for `mine.safetensors`.
    private static func runName(of source: String) -> String {
        let folder = (resolvedPath(source) ?? source).parentDirectory
        if folder.lastPathComponent == "prompts", folder.parentDirectory != "/" { return folder.parentDirectory.lastPathComponent }
        let name = source.lastPathComponent
        let ending = [".safetensors", ".pth", ".pt"].first { name.hasSuffix($0) }
        return String(name.dropLast(ending?.count ?? 0))
    }

    // MARK: Prompts

    /// A prompt file stays as it is, byte for byte. Returns the SHA-256 of what was written.
    private func writePrompts(_ file: PromptFile, source: String, to target: String) throws -> String {
        guard file.form == .safetensors else { return try file.save(to: target) }
        return try DurableFile.write(try InputFile.contents(of: source, limit: Int.max), to: target)
    }

    private func writeCheckpoint(_ file: PromptFile, backbone: Backbone, source: String, to target: String) throws -> String {
        let digest: String
        do {
            digest = try ReferenceCheckpoint.write(file, backbone: withBackbone ? backbone : nil, to: target)
        } catch let error as ModelError {
            throw ModelError.inFile(path: source, error)
        }
        let (header, sizes) = (file.header, file.header.configuration)
        if let setting = sizes.neededSetting { Console.warning(setting.warning) }
        warnOfOtherArchitecture(of: backbone, for: "ViFi-CLIP")
        Console.note(
            """
            For ViFi-CLIP: TRAINER.ViFi_CLIP.PROMPT_MODEL True, N_CTX_VISION \(sizes.visionTokens), PROMPT_DEPTH_VISION \
            \(sizes.visionDepth), N_CTX_TEXT \(sizes.textTokens), PROMPT_DEPTH_TEXT \(sizes.textDepth); DATA.NUM_FRAMES \
            \(header.frameCount); MODEL.RESUME with this file.
            """)
        if header.normalization != .imageNet || header.fusion != .embedding {
            Console.warning(
                "ViFi-CLIP normalizes as imagenet and averages embeddings; these prompts were learned with normalization "
                    + "\(header.normalization.name) and fusion \(header.fusion.rawValue).")
        }
        if !withBackbone { Console.note("The backbone is not in it: ViFi-CLIP keeps the CLIP it starts with, unless --with-backbone.") }
        return digest
    }

    private func warnOfOtherArchitecture(of backbone: Backbone, for program: String) {
        let usual = CLIPArchitecture.Tower.usualHeadCount
        let architecture = backbone.architecture
        guard architecture.activation != .quickGELU || architecture.vision.headCount != usual(architecture.vision.width)
            || architecture.text.headCount != usual(architecture.text.width)
        else { return }
        Console.warning(
            "\(program) computes every CLIP with activation quick_gelu and heads of 64; this backbone has activation "
                + "\(architecture.activation.rawValue) and \(architecture.vision.headCount) and \(architecture.text.headCount) heads. "
                + "This program reads them back from the file; \(program)'s own code would answer otherwise.")
    }

    private func writeDassl(_ file: PromptFile, backbone: Backbone, source: String, to target: String) throws -> String {
        let (digest, trainer): (String, DasslCheckpoint.Trainer)
        do {
            trainer = try DasslCheckpoint.trainer(for: file)
            // Texts without learned words are not in the file.
            let sequences = trainer == .vpt ? [] : try DasslCheckpoint.sequences(
                of: try classNames(of: file.header), for: file, backbone: backbone,
                tokenizer: try BackboneFinder.tokenizer(for: backbone, vocabulary: vocabulary))
            digest = try DasslCheckpoint.write(file, backbone: backbone, sequences: sequences, to: target)
        } catch let error as ModelError {
            throw ModelError.inFile(path: source, error)
        }
        let epoch = DasslCheckpoint.epoch(of: file.header)
        warnOfOtherArchitecture(of: backbone, for: trainer.rawValue)
        if file.header.normalization != .clip {
            Console.warning(
                "\(trainer.rawValue) normalizes as clip; these prompts were learned with normalization \(file.header.normalization.name).")
        }
        Console.note(
            """
            For \(trainer.rawValue): \(trainer.settings(for: file.header.configuration)); the file as \(trainer.folder)/model.pth.tar-\(epoch) below \
            --model-dir, with --load-epoch \(epoch) and --eval-only.
            """)
        return digest
    }

    private func writeForeign(_ file: PromptFile, backbone: Backbone, source: String, to target: String) throws -> String {
        do {
            return form == .actionCLIP
                ? try ActionCLIPCheckpoint.write(file, backbone: backbone, to: target)
                : try EfficientPromptCheckpoint.write(file, backbone: withBackbone ? backbone : nil, to: target)
        } catch let error as ModelError {
            throw ModelError.inFile(path: source, error)
        }
    }

    // MARK: Classes

    private func writeClasses(_ file: PromptFile, source: String, backbone: Backbone, as written: inout Export) throws {
        let header = file.header
        guard file.video == nil else { throw ModelError.inFile(path: source, .prompts(.noClassEmbeddings)) }
        guard !header.configuration.followsVideos else { throw ModelError.inFile(path: source, .prompts(.followsVideos(.classEmbeddings))) }
        let names = try classNames(of: header)
        let settings = try settings()
        let sequences = try backbone.sequences(
            of: names, prompts: header.configuration, template: header.template,
            keepsUnderscores: settings.repeats(.keptUnderscores), learned: header.classNames,
            tokenizer: try BackboneFinder.tokenizer(for: backbone, vocabulary: vocabulary))
        // Only the text tower matters here: one frame and no vision prompts.
        let classifier = CLIPClassifier(
            backbone: backbone.rounded(settings.rounding),
            prompts: file.prompts.textSide.rounded(settings.rounding).reading,
            sequences: sequences,
            frameCount: 1, pool: WorkerPool())
        let embeddings = classifier.text.unit
        guard nonFiniteCount(in: embeddings) == 0 else { throw ModelError.notNumbers(what: "the class embeddings") }
        written.sha256 = try ClassEmbeddingsFile.write(
            [
                (ClassEmbeddingsFile.embeddings, [embeddings.rowCount, embeddings.columnCount], embeddings.values),
                (ClassEmbeddingsFile.scale, [1], [backbone.logitScale]),
            ],
            classNames: names,
            metadata: try ClassEmbeddingsFile.metadata(
                header: header, backbone: backbone, classNames: names, compat: settings.compat ?? [],
                promptFileDigest: try Digest.ofFile(PromptAdapter.tensorsPath(of: source))),
            to: written.file)
        (written.classes, written.width) = (names.count, embeddings.columnCount)
        if header.configuration.mergedTokens > 0 { Console.note("Videos still need a vision tower that merges tokens as \(source.escapedForDisplay) says.") }
        if header.configuration.promptsVision {
            Console.note("The vision prompts are not in it: videos still need \(source.escapedForDisplay).")
        }
    }

    private func classNames(of header: PromptHeader) throws -> [String] {
        if let labels { return try classes(in: labels).names }
        guard !header.classNames.isEmpty else { throw ModelError.noClasses }
        return header.classNames
    }

    private func classes(in path: String) throws -> ClassNames {
        let classes = try ClassNames.read(path)
        for warning in classes.warnings { Console.warning(warning.description) }
        return classes
    }

    /// What is repeated of the reference's faults.
    private func settings() throws -> Recipe {
        var settings = Recipe()
        if let compat { try settings.set("compat=\(compat)", source: "--compat") }
        return settings
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

    /// Writes safetensors, or a NumPy archive where the path ends so: there the metadata is JSON in the string
    /// `header`, and the names are strings of their own. Returns the file's SHA-256.
    static func write(
        _ tensors: [(name: String, shape: [Int], values: [Float])], classNames: [String], metadata: [String: String],
        to path: String
    ) throws(WeightFileError) -> String {
        guard path.lowercased().hasSuffix(".npz") else {
            return try SafetensorsWriter.write(tensors, metadata: metadata, to: path)
        }
        var header = metadata.mapValues { JSONValue.text($0) }
        header[classNamesKey] = .list(classNames.map { .text($0) })
        return try NumpyArchiveWriter.write(
            tensors.map { ($0.name, .floats(shape: $0.shape, values: $0.values)) } + [
                (classNamesKey, .texts(classNames)), ("header", .text(JSONValue.object(header).serialized)),
            ],
            to: path)
    }

    /// The classes, and what the videos' side must do so that its embeddings meet these.
    static func metadata(
        header: PromptHeader, backbone: Backbone, classNames: [String], compat: Set<Quirk>, promptFileDigest: String
    ) throws -> [String: String] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        var result = compat.isEmpty ? [:] : ["compat": Quirk.text(of: compat)]
        let configuration = header.configuration
        // Readers of the first format take prompts to begin at layer 0, those of the second leave tokens apart, those of the third
        // let all prompts pass the input norm, those of the fourth leave pixels as they are.
        let layers = ["vision_layers": PromptLayers(configuration.visionLayers).text]
        let pixels = configuration.pixels.map {
            [formatKey: "5", "merge_tokens": "\(configuration.mergedTokens)", "pixel_form": $0.form.rawValue, "pixel_width": "\($0.width)", "pixel_side": "\($0.side)"]
        }
        result.merge(pixels.map { layers.merging($0) { $1 } } ?? (configuration.isBehindNorm
            ? layers.merging([formatKey: "4", "merge_tokens": "\(configuration.mergedTokens)", "behind_norm": "true"]) { $1 }
            : configuration.mergedTokens > 0 ? layers.merging([formatKey: "3", "merge_tokens": "\(configuration.mergedTokens)"]) { $1 }
            : configuration.visionLayers.lowerBound == 0
                ? [formatKey: "1", "vision_depth": "\(configuration.visionDepth)"] : layers.merging([formatKey: "2"]) { $1 })) { $1 }
        let facts = [
            classNamesKey: String(decoding: try encoder.encode(classNames), as: UTF8.self),
            "backbone_sha256": backbone.digest, "backbone_name": backbone.description.name,
            "prompt_file_sha256": promptFileDigest, "vision_tokens": "\(header.configuration.visionTokens)",
            "frames": "\(header.frameCount)",
            "fusion": header.fusion.rawValue, "normalization": header.normalization.name, "tool_version": vifiPromptVersion,
        ]
        result.merge(facts) { $1 }
        return result
    }
}
