import Foundation
import Synchronization

/// Work that keeps its thread, such as decoding: away from the threads that serve connections, so much at a time, and
/// so much waiting. More is refused, so that a burst costs time and not memory.
final class BlockingWork: Sendable {
    private struct State {
        var running = 0
        var waiting: [(id: UUID, turn: CheckedContinuation<Void, any Error>)] = []
    }

    private let width: Int
    private let queue: Int
    private let state = Mutex(State())
    private let threads = DispatchQueue(label: "vifi-prompt.work", attributes: .concurrent)

    /// - Parameters:
    ///   - width: works that run at the same time.
    ///   - queue: works that wait.
    init(width: Int, queue: Int) {
        self.width = width
        self.queue = queue
    }

    var waitingCount: Int { state.withLock { $0.waiting.count } }
    var runningCount: Int { state.withLock { $0.running } }

    /// - Throws: `RequestFault` of code `busy` where too much waits already; what `body` throws.
    func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await enter()
        defer { leave() }
        return try await withCheckedThrowingContinuation { continuation in
            threads.async { continuation.resume(with: Swift.Result { try body() }) }
        }
    }

    private func enter() async throws {
        let id = UUID()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { turn in
                let outcome = state.withLock { state -> Result<Void, any Error>? in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.running < width {
                        state.running += 1
                        return .success(())
                    }
                    guard state.waiting.count < queue else {
                        return .failure(RequestFault(.busy, "Too many videos are waiting. Try again in some seconds."))
                    }
                    state.waiting.append((id, turn))
                    return nil
                }
                if let outcome { turn.resume(with: outcome) }
            }
        } onCancel: {
            let left = state.withLock { state in
                state.waiting.firstIndex { $0.id == id }.map { state.waiting.remove(at: $0).turn }
            }
            left?.resume(throwing: CancellationError())
        }
    }

    /// Whoever waits longest takes the place.
    private func leave() {
        let next = state.withLock { state in
            if state.waiting.isEmpty {
                state.running -= 1
                return nil as CheckedContinuation<Void, any Error>?
            }
            return state.waiting.removeFirst().turn
        }
        next?.resume()
    }
}

/// A number of places, each held as long as its `Place` lives.
final class Places: Sendable {
    private let count: Int
    private let taken = Mutex(0)
    private let refusal: String

    /// - Parameter refusal: what those hear who find none free.
    init(_ count: Int, refusal: String) {
        self.count = count
        self.refusal = refusal
    }

    var takenCount: Int { taken.withLock { $0 } }

    final class Place: Sendable {
        private let places: Places
        fileprivate init(_ places: Places) { self.places = places }
        deinit { places.taken.withLock { $0 -= 1 } }
    }

    func take() throws(RequestFault) -> Place {
        let isFree = taken.withLock { taken in
            guard taken < count else { return false }
            taken += 1
            return true
        }
        guard isFree else { throw RequestFault(.busy, refusal) }
        return Place(self)
    }
}
