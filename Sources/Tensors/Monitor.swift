import Glibc

/// A lock with a condition to wait for.
///
/// Sendable because its only state is the two C objects, made for use from any thread. Safe because it
/// owns them for as long as it lives and lends them to nobody.
@safe package final class Monitor: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    package init() {
        // C wants both to stay at one address, which a Swift property does not promise.
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(condition, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    package func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
        lock()
        defer { unlock() }
        return try body()
    }

    /// For loops that give the lock up in their middle; elsewhere `locked`.
    package func lock() { unsafe pthread_mutex_lock(mutex) }
    package func unlock() { unsafe pthread_mutex_unlock(mutex) }

    /// Releases the lock until `wakeAll`; holds it again on return. Only while locked.
    package func wait() { unsafe pthread_cond_wait(condition, mutex) }

    package func wakeAll() { unsafe pthread_cond_broadcast(condition) }
}
