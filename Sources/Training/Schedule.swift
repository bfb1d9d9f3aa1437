import Foundation

/// Learning rate by step: a linear warm-up to the base rate, then a cosine to a hundredth of it.
///
/// timm's scheduler as the paper's code sets it up (`methods.md` 1.4), but for two faults: the first step
/// learns nothing (`startsIdle`), and the rate drops abruptly after the warm-up (`dropsAfterWarmup`).
package struct CosineSchedule: Sendable, Equatable {
    package var baseRate: Double
    package var stepCount: Int
    package var warmupSteps: Int
    /// The warm-up begins with a step of rate 0.
    package var startsIdle: Bool
    /// The cosine counts from the first step, so that the warm-up has used up a part of it.
    package var dropsAfterWarmup: Bool
    /// Steps after which the cosine begins anew, whatever the run's length; nil for one that lasts as long as the run.
    package var cosineSteps: Int?

    package init(
        baseRate: Double, stepCount: Int, warmupSteps: Int, startsIdle: Bool = false, dropsAfterWarmup: Bool = false,
        cosineSteps: Int? = nil
    ) {
        self.cosineSteps = cosineSteps
        self.baseRate = baseRate
        self.stepCount = stepCount
        self.warmupSteps = warmupSteps
        self.startsIdle = startsIdle
        self.dropsAfterWarmup = dropsAfterWarmup
    }

    /// - Parameter step: counts from 0.
    package func rate(at step: Int) -> Double {
        if step < warmupSteps { return baseRate * Double(startsIdle ? step : step + 1) / Double(warmupSteps) }
        let floor = baseRate / 100
        let start = dropsAfterWarmup ? 0 : warmupSteps
        let share = cosineSteps.map { Double((step - start) % $0) / Double($0) } ?? Double(step - start) / Double(max(1, stepCount - start))
        return floor + 0.5 * (baseRate - floor) * (1 + cos(.pi * share))
    }
}
