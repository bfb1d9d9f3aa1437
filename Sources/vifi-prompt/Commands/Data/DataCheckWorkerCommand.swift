import ArgumentParser
import Experiments
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
