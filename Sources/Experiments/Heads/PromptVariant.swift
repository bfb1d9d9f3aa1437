import CLIPModel
import Recipes

/// Ways of learning prompts that `--budget` tries, the cheapest first. The raw value is what tables call them.
package enum PromptVariant: String, CaseIterable, Codable, Sendable {
    /// Language prompts alone, on features that are computed once.
    case quick = "quick-prompts"
    /// Vision prompts in the upper half of the layers, language prompts in all.
    case late = "late-prompts"
    /// As `learn` has them.
    case all = "prompts"

    /// - Parameter layerCount: of the vision tower.
    func apply(to request: inout RunRequest, layerCount: Int) {
        switch self {
        case .all: return
        case .late: request.recipe.prompts.visionLayers = PromptLayers(layerCount / 2..<layerCount)
        case .quick:
            request.learnQuickly()
            // Features of the tower as it is are there already.
            request.recipe.prompts.mergeTokens = nil
        }
        // Neither of them has prompts in the first layer.
        request.recipe.prompts.behindNorm = nil
        request.recipe.prompts.visionDepth = nil
    }
}

/// What of them fits into a budget.
package struct PromptPlan: Codable, Equatable {
    /// None where nothing fits.
    package let variants: [PromptVariant]
    /// Parts that the clips are cut into; each is held out once.
    package let folds: Int

    /// Parts at most: more cost as much again and say little more.
    private static let mostFolds = 5
    /// Of the budget that may be planned: what is measured on two clips is not exact.
    private static let plannedShare = 0.9

    /// All that fit, the cheapest first, then as many folds as fit.
    ///
    /// - Parameters:
    ///   - prices: seconds of learning once from all clips.
    ///   - budget: seconds that are left.
    package init(_ prices: [(variant: PromptVariant, seconds: Double)], within budget: Double) {
        func isAffordable(_ prices: some Collection<(variant: PromptVariant, seconds: Double)>, folds: Int) -> Bool {
            Self.seconds(prices.map(\.seconds), folds: folds) <= Self.plannedShare * budget
        }
        let prices = prices.sorted { $0.seconds < $1.seconds }
        for count in stride(from: prices.count, to: 0, by: -1) {
            let taken = prices.prefix(count)
            guard let most = (2...Self.mostFolds).last(where: { isAffordable(taken, folds: $0) }) else { continue }
            (variants, folds) = (taken.map(\.variant), most)
            return
        }
        (variants, folds) = ([], 0)
    }

    /// The least budget in which the cheapest is tried at all.
    package static func leastBudget(_ prices: [(variant: PromptVariant, seconds: Double)]) -> Double {
        (prices.map { seconds([$0.seconds], folds: 2) }.min() ?? 0) / plannedShare
    }

    /// Every variant without each fold, then one of them from all clips.
    private static func seconds(_ prices: [Double], folds: Int) -> Double {
        Double(folds - 1) * prices.reduce(0, +) + (prices.max() ?? 0)
    }
}
