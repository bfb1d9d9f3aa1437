import Files
import Foundation
import VideoData

/// What a worker is asked about: a video, or a part of one.
package struct VideoCheckQuestion: Codable {
    package let path: String
    package let part: ClipPart?
}

/// What a worker says of a video.
package struct VideoCheckAnswer: Codable {
    package var fault: String?
    package var oddities: [String]
    package var frameCount: Int?
    /// Where the machine failed and not the video: how the command ends.
    package var machineStatus: Int32?

    package init(fault: String? = nil, oddities: [String], frameCount: Int? = nil, machineStatus: Int32? = nil) {
        self.fault = fault
        self.oddities = oddities
        self.frameCount = frameCount
        self.machineStatus = machineStatus
    }
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

    /// Decodes a video, or a part of one, in a process of its own.
    ///
    /// - Throws: where the machine fails and not the video.
    package func check(_ path: String, part: ClipPart? = nil, index: Int) throws -> VideoCheck {
        let worker: WorkerProcess
        do throws(MachineShortage) {
            worker = try workers.take()
        } catch {
            // No process to be had: better to look at the video here than not at all.
            return try .of(path, part: part, index: index)
        }
        guard worker.ask(VideoCheckQuestion(path: path, part: part)), let answer = worker.answer(VideoCheckAnswer.self, patience: patience) else {
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
        check.part = part
        return check
    }
}
