import Files
import Foundation
import VideoData

/// Decodes videos for a process that does not trust them: what the program runs in a process of its own.
package struct VideoWorker {
    package static let commandName = "video-worker"

    package init() {}

    package func serve() throws {
        WorkerLimits.set()
        try FileHandle.standardOutput.write(contentsOf: JSONEncoder().encode(WorkerProcess.greeting) + Data([UInt8(ascii: "\n")]))
        while let line = readLine() {
            guard let question = try? JSONDecoder().decode(VideoQuestion.self, from: Data(line.utf8)) else { return }
            do {
                switch question {
                case .read(let path, let part, let shortSide, let pictures): try read(path, part, shortSide: shortSide, pictures: pictures)
                case .stream(let request): try stream(request)
                case .glance(let path, let shortSide): try glance(path, shortSide: shortSide)
                case .frames: return  // Only in answer to a frame count.
                }
            } catch let error as VideoError {
                let verdict = WorkerLimits.verdict(on: error)
                try send(VideoReply(error: verdict.description, status: verdict.exitStatus.rawValue))
            } catch let error as any ReportableError {
                try send(VideoReply(error: error.description, status: error.exitStatus.rawValue))
            }
        }
    }

    /// Single frames: says how many there are, is told which are wanted, sends them.
    private func read(_ path: String, _ part: ClipPart?, shortSide: Int, pictures: PictureRules) throws {
        let video = try openVideo(path, pictures: pictures, limits: WorkerLimits.videoLimits)
        let shown = try video.frames(of: part, path: path)
        try send(VideoReply(frameCount: shown.count))
        guard let line = readLine(), case .frames(let indices)? = try? JSONDecoder().decode(VideoQuestion.self, from: Data(line.utf8))
        else { return }
        let frames = try video.frames(at: indices.map { shown.lowerBound + $0 }) { $0.resized(shortSide: shortSide) }
        var reply = VideoReply(frames: frames.map { VideoReply.Frame(width: $0.width, height: $0.height, points: []) })
        reply.warnings = video.warnings.map(\.description)
        try send(reply, pictures: frames)
    }

    private func glance(_ path: String, shortSide: Int) throws {
        let video = try openVideo(path, limits: WorkerLimits.videoLimits)
        let frames = try video.frames(at: [video.frameCount / 2]) { $0.resized(shortSide: shortSide) }
        var reply = VideoReply(frames: frames.map { VideoReply.Frame(width: $0.width, height: $0.height, points: []) })
        reply.size = [video.info.width, video.info.height]
        reply.frameCount = video.frameCount
        let last = video.times.last ?? 0
        reply.seconds = last + 1 / (video.info.framesPerSecond ?? 25)
        reply.warnings = video.warnings.map(\.description)
        try send(reply, pictures: frames)
    }

    private func stream(_ request: VideoStreamRequest) throws {
        let stream = try openVideoStream(request, limits: WorkerLimits.videoLimits)
        try send(VideoReply(outlook: stream.outlook))
        while true {
            let part = try stream.next()
            try send(VideoReply(part), pictures: part.frames.map(\.picture))
            if part.isLast { return }
        }
    }

    private struct Unheard: Error {}

    private func send(_ reply: VideoReply, pictures: [VideoFrame] = []) throws {
        var data = try JSONEncoder().encode(reply) + Data([UInt8(ascii: "\n")])
        for picture in pictures { data.append(contentsOf: picture.pixels) }
        do { try FileHandle.standardOutput.write(contentsOf: data) } catch { throw Unheard() }
    }
}
