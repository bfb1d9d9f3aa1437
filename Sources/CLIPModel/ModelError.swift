import Files

/// What can be wrong with a backbone, a prompt file or class names.
package enum ModelError: ReportableError, Equatable {
    case missingTensor(name: String)
    case unexpectedShape(name: String, shape: [Int], expected: String)
    case unsupportedWidth(name: String, width: Int)
    case headCount(name: String, width: Int, headCount: Int)
    /// Heads that cannot be turned by the column and the row of a patch.
    case rotaryHeads(name: String, width: Int, headCount: Int)
    /// A bare file of a width that no known model has.
    case unknownHeads(tower: String, width: Int)
    /// Two shapes of one file that do not go together.
    case contradiction(name: String, shape: [Int], expected: [Int], reference: String, referenceShape: [Int])
    /// No known layout fits the names.
    case noCLIP
    /// A model that is known, and known not to be one that is computed here.
    case otherModel(model: String, reason: String)
    /// Several models in one file, by what stands before their tensors' names.
    case severalModels(prefixes: [String])
    /// None of the models in a file has the prefix that was asked for.
    case noSuchPrefix(String, prefixes: [String])
    /// ViFi-CLIP's checkpoints lack the token table.
    case noTokenTable
    /// A key of a configuration file that contradicts the tensors or asks for something else.
    case configuration(file: String, key: String, value: String, problem: String)
    case notAnObject
    /// Prompts that were learned with another activation.
    case otherActivation(prompts: String, backbone: String)
    case otherVocabulary(path: String)
    /// - Parameter values: of the first and the second.
    case cannotBlend(first: String, second: String, what: String, values: [String])
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
    /// A SigLIP's `tokenizer.json` or `spiece.model`.
    case missingTokenizer(backbone: String)
    case vocabularySize(tokenizer: Int, backbone: Int)
    /// Prompts from elsewhere.
    case prompts(PromptProblem)
    case promptDepth(tower: String, depth: Int, layerCount: Int)
    /// Prompts that begin above the first layer.
    case promptLayers(tower: String, layers: String, layerCount: Int)
    /// More tokens merge in each layer of the vision tower than there are to merge.
    case mergedTokens(Int, most: Int, architecture: String)
    /// An X-CLIP where frames must not see each other.
    ///
    /// - Parameter what: cannot go with it, as a subject: "prompts are learned".
    case framesSeeEachOther(what: String)
    /// Towers of another form than what is asked for is computed in.
    ///
    /// - Parameter what: needs towers of CLIP's form, as a subject: "tokens merge".
    case otherForm(String, what: String)
    /// A CLIP where an X-CLIP is written.
    case notAnXCLIP
    /// - Parameter own: frames that an X-CLIP was made for.
    case otherFrames(asked: Int, own: Int)
    /// Low-rank updates from elsewhere.
    case lowRank(LowRankProblem)
    /// A prompt file of another version of this program.
    case newerFormat(String)

    package var exitStatus: ExitStatus {
        switch self {
        case .inFile(_, let error): error.exitStatus
        case .prompts(let problem): problem.exitStatus
        case .missingVocabulary, .missingTokenizer, .backboneNotFound: .missingInput
        case .promptDepth, .promptLayers, .mergedTokens, .framesSeeEachOther, .otherForm, .notAnXCLIP, .otherFrames: .badConfiguration
        case .noClasses: .usage
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
            "tensor \"\(name.escapedForDisplay)\" is \(shape), but \(expected) is expected. "
                + "The file contradicts itself or belongs to another kind of model."
        case .unsupportedWidth(let name, let width):
            "tensor \"\(name.escapedForDisplay)\" gives the tower a width of \(width), and its number of heads is not stated. It can be derived only "
                + "for multiples of 64 up to 16384. Pass the folder that holds its config.json or open_clip_config.json, or import it with `vifi-prompt bridge --import FILE --heads VISION,TEXT`."
        case .headCount(let name, let width, let headCount):
            "tensor \"\(name.escapedForDisplay)\" gives the tower a width of \(width), which is not divisible by \(headCount) heads."
        case .rotaryHeads(let name, let width, let headCount):
            "tensor \"\(name.escapedForDisplay)\" gives the tower a width of \(width), and \(headCount) heads of it are \(width / headCount) wide; rotary "
                + "positions need a multiple of 4. Say how many heads there are: `vifi-prompt bridge --import FILE --heads VISION,TEXT`."
        case .unknownHeads(let tower, let width):
            "the number of heads of its \(tower) tower is not stated, and no known model has a width of \(width). Pass the folder that holds its "
                + "config.json or open_clip_config.json, or import it with `vifi-prompt bridge --import FILE --heads VISION,TEXT`."
        case .contradiction(let name, let shape, let expected, let reference, let referenceShape):
            "tensor \"\(name.escapedForDisplay)\" is \(shape), but \(expected) is expected, because \"\(reference.escapedForDisplay)\" is "
                + "\(referenceShape). The file contradicts itself or belongs to another kind of model."
        case .noCLIP:
            "this is not a CLIP model: tensor \"visual.conv1.weight\" is missing, and no other layout fits (OpenAI, open_clip, ViFi-CLIP, "
                + "Hugging Face). `vifi-prompt inspect` lists what it holds."
        case .otherModel(let model, let reason):
            "this is \(model), by the names of its tensors. \(reason)."
        case .severalModels(let prefixes):
            "the file holds several CLIP models: their tensor names start with \(Self.list(prefixes)). Choose one: "
                + "`vifi-prompt bridge --import FILE --prefix '\(Self.excerpt(prefixes.first { !$0.isEmpty } ?? ""))'`."
        case .noSuchPrefix(let prefix, let prefixes):
            "no CLIP model in the file has tensor names that start with \"\(Self.excerpt(prefix))\"; they start with \(Self.list(prefixes)). Pass "
                + "\(prefixes.count == 1 ? "that" : "one of these") as --prefix."
        case .noTokenTable:
            "this is a ViFi-CLIP checkpoint. These never hold the token embeddings, which ViFi-CLIP takes from the CLIP that it "
                + "starts from. Name that one: `vifi-prompt bridge --import FILE --clip ViT-B-16.pt`."
        case .configuration(let file, let key, let value, let problem):
            "\(Self.excerpt(file)): \(Self.excerpt(key)) is \(Self.excerpt(value)); \(problem)."
        case .notAnObject:
            "is not a JSON object. Download it again."
        case .otherActivation(let prompts, let backbone):
            "the prompts were learned with activation \(Self.excerpt(prompts)), but the backbone has \(backbone). Pass --activation, or "
                + "import the backbone again."
        case .framesSeeEachOther(let what):
            "is an X-CLIP, in whose image tower frames see each other; \(what) where each frame is seen alone. Take a CLIP in its place."
        case .otherForm(let name, let what):
            "is \(name); \(what) in towers of CLIP's form alone. Take a CLIP in its place."
        case .notAnXCLIP:
            "is a CLIP, whose frames do not see each other, and not what `vifi-prompt bridge --method x-clip` makes. Take --to huggingface for it."
        case .otherFrames(let asked, let own):
            "is an X-CLIP for clips of \(own) frames, each with a place of its own; \(asked) are asked for. Pass --frames \(own), or leave it out."
        case .cannotBlend(let first, let second, let what, let values):
            "\(first.escapedForDisplay) and \(second.escapedForDisplay) differ in \(what) (\(values.joined(separator: "; "))): only backbones of one "
                + "kind can be mixed, such as a CLIP and what it was fine-tuned to."
        case .otherVocabulary(let path):
            "\(path.escapedForDisplay): this is not the vocabulary that came with the backbone. Pass its own vocabulary (--vocabulary)."
        case .unexpectedTensor(let name):
            "tensor \"\(name.escapedForDisplay)\" is not expected in this file. It was made for something else."
        case .nonFinite(let name, let count):
            "tensor \"\(name.escapedForDisplay)\" holds \(count) values that are NaN or infinite. "
                + "Nothing can be computed with it; use a sound file."
        case .badMetadata(let key, let value, let expected):
            "metadata \"\(key)\" is \(value.map { "\"\(Self.excerpt($0))\"" } ?? "missing"), but \(expected) is expected. "
                + "Write the file again with this program."
        case .notAPromptFile:
            "this is not a prompt file of vifi-prompt. `vifi-prompt learn` and `vifi-prompt export` write them."
        case .notABackbone:
            "this is a prompt file, but a backbone is needed. Pass it with --prompts instead."
        case .otherBackbone(let expected, let expectedName, let actual):
            "the prompts were learned on backbone \(Self.excerpt(expectedName)) (\(Self.excerpt(String(expected.prefix(12))))…), "
                + "but this one is \(actual.prefix(12))…. Use the backbone they belong to (--backbone), or pass --any-backbone "
                + "to try them on this one."
        case .backboneNotFound(let digest, let name):
            "the prompts were learned on backbone \(Self.excerpt(name)) (\(Self.excerpt(String(digest.prefix(12))))…), which is "
                + "neither among the runs in this folder nor in Checkpoints. Pass it with --backbone FILE."
        case .missingPrompts(let name):
            "prompts \"\(name.escapedForDisplay)\" are missing, although the metadata names them. "
                + "The file is incomplete; copy or export it again."
        case .promptShape(let name, let shape, let expected):
            "prompts \"\(name.escapedForDisplay)\" are \(shape), but the backbone needs \(expected)."
        case .notNumbers(what: let what):
            "\(what) are NaN or infinite: weights or prompts are out of range. Use a sound backbone and prompt file."
        case .noClasses:
            "there are no class names. Pass a CSV file `id,name` with --labels."
        case .missingVocabulary(let backbone):
            "backbone \(backbone.escapedForDisplay) needs CLIP's vocabulary bpe_simple_vocab_16e6.txt.gz. "
                + "Run `make vocabulary` in the project's folder, or pass the file (--vocabulary)."
        case .missingTokenizer(let backbone):
            "backbone \(backbone.escapedForDisplay) needs its model's own tokenizer.json or spiece.model, which is not beside it. Pass the file "
                + "(--vocabulary); `vifi-prompt bridge --import` keeps the one that lies beside the weights."
        case .vocabularySize(let tokenizer, let backbone):
            "the tokenizer knows \(tokenizer) tokens, but the backbone has \(backbone). They do not belong together."
        case .prompts(let problem): problem.words
        case .lowRank(let problem): problem.words
        case .promptDepth(let tower, let depth, let layerCount):
            "\(tower) prompts in \(counted(depth, "layer", "layers")) were asked for, but the backbone has \(layerCount). "
                + "Pass --\(tower)-depth \(layerCount), or prompts.\(tower)_depth in a recipe or --set."
        case .promptLayers(let tower, let layers, let layerCount):
            "\(tower) prompts in layers \(layers) were asked for, but the backbone's \(tower) layers are 0-\(layerCount - 1), counted from 0."
        case .mergedTokens(let count, let most, let architecture):
            "merging \(counted(count, "token", "tokens")) in each layer was asked for, but the backbone (\(architecture)) has enough for at most "
                + "\(most). Set --merge-tokens (prompts.merge_tokens) to at most \(most), or leave it out."
        case .newerFormat(let format):
            "metadata \"vifi_prompt_format\" is \"\(Self.excerpt(format))\"; this program reads \"1\" to \"3\". "
                + "A newer vifi-prompt wrote the file; read it with that one."
        }
    }

    /// With the tensors' names as another layout has them.
    func renamed(_ name: (String) -> String) -> ModelError {
        switch self {
        case .missingTensor(let ours): .missingTensor(name: name(ours))
        case .unexpectedTensor(let ours): .unexpectedTensor(name: name(ours))
        case .unsupportedWidth(let ours, let width): .unsupportedWidth(name: name(ours), width: width)
        case .headCount(let ours, let width, let headCount): .headCount(name: name(ours), width: width, headCount: headCount)
        case .rotaryHeads(let ours, let width, let headCount): .rotaryHeads(name: name(ours), width: width, headCount: headCount)
        case .unexpectedShape(let ours, let shape, let expected): .unexpectedShape(name: name(ours), shape: shape, expected: expected)
        case .contradiction(let ours, let shape, let expected, let reference, let referenceShape):
            .contradiction(
                name: name(ours), shape: shape, expected: expected, reference: name(reference), referenceShape: referenceShape)
        default: self
        }
    }

    private static func list(_ prefixes: [String]) -> String {
        prefixes.prefix(4).map { "\"\(excerpt($0))\"" }.joined(separator: " and ")
    }

    /// Text from a file may have any length and any characters.
    static func excerpt(_ text: String) -> String {
        let start = String(text.unicodeScalars.prefix(80))
        return start.escapedForDisplay + (start == text ? "" : "…")
    }
}
