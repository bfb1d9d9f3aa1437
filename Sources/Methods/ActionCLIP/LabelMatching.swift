import CLIPModel
import Tensors

/// Every video of a batch finds all texts of its class among the batch's, and every text its videos. Source: Wang et al. 2021,
/// "ActionCLIP", train.py, utils/KLLoss.py; `methods.md` 5.
///
///     q    = softmax(10 · [same class])
///     loss = ½ mean over videos of KL(q ‖ softmax(logits)) + ½ mean over texts of KL(q ‖ softmax(logitsᵀ))
package struct LabelMatching: BatchObjective {
    /// For each template those of all classes.
    private let sequences: [[[Int]]]
    private let seed: UInt64

    /// - Parameters:
    ///   - sequences: from start to end token, for each template those of all classes.
    ///   - seed: names the draws of templates.
    package init(sequences: [[[Int]]], seed: UInt64) { (self.sequences, self.seed) = (sequences, seed) }

    /// The temperature is free: it begins at the bound that pairs of captions are held in.
    package var limitsScale: Bool { false }

    /// The class of each clip in a template of its own.
    package func captions(of labels: [Int], step: Int, clips: Range<Int>) -> (tokens: [[Int]], videos: [Int]?) {
        let tokens = zip(labels, clips).map { label, clip in
            var draw = RandomSource(seed: seed, purpose: .template, epoch: step, item: clip)
            return sequences[draw.integer(below: sequences.count)][label]
        }
        return (tokens, labels)
    }

    package func loss(
        videos: MutableMatrix, captions: MutableMatrix, scale: Float, matches: PairMatches, weight: Float
    ) -> ContrastiveLoss {
        let targets = LabelTargets(matches: (0..<matches.count).map(matches.matches))
        return ContrastiveLoss(videos: videos, captions: captions, scale: scale, targets: targets.shares, weight: weight).less(targets.entropy)
    }
}
