import Tensors

/// What a run learns, as far as its cost depends on it.
package enum LearnedPart: Sendable, Equatable {
    case prompts(PromptConfiguration)
    case backbone(Tuning)

    package var prompts: PromptConfiguration { if case .prompts(let prompts) = self { prompts } else { .none } }
    var vision: Bool { if case .backbone(let tuning) = self { tuning != .text } else { prompts.visionDepth > 0 } }
    var text: Bool { if case .backbone(let tuning) = self { tuning != .image } else { prompts.textDepth > 0 } }
    var weights: Bool { if case .backbone = self { true } else { false } }
}

/// Multiply-adds of the matrix products of one training step, as the towers carry them out. A multiply-add is
/// two floating-point operations. Norms, softmax and activations are left out, as `methods.md` 8.6 does.
package struct OperationCount: Sendable, Equatable, Codable {
    /// For each clip.
    package var clipForward: Int
    package var clipBackward: Int
    /// The part of `clipForward` that no prompt changes: done once a clip where its frames stay the same.
    package var clipFrozen: Int
    /// Once a step: the text tower from the first layer that learns, and the vision prompts' keys and values.
    package var stepForward: Int
    package var stepBackward: Int
    /// Once a run: the text tower below.
    package var textFrozen: Int

    /// - Parameters:
    ///   - sequences: one token sequence a class.
    ///   - frameCount: frames of a clip.
    package init(_ architecture: CLIPArchitecture, learned: LearnedPart, sequences: [[Int]], frameCount: Int) {
        let vision = Self.vision(architecture, learned: learned)
        let text = Self.text(architecture, learned: learned, sequences: sequences)
        clipForward = frameCount * vision.forward
        clipBackward = frameCount * vision.backward
        clipFrozen = frameCount * vision.frozen
        stepForward = text.forward + vision.prompts
        textFrozen = text.frozen
        // Keys, values and their norm's input: one product forwards, one backwards.
        stepBackward = text.backward + vision.prompts
    }

    package func step(clips: Int) -> Int { stepForward + stepBackward + clips * (clipForward + clipBackward) }

    /// Classifying clips, without the text tower, which runs once.
    package func evaluation(clips: Int) -> Int { clips * clipForward }

    // MARK: Without savings

    /// One frame through a ViT as the paper counts it: 12(12d²L + 2L²d) + patches + projection for ViT-B/16
    /// (`methods.md` 8.6).
    package static func wholeFrame(_ architecture: CLIPArchitecture, promptTokens: Int = 0) -> Int {
        let width = architecture.vision.width
        let tokens = architecture.patchCount + 1 + promptTokens
        return architecture.vision.layerCount * wholeBlock(width: width, tokens: tokens)
            + architecture.patchCount * architecture.patchWidth * width + width * architecture.embeddingWidth
    }

    /// One padded text through the text tower.
    package static func wholeText(_ architecture: CLIPArchitecture) -> Int {
        let width = architecture.text.width
        return architecture.text.layerCount * wholeBlock(width: width, tokens: architecture.contextLength)
            + width * architecture.embeddingWidth
    }

    /// Forward, then backward to all inputs and, where weights learn, to these: the way without the savings.
    package static func wholeStep(
        _ architecture: CLIPArchitecture, learned: LearnedPart, classCount: Int, frameCount: Int, clips: Int
    ) -> Int {
        func passes(_ learns: Bool) -> Int { !learns ? 1 : learned.weights ? 3 : 2 }
        return clips * frameCount * wholeFrame(architecture, promptTokens: learned.prompts.visionTokens) * passes(learned.vision)
            + classCount * wholeText(architecture) * passes(learned.text)
    }

    private static func wholeBlock(width: Int, tokens: Int) -> Int { 12 * width * width * tokens + 2 * tokens * tokens * width }

    // MARK: As it is done

    private static func vision(
        _ architecture: CLIPArchitecture, learned: LearnedPart
    ) -> (forward: Int, backward: Int, prompts: Int, frozen: Int) {
        let width = architecture.vision.width
        let layout = VisionLayout(architecture: architecture, prompts: learned.prompts)
        let patches = architecture.patchCount * architecture.patchWidth * width
        let projection = width * architecture.embeddingWidth
        var forward = patches + projection
        var backward = learned.vision ? projection + (learned.weights ? projection + patches : 0) : 0
        var prompts = 0
        var frozen = learned.vision ? patches : patches + projection
        for layer in 0..<layout.layerCount {
            let block = BlockCount(shape: layout.shape(of: layer, frameCount: 1), width: width)
            forward += block.forward
            if layout.mode(of: layer) == .shared { prompts += layout.promptTokens * 2 * width * width }
            if !learned.vision || layer < layout.trunkLayerCount { frozen += block.forward }
            guard learned.vision, layer >= layout.trunkLayerCount else { continue }
            let needsInput = layer > layout.trunkLayerCount || layout.mode(of: layer) == .own || learned.weights
            backward += block.backward(hasOutput: true, needsInput: needsInput, learns: learned.weights)
        }
        return (forward, backward, prompts, learned.weights ? 0 : frozen)
    }

    private static func text(
        _ architecture: CLIPArchitecture, learned: LearnedPart, sequences: [[Int]]
    ) -> (forward: Int, backward: Int, frozen: Int) {
        let width = architecture.text.width
        let layout = TextTowerLayout(
            batch: TextBatch(sequences: sequences, promptTokens: learned.prompts.textTokens),
            promptLayers: learned.prompts.textLayers, architecture: architecture)
        let projection = layout.batch.classCount * width * architecture.embeddingWidth
        var forward = projection
        var backward = learned.text ? (learned.weights ? 2 : 1) * projection : 0
        var frozen = 0
        for layer in 0..<layout.layerCount {
            let learns = learned.text && layer >= layout.trunkLayerCount
            let before = forward
            let prefix = BlockCount(shape: layout.prefixShape(of: layer), width: width)
            forward += prefix.forward
            if learns {
                backward += prefix.backward(
                    hasOutput: layout.prefixShape(of: layer).queries == .every, needsInput: true, learns: learned.weights)
            }
            for chunk in layout.chunks.indices {
                let block = BlockCount(shape: layout.chunkShape(of: chunk, layer: layer), width: width)
                forward += block.forward
                if learns {
                    backward += block.backward(
                        hasOutput: true, needsInput: layer > layout.trunkLayerCount || learned.weights, learns: learned.weights)
                }
            }
            if layer < layout.trunkLayerCount {
                frozen += forward - before
                forward = before
            }
        }
        return (forward, backward, frozen)
    }
}

/// The products of `TransformerBlock` on one shape.
private struct BlockCount {
    let rows: Int
    let queries: Int
    /// Queries times keys, summed over groups.
    let scores: Int
    let sharedScores: Int
    let width: Int

    init(shape: BlockShape, width: Int) {
        rows = shape.groups.rowCount
        queries = shape.queryCount
        let groups = 0..<shape.groups.count
        scores = groups.reduce(0) { $0 + shape.queryRows(of: $1).count * (shape.sharedCount + shape.groups.length(of: $1)) }
        sharedScores = groups.reduce(0) { $0 + shape.queryRows(of: $1).count * shape.sharedCount }
        self.width = width
    }

    private var square: Int { width * width }
    /// Output projection and MLP.
    private var outputSide: Int { 9 * square * queries }
    private var inputSide: Int { square * (2 * rows + queries) }

    var forward: Int { inputSide + 2 * scores * width + outputSide }

    /// - Parameters:
    ///   - hasOutput: whether anything comes back from the block's output.
    ///   - needsInput: whether anything below learns; else only shared keys and values do.
    func backward(hasOutput: Bool, needsInput: Bool, learns: Bool) -> Int {
        guard hasOutput else { return (learns ? 2 : 1) * 2 * square * rows }
        let attention = needsInput ? 4 * scores * width : scores * width + 2 * sharedScores * width
        return outputSide + attention + (needsInput ? inputSide : 0) + (learns ? outputSide + inputSide : 0)
    }
}
