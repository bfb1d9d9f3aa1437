import Tensors

extension Learner where Aim: BatchObjective {
    /// All clips of a batch and their texts there, the loss of all, and back.
    ///
    /// Every video meets every caption of its batch. So the embeddings of the whole batch are computed first and the
    /// loss from these; then the clips go through the vision tower a second time where not all are in flight together,
    /// and take their share of the gradient. Nothing is approximated, and memory does not grow with the batch but by
    /// the clips themselves. Source of the two passes: Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size
    /// under Memory Limited Setup".
    ///
    /// - Parameters:
    ///   - clips: `[frames, 3 × side × side]` each, normalized pixels.
    ///   - captions: tokens, from start to end token, with room for prompts where these are learned; one per clip, or
    ///     one per frame if the aggregator does not mix frames.
    ///   - videos: a number per pair, equal for the same video; nil where all are different.
    ///   - weight: the batch's share of the step's loss.
    ///   - place: steps that were taken before, and the first clip's place in this one.
    @discardableResult
    package func addTogether(
        clips: [Matrix], captions: [[Int]], videos: [Int]? = nil, weight: Float = 1, place: (step: Int, clip: Int) = (0, 0)
    ) -> (loss: Double, accuracy: Double) {
        let textMemory = TextActivations.fitted(
            layout: Self.textLayout(of: captions, part), architecture: part.text.architecture, keeping: part.textKeeping,
            pool: pool, budget: budget)
        part.drawTexts(step: place.step, clip: place.clip)
        part.text.forward(prompts: part.textPrompts, words: part.textWords, dropout: part.textDropout, saved: textMemory, pool: pool)
        let captionFeatures = TextFeatures(textMemory.features)

        let groups = vision.inFlight(of: clips.count)
        var frameFeatures: [MutableMatrix] = []
        for group in groups {
            part.drawClips(step: place.step, clip: place.clip + group.lowerBound)
            frameFeatures += vision.forward(clips: Array(clips[group]), context: part.context)
        }
        let pooled = frameFeatures.map { part.aggregator.pooled($0.reading) }
        let videoFeatures = TextFeatures(joined(pooled.map(\.rows)))

        let loss = objective.loss(
            videos: videoFeatures.unit, captions: captionFeatures.unit, scale: part.scale,
            matches: PairMatches(videos: videos, captions: captions), weight: weight)
        part.add(logitScale: loss.logitScaleGradient)
        objective.addGradients(of: loss)
        let videosLearn = part.visionKeeping.hasBackward
        let featureGradients = videosLearn || !accumulator.step.head.aggregator.isEmpty
            ? spread(videoFeatures.backward(unitGradient: loss.videoGradient), over: frameFeatures, saved: pooled.map(\.saved)) : []
        if videosLearn {
            for group in groups {
                part.drawClips(step: place.step, clip: place.clip + group.lowerBound)
                // The activations of the last clips in flight are still there, those of others are not.
                if groups.count > 1 { _ = vision.forward(clips: Array(clips[group]), context: part.context) }
                part.visionBackward(
                    vision, clips: Array(clips[group]), input: .pixels, draws: [], featureGradients: Array(featureGradients[group]),
                    accumulator: accumulator)
            }
        }
        if part.textKeeping.hasBackward {
            part.textBackward(
                featureGradient: captionFeatures.backward(unitGradient: loss.captionGradient).reading, saved: textMemory, pool: pool)
        }
        return (loss.loss, loss.accuracy)
    }

    /// The rows of all clips, `[videos, embeddingWidth]`; of one clip as they are.
    private func joined(_ rows: [Matrix]) -> Matrix {
        if rows.count == 1 { return rows[0] }
        let result = MutableMatrix(rows: rows.reduce(0) { $0 + $1.rowCount }, columns: part.vision.architecture.embeddingWidth)
        var start = 0
        for clip in rows {
            result.rows(start..<start + clip.rowCount).copy(clip)
            start += clip.rowCount
        }
        return result.reading
    }

    /// The gradient of the pooled rows back to the frames: for each clip `[frames, embeddingWidth]`.
    private func spread(
        _ gradient: MutableMatrix, over features: [MutableMatrix], saved: [Part.Aggregator.Saved]
    ) -> [MutableMatrix] {
        var start = 0
        return zip(features, saved).map { frames, saved in
            let count = part.aggregator.mixesFrames ? 1 : frames.rowCount
            defer { start += count }
            let result = MutableMatrix(rows: frames.rowCount, columns: frames.columnCount)
            part.aggregator.pooledBackward(
                gradient.rows(start..<start + count), saved: saved, into: result,
                tensorGradients: accumulator.step.head.aggregator)
            return result
        }
    }
}
