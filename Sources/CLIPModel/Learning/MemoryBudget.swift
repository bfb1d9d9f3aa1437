import Tensors

/// How much memory a step may take for what its backward pass needs.
package enum MemoryBudget: Sendable, Equatable {
    /// Everything is kept but the hidden rows of every sixth layer's MLP: a twelfth less memory for a fortieth more time.
    case standard
    /// Bytes of activations.
    case activations(Int)
    /// Bytes of the whole process, of which `reserve` go to what is neither matrices nor made yet.
    case process(Int, reserve: Int)

    /// What the system's libraries, the program and each thread's buffers of BLAS and oneDNN take, as measured.
    package static func processReserve(threadCount: Int) -> Int {
        let buffers = Precision.oneDNNVersion == nil ? 12 << 20 : 57 << 20
        return 64 << 20 + threadCount * buffers
    }

    /// Bytes by which what is there now is beyond the bound.
    func excess() -> Int {
        if case .process(let bytes, let reserve) = self { max(0, reserve + WorkMeter.reading.liveBytes - bytes) } else { 0 }
    }

    /// Bytes that activations may take beside the matrices that are there now.
    func left() -> Int {
        switch self {
        case .standard: .max
        case .activations(let bytes): bytes
        case .process(let bytes, let reserve): max(0, bytes - reserve - WorkMeter.reading.liveBytes)
        }
    }
}
