import Evaluation
import Foundation
import Synchronization

/// Takes videos through the model on a thread of its own. Those that wait at the same moment go in one pass; what each
/// is told is what it would be told alone, to the bit.
final class ScoringQueue: Sendable {
    private struct Waiting {
        let video: PreparedVideo
        let models: [VideoModel]
        let answer: CheckedContinuation<[VideoScores], any Error>
    }

    private struct State {
        var waiting: [Waiting] = []
        var isRunning = false
    }

    private let state = Mutex(State())
    private let thread = DispatchQueue(label: "vifi-prompt.model")
    private let metrics: Metrics
    /// Videos of one pass at most.
    private static let passLimit = 16

    private let limit: Int

    /// - Parameter limit: of videos that wait.
    init(limit: Int, metrics: Metrics) {
        self.limit = limit
        self.metrics = metrics
    }

    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// - Throws: `ModelError` where the logits are not numbers; `RequestFault` where too many wait.
    func scores(of video: PreparedVideo, by models: [VideoModel]) async throws -> [VideoScores] {
        guard waitingCount < limit else { throw RequestFault(.busy, "Too many videos wait for the model. Try again in some seconds.") }
        return try await withCheckedThrowingContinuation { continuation in
            let isIdle = state.withLock { state in
                state.waiting.append(Waiting(video: video, models: models, answer: continuation))
                defer { state.isRunning = true }
                return !state.isRunning
            }
            if isIdle { thread.async { self.work() } }
        }
    }

    private func work() {
        while true {
            let group = state.withLock { state in
                let group = Array(state.waiting.prefix(Self.passLimit))
                state.waiting.removeFirst(group.count)
                if group.isEmpty { state.isRunning = false }
                return group
            }
            if group.isEmpty { return }
            metrics.passed(videos: group.count)
            let results = VideoModel.scores(of: group.map { ($0.video, $0.models) })
            for (waiting, result) in zip(group, results) { waiting.answer.resume(with: result) }
        }
    }
}
