import Files

/// What can be wrong with a backbone, a prompt file or class names.
package enum ModelError: ReportableError, Equatable {
    case missingTensor(name: String)
    case unexpectedShape(name: String, shape: [Int], expected: String)
    case unsupportedWidth(name: String, width: Int)
    /// The facts of another case, with the file they were found in.
    indirect case inFile(path: String, ModelError)
    case unexpectedTensor(name: String)
    case nonFinite(name: String, count: Int)
    case badMetadata(key: String, value: String?, expected: String)
    case notAPromptFile
    case notABackbone
    case otherBackbone(expected: String, expectedName: String, actual: String)
    /// Nobody named the backbone that prompts belong to, and it is not where backbones are looked for.
    case backboneNotFound(digest: String, name: String)
    case missingPrompts(name: String)
    case promptShape(name: String, shape: [Int], expected: [Int])
    case noClasses
    /// Results that are NaN or infinite.
    case notNumbers(what: String)
    case missingVocabulary(backbone: String)
    case vocabularySize(tokenizer: Int, backbone: Int)
    /// Prompts from elsewhere.
    case prompts(PromptProblem)
    case promptDepth(tower: String, depth: Int, layerCount: Int)

    package var exitStatus: ExitStatus {
        switch self {
        case .inFile(_, let error): error.exitStatus
        case .prompts(let problem): problem.exitStatus
        case .missingVocabulary, .backboneNotFound: .missingInput
        case .promptDepth, .noClasses: .badConfiguration
        default: .badData
        }
    }

    package var description: String {
        switch self {
        case .inFile(let path, let error): "\(path.escapedForDisplay): \(error.description)"
        case .missingTensor(let name):
            "tensor \"\(name.escapedForDisplay)\" is missing. The file holds no whole CLIP with two transformers; "
                + "`vifi-prompt inspect` lists what it holds."
        case .unexpectedShape(let name, let shape, let expected):
            "tensor \"\(name.escapedForDisplay)\" is \(shape), \(expected) expected. "
                + "The file contradicts itself or belongs to another kind of model."
        case .unsupportedWidth(let name, let width):
            "tensor \"\(name.escapedForDisplay)\" is \(width) wide; CLIP's transformers are multiples of 64, at most 16384."
        case .unexpectedTensor(let name):
            "tensor \"\(name.escapedForDisplay)\" does not belong here. The file was made for something else."
        case .nonFinite(let name, let count):
            "tensor \"\(name.escapedForDisplay)\" holds \(count) values that are NaN or infinite. "
                + "Nothing can be computed with it; use a sound file."
        case .badMetadata(let key, let value, let expected):
            "metadata \"\(key)\" is \(value.map { "\"\(Self.excerpt($0))\"" } ?? "missing"), \(expected) expected. "
                + "Write the file anew with this program."
        case .notAPromptFile:
            "this is not a prompt file of vifi-prompt. `vifi-prompt learn` and `vifi-prompt export` write them."
        case .notABackbone:
            "this is a prompt file, a backbone is needed here. Pass it with --prompts instead."
        case .otherBackbone(let expected, let expectedName, let actual):
            "the prompts were learned on backbone \(Self.excerpt(expectedName)) (\(Self.excerpt(String(expected.prefix(12))))…), "
                + "this one is \(actual.prefix(12))…. Use the backbone they belong to (--backbone), or pass --any-backbone "
                + "to try them on this one."
        case .backboneNotFound(let digest, let name):
            "the prompts were learned on backbone \(Self.excerpt(name)) (\(Self.excerpt(String(digest.prefix(12))))…), which is "
                + "neither among the runs here nor in Checkpoints. Pass it with --backbone FILE."
        case .missingPrompts(let name):
            "prompts \"\(name.escapedForDisplay)\" are missing, though the metadata announces them. "
                + "The file is incomplete; copy or export it again."
        case .promptShape(let name, let shape, let expected):
            "prompts \"\(name.escapedForDisplay)\" are \(shape), the backbone needs \(expected)."
        case .notNumbers(what: let what):
            "\(what) are NaN or infinite: weights or prompts are out of range. Use a sound backbone and prompt file."
        case .noClasses:
            "no class names. Give a CSV file `id,name` (--labels)."
        case .missingVocabulary(let backbone):
            "backbone \(backbone.escapedForDisplay) needs CLIP's vocabulary bpe_simple_vocab_16e6.txt.gz. "
                + "Run `make vocabulary` in the project's folder, or pass the file (--vocabulary)."
        case .vocabularySize(let tokenizer, let backbone):
            "the tokenizer knows \(tokenizer) tokens, the backbone \(backbone). They do not belong together."
        case .prompts(let problem): problem.words
        case .promptDepth(let tower, let depth, let layerCount):
            "\(tower) prompts in \(depth) layers were asked for, the backbone has \(layerCount). Lower the depth."
        }
    }

    /// Text from a file may have any length and any characters.
    static func excerpt(_ text: String) -> String {
        let start = String(text.unicodeScalars.prefix(80))
        return start.escapedForDisplay + (start == text ? "" : "…")
    }
}
