import Tensors

/// The sizes of what X-CLIP has beside a CLIP, whose frames see each other (`methods.md` 6).
package struct CrossFrameArchitecture: Sendable, Equatable {
    /// Frames of every clip: each has a position of its own.
    package var frameCount: Int
    /// Of the transformer over frames, which follows the vision tower.
    package var frameLayerCount: Int
    package var frameHeadCount: Int
    /// Of the layers in which the texts of the classes see the video's patches.
    package var promptLayerCount: Int
    package var promptHeadCount: Int

    /// - Parameters:
    ///   - frameHeadCount: heads of 64 where nil; so `promptHeadCount`.
    ///   - width: of the space that both towers project into.
    package init(
        frameCount: Int, frameLayerCount: Int = 1, frameHeadCount: Int? = nil, promptLayerCount: Int = 2, promptHeadCount: Int? = nil, width: Int
    ) {
        let usual = CLIPArchitecture.Tower.usualHeadCount(width: width)
        (self.frameCount, self.frameLayerCount, self.promptLayerCount) = (frameCount, frameLayerCount, promptLayerCount)
        (self.frameHeadCount, self.promptHeadCount) = (frameHeadCount ?? usual, promptHeadCount ?? usual)
    }
}

/// What X-CLIP learns beside a CLIP. Source: Ni et al., ECCV 2022, "Expanding Language-Image Pretrained Models for General Video
/// Recognition"; `methods.md` 6.
package struct CrossFrameParameters<Element: Sendable>: Sendable {
    /// One per block of the vision tower.
    package var messages: [MessageParameters<Element>]
    /// Of the transformer over frames; its positions are `[1, frames, embeddingWidth]`.
    package var frames: FrameTransformer.Parameters<Element>
    package var prompts: VideoPromptParameters<Element>
}

/// What frames say to each other in one block of the vision tower.
package struct MessageParameters<Element: Sendable>: Sendable {
    /// From a frame's class token to its message, `[width, width]`.
    package var message: LinearParameters<Element>
    package var norm: NormParameters<Element>
    /// Queries, keys and values packed: `[3 × width, width]`.
    package var attentionInput: LinearParameters<Element>
    package var attentionOutput: LinearParameters<Element>
}

/// What makes the texts of the classes depend on the video.
package struct VideoPromptParameters<Element: Sendable>: Sendable {
    /// Of patches as the vision tower's last block leaves them.
    package var patchNorm: NormParameters<Element>
    /// `[vision width, embeddingWidth]`
    package var patchProjection: Element
    /// Of the patches once they are projected and averaged over the frames.
    package var norm: NormParameters<Element>
    package var layers: [CrossAttentionParameters<Element>]
    /// `[embeddingWidth]`, the factors on what is added to the texts.
    package var scale: Element
}

/// A layer in which texts query patches.
package struct CrossAttentionParameters<Element: Sendable>: Sendable {
    /// `[embeddingWidth, embeddingWidth]` each, without bias.
    package var query: Element
    package var key: Element
    package var value: Element
    package var output: LinearParameters<Element>
    package var queryNorm: NormParameters<Element>
    package var mlp: ResidualMLPParameters<Element>
}

// MARK: - One walk over all of them

extension CrossFrameParameters {
    package func map<Other>(_ transform: (Element) throws -> Other) rethrows -> CrossFrameParameters<Other> {
        CrossFrameParameters<Other>(
            messages: try messages.map { try $0.map(transform) },
            frames: FrameTransformer.Parameters<Other>(try frames.all.map(transform)), prompts: try prompts.map(transform))
    }

    /// Those of the vision tower, then those of the head.
    package var all: [Element] { messages.flatMap(\.all) + head }

    /// What follows the vision tower.
    package var head: [Element] { frames.all + prompts.all }
}

extension MessageParameters {
    func map<Other>(_ transform: (Element) throws -> Other) rethrows -> MessageParameters<Other> {
        MessageParameters<Other>(
            message: try message.map(transform), norm: try norm.map(transform), attentionInput: try attentionInput.map(transform),
            attentionOutput: try attentionOutput.map(transform))
    }

    package var all: [Element] { message.all + norm.all + attentionInput.all + attentionOutput.all }
}

extension VideoPromptParameters {
    func map<Other>(_ transform: (Element) throws -> Other) rethrows -> VideoPromptParameters<Other> {
        VideoPromptParameters<Other>(
            patchNorm: try patchNorm.map(transform), patchProjection: try transform(patchProjection), norm: try norm.map(transform),
            layers: try layers.map { try $0.map(transform) }, scale: try transform(scale))
    }

    package var all: [Element] { patchNorm.all + [patchProjection] + norm.all + layers.flatMap(\.all) + [scale] }

    /// - Parameter elements: as `all` has them.
    init(_ elements: [Element]) {
        let size = CrossAttentionParameters<Element>.elementCount
        precondition(elements.count >= 6 && (elements.count - 6) % size == 0, "a generator of prompts has whole layers")
        patchNorm = .init(weight: elements[0], bias: elements[1])
        patchProjection = elements[2]
        norm = .init(weight: elements[3], bias: elements[4])
        layers = stride(from: 5, to: elements.count - 1, by: size).map { CrossAttentionParameters(Array(elements[$0..<$0 + size])) }
        scale = elements[elements.count - 1]
    }
}

extension CrossAttentionParameters {
    func map<Other>(_ transform: (Element) throws -> Other) rethrows -> CrossAttentionParameters<Other> {
        CrossAttentionParameters<Other>(
            query: try transform(query), key: try transform(key), value: try transform(value), output: try output.map(transform),
            queryNorm: try queryNorm.map(transform), mlp: try mlp.map(transform))
    }

    static var elementCount: Int { 13 }

    var all: [Element] { [query, key, value] + output.all + queryNorm.all + mlp.all }

    /// - Parameter elements: as `all` has them.
    init(_ elements: [Element]) {
        precondition(elements.count == Self.elementCount, "a layer has \(Self.elementCount) tensors")
        self.init(
            query: elements[0], key: elements[1], value: elements[2], output: .init(weight: elements[3], bias: elements[4]),
            queryNorm: .init(weight: elements[5], bias: elements[6]),
            mlp: .init(
                norm: .init(weight: elements[7], bias: elements[8]), input: .init(weight: elements[9], bias: elements[10]),
                output: .init(weight: elements[11], bias: elements[12])))
    }
}

// MARK: - Names

/// The names of X-CLIP's own checkpoints, beside those of OpenAI's CLIP.
enum CrossFrameNames {
    static let frames = "mit."
    static let framePositions = frames + "positional_embedding"
    static let frameBlocks = frames + "resblocks."
    static let prompts = "prompts_"
    static let promptLayers = prompts + "generator.decoder."
    static let patchProjection = prompts + "visual_proj"
    /// How transformers spells the first norm of an X-CLIP, and of no CLIP.
    static let huggingFaceInputNorm = "vision_model.pre_layernorm."

    /// The names that an X-CLIP shares with CLIP; all where they are not an X-CLIP's. Transformers spells the first norm of its image
    /// tower as that of OWL-ViT.
    static func withoutOwn(_ names: [String]) -> [String] {
        let shared = names.filter { !$0.starts(withName: prompts) && !$0.starts(withName: frames) }
        return shared.count == names.count ? names : shared.filter { !$0.starts(withName: huggingFaceInputNorm) }
    }
}

extension CrossFrameParameters<TensorSpecification> {
    /// Name and shape of every tensor; nil where frames do not see each other.
    package init?(of architecture: CLIPArchitecture) {
        guard let crossFrame = architecture.crossFrame else { return nil }
        let (vision, width) = (architecture.vision, architecture.embeddingWidth)
        let frameTower = CLIPArchitecture.Tower(width: width, layerCount: crossFrame.frameLayerCount, headCount: crossFrame.frameHeadCount)
        messages = (0..<vision.layerCount).map { layer in
            let prefix = "\(CheckpointNames.visionBlocks)\(layer).message_"
            return MessageParameters(
                message: .named(prefix + "fc", outputs: vision.width, inputs: vision.width), norm: .named(prefix + "ln", width: vision.width),
                attentionInput: .named(prefix + "attn.in_proj", outputs: 3 * vision.width, inputs: vision.width, separator: "_"),
                attentionOutput: .named(prefix + "attn.out_proj", outputs: vision.width, inputs: vision.width))
        }
        frames = FrameTransformer.Parameters(
            [TensorSpecification(name: CrossFrameNames.framePositions, shape: [1, crossFrame.frameCount, width])]
                + (0..<crossFrame.frameLayerCount).flatMap {
                    BlockParameters<TensorSpecification>.named("\(CrossFrameNames.frameBlocks)\($0)", tower: frameTower).all
                })
        prompts = VideoPromptParameters(
            patchNorm: .named("prompts_visual_ln", width: vision.width),
            patchProjection: TensorSpecification(name: CrossFrameNames.patchProjection, shape: [vision.width, width]),
            norm: .named("prompts_generator.norm", width: width),
            layers: (0..<crossFrame.promptLayerCount).map { layer in
                let prefix = "\(CrossFrameNames.promptLayers)\(layer)."
                func square(_ name: String) -> TensorSpecification {
                    TensorSpecification(name: "\(prefix)cross_attn.\(name)_proj.weight", shape: [width, width])
                }
                return CrossAttentionParameters(
                    query: square("q"), key: square("k"), value: square("v"),
                    output: .named(prefix + "cross_attn.proj", outputs: width, inputs: width), queryNorm: .named(prefix + "norm1", width: width),
                    mlp: .init(
                        norm: .named(prefix + "norm3", width: width), input: .named(prefix + "mlp.0", outputs: 4 * width, inputs: width),
                        output: .named(prefix + "mlp.3", outputs: width, inputs: 4 * width)))
            },
            scale: TensorSpecification(name: "prompts_generator.alpha", shape: [width]))
    }
}
