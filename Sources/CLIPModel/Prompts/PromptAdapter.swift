import Files
import WeightFiles

/// Prompts as a folder in PEFT's layout: `adapter_config.json`, `adapter_model.safetensors` and a model card.
///
/// PEFT looks `peft_type` up in a table, so programs that do not know ours refuse the folder rather than
/// load half of it.
package enum PromptAdapter {
    static let type = "VIFI_PROMPT"
    private static let configurationName = "adapter_config.json"
    private static let tensorsName = "adapter_model.safetensors"
    private static let cardName = "README.md"
    /// Class names take most of it.
    private static let configurationByteLimit = 4 << 20

    private enum Key {
        static let type = "peft_type"
        /// Where PEFT names the backbone.
        static let base = "base_model_name_or_path"
        /// `PromptFile.tensorsDigest` of the tensors beside it.
        static let digest = "prompts_sha256"
        /// How frames become the backbone's input, for programs that prepare them on their own.
        static let resize = "resize"
    }

    /// What is done to frames before they are normalized, in words.
    package static let resizeWords = "short side to 8/7 of the backbone's side, bilinear; center crop"

    /// Whether `path` is the folder's file of tensors rather than a prompt file.
    static func isPart(_ path: String) -> Bool {
        path.lastPathComponent == tensorsName && fileExists(path.parentDirectory.appendingPath(configurationName))
    }

    /// Whether the folder `path` holds an adapter.
    package static func isAdapter(_ path: String) -> Bool { fileExists(path.appendingPath(configurationName)) }

    /// The one file of `prompts`, a file or the folder of an adapter or of a run, that holds all their tensors.
    package static func tensorsPath(of prompts: String) throws(FileError) -> String {
        if let own = try RunPrompts.file(in: prompts) { return own }
        return isDirectory(prompts) ? prompts.appendingPath(tensorsName) : prompts
    }

    /// Whether the folder `path` holds an adapter of ours and nothing else, so that it may be replaced. One of PEFT's own
    /// has files of the same names.
    package static func isReplaceable(_ path: String) -> Bool {
        guard isAdapter(path), let names = try? directoryEntries(path), (try? load(path)) != nil else { return false }
        return Set(names).isSubset(of: [configurationName, tensorsName, cardName])
    }

    // MARK: Reading

    static func load(_ folder: String) throws -> PromptFile {
        let configurationPath = folder.appendingPath(configurationName)
        guard fileExists(configurationPath) else { throw ModelError.prompts(.noAdapterConfiguration) }
        let json = try JSONValue.read(configurationPath, byteLimit: configurationByteLimit)
        guard case .object(let members) = json else { throw ModelError.prompts(.notAnObject(kind: json.kind)) }
        guard case .text(type) = members[Key.type] else {
            throw ModelError.prompts(.adapterType(members[Key.type].map { if case .text(let name) = $0 { name } else { $0.kind } }))
        }
        let header: PromptHeader
        do {
            header = try PromptHeader(json: members)
        } catch {
            throw ModelError.inFile(path: configurationName, error)
        }
        guard case .text(let digest) = members[Key.digest] else {
            throw ModelError.inFile(
                path: configurationName, .badMetadata(key: Key.digest, value: members[Key.digest]?.kind, expected: "a SHA-256"))
        }
        let tensorsPath = folder.appendingPath(tensorsName)
        if !fileExists(tensorsPath), fileExists(folder.appendingPath("adapter_model.bin")) {
            throw ModelError.prompts(.pickledAdapter)
        }
        let file = try PromptFile(tensorsOf: SafetensorsFile(path: tensorsPath), header: header, form: .adapter)
        guard file.tensorsDigest == digest else {
            throw ModelError.prompts(.adapterDigest(expected: digest, actual: file.tensorsDigest))
        }
        return file
    }

    // MARK: Writing

    /// Writes the folder, whole or not at all. Returns the SHA-256 of its tensors' file.
    ///
    /// - Parameters:
    ///   - replaces: takes the place of an adapter's folder that is there.
    ///   - name: heading of the model card.
    @discardableResult
    package static func save(_ file: PromptFile, to path: String, name: String, replaces: Bool = false) throws -> String {
        let folder = try DurableFolder(path: path)
        let digest = try SafetensorsWriter.write(
            file.tensors, metadata: ["format": "pt"], to: folder.temporaryPath.appendingPath(tensorsName))
        var members = file.header.json
        members[Key.type] = .text(type)
        members[Key.base] = .text(file.header.backboneName)
        members[Key.digest] = .text(file.tensorsDigest)
        members[Key.resize] = .text(Self.resizeWords)
        let configuration = JSONValue.object(members).serialized + "\n"
        // A folder that the reader would refuse is never written.
        guard configuration.utf8.count <= configurationByteLimit else {
            throw FileError(
                path: path.appendingPath(configurationName),
                problem: .tooLarge(byteCount: configuration.utf8.count, limit: configurationByteLimit))
        }
        try DurableFile.write(configuration, to: folder.temporaryPath.appendingPath(configurationName))
        try DurableFile.write(PromptCard(file: file, name: name).text, to: folder.temporaryPath.appendingPath(cardName))
        try folder.commit(replaces: replaces)
        return digest
    }
}

// MARK: - The header as JSON

extension PromptHeader {
    private static let numberKeys: Set = [
        Key.format, Key.visionTokens, Key.visionDepth, Key.textTokens, Key.textDepth, Key.frameCount, Key.shots, Key.seed,
        Key.visionHeads, Key.textHeads, Key.mergedTokens, Key.wordsBefore, Key.wordsAfter, Key.wordCount, Key.wordClasses, Key.videoFrames, Key.videoLayers, Key.videoHeads,
        Key.metaNetWidth, Key.pixelWidth, Key.pixelSide,
    ]

    /// The metadata with numbers, lists and objects as JSON has them.
    package var json: [String: JSONValue] {
        var result: [String: JSONValue] = [:]
        for (key, value) in metadata { result[key] = Self.numberKeys.contains(key) ? .number(value) : .text(value) }
        result[Key.classNames] = .list(classNames.map { .text($0) })
        if !templates.isEmpty { result[Key.templates] = .list(templates.map { .text($0) }) }
        result[Key.metrics] = .object(metrics.filter(\.value.isFinite).mapValues { .number("\($0)") })
        return result
    }

    /// Reads the members of a JSON object; those with unknown keys are ignored.
    init(json: [String: JSONValue]) throws(ModelError) {
        var metadata: [String: String] = [:]
        for (key, value) in json {
            switch value {
            case .number(let spelling) where Self.numberKeys.contains(key): metadata[key] = spelling
            case .list where key == Key.classNames || key == Key.templates, .object where key == Key.metrics: metadata[key] = value.serialized
            case .text(let text) where !Self.numberKeys.contains(key) && key != Key.classNames && key != Key.templates && key != Key.metrics:
                metadata[key] = text
            case .null where key == Key.shots: break
            default:
                guard Key.all.contains(key) else { continue }
                let expected = key == Key.classNames ? "a list of names" : key == Key.metrics ? "an object of numbers"
                    : Self.numberKeys.contains(key) ? "a whole number" : "a string"
                throw .badMetadata(key: key, value: value.kind, expected: expected)
            }
        }
        if json[Key.format] == nil { throw .badMetadata(key: Key.format, value: nil, expected: "1 or 2") }
        try self.init(metadata: metadata)
    }
}
