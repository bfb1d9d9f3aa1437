import Files
import Foundation

/// Tells how far a loop has come: a bar that redraws itself on a terminal, otherwise a plain line every
/// few seconds. Everything goes to standard error.
final class ProgressReporter {
    private let title: String
    private let total: Int
    private let unit: String
    /// What was done before this process.
    private let first: Int
    private let isTerminal: Bool
    private let start = Date()
    private var lastShown = Date.distantPast

    /// Seconds between two lines where standard error is no terminal.
    private static let plainInterval = 5.0
    private static let barInterval = 0.1

    init(_ title: String, total: Int, unit: String, from first: Int = 0) {
        self.first = first
        self.title = title
        self.total = total
        self.unit = unit
        isTerminal = isatty(FileHandle.standardError.fileDescriptor) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    }

    /// - Parameter detail: a short note behind the bar, such as the loss.
    func show(_ done: Int, detail: String = "") {
        let now = Date()
        let interval = isTerminal ? Self.barInterval : Self.plainInterval
        guard now.timeIntervalSince(lastShown) >= interval || done == total else { return }
        lastShown = now
        write(line(done: done, detail: detail, elapsed: now.timeIntervalSince(start)), ending: isTerminal ? "" : "\n")
    }

    /// Ends the bar's line.
    func finish() {
        if isTerminal { write("", ending: "\r\u{1B}[K") }
    }

    private func line(done: Int, detail: String, elapsed: Double) -> String {
        let rate = elapsed > 0 ? Double(done - first) / elapsed : 0
        let left = rate > 0 ? Double(total - done) / rate : 0
        let numbers = "\(done)/\(total) \(unit), \(NumberText.decimal(rate, places: 1))/s, "
            + (done == total ? "took \(NumberText.time(elapsed))" : "\(NumberText.time(left)) left")
        let tail = detail.isEmpty ? "" : ", \(detail)"
        guard isTerminal else { return "\(title): \(numbers)\(tail)" }
        let width = 24
        let filled = total == 0 ? width : width * done / total
        return "\r\u{1B}[K\(title) [\(String(repeating: "#", count: filled))\(String(repeating: ".", count: width - filled))] \(numbers)\(tail)"
    }

    private func write(_ text: String, ending: String) {
        StandardStream.error.write(text + ending)
    }
}
