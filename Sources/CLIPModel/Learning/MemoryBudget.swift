import Tensors

/// How much memory a step may take for what its backward pass needs.
package enum MemoryBudget: Sendable, Equatable {
    /// Everything is kept up to `standardBytes`. Beyond, up to five layers of twelve keep no hidden rows of their
    /// MLP: a fifth less memory for a fifteenth more time.
    case standard
    /// As `standard`, but within so many bytes of the whole process: what the machine has left.
    case available(Int, reserve: Int)
    /// Bytes of activations.
    case activations(Int)
    /// Bytes of the whole process, of which `reserve` go to what is neither matrices nor made yet.
    case process(Int, reserve: Int)

    /// Activations that need no saving: what two frames of a ViT-B/16 take for each thread, since fewer leave threads
    /// without work, and no less than what a clip takes. Weights that learn take four times their size in any case, so
    /// that half as much again for activations matters little beside them.
    static func standardBytes(for keeping: Keeping, pool: WorkerPool) -> Int {
        keeping == .weights ? max(1152 << 20, pool.concurrentCount * (144 << 20)) : max(768 << 20, pool.concurrentCount * (128 << 20))
    }

    /// What the system's libraries, the program and each thread's buffers of BLAS and oneDNN take, as measured, with
    /// the 32 MiB by which equal runs differ.
    package static func processReserve(threadCount: Int) -> Int {
        let buffers = Precision.oneDNNVersion == nil ? 12 << 20 : 57 << 20
        // More threads than processors share their turns, and hardly ever more than the chunks in flight work at once.
        return 96 << 20 + min(threadCount, max(8, WorkerPool.availableProcessors)) * buffers
    }

    /// Whether somebody has asked for the bound.
    var isBoundByPeople: Bool {
        switch self {
        case .standard, .available: false
        case .activations, .process: true
        }
    }

    /// The same for what comes beside `bytes` of matrices that do not count.
    package func besides(_ bytes: Int) -> MemoryBudget {
        switch self {
        case .standard, .activations: self
        case .available(let all, let reserve): .available(all, reserve: reserve - bytes)
        case .process(let all, let reserve): .process(all, reserve: reserve - bytes)
        }
    }

    /// Bytes by which what is there now is beyond the bound.
    func excess() -> Int {
        if case .process(let bytes, let reserve) = self { max(0, reserve + WorkMeter.reading.liveBytes - bytes) } else { 0 }
    }

    /// Bytes that activations may take beside the matrices that are there now; negative where these are too many.
    func left() -> Int {
        switch self {
        case .standard: .max
        case .activations(let bytes): bytes
        case .process(let bytes, let reserve), .available(let bytes, let reserve): bytes - reserve - WorkMeter.reading.liveBytes
        }
    }
}

extension CLIPArchitecture {
    /// Bytes of the copies of the blocks' weights that products in other numbers than float32 are made from.
    ///
    /// - Parameter hasBackward: one copy serves the way forward, another the way back.
    package func packedWeightBytes(precision: Precision, hasBackward: Bool) -> Int {
        [(vision, precision), (text, precision.besideProducts)].reduce(0) { sum, copy in
            let (tower, precision) = copy
            guard precision != .float32 else { return sum }
            let copies = hasBackward && precision.hasBackward ? 2 : 1
            return sum + copies * precision.byteCount * tower.layerCount * (4 * tower.width + 2 * tower.mlpWidth) * tower.width
        }
    }
}
