import Files
import Foundation
import Synchronization
import Tensors
import VideoData

/// Where answers are posted to: `http://host:port/path`.
package struct WebhookAddress: Sendable, Equatable {
    package let text: String
    let origin: URLOrigin
    /// With what follows it, as it stands in a request.
    let path: String

    /// - Throws: `WebhookError`.
    package init(_ text: String) throws(WebhookError) {
        self.text = text
        guard let authority = URLOrigin.authority(of: text), let origin = URLOrigin(text) else { throw WebhookError(address: text, problem: .badAddress) }
        if origin.scheme == "https" { throw WebhookError(address: text, problem: .encrypted) }
        // A line break would begin another line of the request.
        guard origin.scheme == "http", text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }), !text[authority].contains("@"), !text.contains("#") else {
            throw WebhookError(address: text, problem: .badAddress)
        }
        self.origin = origin
        let tail = text[authority.upperBound...]
        path = tail.first == "/" ? String(tail) : "/" + tail
    }

    /// What is shown to people: without the path, which may hold a token.
    var shown: String { origin.text + (path == "/" ? "/" : "/…") }
}

/// Why answers cannot be posted.
package struct WebhookError: ReportableError, Equatable {
    package enum Problem: Sendable, Equatable { case encrypted, badAddress }

    package let address: String
    package let problem: Problem

    package var exitStatus: ExitStatus { .usage }

    /// Whatever stands before an @ may be a password, and the path a token.
    private var shown: String {
        let start = address.firstRange(of: "://")?.upperBound ?? address.startIndex
        if address.contains("@") { return address[..<start] + "***" }
        let authority = address[start...].prefix { !"/?#".contains($0) }
        return address[..<authority.endIndex] + (authority.endIndex < address.endIndex ? "/…" : "")
    }

    package var description: String {
        let name = shown.escapedForDisplay
        return switch problem {
        case .encrypted:
            "--webhook \(name): answers are posted over HTTP alone. Post them to a proxy on this machine that encrypts, such as "
                + "http://127.0.0.1:9000/hook."
        case .badAddress:
            "--webhook \(name): is no address such as http://127.0.0.1:9000/hook. Names and passwords are not sent; put a token into the path."
        }
    }
}

/// Posts lines to an address in their order, on a thread of its own: who makes them does not wait.
///
/// At most 256 lines wait; then the oldest make room and are counted. A line that does not arrive is tried again after
/// half a second, one, two and four, then given up and counted; so is one that the receiver refuses.
package final class Webhook: Sendable {
    private let queue = LatestQueue<String>(capacity: 256)
    private let counts = Counts()

    private final class Counts: Sendable {
        let delivered = Atomic<Int>(0)
        let lost = Atomic<Int>(0)
        let isOver = Atomic<Bool>(false)
        /// Nobody waits any longer.
        let isHurried = Atomic<Bool>(false)
    }

    static let waits = [0.5, 1, 2, 4]

    /// - Parameter report: told why a line was lost, from the thread that posts.
    /// - Throws: `FileError` where the system has no thread to give.
    package init(_ address: WebhookAddress, report: @escaping @Sendable (String) -> Void) throws {
        let (queue, counts) = (queue, counts)
        let isStarted = startThread(leaving: 256 << 20) {
            while let line = (try? queue.take()).flatMap({ $0 }) {
                if let reason = Self.deliver(line, to: address, counts) {
                    counts.lost.add(1, ordering: .relaxed)
                    report("--webhook \(address.shown.escapedForDisplay): an answer was lost: \(reason.escapedForDisplay)")
                } else {
                    counts.delivered.add(1, ordering: .relaxed)
                }
            }
            counts.isOver.store(true, ordering: .relaxed)
        }
        guard isStarted else { throw FileError(path: address.shown, problem: .shortage(.processes)) }
    }

    deinit { queue.finish() }

    package func post(_ line: String) { queue.put(line, waits: false) }

    package var deliveredCount: Int { counts.delivered.load(ordering: .relaxed) }
    /// Given up, refused or dropped.
    package var lostCount: Int { counts.lost.load(ordering: .relaxed) + queue.droppedCount }

    /// Waits until what was posted has arrived or is lost, at most for so long.
    ///
    /// - Returns: whether all was settled.
    package func finish(withinSeconds seconds: Double) -> Bool {
        queue.finish()
        let deadline = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < deadline, !counts.isOver.load(ordering: .relaxed) { usleep(20_000) }
        counts.isHurried.store(true, ordering: .relaxed)
        return counts.isOver.load(ordering: .relaxed)
    }

    /// - Returns: why the line is lost; nil where it arrived.
    private static func deliver(_ line: String, to address: WebhookAddress, _ counts: Counts) -> String? {
        var reason = ""
        for wait in [0] + waits {
            let deadline = ContinuousClock.now + .seconds(wait)
            while ContinuousClock.now < deadline {
                if counts.isHurried.load(ordering: .relaxed) { return reason }
                usleep(20_000)
            }
            switch HTTPPost(address).send(line + "\n") {
            case .accepted: return nil
            case .refused(let status): return "the receiver answered with status \(status)"
            case .failed(let words): reason = words
            }
        }
        return reason
    }
}
