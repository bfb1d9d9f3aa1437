import CLIPModel
import Tensors

/// What numbers of threads would make of a step. Keys as `--json` prints them.
package struct ThreadReport: Encodable, Sendable {
    package struct Row: Encodable, Sendable {
        package var threads: Int
        /// Operations from the step's start to its end, one thread's after the other.
        package var longest: Int
        /// Times as fast as one thread.
        package var speedup: Double
        /// Of the threads' time that goes into operations, between 0 and 1.
        package var efficiency: Double
        /// Of the step's length, where only one thread has work, between 0 and 1.
        package var alone: Double
    }

    package var work: String
    package var frames: Int
    package var clips: Int
    package var classes: Int
    package var precision: String
    /// Of the whole step.
    package var operations: Int
    package var rows: [Row]
}

/// Lays a step's counted operations out over numbers of threads that the machine need not have.
///
/// Each number of threads gets a model that plans for it (clips in flight, memory) and takes one step, one item after
/// the other, while a `WorkRecorder` counts. Every thread is then as fast as every other, and operations are all that
/// takes time: norms, activations and sums go with the products they lie between, and memory that is too slow for many
/// threads is not seen.
package struct ThreadBench {
    private let work: BenchWork
    private let makeBudget: (WorkerPool) throws -> MemoryBudget

    package init(_ work: BenchWork, budget: @escaping (WorkerPool) throws -> MemoryBudget) {
        self.work = work
        makeBudget = budget
    }

    /// - Parameter onRow: told of each number of threads as it is done.
    package func run(threadCounts: [Int], onRow: (ThreadReport.Row) -> Void = { _ in }) throws -> ThreadReport {
        var operations = 0
        let rows = try threadCounts.map { threadCount in
            let recorder = WorkRecorder()
            let pool = WorkerPool(recording: recorder, as: threadCount)
            let model = try BenchModel(work, pool: pool, budget: makeBudget(pool))
            // What models compute when they are made is no part of a step.
            _ = recorder.taken()
            let before = WorkMeter.reading.operations
            try model.step()
            operations = WorkMeter.reading.operations - before
            let row = Self.row(loops: recorder.taken(), operations: operations, threadCount: threadCount)
            onRow(row)
            return row
        }
        return ThreadReport(
            work: work.kind.rawValue, frames: work.frameCount, clips: work.clipCount, classes: work.classCount,
            precision: work.precision.rawValue, operations: operations, rows: rows)
    }

    /// - Parameter operations: of the step; what no loop did, the calling thread did alone.
    package static func row(loops: [WorkRecorder.Loop], operations: Int, threadCount: Int) -> ThreadReport.Row {
        let alone = operations - loops.reduce(0) { $0 + $1.operations }
        let longest = alone + loops.reduce(0) { $0 + $1.length(threadCount: threadCount) }
        let speedup = Double(operations) / Double(max(1, longest))
        return ThreadReport.Row(
            threads: threadCount, longest: longest, speedup: speedup, efficiency: speedup / Double(threadCount),
            alone: Double(alone) / Double(max(1, longest)))
    }
}
