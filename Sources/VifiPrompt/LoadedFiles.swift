import CLIPModel

/// A CLIP with its weights in memory: read once, shared by any number of labellers and threads.
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

/// The prompts of a prompt file (`docs/prompt-file.md`) with what the file says of them.
public struct LearnedPrompts: Sendable {
    let file: PromptFile

    /// Reads a file that `vifi-prompt learn` or `vifi-prompt export` wrote.
    ///
    /// - Throws: `VifiPromptError`, naming the file: it is missing, damaged, or no prompt file.
    public init(path: String) throws(VifiPromptError) {
        file = try reporting { try PromptFile.load(path) }
    }

    /// The classes at training time. Others may be asked for: prompts are not tied to names.
    public var classNames: [String] { file.header.classNames }

    /// Frames of a clip at training time.
    public var frameCount: Int { file.header.frameCount }

    /// `LoadedBackbone.digest` of the backbone that the prompts were learned on.
    public var backboneDigest: String { file.header.backboneDigest }

    public var backboneName: String { file.header.backboneName }

    /// What was measured when the prompts were written, by name; accuracies in percent.
    public var metrics: [String: Double] { file.header.metrics }
}
