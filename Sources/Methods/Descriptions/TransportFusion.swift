import CLIPModel
import Tensors

/// Frames that are matched with the sentences of each class, in the place of a mean of the frames (`TransportMatcher`).
package struct TransportFusion: VideoAggregator {
    /// What a clip's logits came from.
    package struct Matched {
        fileprivate let matcher: TransportMatcher
        fileprivate let matching: TransportMatcher.Matching
    }

    package typealias Saved = Matched?

    /// The rows among all texts of each class's sentences, of each kind.
    private let kinds: [[Range<Int>]]

    /// - Parameter counts: for each kind of sentences, how many of them each class has; the classes of a kind one after the other.
    package init(counts: [[Int]]) {
        var start = 0
        kinds = counts.map { classes in
            classes.map { count in
                defer { start += count }
                return start..<start + count
            }
        }
    }

    package var mixesFrames: Bool { false }

    package func classCount(of text: TextFeatures) -> Int { kinds.first?.count ?? 0 }

    package func narrowed(to labels: [Int]) -> (aggregator: TransportFusion, rows: [Int]) {
        let chosen = kinds.map { classes in labels.map { classes[$0] } }
        return (TransportFusion(counts: chosen.map { $0.map(\.count) }), chosen.flatMap { $0.flatMap(\.self) })
    }

    /// Frames meet the texts as they are.
    package func pooled(_ features: Matrix) -> (rows: Matrix, saved: Saved) { (features, nil) }

    package func pooledBackward(
        _ rowGradient: MutableMatrix, saved: Saved, into featureGradient: MutableMatrix, tensorGradients: [MutableMatrix]
    ) { featureGradient.copy(rowGradient) }

    /// One row, `[1, classes]`.
    package func logits(_ features: Matrix, text: TextFeatures, scale: Float) -> VideoLogits<Saved> {
        logits(ofBatch: [features], text: text, scale: scale)[0]
    }

    /// Sinkhorn's iteration ends for all clips at once.
    package func logits(ofBatch clips: [Matrix], text: TextFeatures, scale: Float) -> [VideoLogits<Saved>] {
        let normalized = clips.map { features in
            let unit = MutableMatrix(rows: features.rowCount, columns: features.columnCount)
            let lengths = MutableMatrix(rows: 1, columns: features.rowCount)
            normalizeRows(features, into: unit, lengths: lengths)
            return (unit: unit, lengths: lengths)
        }
        let matcher = TransportMatcher(
            kinds: kinds.map { classes in classes.map { ClassDescription(unit: text.unit.rows($0)) } }, scale: Double(scale))
        let matching = matcher.matching(ofUnit: normalized.map { DoubleMatrix($0.unit) })
        return normalized.enumerated().map { index, clip in
            VideoLogits(
                rows: MutableMatrix(rows: 1, columns: matcher.classCount, matching.logits[index].map { Float($0) }), unit: clip.unit,
                lengths: clip.lengths, saved: Matched(matcher: matcher, matching: matching.of(clip: index)))
        }
    }

    package func logitsBackward(
        _ logitGradient: MutableMatrix, of logits: VideoLogits<Saved>, text: TextFeatures, scale: Float,
        into featureGradient: MutableMatrix, accumulator: inout HeadAccumulator
    ) {
        guard let saved = logits.saved else { preconditionFailure("logits come from a matching") }
        accumulator.logitScale += zip(logitGradient.values, logits.rows.values).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        let gradients = saved.matcher.backward(
            [logitGradient.values.map(Double.init)], ofUnit: [DoubleMatrix(logits.unit)], saved.matching)
        for (classes, sums) in zip(kinds, gradients.kinds) {
            for (rows, sum) in zip(classes, sums) { add(sum.matrix, to: accumulator.unitText.rows(rows)) }
        }
        unitBackward(gradients.clips[0].matrix, of: logits, into: featureGradient, tensorGradients: accumulator.aggregator)
    }
}
