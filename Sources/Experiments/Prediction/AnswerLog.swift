import Files
import Foundation
import VideoData

/// The file of `--output`: an answer a line, kept through crashes, and what it says of videos that were done before.
package final class AnswerLog {
    private let path: String
    private let settings: AnswerSettings
    private var file: AppendFile
    /// Holds other processes off.
    private let lock: DirectoryLock
    /// Videos by path and prompts, as they were when they were answered.
    private var done: [Key: FoundVideo] = [:]
    /// Videos that could not be read when their turn came.
    private var failed: Set<Bytewise> = []

    private struct Key: Hashable {
        let video: Bytewise
        let prompts: Bytewise?

        init(video: String, prompts: String?) {
            self.video = Bytewise(video)
            self.prompts = prompts.map(Bytewise.init)
        }
    }

    /// Opens or creates the file; the line that a crash cut off is taken away, so that its video is done again.
    ///
    /// - Parameters:
    ///   - settings: what answers depend on.
    ///   - retriesFailed: videos that could not be read do not count as done.
    /// - Throws: `FileError`; `AnswerLogError` where the file holds something else, or answers with other settings.
    package init(path: String, settings: AnswerSettings, retriesFailed: Bool) throws {
        lock = try DirectoryLock(file: path)
        let found = try Self.read(path, settings: settings, retriesFailed: retriesFailed)
        self.path = path
        self.settings = settings
        done = found.done
        failed = found.failed
        file = try AppendFile(path: path, keeping: found.byteCount)
    }

    private struct Contents {
        var done: [Key: FoundVideo] = [:]
        var failed: Set<Bytewise> = []
        /// Of the lines that are whole.
        var byteCount = 0
    }

    /// Of one line: time lines of long videos with many classes are large.
    private static let lineLimit = 512 << 20
    private static let pieceByteCount = 1 << 20

    private static func read(_ path: String, settings: AnswerSettings, retriesFailed: Bool) throws -> Contents {
        let input = try InputFile(path: path)
        var contents = Contents()
        var line: [UInt8] = []
        var number = 0
        for offset in stride(from: 0, to: input.byteCount, by: pieceByteCount) {
            for byte in try input.bytes(at: offset, count: min(pieceByteCount, input.byteCount - offset)) {
                guard byte == UInt8(ascii: "\n") else {
                    line.append(byte)
                    guard line.count <= lineLimit else { throw AnswerLogError.notAnswers(path: path, line: number + 1) }
                    continue
                }
                number += 1
                contents.byteCount += line.count + 1
                if !line.allSatisfy({ $0 == 0x20 || $0 == 0x0d }) {
                    guard let answer = try? JSONDecoder().decode(Head.self, from: Data(line)), let video = answer.found else {
                        throw AnswerLogError.notAnswers(path: path, line: number)
                    }
                    if let difference = settings.difference(from: answer.settings ?? "") {
                        throw AnswerLogError.otherSettings(path: path, line: number, difference: difference)
                    }
                    if answer.error == nil { contents.failed.remove(Bytewise(answer.video)) } else { contents.failed.insert(answer.video) }
                    let key = Key(video: answer.video, prompts: answer.prompts)
                    if answer.error == nil || !retriesFailed { contents.done[key] = video } else { contents.done[key] = nil }
                }
                line = []
            }
        }
        return contents
    }

    /// What is looked at of a line.
    private struct Head: Decodable {
        let video: String
        let prompts: String?
        let error: String?
        let settings: String?
        let bytes: Int?
        let modified: Double?

        var found: FoundVideo? {
            guard let bytes, let modified else { return nil }
            return FoundVideo(path: video, byteCount: bytes, modified: modified)
        }
    }

    /// Whether the video as it is now was answered for these prompts.
    package func isDone(_ video: FoundVideo, prompts: String?) -> Bool {
        done[Key(video: video.path, prompts: prompts)].map(video.isUnchanged) ?? false
    }

    /// Whether the video was answered for these prompts, as it is now or as it was.
    package func hasAnswered(_ video: String, prompts: String?) -> Bool {
        done[Key(video: video, prompts: prompts)] != nil && !failed.contains(video)
    }

    /// Whether the last answer is that the video could not be read.
    package func hasFailed(_ video: FoundVideo) -> Bool { failed.contains(video.path) }

    /// Appends answers of a video. On return they are on the disk.
    package func append(_ lines: [VideoLine], of video: FoundVideo) throws {
        let texts = lines.map { line in
            var line = line
            line.settings = settings.text
            line.bytes = video.byteCount
            line.modified = video.modified
            return line.text
        }
        try file.append(line: texts.joined(separator: "\n"))
        try file.sync()
        for line in lines { done[Key(video: line.video, prompts: line.prompts)] = video }
    }
}

/// Why answers cannot be appended to a file.
package enum AnswerLogError: ReportableError {
    case notAnswers(path: String, line: Int)
    /// - Parameter difference: in words.
    case otherSettings(path: String, line: Int, difference: String)

    package var exitStatus: ExitStatus {
        switch self {
        case .notAnswers: .inputOutput
        case .otherSettings: .badConfiguration
        }
    }
    package var description: String {
        switch self {
        case .notAnswers(let path, let line):
            "\(path.escapedForDisplay):\(line): is not an answer of `predict --output`, so nothing is appended. Name another --output."
        case .otherSettings(let path, let line, let difference):
            "\(path.escapedForDisplay):\(line): was answered with other settings (\(difference)). "
                + "Name another --output, or repeat the settings."
        }
    }
}
