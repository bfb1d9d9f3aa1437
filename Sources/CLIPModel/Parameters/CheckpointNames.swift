/// A tensor as checkpoints know it.
package struct TensorSpecification: Sendable, Equatable {
    package let name: String
    package let shape: [Int]

    /// As a matrix: the first dimension by the product of the others; a vector is one row.
    package var rowCount: Int { shape.count < 2 ? 1 : shape[0] }
    package var columnCount: Int { shape.count < 2 ? (shape.first ?? 1) : shape.dropFirst().reduce(1, *) }
    package var count: Int { rowCount * columnCount }
}

/// The only place that spells the names of OpenAI CLIP's state dict.
enum CheckpointNames {
    static let classEmbedding = "visual.class_embedding"
    static let visionBlocks = "visual.transformer.resblocks."
    static let textBlocks = "transformer.resblocks."
    static let patchProjection = "visual.conv1.weight"
    static let patchBias = "visual.conv1.bias"
    static let inputNorm = "visual.ln_pre"
    static let visionPositions = "visual.positional_embedding"
    static let visionProjection = "visual.proj"
    static let pooling = "visual.attn_pool."
    static let poolingProbe = pooling + "probe"
    static let tokenEmbedding = "token_embedding.weight"
    static let textPositions = "positional_embedding"
    static let textOutputNorm = "ln_final"
    static let textProjection = "text_projection"
    static let textProjectionBias = "text_projection.bias"
    static let logitScale = "logit_scale"
    static let logitBias = "logit_bias"
    /// After a block's prefix and number.
    static let mlpInput = ".mlp.c_fc.weight"
}

extension BackboneParameters<TensorSpecification> {
    /// Name and shape of every tensor of an architecture.
    package init(of architecture: CLIPArchitecture) {
        let vision = architecture.vision
        let text = architecture.text
        let hasSigLIPEnds = architecture.form.hasSigLIPEnds
        self.init(
            vision: VisionParameters(
                patchProjection: TensorSpecification(
                    name: CheckpointNames.patchProjection,
                    shape: [vision.width, 3, architecture.patchPixels, architecture.patchPixels]),
                patchBias: hasSigLIPEnds ? TensorSpecification(name: CheckpointNames.patchBias, shape: [vision.width]) : nil,
                classEmbedding: architecture.form.hasClassToken
                    ? TensorSpecification(name: CheckpointNames.classEmbedding, shape: [vision.width]) : nil,
                positionalEmbedding: TensorSpecification(
                    name: CheckpointNames.visionPositions, shape: [architecture.frameTokenCount, vision.width]),
                inputNorm: hasSigLIPEnds ? nil : .named(CheckpointNames.inputNorm, width: vision.width),
                blocks: (0..<vision.layerCount).map { .named("\(CheckpointNames.visionBlocks)\($0)", tower: vision) },
                outputNorm: .named("visual.ln_post", width: vision.width), pooling: PoolingParameters(of: architecture),
                projection: hasSigLIPEnds
                    ? nil : TensorSpecification(name: CheckpointNames.visionProjection, shape: [vision.width, architecture.embeddingWidth])),
            text: TextParameters(
                tokenEmbedding: TensorSpecification(
                    name: CheckpointNames.tokenEmbedding, shape: [architecture.vocabularySize, text.width]),
                positionalEmbedding: TensorSpecification(
                    name: CheckpointNames.textPositions, shape: [architecture.contextLength, text.width]),
                blocks: (0..<text.layerCount).map { .named("\(CheckpointNames.textBlocks)\($0)", tower: text) },
                outputNorm: .named(CheckpointNames.textOutputNorm, width: text.width),
                projection: TensorSpecification(name: CheckpointNames.textProjection, shape: [text.width, architecture.embeddingWidth]),
                projectionBias: hasSigLIPEnds
                    ? TensorSpecification(name: CheckpointNames.textProjectionBias, shape: [architecture.embeddingWidth]) : nil),
            logitScale: TensorSpecification(name: CheckpointNames.logitScale, shape: []),
            logitBias: hasSigLIPEnds ? TensorSpecification(name: CheckpointNames.logitBias, shape: []) : nil,
            crossFrame: CrossFrameParameters(of: architecture))
    }
}

extension NormParameters<TensorSpecification> {
    static func named(_ prefix: String, width: Int) -> Self {
        Self(
            weight: TensorSpecification(name: prefix + ".weight", shape: [width]),
            bias: TensorSpecification(name: prefix + ".bias", shape: [width]))
    }
}

extension LinearParameters<TensorSpecification> {
    /// - Parameter separator: between the prefix and what of the layer it is.
    static func named(_ prefix: String, outputs: Int, inputs: Int, separator: String = ".") -> Self {
        Self(
            weight: TensorSpecification(name: "\(prefix)\(separator)weight", shape: [outputs, inputs]),
            bias: TensorSpecification(name: "\(prefix)\(separator)bias", shape: [outputs]))
    }
}

extension BlockParameters<TensorSpecification> {
    /// - Parameter prefix: of all names, without the dot behind it.
    static func named(_ prefix: String, tower: CLIPArchitecture.Tower) -> Self {
        let width = tower.width
        return Self(
            attentionNorm: .named("\(prefix).ln_1", width: width),
            attentionInput: .named("\(prefix).attn.in_proj", outputs: 3 * width, inputs: width, separator: "_"),
            attentionOutput: .named("\(prefix).attn.out_proj", outputs: width, inputs: width),
            mlpNorm: .named("\(prefix).ln_2", width: width),
            mlpInput: .named("\(prefix).mlp.c_fc", outputs: tower.mlpWidth, inputs: width),
            mlpOutput: .named("\(prefix).mlp.c_proj", outputs: width, inputs: tower.mlpWidth))
    }
}
