import CLIPModel
import Files
import Foundation
import Methods
import Tensors
import WeightFiles

/// A head with what is needed to use it again: a safetensors file, used like a prompt file wherever a model is named.
package struct HeadFile: Sendable {
    /// What the file says of itself, in its metadata.
    package struct Header: Codable, Equatable, Sendable {
        package let kind: HeadKind
        /// JSON, as the head's kind reads it.
        package let settings: String
        package var classNames: [String]
        package let backbone: String
        package let backboneSHA256: String
        package let backboneWeightsSHA256: String
        package let frames: Int
        package let template: String
        package let normalization: String
        /// That logits are divided by, so that probabilities can be believed; 1 where no clips could be held out for it.
        package let temperature: Double
        /// Of clips that were held out in turn, in percent; nil where none could be.
        package var crossValidatedTop1: Double?
        package let shots: Int?
        package let views: Int
        package let seed: UInt64
        package let recipeSHA256: String
        package var toolVersion: String
    }

    package let header: Header
    package let head: any Head
    /// Whose features the head scores, where these are not the backbone's own.
    package let prompts: PromptFile?

    package static let format = PromptFile.headFormat
    /// Of a head on the backbone's own features, and of one on features with prompts, which older programs would leave out.
    private static let (plainVersion, promptedVersion) = ("1", "2")
    private static let promptPrefix = "prompts."
    /// Of a run's head, in its folder.
    package static let name = "head.safetensors"

    package init(header: Header, head: any Head, prompts: PromptFile? = nil) {
        self.header = header
        self.head = head
        self.prompts = prompts
    }

    /// SHA-256 over the head's kind, settings and tensors, and its prompts.
    package var digest: String {
        Digest.of(
            "\(header.kind.rawValue) \(header.settings) \(head.tensors.map { "\($0.name) \($0.shape) \($0.values.map(\.bitPattern))" })"
                + (prompts.map { " \($0.prompts.digest)" } ?? ""))
    }

    /// Of the tower that makes the features; the texts are in the head already.
    var visionPrompts: PromptSet<Matrix> { prompts?.prompts.visionSide ?? PromptSet(vision: [], text: []) }

    /// The file itself, or that of the run whose folder is named; nil where neither is a head.
    package static func file(at path: String) -> String? {
        let file = isDirectory(path) ? path.appendingPath(name) : path
        guard isRegularFile(file), let source = try? SafetensorsFile(path: file), source.metadata["format"] == format else { return nil }
        return file
    }

    /// - Throws: `WeightFileError`, `HeadError` or `FileError`, naming the file where it is damaged.
    package static func load(_ path: String) throws -> HeadFile {
        let source = try SafetensorsFile(path: path)
        let version = source.metadata["version"] ?? ""
        guard source.metadata["format"] == format, [plainVersion, promptedVersion].contains(version), let text = source.metadata["head"],
            let header = try? JSONDecoder().decode(Header.self, from: Data(text.utf8))
        else {
            throw FileError(path: path, problem: .damaged(reason: "it is no head that this program reads. Learn it anew with `vifi-prompt learn --method`"))
        }
        let tensors = try source.tensors.filter { version == plainVersion || !$0.name.hasPrefix(promptPrefix) }.map { tensor in
            HeadTensor(name: tensor.name, shape: tensor.shape, values: try source.floats(named: tensor.name))
        }
        do {
            return HeadFile(
                header: header, head: try header.kind.load(tensors: tensors, settingsText: header.settings),
                prompts: version == plainVersion ? nil : try prompts(in: source))
        } catch let error as HeadError {
            throw FileError(path: path, problem: .damaged(reason: error.description))
        } catch let error as ModelError {
            throw ModelError.inFile(path: path, error)
        }
    }

    private static func prompts(in source: SafetensorsFile) throws -> PromptFile {
        guard let text = source.metadata["prompts"], let metadata = try? JSONDecoder().decode([String: String].self, from: Data(text.utf8)) else {
            throw ModelError.badMetadata(key: "prompts", value: nil, expected: "what a prompt file says of itself, as JSON")
        }
        return try PromptFile(in: source, prefix: promptPrefix, metadata: metadata)
    }

    /// The same value gives the same text.
    private static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// Writes the file durably. The same head gives the same bytes. Returns its SHA-256.
    @discardableResult
    package func save(to path: String) throws -> String {
        var metadata = ["format": Self.format, "version": Self.plainVersion, "head": try Self.json(header)]
        if let prompts {
            metadata["version"] = Self.promptedVersion
            metadata["prompts"] = try Self.json(prompts.header.metadata)
        }
        let tensors = head.tensors.map { ($0.name, $0.shape, $0.values) }
            + (prompts?.prompts.tensors.map { (Self.promptPrefix + $0.name, $0.shape, $0.values) } ?? [])
        return try SafetensorsWriter.write(tensors, metadata: metadata, to: path)
    }

    /// Writes a linear head as a NumPy archive durably. Returns its SHA-256.
    ///
    /// It holds `weight` `[classes, width]` and `bias` `[classes]`, the head's own `projection` where it has one,
    /// `temperature`, `class_names`, and `header`, a JSON text. With f̂ the mean of a clip's frame features at unit length
    /// (of the vectors from before the tower's projection times `projection`, where that is there), the probabilities are
    /// softmax((weight · f̂ + bias) / temperature).
    ///
    /// - Throws: `HeadUseError` where the head is not linear.
    package func writeArchive(to path: String) throws -> String {
        guard let linear = head.linear else { throw HeadUseError.notLinear(kind: header.kind) }
        guard prompts == nil else { throw HeadUseError.onPrompts }
        func floats(_ matrix: Matrix) -> NumpyArray { .floats(shape: [matrix.rowCount, matrix.columnCount], values: matrix.values) }
        var arrays: [(String, NumpyArray)] = [
            ("weight", floats(linear.weight)), ("bias", .floats(shape: [linear.bias.count], values: linear.bias)),
            ("temperature", .floats(shape: [1], values: [Float(header.temperature)])), ("class_names", .texts(header.classNames)),
        ]
        if let projection = head.projection { arrays.append(("projection", floats(projection))) }
        arrays.append(("header", .text(try Self.json(header))))
        return try NumpyArchiveWriter.write(arrays, to: path)
    }

    /// - Throws: `HeadUseError` where the backbone is not the one that the head was learned on, `ModelError` where its prompts do not
    ///   fit.
    package func check(_ backbone: Backbone, path: String) throws {
        guard backbone.isNamed(by: header.backboneSHA256, weights: header.backboneWeightsSHA256) else {
            throw HeadUseError.otherBackbone(path: path, wanted: header.backbone, digest: header.backboneSHA256, actual: backbone.digest)
        }
        if let projection = head.projection {
            let (found, needed) = ([projection.rowCount, projection.columnCount], [backbone.projection.rowCount, backbone.projection.columnCount])
            guard found == needed else { throw HeadUseError.projection(path: path, found: found, needed: needed) }
        }
        do {
            try prompts?.check(against: backbone)
        } catch let error as ModelError {
            throw ModelError.inFile(path: path, error)
        }
    }
}

/// Why a head cannot be used, or not learned here.
package enum HeadUseError: ReportableError, Equatable {
    case otherBackbone(path: String, wanted: String, digest: String, actual: String)
    case projection(path: String, found: [Int], needed: [Int])
    case unknownClass(name: String, path: String, nearest: String?)
    case noBackbone(path: String, name: String)
    case notWith(what: String, reason: String)
    case notLinear(kind: HeadKind)
    case onPrompts
    case unreadable(reason: String)
    case otherLooks(path: String, what: String, head: String, here: String)
    case noNewClasses(path: String)
    case knownClass(name: String, path: String, clip: String)
    case notExported(form: String)
    case noMethod(name: String, nearest: String?)

    package var exitStatus: Files.ExitStatus {
        switch self {
        case .otherBackbone, .unknownClass, .otherLooks, .noNewClasses, .knownClass: .badConfiguration
        case .projection: .badData
        case .noBackbone: .missingInput
        case .notWith, .noMethod, .notExported: .usage
        case .notLinear, .onPrompts: .badData
        case .unreadable: .inputOutput
        }
    }

    package var description: String {
        switch self {
        case .otherBackbone(let path, let wanted, let digest, let actual):
            "\(path.escapedForDisplay): the head was learned on \(wanted.escapedForDisplay) (\(digest.prefix(12))…), this backbone is \(actual.prefix(12))…. "
                + "Pass that backbone with --backbone, or learn the head anew on this one."
        case .projection(let path, let found, let needed):
            "\(path.escapedForDisplay): the head's projection is \(found), the backbone's is \(needed). Learn the head again."
        case .unknownClass(let name, let path, let nearest):
            "\(path.escapedForDisplay): the head does not know the class \"\(name.escapedForDisplay)\"\(nearest.map { "; did you mean \"\($0.escapedForDisplay)\"?" } ?? "."). "
                + "A head tells apart the classes that it learned; prompts take any class names."
        case .noBackbone(let path, let name):
            "\(path.escapedForDisplay): its backbone, \(name.escapedForDisplay), is not where it was. Name it with --backbone FILE."
        case .notLinear(let kind):
            "\(kind.rawValue) is no product with a class matrix, so there is none to write. These heads have one: "
                + "\(HeadKind.allCases.filter(\.isLinear).map(\.rawValue).joined(separator: ", ")). --to onnx writes all heads."
        case .onPrompts:
            "the head scores features with prompts, which a class matrix alone does not say. Its own file (--to vifi-prompt) and --to onnx hold both."
        case .unreadable(let reason):
            "a clip that could be read before cannot be read any more: \(reason)"
        case .otherLooks(let path, let what, let head, let here):
            "\(path.escapedForDisplay): the head was learned with \(what) \(head), here it is \(here). Use the head's."
        case .noNewClasses(let path):
            "\(path.escapedForDisplay): the head knows all of these classes. --extend adds classes; for more clips of its own learn it anew."
        case .knownClass(let name, let path, let clip):
            "\(path.escapedForDisplay): the head knows the class \"\(name.escapedForDisplay)\" of \(clip.escapedForDisplay). --extend takes clips of new classes "
                + "only; learn it anew from the clips of all, whose features are in the cache."
        case .notExported(let form):
            "a head has no form \(form): it goes to vifi-prompt, which is its own file, to npz, its class matrix, or to onnx, with the vision tower."
        case .notWith(let what, let reason):
            "\(what) cannot go with --method: \(reason)"
        case .noMethod(let name, let nearest):
            "there is no method \"\(name.escapedForDisplay)\"\(nearest.map { "; did you mean \"\($0)\"?" } ?? "."). "
                + "There are auto, prompts, \((PromptMethods.names + HeadKind.allCases.map(\.rawValue)).joined(separator: ", "))."
        }
    }
}
