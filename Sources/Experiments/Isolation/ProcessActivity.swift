import Foundation

/// Tells a process that has come to rest from one that works or waits for a disk, however slow the machine is.
package struct ProcessActivity {
    private struct Signs: Equatable {
        var processorTicks = ""
        var readBytes = ""
    }

    private let identifier: pid_t
    /// Seconds of rest that are too many.
    private let patience: Double
    private var signs: Signs?
    private var restsSince: ContinuousClock.Instant?

    package init(of identifier: pid_t, patience: Double) {
        self.identifier = identifier
        self.patience = patience
    }

    /// Whether the process has done nothing for too long although nothing kept it: not computing, not reading, not
    /// waiting for a processor, a disk or a file server. Where the system does not tell, it is taken to be at work.
    package mutating func hasStopped() -> Bool {
        guard let (state, ticks) = Self.state(of: identifier), state == "S", !Self.isReadingFile(identifier) else {
            restsSince = nil
            return false
        }
        let now = Signs(processorTicks: ticks, readBytes: Self.text("io", of: identifier))
        guard now == signs, let since = restsSince else {
            signs = now
            restsSince = .now
            return false
        }
        return ContinuousClock.now - since > .seconds(patience)
    }

    /// The letter of its state and the processor time it took, from proc(5).
    private static func state(of identifier: pid_t) -> (state: Substring, ticks: String)? {
        let text = text("stat", of: identifier)
        // The name, in brackets, may hold anything.
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12 else { return nil }
        return (fields[0], "\(fields[11]) \(fields[12])")
    }

    #if arch(x86_64)
        private static let readingCall = "17"
    #else
        private static let readingCall = "67"
    #endif

    /// Within pread, which is used for files alone: some file systems keep a reader in the state of one that rests.
    private static func isReadingFile(_ identifier: pid_t) -> Bool {
        text("syscall", of: identifier).split(separator: " ").first.map(String.init) == readingCall
    }

    private static func text(_ name: String, of identifier: pid_t) -> String {
        (try? String(contentsOfFile: "/proc/\(identifier)/\(name)", encoding: .utf8)) ?? ""
    }
}
