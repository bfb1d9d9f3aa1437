import Tensors

/// The logits of a batch's clips by the classes of all of them: a square, in which a class that several clips share has a column for
/// each.
package struct BatchLogits<Aggregator: VideoAggregator> {
    /// Of each clip by the class of each.
    package let values: [[Float]]
    private let aggregator: Aggregator
    private let scale: Float
    private let text: TextFeatures
    /// Of `text`, the places among the texts of all classes.
    private let rows: [Int]
    private let clips: [VideoLogits<Aggregator.Saved>]

    /// - Parameters:
    ///   - head: of all classes.
    ///   - clips: `[frames, embeddingWidth]` each, not normalized.
    ///   - labels: the class of each.
    package init(_ head: VideoHead<Aggregator>, clips: [Matrix], labels: [Int]) {
        precondition(clips.count == labels.count, "a class for each clip")
        (aggregator, rows) = head.aggregator.narrowed(to: labels)
        (scale, text) = (head.scale, head.text.rows(rows))
        self.clips = aggregator.logits(ofBatch: clips, text: text, scale: scale)
        values = self.clips.map { head.meanRow(of: $0.rows) }
    }

    /// A clip's share of the gradient.
    ///
    /// - Parameters:
    ///   - gradient: of the clip's `values`.
    ///   - featureGradient: `[frames, embeddingWidth]`, overwritten.
    ///   - accumulator: of all classes, added to.
    package func backward(
        _ gradient: [Float], ofClip clip: Int, into featureGradient: MutableMatrix, accumulator: inout HeadAccumulator
    ) {
        let logits = clips[clip]
        // The clip's logits are the mean of the rows: each gets an equal share of the gradient.
        let rowGradient = MutableMatrix(rows: logits.rows.rowCount, columns: logits.rows.columnCount)
        let share = gradient.map { $0 / Float(logits.rows.rowCount) }
        for row in 0..<rowGradient.rowCount { rowGradient.row(row).fill(with: share) }
        var own = HeadAccumulator(
            unitText: MutableMatrix(rows: text.unit.rowCount, columns: text.unit.columnCount), aggregator: accumulator.aggregator)
        aggregator.logitsBackward(rowGradient, of: logits, text: text, scale: scale, into: featureGradient, accumulator: &own)
        for (place, row) in rows.enumerated() { add(own.unitText.row(place), to: accumulator.unitText.row(row)) }
        accumulator.logitScale += own.logitScale
    }
}

extension Learner {
    /// All clips of a batch, their logits by the classes of all of them, the loss of all, and back.
    ///
    /// As in `addTogether` the features of the whole batch come first, and clips go through the vision tower a second time where not
    /// all are in flight together. Unlike there the texts are those of all classes, which go through the text tower once a step.
    ///
    /// - Parameters:
    ///   - weight: each clip's share of the step's loss.
    ///   - loss: of `BatchLogits.values`, a mean over the clips, and its gradient.
    package func addByClassesOfBatch(
        _ batch: ClipBatch, weight: Float, to result: inout StepResult, loss: (_ logits: [[Float]]) -> (loss: Double, gradient: [[Float]])
    ) {
        guard let head else { preconditionFailure("the objective names its classes") }
        precondition(part.metaNet == nil && !head.aggregator.judgesFrames, "a class has one text for all clips, and a clip one loss")
        precondition(batch.input == .pixels || part.keepsWeights, "weights that learn leave nothing to cache")
        let count = batch.clips.count
        let place = nextClips(count)
        let groups = vision.inFlight(of: count)
        func features(of group: Range<Int>) -> [Matrix] {
            part.drawClips(step: place.step, clip: place.clips.lowerBound + group.lowerBound)
            let clips = Array(batch.clips[group])
            return batch.input == .cachedPrefix && !seesPrompts
                ? clips : vision.forward(clips: clips, input: batch.input, context: part.context).map(\.reading)
        }
        let frames = groups.flatMap(features)
        let logits = BatchLogits(head, clips: frames, labels: batch.labels)
        let (loss, gradient) = loss(logits.values)
        for group in groups {
            // The activations of the last clips in flight are still there, those of others are not.
            if part.visionKeeping.hasBackward, groups.count > 1 { _ = features(of: group) }
            accumulator.beginClips(group.count)
            let featureGradients = group.map { clip in
                let featureGradient = MutableMatrix(rows: frames[clip].rowCount, columns: frames[clip].columnCount)
                logits.backward(
                    gradient[clip].map { $0 * weight * Float(count) }, ofClip: clip, into: featureGradient,
                    accumulator: &accumulator[clip - group.lowerBound])
                return featureGradient
            }
            if part.visionKeeping.hasBackward {
                part.visionBackward(
                    vision, clips: Array(batch.clips[group]), input: batch.input, draws: [], featureGradients: featureGradients,
                    accumulator: accumulator)
            }
            accumulator.endClips(group.count)
        }
        result.lossSum += loss * Double(count)
        result.clipCount += count
    }
}
