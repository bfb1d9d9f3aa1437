import CLIPModel
import Tensors
import Training

/// How much memory a run may take; nil for what there is.
package struct MemoryBound: Codable, Equatable, Sendable {
    package var bytes: Int?

    package init(bytes: Int? = nil) { self.bytes = bytes }

    /// - Parameters:
    ///   - besides: bytes of what is not made yet, or no matrix.
    package func budget(pool: WorkerPool, besides: Int = 0) -> MemoryBudget {
        let reserve = MemoryBudget.processReserve(threadCount: pool.threadCount) + besides
        // A tenth of what is there is left to others.
        guard let bytes else { return .available(Machine.availableMemory / 10 * 9 + WorkMeter.reading.liveBytes, reserve: reserve) }
        return .process(bytes, reserve: reserve)
    }

    /// - Throws: `TrainingError` where not even the least fits.
    package func check(shortfall: Int) throws {
        guard let bytes, shortfall > 0 else { return }
        // A sixteenth of what is added goes to decoded videos (`cacheBytes`), and sizes are rounded to pages.
        throw TrainingError.tooLittleMemory(bound: bytes, needed: bytes + shortfall / 15 * 16 + 8 << 20)
    }

    /// Bytes for decoded videos that training meets again and again.
    package var cacheBytes: Int { min(1 << 30, (bytes ?? .max) / 16) }

    /// Bytes of videos: the cache, clips waiting in the queue, and those in work.
    package func videoBytes(frameCount: Int, side: Int) -> Int { cacheBytes + 12 * frameCount * 3 * side * side * 4 }

    /// Bytes that cached prefixes of clips may take where nobody has said how much memory there is.
    private static let standardPrefixBytes = 4 << 30

    /// What is left for cached prefixes of clips, once a run's task is made.
    ///
    /// - Parameter besides: bytes of what is not made yet.
    package func prefixBytes(pool: WorkerPool, besides: Int) -> Int {
        guard let bytes else { return min(Self.standardPrefixBytes, Machine.availableMemory / 2) }
        let taken = MemoryBudget.processReserve(threadCount: pool.threadCount) + besides + WorkMeter.reading.liveBytes
        return max(0, bytes - taken)
    }
}
