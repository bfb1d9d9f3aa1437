import Files
import Foundation
import Synchronization

extension Outbox {
    /// Publishes lines under a topic of a broker, each as a message that the broker acknowledges and does not keep.
    ///
    /// A line waits until the broker has it, also while that is away, which is looked for again after half a second, one,
    /// two, four, and every eight from then on. It is lost where the broker refuses it. A line whose acknowledgment got lost with
    /// the connection arrives twice.
    ///
    /// - Parameters:
    ///   - isCancelled: asked many times a second, while the first connection is made.
    ///   - report: called from the thread that publishes.
    /// - Throws: `MQTTError` where no first connection comes about; `FileError` where the system has no thread to give.
    package static func mqtt(
        _ address: MQTTAddress, as credentials: MQTTCredentials, isCancelled: () -> Bool, report: @escaping @Sendable (Event) -> Void
    ) throws -> Outbox {
        let arrival = Arrival()
        let outbox = try Outbox(to: address.text, verb: "published") { lines in
            var publisher = MQTTPublisher(address: address, credentials: credentials, lines: lines, report: report)
            do throws(MQTTError) {
                try publisher.connect()
                arrival.result.withLock { $0 = .success(()) }
            } catch {
                return arrival.result.withLock { $0 = .failure(error) }
            }
            publisher.run()
        }
        // Looking for a host's name and for the host takes what the system takes, unless nobody waits for it.
        let deadline = ContinuousClock.now + .seconds(2 * MQTTConnection.timeoutSeconds)
        while !isCancelled() {
            if let result = arrival.result.withLock({ $0 }) {
                try result.get()
                break
            }
            guard ContinuousClock.now < deadline else {
                throw MQTTError(address: address.text, problem: .unreachable(reason: "nobody answered for \(2 * MQTTConnection.timeoutSeconds) s"))
            }
            usleep(10_000)
        }
        return outbox
    }

    /// What came of the first connection; said by the thread that publishes.
    private final class Arrival: Sendable {
        let result = Mutex<Result<Void, MQTTError>?>(nil)
    }
}

/// Publishes the lines of an outbox, through one connection after the other.
private struct MQTTPublisher: ~Copyable {
    let address: MQTTAddress
    let credentials: MQTTCredentials
    let lines: Outbox.Lines
    let report: @Sendable (Outbox.Event) -> Void
    private var connection: MQTTConnection?

    private static let longestWait = 8.0

    init(address: MQTTAddress, credentials: MQTTCredentials, lines: Outbox.Lines, report: @escaping @Sendable (Outbox.Event) -> Void) {
        self.address = address
        self.credentials = credentials
        self.lines = lines
        self.report = report
        connection = nil
    }

    mutating func connect() throws(MQTTError) {
        let lines = lines
        connection = try MQTTConnection(to: address, as: credentials) { lines.isHurried }
    }

    /// Until there are no more lines, or nobody waits any longer.
    mutating func run() {
        while true {
            while !lines.hasNext {
                if connection == nil {
                    _ = lines.rest(seconds: 0.05)
                } else if connection?.rest() == false {
                    connection = nil
                }
            }
            guard let line = lines.next(), deliver(line) else { return }
        }
    }

    /// Returns false where nobody waits any longer.
    private mutating func deliver(_ line: String) -> Bool {
        let name = address.text.escapedForDisplay
        var wait = 0.5
        var goneSince: ContinuousClock.Instant?
        while true {
            do throws(MQTTError) {
                if connection == nil { try connect() }
                try connection?.publish(line)
                lines.settle(isDelivered: true)
                if let goneSince {
                    let seconds = NumberText.decimal((ContinuousClock.now - goneSince) / .seconds(1), places: 0)
                    report(.note("--mqtt \(name): the broker is there again after \(seconds) s"))
                }
                return true
            } catch {
                if case .messageRefused = error.problem {
                    report(.warning("--mqtt \(name): an answer was lost: \(error.reason)"))
                    lines.settle(isDelivered: false)
                    return true
                }
                connection = nil
                if lines.isHurried { return false }
                if goneSince == nil {
                    goneSince = .now
                    report(.warning("--mqtt \(name): \(error.reason). It is tried again, and answers wait meanwhile"))
                }
                guard lines.rest(seconds: wait) else { return false }
                wait = min(2 * wait, Self.longestWait)
            }
        }
    }
}
