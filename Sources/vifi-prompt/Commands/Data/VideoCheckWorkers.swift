import ArgumentParser
import Files
import Foundation
import VideoData

/// Looks at the videos that it is told of, one after another; `data check` starts it. Reads a path a line
/// from standard input, as JSON, and answers each with a line.
struct DataCheckWorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-worker", abstract: "Decodes videos for `data check`.", shouldDisplay: false)

    func run() throws {
        WorkerLimits.set()
        let encoder = JSONEncoder()
        func say(_ answer: some Encodable) throws -> Bool {
            StandardStream.output.write(String(decoding: try encoder.encode(answer), as: UTF8.self) + "\n")
        }
        guard try say(WorkerProcess.greeting) else { return }
        while let line = readLine() {
            let path = try JSONDecoder().decode(String.self, from: Data(line.utf8))
            guard try say(answer(path)) else { return }
        }
    }

    private func answer(_ path: String) -> VideoCheckAnswer {
        do throws(VideoError) {
            let check = try VideoCheck.of(path, index: 0, limits: WorkerLimits.videoLimits)
            return VideoCheckAnswer(fault: check.fault, oddities: check.oddities, frameCount: check.frameCount)
        } catch {
            let verdict = WorkerLimits.verdict(on: error)
            let status = verdict.isOfMachine ? verdict.exitStatus.rawValue : nil
            return VideoCheckAnswer(fault: verdict.description, oddities: [], machineStatus: status)
        }
    }
}

/// What a worker says of a video.
private struct VideoCheckAnswer: Codable {
    var fault: String?
    var oddities: [String]
    var frameCount: Int?
    /// Where the machine failed and not the video: how the command ends.
    var machineStatus: Int32?
}

/// Processes that look at videos, so that a crash costs one video and not the check.
package final class VideoCheckWorkers: Sendable {
    private let workers: WorkerProcesses
    private let patience: Double

    /// - Parameters:
    ///   - program: this one where nil.
    ///   - arguments: that make it read paths and answer.
    ///   - patience: seconds that a worker may rest, neither computing nor reading.
    package init(program: String? = nil, arguments: [String] = ["data", "check-worker"], patience: Double = 150) {
        workers = WorkerProcesses(program: program, arguments: arguments)
        self.patience = patience
    }

    /// Ends the processes.
    package func end() { workers.endIdle() }

    /// Decodes a video in a process of its own.
    ///
    /// - Throws: where the machine fails and not the video.
    package func check(_ path: String, index: Int) throws -> VideoCheck {
        let worker: WorkerProcess
        do throws(MachineShortage) {
            worker = try workers.take()
        } catch {
            // No process to be had: better to look at the video here than not at all.
            return try .of(path, index: index)
        }
        guard worker.ask(path), let answer = worker.answer(VideoCheckAnswer.self, patience: patience) else {
            let ending = worker.end()
            workers.dropTaken()
            if case .machine(let shortage) = ending { throw shortage }
            return VideoCheck(
                index: index, fault: IsolationError.crashed(path: path, how: ending.words).description)
        }
        workers.giveBack(worker)
        if let status = answer.machineStatus { throw IsolationError.video(description: answer.fault ?? "", status: status) }
        var check = VideoCheck(index: index, fault: answer.fault)
        check.oddities = answer.oddities
        check.frameCount = answer.frameCount
        return check
    }
}
