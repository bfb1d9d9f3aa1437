import Files
import Foundation

/// A process that is asked by lines on its standard input and answers on its standard output.
///
/// It ends when its input does, which is when this value goes. One thread at a time uses it.
final class WorkerProcess: @unchecked Sendable {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var buffer = Data()
    private(set) var hasHung = false

    /// The longest line that a worker is listened to.
    private static let lineLimit = 64 << 20

    /// - Parameter program: this one where nil. Nil where no process can be had.
    init?(program: String?, arguments: [String]) {
        // Writing to a worker that has died is an error to look at, not the end.
        signal(SIGPIPE, SIG_IGN)
        process.executableURL = URL(fileURLWithPath: program ?? "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = arguments
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        do { try process.run() } catch { return nil }
    }

    deinit {
        try? input.fileHandleForWriting.close()
        if process.isRunning { process.terminate() }
    }

    /// Writes a value as a line of JSON. Returns false where the process has died.
    func ask(_ question: some Encodable) -> Bool {
        guard let line = try? JSONEncoder().encode(question) else { return false }
        return (try? input.fileHandleForWriting.write(contentsOf: line + Data([UInt8(ascii: "\n")]))) != nil
    }

    /// The next line as a value; nil where the process has died, hangs, or says something else.
    func answer<Answer: Decodable>(_ type: Answer.Type, within seconds: Double = .infinity) -> Answer? {
        var searched = buffer.startIndex
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = Data(buffer[..<end])
                buffer = Data(buffer[buffer.index(after: end)...])
                return try? JSONDecoder().decode(type, from: line)
            }
            searched = buffer.endIndex
            guard buffer.count <= Self.lineLimit, fill(within: seconds) else { return nil }
        }
    }

    /// The next `count` bytes; nil where they do not come.
    func bytes(_ count: Int, within seconds: Double) -> Data? {
        while buffer.count < count { guard fill(within: seconds) else { return nil } }
        let result = Data(buffer.prefix(count))
        buffer = Data(buffer.dropFirst(count))
        return result
    }

    private func fill(within seconds: Double) -> Bool {
        let handle = output.fileHandleForReading
        if seconds.isFinite {
            var entry = pollfd(fd: handle.fileDescriptor, events: Int16(POLLIN), revents: 0)
            let deadline = Date(timeIntervalSinceNow: seconds)
            while true {
                let left = deadline.timeIntervalSinceNow
                guard left > 0 else {
                    hasHung = true
                    kill(process.processIdentifier, SIGKILL)
                    return false
                }
                let count = unsafe poll(&entry, 1, Int32(min(left * 1000 + 1, 1e6)))
                if count > 0 { break }
                if count < 0 && errno != EINTR { return false }
            }
        }
        let more = handle.availableData
        buffer.append(more)
        return !more.isEmpty
    }

    /// How it ended, in words.
    func end() -> String {
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
        if hasHung { return "it did not answer" }
        return (process.terminationReason == .uncaughtSignal ? "signal " : "status ") + "\(process.terminationStatus)"
    }
}

/// Bounds what this process may take: for those that look at films nobody vouches for.
func limitWorkerResources() {
    /// What a film may make the decoder ask for.
    let addressSpace = 8 << 30
    for (resource, limit) in [(__rlimit_resource_t(RLIMIT_AS.rawValue), addressSpace), (__rlimit_resource_t(RLIMIT_CORE.rawValue), 0)] {
        var limits = rlimit(rlim_cur: rlim_t(limit), rlim_max: rlim_t(limit))
        // Where the system grants less already, that stays.
        _ = unsafe setrlimit(resource, &limits)
    }
}
