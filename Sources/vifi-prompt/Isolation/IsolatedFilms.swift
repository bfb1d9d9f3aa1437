import ArgumentParser
import Files
import Foundation
import VideoData

/// Decodes films for a process that does not trust them; `predict --isolate` starts it.
struct FilmWorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "film-worker", abstract: "Decodes films for `predict --isolate`.", shouldDisplay: false)

    func run() throws {
        WorkerLimits.set()
        try FileHandle.standardOutput.write(contentsOf: JSONEncoder().encode(WorkerProcess.greeting) + Data([UInt8(ascii: "\n")]))
        while let line = readLine() {
            guard let question = try? JSONDecoder().decode(FilmQuestion.self, from: Data(line.utf8)) else { return }
            do {
                switch question {
                case .read(let path, let shortSide, let pictures): try read(path, shortSide: shortSide, pictures: pictures)
                case .stream(let request): try stream(request)
                case .frames: return  // Only in answer to a frame count.
                }
            } catch let error as VideoError {
                let verdict = WorkerLimits.verdict(on: error)
                try send(FilmReply(error: verdict.description, status: verdict.exitStatus.rawValue))
            } catch let error as any ReportableError {
                try send(FilmReply(error: error.description, status: error.exitStatus.rawValue))
            }
        }
    }

    /// Single frames: says how many there are, is told which are wanted, sends them.
    private func read(_ path: String, shortSide: Int, pictures: PictureRules) throws {
        let video = try openFilm(path, pictures: pictures, limits: WorkerLimits.videoLimits)
        try send(FilmReply(frameCount: video.frameCount))
        guard let line = readLine(), case .frames(let indices)? = try? JSONDecoder().decode(FilmQuestion.self, from: Data(line.utf8))
        else { return }
        let frames = try video.frames(at: indices) { $0.resized(shortSide: shortSide) }
        var reply = FilmReply(frames: frames.map { FilmReply.Frame(width: $0.width, height: $0.height, points: []) })
        reply.warnings = video.warnings.map(\.description)
        try send(reply, pictures: frames)
    }

    private func stream(_ request: FilmStreamRequest) throws {
        let stream = try openFilmStream(request, limits: WorkerLimits.videoLimits)
        try send(FilmReply(outlook: stream.outlook))
        while true {
            let part = try stream.next()
            try send(FilmReply(part), pictures: part.frames.map(\.picture))
            if part.isLast { return }
        }
    }

    private struct Unheard: Error {}

    private func send(_ reply: FilmReply, pictures: [VideoFrame] = []) throws {
        var data = try JSONEncoder().encode(reply) + Data([UInt8(ascii: "\n")])
        for picture in pictures { data.append(contentsOf: picture.pixels) }
        do { try FileHandle.standardOutput.write(contentsOf: data) } catch { throw Unheard() }
    }
}

/// What a worker is asked.
enum FilmQuestion: Codable {
    case read(path: String, shortSide: Int, pictures: PictureRules)
    case frames(at: [Int])
    case stream(FilmStreamRequest)
}

/// What a worker answers, in a line; the pixels of `frames` follow it.
struct FilmReply: Codable {
    struct Frame: Codable {
        let width: Int
        let height: Int
        /// For each grid the first moment and the one after the last.
        let points: [[Int]]
    }

    var error: String?
    var status: Int32?
    var frameCount: Int?
    var outlook: FilmOutlook?
    var frames: [Frame]?
    var times: [Double]?
    var seconds: Double?
    var readByteCount: Int?
    var isLast: Bool?
    var warnings: [String]?
}

extension FilmReply {
    init(_ part: FilmPart) {
        frames = part.frames.map { frame in
            Frame(
                width: frame.picture.width, height: frame.picture.height,
                points: frame.points.map { [$0.lowerBound, $0.upperBound] })
        }
        times = part.times
        seconds = part.seconds
        readByteCount = part.readByteCount
        isLast = part.isLast
        warnings = part.warnings
    }
}

/// Why a film that a worker looked at cannot be used.
package enum IsolationError: ReportableError, Equatable {
    /// The worker's own words.
    case film(description: String, status: Int32)
    case crashed(path: String, how: String)
    /// What the machine lacks to look at any film.
    case machine(MachineShortage)

    package var exitStatus: ExitStatus {
        switch self {
        case .film(_, let status): ExitStatus(rawValue: status) ?? .badData
        case .crashed: .badData
        case .machine(let shortage): shortage.exitStatus
        }
    }

    package var description: String {
        switch self {
        case .film(let description, _): description
        case .crashed(let path, let how):
            "\(path.escapedForDisplay): the decoder crashed on it (\(how)). Convert it: ffmpeg -i IN OUT.mp4"
        case .machine(let shortage): shortage.description
        }
    }
}

/// Films decoded in processes of their own, so that one that crashes the decoder costs itself alone (V16).
///
/// What a worker says is checked like a file: it has met the film.
package final class IsolatedFilms: FilmReading {
    private let workers: WorkerProcesses
    private let shortSide: Int
    private let pictures: PictureRules
    private let report: @Sendable (_ path: String, _ warnings: [String]) -> Void
    private let patience: Double

    /// - Parameters:
    ///   - shortSide: that frames are shrunk to before they are sent.
    ///   - pictures: what films say about their pictures and is followed.
    ///   - report: told what is odd about a film.
    ///   - program, arguments: of the worker; this one where nil.
    ///   - patience: a worker that rests for so many seconds, neither computing nor reading, is given up.
    package init(
        shortSide: Int, pictures: PictureRules = PictureRules(), program: String? = nil, arguments: [String] = ["data", "film-worker"], patience: Double = 150,
        report: @escaping @Sendable (_ path: String, _ warnings: [String]) -> Void = { _, _ in }
    ) {
        self.shortSide = shortSide
        self.pictures = pictures
        self.report = report
        self.patience = patience
        workers = WorkerProcesses(program: program, arguments: arguments)
    }

    package func frames(
        of path: String, choosing: (Int) -> [Int], converting: (VideoFrame) -> VideoFrame
    ) throws -> [VideoFrame] {
        let conversation = try Conversation(path: path, workers: workers, patience: patience)
        let count = try conversation.ask(.read(path: path, shortSide: shortSide, pictures: pictures)).frameCount ?? 0
        guard count > 0 else { throw conversation.crash() }
        let indices = choosing(count)
        let wanted = Set(indices).sorted()
        let reply = try conversation.ask(.frames(at: wanted))
        let frames = try conversation.pictures(of: reply)
        guard frames.count == wanted.count else { throw conversation.crash() }
        conversation.finish()
        var warnings = reply.warnings ?? []
        if count < indices.count { warnings.append(VideoWarning.fewerFramesThanNeeded(found: count, needed: indices.count).description) }
        if !warnings.isEmpty { report(path, warnings) }
        let converted = Dictionary(uniqueKeysWithValues: zip(wanted, frames.map(converting)))
        return indices.compactMap { converted[$0] }
    }

    /// Opens a film as a stream.
    package func stream(_ request: FilmStreamRequest) throws -> any FilmStreaming {
        let conversation = try Conversation(path: request.path, workers: workers, patience: patience)
        guard let outlook = try conversation.ask(.stream(request)).outlook else { throw conversation.crash() }
        return Stream(request: request, outlook: outlook, conversation: conversation)
    }

    /// Questions about one film to one worker. A worker whose film came to no good end is not asked again.
    private final class Conversation: @unchecked Sendable {
        private let path: String
        private let worker: WorkerProcess
        private let workers: WorkerProcesses
        private let patience: Double
        private var isOver = false

        init(path: String, workers: WorkerProcesses, patience: Double) throws(IsolationError) {
            self.path = path
            self.workers = workers
            self.patience = patience
            do throws(MachineShortage) {
                worker = try workers.take()
            } catch {
                throw .machine(error)
            }
        }

        /// Whoever lets go of a film in its middle does not use the worker again.
        deinit { if !isOver { workers.dropTaken() } }

        func ask(_ question: FilmQuestion) throws(IsolationError) -> FilmReply {
            guard worker.ask(question) else { throw crash() }
            return try listen()
        }

        func listen() throws(IsolationError) -> FilmReply {
            guard let reply = worker.answer(FilmReply.self, patience: patience) else { throw crash() }
            if let error = reply.error {
                finish()
                throw .film(description: error, status: reply.status ?? ExitStatus.badData.rawValue)
            }
            return reply
        }

        /// Bytes of one reply's pictures at most.
        private static let byteLimit = 1 << 30

        func pictures(of reply: FilmReply) throws(IsolationError) -> [VideoFrame] {
            var frames: [VideoFrame] = []
            var total = 0
            for frame in reply.frames ?? [] {
                guard (1...65_536).contains(frame.width), (1...65_536).contains(frame.height) else { throw crash() }
                let count = frame.width * frame.height * 3
                total += count
                guard total <= Self.byteLimit, let bytes = worker.bytes(count, patience: patience) else { throw crash() }
                frames.append(VideoFrame(width: frame.width, height: frame.height, pixels: Array(bytes)))
            }
            return frames
        }

        func finish() {
            isOver = true
            workers.giveBack(worker)
        }

        func crash() -> IsolationError {
            let ending = worker.end()
            if case .machine(let shortage) = ending { return .machine(shortage) }
            return .crashed(path: path, how: ending.words)
        }
    }

    /// Sendable because one thread at a time uses it.
    private final class Stream: FilmStreaming, @unchecked Sendable {
        let outlook: FilmOutlook
        private let request: FilmStreamRequest
        private let conversation: Conversation
        private var nextPoints: [Int]
        private var isAtEnd = false

        init(request: FilmStreamRequest, outlook: FilmOutlook, conversation: Conversation) {
            self.request = request
            self.outlook = outlook
            self.conversation = conversation
            nextPoints = request.grids.map { _ in 0 }
        }

        func next() throws -> FilmPart {
            var part = FilmPart()
            part.isLast = true
            guard !isAtEnd else { return part }
            let reply = try conversation.listen()
            let pictures = try conversation.pictures(of: reply)
            part.isLast = reply.isLast ?? false
            part.times = reply.times ?? []
            part.seconds = reply.seconds ?? 0
            part.readByteCount = reply.readByteCount ?? 0
            part.warnings = reply.warnings ?? []
            for (frame, picture) in zip(reply.frames ?? [], pictures) {
                part.frames.append(StreamedFrame(picture: picture, points: try points(of: frame)))
            }
            if part.isLast {
                isAtEnd = true
                conversation.finish()
            }
            return part
        }

        /// Moments must go on from one frame to the next.
        private func points(of frame: FilmReply.Frame) throws(IsolationError) -> [Range<Int>] {
            guard frame.points.count == nextPoints.count else { throw conversation.crash() }
            var result: [Range<Int>] = []
            for (index, bounds) in frame.points.enumerated() {
                guard bounds.count == 2, bounds[0] >= nextPoints[index], bounds[1] >= bounds[0], bounds[1] < 1 << 40 else {
                    throw conversation.crash()
                }
                nextPoints[index] = bounds[1]
                result.append(bounds[0]..<bounds[1])
            }
            return result
        }
    }
}
