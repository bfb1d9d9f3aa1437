import Tensors

/// Hands items from one thread to another through a queue of bounded length. Where it is full, whoever puts in waits, or
/// the oldest item is dropped and counted.
///
/// Sendable because all that changes is behind the monitor.
package final class LatestQueue<Item: Sendable>: @unchecked Sendable {
    private let monitor = Monitor()
    private let capacity: Int
    private var items: [Item] = []
    private var dropped = 0
    private var ending: Result<Void, any Error>?

    /// - Parameter capacity: at least 1.
    package init(capacity: Int) {
        precondition(capacity >= 1, "no such queue")
        self.capacity = capacity
    }

    /// Items that were dropped so far.
    package var droppedCount: Int { monitor.locked { dropped } }

    /// Whether `take` returns at once to the only one who takes.
    package var hasNext: Bool { monitor.locked { !items.isEmpty || ending != nil } }

    /// - Parameter waits: for room; else the oldest item makes it.
    package func put(_ item: Item, waits: Bool) {
        monitor.locked {
            while waits, items.count >= capacity, ending == nil { monitor.wait() }
            guard ending == nil else { return }
            if items.count >= capacity {
                items.removeFirst()
                dropped += 1
            }
            items.append(item)
            monitor.wakeAll()
        }
    }

    /// No more items follow, since all is done or for an error. What is there is still handed out.
    package func finish(_ ending: Result<Void, any Error> = .success(())) {
        monitor.locked {
            if self.ending == nil { self.ending = ending }
            monitor.wakeAll()
        }
    }

    /// The next item, once there is one; nil after the last.
    ///
    /// - Throws: what the queue was finished with.
    package func take() throws -> Item? {
        try monitor.locked {
            while items.isEmpty, ending == nil { monitor.wait() }
            guard items.isEmpty else {
                defer { monitor.wakeAll() }
                return items.removeFirst()
            }
            try ending?.get()
            return nil
        }
    }
}
