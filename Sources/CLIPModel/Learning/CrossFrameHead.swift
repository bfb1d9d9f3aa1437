import Tensors

/// How X-CLIP scores a clip: a transformer over the frames' embeddings, and texts that depend on the video's patches.
///
///     video = mean over frames of (transformer(frames) + frames);  logits = scale · cos(video, prompted texts)
///
/// The texts do not learn. Source: Ni et al., ECCV 2022; `methods.md` 6.
package struct CrossFrameHead: VideoAggregator {
    private let architecture: CLIPArchitecture
    private let parameters: CrossFrameParameters<MutableMatrix>
    /// Nil where nothing learns.
    private let gradients: CrossFrameParameters<MutableMatrix>?
    private let specifications: [TensorSpecification]
    private let transformer: FrameTransformer
    private let prompts: VideoPrompts
    private let rateFactor: Double

    /// - Parameters:
    ///   - parameters: of an X-CLIP of this architecture, of which those behind the tower are read, anew in each pass.
    ///   - gradients: of the same shapes; nil where nothing learns.
    ///   - rateFactor: of the learning rate.
    package init(
        architecture: CLIPArchitecture, parameters: CrossFrameParameters<MutableMatrix>, gradients: CrossFrameParameters<MutableMatrix>? = nil,
        rateFactor: Double = 1
    ) {
        guard let crossFrame = architecture.crossFrame, let named = CrossFrameParameters<TensorSpecification>(of: architecture) else {
            preconditionFailure("frames that do not see each other have no such head")
        }
        self.architecture = architecture
        self.parameters = parameters
        self.gradients = gradients
        self.rateFactor = rateFactor
        specifications = named.head
        transformer = FrameTransformer(
            parameters: Self.withPositionRows(parameters.frames), headCount: crossFrame.frameHeadCount, normEpsilon: usualNormEpsilon)
        prompts = VideoPrompts(parameters: parameters.prompts, headCount: crossFrame.promptHeadCount)
    }

    /// For a backbone that is only read.
    package init(_ backbone: Backbone, _ parameters: CrossFrameParameters<Matrix>) {
        self.init(architecture: backbone.architecture, parameters: parameters.map(Self.copy))
    }

    private static func copy(_ matrix: some Readable) -> MutableMatrix {
        let copy = MutableMatrix(rows: matrix.rowCount, columns: matrix.columnCount)
        copy.copy(matrix)
        return copy
    }

    /// The positions, stored as one row, a row for each frame.
    private static func withPositionRows(_ frames: FrameTransformer.Parameters<MutableMatrix>) -> FrameTransformer.Parameters<MutableMatrix> {
        let width = frames.blocks.first?.attentionNorm.weight.columnCount ?? frames.positions.columnCount
        let positions = frames.positions.reshaped(rows: frames.positions.count / width, columns: width)
        return FrameTransformer.Parameters([positions] + frames.blocks.flatMap(\.all))
    }

    package var mixesFrames: Bool { true }

    package var tensors: [LearnedTensor] {
        guard let gradients else { return [] }
        return zip(specifications, zip(parameters.head, gradients.head)).map { specification, pair in
            LearnedTensor(
                name: specification.name, value: pair.0, gradient: pair.1, decays: specification.decaysInCrossFrame, rateFactor: rateFactor)
        }
    }

    package var snapshot: CrossFrameHead {
        var copy = parameters
        copy.messages = []
        let head = parameters.head.map { Self.copy($0) }
        copy.frames = FrameTransformer.Parameters(Array(head.prefix(parameters.frames.all.count)))
        copy.prompts = VideoPromptParameters(Array(head.dropFirst(parameters.frames.all.count)))
        return CrossFrameHead(architecture: architecture, parameters: copy)
    }

    package struct Saved {
        let frames: FrameTransformer.Activations
        /// Nil where only the video was wanted.
        var texts: Texts?

        struct Texts {
            let prompts: VideoPrompts.Activations
            /// `[classes, embeddingWidth]`, unit length.
            let unit: MutableMatrix
            let lengths: MutableMatrix
        }
    }

    private var width: Int { transformer.parameters.positions.columnCount }

    package func pooled(_ features: Matrix) -> (rows: Matrix, saved: Saved) {
        let embeddings = features.columns(0..<width)
        let saved = transformer.forward(embeddings)
        add(embeddings, to: saved.output)
        let mean = MutableMatrix(rows: 1, columns: width)
        meanRow(of: saved.output, into: mean)
        return (mean.reading, Saved(frames: saved))
    }

    package func pooledBackward(
        _ rowGradient: MutableMatrix, saved: Saved, into featureGradient: MutableMatrix, tensorGradients: [MutableMatrix]
    ) {
        featureGradient.fill(0)
        let outputGradient = MutableMatrix(rows: featureGradient.rowCount, columns: width)
        meanRowBackward(rowGradient, into: outputGradient)
        let embeddingGradient = MutableMatrix(rows: featureGradient.rowCount, columns: width)
        embeddingGradient.copy(outputGradient)
        transformer.backward(outputGradient, saved: saved.frames, addingTo: embeddingGradient, gradients: gradients(tensorGradients)?.frames)
        featureGradient.columns(0..<width).copy(embeddingGradient)
    }

    /// Gradients of the tensors as the parts of the head have them; nil where nothing learns.
    private func gradients(
        _ tensors: [MutableMatrix]
    ) -> (frames: FrameTransformer.Parameters<MutableMatrix>, prompts: VideoPromptParameters<MutableMatrix>)? {
        guard !tensors.isEmpty else { return nil }
        let frameCount = parameters.frames.all.count
        return (
            Self.withPositionRows(FrameTransformer.Parameters(Array(tensors.prefix(frameCount)))),
            VideoPromptParameters(Array(tensors.dropFirst(frameCount))))
    }

    package func logits(_ features: Matrix, text: TextFeatures, scale: Float) -> VideoLogits<Saved> {
        var (rows, saved) = pooled(features)
        let (unit, lengths) = (MutableMatrix(rows: 1, columns: width), MutableMatrix(rows: 1, columns: 1))
        normalizeRows(rows, into: unit, lengths: lengths)
        let (prompted, activations) = prompts.forward(
            texts: text.unnormalized.reading, patches: patches(of: features), frameCount: features.rowCount)
        let texts = Saved.Texts(
            prompts: activations, unit: MutableMatrix(rows: prompted.rowCount, columns: width),
            lengths: MutableMatrix(rows: 1, columns: prompted.rowCount))
        normalizeRows(prompted, into: texts.unit, lengths: texts.lengths)
        saved.texts = texts
        let logits = MutableMatrix(rows: 1, columns: prompted.rowCount)
        multiply(unit, .asStored, texts.unit, .transposed, into: logits, scale: scale)
        return VideoLogits(rows: logits, unit: unit, lengths: lengths, saved: saved)
    }

    /// `[frames × patches, vision width]`
    private func patches(of features: Matrix) -> MutableMatrix {
        let visionWidth = parameters.prompts.patchProjection.rowCount
        let patchCount = (features.columnCount - width) / visionWidth
        let patches = MutableMatrix(rows: features.rowCount * patchCount, columns: visionWidth)
        for frame in 0..<features.rowCount {
            let own = features.row(frame).columns(width..<features.columnCount).reshaped(rows: patchCount, columns: visionWidth)
            patches.rows(frame * patchCount..<(frame + 1) * patchCount).copy(own)
        }
        return patches
    }

    package func logitsBackward(
        _ logitGradient: MutableMatrix, of logits: VideoLogits<Saved>, text: TextFeatures, scale: Float,
        into featureGradient: MutableMatrix, accumulator: inout HeadAccumulator
    ) {
        guard let texts = logits.saved.texts else { preconditionFailure("the logits were made of texts") }
        let unit = logits.unit
        accumulator.logitScale += zip(logitGradient.values, logits.rows.values).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        let unitGradient = MutableMatrix(rows: 1, columns: width)
        multiply(logitGradient, .asStored, texts.unit, .asStored, into: unitGradient, scale: scale)
        unitBackward(unitGradient, of: logits, into: featureGradient, tensorGradients: accumulator.aggregator)

        let textGradient = MutableMatrix(rows: texts.unit.rowCount, columns: width)
        multiply(logitGradient, .transposed, unit, .asStored, into: textGradient, scale: scale)
        let promptedGradient = MutableMatrix(rows: texts.unit.rowCount, columns: width)
        normalizeRowsBackward(output: texts.unit, lengths: texts.lengths, outputGradient: textGradient, inputGradient: promptedGradient)
        let frameCount = featureGradient.rowCount
        let patchGradient = MutableMatrix(rows: texts.prompts.patches.rowCount, columns: texts.prompts.patches.columnCount)
        prompts.backward(
            promptedGradient, saved: texts.prompts, frameCount: frameCount, patchGradient: patchGradient,
            gradients: gradients(accumulator.aggregator)?.prompts)
        let patchCount = patchGradient.rowCount / frameCount
        for frame in 0..<frameCount {
            featureGradient.row(frame).columns(width..<featureGradient.columnCount)
                .reshaped(rows: patchCount, columns: patchGradient.columnCount)
                .copy(patchGradient.rows(frame * patchCount..<(frame + 1) * patchCount))
        }
    }
}

extension TensorSpecification {
    /// Whether weight decay acts on it in X-CLIP's code: not on vectors, biases and tables of positions (utils/optimizer.py).
    var decaysInCrossFrame: Bool { shape.count > 1 && !name.hasSuffix("bias") && !name.hasSuffix("positional_embedding") }
}

extension Backbone {
    /// How the frames of a clip come together: by the fusion, or as an X-CLIP does it.
    package func aggregator(fusion: Fusion) -> any VideoAggregator {
        parameters.crossFrame.map { CrossFrameHead(self, $0) } ?? fusion
    }
}
