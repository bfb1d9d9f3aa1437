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
    /// The cosine ends at zero and not at a hundredth.
    package var fallsToZero: Bool

    package init(
        baseRate: Double, stepCount: Int, warmupSteps: Int, startsIdle: Bool = false, dropsAfterWarmup: Bool = false,
        cosineSteps: Int? = nil, fallsToZero: Bool = false
    ) {
        self.fallsToZero = fallsToZero
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
        let start = dropsAfterWarmup ? 0 : warmupSteps
        let share = cosineSteps.map { Double((step - start) % $0) / Double($0) } ?? Double(step - start) / Double(max(1, stepCount - start))
        return floor + 0.5 * (baseRate - floor) * (1 + cos(.pi * share))
    }

    /// Where the cosine ends.
    private var floor: Double { fallsToZero ? 0 : baseRate / 100 }

    /// The rates of all tensors: groups with a faster one fall to the same floor, as timm's schedule has one for all (`methods.md` 6).
    ///
    /// - Parameter step: counts from 0.
    package func stepRate(at step: Int) -> StepRate {
        let rate = rate(at: step)
        if step < warmupSteps { return StepRate(rate) }
        return StepRate(rate, perFactor: baseRate > 0 ? (rate - floor) / (baseRate - floor) * baseRate : 0)
    }
}

/// The learning rate of one step, for tensors whose base rate is a multiple of the others' (`LearnedTensor.rateFactor`).
package struct StepRate: Sendable, Equatable, ExpressibleByFloatLiteral {
    /// Of tensors without a factor.
    package let rate: Double
    /// By how much the rate grows where the factor does by 1.
    private let perFactor: Double

    /// - Parameter perFactor: the rate itself where nil, so that rates are multiples of it.
    package init(_ rate: Double, perFactor: Double? = nil) { (self.rate, self.perFactor) = (rate, perFactor ?? rate) }

    package init(floatLiteral rate: Double) { self.init(rate) }

    package func of(factor: Double) -> Double { perFactor == rate ? rate * factor : rate + (factor - 1) * perFactor }
}
