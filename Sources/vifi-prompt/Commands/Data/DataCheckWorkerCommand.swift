import ArgumentParser
import Experiments
import Files
import Foundation
import VideoData

/// Looks at the videos that it is told of, one after another; `data check` starts it. Reads a question a line from
/// standard input, as JSON, and answers each with a line.
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
        // Parts of one video come one after another: its frames are counted once.
        let indexes = FrameIndexes()
        while let line = readLine() {
            let question = try JSONDecoder().decode(VideoCheckQuestion.self, from: Data(line.utf8))
            guard try say(answer(question, indexes)) else { return }
        }
    }

    private func answer(_ question: VideoCheckQuestion, _ indexes: FrameIndexes) -> VideoCheckAnswer {
        do throws(VideoError) {
            let check = try VideoCheck.of(question.path, part: question.part, index: 0, limits: WorkerLimits.videoLimits, indexes: indexes)
            return VideoCheckAnswer(fault: check.fault, oddities: check.oddities, frameCount: check.frameCount)
        } catch {
            let verdict = WorkerLimits.verdict(on: error)
            let status = verdict.isOfMachine ? verdict.exitStatus.rawValue : nil
            return VideoCheckAnswer(fault: verdict.description, oddities: [], machineStatus: status)
        }
    }
}
