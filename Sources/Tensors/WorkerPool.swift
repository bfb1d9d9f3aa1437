import CKernels
import Glibc
import Synchronization

/// Threads that stay alive between calls and share out the items of one loop at a time.
///
/// Each item must write only memory of its own: then results do not depend on the number of threads.
package final class WorkerPool: Sendable {
    /// Threads that work, the calling one included.
    package let threadCount: Int
    private let shared = SharedState()

    /// The processors that this process may use: those of its affinity mask, which `taskset`, Slurm and
    /// container runtimes set, or all that are online where it cannot be read.
    package static var availableProcessors: Int {
        let allowed = Int(vifi_allowed_processors())
        return allowed > 0 ? allowed : max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    }

    /// - Parameter threadCount: asked for.
    package init(threadCount: Int = WorkerPool.availableProcessors) {
        // Where the system has no more threads to give, fewer do the same work: results do not depend on their number.
        var started = 1
        while started < threadCount, startThread({ [shared, started] in shared.serve(worker: started) }) { started += 1 }
        self.threadCount = started
    }

    deinit { shared.stop() }

    /// Runs `body(worker, item)` for every item in `0 ..< count` and returns when all are done.
    /// `worker` is in `0 ..< threadCount` and never runs two items at once. Not reentrant.
    package func parallelFor(_ count: Int, _ body: @Sendable (_ worker: Int, _ item: Int) -> Void) {
        guard count > 0 else { return }
        let start = WorkMeter.now
        defer { WorkMeter.addLoop(since: start) }
        guard threadCount > 1, count > 1 else {
            for item in 0..<count { body(0, item) }
            WorkMeter.addItems(since: start)
            return
        }
        withoutActuallyEscaping(body) { shared.run(count: count, helpers: threadCount - 1, body: $0) }
    }
}

/// Runs `body` on a thread of its own, with an 8 MiB stack, that nobody waits for.
///
/// - Returns: false where the system has no thread to give.
@discardableResult
package func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let context = unsafe Unmanaged.passRetained(Box(body))
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    // Without a limit on the main stack (`ulimit -s unlimited`) the system's default is only 2 MiB.
    unsafe pthread_attr_setstacksize(&attributes, 8 << 20)
    defer { unsafe pthread_attr_destroy(&attributes) }
    let code = unsafe pthread_create(&thread, &attributes, { raw in
        guard let raw = unsafe raw else { return nil }
        unsafe Unmanaged<Box>.fromOpaque(raw).takeRetainedValue().body()
        return nil
    }, context.toOpaque())
    guard code == 0 else {
        unsafe context.release()
        return false
    }
    pthread_detach(thread)
    return true
}

/// Unchecked Sendable: everything mutable is guarded by `lock`, but for the atomic item counter.
private final class SharedState: @unchecked Sendable {
    private struct Loop {
        let count: Int
        let body: @Sendable (Int, Int) -> Void
    }

    private let lock = Monitor()
    private let nextItem = Atomic<Int>(0)
    private var loop: Loop?
    private var generation = 0
    private var busyHelpers = 0
    private var isStopped = false

    func run(count: Int, helpers: Int, body: @escaping @Sendable (Int, Int) -> Void) {
        lock.lock()
        precondition(loop == nil, "parallelFor inside parallelFor")
        let loop = Loop(count: count, body: body)
        nextItem.store(0, ordering: .relaxed)
        self.loop = loop
        generation += 1
        busyHelpers = helpers
        lock.wakeAll()
        lock.unlock()
        drain(loop, worker: 0)
        lock.lock()
        while busyHelpers > 0 { lock.wait() }
        self.loop = nil
        lock.unlock()
    }

    func serve(worker: Int) {
        var seen = 0
        lock.lock()
        while true {
            while generation == seen && !isStopped { lock.wait() }
            if isStopped { break }
            seen = generation
            let current = loop
            lock.unlock()
            if let current { drain(current, worker: worker) }
            lock.lock()
            busyHelpers -= 1
            if busyHelpers == 0 { lock.wakeAll() }
        }
        lock.unlock()
    }

    func stop() {
        lock.lock()
        isStopped = true
        lock.wakeAll()
        lock.unlock()
    }

    private func drain(_ loop: Loop, worker: Int) {
        let start = WorkMeter.now
        defer { WorkMeter.addItems(since: start) }
        while true {
            let item = nextItem.wrappingAdd(1, ordering: .relaxed).oldValue
            guard item < loop.count else { return }
            loop.body(worker, item)
        }
    }
}

/// Lets items take turns in their own order, at each of several gates: item 3 passes gate g after
/// item 2 has. Sums made between `enter` and `leave` then come out the same for any thread count.
package final class Turnstile: @unchecked Sendable {
    private let lock = Monitor()
    private var nextItem: [Int]

    package init(gateCount: Int) { nextItem = Array(repeating: 0, count: gateCount) }

    package func pass(gate: Int, item: Int, _ body: () -> Void) {
        let start = WorkMeter.now
        lock.lock()
        while nextItem[gate] != item { lock.wait() }
        lock.unlock()
        WorkMeter.addTurn(since: start)
        body()
        lock.lock()
        nextItem[gate] += 1
        lock.wakeAll()
        lock.unlock()
    }
}
