import Tensors

/// Gradients of CLIP's own kind of training: the pictures or videos of a batch and its captions find each other.
///
/// A step is `begin`, any number of `add`, then `finish`, as for `PromptLearner`. Here the batch is the unit of the
/// loss: every video meets every caption of its batch. So the embeddings of the whole batch are computed first and
/// the loss from these; then the clips go through the vision tower wave by wave, a second time where more than one
/// wave is needed, and take their share of the gradient. Nothing is approximated, and memory does not grow with
/// the batch but by the clips themselves. Source of the two passes: Gao et al. 2021, "Scaling Deep Contrastive
/// Learning Batch Size under Memory Limited Setup".
package final class ContrastiveLearner<Part: ContrastivePart> {
    /// What a video is.
    package enum Item: Sendable {
        /// The mean of a clip's frames.
        case clip
        /// A frame: pictures.
        case frame
    }

    private let part: Part
    private let item: Item
    private let pool: WorkerPool
    private let budget: MemoryBudget
    private let vision: VisionPass

    /// - Parameters:
    ///   - part: what learns.
    ///   - frameCount: frames of every clip.
    package init(_ part: Part, item: Item = .clip, frameCount: Int, pool: WorkerPool, budget: MemoryBudget = .standard) {
        self.part = part
        self.item = item
        self.pool = pool
        self.budget = budget
        vision = VisionPass(
            tower: part.vision, prompts: part.prompts, frameCount: frameCount, keeping: part.visionKeeping, pool: pool,
            budget: budget)
    }

    /// Bytes that the memory budget is too small by.
    package var memoryShortfall: Int { vision.shortfall }

    /// Reads what learns as it is now.
    package func begin() { part.begin(layout: vision.layout, slots: vision.clipsInFlight * vision.chunks.count, pool: pool) }

    /// Adds a batch's gradient to `gradients`; some of it only `finish` adds.
    ///
    /// - Parameters:
    ///   - clips: `[frames, 3 × side × side]` each, normalized pixels.
    ///   - captions: tokens, from start to end token, with room for prompts where these are learned; one a clip, or
    ///     one a frame.
    ///   - videos: a number a pair, equal for the same video; nil where all are different.
    ///   - weight: the batch's share of the step's loss.
    package func add(
        clips: [Matrix], captions: [[Int]], videos: [Int]? = nil, weight: Float = 1, into gradients: Part.Gradients
    ) -> (loss: Double, accuracy: Double) {
        let layout = TextTowerLayout(
            batch: TextBatch(sequences: captions, promptTokens: part.prompts.textTokens), promptLayers: part.prompts.textLayers,
            architecture: part.vision.architecture)
        let textMemory = TextActivations.fitted(
            layout: layout, architecture: part.vision.architecture, keeping: part.textKeeping, threadCount: pool.threadCount,
            budget: budget)
        part.text.forward(prompts: part.textPrompts, saved: textMemory, pool: pool)
        let captionFeatures = TextFeatures(textMemory.features)

        let waves = stride(from: 0, to: clips.count, by: vision.clipsInFlight).map {
            $0..<min($0 + vision.clipsInFlight, clips.count)
        }
        var frameFeatures: [MutableMatrix] = []
        for wave in waves { frameFeatures += vision.forward(clips: Array(clips[wave]), context: part.context) }
        let videoFeatures = TextFeatures(pooled(frameFeatures))

        let loss = ContrastiveLoss(
            videos: videoFeatures.unit, captions: captionFeatures.unit, scale: part.scale,
            matches: PairMatches(videos: videos, captions: captions), weight: weight)
        part.add(logitScale: loss.logitScaleGradient, to: gradients)
        if part.visionKeeping.hasBackward {
            let featureGradients = spread(videoFeatures.backward(unitGradient: loss.videoGradient), over: frameFeatures)
            for wave in waves {
                // One wave's activations are still there; of several, those of the last one only.
                if waves.count > 1 { _ = vision.forward(clips: Array(clips[wave]), context: part.context) }
                part.visionBackward(
                    vision, clips: Array(clips[wave]), featureGradients: Array(featureGradients[wave]), into: gradients)
            }
        }
        if part.textKeeping.hasBackward {
            part.textBackward(
                featureGradient: captionFeatures.backward(unitGradient: loss.captionGradient).reading, saved: textMemory,
                into: gradients, pool: pool)
        }
        return (loss.loss, loss.accuracy)
    }

    /// Adds what is summed over the batches of a step.
    package func finish(into gradients: Part.Gradients) { part.finish(layout: vision.layout, into: gradients) }

    /// `[videos, embeddingWidth]`, not normalized.
    private func pooled(_ features: [MutableMatrix]) -> MutableMatrix {
        let width = part.vision.architecture.embeddingWidth
        guard item == .clip else { return MutableMatrix(rows: features.reduce(0) { $0 + $1.rowCount }, columns: width, features.flatMap(\.values)) }
        let result = MutableMatrix(rows: features.count, columns: width)
        for (row, frames) in features.enumerated() { meanRow(of: frames, into: result.row(row)) }
        return result
    }

    /// The gradient of `pooled`: for each clip `[frames, embeddingWidth]`.
    private func spread(_ gradient: MutableMatrix, over features: [MutableMatrix]) -> [MutableMatrix] {
        var start = 0
        return features.enumerated().map { row, frames in
            guard item == .clip else {
                defer { start += frames.rowCount }
                return gradient.rows(start..<start + frames.rowCount)
            }
            let result = MutableMatrix(rows: frames.rowCount, columns: frames.columnCount)
            let share = gradient.row(row).values.map { $0 / Float(frames.rowCount) }
            for frame in 0..<frames.rowCount { result.row(frame).fill(with: share) }
            return result
        }
    }
}

/// A clip's frame features, averaged.
func meanRow(of frames: some Readable, into row: MutableMatrix) {
    row.fill(0)
    sumRows(of: frames, into: row)
    row.fill(with: row.values.map { $0 / Float(frames.rowCount) })
}
