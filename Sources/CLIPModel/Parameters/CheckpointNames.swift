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
    static let visionBlocks = "visual.transformer.resblocks."
    static let textBlocks = "transformer.resblocks."
    static let patchProjection = "visual.conv1.weight"
    static let visionPositions = "visual.positional_embedding"
    static let visionProjection = "visual.proj"
    static let tokenEmbedding = "token_embedding.weight"
    static let textPositions = "positional_embedding"
    static let textOutputNorm = "ln_final"
    static let logitScale = "logit_scale"
}

extension BackboneParameters<TensorSpecification> {
    /// Name and shape of every tensor of an architecture.
    package init(of architecture: CLIPArchitecture) {
        let vision = architecture.vision
        let text = architecture.text
        self.init(
            vision: VisionParameters(
                patchProjection: TensorSpecification(
                    name: CheckpointNames.patchProjection,
                    shape: [vision.width, 3, architecture.patchPixels, architecture.patchPixels]),
                classEmbedding: TensorSpecification(name: "visual.class_embedding", shape: [vision.width]),
                positionalEmbedding: TensorSpecification(
                    name: CheckpointNames.visionPositions, shape: [architecture.patchCount + 1, vision.width]),
                inputNorm: .named("visual.ln_pre", width: vision.width),
                blocks: (0..<vision.layerCount).map { .named("\(CheckpointNames.visionBlocks)\($0)", width: vision.width) },
                outputNorm: .named("visual.ln_post", width: vision.width),
                projection: TensorSpecification(
                    name: CheckpointNames.visionProjection, shape: [vision.width, architecture.embeddingWidth])),
            text: TextParameters(
                tokenEmbedding: TensorSpecification(
                    name: CheckpointNames.tokenEmbedding, shape: [architecture.vocabularySize, text.width]),
                positionalEmbedding: TensorSpecification(
                    name: CheckpointNames.textPositions, shape: [architecture.contextLength, text.width]),
                blocks: (0..<text.layerCount).map { .named("\(CheckpointNames.textBlocks)\($0)", width: text.width) },
                outputNorm: .named(CheckpointNames.textOutputNorm, width: text.width),
                projection: TensorSpecification(name: "text_projection", shape: [text.width, architecture.embeddingWidth])),
            logitScale: TensorSpecification(name: CheckpointNames.logitScale, shape: []))
    }
}

extension NormParameters<TensorSpecification> {
    fileprivate static func named(_ prefix: String, width: Int) -> Self {
        Self(
            weight: TensorSpecification(name: prefix + ".weight", shape: [width]),
            bias: TensorSpecification(name: prefix + ".bias", shape: [width]))
    }
}

extension BlockParameters<TensorSpecification> {
    fileprivate static func named(_ prefix: String, width: Int) -> Self {
        func linear(_ name: String, _ outputs: Int, _ inputs: Int, separator: String = ".") -> LinearParameters<TensorSpecification> {
            LinearParameters(
                weight: TensorSpecification(name: "\(prefix).\(name)\(separator)weight", shape: [outputs, inputs]),
                bias: TensorSpecification(name: "\(prefix).\(name)\(separator)bias", shape: [outputs]))
        }
        return Self(
            attentionNorm: .named("\(prefix).ln_1", width: width),
            attentionInput: linear("attn.in_proj", 3 * width, width, separator: "_"),
            attentionOutput: linear("attn.out_proj", width, width),
            mlpNorm: .named("\(prefix).ln_2", width: width),
            mlpInput: linear("mlp.c_fc", 4 * width, width),
            mlpOutput: linear("mlp.c_proj", width, 4 * width))
    }
}

extension CLIPArchitecture {
    /// Reads the sizes off the shapes of a checkpoint's tensors.
    ///
    /// - Throws: `ModelError` naming the tensor that is missing or whose shape no CLIP has.
    package init(shapes: [String: [Int]]) throws(ModelError) {
        func shape(_ name: String, rank: Int) throws(ModelError) -> [Int] {
            guard let shape = shapes[name] else { throw .missingTensor(name: name) }
            guard shape.count == rank, shape.allSatisfy({ $0 > 0 }) else {
                throw .unexpectedShape(name: name, shape: shape, expected: "\(rank) dimensions")
            }
            return shape
        }
        func layerCount(_ prefix: String) throws(ModelError) -> Int {
            let indices = shapes.keys.compactMap { name in
                name.hasPrefix(prefix) ? name.dropFirst(prefix.count).split(separator: ".").first.flatMap { Int($0) } : nil
            }
            // A name may say "-5".
            guard let last = indices.max(), (0..<1000).contains(last) else { throw .missingTensor(name: prefix + "0") }
            return last + 1
        }
        let patches = try shape(CheckpointNames.patchProjection, rank: 4)
        let positions = try shape(CheckpointNames.visionPositions, rank: 2)
        let projection = try shape(CheckpointNames.visionProjection, rank: 2)
        let tokens = try shape(CheckpointNames.tokenEmbedding, rank: 2)
        let textPositions = try shape(CheckpointNames.textPositions, rank: 2)
        let patchesPerSide = Int(Double(positions[0] - 1).squareRoot().rounded())
        guard patches[1] == 3, patches[2] == patches[3], patches[2] <= 1024 else {
            throw .unexpectedShape(name: CheckpointNames.patchProjection, shape: patches, expected: "[width, 3, patch, patch]")
        }
        guard patchesPerSide > 0, patchesPerSide <= 1024, patchesPerSide * patchesPerSide == positions[0] - 1 else {
            throw .unexpectedShape(
                name: CheckpointNames.visionPositions, shape: positions, expected: "[1 + a square number of patches, width]")
        }
        for (name, width) in [(CheckpointNames.patchProjection, patches[0]), (CheckpointNames.tokenEmbedding, tokens[1])] {
            guard width % 64 == 0, width <= 1 << 14 else { throw .unsupportedWidth(name: name, width: width) }
        }
        self.init(
            vision: Tower(width: patches[0], layerCount: try layerCount(CheckpointNames.visionBlocks)),
            text: Tower(width: tokens[1], layerCount: try layerCount(CheckpointNames.textBlocks)),
            imagePixels: patchesPerSide * patches[2], patchPixels: patches[2], embeddingWidth: projection[1],
            contextLength: textPositions[0], vocabularySize: tokens[0])
    }
}
