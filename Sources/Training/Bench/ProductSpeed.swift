import CLIPModel
import Tensors

/// The speed of this machine's matrix products: those of one transformer block, on all workers side by side.
package struct ProductSpeed {
    private struct Memory {
        let input: MutableMatrix
        let queryKeyValue: MutableMatrix
        let hidden: MutableMatrix
        let output: MutableMatrix
    }

    private let weights: (input: Weight, output: Weight, mlpInput: Weight, mlpOutput: Weight)
    private let pool: WorkerPool
    private let rowCounts: [Int]

    /// - Parameter rowCounts: rows of the inputs to try; the fastest counts.
    package init(block: BlockParameters<Matrix>, precision: Precision, rowCounts: [Int], pool: WorkerPool) {
        weights = (
            Weight(block.attentionInput.weight, precision: precision), Weight(block.attentionOutput.weight, precision: precision),
            Weight(block.mlpInput.weight, precision: precision), Weight(block.mlpOutput.weight, precision: precision)
        )
        self.pool = pool
        self.rowCounts = rowCounts
    }

    /// Operations a second.
    ///
    /// - Parameter seconds: time to spend.
    package func measured(seconds: Double = 0.2) -> Double {
        // Made anew each time: what the steps need at most shall not be more by this.
        let memory = memory
        return rowCounts.map { measured(rows: $0, seconds: seconds / Double(rowCounts.count), memory: memory) }.max() ?? 0
    }

    private var memory: [Memory] {
        let rows = rowCounts.max() ?? 1
        let width = weights.mlpInput.values.columnCount
        return (0..<pool.threadCount).map { _ in
            let input = MutableMatrix(rows: rows, columns: width)
            input.fill(0.5)
            return Memory(
                input: input, queryKeyValue: MutableMatrix(rows: rows, columns: 3 * width),
                hidden: MutableMatrix(rows: rows, columns: weights.mlpInput.values.rowCount),
                output: MutableMatrix(rows: rows, columns: width))
        }
    }

    private func measured(rows: Int, seconds: Double, memory: [Memory]) -> Double {
        let end = WorkMeter.now + Int(seconds * 1e9)
        let before = WorkMeter.reading
        let start = WorkMeter.now
        pool.parallelFor(pool.threadCount) { [weights] worker, item in
            let own = memory[item]
            let input = own.input.rows(0..<rows)
            let hidden = own.hidden.rows(0..<rows)
            repeat {
                multiply(input, weights.input, into: own.queryKeyValue.rows(0..<rows))
                multiply(input, weights.output, into: own.output.rows(0..<rows))
                multiply(input, weights.mlpInput, into: hidden)
                multiply(hidden, weights.mlpOutput, into: own.output.rows(0..<rows))
            } while WorkMeter.now < end
        }
        return Double((WorkMeter.reading - before).operations) / (Double(WorkMeter.now - start) * 1e-9)
    }
}
