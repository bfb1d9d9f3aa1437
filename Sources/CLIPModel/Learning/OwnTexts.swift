import Tensors

// Texts that are others for each video, as prompts make them that follow it (`MetaNet`): the text tower runs over all classes once
// per video.

extension MetaNet {
    /// The text prompts of a video.
    ///
    /// - Parameters:
    ///   - prompts: `[tokens, text width]`, of one layer.
    ///   - video: as in `forward`.
    /// - Returns: the prompts, and the hidden units that `backward` needs.
    func moved(_ prompts: Matrix, by video: Matrix) -> (prompts: Matrix, hidden: MutableMatrix) {
        let (shift, hidden) = forward(video)
        let moved = MutableMatrix(rows: prompts.rowCount, columns: prompts.columnCount)
        add(shift, toRowsOf: prompts, into: moved)
        return (moved.reading, hidden)
    }
}

extension Learner where Aim: ClipObjective {
    /// A clip's loss where its texts are its own: through the text tower and back for this clip alone.
    ///
    /// The vision tower does not learn beside such texts, so that what the video itself would get of their gradient is left out.
    func ownTextLoss(
        of clip: LearnedClip, by net: MetaNet<Matrix>, weight: Float, featureGradient: MutableMatrix, accumulator: inout HeadAccumulator
    ) -> (loss: Double, logits: [Float]) {
        guard let head, let text, let sums = accumulator.textPrompts, let sum = sums.text.first, let netSums = sums.metaNet,
            let context = part.textPrompts.first
        else { preconditionFailure("texts of a video follow from text prompts of the first layer") }
        let video = MutableMatrix(rows: 1, columns: clip.features.columnCount, head.embedding(features: clip.features)).reading
        let (prompts, hidden) = net.moved(context, by: video)
        part.text.forward(prompts: [prompts], saved: text, pool: pool)
        let own = VideoHead(part.aggregator, scale: part.scale, text: TextFeatures(text.features))
        var gradients = HeadAccumulator(
            unitText: MutableMatrix(rows: own.classCount, columns: text.features.columnCount), aggregator: accumulator.aggregator,
            objective: accumulator.objective)
        let loss = own.loss(of: clip, by: objective, weight: weight, featureGradient: featureGradient, accumulator: &gradients)

        let promptGradient = MutableMatrix(rows: prompts.rowCount, columns: prompts.columnCount)
        part.text.backward(
            featureGradient: own.text.backward(unitGradient: gradients.unitText).reading, saved: text, promptGradients: [promptGradient],
            weights: FrozenText(), pool: pool)
        Tensors.add(promptGradient, to: sum)
        let shiftGradient = MutableMatrix(rows: 1, columns: promptGradient.columnCount)
        sumRows(of: promptGradient, into: shiftGradient)
        net.backward(shiftGradient, video: video, hidden: hidden, into: netSums)
        return loss
    }
}

/// Scores each video with texts of its own.
struct OwnTextHead: ClassifierHead {
    private let texts: OwnTexts
    /// With the texts of a video that moves nothing: says how frames become a vector.
    private let plain: any ClassifierHead
    private let makeHead: @Sendable (TextFeatures) -> any ClassifierHead

    /// - Parameter makeHead: from the classes' texts.
    init(_ texts: OwnTexts, plain: TextFeatures, makeHead: @escaping @Sendable (TextFeatures) -> any ClassifierHead) {
        self.texts = texts
        self.plain = makeHead(plain)
        self.makeHead = makeHead
    }

    var classCount: Int { plain.classCount }

    func logits(features: Matrix) -> [Float] { head(of: features).logits(features: features) }

    /// With the video's texts as they are: what the frames change of these is left out.
    func logitGradient(features: Matrix, label: Int) -> MutableMatrix {
        head(of: features).logitGradient(features: features, label: label)
    }

    func embedding(features: Matrix) -> [Float] { plain.embedding(features: features) }

    private func head(of features: Matrix) -> any ClassifierHead {
        makeHead(texts.features(of: MutableMatrix(rows: 1, columns: features.columnCount, embedding(features: features)).reading))
    }
}

/// The text tower over the same classes for one video after the other.
final class OwnTexts: Sendable {
    private let tower: TextTower
    /// `[tokens, text width]`
    private let context: Matrix
    private let net: MetaNet<Matrix>
    private let memory: TextActivations
    private let pool: WorkerPool
    /// Held by whoever fills or reads the memory.
    private let turn = Monitor()

    /// - Parameter memory: laid out for the classes, without a backward pass.
    /// - Returns: nil where all videos meet the same texts.
    init?(tower: TextTower, prompts: PromptSet<Matrix>, memory: TextActivations, pool: WorkerPool) {
        guard let net = prompts.metaNet, let context = prompts.text.first else { return nil }
        (self.tower, self.context, self.net, self.memory, self.pool) = (tower, context, net, memory, pool)
    }

    /// - Parameter video: `[1, embeddingWidth]`, of unit length.
    func features(of video: Matrix) -> TextFeatures {
        turn.locked {
            tower.forward(prompts: [net.moved(context, by: video).prompts], saved: memory, pool: pool)
            return TextFeatures(memory.features)
        }
    }
}
