import Tensors

/// The symmetric cross-entropy of a batch of pairs: each picture or video finds its caption among the batch's
/// captions, and each caption its video.
///
///     logits = scale · videos · captionsᵀ
///     loss   = ½ (mean over rows + mean over columns) of cross-entropy(logits, targets)
///
/// Source: Radford et al. 2021, figure 3. Pairs that show the same video or say the same are no negatives of each
/// other: a row's target is spread evenly over all its matches.
package struct ContrastiveLoss {
    /// Mean over both directions, in nats.
    package let loss: Double
    /// Share of rows whose highest logit is a match.
    package let accuracy: Double
    /// Gradients of the unit vectors, `[pairs, width]`.
    let videoGradient: MutableMatrix
    let captionGradient: MutableMatrix
    /// Gradient of ln(scale).
    let logitScaleGradient: Double
    /// Gradient of what is added to the logits; 0 where nothing is.
    package let logitBiasGradient: Double

    private init(
        loss: Double, accuracy: Double, videoGradient: MutableMatrix, captionGradient: MutableMatrix, logitScaleGradient: Double,
        logitBiasGradient: Double
    ) {
        (self.loss, self.accuracy) = (loss, accuracy)
        (self.videoGradient, self.captionGradient) = (videoGradient, captionGradient)
        (self.logitScaleGradient, self.logitBiasGradient) = (logitScaleGradient, logitBiasGradient)
    }

    /// A loss over a batch's pairs by its gradient of the products `scale · videos · captionsᵀ`.
    ///
    /// - Parameter hits: rows whose highest logit is a match.
    init(
        loss: Double, hits: Int, productGradient: MutableMatrix, logitScaleGradient: Double, logitBiasGradient: Double = 0, videos: MutableMatrix,
        captions: MutableMatrix, scale: Float
    ) {
        let count = videos.rowCount
        let videoGradient = MutableMatrix(rows: count, columns: videos.columnCount)
        let captionGradient = MutableMatrix(rows: count, columns: captions.columnCount)
        multiply(productGradient, .asStored, captions, .asStored, into: videoGradient, scale: scale)
        multiply(productGradient, .transposed, videos, .asStored, into: captionGradient, scale: scale)
        self.init(
            loss: loss, accuracy: Double(hits) / Double(max(1, count)), videoGradient: videoGradient, captionGradient: captionGradient,
            logitScaleGradient: logitScaleGradient, logitBiasGradient: logitBiasGradient)
    }

    /// - Parameters:
    ///   - videos, captions: unit vectors, `[pairs, width]`; row i of both is pair i.
    ///   - targets: a distribution over the pairs for each, the same for its row and its column.
    ///   - weight: the batch's share of the step's loss, which all gradients are multiplied by.
    package init(videos: MutableMatrix, captions: MutableMatrix, scale: Float, targets: [[Float]], weight: Float) {
        let count = videos.rowCount
        precondition(captions.rowCount == count && targets.count == count, "a caption for each video")
        let logits = MutableMatrix(rows: count, columns: count)
        multiply(videos, .asStored, captions, .transposed, into: logits, scale: scale)
        let rows = (0..<count).map { logits.row($0).values }
        let (loss, gradient) = symmetricCrossEntropy(logits: rows, targets: targets)
        let hits = zip(rows, targets).count { row, target in
            row.indices.max { row[$0] < row[$1] }.map { target[$0] == target.max() } ?? false
        }
        let logitGradient = MutableMatrix(rows: count, columns: count, gradient.flatMap { $0.map { $0 * weight } })
        self.init(
            loss: loss, hits: hits, productGradient: logitGradient,
            // logits = scale · product, so d/d ln(scale) is the logits themselves.
            logitScaleGradient: zip(logitGradient.values, logits.values).reduce(0) { $0 + Double($1.0) * Double($1.1) },
            videos: videos, captions: captions, scale: scale)
    }
}

extension ContrastiveLoss {
    /// The same less a number that no parameter changes.
    package func less(_ constant: Double) -> ContrastiveLoss {
        ContrastiveLoss(
            loss: loss - constant, accuracy: accuracy, videoGradient: videoGradient, captionGradient: captionGradient,
            logitScaleGradient: logitScaleGradient, logitBiasGradient: logitBiasGradient)
    }
}

/// How far rows and columns of a square of logits are from what they should say.
///
///     loss = ½ (mean over rows + mean over columns) of cross-entropy(logits, targets)
///
/// - Parameter targets: a distribution for each row, the same for the column of its number.
/// - Returns: the loss in nats, and its gradient row by row.
package func symmetricCrossEntropy(logits rows: [[Float]], targets: [[Float]]) -> (loss: Double, gradient: [[Float]]) {
    let count = rows.count
    precondition(targets.count == count && rows.allSatisfy { $0.count == count }, "as many columns as rows")
    var gradient = rows.map { [Float](repeating: 0, count: $0.count) }
    var loss = 0.0
    for index in 0..<count {
        let (rowLoss, rowGradient) = softCrossEntropy(logits: rows[index], target: targets[index])
        let (columnLoss, columnGradient) = softCrossEntropy(logits: rows.map { $0[index] }, target: targets[index])
        loss += (rowLoss + columnLoss) / Double(2 * count)
        for other in 0..<count {
            gradient[index][other] += rowGradient[other] / Float(2 * count)
            gradient[other][index] += columnGradient[other] / Float(2 * count)
        }
    }
    return (loss, gradient)
}

/// Which pairs of a batch belong together: the same video, or captions of the same tokens.
package struct PairMatches: Sendable {
    private let videos: [Int]
    private let captions: [Int]

    /// - Parameters:
    ///   - videos: a number a pair, equal for the same video; nil where all are different.
    ///   - captions: tokens of each pair's caption.
    package init(videos: [Int]? = nil, captions: [[Int]]) {
        self.videos = videos ?? Array(captions.indices)
        precondition(self.videos.count == captions.count, "a video for each caption")
        var numbers: [[Int]: Int] = [:]
        self.captions = captions.map { caption in
            let number = numbers[caption] ?? numbers.count
            numbers[caption] = number
            return number
        }
    }

    package var count: Int { videos.count }

    /// Of every pair.
    package var targets: [[Float]] { (0..<count).map(target) }

    /// Which pairs belong to a pair, itself among them.
    package func matches(of index: Int) -> [Bool] {
        (0..<count).map { videos[$0] == videos[index] || captions[$0] == captions[index] }
    }

    /// A distribution over the pairs; by symmetry it is that of row and of column `index`.
    package func target(of index: Int) -> [Float] {
        let isMatch = matches(of: index)
        let share = 1 / Float(isMatch.count { $0 })
        return isMatch.map { $0 ? share : 0 }
    }
}
