import Tensors

/// How the frames of a video come together (`methods.md` 2, paper table 5).
package enum Fusion: String, Sendable, CaseIterable, Codable {
    /// Mean of the frames' embeddings, then cosine similarity: ViFi-CLIP.
    case embedding
    /// Mean of the frames' logits.
    case decision
    /// Each frame is classified; the loss is the mean over frames. Videos are classified as by `decision`.
    case image
}

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

    package var classCount: Int { unit.rowCount }

    /// The gradient of the features before normalization.
    func backward(unitGradient: MutableMatrix) -> MutableMatrix {
        let gradient = MutableMatrix(rows: unit.rowCount, columns: unit.columnCount)
        normalizeRowsBackward(output: unit, lengths: lengths, outputGradient: unitGradient, inputGradient: gradient)
        return gradient
    }
}

/// From a clip's frame features to logits, loss and gradients.
package struct VideoHead: Sendable {
    package let fusion: Fusion
    /// `exp(logit_scale)`
    package let scale: Float
    package let text: TextFeatures

    package init(fusion: Fusion, scale: Float, text: TextFeatures) {
        self.fusion = fusion
        self.scale = scale
        self.text = text
    }

    /// The video's logits, one a class.
    ///
    /// - Parameter features: `[frames, embeddingWidth]`, not normalized.
    package func logits(features: some Readable) -> [Float] {
        let rows = frameOrVideoLogits(pooled(features).unit)
        return meanRow(of: rows)
    }

    /// Sums over clips that the text tower and the logit scale learn from.
    package struct Sums: Sendable {
        /// `[classes, embeddingWidth]`, gradient of the unit text features.
        package let unitText: MutableMatrix
        /// Gradient of ln(scale).
        package var logitScale = 0.0

        package init(classes: Int, width: Int) { unitText = MutableMatrix(rows: classes, columns: width) }

        init(unitText: MutableMatrix) { self.unitText = unitText }
    }

    /// The clip's loss and its gradients.
    ///
    /// - Parameters:
    ///   - weight: the clip's share of the step's loss, 1 / clips.
    ///   - featureGradient: `[frames, embeddingWidth]`, overwritten.
    /// - Returns: the clip's loss, not weighted, and its logits.
    package func loss(
        features: some Readable, target: [Float], weight: Float, featureGradient: MutableMatrix, sums: inout Sums
    ) -> (loss: Double, logits: [Float]) {
        let (unit, lengths, mean) = pooled(features)
        let logits = frameOrVideoLogits(unit)
        let rowCount = logits.rowCount
        let logitGradient = MutableMatrix(rows: rowCount, columns: logits.columnCount)
        let video = meanRow(of: logits)
        var loss = 0.0
        if fusion == .image {
            for row in 0..<rowCount {
                let (rowLoss, gradient) = softCrossEntropy(logits: logits.row(row).values, target: target)
                loss += rowLoss / Double(rowCount)
                logitGradient.row(row).fill(with: gradient.map { $0 * weight / Float(rowCount) })
            }
        } else {
            // Decision fusion is the mean of the rows: each gets an equal share of the gradient.
            let (videoLoss, gradient) = softCrossEntropy(logits: video, target: target)
            loss = videoLoss
            for row in 0..<rowCount { logitGradient.row(row).fill(with: gradient.map { $0 * weight / Float(rowCount) }) }
        }
        // logits = scale · unit · textᵀ, so d/d ln(scale) is the logits themselves.
        sums.logitScale += zip(logitGradient.values, logits.values).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        let unitGradient = MutableMatrix(rows: rowCount, columns: unit.columnCount)
        multiply(logitGradient, .asStored, text.unit, .asStored, into: unitGradient, scale: scale)
        multiply(logitGradient, .transposed, unit, .asStored, into: sums.unitText, scale: scale, adding: true)

        pooledBackward(unitGradient, unit: unit, lengths: lengths, isMean: mean, into: featureGradient)
        return (loss, video)
    }

    /// The gradient of one class's logit.
    ///
    /// - Returns: `[frames, embeddingWidth]`.
    func logitGradient(features: some Readable, label: Int) -> MutableMatrix {
        let (unit, lengths, isMean) = pooled(features)
        let unitGradient = MutableMatrix(rows: unit.rowCount, columns: unit.columnCount)
        let share = text.unit.row(label).values.map { $0 * scale / Float(unit.rowCount) }
        for row in 0..<unit.rowCount { unitGradient.row(row).fill(with: share) }
        let gradient = MutableMatrix(rows: features.rowCount, columns: features.columnCount)
        pooledBackward(unitGradient, unit: unit, lengths: lengths, isMean: isMean, into: gradient)
        return gradient
    }

    /// The video as one unit vector: of the mean of its frames, or the mean of the frames' own.
    func embedding(features: some Readable) -> [Float] {
        let (unit, _, isMean) = pooled(features)
        if isMean { return unit.values }
        let mean = MutableMatrix(rows: 1, columns: unit.columnCount, meanRow(of: unit))
        let result = MutableMatrix(rows: 1, columns: unit.columnCount)
        normalizeRows(mean, into: result, lengths: MutableMatrix(rows: 1, columns: 1))
        return result.values
    }

    /// From the gradient of `pooled`'s unit vectors to that of the features, overwritten.
    private func pooledBackward(
        _ unitGradient: MutableMatrix, unit: MutableMatrix, lengths: MutableMatrix, isMean: Bool, into featureGradient: MutableMatrix
    ) {
        let pooledGradient = MutableMatrix(rows: unit.rowCount, columns: unit.columnCount)
        normalizeRowsBackward(output: unit, lengths: lengths, outputGradient: unitGradient, inputGradient: pooledGradient)
        if isMean {
            let share = pooledGradient.values.map { $0 / Float(featureGradient.rowCount) }
            for frame in 0..<featureGradient.rowCount { featureGradient.row(frame).fill(with: share) }
        } else {
            featureGradient.copy(pooledGradient)
        }
    }

    /// Unit vectors that meet the text: one a video for embedding fusion, otherwise one a frame.
    private func pooled(_ features: some Readable) -> (unit: MutableMatrix, lengths: MutableMatrix, isMean: Bool) {
        let isMean = fusion == .embedding
        let rows: Matrix
        if isMean {
            let mean = MutableMatrix(rows: 1, columns: features.columnCount)
            sumRows(of: features, into: mean)
            mean.fill(with: mean.values.map { $0 / Float(features.rowCount) })
            rows = mean.reading
        } else {
            rows = features.reading
        }
        let unit = MutableMatrix(rows: rows.rowCount, columns: rows.columnCount)
        let lengths = MutableMatrix(rows: 1, columns: rows.rowCount)
        normalizeRows(rows, into: unit, lengths: lengths)
        return (unit, lengths, isMean)
    }

    private func frameOrVideoLogits(_ unit: MutableMatrix) -> MutableMatrix {
        let logits = MutableMatrix(rows: unit.rowCount, columns: text.classCount)
        multiply(unit, .asStored, text.unit, .transposed, into: logits, scale: scale)
        return logits
    }

    private func meanRow(of matrix: MutableMatrix) -> [Float] {
        let mean = MutableMatrix(rows: 1, columns: matrix.columnCount)
        sumRows(of: matrix, into: mean)
        return mean.values.map { $0 / Float(matrix.rowCount) }
    }
}
