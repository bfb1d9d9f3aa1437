import Files
import Tensors
import Training

extension ContrastivePretrainer {
    /// Steps that are timed.
    private static let timedSteps = 3

    /// What pre-training would take.
    ///
    /// - Parameter timing: also takes a few steps, whose result is thrown away.
    package func plan(pool: WorkerPool, timing: Bool) throws -> EvaluationPlan {
        var seconds: Double?
        if timing {
            var few = configuration
            few.stepCount = Self.timedSteps
            var times = [ContinuousClock.now]
            _ = try ContrastivePretrainer(few).run(pool: pool) { _ in times.append(.now) }
            // The first step pays for fresh memory.
            let steps = zip(times.dropFirst(), times.dropFirst(2)).map { ($1 - $0) / .seconds(1) }
            seconds = median(steps).map { Double(configuration.stepCount) * $0 }
        }
        return EvaluationPlan(
            evaluationProtocol: "demo pretrain",
            parts: [.init(name: "pre-training, \(configuration.batchSize) stills a step", steps: configuration.stepCount, seconds: seconds)])
    }
}
