import Glibc
import Synchronization
import Tensors

/// Ctrl-C, SIGTERM and SIGUSR1 as a flag that loops look at between steps.
///
/// The first signal asks for a clean end; another one after a while ends the process at once.
package enum Interruption {
    private static let signalNumber = Atomic<Int32>(0)

    /// Whether a signal has asked for the end.
    package static var isRequested: Bool { signalNumber.load(ordering: .relaxed) != 0 }

    /// When the first signal came.
    private static let firstTime = Atomic<Int>(0)
    /// Launchers signal a process and its group, so the same wish comes twice: nanoseconds in which that is one.
    private static let echo = 300_000_000
    private static let asked = [SIGINT, SIGTERM, SIGUSR1]
    private static let hasOwnThread = Atomic<Bool>(false)

    /// From now on a signal only asks. Until then it ends the process, as commands without anything to
    /// save should.
    package static func install() {
        for number in asked {
            signal(number) { number in
                // Only atomics, the clock and _exit are safe in a handler.
                let now = WorkMeter.now
                if Interruption.signalNumber.exchange(number, ordering: .relaxed) == 0 {
                    Interruption.firstTime.store(now, ordering: .relaxed)
                } else if now - Interruption.firstTime.load(ordering: .relaxed) > Interruption.echo {
                    _exit(128 + number)
                }
            }
        }
        // A parent that blocks signals, as some job managers and test runners do, hands that on.
        if !hasOwnThread.load(ordering: .relaxed) { mask(SIG_UNBLOCK) }
    }

    /// Keeps signals away from this thread and those that it starts from now on: one that does nothing else
    /// takes them. oneDNN's kernels for AVX-512 keep data beyond the end of the stack, where a handler puts its own: a
    /// signal that a thread takes within a product damages memory.
    package static func useOwnThread() {
        guard !hasOwnThread.load(ordering: .relaxed) else { return }
        let isStarted = startThread {
            mask(SIG_UNBLOCK)
            while true { pause() }
        }
        guard isStarted else { return }
        mask(SIG_BLOCK)
        hasOwnThread.store(true, ordering: .relaxed)
    }

    /// Of the calling thread.
    private static func mask(_ how: Int32) {
        var numbers = sigset_t()
        unsafe sigemptyset(&numbers)
        for number in asked { unsafe sigaddset(&numbers, number) }
        unsafe pthread_sigmask(how, &numbers, nil)
    }
}
