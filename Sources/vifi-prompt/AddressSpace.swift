import Files
import Foundation

/// What a limit on the address space (`ulimit -v`, batch systems) asks of the program's start and end.
enum AddressSpace {
    private static var isLimited: Bool {
        var limit = rlimit()
        return unsafe getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0 && limit.rlim_cur != rlim_t.max
    }

    /// OpenBLAS starts a thread for each processor when it is loaded, each with a buffer of 128 MiB, and each waits for
    /// its buffer for ever. None of them is used here. Under a limit the program therefore starts itself once more and
    /// tells OpenBLAS before it is loaded.
    static func startWithoutThreadsOfBLAS() {
        let name = "OPENBLAS_NUM_THREADS"
        guard isLimited, unsafe getenv(name) == nil, let program = resolvedPath("/proc/self/exe") else { return }
        unsafe setenv(name, "1", 1)
        // Returns only where it fails: then this process goes on as it is.
        unsafe execv(program, CommandLine.unsafeArgv)
    }

    /// The libraries' own ends wait for their threads, which may wait for memory. What is written is flushed first.
    static func endWithoutWaiting() {
        // The first to be registered is the last to run before the libraries' own.
        unsafe on_exit({ status, _ in
            fflush(nil)
            _exit(status)
        }, nil)
    }
}
