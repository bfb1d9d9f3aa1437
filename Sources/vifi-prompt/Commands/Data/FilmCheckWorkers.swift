import ArgumentParser
import Files
import Foundation
import VideoData

/// Looks at the films that it is told of, one after another; `data check` starts it. Reads a path a line
/// from standard input, as JSON, and answers each with a line.
struct DataCheckWorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-worker", abstract: "Decodes films for `data check`.", shouldDisplay: false)

    func run() throws {
        limitWorkerResources()
        let encoder = JSONEncoder()
        while let line = readLine() {
            let path = try JSONDecoder().decode(String.self, from: Data(line.utf8))
            let check = FilmCheck.of(path, index: 0)
            let answer = FilmCheckAnswer(fault: check.fault, oddities: check.oddities, frameCount: check.frameCount)
            guard StandardStream.output.write(String(decoding: try encoder.encode(answer), as: UTF8.self) + "\n") else { return }
        }
    }
}

/// What a worker says of a film.
private struct FilmCheckAnswer: Codable {
    var fault: String?
    var oddities: [String]
    var frameCount: Int?
}

/// Processes that look at films, so that a crash costs one film and not the check.
///
/// Sendable because the processes are touched under the lock, or by the one thread that took one out.
package final class FilmCheckWorkers: @unchecked Sendable {
    private let lock = NSLock()
    private var idle: [WorkerProcess] = []
    private let program: String?
    private let arguments: [String]

    /// - Parameters:
    ///   - program: this one where nil.
    ///   - arguments: that make it read paths and answer.
    package init(program: String? = nil, arguments: [String] = ["data", "check-worker"]) {
        self.program = program
        self.arguments = arguments
    }

    /// Decodes a film in a process of its own.
    package func check(_ path: String, index: Int) -> FilmCheck {
        guard let worker = lock.withLock({ idle.popLast() }) ?? WorkerProcess(program: program, arguments: arguments) else {
            // No process to be had: better to look at the film here than not at all.
            return .of(path, index: index)
        }
        guard worker.ask(path), let answer = worker.answer(FilmCheckAnswer.self) else {
            return FilmCheck(
                index: index,
                fault: "\(path.escapedForDisplay): the decoder crashed on it (\(worker.end())). Convert it: ffmpeg -i IN OUT.mp4")
        }
        lock.withLock { idle.append(worker) }
        var check = FilmCheck(index: index, fault: answer.fault)
        check.oddities = answer.oddities
        check.frameCount = answer.frameCount
        return check
    }
}
