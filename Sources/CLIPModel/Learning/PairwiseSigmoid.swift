import Foundation
import Tensors

/// How the pairs of a batch are compared.
package enum PairLoss: String, Sendable, CaseIterable, Codable {
    /// Each video finds its caption among the batch's, and each caption its video: `SymmetricContrastive`.
    case contrastive
    /// Of each video and each caption it is judged by itself whether they belong together: `PairwiseSigmoid`.
    case sigmoid
}

/// What a SigLIP adds to the logits of pairs.
package struct LogitBias: Sendable {
    /// `[1, 1]`
    package let value: Matrix
    /// The same where it learns.
    package let learned: LearnedTensor?

    package init(value: Matrix, learned: LearnedTensor? = nil) { (self.value, self.learned) = (value, learned) }
}

/// Of every video and every caption of a batch it is judged by itself whether they belong together.
///
///     logits = scale · videos · captionsᵀ + bias
///     loss   = −1/pairs · Σᵢⱼ log σ(±logitᵢⱼ), + where video i and caption j belong together, − elsewhere
///
/// Source: Zhai et al., ICCV 2023, "Sigmoid Loss for Language Image Pre-Training", algorithm 1; `methods_more.md` 5. Pairs that show
/// the same video or say the same belong together, too.
package struct PairwiseSigmoid: BatchObjective {
    private let pairs: SymmetricContrastive
    private let bias: LogitBias

    /// - Parameters:
    ///   - sequences, videoOfCaption: as `SymmetricContrastive` takes them.
    ///   - bias: read anew in each batch.
    package init(sequences: [[Int]] = [], videoOfCaption: [Int]? = nil, bias: LogitBias) {
        pairs = SymmetricContrastive(sequences: sequences, videoOfCaption: videoOfCaption)
        self.bias = bias
    }

    package var stepTensors: [LearnedTensor] { bias.learned.map { [$0] } ?? [] }
    /// The temperature is free, as a SigLIP's begins above the bound of CLIP's.
    package var limitsScale: Bool { false }

    package func captions(of labels: [Int], step: Int, clips: Range<Int>) -> (tokens: [[Int]], videos: [Int]?) {
        pairs.captions(of: labels, step: step, clips: clips)
    }

    package func loss(
        videos: MutableMatrix, captions: MutableMatrix, scale: Float, matches: PairMatches, weight: Float
    ) -> ContrastiveLoss {
        let count = videos.rowCount
        let products = MutableMatrix(rows: count, columns: count)
        multiply(videos, .asStored, captions, .transposed, into: products, scale: scale)
        let gradient = MutableMatrix(rows: count, columns: count)
        let bias = Double(bias.value[0, 0])
        var (loss, scaleGradient, biasGradient, hits) = (0.0, 0.0, 0.0, 0)
        for row in 0..<count {
            let isMatch = matches.matches(of: row)
            for column in 0..<count {
                let product = Double(products[row, column])
                let sign: Double = isMatch[column] ? 1 : -1
                let evidence = sign * (product + bias)
                // log σ(x) = min(x, 0) − log(1 + exp(−|x|)), whose slope is σ(−x).
                loss -= (min(evidence, 0) - log1p(exp(-abs(evidence)))) / Double(count)
                let slope = -sign / (1 + exp(evidence)) / Double(count) * Double(weight)
                gradient[row, column] = Float(slope)
                scaleGradient += slope * product
                biasGradient += slope
            }
            if let best = isMatch.indices.max(by: { products[row, $0] < products[row, $1] }), isMatch[best] { hits += 1 }
        }
        return ContrastiveLoss(
            loss: loss, hits: hits, productGradient: gradient, logitScaleGradient: scaleGradient, logitBiasGradient: biasGradient, videos: videos,
            captions: captions, scale: scale)
    }

    package func addGradients(of loss: ContrastiveLoss) {
        if let gradient = bias.learned?.gradient { gradient[0, 0] += Float(loss.logitBiasGradient) }
    }
}
