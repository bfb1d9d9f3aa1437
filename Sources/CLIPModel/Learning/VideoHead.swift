import Tensors

/// The text side of the logits: unit vectors of all classes, and what the gradient needs.
package struct TextFeatures: Sendable {
    /// `[classes, embeddingWidth]`, unit length.
    package let unit: MutableMatrix
    private let lengths: MutableMatrix

    package init(_ features: some Readable) {
        unit = MutableMatrix(rows: features.rowCount, columns: features.columnCount)
        lengths = MutableMatrix(rows: 1, columns: features.rowCount)
        normalizeRows(features, into: unit, lengths: lengths)
    }

    private init(unit: MutableMatrix, lengths: MutableMatrix) { (self.unit, self.lengths) = (unit, lengths) }

    package var classCount: Int { unit.rowCount }

    /// Some of the rows, of which one may be there several times.
    func rows(_ rows: [Int]) -> TextFeatures {
        let picked = MutableMatrix(rows: rows.count, columns: unit.columnCount)
        for (place, row) in rows.enumerated() { picked.row(place).copy(unit.row(row)) }
        return TextFeatures(unit: picked, lengths: MutableMatrix(rows: 1, columns: rows.count, rows.map { lengths[0, $0] }))
    }

    /// `[classes, embeddingWidth]`, as the text tower has them.
    var unnormalized: MutableMatrix {
        let rows = MutableMatrix(rows: unit.rowCount, columns: unit.columnCount)
        for row in 0..<rows.rowCount { add(unit.row(row), times: lengths[0, row], to: rows.row(row)) }
        return rows
    }

    /// The gradient of the features before normalization.
    package func backward(unitGradient: MutableMatrix) -> MutableMatrix {
        let gradient = MutableMatrix(rows: unit.rowCount, columns: unit.columnCount)
        normalizeRowsBackward(output: unit, lengths: lengths, outputGradient: unitGradient, inputGradient: gradient)
        return gradient
    }
}

/// What a classifier asks of a head, whatever aggregator it has.
package protocol ClassifierHead: Sendable {
    /// Logits of a clip.
    var classCount: Int { get }
    /// One per class.
    ///
    /// - Parameter features: `[frames, embeddingWidth]`, not normalized; so below.
    func logits(features: Matrix) -> [Float]
    /// `[frames, embeddingWidth]`: the gradient of one class's logit.
    func logitGradient(features: Matrix, label: Int) -> MutableMatrix
    /// The video as one unit vector.
    func embedding(features: Matrix) -> [Float]
}

/// From a clip's frame features to logits, loss and gradients.
package struct VideoHead<Aggregator: VideoAggregator>: ClassifierHead {
    package let aggregator: Aggregator
    /// `exp(logit_scale)`, or the aggregator's own.
    package let scale: Float
    package let text: TextFeatures

    package init(_ aggregator: Aggregator, scale: Float, text: TextFeatures) {
        self.aggregator = aggregator
        self.scale = aggregator.scale ?? scale
        self.text = text
    }

    package var classCount: Int { aggregator.classCount(of: text) }

    /// The video's logits, one per class.
    ///
    /// - Parameter features: `[frames, embeddingWidth]`, not normalized.
    package func logits(features: Matrix) -> [Float] {
        meanRow(of: aggregator.logits(features, text: text, scale: scale).rows)
    }

    /// The clip's loss and its gradients.
    ///
    /// - Parameters:
    ///   - weight: the clip's share of the step's loss, 1 / clips.
    ///   - featureGradient: `[frames, embeddingWidth]`, overwritten.
    ///   - accumulator: added to.
    /// - Returns: the clip's loss, not weighted, and its logits.
    package func loss(
        of clip: LearnedClip, by objective: some ClipObjective, weight: Float, featureGradient: MutableMatrix,
        accumulator: inout HeadAccumulator
    ) -> (loss: Double, logits: [Float]) {
        let logits = aggregator.logits(clip.features, text: text, scale: scale)
        let rowCount = logits.rows.rowCount
        let logitGradient = MutableMatrix(rows: rowCount, columns: logits.rows.columnCount)
        let video = meanRow(of: logits.rows)
        var loss = 0.0
        if aggregator.judgesFrames {
            for row in 0..<rowCount {
                let (rowLoss, gradient) = objective.loss(logits: logits.rows.row(row).values, of: clip)
                loss += rowLoss / Double(rowCount)
                logitGradient.row(row).fill(with: gradient.map { $0 * weight / Float(rowCount) })
            }
        } else {
            // The video's logits are the mean of the rows: each gets an equal share of the gradient.
            let (videoLoss, gradient) = objective.loss(logits: video, of: clip)
            loss = videoLoss
            for row in 0..<rowCount { logitGradient.row(row).fill(with: gradient.map { $0 * weight / Float(rowCount) }) }
        }
        aggregator.logitsBackward(
            logitGradient, of: logits, text: text, scale: scale, into: featureGradient, accumulator: &accumulator)
        if let term = objective.featureTerm(
            of: clip, weight: weight, addingTo: featureGradient, tensorGradients: accumulator.objective)
        {
            loss += term
        }
        return (loss, video)
    }

    /// The gradient of one class's logit.
    ///
    /// - Returns: `[frames, embeddingWidth]`.
    package func logitGradient(features: Matrix, label: Int) -> MutableMatrix { meanLogitGradient(features: features, texts: [label]) }

    /// The gradient of the mean of some texts' logits, `[frames, embeddingWidth]`.
    func meanLogitGradient(features: Matrix, texts labels: [Int]) -> MutableMatrix {
        let logits = aggregator.logits(features, text: text, scale: scale)
        let logitGradient = MutableMatrix(rows: logits.rows.rowCount, columns: logits.rows.columnCount)
        for row in 0..<logitGradient.rowCount {
            for label in labels { logitGradient[row, label] += 1 / Float(logitGradient.rowCount * labels.count) }
        }
        let gradient = MutableMatrix(rows: features.rowCount, columns: features.columnCount)
        var unused = HeadAccumulator(
            unitText: MutableMatrix(rows: text.classCount, columns: text.unit.columnCount),
            aggregator: aggregator.tensors.map { MutableMatrix(rows: $0.value.rowCount, columns: $0.value.columnCount) })
        aggregator.logitsBackward(logitGradient, of: logits, text: text, scale: scale, into: gradient, accumulator: &unused)
        return gradient
    }

    /// The video as one unit vector: of its one row, or the mean of the unit rows of its frames.
    package func embedding(features: Matrix) -> [Float] {
        let unit = aggregator.logits(features, text: text, scale: scale).unit
        if aggregator.mixesFrames { return unit.values }
        let mean = MutableMatrix(rows: 1, columns: unit.columnCount, meanRow(of: unit))
        let result = MutableMatrix(rows: 1, columns: unit.columnCount)
        normalizeRows(mean, into: result, lengths: MutableMatrix(rows: 1, columns: 1))
        return result.values
    }

    /// The mean of the rows that a video has.
    func meanRow(of matrix: MutableMatrix) -> [Float] {
        let mean = MutableMatrix(rows: 1, columns: matrix.columnCount)
        sumRows(of: matrix, into: mean)
        return mean.values.map { $0 / Float(matrix.rowCount) }
    }
}
