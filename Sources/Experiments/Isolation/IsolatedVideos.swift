import Files
import Foundation
import VideoData

/// What a worker is asked.
package enum VideoQuestion: Codable {
    case read(path: String, part: ClipPart?, shortSide: Int, pictures: PictureRules)
    case frames(at: [Int])
    case stream(VideoStreamRequest)
    /// A frame from the middle, and what there is to say of the whole.
    case glance(path: String, shortSide: Int)
}

/// What a worker answers, in a line; the pixels of `frames` follow it.
package struct VideoReply: Codable {
    package struct Frame: Codable {
        package let width: Int
        package let height: Int
        /// For each grid the first moment and the one after the last.
        package let points: [[Int]]
    }

    package var error: String?
    package var status: Int32?
    package var frameCount: Int?
    package var outlook: VideoOutlook?
    package var frames: [Frame]?
    package var times: [Double]?
    package var seconds: Double?
    package var readByteCount: Int?
    package var isLast: Bool?
    package var warnings: [String]?
    package var size: [Int]?
}

/// A video at a glance.
package struct VideoGlance: Sendable {
    package let width: Int
    package let height: Int
    package let seconds: Double
    package let frameCount: Int
    /// From the middle, shrunk.
    package let picture: VideoFrame
    package let warnings: [String]
}

extension VideoReply {
    package init(_ part: VideoPart) {
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

/// Why a video that a worker looked at cannot be used.
package enum IsolationError: ReportableError, Equatable {
    /// The worker's own words.
    case video(description: String, status: Int32)
    case crashed(path: String, how: String)
    /// What the machine lacks to look at any video.
    case machine(MachineShortage)

    package var exitStatus: ExitStatus {
        switch self {
        case .video(_, let status): ExitStatus(rawValue: status) ?? .badData
        case .crashed: .badData
        case .machine(let shortage): shortage.exitStatus
        }
    }

    package var description: String {
        switch self {
        case .video(let description, _): description
        case .crashed(let path, let how):
            "\(path.escapedForDisplay): the decoder crashed on it (\(how)). Convert it: ffmpeg -i IN OUT.mp4"
        case .machine(let shortage): shortage.description
        }
    }
}

/// Videos decoded in processes of their own, so that one that crashes the decoder costs itself alone (V16).
///
/// What a worker says is checked like a file: it has met the video.
package final class IsolatedVideos: VideoReading {
    private let workers: WorkerProcesses
    private let shortSide: Int
    private let pictures: PictureRules
    private let report: @Sendable (_ path: String, _ warnings: [String]) -> Void
    private let patience: Double

    /// - Parameters:
    ///   - shortSide: that frames are shrunk to before they are sent.
    ///   - pictures: what videos say about their pictures and is followed.
    ///   - report: told what is odd about a video.
    ///   - program, arguments: of the worker; this one where nil.
    ///   - patience: a worker that rests for so many seconds, neither computing nor reading, is given up.
    package init(
        shortSide: Int, pictures: PictureRules = PictureRules(), program: String? = nil, arguments: [String] = ["data", "video-worker"], patience: Double = 150,
        report: @escaping @Sendable (_ path: String, _ warnings: [String]) -> Void = { _, _ in }
    ) {
        self.shortSide = shortSide
        self.pictures = pictures
        self.report = report
        self.patience = patience
        workers = WorkerProcesses(program: program, arguments: arguments)
    }

    package func frames(
        of path: String, part: ClipPart?, choosing: (Int) -> [Int], converting: (VideoFrame) -> VideoFrame
    ) throws -> [VideoFrame] {
        let conversation = try Conversation(path: path, workers: workers, patience: patience)
        let count = try conversation.ask(.read(path: path, part: part, shortSide: shortSide, pictures: pictures)).frameCount ?? 0
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

    /// What there is to see and to say of a video.
    ///
    /// - Parameter shortSide: of its picture, in pixels.
    package func glance(at path: String, shortSide: Int) throws -> VideoGlance {
        let conversation = try Conversation(path: path, workers: workers, patience: patience)
        let reply = try conversation.ask(.glance(path: path, shortSide: shortSide))
        guard let picture = try conversation.pictures(of: reply).first, let size = reply.size, size.count == 2,
            size.allSatisfy({ (1...65_536).contains($0) }), let count = reply.frameCount, count > 0, let seconds = reply.seconds, seconds.isFinite, seconds >= 0
        else { throw conversation.crash() }
        conversation.finish()
        return VideoGlance(
            width: size[0], height: size[1], seconds: seconds, frameCount: count, picture: picture, warnings: reply.warnings ?? [])
    }

    /// Opens a video as a stream.
    package func stream(_ request: VideoStreamRequest) throws -> any VideoStreaming {
        let conversation = try Conversation(path: request.path, workers: workers, patience: patience)
        guard let outlook = try conversation.ask(.stream(request)).outlook else { throw conversation.crash() }
        return Stream(request: request, outlook: outlook, conversation: conversation)
    }

    /// Questions about one video to one worker. A worker whose video came to no good end is not asked again.
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

        /// Whoever lets go of a video in its middle does not use the worker again.
        deinit { if !isOver { workers.dropTaken() } }

        func ask(_ question: VideoQuestion) throws(IsolationError) -> VideoReply {
            guard worker.ask(question) else { throw crash() }
            return try listen()
        }

        func listen() throws(IsolationError) -> VideoReply {
            guard !isOver else { throw .crashed(path: path, how: "it has answered") }
            guard let reply = worker.answer(VideoReply.self, patience: patience) else { throw crash() }
            if let error = reply.error {
                finish()
                throw .video(description: error, status: reply.status ?? ExitStatus.badData.rawValue)
            }
            return reply
        }

        /// Bytes of one reply's pictures at most.
        private static let byteLimit = 1 << 30

        func pictures(of reply: VideoReply) throws(IsolationError) -> [VideoFrame] {
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
    private final class Stream: VideoStreaming, @unchecked Sendable {
        let outlook: VideoOutlook
        private let request: VideoStreamRequest
        private let conversation: Conversation
        private var nextPoints: [Int]
        private var isAtEnd = false

        init(request: VideoStreamRequest, outlook: VideoOutlook, conversation: Conversation) {
            self.request = request
            self.outlook = outlook
            self.conversation = conversation
            nextPoints = request.grids.map { _ in 0 }
        }

        func next() throws -> VideoPart {
            var part = VideoPart()
            part.isLast = true
            guard !isAtEnd else { return part }
            // An error is the end, too: whoever reads ahead asks once more after it, and the worker may answer another by then.
            isAtEnd = true
            let reply = try conversation.listen()
            guard Self.canBeTime(reply.seconds ?? 0), (reply.times ?? []).allSatisfy(Self.canBeTime) else { throw conversation.crash() }
            let pictures = try conversation.pictures(of: reply)
            part.isLast = reply.isLast ?? false
            part.times = reply.times ?? []
            part.seconds = reply.seconds ?? 0
            part.readByteCount = reply.readByteCount ?? 0
            part.warnings = reply.warnings ?? []
            for (frame, picture) in zip(reply.frames ?? [], pictures) {
                part.frames.append(StreamedFrame(picture: picture, points: try points(of: frame)))
            }
            isAtEnd = part.isLast
            if part.isLast { conversation.finish() }
            return part
        }

        /// Up to 30,000 years.
        private static func canBeTime(_ seconds: Double) -> Bool { (0...1e12).contains(seconds) }

        /// Moments must go on from one frame to the next.
        private func points(of frame: VideoReply.Frame) throws(IsolationError) -> [Range<Int>] {
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
