import ArgumentParser
import CLIPModel
import Tensors
import Training

/// An amount of memory as people write it: 900M, 2G, 1.5GiB; plain numbers are bytes.
struct MemoryAmount: ExpressibleByArgument, Equatable {
    let bytes: Int

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = argument.dropFirst(digits.count).lowercased()
        let factors: [String: Double] = [
            "": 1, "b": 1, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9, "t": 1e12, "tb": 1e12,
            "kib": 1024, "mib": 1_048_576, "gib": 1_073_741_824,
        ]
        guard let number = Double(digits), let factor = factors[unit], number > 0, number * factor < 1e15 else { return nil }
        bytes = Int(number * factor)
    }
}

/// How much memory a run may take.
struct MemoryOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Most memory that the program may take, such as 2G: what does not fit is computed twice, with the same result.",
            valueName: "amount"))
    var memory: MemoryAmount?

    /// - Parameters:
    ///   - besides: bytes of what is not made yet, or no matrix.
    func budget(pool: WorkerPool, besides: Int = 0) -> MemoryBudget {
        let reserve = MemoryBudget.processReserve(threadCount: pool.threadCount) + besides
        // A tenth of what is there is left to others.
        guard let memory else { return .available(Machine.availableMemory / 10 * 9 + WorkMeter.reading.liveBytes, reserve: reserve) }
        return .process(memory.bytes, reserve: reserve)
    }

    /// - Throws: `TrainingError` where not even the least fits.
    func check(shortfall: Int) throws {
        guard let memory, shortfall > 0 else { return }
        // A sixteenth of what is added goes to decoded videos (`cacheBytes`), and sizes are rounded to pages.
        throw TrainingError.tooLittleMemory(bound: memory.bytes, needed: memory.bytes + shortfall / 15 * 16 + 8 << 20)
    }

    /// Bytes for decoded videos that training meets again and again.
    var cacheBytes: Int { min(1 << 30, (memory?.bytes ?? .max) / 16) }

    /// Bytes of videos: the cache, clips waiting in the queue, and those in work.
    func videoBytes(frameCount: Int, side: Int) -> Int { cacheBytes + 12 * frameCount * 3 * side * side * 4 }
}
