import Tensors

/// Gradients of CLIP's own training: pictures and captions of a batch find each other.
///
/// Loss: cross-entropy from pictures to captions and back, averaged; equal captions share the target.
/// Source: Radford et al. 2021, figure 3.
package final class ContrastiveLearner {
    private let architecture: CLIPArchitecture
    private let parameters: BackboneParameters<MutableMatrix>
    private let towers: (vision: VisionTower, text: TextTower)
    private let vision: VisionPass
    private let pool: WorkerPool

    package init(parameters: BackboneParameters<MutableMatrix>, architecture: CLIPArchitecture, batchSize: Int, pool: WorkerPool) {
        self.parameters = parameters
        self.architecture = architecture
        self.pool = pool
        let reading = parameters.map(\.reading)
        towers = (
            VisionTower(architecture: architecture, parameters: reading.vision),
            TextTower(architecture: architecture, parameters: reading.text)
        )
        // One "clip" whose frames are the batch's pictures.
        vision = VisionPass(
            tower: towers.vision, prompts: .none, frameCount: batchSize, keeping: .weights, pool: pool)
    }

    /// Adds the batch's gradient to `gradients`.
    ///
    /// - Parameters:
    ///   - pictures: `[batch, 3 × side × side]`.
    ///   - captions: one token sequence a picture.
    /// - Returns: the loss, and the share of pictures whose own caption is the nearest.
    package func add(
        pictures: Matrix, captions: [[Int]], into gradients: BackboneParameters<MutableMatrix>
    ) -> (loss: Double, accuracy: Double) {
        let count = captions.count
        let layout = TextTowerLayout(batch: TextBatch(sequences: captions, promptTokens: 0), promptDepth: 0, architecture: architecture)
        let textMemory = TextActivations(layout: layout, architecture: architecture, keeping: .weights, threadCount: pool.threadCount)
        towers.text.forward(prompts: [], saved: textMemory, pool: pool)
        let pictureFeatures = TextFeatures(vision.forward(clips: [pictures], context: nil)[0])
        let captionFeatures = TextFeatures(textMemory.features)

        let logits = MutableMatrix(rows: count, columns: count)
        multiply(pictureFeatures.unit, .asStored, captionFeatures.unit, .transposed, into: logits, scale: parameters.scale)
        let rows = (0..<count).map { logits.row($0).values }
        let (loss, gradientRows) = symmetricLoss(rows: rows, captions: captions)
        let logitGradient = MutableMatrix(rows: count, columns: count, gradientRows.flatMap { $0 })
        gradients.logitScale[0, 0] += zip(logitGradient.values, logits.values).reduce(0) { $0 + $1.0 * $1.1 }

        let width = architecture.embeddingWidth
        let pictureGradient = MutableMatrix(rows: count, columns: width)
        let captionGradient = MutableMatrix(rows: count, columns: width)
        multiply(logitGradient, .asStored, captionFeatures.unit, .asStored, into: pictureGradient, scale: parameters.scale)
        multiply(logitGradient, .transposed, pictureFeatures.unit, .asStored, into: captionGradient, scale: parameters.scale)

        let turnstile = Turnstile(gateCount: LearningVision.gateCount(of: architecture))
        vision.backward(
            clips: [pictures], featureGradients: [pictureFeatures.backward(unitGradient: pictureGradient)], context: nil,
            promptSums: [],
            weights: { [architecture] item in
                LearningVision(gradients: gradients.vision, architecture: architecture, turnstile: turnstile, item: item)
            })
        towers.text.backward(
            featureGradient: captionFeatures.backward(unitGradient: captionGradient).reading, saved: textMemory,
            promptGradients: [], weights: LearningText(gradients: gradients.text, architecture: architecture), pool: pool)

        let hits = (0..<count).count { row in
            guard let best = rows[row].indices.max(by: { rows[row][$0] < rows[row][$1] }) else { return false }
            return captions[best] == captions[row]
        }
        return (loss, Double(hits) / Double(count))
    }

    /// Both directions' mean cross-entropy and the gradient of the logits.
    private func symmetricLoss(rows: [[Float]], captions: [[Int]]) -> (loss: Double, gradient: [[Float]]) {
        let count = rows.count
        var gradient = rows.map { [Float](repeating: 0, count: $0.count) }
        var loss = 0.0
        for index in 0..<count {
            let same = captions.map { $0 == captions[index] ? Float(1) : 0 }
            let share = same.reduce(0, +)
            let target = same.map { $0 / share }
            let (rowLoss, rowGradient) = softCrossEntropy(logits: rows[index], target: target)
            let (columnLoss, columnGradient) = softCrossEntropy(logits: rows.map { $0[index] }, target: target)
            loss += (rowLoss + columnLoss) / Double(2 * count)
            for other in 0..<count {
                gradient[index][other] += rowGradient[other] / Float(2 * count)
                gradient[other][index] += columnGradient[other] / Float(2 * count)
            }
        }
        return (loss, gradient)
    }
}
