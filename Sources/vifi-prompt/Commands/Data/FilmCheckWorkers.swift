import ArgumentParser
import Files
import Foundation
import VideoData

/// Looks at the films that it is told of, one after another; `data check` starts it. Reads a path a line
/// from standard input, as JSON, and answers each with a line.
struct DataCheckWorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-worker", abstract: "Decodes films for `data check`.", shouldDisplay: false)

    /// What a film may make the decoder ask for.
    private static let addressSpace = 8 << 30

    func run() throws {
        for (resource, limit) in [(__rlimit_resource_t(RLIMIT_AS.rawValue), Self.addressSpace), (__rlimit_resource_t(RLIMIT_CORE.rawValue), 0)] {
            var limits = rlimit(rlim_cur: rlim_t(limit), rlim_max: rlim_t(limit))
            // Where the system grants less already, that stays.
            _ = unsafe setrlimit(resource, &limits)
        }
        let encoder = JSONEncoder()
        while let line = readLine() {
            let path = try JSONDecoder().decode(String.self, from: Data(line.utf8))
            let check = FilmCheck.of(path, index: 0)
            let answer = FilmCheckAnswer(fault: check.fault, oddities: check.oddities)
            guard StandardStream.output.write(String(decoding: try encoder.encode(answer), as: UTF8.self) + "\n") else { return }
        }
    }
}

/// What a worker says of a film.
private struct FilmCheckAnswer: Codable {
    var fault: String?
    var oddities: [String]
}

/// Processes that look at films, so that a crash costs one film and not the check.
///
/// Sendable because the processes are touched under the lock, or by the one thread that took one out.
package final class FilmCheckWorkers: @unchecked Sendable {
    private let lock = NSLock()
    private var idle: [Worker] = []
    private let program: String
    private let arguments: [String]

    /// - Parameters:
    ///   - program: this one where nil.
    ///   - arguments: that make it read paths and answer.
    package init(program: String? = nil, arguments: [String] = ["data", "check-worker"]) {
        self.program = program ?? "/proc/self/exe"
        self.arguments = arguments
        // Writing to a worker that has died is an error to look at, not the end.
        signal(SIGPIPE, SIG_IGN)
    }

    /// Decodes a film in a process of its own.
    package func check(_ path: String, index: Int) -> FilmCheck {
        guard let worker = lock.withLock({ idle.popLast() }) ?? Worker(program: program, arguments: arguments) else {
            // No process to be had: better to look at the film here than not at all.
            return .of(path, index: index)
        }
        guard let answer = worker.ask(path) else {
            return FilmCheck(
                index: index,
                fault: "\(path.escapedForDisplay): the decoder crashed on it (\(worker.end())). Convert it: ffmpeg -i IN OUT.mp4")
        }
        lock.withLock { idle.append(worker) }
        var check = FilmCheck(index: index, fault: answer.fault)
        check.oddities = answer.oddities
        return check
    }

    /// One process. It ends when its input does, which is when this value goes.
    private final class Worker {
        private let process = Process()
        private let input = Pipe()
        private let output = Pipe()
        private var buffer = Data()

        init?(program: String, arguments: [String]) {
            process.executableURL = URL(fileURLWithPath: program).resolvingSymlinksInPath()
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

        /// Nil where the process has died.
        func ask(_ path: String) -> FilmCheckAnswer? {
            guard let question = try? JSONEncoder().encode(path),
                (try? input.fileHandleForWriting.write(contentsOf: question + Data([UInt8(ascii: "\n")]))) != nil
            else { return nil }
            while true {
                if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                    let line = Data(buffer[..<end])
                    buffer = Data(buffer[buffer.index(after: end)...])
                    return try? JSONDecoder().decode(FilmCheckAnswer.self, from: line)
                }
                let more = output.fileHandleForReading.availableData
                if more.isEmpty { return nil }
                buffer.append(more)
            }
        }

        /// How it ended, in words.
        func end() -> String {
            if process.isRunning { process.terminate() }
            process.waitUntilExit()
            return (process.terminationReason == .uncaughtSignal ? "signal " : "status ") + "\(process.terminationStatus)"
        }
    }
}
