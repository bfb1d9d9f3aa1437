import Files
import Foundation
import Glibc

/// Environment variable that tells `serve` its token.
package let serverTokenVariable = "VIFI_PROMPT_TOKEN"
/// Environment variable that tells `serve` the key with which it fetches from Label Studio.
package let labelStudioKeyVariable = "LABEL_STUDIO_API_KEY"
/// Environment variables that tell `predict --mqtt` who it is to the broker.
package let mqttUserVariable = "VIFI_PROMPT_MQTT_USER"
package let mqttPasswordVariable = "VIFI_PROMPT_MQTT_PASSWORD"
/// Environment variables that workers do not get, and whose values nobody is shown.
package let secretVariables = [serverTokenVariable, labelStudioKeyVariable, mqttUserVariable, mqttPasswordVariable]

/// A process that is asked by lines on its standard input and answers on its standard output.
///
/// Its first line says that it runs: what ends it before then is no fault of what it is asked. It ends when its input
/// does, which is when this value goes. One thread at a time uses it.
@safe package final class WorkerProcess: @unchecked Sendable {
    /// The first line.
    package static let greeting = "ready"

    private let identifier: pid_t
    private let input: Int32
    private let output: Int32
    private var buffer = Data()
    private var hasGreeted = false
    private var hasHung = false
    /// As `waitpid` gives it; nil while the process has not been waited for.
    private var endStatus: Int32?

    /// The longest line that a worker is listened to.
    private static let lineLimit = 64 << 20

    /// Starts a process.
    ///
    /// Pipes are closed in every other process that is started meanwhile: one that held an end of another's pipe
    /// would keep it from ending.
    ///
    /// - Parameter program: this one where nil.
    /// - Throws: what the machine lacks.
    package init(program: String?, arguments: [String]) throws(MachineShortage) {
        // Writing to a worker that has died is an error to look at, not the end.
        signal(SIGPIPE, SIG_IGN)
        let questions = try Self.pipe()
        let answers: (reading: Int32, writing: Int32)
        do throws(MachineShortage) {
            answers = try Self.pipe()
        } catch {
            close(questions.reading)
            close(questions.writing)
            throw error
        }
        let (code, identifier) = Self.spawn(
            program ?? "/proc/self/exe", arguments: arguments, standardInput: questions.reading, standardOutput: answers.writing)
        close(questions.reading)
        close(answers.writing)
        guard code == 0 else {
            close(questions.writing)
            close(answers.reading)
            throw Self.shortage(code, program: program)
        }
        self.identifier = identifier
        input = questions.writing
        output = answers.reading
    }

    deinit {
        close(input)
        close(output)
        if endStatus == nil {
            kill(identifier, SIGKILL)
            _ = Self.wait(for: identifier)
        }
    }

    private static func pipe() throws(MachineShortage) -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        guard unsafe Glibc.pipe(&ends) == 0 else { throw shortage(errno, program: nil) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private static func shortage(_ code: Int32, program: String?) -> MachineShortage {
        if code == EAGAIN { return .processes }
        errno = code
        let reason = systemErrorText()
        return MachineShortage(errno: code) ?? .worker(reason: "\(program.map { "'\($0.escapedForDisplay)' " } ?? "it ")cannot be started: \(reason)")
    }

    /// Of glibc 2.34 and later, which shows it to GNU programs only.
    private typealias CloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32

    private static func spawn(
        _ program: String, arguments: [String], standardInput: Int32, standardOutput: Int32
    ) -> (code: Int32, identifier: pid_t) {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, standardInput, STDIN_FILENO)
        unsafe posix_spawn_file_actions_adddup2(&actions, standardOutput, STDOUT_FILENO)
        unsafe posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        // Nothing else that is open here is a worker's business: a connection that it held could not be closed, and what it decodes
        // may be hostile.
        if let closeFrom = unsafe dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") {
            _ = unsafe unsafeBitCast(closeFrom, to: CloseFrom.self)(&actions, STDERR_FILENO + 1)
        }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        // Signals that this process keeps from itself are not kept from workers.
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        var pipeBroken = sigset_t()
        unsafe sigemptyset(&pipeBroken)
        unsafe sigaddset(&pipeBroken, SIGPIPE)
        unsafe posix_spawnattr_setsigdefault(&attributes, &pipeBroken)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        // Libraries that start threads as they are loaded need none here.
        var environment = ProcessInfo.processInfo.environment
        environment["OPENBLAS_NUM_THREADS"] = "1"
        environment["OMP_NUM_THREADS"] = "1"
        // What decodes untrusted videos knows no secrets.
        for name in secretVariables { environment[name] = nil }
        var words: [UnsafeMutablePointer<CChar>?] = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = unsafe environment.map { unsafe strdup("\($0.key)=\($0.value)") } + [nil]
        defer {
            for index in unsafe words.indices { unsafe free(words[index]) }
            for index in unsafe variables.indices { unsafe free(variables[index]) }
        }
        var identifier: pid_t = 0
        let code = unsafe posix_spawn(&identifier, program, &actions, &attributes, &words, &variables)
        return (code, identifier)
    }

    // MARK: Talking

    /// Writes a value as a line of JSON. Returns false where the process has died.
    package func ask(_ question: some Encodable) -> Bool {
        guard let line = try? JSONEncoder().encode(question) else { return false }
        return writeAll([UInt8](line) + [UInt8(ascii: "\n")], to: input)
    }

    /// The next line as a value; nil where the process has died, hangs, or says something else.
    ///
    /// - Parameter patience: seconds that it may rest, neither computing nor reading.
    package func answer<Answer: Decodable>(_ type: Answer.Type, patience: Double) -> Answer? {
        if !hasGreeted {
            guard nextLine(patience: patience).flatMap({ try? JSONDecoder().decode(String.self, from: $0) }) == Self.greeting else { return nil }
            hasGreeted = true
        }
        return nextLine(patience: patience).flatMap { try? JSONDecoder().decode(type, from: $0) }
    }

    private func nextLine(patience: Double) -> Data? {
        var searched = buffer.startIndex
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = Data(buffer[..<end])
                buffer = Data(buffer[buffer.index(after: end)...])
                return line
            }
            searched = buffer.endIndex
            guard buffer.count <= Self.lineLimit, fill(patience: patience) else { return nil }
        }
    }

    /// The next `count` bytes; nil where they do not come.
    package func bytes(_ count: Int, patience: Double) -> Data? {
        while buffer.count < count { guard fill(patience: patience) else { return nil } }
        let result = Data(buffer.prefix(count))
        buffer = Data(buffer.dropFirst(count))
        return result
    }

    private func fill(patience: Double) -> Bool {
        var activity = ProcessActivity(of: identifier, patience: patience)
        var entry = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
        while true {
            let count = unsafe poll(&entry, 1, Int32(min(1000, max(10, patience * 250))))
            if count > 0 { break }
            if count < 0 && errno != EINTR { return false }
            guard !activity.hasStopped() else {
                hasHung = true
                kill(identifier, SIGKILL)
                return false
            }
        }
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(output, $0.baseAddress, $0.count) }
            if count > 0 { buffer.append(contentsOf: chunk[..<count]) }
            if count >= 0 || errno != EINTR { return count > 0 }
        }
    }

    // MARK: End

    /// How a process ended that gave no answer.
    package enum Ending: Equatable {
        case hung
        case signal(Int32)
        case status(Int32)
        /// Before it said that it runs, or killed by another.
        case machine(MachineShortage)

        /// In words, as of something that the video did.
        package var words: String {
            switch self {
            case .hung: "it did not answer"
            case .signal(SIGXCPU): "it computed for \(Int(WorkerLimits.packetSeconds)) seconds and got no further"
            case .signal(let number): "signal \(number)"
            case .status(let status): "status \(status)"
            case .machine(let shortage): shortage.description
            }
        }
    }

    /// Ends the process and says how it ended, if it has not done so by itself.
    package func end() -> Ending {
        // One that closed its output is about to end.
        let isOver = !hasHung && Self.isOver(identifier, withinMilliseconds: 2000)
        if !isOver { kill(identifier, SIGKILL) }
        let status = endStatus ?? Self.wait(for: identifier)
        endStatus = status
        if hasHung { return .hung }
        let number = status & 0x7f
        let ending: Ending = number != 0 ? .signal(number) : .status(status >> 8 & 0xff)
        guard hasGreeted else { return .machine(.worker(reason: "it ended before it began (\(ending.words))")) }
        // Nobody but the system, for want of memory, or a person kills workers.
        if isOver, number == SIGKILL { return .machine(.worker(reason: "it was killed, as by the system where memory is short")) }
        return ending
    }

    private static func wait(for identifier: pid_t) -> Int32 {
        var status: Int32 = 0
        while unsafe waitpid(identifier, &status, 0) < 0, errno == EINTR {}
        return status
    }

    /// Whether a process has ended; its status stays to be fetched.
    private static func isOver(_ identifier: pid_t, withinMilliseconds limit: Int) -> Bool {
        for _ in 0...limit / 5 {
            var information = unsafe siginfo_t()
            let code = unsafe waitid(P_PID, id_t(identifier), &information, WEXITED | WNOHANG | WNOWAIT)
            if code < 0 && errno != EINTR { return true }
            if code == 0, unsafe information.si_signo != 0 { return true }
            usleep(5000)
        }
        return false
    }
}
