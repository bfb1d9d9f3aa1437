import Tensors

/// Makes items ahead of their use on background threads, and hands them out in order.
///
/// Item i is what `make(i)` returns, delivered as the i-th, whichever thread made it; errors keep their
/// place too. At most `capacity` items are made or being made beyond the last one delivered.
///
/// Sendable because all that changes sits in `Shared`, behind its monitor.
package final class Prefetcher<Item: Sendable>: Sendable {
    private let shared: Shared

    /// - Parameters:
    ///   - count: items in all.
    ///   - threadCount: 0 makes each item when it is asked for, on the asking thread.
    ///   - capacity: at least 1.
    package init(count: Int, threadCount: Int, capacity: Int, make: @escaping @Sendable (Int) throws -> Item) {
        precondition(count >= 0 && threadCount >= 0 && capacity >= 1, "no such prefetcher")
        let shared = Shared(count: count, capacity: capacity, make: make)
        // Threads hold the shared part only, so that dropping the prefetcher ends them. Where the system
        // has none to give, items are made when asked for.
        for _ in 0..<min(threadCount, capacity, count) where startThread(leaving: 256 << 20, { shared.work() }) {
            shared.hasThreads = true
        }
        self.shared = shared
    }

    deinit { shared.cancel() }

    /// The next item; nil after the last, and after `cancel`.
    ///
    /// - Throws: what `make` threw for this item. The next call continues with the item after it.
    package func next() throws -> Item? {
        try shared.next()?.get()
    }

    /// Time that `next` spent waiting for items, in seconds.
    package var waitingSeconds: Double { shared.waitingSeconds }

    /// Items that `next` has handed out, errors included.
    package var deliveredCount: Int { shared.deliveredCount }

    /// Starts no more items. Those being made are finished and dropped.
    package func cancel() { shared.cancel() }

    /// Sendable because what threads touch is touched under the monitor; `hasThreads` is settled before
    /// the first call of `next`, and only read there.
    private final class Shared: @unchecked Sendable {
        private let monitor = Monitor()
        private let count: Int
        private let capacity: Int
        private let make: @Sendable (Int) throws -> Item
        private var claimed = 0
        private var delivered = 0
        private var ready: [Int: Result<Item, any Error>] = [:]
        private var isCancelled = false
        private var waited = Duration.zero
        var hasThreads = false

        init(count: Int, capacity: Int, make: @escaping @Sendable (Int) throws -> Item) {
            self.count = count
            self.capacity = capacity
            self.make = make
        }

        var waitingSeconds: Double {
            monitor.locked { waited / .seconds(1) }
        }

        var deliveredCount: Int { monitor.locked { delivered } }

        func cancel() {
            monitor.locked {
                isCancelled = true
                ready = [:]
                monitor.wakeAll()
            }
        }

        func work() {
            while let index = claim() {
                let result = Result { try make(index) }
                monitor.locked {
                    if !isCancelled { ready[index] = result }
                    monitor.wakeAll()
                }
            }
        }

        private func claim() -> Int? {
            monitor.locked {
                while !isCancelled && claimed < count && claimed >= delivered + capacity { monitor.wait() }
                guard !isCancelled && claimed < count else { return nil }
                defer { claimed += 1 }
                return claimed
            }
        }

        func next() -> Result<Item, any Error>? {
            hasThreads ? awaitNext() : makeNext()
        }

        private func awaitNext() -> Result<Item, any Error>? {
            let clock = ContinuousClock()
            let start = clock.now
            return monitor.locked {
                defer { waited += clock.now - start }
                guard delivered < count else { return nil }
                while !isCancelled && ready[delivered] == nil { monitor.wait() }
                guard !isCancelled, let result = ready.removeValue(forKey: delivered) else { return nil }
                delivered += 1
                monitor.wakeAll()
                return result
            }
        }

        private func makeNext() -> Result<Item, any Error>? {
            let index: Int? = monitor.locked {
                guard !isCancelled && delivered < count else { return nil }
                defer { delivered += 1 }
                return delivered
            }
            guard let index else { return nil }
            let clock = ContinuousClock()
            let start = clock.now
            let result = Result { try make(index) }
            monitor.locked { waited += clock.now - start }
            return result
        }
    }
}
