import Glibc
import Synchronization

/// What the threads of this process have done so far: operations, memory, and where the time went.
///
/// Differences of two readings tell what happened between them. Counting costs two readings of the
/// clock a product, measured at less than 0.1 % of a step.
package struct WorkReading: Sendable, Equatable {
    /// Floating-point operations of matrix products and attention, two a multiplication and addition.
    package var operations = 0
    /// Rows that went through products with weights, counted once a product.
    package var productRows = 0
    /// Matrices that got memory of their own.
    package var allocations = 0
    /// Bytes of matrices alive now; not a difference.
    package var liveBytes = 0
    /// Nanoseconds, summed over threads.
    package var products = 0
    package var attention = 0
    /// Of all items of parallel loops, products and attention included.
    package var busy = 0
    /// Of parallel loops as the calling thread sees them.
    package var loops = 0
    /// Spent by items waiting for their turn.
    package var turns = 0

    package init() {}

    package static func - (later: WorkReading, earlier: WorkReading) -> WorkReading {
        var difference = WorkReading()
        difference.operations = later.operations - earlier.operations
        difference.productRows = later.productRows - earlier.productRows
        difference.allocations = later.allocations - earlier.allocations
        difference.liveBytes = later.liveBytes
        difference.products = later.products - earlier.products
        difference.attention = later.attention - earlier.attention
        difference.busy = later.busy - earlier.busy
        difference.loops = later.loops - earlier.loops
        difference.turns = later.turns - earlier.turns
        return difference
    }
}

/// Counters that all threads add to.
package enum WorkMeter {
    private static let operations = Atomic<Int>(0)
    private static let productRows = Atomic<Int>(0)
    private static let allocations = Atomic<Int>(0)
    private static let liveBytes = Atomic<Int>(0)
    private static let products = Atomic<Int>(0)
    private static let attention = Atomic<Int>(0)
    private static let busy = Atomic<Int>(0)
    private static let loops = Atomic<Int>(0)
    private static let turns = Atomic<Int>(0)

    package static var reading: WorkReading {
        var reading = WorkReading()
        reading.operations = operations.load(ordering: .relaxed)
        reading.productRows = productRows.load(ordering: .relaxed)
        reading.allocations = allocations.load(ordering: .relaxed)
        reading.liveBytes = liveBytes.load(ordering: .relaxed)
        reading.products = products.load(ordering: .relaxed)
        reading.attention = attention.load(ordering: .relaxed)
        reading.busy = busy.load(ordering: .relaxed)
        reading.loops = loops.load(ordering: .relaxed)
        reading.turns = turns.load(ordering: .relaxed)
        return reading
    }

    /// Nanoseconds of a clock that only goes forward.
    package static var now: Int {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    static func addProduct(rows: Int, operations count: Int, since start: Int) {
        operations.add(count, ordering: .relaxed)
        productRows.add(rows, ordering: .relaxed)
        products.add(now - start, ordering: .relaxed)
    }

    static func addAttention(operations count: Int, since start: Int) {
        operations.add(count, ordering: .relaxed)
        attention.add(now - start, ordering: .relaxed)
    }

    static func addItems(since start: Int) { busy.add(now - start, ordering: .relaxed) }
    static func addLoop(since start: Int) { loops.add(now - start, ordering: .relaxed) }
    static func addTurn(since start: Int) { turns.add(now - start, ordering: .relaxed) }

    static func addMemory(bytes: Int) {
        allocations.add(1, ordering: .relaxed)
        liveBytes.add(bytes, ordering: .relaxed)
    }

    static func removeMemory(bytes: Int) { liveBytes.subtract(bytes, ordering: .relaxed) }
}
