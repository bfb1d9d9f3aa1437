import Foundation
import Synchronization
import Tensors
import Testing

/// The table of products in `docs/precision.md`: two threads side by side on the shapes of ViT-B/16.
///
///     VIFI_PROMPT_MEASURE=1 swift test -c release --filter ProductSpeedMeasurement
///
/// Rates are per second of the threads' own processor time, so that other work on the machine does not count.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["VIFI_PROMPT_MEASURE"] != nil))
struct ProductSpeedMeasurement {
    private static let shapes = [(768, 2304), (768, 768), (768, 3072), (3072, 768)]

    /// 10⁹ operations a second of both threads together.
    private func rate(rows: Int, inputs: Int, outputs: Int, precision: Precision, backward: Bool) -> Double {
        let weight = Weight(Table.random(outputs, inputs, seed: 1).matrix, precision: precision)
        let operations = 2 * rows * inputs * outputs
        let repeats = max(2, Int(1e10) / operations)
        let total = Mutex(0.0)
        WorkerPool(threadCount: 2).parallelFor(2) { _, _ in
            let input = MutableMatrix(rows: rows, columns: backward ? outputs : inputs)
            input.fill(0.5)
            let output = MutableMatrix(rows: rows, columns: backward ? inputs : outputs)
            func run() { backward ? multiplyBackward(input, weight, into: output) : multiply(input, weight, into: output, adding: true) }
            run()
            let start = Self.processorSeconds
            for _ in 0..<repeats { run() }
            let seconds = Self.processorSeconds - start
            total.withLock { $0 += Double(operations * repeats) / seconds * 1e-9 }
        }
        return total.withLock { $0 }
    }

    private static var processorSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
    }

    @Test func productsSideBySide() {
        for backward in [false, true] {
            for rows in [207, 414, 828] {
                for (inputs, outputs) in Self.shapes {
                    let rates = Precision.allCases.filter(\.isAvailable).map { precision in
                        let rate = rate(rows: rows, inputs: inputs, outputs: outputs, precision: precision, backward: backward)
                        return "\(precision.rawValue) \(Int(rate.rounded()))"
                    }
                    print(backward ? "back" : "forward", rows, "rows", "\(inputs)→\(outputs)", rates.joined(separator: ", "))
                }
            }
        }
    }
}
