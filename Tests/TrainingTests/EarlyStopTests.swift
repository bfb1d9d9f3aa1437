import Testing
import Training

/// When a run ends before its last epoch, on losses that are given.
@Suite struct EarlyStopTests {
    private func state(_ rule: EarlyStop, _ losses: [Double]) -> EarlyStop.State {
        var state = EarlyStop.State()
        for loss in losses { rule.add(loss, to: &state) }
        return state
    }

    /// With β = ½: 4; (4 + 2 · 2) / 3; (4 + 2 · 2 + 4 · 1) / 7.
    @Test func theMeanHasNoPullOfItsStart() {
        let rule = EarlyStop(patience: 1, window: 2)
        for (losses, expected) in [([4.0], 4.0), ([4, 2], 8.0 / 3), ([4, 2, 1], 12.0 / 7), ([4, 4, 4, 4], 4)] {
            #expect(abs(state(rule, losses).smoothedLoss - expected) < 1e-12, "\(losses)")
        }
        #expect(state(EarlyStop(patience: 1, window: 1), [3, 8, 5]).smoothedLoss == 5)
    }

    /// The epoch that a run of these losses ends with, one step each, of which nothing is smoothed; nil for the last.
    private func end(_ losses: [Double], patience: Int, warmup: Double = 0) -> EarlyStop.Reason? {
        let rule = EarlyStop(patience: patience, window: 1, warmupEpochs: warmup)
        var state = EarlyStop.State()
        for (index, loss) in losses.enumerated() {
            rule.add(loss, to: &state)
            let ended = rule.end(epoch: index + 1, of: losses.count, state)
            #expect(ended.state.isOver == (ended.reason != nil))
            // Asked again, as after a run was resumed, it says the same.
            #expect(rule.end(epoch: index + 1, of: losses.count, state).state == ended.state)
            state = ended.state
            if let reason = ended.reason { return reason }
        }
        return nil
    }

    /// 9.95 is less, but not by more than 1 %; 9.89 is; from there 9.80 is not.
    @Test func aFallOfLessThanAHundredthIsNone() {
        let losses = [10, 9.95, 9.89, 9.85, 9.80, 9, 8]
        let reason = end(losses, patience: 2)
        #expect(reason?.epoch == 5 && reason?.least == 9.89 && reason?.smoothedLoss == 9.80)
        #expect(end(losses, patience: 1)?.epoch == 2 && end(losses, patience: 3) == nil)
        #expect(end([5, 4, 3, 2, 1], patience: 1) == nil)
    }

    /// Epochs of the warm-up say nothing, and what comes after is compared with their last. The last epoch ends a run anyway.
    @Test func theWarmupDoesNotCount() {
        let losses = [2, 3, 4, 3.99, 3.98, 3.97, 1]
        #expect(end(losses, patience: 2)?.epoch == 3 && end(losses, patience: 2, warmup: 2.5)?.epoch == 5)
        #expect(end([1, 1, 1], patience: 2) == nil && end([1, 1, 1, 1], patience: 2)?.epoch == 3)
    }

    /// A mean over the steps of an epoch, and over twenty where it has fewer.
    @Test func theWindowIsAnEpoch() {
        var configuration = TrainingConfiguration(epochs: 10, batchSize: 2, accumulationSteps: 1, warmupEpochs: 3)
        #expect(configuration.earlyStop(clipCount: 100) == nil)
        configuration.patience = 4
        #expect(configuration.earlyStop(clipCount: 100) == EarlyStop(patience: 4, leastFall: 0.01, window: 50, warmupEpochs: 3))
        #expect(configuration.earlyStop(clipCount: 9)?.window == 20)
        configuration.patience = 0
        #expect(throws: TrainingError.badConfiguration(["early_stop is 0; it must be at least 1 epoch."])) { try configuration.check() }
    }
}
