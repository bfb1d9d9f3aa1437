import Glibc
import Synchronization

/// Ctrl-C, SIGTERM and SIGUSR1 as a flag that loops look at between steps.
///
/// The first signal asks for a clean end; the second ends the process at once.
package enum Interruption {
    private static let signalNumber = Atomic<Int32>(0)

    /// Whether a signal has asked for the end.
    package static var isRequested: Bool { signalNumber.load(ordering: .relaxed) != 0 }

    /// From now on a signal only asks. Until then it ends the process, as commands without anything to
    /// save should.
    package static func install() {
        var numbers = sigset_t()
        unsafe sigemptyset(&numbers)
        for number in [SIGINT, SIGTERM, SIGUSR1] {
            unsafe sigaddset(&numbers, number)
            signal(number) { number in
                // Only atomics and _exit are safe in a handler.
                if Interruption.signalNumber.exchange(number, ordering: .relaxed) != 0 { _exit(128 + number) }
            }
        }
        // A parent that blocks signals, as some job managers and test runners do, hands that on.
        unsafe pthread_sigmask(SIG_UNBLOCK, &numbers, nil)
    }
}
