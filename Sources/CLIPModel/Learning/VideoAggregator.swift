import Tensors

/// How the frames of a video come together: from frame features to logits, and back.
///
/// A new way of putting frames together says how it pools them (`pooled`, `pooledBackward`); logits are then cosines
/// with the classes' texts. One whose texts depend on the video replaces `logits` and `logitsBackward` as well.
package protocol VideoAggregator: Sendable {
    /// What the backward pass needs of `pooled`.
    associatedtype Saved
    /// Whether a video's frames become one row. Otherwise each frame keeps a row of its own, and the video's logits are
    /// the mean of theirs.
    var mixesFrames: Bool { get }
    /// Whether each row has a loss of its own, in place of the video's mean logits.
    var judgesFrames: Bool { get }
    /// The factor on cosine similarities, where it has one of its own in place of the backbone's.
    var scale: Float? { get }
    /// Its own parameters; none for the fusions of the paper.
    var tensors: [LearnedTensor] { get }
    /// The same, with parameters that no longer change.
    var snapshot: Self { get }
    /// Classes that the texts stand for: usually one each.
    func classCount(of text: TextFeatures) -> Int

    /// The rows that meet the texts.
    ///
    /// - Parameter features: `[frames, embeddingWidth]`, not normalized.
    /// - Returns: `[1, embeddingWidth]` if frames are mixed, otherwise `[frames, embeddingWidth]`; not normalized.
    func pooled(_ features: Matrix) -> (rows: Matrix, saved: Saved)
    /// The gradient of `pooled`.
    ///
    /// - Parameters:
    ///   - featureGradient: `[frames, embeddingWidth]`, overwritten.
    ///   - tensorGradients: of `tensors`, added to.
    func pooledBackward(
        _ rowGradient: MutableMatrix, saved: Saved, into featureGradient: MutableMatrix, tensorGradients: [MutableMatrix])

    /// What compares with some classes alone, of which one may be named several times.
    ///
    /// - Returns: the same for these classes, and the rows among the texts of all that are theirs.
    func narrowed(to labels: [Int]) -> (aggregator: Self, rows: [Int])

    /// Logits of each row, `[rows, classes]`.
    func logits(_ features: Matrix, text: TextFeatures, scale: Float) -> VideoLogits<Saved>
    /// The same of several clips that are compared together; of each by itself unless frames are matched with texts.
    func logits(ofBatch clips: [Matrix], text: TextFeatures, scale: Float) -> [VideoLogits<Saved>]
    /// The gradient of `logits`.
    ///
    /// - Parameters:
    ///   - logitGradient: `[rows, classes]`.
    ///   - featureGradient: overwritten.
    ///   - accumulator: added to.
    func logitsBackward(
        _ logitGradient: MutableMatrix, of logits: VideoLogits<Saved>, text: TextFeatures, scale: Float,
        into featureGradient: MutableMatrix, accumulator: inout HeadAccumulator)
}

/// The logits of a video's rows, and what their gradient needs.
package struct VideoLogits<Saved> {
    /// `[rows, classes]`
    package let rows: MutableMatrix
    /// `[rows, embeddingWidth]`, unit length.
    package let unit: MutableMatrix
    /// `[1, rows]`, lengths of the rows before normalization.
    package let lengths: MutableMatrix
    package let saved: Saved

    package init(rows: MutableMatrix, unit: MutableMatrix, lengths: MutableMatrix, saved: Saved) {
        self.rows = rows
        self.unit = unit
        self.lengths = lengths
        self.saved = saved
    }
}

/// Gradients that a video's logits leave for the text tower, the temperature and the aggregator.
package struct HeadAccumulator: Sendable {
    /// `[classes, embeddingWidth]`, gradient of the unit text features.
    package let unitText: MutableMatrix
    /// Gradient of ln(scale).
    package var logitScale = 0.0
    /// Of the aggregator's tensors.
    package let aggregator: [MutableMatrix]
    /// Of the objective's tensors that learn from clips.
    package let objective: [MutableMatrix]
    /// Of the text prompts, where each video has texts of its own, which then leave nothing in `unitText`; nil otherwise.
    package let textPrompts: PromptSet<MutableMatrix>?

    package init(
        unitText: MutableMatrix, aggregator: [MutableMatrix] = [], objective: [MutableMatrix] = [],
        textPrompts: PromptSet<MutableMatrix>? = nil
    ) {
        self.unitText = unitText
        self.aggregator = aggregator
        self.objective = objective
        self.textPrompts = textPrompts
    }
}

extension VideoAggregator {
    package var judgesFrames: Bool { false }
    package var scale: Float? { nil }
    package var tensors: [LearnedTensor] { [] }
    package var snapshot: Self { self }
    package func classCount(of text: TextFeatures) -> Int { text.classCount }
    package func narrowed(to labels: [Int]) -> (aggregator: Self, rows: [Int]) { (self, labels) }

    package func logits(ofBatch clips: [Matrix], text: TextFeatures, scale: Float) -> [VideoLogits<Saved>] {
        clips.map { logits($0, text: text, scale: scale) }
    }

    /// What scores clips with it.
    ///
    /// - Parameters:
    ///   - text: `[templates × classes, embeddingWidth]`, one template's classes after the other's.
    ///   - scale: the backbone's factor on cosine similarities.
    package func head(text: TextFeatures, templateCount: Int = 1, scale: Float) -> any ClassifierHead {
        templateCount == 1
            ? VideoHead(self, scale: scale, text: text)
            : TemplateHead(self, scale: scale, text: text, classCount: text.classCount / templateCount)
    }

    package func logits(_ features: Matrix, text: TextFeatures, scale: Float) -> VideoLogits<Saved> {
        let (rows, saved) = pooled(features)
        let unit = MutableMatrix(rows: rows.rowCount, columns: rows.columnCount)
        let lengths = MutableMatrix(rows: 1, columns: rows.rowCount)
        normalizeRows(rows, into: unit, lengths: lengths)
        let logits = MutableMatrix(rows: unit.rowCount, columns: text.classCount)
        multiply(unit, .asStored, text.unit, .transposed, into: logits, scale: scale)
        return VideoLogits(rows: logits, unit: unit, lengths: lengths, saved: saved)
    }

    package func logitsBackward(
        _ logitGradient: MutableMatrix, of logits: VideoLogits<Saved>, text: TextFeatures, scale: Float,
        into featureGradient: MutableMatrix, accumulator: inout HeadAccumulator
    ) {
        let unit = logits.unit
        // logits = scale · unit · textᵀ, so d/d ln(scale) is the logits themselves.
        accumulator.logitScale += zip(logitGradient.values, logits.rows.values).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        let unitGradient = MutableMatrix(rows: unit.rowCount, columns: unit.columnCount)
        multiply(logitGradient, .asStored, text.unit, .asStored, into: unitGradient, scale: scale)
        multiply(logitGradient, .transposed, unit, .asStored, into: accumulator.unitText, scale: scale, adding: true)
        unitBackward(unitGradient, of: logits, into: featureGradient, tensorGradients: accumulator.aggregator)
    }

    /// From the gradient of the unit rows to that of the features, overwritten.
    package func unitBackward(
        _ unitGradient: MutableMatrix, of logits: VideoLogits<Saved>, into featureGradient: MutableMatrix,
        tensorGradients: [MutableMatrix]
    ) {
        let rowGradient = MutableMatrix(rows: unitGradient.rowCount, columns: unitGradient.columnCount)
        normalizeRowsBackward(output: logits.unit, lengths: logits.lengths, outputGradient: unitGradient, inputGradient: rowGradient)
        pooledBackward(rowGradient, saved: logits.saved, into: featureGradient, tensorGradients: tensorGradients)
    }
}

/// How the frames of a video come together without parameters (`methods.md` 2, paper table 5).
package enum Fusion: String, Sendable, CaseIterable, Codable {
    /// Mean of the frames' embeddings, then cosine similarity: ViFi-CLIP.
    case embedding
    /// Mean of the frames' logits.
    case decision
    /// Each frame is classified; the loss is the mean over frames. Videos are classified as by `decision`.
    case image
}

extension Fusion: VideoAggregator {
    package var mixesFrames: Bool { self == .embedding }
    package var judgesFrames: Bool { self == .image }

    package func pooled(_ features: Matrix) -> (rows: Matrix, saved: Void) {
        guard mixesFrames else { return (features, ()) }
        let mean = MutableMatrix(rows: 1, columns: features.columnCount)
        meanRow(of: features, into: mean)
        return (mean.reading, ())
    }

    package func pooledBackward(
        _ rowGradient: MutableMatrix, saved: Void, into featureGradient: MutableMatrix, tensorGradients: [MutableMatrix]
    ) {
        guard mixesFrames else { return featureGradient.copy(rowGradient) }
        meanRowBackward(rowGradient, into: featureGradient)
    }
}

/// A clip's frame features, averaged.
package func meanRow(of frames: some Readable, into row: MutableMatrix) {
    row.fill(0)
    sumRows(of: frames, into: row)
    row.fill(with: row.values.map { $0 / Float(frames.rowCount) })
}

/// The gradient of `meanRow`: an equal share for each frame, overwritten.
func meanRowBackward(_ rowGradient: MutableMatrix, into frames: MutableMatrix) {
    let share = rowGradient.values.map { $0 / Float(frames.rowCount) }
    for frame in 0..<frames.rowCount { frames.row(frame).fill(with: share) }
}
