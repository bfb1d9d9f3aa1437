import Foundation
import Tensors

/// What each clip of a batch should say of the texts of all of them, as a distribution that leaves something to other classes:
/// softmax(10 · [same class]). Source: Wang et al. 2021, "ActionCLIP", utils/KLLoss.py; `methods.md` 5.
struct LabelTargets {
    /// What sets a match apart from others, before the softmax.
    private static let sharpness: Float = 10

    /// For each clip a share of each.
    let shares: [[Float]]

    /// - Parameter matches: for each clip, which of all clips are of its class.
    init(matches: [[Bool]]) {
        shares = matches.map { isMatch in logProbabilities(of: isMatch.map { $0 ? Self.sharpness : 0 }).map { Float(exp($0)) } }
    }

    /// Mean over the clips: what a cross-entropy has beside the divergence (KL), which no parameter changes.
    var entropy: Double { shares.joined().reduce(0) { $0 - Double($1) * log(Double($1)) } / Double(max(1, shares.count)) }
}
