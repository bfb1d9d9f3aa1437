import Evaluation
import Files
import Foundation
import Tensors
import VideoData

/// What happens to a live source while it is read.
package enum LiveEvent: Sendable, Equatable {
    case opened
    /// It is opened again after a while.
    case brokeOff(LiveError, waitSeconds: Double)
    case openedAgain(afterSeconds: Double)
}

/// A window of a source that may have been opened several times.
package struct LiveMoment: Sendable {
    /// Of the opening: frames' numbers hold within one.
    package let opening: Int
    /// Its times count from the first picture of the first opening.
    package let window: LiveWindow
}

/// Reads a live source on a thread of its own, window by window, while a model looks at those before.
///
/// At most two windows wait. Where the source goes on by itself, the oldest one makes room for the newest, and is
/// counted; a recording waits. A source that breaks off is opened again.
package final class LiveReader: Sendable {
    private let queue = LatestQueue<LiveMoment>(capacity: 2)

    package struct Settings: Sendable {
        package var reconnects = true
        /// Nil: sources that go on by themselves lose windows, recordings wait.
        package var dropsLate: Bool?
        /// After so many seconds without success no more is tried.
        package var patienceSeconds = 300.0
        /// Before the second try; doubled with each, up to 30.
        package var firstWaitSeconds = 1.0

        package init(reconnects: Bool = true, dropsLate: Bool? = nil) {
            self.reconnects = reconnects
            self.dropsLate = dropsLate
        }
    }

    /// Starts reading.
    ///
    /// - Parameters:
    ///   - isCancelled: asked many times a second, from any thread.
    ///   - report: called from the thread that reads.
    /// - Throws: `FileError` where the system has no thread to give.
    package init(
        _ request: LiveRequest, settings: Settings = Settings(), isCancelled: @escaping @Sendable () -> Bool,
        report: @escaping @Sendable (LiveEvent) -> Void
    ) throws {
        let reading = Reading(request: request, settings: settings, queue: queue, isCancelled: isCancelled, report: report)
        guard startThread(leaving: 256 << 20, { reading.run() }) else {
            throw FileError(path: request.address.shown, problem: .shortage(.processes))
        }
    }

    deinit { queue.finish() }

    /// The next window; nil at the end of the source.
    ///
    /// - Throws: `LiveError`.
    package func next() throws -> LiveMoment? { try queue.take() }

    /// Windows that were dropped, since the model was slower than the source.
    package var droppedCount: Int { queue.droppedCount }

    private struct Reading: Sendable {
        let request: LiveRequest
        let settings: Settings
        let queue: LatestQueue<LiveMoment>
        let isCancelled: @Sendable () -> Bool
        let report: @Sendable (LiveEvent) -> Void

        func run() {
            let clock = ContinuousClock()
            var opening = 0
            /// When the first picture of the first opening came.
            var start: ContinuousClock.Instant?
            /// Up to where windows were handed on.
            var covered = 0.0
            var isRecording = false
            var broken: (since: ContinuousClock.Instant, tries: Int)?
            while true {
                do throws(LiveError) {
                    let stream = try LiveStream(request, isCancelled: isCancelled)
                    if let since = broken?.since {
                        report(.openedAgain(afterSeconds: (clock.now - since) / .seconds(1)))
                        opening += 1
                    } else {
                        report(.opened)
                    }
                    isRecording = stream.isRecording
                    let waits = !(settings.dropsLate ?? !isRecording)
                    var base: Double?
                    while var window = try stream.next() {
                        broken = nil
                        if start == nil { start = clock.now - .seconds(window.end) }
                        // Time went on while the source was away, as far as the clock of this machine tells.
                        let away = start.map { (clock.now - $0) / .seconds(1) - window.end } ?? 0
                        let added = base ?? (opening == 0 ? 0 : max(covered, away + window.start) - window.start)
                        base = added
                        window.start += added
                        window.end += added
                        covered = window.end
                        queue.put(LiveMoment(opening: opening, window: window), waits: waits)
                        if isCancelled() { throw LiveError(source: request.address.shown, problem: .stopped) }
                    }
                    return queue.finish()
                } catch {
                    if error.problem == .stopped || isCancelled() { return queue.finish() }
                    let since = broken?.since ?? clock.now
                    let tries = broken?.tries ?? 0
                    let wait = min(30, settings.firstWaitSeconds * Double(1 << min(tries, 10)))
                    // What never came is an error of the command, and a recording would begin anew.
                    guard settings.reconnects, !isRecording, request.address.canReconnect, start != nil, error.mayPass,
                        (clock.now - since) / .seconds(1) + wait <= settings.patienceSeconds
                    else { return queue.finish(.failure(error)) }
                    report(.brokeOff(error, waitSeconds: wait))
                    broken = (since, tries + 1)
                    let deadline = clock.now + .seconds(wait)
                    while clock.now < deadline, !isCancelled() { usleep(50_000) }
                    if isCancelled() { return queue.finish() }
                }
            }
        }
    }
}
