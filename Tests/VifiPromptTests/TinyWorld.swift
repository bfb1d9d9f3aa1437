import CLIPModel
import TestSupport
import Tensors
import VideoData

/// A backbone with random weights, prompts for it and a video, as files that disappear with it.
struct TinyWorld {
    let folder: TemporaryDirectory
    let backbone: Backbone
    let backbonePath: String
    let promptPath: String
    let videoPath: String
    static let names = ["waving", "clapping_hands", "sitting still", "jumping"]
    static let frameCount = 4

    init(seed: UInt64 = 7) throws {
        folder = try TemporaryDirectory()
        let architecture = CLIPArchitecture(
            vision: .init(width: 128, layerCount: 2), text: .init(width: 64, layerCount: 2), imagePixels: 32,
            patchPixels: 8, embeddingWidth: 64, contextLength: 40, vocabularySize: 258)
        backbone = Backbone(
            architecture: architecture,
            parameters: BackboneParameters(random: architecture, seed: seed).map(\.reading),
            description: BackboneDescription(
                name: "tiny", normalization: .imageNet, tokenizer: .bytes, provenance: "random weights of a test"))
        backbonePath = folder.path("backbone.safetensors")
        try backbone.save(to: backbonePath)

        let configuration = PromptConfiguration(visionTokens: 3, visionDepth: 2, textTokens: 2, textDepth: 2)
        let prompts = PromptSet(random: configuration, architecture: architecture, seed: seed)
        // Loud enough to change what the backbone says.
        for element in prompts.all { Tensors.scale(element, by: 50) }
        let header = PromptHeader(
            backbone: backbone, configuration: configuration, classNames: Self.names, frameCount: Self.frameCount,
            fusion: .embedding, shots: 2, seed: seed, recipeDigest: "none", metrics: ["top1": 87.5])
        promptPath = folder.path("prompts.safetensors")
        try PromptFile(prompts: prompts.reading, header: header).save(to: promptPath)

        videoPath = folder.path("video.mp4")
        var writer = try VideoWriter(path: videoPath, width: 64, height: 48, framesPerSecond: 12)
        for index in 0..<11 { try writer.append(Self.picture(index)) }
        try writer.finish()
    }

    /// 64 × 48 pixels; a bright bar wanders over a gradient.
    static func picture(_ index: Int) -> [UInt8] {
        (0..<48 * 64).flatMap { pixel -> [UInt8] in
            let (row, column) = pixel.quotientAndRemainder(dividingBy: 64)
            let isBar = abs(column - 5 * index) < 4
            return [UInt8(isBar ? 250 : 2 * column), UInt8(isBar ? 240 : 3 * row), UInt8(20 * index)]
        }
    }
}
