import CLIPModel
import Tensors

/// Every clip of a batch finds its class among those of the batch's clips, and every class its clips. Source: Chen et al., OST, CVPR
/// 2024; tomchen-ctj/OST, utils/NCELoss.py; `methods_more.md` 4.
///
///     q    = softmax(10 · [same class])
///     loss = mean over clips of KL(q ‖ softmax(logits)) + mean over columns of KL(q ‖ softmax(logitsᵀ))
///
/// Twice ActionCLIP's (`LabelMatching`), which is halved. A class that several clips share has a column for each of them.
package struct ClassMatching: Objective {
    private let sequences: [[Int]]

    /// - Parameter sequences: of all classes, as `SoftCrossEntropy` takes them.
    package init(sequences: [[Int]]) { self.sequences = sequences }

    package var classes: [[Int]]? { sequences }
    package var comparesClips: Bool { true }

    package func add<Part>(_ batch: ClipBatch, weight: Float, through learner: Learner<Part, Self>, to result: inout StepResult) {
        learner.addByClassesOfBatch(batch, weight: weight, to: &result) { Self.loss(logits: $0, labels: batch.labels) }
    }

    /// The loss of a batch and its gradient.
    ///
    /// - Parameter logits: of each clip by the class of each.
    package static func loss(logits: [[Float]], labels: [Int]) -> (loss: Double, gradient: [[Float]]) {
        let targets = LabelTargets(matches: labels.map { label in labels.map { $0 == label } })
        let (loss, gradient) = symmetricCrossEntropy(logits: logits, targets: targets.shares)
        return (2 * (loss - targets.entropy), gradient.map { $0.map { 2 * $0 } })
    }
}
