import Tensors

/// Shapes of a checkpoint's tensors by OpenAI CLIP's names, and what they tell of its sizes.
package struct CheckpointShapes {
    let shapes: [String: [Int]]

    /// Heads that a configuration names; nil where it does not.
    package struct HeadCounts: Sendable, Equatable {
        var vision: Int?
        var text: Int?
        /// Of what an X-CLIP has beside a CLIP.
        var frames: Int?
        var prompts: Int?
    }

    /// - Throws: `ModelError` naming the tensor that is missing or whose shape no CLIP has.
    func architecture(headCounts: HeadCounts, activation: Activation, textActivation: Activation? = nil) throws(ModelError) -> CLIPArchitecture {
        let form = form
        if form.hasSigLIPEnds, shapes[CheckpointNames.patchProjection]?.count == 2 { throw OtherModels.naFlex }
        let patches = try shape(CheckpointNames.patchProjection, rank: 4)
        let positions = try shape(CheckpointNames.visionPositions, rank: 2)
        let projection = try shape(form.hasSigLIPEnds ? CheckpointNames.textProjection : CheckpointNames.visionProjection, rank: 2)
        let tokens = try shape(CheckpointNames.tokenEmbedding, rank: 2)
        let textPositions = try shape(CheckpointNames.textPositions, rank: 2)
        let patchCount = positions[0] - (form.hasClassToken ? 1 : 0)
        let patchesPerSide = Int(Double(patchCount).squareRoot().rounded())
        guard patches[1] == 3, patches[2] == patches[3], patches[2] <= 1024 else {
            throw .unexpectedShape(name: CheckpointNames.patchProjection, shape: patches, expected: "[width, 3, patch, patch]")
        }
        guard patchesPerSide > 0, patchesPerSide <= 1024, patchesPerSide * patchesPerSide == patchCount else {
            throw .unexpectedShape(
                name: CheckpointNames.visionPositions, shape: positions, expected: "[\(form.hasClassToken ? "1 + " : "")a square number of patches, width]")
        }
        let vision = try tower(
            CheckpointNames.visionBlocks, width: patches[0], of: CheckpointNames.patchProjection,
            headCount: headCounts.vision ?? KnownHeads.vision(width: patches[0]))
        guard !form.isRotary || vision.headWidth % 4 == 0 else {
            throw .rotaryHeads(name: CheckpointNames.patchProjection, width: vision.width, headCount: vision.headCount)
        }
        let architecture = CLIPArchitecture(
            vision: vision,
            text: try tower(
                CheckpointNames.textBlocks, width: tokens[1], of: CheckpointNames.tokenEmbedding,
                headCount: headCounts.text ?? KnownHeads.text(width: tokens[1])),
            imagePixels: patchesPerSide * patches[2], patchPixels: patches[2], embeddingWidth: projection[1],
            contextLength: textPositions[0], vocabularySize: tokens[0], activation: activation,
            crossFrame: try crossFrame(width: projection[1], headCounts: headCounts), form: form,
            otherTextActivation: textActivation == activation ? nil : textActivation)
        if let count = architecture.poolingHeadCount, vision.width % count != 0 {
            throw .headCount(name: CheckpointNames.poolingProbe, width: vision.width, headCount: count)
        }
        return architecture
    }

    /// Which towers the tensors are made for.
    private var form: TowerForm {
        guard shapes[CheckpointNames.poolingProbe] != nil else { return .clip }
        return TowerForm(
            shapes[CheckpointNames.inputNorm + ".weight"] == nil ? .sigLIP : .perceptionEncoder,
            hasClassToken: shapes[CheckpointNames.classEmbedding] != nil)
    }

    /// What an X-CLIP has beside a CLIP; nil for a CLIP.
    private func crossFrame(width: Int, headCounts: HeadCounts) throws(ModelError) -> CrossFrameArchitecture? {
        guard form.family == .clip, shapes.keys.contains(where: { $0.hasPrefix(CrossFrameNames.prompts) || $0.hasPrefix(CrossFrameNames.frames) }) else { return nil }
        let positions = try shape(CrossFrameNames.framePositions, rank: 3)
        guard positions[0] == 1, positions[1] <= 1024, positions[2] == width else {
            throw .unexpectedShape(name: CrossFrameNames.framePositions, shape: positions, expected: "[1, frames, \(width)]")
        }
        let crossFrame = CrossFrameArchitecture(
            frameCount: positions[1], frameLayerCount: try layerCount(CrossFrameNames.frameBlocks), frameHeadCount: headCounts.frames,
            promptLayerCount: try layerCount(CrossFrameNames.promptLayers), promptHeadCount: headCounts.prompts, width: width)
        for (name, count) in [(CrossFrameNames.framePositions, crossFrame.frameHeadCount), (CrossFrameNames.patchProjection, crossFrame.promptHeadCount)] {
            guard width % count == 0 else { throw .headCount(name: name, width: width, headCount: count) }
        }
        return crossFrame
    }

    private func tower(_ blocks: String, width: Int, of name: String, headCount: Int?) throws(ModelError) -> CLIPArchitecture.Tower {
        guard width <= 1 << 14, headCount != nil || width % 64 == 0 else { throw .unsupportedWidth(name: name, width: width) }
        let layerCount = try layerCount(blocks)
        let hidden = try shape("\(blocks)0\(CheckpointNames.mlpInput)", rank: 2)
        guard hidden[0] <= 1 << 17 else {
            throw .unexpectedShape(name: "\(blocks)0\(CheckpointNames.mlpInput)", shape: hidden, expected: "at most [131072, width]")
        }
        let heads = headCount ?? CLIPArchitecture.Tower.usualHeadCount(width: width)
        guard heads > 0, width % heads == 0 else { throw .headCount(name: name, width: width, headCount: heads) }
        return CLIPArchitecture.Tower(width: width, layerCount: layerCount, headCount: heads, mlpWidth: hidden[0])
    }

    private func shape(_ name: String, rank: Int) throws(ModelError) -> [Int] {
        guard let shape = shapes[name] else { throw .missingTensor(name: name) }
        guard shape.count == rank, shape.allSatisfy({ $0 > 0 }) else {
            throw .unexpectedShape(name: name, shape: shape, expected: "\(rank) dimensions")
        }
        return shape
    }

    private func layerCount(_ prefix: String) throws(ModelError) -> Int {
        let indices = shapes.keys.compactMap { name in
            name.hasPrefix(prefix) ? name.dropFirst(prefix.count).split(separator: ".").first.flatMap { Int($0) } : nil
        }
        // A name may say "-5".
        guard let last = indices.max(), (0..<1000).contains(last) else { throw .missingTensor(name: prefix + "0") }
        return last + 1
    }

    /// Whether every tensor that the architecture calls for is there in its shape, and no other.
    ///
    /// - Throws: `ModelError`; where a shape does not fit, with the tensor that calls for another.
    func check(against architecture: CLIPArchitecture) throws(ModelError) {
        var expected: Set<String> = []
        for specification in BackboneParameters<TensorSpecification>(of: architecture).all {
            expected.insert(specification.name)
            guard let shape = shapes[specification.name] else { throw .missingTensor(name: specification.name) }
            // OpenAI stores the logit scale as a scalar, others as a vector of one.
            guard shape == specification.shape || (specification.shape.isEmpty && shape == [1]) else {
                throw contradiction(specification, shape: shape)
            }
        }
        if let unknown = shapes.keys.sorted().first(where: { !expected.contains($0) }) { throw .unexpectedTensor(name: unknown) }
    }

    /// A shape that does not fit, beside the one that the expected sizes were read off.
    private func contradiction(_ specification: TensorSpecification, shape: [Int]) -> ModelError {
        let name = specification.name
        let reference: String
        if name == CheckpointNames.textProjection, shape.first == specification.shape.first {
            reference = CheckpointNames.visionProjection
        } else if name.hasPrefix("visual.") {
            reference = CheckpointNames.patchProjection
        } else {
            reference = CheckpointNames.tokenEmbedding
        }
        guard let referenceShape = shapes[reference], reference != name else {
            return .unexpectedShape(name: name, shape: shape, expected: "\(specification.shape)")
        }
        return .contradiction(
            name: name, shape: shape, expected: specification.shape, reference: reference, referenceShape: referenceShape)
    }
}
