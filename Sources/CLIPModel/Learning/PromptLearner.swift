import Tensors

/// What a step over some clips came to.
package struct StepResult: Sendable {
    package var lossSum = 0.0
    package var clipCount = 0
    /// Of each clip, in order.
    package private(set) var losses: [Double] = []
    /// Logits of each clip, in order.
    package private(set) var logits: [[Float]] = []

    package init() {}

    mutating func note(_ clip: (loss: Double, logits: [Float])) {
        lossSum += clip.loss
        losses.append(clip.loss)
        logits.append(clip.logits)
    }
}

/// Stage two: gradients of the prompts, and of nothing else.
///
/// A step is `begin`, any number of `add`, then `finish`. The text tower runs once a step, each clip
/// leaves its share of the text gradient behind (`design.md`, exact saving 10).
package final class PromptLearner {
    private let backbone: Backbone
    private let fusion: Fusion
    private let pool: WorkerPool
    private let vision: VisionPass
    private let text: TextActivations
    private let learnsVision: Bool
    /// One a chunk of a wave.
    private let waveSums: [VisionPromptAccumulator]
    /// One a clip of a wave.
    private var clipSums: [ClipAccumulator]
    private let stepSum: OrderedSum
    /// Of the whole step, once its clips are added up.
    private let total: ClipAccumulator
    private var isTotal = false

    private var head: VideoHead
    private var context: VisionPromptContext?
    private var hasText = false

    /// - Parameters:
    ///   - sequences: one token sequence a class, from start to end token.
    ///   - frameCount: frames of every clip.
    package init(
        backbone: Backbone, prompts: PromptConfiguration, sequences: [[Int]], fusion: Fusion, frameCount: Int,
        pool: WorkerPool, budget: MemoryBudget = .standard
    ) {
        self.backbone = backbone
        self.fusion = fusion
        self.pool = pool
        learnsVision = prompts.visionDepth > 0
        let batch = TextBatch(sequences: sequences, promptTokens: prompts.textTokens)
        let visionKeeping: Keeping = prompts.visionDepth > 0 ? .prompts : .nothing
        text = TextActivations.fitted(
            layout: TextTowerLayout(batch: batch, promptLayers: prompts.textLayers, architecture: backbone.architecture),
            architecture: backbone.architecture, keeping: prompts.textDepth > 0 ? .prompts : .nothing, threadCount: pool.threadCount,
            budget: budget
        ) {
            VisionPass.leastBytes(
                tower: backbone.vision, prompts: prompts, frameCount: frameCount, keeping: visionKeeping, pool: pool)
        }
        vision = VisionPass(
            tower: backbone.vision, prompts: prompts, frameCount: frameCount, keeping: visionKeeping, pool: pool, budget: budget)
        let slotCount = vision.clipsInFlight * vision.chunks.count
        let layout = vision.layout
        waveSums = learnsVision ? (0..<slotCount).map { _ in VisionPromptAccumulator(layout: layout) } : []
        clipSums = (0..<vision.clipsInFlight).map { _ in ClipAccumulator(classes: sequences.count, layout: layout) }
        total = ClipAccumulator(classes: sequences.count, layout: layout)
        stepSum = OrderedSum(length: total.all.count)
        head = VideoHead(fusion: fusion, scale: 1, text: TextFeatures(text.features))
        // A tower without a backward pass has no plan to fit: what it takes is taken.
        memoryShortfall = learnsVision ? vision.shortfall : budget.excess()
    }

    /// Numbers that ranks hand to each other in a step.
    package var sharedCount: Int { total.all.count }

    /// Bytes that the memory budget is too small by.
    package let memoryShortfall: Int

    /// Computes what the prompts alone decide: text features, and the prompts' keys and values.
    ///
    /// - Parameter clip: the place in the step of the first clip that is added here.
    package func begin(prompts: PromptSet<MutableMatrix>, at clip: Int = 0) {
        let prompts = prompts.reading
        backbone.text.forward(prompts: prompts.text, saved: text, pool: pool, hasCachedInputs: hasText)
        hasText = true
        head = VideoHead(fusion: fusion, scale: backbone.logitScale, text: TextFeatures(text.features))
        stepSum.begin(at: clip)
        isTotal = false
        context = learnsVision ? backbone.vision.promptContext(for: prompts.vision, layout: vision.layout) : nil
    }

    /// What of clips no prompt changes, to be handed to `add` as `.cachedPrefix` as often as the same pixels are met.
    ///
    /// - Parameter clips: `[frames, 3 × side × side]` each, normalized pixels.
    package func cachedPrefix(of clips: [Matrix]) -> [Matrix] {
        (learnsVision ? vision.cachedPrefix(clips: clips) : vision.forward(clips: clips, context: nil)).map(\.reading)
    }

    /// Bytes of one clip's `cachedPrefix`.
    package var cachedPrefixBytes: Int {
        let architecture = backbone.architecture
        return 4 * vision.frameCount
            * (learnsVision ? vision.layout.frameRows * architecture.vision.width : architecture.embeddingWidth)
    }

    /// Adds the clips' share of the gradient.
    ///
    /// - Parameters:
    ///   - clips: as `input` has them.
    ///   - targets: one distribution over the classes a clip.
    ///   - weight: each clip's share of the step's loss.
    package func add(
        clips: [Matrix], input: ClipInput = .pixels, targets: [[Float]], weight: Float, to result: inout StepResult
    ) {
        for start in stride(from: 0, to: clips.count, by: vision.clipsInFlight) {
            let wave = Array(clips[start..<min(start + vision.clipsInFlight, clips.count)])
            let features = input == .cachedPrefix && !learnsVision
                ? wave : vision.forward(clips: wave, input: input, context: context).map(\.reading)
            let gradients = features.map { MutableMatrix(rows: $0.rowCount, columns: $0.columnCount) }
            for index in wave.indices {
                clipSums[index].all.fill(0)
                result.note(
                    head.loss(
                        features: features[index], target: targets[start + index], weight: weight,
                        featureGradient: gradients[index], sums: &clipSums[index].head))
            }
            if learnsVision {
                let used = waveSums.prefix(wave.count * vision.chunks.count)
                for item in used { item.reset() }
                vision.backward(
                    clips: wave, input: input, featureGradients: gradients, context: context, promptAccumulators: Array(used),
                    weights: { _ in FrozenVision() })
                for (item, sums) in used.enumerated() { clipSums[item / vision.chunks.count].vision.add(sums) }
            }
            for index in wave.indices { stepSum.add(clipSums[index].all) }
        }
        result.clipCount += clips.count
    }

    /// Adds up the clips of all ranks, in an order that their number does not change.
    ///
    /// - Parameter shares: of the step's clips, of which each rank has added its own.
    package func combine(_ shares: Shares, over group: any ProcessGroup) throws(ProcessGroupError) {
        try stepSum.total(into: total.all, shares: shares, over: group)
        isTotal = true
    }

    /// Adds the step's gradient to `gradients`.
    package func finish(into gradients: PromptSet<MutableMatrix>) {
        if !isTotal { stepSum.total(into: total.all) }
        if !gradients.text.isEmpty {
            backbone.text.backward(
                featureGradient: head.text.backward(unitGradient: total.head.unitText).reading, saved: text,
                promptGradients: gradients.text, weights: FrozenText(), pool: pool)
        }
        if let context {
            backbone.vision.promptBackward(accumulator: total.vision, context: context, layout: vision.layout, into: gradients.vision)
        }
    }
}
