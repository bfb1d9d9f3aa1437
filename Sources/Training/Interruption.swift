import Files
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
    /// Zero until it runs.
    private static let ownThread = Atomic<UInt>(0)

    private static let isInstalled = Atomic<Bool>(false)

    /// From now on a signal only asks. Until then it ends the process, as commands without anything to
    /// save should; files that are half written go with it.
    package static func install() {
        isInstalled.store(true, ordering: .relaxed)
        if hasOwnThread.load(ordering: .relaxed) { return handOn(asked) }
        for number in asked { signal(number) { Interruption.ask($0) } }
        // A parent that blocks signals, as some job managers and test runners do, hands that on.
        mask(SIG_UNBLOCK, asked)
    }

    /// Libraries start threads before the program does, OpenBLAS's and MPI's among them, and those block nothing: where the system
    /// chooses one of them, it passes the signal to the thread that takes all. None of them computes with oneDNN.
    private static func handOn(_ numbers: [Int32]) {
        for number in numbers { signal(number) { pthread_kill(Interruption.ownThread.load(ordering: .relaxed), $0) } }
    }

    /// Only atomics, the clock and _exit: also called where a signal has stopped a thread anywhere.
    private static func ask(_ number: Int32) {
        let now = WorkMeter.now
        if signalNumber.exchange(number, ordering: .relaxed) == 0 {
            firstTime.store(now, ordering: .relaxed)
        } else if now - firstTime.load(ordering: .relaxed) > echo {
            _exit(128 + number)
        }
    }

    /// Keeps signals away from this thread and those that it starts from now on: one that does nothing else
    /// takes them. oneDNN's kernels for AVX-512 keep data beyond the end of the stack, where a handler puts its own: a
    /// signal that a thread takes within a product damages memory. And only a thread of its own may do at a signal
    /// what a handler may not, such as removing files.
    package static func useOwnThread() {
        guard !hasOwnThread.load(ordering: .relaxed) else { return }
        // What the parent has switched off, as `nohup` and background jobs of scripts do, stays so; asking is another thing.
        let ignored = taken.filter(isIgnored)
        let isStarted = startThread {
            ownThread.store(pthread_self(), ordering: .relaxed)
            while true {
                let number = wait()
                if isInstalled.load(ordering: .relaxed), asked.contains(number) {
                    receive(number)
                } else if !ignored.contains(number) {
                    end(by: number)
                }
            }
        }
        guard isStarted else { return }
        mask(SIG_BLOCK, taken)
        while ownThread.load(ordering: .relaxed) == 0 { sched_yield() }
        handOn(taken.filter { !ignored.contains($0) })
        hasOwnThread.store(true, ordering: .relaxed)
    }

    /// Those that ask, and the end of the terminal, which never does.
    private static var taken: [Int32] { asked + [SIGHUP] }

    private static func receive(_ number: Int32) {
        let isEcho = WorkMeter.now - firstTime.load(ordering: .relaxed) <= echo
        if isRequested, !isEcho { TemporaryPath.removeAll { _exit(128 + number) } }
        ask(number)
    }

    /// As if nobody had taken the signal, but without leaving half a file.
    private static func end(by number: Int32) -> Never {
        TemporaryPath.removeAll {
            signal(number, SIG_DFL)
            mask(SIG_UNBLOCK, [number])
            kill(getpid(), number)
            // The first process of a container survives its signals.
            _exit(128 + number)
        }
    }

    /// The next signal.
    private static func wait() -> Int32 {
        mask(SIG_BLOCK, taken)
        var numbers = sigset_t()
        unsafe sigemptyset(&numbers)
        for number in taken { unsafe sigaddset(&numbers, number) }
        var number: Int32 = 0
        while unsafe sigwait(&numbers, &number) != 0 {}
        return number
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        guard unsafe sigaction(number, nil, &action) == 0 else { return false }
        return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    /// Of the calling thread.
    private static func mask(_ how: Int32, _ signals: [Int32]) {
        var numbers = sigset_t()
        unsafe sigemptyset(&numbers)
        for number in signals { unsafe sigaddset(&numbers, number) }
        unsafe pthread_sigmask(how, &numbers, nil)
    }
}
