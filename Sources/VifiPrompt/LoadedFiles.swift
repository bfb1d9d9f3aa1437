import CLIPModel
import Experiments
import Files

/// A CLIP with its weights in memory: read once, shared by any number of classifiers and threads.
public struct LoadedBackbone: Sendable {
    let backbone: Backbone

    /// Reads a `.safetensors` file with OpenAI CLIP's tensor names. Sizes are inferred from shapes.
    ///
    /// - Throws: `VifiPromptError`, naming the file: it is missing, damaged, or holds no CLIP with two
    ///   transformers.
    public init(path: String) throws(VifiPromptError) {
        backbone = try reporting { try Backbone.load(path) }
    }

    /// The name that the file gives itself, else the file's own.
    public var name: String { backbone.description.name }

    /// Sizes in words, such as "ViT 768×12 patch 16 at 224 px, text 512×12, joint 512".
    public var summary: String { backbone.architecture.summary }

    /// SHA-256 over names, shapes and values of all tensors, in lower-case hexadecimal: what a prompt
    /// file must name to be used with this backbone. Not the file's own SHA-256.
    public var digest: String { backbone.digest }

    /// Weights and biases, counted singly.
    public var parameterCount: Int { backbone.parameterCount }

    /// Pixels along a side of the square that the backbone sees.
    public var imagePixels: Int { backbone.architecture.imagePixels }
}

/// Learned prompts with what their file says of them (`docs/prompt-file.md`).
public struct LearnedPrompts: Sendable {
    let file: PromptFile

    /// Reads a prompt file of `vifi-prompt learn`, a folder of `vifi-prompt export --to peft`, or a ViFi-CLIP `.pth`.
    ///
    /// - Throws: `VifiPromptError`, naming the file: it is missing, damaged, or holds no prompts.
    public init(path: String) throws(VifiPromptError) {
        file = try reporting { try PromptFile.withSentences(path, context: RunContext()) }
    }

    /// What the file does not say and was taken for granted, for people; mostly empty.
    public var notes: [String] { file.notes }

    /// The classes at training time; empty for a ViFi-CLIP `.pth`. Others may be asked for: prompts are not tied
    /// to names.
    public var classNames: [String] { file.header.classNames }

    /// Frames of a clip at training time.
    public var frameCount: Int { file.header.frameCount }

    /// `LoadedBackbone.digest` of the backbone that the prompts were learned on; "unknown" where the file does not
    /// name one.
    public var backboneDigest: String { file.header.backboneDigest }

    public var backboneName: String { file.header.backboneName }

    /// What was measured when the prompts were written, by name; accuracies in percent.
    public var metrics: [String: Double] { file.header.metrics }
}

/// A learned head with what its file says of it (`docs/heads.md`).
public struct LearnedHead: Sendable {
    let file: HeadFile
    let path: String

    /// Reads the file of a head, or the folder of a run that learned one.
    ///
    /// - Throws: `VifiPromptError`, naming the file: it is missing, damaged, or holds no head.
    public init(path: String) throws(VifiPromptError) {
        let found = HeadFile.file(at: path) ?? path
        file = try reporting { try HeadFile.load(found) }
        self.path = found
    }

    /// How it was learned, such as `gda`.
    public var method: String { file.header.kind.rawValue }

    /// The classes that it tells apart.
    public var classNames: [String] { file.header.classNames }

    /// Frames of a clip at training time.
    public var frameCount: Int { file.header.frames }

    /// `LoadedBackbone.digest` of the backbone that it was learned on.
    public var backboneDigest: String { file.header.backboneSHA256 }

    /// Top-1 on training clips that were held out in turn, in percent; nil where none could be.
    public var heldOutTop1: Double? { file.header.crossValidatedTop1 }
}
