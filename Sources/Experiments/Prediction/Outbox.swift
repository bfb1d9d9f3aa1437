import Files
import Foundation
import Synchronization
import Tensors
import VideoData

/// Lines on their way to a receiver, handed on in their order by a thread of its own: who makes them does not wait.
///
/// At most 256 lines wait; then the oldest make room and are counted.
package final class Outbox: Sendable {
    /// What is done to lines, in people's words: "posted".
    package let verb: String
    private let lines = Lines()
    private let putCount = Atomic<Int>(0)

    /// Something that people should know of.
    package enum Event: Sendable {
        case warning(String)
        case note(String)
    }

    /// The end of the queue at which the thread stands.
    final class Lines: Sendable {
        fileprivate let queue = LatestQueue<String>(capacity: 256)
        fileprivate let delivered = Atomic<Int>(0)
        fileprivate let lost = Atomic<Int>(0)
        fileprivate let isOver = Atomic<Bool>(false)
        fileprivate let isHurriedFlag = Atomic<Bool>(false)

        /// The next line, once there is one; nil after the last, and where nobody waits any longer.
        func next() -> String? { isHurried ? nil : (try? queue.take()).flatMap { $0 } }

        /// Whether `next` returns at once.
        var hasNext: Bool { queue.hasNext }

        /// What became of a line.
        func settle(isDelivered: Bool) {
            if isDelivered { delivered.add(1, ordering: .relaxed) } else { lost.add(1, ordering: .relaxed) }
        }

        /// Nobody waits any longer.
        var isHurried: Bool { isHurriedFlag.load(ordering: .relaxed) }

        /// Rests before another try. Returns false where nobody waits any longer.
        func rest(seconds: Double) -> Bool {
            let deadline = ContinuousClock.now + .seconds(seconds)
            while ContinuousClock.now < deadline {
                if isHurried { return false }
                usleep(20_000)
            }
            return !isHurried
        }
    }

    /// - Parameters:
    ///   - receiver: for messages.
    ///   - deliver: delivers lines until there are no more. Called on the thread.
    /// - Throws: `FileError` where the system has no thread to give.
    init(to receiver: String, verb: String, deliver: @escaping @Sendable (Lines) -> Void) throws(FileError) {
        self.verb = verb
        let lines = lines
        let isStarted = startThread(leaving: 256 << 20) {
            deliver(lines)
            lines.isOver.store(true, ordering: .relaxed)
        }
        guard isStarted else { throw FileError(path: receiver, problem: .shortage(.processes)) }
    }

    deinit { lines.queue.finish() }

    package func put(_ line: String) {
        putCount.add(1, ordering: .relaxed)
        lines.queue.put(line, waits: false)
    }

    package var deliveredCount: Int { lines.delivered.load(ordering: .relaxed) }
    /// Given up, refused or dropped.
    package var lostCount: Int { lines.lost.load(ordering: .relaxed) + lines.queue.droppedCount }
    /// Neither delivered nor lost.
    package var waitingCount: Int { max(0, putCount.load(ordering: .relaxed) - deliveredCount - lostCount) }

    /// Waits until each line has arrived or is lost, at most for so long.
    ///
    /// - Returns: whether all was settled.
    package func finish(withinSeconds seconds: Double) -> Bool {
        lines.queue.finish()
        wait(seconds: seconds) { waitingCount == 0 }
        lines.isHurriedFlag.store(true, ordering: .relaxed)
        // The thread leaves its receiver, mostly at once: the process does not end in the middle of what it does.
        wait(seconds: 0.3) { false }
        return waitingCount == 0
    }

    /// Until a condition holds or the thread is over.
    private func wait(seconds: Double, until isEnough: () -> Bool) {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < deadline, !isEnough(), !lines.isOver.load(ordering: .relaxed) { usleep(20_000) }
    }
}
