/// When a run ends before its last epoch: its smoothed training loss does not come down any more.
///
/// What is smoothed are the losses of the steps, L₁, L₂, …, by an exponential mean without the pull of its start:
///
///     m₀ = 0,  mₜ = β mₜ₋₁ + (1 − β) Lₜ,  smoothed loss = mₜ / (1 − βᵗ),  β = 1 − 1 / window
///
/// After each epoch it must be below the least so far by more than `leastFall` of that; once it was not for `patience` epochs in a
/// row, the run ends. Epochs of the warm-up do not count. The schedule of the rate is that of the whole length.
package struct EarlyStop: Sendable, Equatable {
    /// The share of the loss by which it must come down.
    package static let standardFall = 0.01
    /// Steps that the mean reaches over at least, where an epoch has fewer.
    package static let leastWindow = 20

    /// Epochs.
    package let patience: Int
    package let leastFall: Double
    /// Steps.
    package let window: Int
    package let warmupEpochs: Double

    package init(patience: Int, leastFall: Double = standardFall, window: Int, warmupEpochs: Double = 0) {
        precondition(patience > 0 && window > 0, "epochs and steps to look at")
        (self.patience, self.leastFall, self.window, self.warmupEpochs) = (patience, leastFall, window, warmupEpochs)
    }

    /// What it knows of a run. A checkpoint holds it.
    package struct State: Codable, Equatable, Sendable {
        /// mₜ and 1 − βᵗ.
        fileprivate var mean = 0.0
        fileprivate var weight = 0.0
        /// The smoothed loss that later epochs are compared with.
        fileprivate var least: Double?
        /// Epochs since then.
        fileprivate var epochs = 0
        /// Whether the run has ended by it.
        package fileprivate(set) var isOver = false

        package init() {}

        package var smoothedLoss: Double { weight > 0 ? mean / weight : 0 }
    }

    /// Why a run ended.
    package struct Reason: Sendable, Equatable {
        package let epoch: Int
        package let epochCount: Int
        package let smoothedLoss: Double
        package let least: Double
        package let rule: EarlyStop
    }

    /// - Parameter loss: of a step.
    package func add(_ loss: Double, to state: inout State) {
        let share = 1 / Double(window)
        state.mean = (1 - share) * state.mean + share * loss
        state.weight = (1 - share) * state.weight + share
    }

    /// What is known once an epoch has ended.
    ///
    /// - Parameter epoch: from 1 on.
    /// - Returns: the reason where the run ends with this epoch; never for the last, with which it ends anyway.
    package func end(epoch: Int, of epochCount: Int, _ state: State) -> (state: State, reason: Reason?) {
        var state = state
        let loss = state.smoothedLoss
        guard let least = state.least, Double(epoch) > warmupEpochs.rounded(.up), loss >= least * (1 - leastFall) else {
            (state.least, state.epochs) = (loss, 0)
            return (state, nil)
        }
        state.epochs += 1
        guard state.epochs >= patience, epoch < epochCount else { return (state, nil) }
        state.isOver = true
        return (state, Reason(epoch: epoch, epochCount: epochCount, smoothedLoss: loss, least: least, rule: self))
    }
}
