import Foundation
import TestSupport

/// A headless Chromium, driven over pipes by the DevTools protocol (`--remote-debugging-pipe`): messages are JSON, each
/// ended by a zero byte; the browser reads descriptor 3 and writes descriptor 4.
///
/// For one thread; every wait has an end.
final class Browser {
    /// The program, where one is installed.
    static let path: String? = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].lazy.compactMap(Program.installed).first

    struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    struct Event {
        let session: String
        let method: String
        let parameters: [String: Any]
    }

    private let process: pid_t
    private let input: Int32
    private let output: Int32
    private let profile: TemporaryDirectory
    private var lastID = 0
    /// Bytes of a message that has not ended yet.
    private var pending: [UInt8] = []
    /// What pages have told and nobody has taken.
    private var events: [Event] = []

    /// - Throws: `Fault` where no browser is installed or it does not start.
    init() throws {
        guard let path = Self.path else { throw Fault(description: "No Chromium is installed.") }
        profile = try TemporaryDirectory()
        let (toBrowser, fromBrowser) = (try Self.pipe(), try Self.pipe())
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for stream in 0...2 { posix_spawn_file_actions_addopen(&actions, Int32(stream), "/dev/null", stream == 0 ? O_RDONLY : O_WRONLY, 0) }
        posix_spawn_file_actions_adddup2(&actions, toBrowser.reading, 3)
        posix_spawn_file_actions_adddup2(&actions, fromBrowser.writing, 4)
        let arguments = [
            path, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
            "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required", "--use-fake-device-for-media-stream", "--user-data-dir=\(profile.path)", "about:blank",
        ]
        let environment = ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" }
        var started = pid_t()
        let status = Self.withStrings(arguments) { arguments in
            Self.withStrings(environment) { environment in posix_spawn(&started, path, &actions, nil, arguments, environment) }
        }
        close(toBrowser.reading)
        close(fromBrowser.writing)
        (process, input, output) = (started, toBrowser.writing, fromBrowser.reading)
        guard status == 0 else { throw Fault(description: "\(path) does not start: \(String(cString: strerror(status)))") }
        // A browser that has died must not take the tests with it.
        signal(SIGPIPE, SIG_IGN)
    }

    deinit {
        close(input)
        close(output)
        if process > 0 {
            kill(process, SIGKILL)
            waitpid(process, nil, 0)
        }
        // Its children may still be writing for a moment.
        for _ in 0..<50 where FileManager.default.fileExists(atPath: profile.path) {
            try? FileManager.default.removeItem(atPath: profile.path)
            usleep(20_000)
        }
    }

    // MARK: Messages

    /// Asks the browser, or a page by its session, and waits for the answer.
    @discardableResult
    func call(_ method: String, _ parameters: [String: Any] = [:], session: String? = nil, seconds: Double = 30) throws -> [String: Any] {
        lastID += 1
        var message: [String: Any] = ["id": lastID, "method": method, "params": parameters]
        if let session { message["sessionId"] = session }
        try send(try JSONSerialization.data(withJSONObject: message))
        let deadline = Date(timeIntervalSinceNow: seconds)
        while let answer = try receive(until: deadline) {
            guard answer["id"] as? Int == lastID else {
                note(answer)
                continue
            }
            if let error = answer["error"] as? [String: Any] { throw Fault(description: "\(method): \(error["message"] ?? error)") }
            return answer["result"] as? [String: Any] ?? [:]
        }
        throw Fault(description: "\(method) was not answered within \(seconds) seconds.")
    }

    /// What a page has told since it was asked last.
    func takeEvents(of session: String) -> [Event] {
        while let message = try? receive(until: Date()) { note(message) }
        defer { events.removeAll { $0.session == session } }
        return events.filter { $0.session == session }
    }

    private func note(_ message: [String: Any]) {
        guard let method = message["method"] as? String, let session = message["sessionId"] as? String else { return }
        events.append(Event(session: session, method: method, parameters: message["params"] as? [String: Any] ?? [:]))
    }

    private func send(_ message: Data) throws {
        let bytes = [UInt8](message) + [0]
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
            guard count > 0 || errno == EINTR else { throw Fault(description: "The browser has gone.") }
            done += max(count, 0)
        }
    }

    /// - Returns: nil where nothing has come until then.
    private func receive(until deadline: Date) throws -> [String: Any]? {
        while true {
            if let end = pending.firstIndex(of: 0) {
                let message = Data(pending[..<end])
                pending.removeSubrange(...end)
                return try JSONSerialization.jsonObject(with: message) as? [String: Any]
            }
            var wait = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            let ready = poll(&wait, 1, Int32(max(0, deadline.timeIntervalSinceNow * 1000)))
            if ready < 0, errno == EINTR { continue }
            guard ready > 0 else { return nil }
            var bytes = [UInt8](repeating: 0, count: 1 << 16)
            let count = read(output, &bytes, bytes.count)
            guard count > 0 else { throw Fault(description: "The browser has gone.") }
            pending += bytes[..<count]
        }
    }

    // MARK: Starting

    /// A pipe whose ends lie above 4, where the browser's are put, and that other children do not inherit.
    private static func pipe() throws -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [0, 0]
        guard Foundation.pipe(&ends) == 0 else { throw Fault(description: "No pipe: \(String(cString: strerror(errno)))") }
        let moved = ends.map { fcntl($0, F_DUPFD_CLOEXEC, 10) }
        for end in ends { close(end) }
        guard moved.allSatisfy({ $0 >= 0 }) else { throw Fault(description: "No pipe: \(String(cString: strerror(errno)))") }
        return (moved[0], moved[1])
    }

    private static func withStrings<Result>(_ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result) -> Result {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies + [nil])
    }
}
