import Synchronization

/// Counts the work of parallel loops item by item, to be laid out over any number of threads.
///
/// A pool that records does one item after the other on the calling thread, whatever number of threads it stands for.
/// What is counted are operations of products and attention: the same on every machine, however busy it is.
package final class WorkRecorder: Sendable {
    /// Work between two gates of an item, or behind one.
    package struct Segment: Sendable, Equatable {
        /// Of a turnstile of the loop, that items pass in their order; nil between gates.
        package var gate: Int?
        package var operations: Int

        package init(gate: Int? = nil, operations: Int) {
            self.gate = gate
            self.operations = operations
        }
    }

    /// One parallel loop.
    package struct Loop: Sendable, Equatable {
        /// Bound on the threads that take part.
        package var workers: Int
        /// Of each item, in the order in which they are handed out.
        package var items: [[Segment]]

        package init(workers: Int, items: [[Segment]]) {
            self.workers = workers
            self.items = items
        }

        package var operations: Int { items.reduce(0) { $0 + $1.reduce(0) { $0 + $1.operations } } }

        /// Operations from the loop's start to its end, where `threadCount` threads share out the items as `WorkerPool`
        /// does: whoever is free first takes the next one.
        package func length(threadCount: Int) -> Int {
            var free = [Int](repeating: 0, count: max(1, min(threadCount, workers, items.count)))
            // When the item before left each gate.
            var left: [Int: Int] = [:]
            for item in items {
                let thread = free.indices.min { free[$0] < free[$1] } ?? 0
                for segment in item {
                    if let gate = segment.gate { free[thread] = max(free[thread], left[gate, default: 0]) }
                    free[thread] += segment.operations
                    if let gate = segment.gate { left[gate] = free[thread] }
                }
            }
            return free.max() ?? 0
        }
    }

    private struct State {
        var loops: [Loop] = []
        var workers = 0
        var items: [[Segment]] = []
        /// Operations counted when the current segment began.
        var mark = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// What was recorded since the last call.
    package func taken() -> [Loop] {
        state.withLock { state in
            defer { state.loops = [] }
            return state.loops
        }
    }

    func loop(_ count: Int, workers: Int, _ body: (_ item: Int) -> Void) {
        state.withLock { ($0.workers, $0.items) = (workers, []) }
        for item in 0..<count {
            state.withLock { state in
                state.items.append([])
                state.mark = WorkMeter.reading.operations
            }
            body(item)
            close(gate: nil)
        }
        state.withLock { $0.loops.append(Loop(workers: $0.workers, items: $0.items)) }
    }

    func pass(gate: Int, _ body: () -> Void) {
        close(gate: nil)
        body()
        close(gate: gate)
    }

    /// Ends the current segment and begins the next.
    private func close(gate: Int?) {
        state.withLock { state in
            let now = WorkMeter.reading.operations
            if !state.items.isEmpty { state.items[state.items.count - 1].append(Segment(gate: gate, operations: now - state.mark)) }
            state.mark = now
        }
    }
}
