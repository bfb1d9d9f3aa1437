import Foundation

/// Learning rate by step: a linear warm-up from 0, then a cosine to a hundredth of the base rate.
///
/// The warm-up does not shift the cosine, and the first step has rate 0: timm's scheduler as the
/// paper's code sets it up (`methods.md` 1.4).
package struct CosineSchedule: Sendable, Equatable {
    package var baseRate: Double
    package var stepCount: Int
    package var warmupSteps: Int

    package init(baseRate: Double, stepCount: Int, warmupSteps: Int) {
        self.baseRate = baseRate
        self.stepCount = stepCount
        self.warmupSteps = warmupSteps
    }

    /// - Parameter step: counts from 0.
    package func rate(at step: Int) -> Double {
        if step < warmupSteps { return baseRate * Double(step) / Double(warmupSteps) }
        let floor = baseRate / 100
        return floor + 0.5 * (baseRate - floor) * (1 + cos(.pi * Double(step) / Double(max(1, stepCount))))
    }
}
