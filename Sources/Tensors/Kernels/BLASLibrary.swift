import COpenBLAS

/// What OpenBLAS says of itself.
package enum BLASLibrary {
    /// How the library runs threads of its own.
    package enum Threading: Sendable, Equatable {
        case none, pthreads, openMP, unknown
    }

    /// Version and build options: "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH …".
    package static var configuration: String {
        guard let text = unsafe openblas_get_config() else { return "unknown" }
        return unsafe String(cString: text)
    }

    /// The processor that its kernels were chosen for: "SkylakeX", "Haswell", "Zen".
    package static var coreName: String {
        guard let text = unsafe openblas_get_corename() else { return "unknown" }
        return unsafe String(cString: text)
    }

    package static var threading: Threading {
        switch openblas_get_parallel() {
        case 0: .none
        case 1: .pthreads
        case 2: .openMP
        default: .unknown
        }
    }

    /// Threads that a product is given now.
    package static var threadCount: Int { Int(openblas_get_num_threads()) }
}
