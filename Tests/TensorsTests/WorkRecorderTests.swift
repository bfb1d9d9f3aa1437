import Tensors
import TestSupport
import Testing

/// Schedules small enough to be drawn by hand, and work that is known before it is counted.
@Suite struct WorkRecorderTests {
    private typealias Loop = WorkRecorder.Loop
    private typealias Segment = WorkRecorder.Segment

    @Test func freeThreadsTakeTheNextItem() {
        let loop = Loop(workers: 8, items: [5, 1, 1, 1, 4].map { [Segment(operations: $0)] })
        #expect(loop.operations == 12)
        // One thread: all. Two: 5 beside 1 + 1 + 1, which ends first and takes the 4. Three: the 4 begins at 1.
        #expect((1...6).map { loop.length(threadCount: $0) } == [12, 7, 5, 5, 5, 5])
        #expect(Loop(workers: 2, items: loop.items).length(threadCount: 6) == 7)
        #expect(Loop(workers: 3, items: []).length(threadCount: 3) == 0)
    }

    /// Behind a gate items are one after the other, however many threads there are.
    @Test func itemsWaitAtGates() {
        let item = [Segment(operations: 2), Segment(gate: 0, operations: 3), Segment(operations: 1), Segment(gate: 1, operations: 1)]
        let loop = Loop(workers: 8, items: Array(repeating: item, count: 4))
        #expect(loop.length(threadCount: 1) == 28)
        // The last one enters gate 0 at 2 + 3 × 3.
        #expect(loop.length(threadCount: 4) == 2 + 4 * 3 + 1 + 1)
        #expect(loop.length(threadCount: 2) == 2 + 4 * 3 + 1 + 1 + 1)
    }

    @Test func workIsCountedItemByItem() {
        let recorder = WorkRecorder()
        let pool = WorkerPool(recording: recorder, as: 16)
        #expect(pool.threadCount == 16)
        let turnstile = Turnstile(gateCount: 2, pool: pool)
        let left = Table.random(4, 5, seed: 1).matrix
        let right = Table.random(5, 6, seed: 2).matrix
        let outputs = (0..<3).map { _ in MutableMatrix(rows: 4, columns: 6) }
        pool.parallelFor(3, workers: 2) { worker, item in
            #expect(worker == 0)
            for _ in 0...item { multiply(left, .asStored, right, .asStored, into: outputs[item]) }
            turnstile.pass(gate: 1, item: item) { multiply(left, .asStored, right, .asStored, into: outputs[item]) }
        }
        let once = 2 * 4 * 5 * 6
        let expected = Loop(
            workers: 2,
            items: (1...3).map { [Segment(operations: $0 * once), Segment(gate: 1, operations: once), Segment(operations: 0)] })
        #expect(recorder.taken() == [expected])
        #expect(recorder.taken().isEmpty)
    }
}
