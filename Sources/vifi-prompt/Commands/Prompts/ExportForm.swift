import ArgumentParser
import Experiments
import Files

/// What `export --to` writes.
enum ExportForm: String, ExpressibleByArgument, CaseIterable, Encodable {
    case prompts = "vifi-prompt"
    case checkpoint = "vifi-pth"
    case adapter = "peft"
    case archive = "npz"
    case efficientPrompt = "efficient-prompt"
    case actionCLIP = "actionclip"
    case dassl
    case xCLIP = "x-clip"
    case huggingFace = "huggingface"
    case classes
    case onnx

    init?(argument: String) {
        // The name that prompt files had alone.
        self.init(rawValue: argument == "prompts" ? Self.prompts.rawValue : argument)
    }

    /// Whether it holds a backbone, and no prompts.
    var isBackbone: Bool { self == .xCLIP || self == .huggingFace }

    /// Whether class names are read in the text tower for it.
    var readsClasses: Bool { self == .classes || self == .onnx }

    /// Whether the output is a folder.
    var isFolder: Bool { endings.isEmpty }

    /// What the name of an output ends with where nobody named it.
    var suffix: String {
        switch self {
        case .adapter: "-adapter"
        case .huggingFace: "-huggingface"
        case .xCLIP: "-x-clip" + endings[0]
        case .classes: "-classes" + endings[0]
        case .onnx: endings[0]
        default: "-prompts" + endings[0]
        }
    }

    /// The endings of its files; none for folders.
    var endings: [String] {
        switch self {
        case .prompts: [".safetensors"]
        case .checkpoint: [".pth", ".pt"]
        case .adapter, .huggingFace: []
        case .xCLIP: [".pth", ".pt"]
        case .archive: [".npz"]
        case .efficientPrompt, .dassl: [".pth.tar"]
        case .actionCLIP: [".pt"]
        case .classes: [".safetensors", ".npz"]
        case .onnx: [".onnx"]
        }
    }

    func fits(_ path: String) -> Bool {
        let name = path.lowercased()
        if isFolder { return !Self.allCases.flatMap(\.endings).contains { name.hasSuffix($0) } }
        if endings.contains(where: { name.hasSuffix($0) }) { return true }
        // Dassl's programs put the epoch behind the ending: `model.pth.tar-50`.
        guard self == .dassl, let epoch = name.split(separator: "-").last, Int(epoch) != nil else { return false }
        return endings.contains { name.dropLast(epoch.count + 1).hasSuffix($0) }
    }
}

/// What was exported, for people and for programs.
struct Export: Encodable {
    let form: ExportForm
    /// A folder with `--to peft` and `--to huggingface`.
    let file: String
    /// What was exported; nil for a backbone.
    var prompts: String?
    /// The backbone that was exported; nil for prompts.
    var backbone: String?
    /// Of the file; of a folder, its tensors' file.
    var sha256 = ""
    /// Nil of a folder.
    var bytes: Int?
    /// With `--to classes` and `onnx`: how many there are, and the numbers of each.
    var classes: Int?
    var width: Int?

    /// - Parameter isHead: whether a head was written in its own form, and not prompts.
    func text(isHead: Bool) -> String {
        let size = bytes.map { "\($0) bytes, " } ?? ""
        let words =
            switch form {
            case .prompts: "\(isHead ? "head" : "prompts"), \(size)SHA-256"
            case .checkpoint: "ViFi-CLIP checkpoint, \(size)SHA-256"
            case .adapter: "PEFT folder, SHA-256 of its tensors' file"
            case .archive: "NumPy archive, \(size)SHA-256"
            case .efficientPrompt: "Efficient-Prompt checkpoint, \(size)SHA-256"
            case .actionCLIP: "ActionCLIP checkpoint, \(size)SHA-256"
            case .xCLIP: "X-CLIP checkpoint, \(size)SHA-256"
            case .huggingFace: "folder of transformers, SHA-256 of its tensors' file"
            case .dassl: "Dassl checkpoint, \(size)SHA-256"
            case .classes: "\(classes ?? 0) classes × \(width ?? 0), SHA-256"
            case .onnx: "ONNX model, \(counted(classes ?? 0, "class", "classes")), \(size)SHA-256"
            }
        return "\(file.escapedForDisplay): \(words) \(sha256)"
    }
}

/// Why nothing was exported.
enum ExportError: ReportableError {
    case noPrompts
    case noBackbone
    case ending(path: String, form: ExportForm)
    case exists(path: String)
    case notAnAdapter(path: String)
    case notAFolderOfTransformers(path: String)

    var exitStatus: ExitStatus {
        switch self {
        case .noPrompts, .noBackbone: .missingInput
        case .ending: .usage
        case .exists, .notAnAdapter, .notAFolderOfTransformers: .inputOutput
        }
    }

    var description: String {
        switch self {
        case .noPrompts:
            "no learn run with prompts in \(BackboneFinder.runsFolder)/. Run `vifi-prompt learn --shots 2` first, "
                + "or name a prompt file with --prompts."
        case .noBackbone:
            "no run with a backbone in \(BackboneFinder.runsFolder)/. Name the backbone with --backbone."
        case .ending(let path, let form) where form.isFolder:
            "\(path.escapedForDisplay): with --to \(form.rawValue) the output is a folder, and this is the name of a file."
        case .ending(let path, let form):
            "\(path.escapedForDisplay): the output needs the ending \(form.endings.joined(separator: " or ")), or must be a folder."
        case .exists(let path): "\(path.escapedForDisplay): already exists. Choose another --output, or pass --force to overwrite it."
        case .notAFolderOfTransformers(let path):
            "\(path.escapedForDisplay): holds more than an exported backbone and is not overwritten. Name another --output."
        case .notAnAdapter(let path):
            "\(path.escapedForDisplay): holds more than an exported adapter and is not overwritten. Name another --output."
        }
    }
}
