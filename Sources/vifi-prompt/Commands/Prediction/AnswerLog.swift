import Files
import Foundation
import VideoData

/// The file of `--output`: an answer a line, kept through crashes, and what it says of films that were done before.
final class AnswerLog {
    private let path: String
    private let settings: AnswerSettings
    private var file: AppendFile
    /// Holds other processes off.
    private let lock: DirectoryLock
    /// Films by path and prompts, as they were when they were answered.
    private var done: [Key: FoundFilm] = [:]
    /// Films that could not be read when their turn came.
    private var failed: Set<Bytewise> = []

    private struct Key: Hashable {
        let film: Bytewise
        let prompts: Bytewise?

        init(film: String, prompts: String?) {
            self.film = Bytewise(film)
            self.prompts = prompts.map(Bytewise.init)
        }
    }

    /// Opens or creates the file; the line that a crash cut off is taken away, so that its film is done again.
    ///
    /// - Parameters:
    ///   - settings: what answers depend on.
    ///   - retriesFailed: films that could not be read do not count as done.
    /// - Throws: `FileError`; `AnswerLogError` where the file holds something else, or answers with other settings.
    init(path: String, settings: AnswerSettings, retriesFailed: Bool) throws {
        lock = try DirectoryLock(file: path)
        let found = try Self.read(path, settings: settings, retriesFailed: retriesFailed)
        self.path = path
        self.settings = settings
        done = found.done
        failed = found.failed
        file = try AppendFile(path: path, keeping: found.byteCount)
    }

    private struct Contents {
        var done: [Key: FoundFilm] = [:]
        var failed: Set<Bytewise> = []
        /// Of the lines that are whole.
        var byteCount = 0
    }

    /// Of one line: time lines of long films with many classes are large.
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
                    guard let answer = try? JSONDecoder().decode(Head.self, from: Data(line)), let film = answer.found else {
                        throw AnswerLogError.notAnswers(path: path, line: number)
                    }
                    if let difference = settings.difference(from: answer.settings ?? "") {
                        throw AnswerLogError.otherSettings(path: path, line: number, difference: difference)
                    }
                    if answer.error == nil { contents.failed.remove(Bytewise(answer.film)) } else { contents.failed.insert(answer.film) }
                    let key = Key(film: answer.film, prompts: answer.prompts)
                    if answer.error == nil || !retriesFailed { contents.done[key] = film } else { contents.done[key] = nil }
                }
                line = []
            }
        }
        return contents
    }

    /// What is looked at of a line.
    private struct Head: Decodable {
        let film: String
        let prompts: String?
        let error: String?
        let settings: String?
        let bytes: Int?
        let modified: Double?

        var found: FoundFilm? {
            guard let bytes, let modified else { return nil }
            return FoundFilm(path: film, byteCount: bytes, modified: modified)
        }
    }

    /// Whether the film as it is now was answered for these prompts.
    func isDone(_ film: FoundFilm, prompts: String?) -> Bool {
        done[Key(film: film.path, prompts: prompts)].map(film.isUnchanged) ?? false
    }

    /// Whether the film was answered for these prompts, as it is now or as it was.
    func hasAnswered(_ film: String, prompts: String?) -> Bool {
        done[Key(film: film, prompts: prompts)] != nil && !failed.contains(film)
    }

    /// Whether the last answer is that the film could not be read.
    func hasFailed(_ film: FoundFilm) -> Bool { failed.contains(film.path) }

    /// Appends answers of a film. On return they are on the disk.
    func append(_ lines: [FilmLine], of film: FoundFilm) throws {
        let texts = lines.map { line in
            var line = line
            line.settings = settings.text
            line.bytes = film.byteCount
            line.modified = film.modified
            return line.text
        }
        try file.append(line: texts.joined(separator: "\n"))
        try file.sync()
        for line in lines { done[Key(film: line.film, prompts: line.prompts)] = film }
    }
}

/// Why answers cannot be appended to a file.
enum AnswerLogError: ReportableError {
    case notAnswers(path: String, line: Int)
    /// - Parameter difference: in words.
    case otherSettings(path: String, line: Int, difference: String)

    var exitStatus: ExitStatus {
        switch self {
        case .notAnswers: .inputOutput
        case .otherSettings: .badConfiguration
        }
    }
    var description: String {
        switch self {
        case .notAnswers(let path, let line):
            "\(path.escapedForDisplay):\(line): is no answer of `predict --output`, so nothing is appended. Name another --output."
        case .otherSettings(let path, let line, let difference):
            "\(path.escapedForDisplay):\(line): was answered with other settings (\(difference)). "
                + "Name another --output, or repeat the settings."
        }
    }
}
