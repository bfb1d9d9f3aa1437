import Tensors

/// What a run learns, as far as its cost depends on it.
package enum LearnedPart: Sendable, Equatable {
    case prompts(PromptConfiguration)
    case backbone(Tuning)

    package var prompts: PromptConfiguration { if case .prompts(let prompts) = self { prompts } else { .none } }
    var vision: Bool { if case .backbone(let tuning) = self { tuning != .text } else { prompts.promptsVision } }
    var text: Bool { if case .backbone(let tuning) = self { tuning != .image } else { prompts.learnsText } }
    /// Low-rank updates need the gradients of a quarter of the weights; they are counted with the towers, like prompts.
    var weights: Bool { if case .backbone(let tuning) = self { tuning != .lora } else { false } }
}

/// Multiply-adds that exact arithmetic cannot do without: products with weights, and attention. Norms, softmax,
/// activations and what finds tokens that merge are left out, as `methods.md` 8.6 does. A multiply-add is two floating-point operations.
///
/// What is not needed is counted nowhere: tokens after the end token, repeats of what all classes share,
/// keys that a causal mask hides, outputs that nothing reads, gradients that nothing learns from
/// (docs/architecture.md).
package struct OperationCount: Sendable, Equatable, Codable {
    /// For each clip, through the vision tower, and through the text tower where prompts follow the video.
    package var clipForward: Int
    package var clipBackward: Int
    /// The part of `clipForward` that no prompt changes: done once a clip where its frames stay the same.
    package var clipCachedPrefix: Int
    /// Once a step: the text tower over all classes, from the first layer that learns; nothing where no text learns, or where it
    /// runs for each clip.
    package var textForward: Int
    package var textBackward: Int
    /// Once a run: the text tower below, or all of it.
    package var textCachedPrefix: Int
    /// Once a step, forward and once more backward: keys and values of vision prompts that all frames share, and the projection of what
    /// is added to the pixels of all.
    package var sharedPrompts: Int

    /// - Parameters:
    ///   - sequences: one token sequence a class.
    ///   - frameCount: frames of a clip.
    ///   - backwardFrameCount: those of them that the backward pass goes through; nil for all.
    ///   - head: multiply-adds of a clip behind the image tower, forward (`MethodCost.headWork`). Backward they are twice as many, for
    ///     inputs and weights.
    package init(
        _ architecture: CLIPArchitecture, learned: LearnedPart, sequences: [[Int]], frameCount: Int, backwardFrameCount: Int? = nil,
        head: Int = 0
    ) {
        let vision = Self.vision(architecture, learned: learned)
        let text = Self.text(architecture, learned: learned, sequences: sequences)
        let net = learned.prompts.metaNetWidth.map { architecture.metaNetShape(hiddenWidth: $0) }
        clipForward = frameCount * vision.forward + head + (net.map { text.forward + $0.productCount } ?? 0)
        // The video's own gradient is not needed.
        clipBackward = (backwardFrameCount ?? frameCount) * vision.backward + 2 * head
            + (net.map { text.backward + $0.productCount + $0.textWidth * $0.hiddenWidth } ?? 0)
        clipCachedPrefix = frameCount * vision.cachedPrefix
        textForward = net == nil ? text.forward : 0
        textBackward = net == nil ? text.backward : 0
        textCachedPrefix = text.cachedPrefix
        sharedPrompts = vision.prompts
    }

    package var stepForward: Int { textForward + sharedPrompts }
    package var stepBackward: Int { textBackward + sharedPrompts }

    /// - Parameter input: of clips whose prefix is cached, the rest is needed.
    package func step(clips: Int, input: ClipInput = .pixels) -> Int {
        stepForward + stepBackward + clips * (clipForward + clipBackward - (input == .cachedPrefix ? clipCachedPrefix : 0))
    }

    /// Floating-point operations of all steps of a run, two a multiply-add.
    ///
    /// - Parameters:
    ///   - looks: clips that go through the steps, each as often as it is met.
    ///   - sparedLooks: those of them whose prefix was cached before.
    package func training(steps: Int, looks: Int, sparedLooks: Int) -> Double {
        2 * Double(steps) * Double(stepForward + stepBackward) + 2 * Double(textCachedPrefix)
            + 2 * Double(looks) * Double(clipForward + clipBackward) - 2 * Double(sparedLooks) * Double(clipCachedPrefix)
    }

    /// Classifying clips, without what is computed once for all of them: class embeddings and shared prompts.
    package func evaluation(clips: Int) -> Int { clips * clipForward }

    // MARK: Without savings

    /// One frame through a ViT as the paper counts it: 12(12d²L + 2L²d) + patches + projection for ViT-B/16
    /// (`methods.md` 8.6).
    package static func wholeFrame(_ architecture: CLIPArchitecture, promptTokens: Int = 0) -> Int {
        let tower = architecture.vision
        let tokens = architecture.frameTokenCount + promptTokens
        return tower.layerCount * wholeBlock(tower, tokens: tokens) + PoolingCount(architecture).forward
            + architecture.patchCount * architecture.patchWidth * tower.width + projectionWork(architecture)
    }

    /// Of a frame's vector, where it is projected.
    private static func projectionWork(_ architecture: CLIPArchitecture) -> Int {
        architecture.form.hasSigLIPEnds ? 0 : architecture.vision.width * architecture.embeddingWidth
    }

    /// One padded text through the text tower.
    package static func wholeText(_ architecture: CLIPArchitecture) -> Int {
        let tower = architecture.text
        return tower.layerCount * wholeBlock(tower, tokens: architecture.contextLength) + tower.width * architecture.embeddingWidth
    }

    /// Forward, then backward to all inputs and, where weights learn, to these: the way without the savings.
    ///
    /// - Parameters:
    ///   - textCount: classes, or texts of the step's clips.
    ///   - head: as a clip has it behind the image tower, where its weights learn.
    package static func wholeStep(
        _ architecture: CLIPArchitecture, learned: LearnedPart, textCount: Int, frameCount: Int, clips: Int, head: Int = 0
    ) -> Int {
        func passes(_ learns: Bool) -> Int { !learns ? 1 : learned.weights ? 3 : 2 }
        return clips * (frameCount * wholeFrame(architecture, promptTokens: learned.prompts.visionTokens) * passes(learned.vision) + 3 * head)
            + textCount * wholeText(architecture) * passes(learned.text) * (learned.prompts.followsVideos ? clips : 1)
    }

    /// One transformer block over `tokens` that all see each other.
    package static func wholeBlock(_ tower: CLIPArchitecture.Tower, tokens: Int) -> Int {
        tokens * tower.productsPerRow + 2 * tokens * tokens * tower.width
    }

    /// Pooling the tokens of one frame by attention; nothing where the class token is read. The probe's query is the same for all
    /// frames and is counted for each.
    private struct PoolingCount {
        private var products = 0
        private var pairs = 0

        init(_ architecture: CLIPArchitecture) {
            guard architecture.poolingHeadCount != nil else { return }
            let (width, tokens) = (architecture.vision.width, architecture.frameTokenCount)
            products = 2 * (tokens + 1) * width * width + 2 * width * architecture.poolingMLPWidth
            pairs = tokens * width
        }

        var forward: Int { products + 2 * pairs }
        func backward(learns: Bool) -> Int { (learns ? 2 : 1) * products + 4 * pairs }
    }

    // MARK: As it is needed

    private static func vision(
        _ architecture: CLIPArchitecture, learned: LearnedPart
    ) -> (forward: Int, backward: Int, prompts: Int, cachedPrefix: Int) {
        let width = architecture.vision.width
        let layout = VisionLayout(architecture: architecture, prompts: learned.prompts)
        let patches = architecture.patchCount * architecture.patchWidth * width
        let projection = projectionWork(architecture)
        let pooling = PoolingCount(architecture)
        var forward = patches + projection + pooling.forward
        var backward = learned.vision
            ? projection + (learned.weights ? projection + patches : 0) + pooling.backward(learns: learned.weights) : 0
        var prompts = layout.promptsPixels ? patches : 0
        var cachedPrefix = layout.promptsPixels ? 0 : learned.vision ? patches : forward
        // What a frame says and hears before each block: the message, its queries, keys, values and output among the frames', and its
        // keys and values in the block.
        let message = architecture.crossFrame.map { 7 * width * width + 2 * $0.frameCount * width } ?? 0
        for layer in 0..<layout.layerCount {
            let block = BlockCount(shape: layout.shape(of: layer, frameCount: 1), tower: architecture.vision, isCausal: false)
            forward += block.forward + message
            if learned.weights, learned.vision { backward += 2 * message }
            if layout.mode(of: layer) == .shared { prompts += layout.promptTokens * 2 * width * width }
            if !learned.vision || layer < layout.promptFreeLayerCount { cachedPrefix += block.forward }
            guard learned.vision, layer >= layout.promptFreeLayerCount else { continue }
            let needsInput = layer > layout.promptFreeLayerCount || layout.mode(of: layer) == .own || learned.weights || layout.promptsPixels
            backward += block.backward(hasOutput: true, needsInput: needsInput, learns: learned.weights)
        }
        return (forward, backward, prompts, learned.weights ? 0 : cachedPrefix)
    }

    private static func text(
        _ architecture: CLIPArchitecture, learned: LearnedPart, sequences: [[Int]]
    ) -> (forward: Int, backward: Int, cachedPrefix: Int) {
        let tower = architecture.text
        let isCausal = architecture.form.isTextCausal
        // Without a mask texts fill the context.
        let sequences = isCausal ? sequences : sequences.map { $0 + [Int](repeating: 0, count: max(0, architecture.contextLength - $0.count)) }
        let layout = TextTowerLayout(
            sequences: sequences, promptTokens: learned.prompts.textTokens, promptLayers: learned.prompts.textLayers,
            architecture: architecture)
        let projection = layout.batch.classCount * tower.width * architecture.embeddingWidth
        var forward = projection
        var backward = learned.text ? (learned.weights ? 2 : 1) * projection : 0
        var cachedPrefix = 0
        for layer in 0..<layout.layerCount {
            let learns = learned.text && layer >= layout.promptFreeLayerCount
            let before = forward
            if !layout.batch.prefix.isEmpty {
                let prefix = BlockCount(shape: layout.prefixShape(of: layer), tower: tower, isCausal: isCausal)
                forward += prefix.forward
                if learns {
                    backward += prefix.backward(
                        hasOutput: layout.prefixShape(of: layer).queries == .every, needsInput: true, learns: learned.weights)
                }
            }
            for chunk in layout.chunks.indices {
                let block = BlockCount(shape: layout.chunkShape(of: chunk, layer: layer), tower: tower, isCausal: isCausal)
                forward += block.forward
                if learns {
                    backward += block.backward(
                        hasOutput: true, needsInput: layer > layout.promptFreeLayerCount || learned.weights || layout.hasOwnPrompts,
                        learns: learned.weights)
                }
            }
            if layer < layout.promptFreeLayerCount {
                cachedPrefix += forward - before
                forward = before
            }
        }
        // Texts that do not learn are computed once.
        return learned.text ? (forward, backward, cachedPrefix) : (0, 0, cachedPrefix + forward)
    }
}

extension CLIPArchitecture.Tower {
    /// Multiply-adds of a row's products with a block's weights.
    fileprivate var productsPerRow: Int { 4 * width * width + 2 * width * mlpWidth }
}

/// The multiply-adds of `TransformerBlock` on one shape.
private struct BlockCount {
    let rows: Int
    let queries: Int
    /// Rows that pass the MLP.
    let outputs: Int
    /// Pairs of a query and a key that it sees: shared keys, and the group's own.
    let sharedPairs: Int
    let ownPairs: Int
    let width: Int
    let mlpWidth: Int

    init(shape: BlockShape, tower: CLIPArchitecture.Tower, isCausal: Bool) {
        rows = shape.groups.rowCount
        queries = shape.queryCount
        outputs = shape.outputCount
        width = tower.width
        mlpWidth = tower.mlpWidth
        sharedPairs = shape.queryCount * shape.sharedCount
        ownPairs = (0..<shape.groups.count).reduce(0) { sum, group in
            let length = shape.groups.length(of: group)
            let count = shape.queryRows(of: group).count
            // Under the mask, query i of all sees the keys 0 … i.
            return sum + (isCausal && shape.queries != .last ? count * (count + 1) / 2 : count * length)
        }
    }

    private var square: Int { width * width }
    /// Output projection and MLP.
    private var outputSide: Int { queries * square + outputs * 2 * width * mlpWidth }
    /// Keys and values of all rows, and queries.
    private var inputSide: Int { square * (2 * rows + queries) }
    private var pairs: Int { sharedPairs + ownPairs }

    var forward: Int { inputSide + 2 * pairs * width + outputSide }

    /// - Parameters:
    ///   - hasOutput: whether anything comes back from the block's output.
    ///   - needsInput: whether anything below learns; else only shared keys and values do.
    func backward(hasOutput: Bool, needsInput: Bool, learns: Bool) -> Int {
        guard hasOutput else { return (learns ? 2 : 1) * 2 * square * rows }
        // The probabilities' gradient and the shared keys' and values'; then the queries' and the own ones'.
        let attention = needsInput ? 4 * pairs * width : pairs * width + 2 * sharedPairs * width
        return outputSide + attention + (needsInput ? inputSide : 0) + (learns ? outputSide + inputSide : 0)
    }
}
