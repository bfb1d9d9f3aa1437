import Files
import WeightFiles
import Tensors

/// What is said beside a checkpoint's tensors: what shapes do not show, and sizes to hold shapes against.
struct CheckpointConfiguration {
    /// A size that a configuration names.
    struct Claim {
        let file: String
        let key: String
        let value: Int
        let actual: KeyPath<CLIPArchitecture, Int> & Sendable
    }

    var activation: Activation?
    /// Of the text tower, where it is not that of both.
    var textActivation: Activation?
    var headCounts = CheckpointShapes.HeadCounts()
    /// Of the towers, as a backbone file says it, or `config.json` of a SigLIP; nil elsewhere, where the tensors show it.
    var family: TowerForm.Family?
    var normalization: PixelNormalization?
    /// Where a configuration says the family.
    var familySource: (file: String, key: String)?
    var claims: [Claim] = []
    /// The side of the pictures that the folder makes, and where it says so.
    var pictureSide: (side: Int, file: String, key: String)?
    /// What the folder asks for and is done otherwise here, a sentence each.
    var notes: [String] = []

    init() {}

    /// What this program wrote into a backbone file.
    init(metadata: [String: String]) throws(ModelError) {
        activation = try Activation(named: metadata[ArchitectureMetadata.activation] ?? Activation.quickGELU.rawValue)
        textActivation = try metadata[ArchitectureMetadata.textActivation].map { name throws(ModelError) in try Activation(named: name) }
        func heads(_ key: String) throws(ModelError) -> Int? {
            guard let text = metadata[key] else { return nil }
            guard let count = Int(text), (1...1024).contains(count) else {
                throw .badMetadata(key: key, value: text, expected: "a whole number from 1 to 1024")
            }
            return count
        }
        family = .clip
        if let name = metadata[ArchitectureMetadata.family] {
            guard let known = TowerForm.Family(rawValue: name) else {
                throw .badMetadata(
                    key: ArchitectureMetadata.family, value: name,
                    expected: TowerForm.Family.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or "))
            }
            family = known
        }
        headCounts.vision = try heads(ArchitectureMetadata.visionHeads)
        headCounts.text = try heads(ArchitectureMetadata.textHeads)
        headCounts.frames = try heads(ArchitectureMetadata.frameHeads)
        headCounts.prompts = try heads(ArchitectureMetadata.promptHeads)
    }

    /// What is done otherwise than the folder says, by a model of these sizes.
    func notes(for architecture: CLIPArchitecture) -> [String] {
        guard let (side, file, key) = pictureSide, side != architecture.imagePixels else { return notes }
        return notes + ["\(file): \(key) is \(side); the tensors are made for \(architecture.imagePixels), which frames are cropped to."]
    }

    /// - Throws: `configuration`, with what the file says and what the shapes say.
    func check(against architecture: CLIPArchitecture) throws(ModelError) {
        if let family, family != architecture.form.family {
            if let (file, key) = familySource {
                throw .configuration(file: file, key: key, value: "\"\(family.rawValue)\"", problem: "the tensors are those of \(architecture.form.name)")
            }
            throw .badMetadata(
                key: ArchitectureMetadata.family, value: family.rawValue, expected: "\"\(architecture.form.family.rawValue)\", by the tensors,")
        }
        for claim in claims {
            let actual = architecture[keyPath: claim.actual]
            guard claim.value == actual else {
                throw .configuration(
                    file: claim.file, key: claim.key, value: "\(claim.value)", problem: "the tensors say \(actual)")
            }
        }
    }
}

/// What shapes do not show, in a backbone file's metadata.
enum ArchitectureMetadata {
    static let activation = "activation"
    /// The family of the towers where it is not CLIP's.
    static let family = "towers"
    /// Of the text tower, where it is not that of both.
    static let textActivation = "text_activation"
    static let visionHeads = "vision_heads"
    static let textHeads = "text_heads"
    /// Of an X-CLIP's transformer over frames, and of what makes its texts depend on the video.
    static let frameHeads = "frame_heads"
    static let promptHeads = "prompt_heads"
}

extension Activation {
    /// - Throws: `badMetadata` for another name.
    init(named name: String) throws(ModelError) {
        guard let known = Self(rawValue: name) else {
            throw .badMetadata(
                key: ArchitectureMetadata.activation, value: name,
                expected: Self.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or "))
        }
        self = known
    }
}

extension CLIPArchitecture {
    /// Head counts are told where they are not OpenAI CLIP's.
    var metadata: [String: String] {
        var result = [ArchitectureMetadata.activation: activation.rawValue]
        for (key, tower) in [(ArchitectureMetadata.visionHeads, vision), (ArchitectureMetadata.textHeads, text)]
        where tower.headCount != Tower.usualHeadCount(width: tower.width) {
            result[key] = "\(tower.headCount)"
        }
        result.merge(crossFrame?.metadata(width: embeddingWidth) ?? [:]) { own, _ in own }
        result.merge(form.metadata) { own, _ in own }
        result[ArchitectureMetadata.textActivation] = otherTextActivation?.rawValue
        return result
    }
}

extension TowerForm {
    /// Whether there is a class token shows in the tensors.
    var metadata: [String: String] { family == .clip ? [:] : [ArchitectureMetadata.family: family.rawValue] }
}

extension CrossFrameArchitecture {
    /// Head counts that are not those of heads of 64.
    func metadata(width: Int) -> [String: String] {
        let usual = CLIPArchitecture.Tower.usualHeadCount(width: width)
        let counts = [(ArchitectureMetadata.frameHeads, frameHeadCount), (ArchitectureMetadata.promptHeads, promptHeadCount)]
        return Dictionary(uniqueKeysWithValues: counts.filter { $0.1 != usual }.map { ($0.0, "\($0.1)") })
    }
}

// MARK: - Files beside the weights

/// The folder of Hugging Face or open_clip that weights lie in.
package struct CheckpointFolder {
    /// nil where the weights lie alone.
    private let path: String?
    private let layout: CheckpointLayout.Kind

    /// - Parameter checkpoint: the folder itself, or a file in it under one of the names that these folders use.
    init(holding checkpoint: String, layout: CheckpointLayout.Kind) {
        self.layout = layout
        let name = checkpoint.lastPathComponent
        path = isDirectory(checkpoint) ? checkpoint : Self.isUsual(name) ? checkpoint.parentDirectory : nil
    }

    /// Whether these folders name their weights so: "model.safetensors", "model.fp16.safetensors", "model-00001-of-00002…".
    package static func isUsual(_ name: String) -> Bool {
        ["model.", "model-", "open_clip", "pytorch_model"].contains { name.hasPrefix($0) }
    }

    private func file(_ name: String) -> String? {
        guard let file = path?.appendingPath(name), fileExists(file) else { return nil }
        return file
    }

    /// The vocabulary beside the weights, of whatever form.
    func vocabularyPath(for tokenizer: TokenizerKind) -> String? {
        switch tokenizer {
        case .clipBPE, .bytes: file("merges.txt") ?? file("tokenizer.json") ?? file(BPEVocabulary.fileName)
        case .siglip, .siglip2: file("tokenizer.json") ?? file("spiece.model") ?? file("tokenizer.model")
        }
    }

    /// Since release 5 transformers writes the image processor into `processor_config.json`, which goes over the older file.
    private func imageProcessor() throws -> ConfigurationSection? {
        if let file = file("processor_config.json") {
            let section = try ConfigurationFile(path: file).root.section("image_processor")
            if !section.members.isEmpty { return section }
        }
        return try file("preprocessor_config.json").map { try ConfigurationFile(path: $0).root }
    }

    func configuration() throws -> CheckpointConfiguration {
        var configuration = CheckpointConfiguration()
        if layout == .huggingFace {
            if let file = file("config.json") { try configuration.readHuggingFace(ConfigurationFile(path: file)) }
            if let section = try imageProcessor() { try configuration.readImageProcessor(section) }
        } else if layout != .vifi, let file = file("open_clip_config.json") {
            try configuration.readOpenCLIP(ConfigurationFile(path: file), hasTimmTower: layout == .timm)
        }
        return configuration
    }
}

/// A JSON file that configures a model, read with checks.
struct ConfigurationFile {
    static let byteLimit = 1 << 20

    let path: String
    let root: ConfigurationSection

    init(path: String) throws {
        self.path = path
        guard case .object(let members) = try JSONValue.read(path, byteLimit: Self.byteLimit) else {
            throw ModelError.inFile(path: path, .notAnObject)
        }
        root = ConfigurationSection(file: path, prefix: "", members: members)
    }
}

/// One object of such a file.
struct ConfigurationSection {
    let file: String
    /// Dotted keys before this section's, with a dot at the end.
    let prefix: String
    var members: [String: JSONValue]

    func fault(_ key: String, _ problem: String) -> ModelError {
        .configuration(
            file: file.lastPathComponent, key: prefix + key, value: members[key]?.excerpt ?? "missing", problem: problem)
    }

    /// A size between 1 and a million; nil where the key is missing or null.
    func size(_ key: String) throws(ModelError) -> Int? {
        switch members[key] {
        case nil, .null: return nil
        case let value?:
            if let size = value.integer, (1...1_000_000).contains(size) { return size }
            throw fault(key, "a whole number from 1 to 1000000 is needed")
        }
    }

    func integer(_ key: String) -> Int? { members[key]?.integer }

    func number(_ key: String) -> Double? { members[key]?.double }

    func text(_ key: String) -> String? {
        if case .text(let value) = members[key] { return value }
        return nil
    }

    func flag(_ key: String) -> Bool? {
        if case .truth(let value) = members[key] { return value }
        return nil
    }

    func numbers(_ key: String) -> [Double]? {
        guard case .list(let values) = members[key] else { return nil }
        return values.compactMap(\.double)
    }

    /// Empty where the key is missing or no object.
    func section(_ key: String) -> ConfigurationSection {
        var result = ConfigurationSection(file: file, prefix: prefix + key + ".", members: [:])
        if case .object(let members) = members[key] { result.members = members }
        return result
    }
}

extension PixelNormalization {
    /// The one with these constants, for pixels from 0 to 1.
    init?(mean: [Double], deviation: [Double]) {
        func isClose(_ a: [Double], _ b: [Double]) -> Bool { a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) < 1e-4 } }
        let match = Self.allCases.first { isClose($0.constants.mean, mean) && isClose($0.constants.deviation, deviation) }
        guard let match else { return nil }
        self = match
    }

    /// Of red, green and blue, for pixels from 0 to 1.
    var constants: (mean: [Double], deviation: [Double]) {
        switch self {
        case .clip: ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
        case .imageNet: ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        case .centered: ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
        }
    }
}
