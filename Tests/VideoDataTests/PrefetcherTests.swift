import Foundation
import Synchronization
import Testing

import VideoData

@Suite struct PrefetcherTests {
    struct Odd: Error, Equatable { var index: Int }

    /// A little work of a length that differs from item to item.
    private static func dawdle(_ index: Int) {
        usleep(UInt32(index * 7919 % 13) * 100)
    }

    @Test(arguments: [0, 1, 2, 5], [1, 3, 50])
    func deliversInOrder(threadCount: Int, capacity: Int) throws {
        let prefetcher = Prefetcher(count: 60, threadCount: threadCount, capacity: capacity) { index in
            Self.dawdle(index)
            return index * index
        }
        var items: [Int] = []
        while let item = try prefetcher.next() { items.append(item) }
        #expect(items == (0..<60).map { $0 * $0 })
        #expect(try prefetcher.next() == nil)
    }

    @Test(arguments: [0, 3])
    func errorsKeepTheirPlace(threadCount: Int) throws {
        let prefetcher = Prefetcher(count: 10, threadCount: threadCount, capacity: 4) { index in
            Self.dawdle(index)
            if index % 3 == 1 { throw Odd(index: index) }
            return index
        }
        for index in 0..<10 {
            if index % 3 == 1 {
                #expect(throws: Odd(index: index)) { try prefetcher.next() }
            } else {
                #expect(try prefetcher.next() == index)
            }
        }
        #expect(try prefetcher.next() == nil)
    }

    @Test func staysWithinItsCapacity() throws {
        let made = Mutex(0)
        let prefetcher = Prefetcher(count: 100, threadCount: 4, capacity: 5) { index in
            made.withLock { $0 += 1 }
            return index
        }
        usleep(50_000)
        #expect(made.withLock { $0 } == 5)
        _ = try prefetcher.next()
        usleep(50_000)
        #expect(made.withLock { $0 } == 6)
    }

    @Test func droppingItEndsTheWork() throws {
        let made = Mutex(0)
        do {
            let prefetcher = Prefetcher(count: 1_000_000, threadCount: 3, capacity: 2) { index in
                made.withLock { $0 += 1 }
                return index
            }
            _ = try prefetcher.next()
        }
        usleep(50_000)
        let settled = made.withLock { $0 }
        usleep(50_000)
        #expect(made.withLock { $0 } == settled && settled <= 6)
    }

    @Test func cancellingWakesTheWaiting() throws {
        let gate = DispatchSemaphore(value: 0)
        let prefetcher = Prefetcher(count: 3, threadCount: 1, capacity: 1) { index in
            gate.wait()
            return index
        }
        let canceller = Thread {
            usleep(30_000)
            prefetcher.cancel()
        }
        canceller.start()
        #expect(try prefetcher.next() == nil)
        gate.signal()
    }

    @Test(arguments: [0, 1])
    func waitingIsCounted(threadCount: Int) throws {
        let prefetcher = Prefetcher(count: 2, threadCount: threadCount, capacity: 1) { index in
            usleep(40_000)
            return index
        }
        _ = try prefetcher.next()
        #expect((0.03...5).contains(prefetcher.waitingSeconds))
    }

    @Test func nothingIsNothing() throws {
        #expect(try Prefetcher(count: 0, threadCount: 2, capacity: 2) { $0 }.next() == nil)
    }
}
