import Files
import Foundation
import Logging
import Synchronization

/// Results go to standard output, everything else to standard error.
enum Console {
    /// Set for processes that leave talking to the first one.
    static let isQuiet = Atomic<Bool>(false)
    private static let kept = Mutex<[String]>([])
    private static let hasResult = Atomic<Bool>(false)

    /// What this process would have warned of while it was quiet.
    static func takeKept() -> [String] {
        kept.withLock { warnings in
            defer { warnings = [] }
            return warnings
        }
    }

    private static var isTalking: Bool { !isQuiet.load(ordering: .relaxed) }

    static func result(_ text: String) {
        if isTalking { hasResult.store(true, ordering: .relaxed) }
        guard isTalking, !StandardStream.output.write(text + "\n") else { return }
        // Whoever closed a pipe wants no more; anything else is a result that did not arrive.
        let isPipe = errno == EPIPE
        if !isPipe { error(FileError(path: "standard output", problem: .cannotWrite(reason: systemErrorText())).description) }
        exit(ExitStatus.inputOutput.rawValue)
    }

    /// What is said on the way. `$VIFI_PROMPT_LOG` sets the least level: debug, info, warning, error.
    private static let logger: Logger = {
        LoggingSystem.bootstrap { _ in StandardErrorLog() }
        var logger = Logger(label: "vifi-prompt")
        logger.logLevel = ProcessInfo.processInfo.environment["VIFI_PROMPT_LOG"].flatMap { Logger.Level(rawValue: $0) } ?? .info
        return logger
    }()

    /// For a part of the program that libraries log in, too: warnings and worse, unless `$VIFI_PROMPT_LOG` says otherwise.
    static func logger(label: String) -> Logger {
        // The first use decides where all logs go.
        let own = logger
        var result = Logger(label: label)
        result.logLevel = ProcessInfo.processInfo.environment["VIFI_PROMPT_LOG"] == nil ? .warning : own.logLevel
        return result
    }

    static func note(_ text: String) { if isTalking { logger.info("\(text)") } }
    static func error(_ text: String) { if isTalking { logger.error("\(text)") } }

    static func warning(_ text: String) {
        if isTalking { logger.warning("\(text)") } else { kept.withLock { $0.append(text) } }
    }

    private static let told = Mutex<Set<String>>([])

    /// A warning that several processes may have had.
    static func warnOnce(_ text: String) { if told.withLock({ $0.insert(text).inserted }) { warning(text) } }

    /// Who asked for JSON gets JSON, also where a command fails before its results.
    static func jsonFailure(_ error: any ReportableError) {
        struct Failure: Encodable {
            let error: String
            let status: Int32
        }
        guard !hasResult.load(ordering: .relaxed) else { return }
        try? json(Failure(error: error.description, status: error.exitStatus.rawValue))
    }

    /// A document of `--json`.
    static func json(_ value: some Encodable) throws {
        result(String(try ResultJSON.text(value).dropLast()))
    }
}

/// Notes as they are, warnings and errors with the program's name, as compilers do.
private struct StandardErrorLog: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let prefix = event.level <= .notice ? "" : "vifi-prompt: \(event.level): "
        StandardStream.error.write("\(prefix)\(event.message)\n")
    }
}
