import CKernels
import Glibc
import Synchronization

/// Threads that stay alive between calls and share out the items of one loop at a time.
///
/// Each item must write only memory of its own: then results do not depend on the number of threads.
package final class WorkerPool: Sendable {
    /// Threads that work, the calling one included.
    package let threadCount: Int
    private let shared: SharedState
    /// Where items go one after the other and are counted, in place of threads.
    package let recorder: WorkRecorder?

    /// Threads that can really work at once, for which memory is worth having: no more than the cores, whatever somebody asks
    /// for. Where work is only counted, all.
    package let concurrentCount: Int

    /// The cores that this process may use: those of its affinity mask, which `taskset`, Slurm and container runtimes
    /// set, or all that are online where it cannot be read; no more than control groups give it the time of. Hardware
    /// threads of one core share its vector units, which products keep busy with one thread, so they count as one.
    package static var availableProcessors: Int {
        let allowed = ProcessorTopology.allowedProcessors
        return processors(
            allowed: allowed.isEmpty ? max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) : ProcessorTopology().coreCount(of: allowed),
            quota: ControlGroups.here.processors)
    }

    /// - Parameter quota: processors' worth of time.
    package static func processors(allowed: Int, quota: Double?) -> Int {
        guard let quota, quota < Double(allowed) else { return allowed }
        return max(1, Int(quota.rounded(.toNearestOrAwayFromZero)))
    }

    /// - Parameter threadCount: fewer work where the system has no more to give.
    package init(threadCount: Int = WorkerPool.availableProcessors) {
        let shared = SharedState()
        self.shared = shared
        recorder = nil
        let affordableCount = Self.affordable(threadCount)
        var count = 1
        // Where the system gives no more threads, those that there are do all: results are the same.
        while count < affordableCount, startThread({ [shared, count] in shared.serve(worker: count) }) { count += 1 }
        self.threadCount = count
        concurrentCount = min(count, Self.availableProcessors)
    }

    /// A pool that does all items on the calling thread and counts their work, but plans as `threadCount` threads would
    /// make others plan.
    package init(recording recorder: WorkRecorder, as threadCount: Int) {
        shared = SharedState()
        self.recorder = recorder
        self.threadCount = max(1, threadCount)
        concurrentCount = self.threadCount
    }

    /// The threads that a limit on the address space leaves room for. Each takes its stack and, with its first
    /// product, a buffer of OpenBLAS, which waits for ever where it gets none. Half of the room is for everything else.
    private static func affordable(_ threadCount: Int) -> Int {
        let bytesOfThread = threadStackBytes + (128 << 20)
        var affordable = threadCount
        while affordable > 1, !hasAddressRoom(2 * affordable * bytesOfThread) { affordable -= 1 }
        return affordable
    }

    deinit { shared.stop() }

    /// Runs `body(worker, item)` for every item in `0 ..< count` and returns when all are done.
    /// `worker` is in `0 ..< min(threadCount, count, workers)` and never runs two items at once. Not reentrant; a loop of
    /// another thread waits for this one's end.
    ///
    /// - Parameter workers: bound on the threads that take part, where each needs memory of its own.
    package func parallelFor(_ count: Int, workers: Int = .max, _ body: @Sendable (_ worker: Int, _ item: Int) -> Void) {
        guard count > 0 else { return }
        let workers = min(threadCount, count, workers)
        if let recorder { return recorder.loop(count, workers: workers) { body(0, $0) } }
        let start = WorkMeter.now
        defer { WorkMeter.addLoop(since: start) }
        guard workers > 1 else {
            for item in 0..<count { body(0, item) }
            WorkMeter.addItems(since: start)
            return
        }
        withoutActuallyEscaping(body) { shared.run(count: count, workers: workers, helpers: threadCount - 1, body: $0) }
    }
}

private let threadStackBytes = 8 << 20

/// Whether a limit on the address space (`ulimit -v`, batch systems) leaves room for so many bytes more.
private func hasAddressRoom(_ byteCount: Int) -> Bool {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0, limit.rlim_cur != rlim_t.max else { return true }
    let room = unsafe mmap(nil, byteCount, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let room = unsafe room, unsafe room != MAP_FAILED else { return false }
    unsafe munmap(room, byteCount)
    return true
}

/// Runs `body` on a thread of its own, with an 8 MiB stack, that nobody waits for.
///
/// - Parameter reserve: bytes of the address space that must be left beside the stack, where it is limited. The threads
///   that run ask for memory too, small pieces among it whose lack ends the program; the allocator takes 64 MiB at once.
/// - Returns: false where the system has no thread to give.
@discardableResult
package func startThread(leaving reserve: Int = 0, _ body: @escaping @Sendable () -> Void) -> Bool {
    guard reserve == 0 || hasAddressRoom(threadStackBytes + reserve) else { return false }
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let context = unsafe Unmanaged.passRetained(Box(body))
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    // Without a limit on the main stack (`ulimit -s unlimited`) the system's default is only 2 MiB.
    unsafe pthread_attr_setstacksize(&attributes, threadStackBytes)
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
        /// Threads with a lower number take part.
        let workers: Int
        let body: @Sendable (Int, Int) -> Void
    }

    private let lock = Monitor()
    private let nextItem = Atomic<Int>(0)
    private var loop: Loop?
    /// Who called the loop.
    private var owner = pthread_t()
    private var generation = 0
    private var busyHelpers = 0
    private var isStopped = false

    func run(count: Int, workers: Int, helpers: Int, body: @escaping @Sendable (Int, Int) -> Void) {
        lock.lock()
        let caller = pthread_self()
        precondition(loop == nil || pthread_equal(owner, caller) == 0, "parallelFor inside parallelFor")
        while loop != nil { lock.wait() }
        owner = caller
        let loop = Loop(count: count, workers: workers, body: body)
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
        lock.wakeAll()
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
            if let current, worker < current.workers { drain(current, worker: worker) }
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
    private let recorder: WorkRecorder?

    /// - Parameter pool: whose items pass the gates, where it may be one that records.
    package init(gateCount: Int, pool: WorkerPool? = nil) {
        nextItem = Array(repeating: 0, count: gateCount)
        recorder = pool?.recorder
    }

    package func pass(gate: Int, item: Int, _ body: () -> Void) {
        if let recorder { return recorder.pass(gate: gate, body) }
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
