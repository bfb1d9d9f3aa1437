import CLIPModel
import Files
import Tensors
import TestSupport

/// A backbone and prompts of a few thousand numbers, laid out as runs of the program.
struct SmallModel {
    static let classNames = ["waving", "clapping hands", "jumping", "sitting down", "turning around"]

    let backbone: Backbone
    let prompts: PromptFile

    /// - Parameter seed: of all weights; another one gives another backbone.
    init(seed: UInt64 = 1) {
        let architecture = CLIPArchitecture(
            vision: .init(width: 64, layerCount: 2), text: .init(width: 64, layerCount: 2), imagePixels: 32, patchPixels: 16,
            embeddingWidth: 32, contextLength: 77, vocabularySize: ByteTokenizer().vocabularySize)
        backbone = Backbone(
            architecture: architecture,
            parameters: BackboneParameters<MutableMatrix>(random: architecture, seed: seed).map(\.reading),
            description: BackboneDescription(
                name: "small", normalization: .clip, tokenizer: .bytes, provenance: "random numbers"))
        let configuration = PromptConfiguration(visionTokens: 3, visionDepth: 2, textTokens: 2, textDepth: 1)
        prompts = PromptFile(
            prompts: PromptSet<MutableMatrix>(random: configuration, architecture: architecture, seed: seed).reading,
            header: PromptHeader(
                backbone: backbone, configuration: configuration, classNames: Self.classNames, frameCount: 8,
                fusion: .embedding, shots: 2, seed: 7, recipeDigest: Digest.of("recipe"), metrics: ["top1": 0.75]))
    }

    /// Writes `runs/bridge/backbone.safetensors` and `runs/learn/prompts/best.safetensors`.
    @discardableResult
    func write(to program: Program) throws -> (backbone: String, prompts: String) {
        let backbonePath = program.folder.path("runs/bridge/backbone.safetensors")
        let promptsPath = program.folder.path("runs/learn/prompts/best.safetensors")
        for path in [backbonePath, promptsPath] { try createDirectory(path.parentDirectory) }
        try backbone.save(to: backbonePath)
        try prompts.save(to: promptsPath)
        return ("runs/bridge/backbone.safetensors", "runs/learn/prompts/best.safetensors")
    }
}
