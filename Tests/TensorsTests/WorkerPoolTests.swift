import Foundation
import Synchronization
import Tensors
import Testing

@Suite(.timeLimit(.minutes(15))) struct WorkerPoolTests {
    /// Counters that threads may raise.
    private final class Counters: Sendable {
        private let values: Mutex<[Int]>
        init(count: Int) { values = Mutex([Int](repeating: 0, count: count)) }
        func add(_ amount: Int = 1, at index: Int) -> Int {
            values.withLock { values in
                values[index] += amount
                return values[index]
            }
        }
        var all: [Int] { values.withLock { $0 } }
    }

    @Test(arguments: 1...5, [0, 1, 2, 3, 7, 1000])
    func everyItemExactlyOnce(threads: Int, count: Int) {
        let pool = WorkerPool(threadCount: threads)
        let runs = Counters(count: count)
        let busy = Counters(count: threads)
        let wrong = Counters(count: 1)
        pool.parallelFor(count) { worker, item in
            if !(0..<threads).contains(worker) || busy.add(at: worker) != 1 { _ = wrong.add(at: 0) }
            _ = runs.add(at: item)
            _ = busy.add(-1, at: worker)
        }
        #expect(runs.all.count == count && runs.all.allSatisfy { $0 == 1 })
        #expect(wrong.all == [0], "a worker ran two items at once, or has no such number")
    }

    @Test func manyShortLoops() {
        let pool = WorkerPool(threadCount: 4)
        let runs = Counters(count: 3)
        for _ in 0..<5000 { pool.parallelFor(3) { _, item in _ = runs.add(at: item) } }
        #expect(runs.all == [5000, 5000, 5000])
    }

    @Test func poolsComeAndGo() {
        let runs = Counters(count: 2)
        for _ in 0..<200 { WorkerPool(threadCount: 3).parallelFor(2) { _, item in _ = runs.add(at: item) } }
        // A pool that never ran a loop ends as well.
        for _ in 0..<50 { _ = WorkerPool(threadCount: 3) }
        #expect(runs.all == [200, 200])
    }

    @Test func fewerThanOneThreadIsOne() {
        #expect(WorkerPool(threadCount: 0).threadCount == 1)
        #expect(WorkerPool(threadCount: -3).threadCount == 1)
        #expect(WorkerPool.availableProcessors >= 1)
    }

    @Test(arguments: 1...5)
    func turnsComeInOrderAtEveryGate(threads: Int) {
        let gateCount = 4
        let itemCount = 40
        let order = Mutex([[Int]](repeating: [], count: gateCount))
        let turnstile = Turnstile(gateCount: gateCount)
        WorkerPool(threadCount: threads).parallelFor(itemCount) { _, item in
            // As the backward pass does: the last layer's gate first.
            for gate in (0..<gateCount).reversed() {
                turnstile.pass(gate: gate, item: item) { order.withLock { $0[gate].append(item) } }
            }
        }
        for gate in order.withLock({ $0 }) {
            let isInOrder = gate == Array(0..<itemCount)
            #expect(isInOrder)
        }
    }

    /// Float addition is not associative: only a fixed order gives the same bits.
    @Test func sumsAreTheSameForAnyThreadCount() {
        func sums(threads: Int) -> [UInt32] {
            let total = MutableMatrix(rows: 1, columns: 33)
            let turnstile = Turnstile(gateCount: 1)
            let products = (0..<60).map { _ in MutableMatrix(rows: 5, columns: 33) }
            WorkerPool(threadCount: threads).parallelFor(products.count) { _, item in
                let left = Table.random(5, 20, seed: 100 + item, scale: Float(item % 5 + 1)).matrix
                multiply(left, .asStored, Table.random(20, 33, seed: 300 + item).matrix, .asStored, into: products[item])
                turnstile.pass(gate: 0, item: item) { sumRows(of: products[item], into: total) }
            }
            return (products.flatMap(\.values) + total.values).map(\.bitPattern)
        }
        let expected = sums(threads: 1)
        for threads in 2...5 {
            let isSame = sums(threads: threads) == expected
            #expect(isSame, "\(threads) threads")
        }
    }

    /// `taskset -c 0 vifi-prompt …` must not start more threads than may run at once. Cores may be fewer.
    @Test func processorsAreThoseOfTheAffinityMask() throws {
        let line = try #require(
            try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
                .split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") })
        let digits = line.dropFirst("Cpus_allowed:".count).compactMap { $0.hexDigitValue }
        let count = digits.reduce(0) { $0 + $1.nonzeroBitCount }
        #expect(ProcessorTopology.allowedProcessors.count == count)
        #expect((1...count).contains(WorkerPool.availableProcessors))
    }

    /// Whoever needs memory for each worker needs no more of it than there are items.
    @Test func noMoreWorkersThanItems() {
        let pool = WorkerPool(threadCount: 6)
        for (count, bound) in [(1, Int.max), (3, .max), (50, .max), (50, 2), (50, 1)] {
            let seen = Mutex<Set<Int>>([])
            let done = Mutex(0)
            pool.parallelFor(count, workers: bound) { worker, _ in
                seen.withLock { _ = $0.insert(worker) }
                done.withLock { $0 += 1 }
            }
            let highest = seen.withLock { $0.max() ?? -1 }
            #expect(highest < min(6, count, bound) && done.withLock { $0 } == count, "\(count) items, \(bound)")
        }
    }

    /// Two threads that share a pool take turns.
    @Test func loopsOfTwoThreadsWait() async {
        let pool = WorkerPool(threadCount: 3)
        let sums = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let sum = Mutex(0)
                    for _ in 0..<20 { pool.parallelFor(10) { _, item in sum.withLock { $0 += item } } }
                    return sum.withLock { $0 }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(sums == [900, 900, 900, 900])
    }

    /// The mistake is reported, it does not hang.
    @Test func loopsDoNotNest() async {
        await #expect(processExitsWith: .failure) {
            let pool = WorkerPool(threadCount: 2)
            pool.parallelFor(2) { _, _ in pool.parallelFor(2) { _, _ in } }
        }
    }
}
