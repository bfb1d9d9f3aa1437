/// A video whose frames are pictures in a folder. Only those that are asked for are opened.
final class FrameFolderVideo: Video {
    let info: VideoInfo
    private let folder: FrameFolder
    private let limits: VideoLimits
    private var converter: FrameConverter
    private var damaged: Set<Int> = []
    private var standIns: Set<Int> = []
    private var otherSizes: [VideoWarning] = []

    /// Frames before or behind a damaged one that are tried in its place.
    private static let neighborLimit = 16

    /// - Parameter pictures: of which the region counts: pictures on their own say nothing that is followed.
    /// - Throws: `VideoError` where the first frames cannot be decoded.
    init(_ folder: FrameFolder, pictures: PictureRules, limits: VideoLimits) throws(VideoError) {
        self.folder = folder
        self.limits = limits
        var damaged: Set<Int> = []
        var first: StillPicture?
        var fault: VideoError?
        for index in 0..<min(folder.names.count, Self.neighborLimit) {
            do throws(VideoError) {
                first = try StillPicture(path: folder.path(ofFrame: index), limits: limits)
                break
            } catch {
                guard Self.isDamage(error) else { throw error }
                fault = fault ?? error
                damaged.insert(index)
            }
        }
        guard let first else { throw fault ?? VideoError(path: folder.path, problem: .noFrames) }
        let size = FrameSize(width: first.width, height: first.height)
        converter = FrameConverter(
            width: size.width, height: size.height, crop: try pictures.crop(of: size, turnedBy: .upright, path: folder.path))
        info = VideoInfo(
            container: "frames", codec: first.codecName, pixelFormat: first.pixelFormat, width: first.width, height: first.height,
            frameCount: folder.names.count, framesPerSecond: nil, durationSeconds: nil, quarterTurns: 0, transfer: nil, dynamicRange: nil)
        self.damaged = damaged
    }

    var timing: FrameTiming {
        let moments = (0...folder.names.count).map { Double($0) / FrameFolderStream.framesPerSecond }
        return FrameTiming(times: moments.dropLast(), end: moments[folder.names.count])
    }

    var warnings: [VideoWarning] {
        var result = otherSizes
        if !damaged.isEmpty { result.append(.damagedFrames(count: damaged.count)) }
        if !standIns.isEmpty { result.append(.repeatedFrames(indices: standIns.sorted())) }
        return result
    }

    func frames<Result>(at indices: [Int], transform: (VideoFrame) -> Result) throws(VideoError) -> [Result] {
        for index in indices where !folder.names.indices.contains(index) {
            throw VideoError(path: folder.path, problem: .noSuchFrame(index: index, frameCount: folder.names.count))
        }
        var results: [Int: Result] = [:]
        for index in Set(indices).sorted() { results[index] = transform(try frame(index)) }
        return indices.compactMap { results[$0] }
    }

    /// A frame, or in place of a damaged one the last before it that is sound, else the first behind it.
    func frame(_ index: Int) throws(VideoError) -> VideoFrame {
        let before = (max(0, index - Self.neighborLimit)...index).reversed()
        let behind = index + 1..<max(index + 1, min(folder.names.count, index + 1 + Self.neighborLimit))
        var fault: VideoError?
        for candidate in Array(before) + Array(behind) {
            do throws(VideoError) {
                let frame = try decoded(candidate)
                if candidate != index { standIns.insert(index) }
                return frame
            } catch {
                guard Self.isDamage(error) else { throw error }
                fault = fault ?? error
                damaged.insert(candidate)
            }
        }
        throw fault ?? VideoError(path: folder.path, problem: .noFrames)
    }

    private func decoded(_ index: Int) throws(VideoError) -> VideoFrame {
        let path = folder.path(ofFrame: index)
        let picture = try StillPicture(path: path, limits: limits)
        if picture.width != converter.width || picture.height != converter.height {
            let warning = VideoWarning.sizeChange(width: picture.width, height: picture.height)
            if !otherSizes.contains(warning) { otherSizes.append(warning) }
        }
        do throws(ConversionFailure) {
            return try unsafe converter.convert(picture.frame)
        } catch {
            throw VideoError(path: path, problem: .cannotConvert(reason: error.reason))
        }
    }

    /// Whether another frame may stand in: the picture is at fault, not the disk or the machine.
    private static func isDamage(_ error: VideoError) -> Bool {
        switch error.problem {
        case .damagedPicture, .incompleteDownload, .empty, .notPicture: true
        default: false
        }
    }
}

/// A folder of frames read once, forward. Pictures carry no times: 25 of them are taken for a second.
///
/// Sendable because one thread at a time uses it: the one that prefetches.
final class FrameFolderStream: VideoStreaming, @unchecked Sendable {
    let outlook: VideoOutlook
    private let request: VideoStreamRequest
    private let video: FrameFolderVideo
    private var nextFrame = 0
    private var nextPoints: [Int]

    static let framesPerSecond = 25.0

    init(_ request: VideoStreamRequest, _ folder: FrameFolder, limits: VideoLimits) throws(VideoError) {
        self.request = request
        video = try FrameFolderVideo(folder, pictures: request.pictures, limits: limits)
        nextPoints = request.grids.map { _ in 0 }
        outlook = VideoOutlook(seconds: Double(folder.names.count) / Self.framesPerSecond, byteCount: 0)
    }

    func next() throws(VideoError) -> VideoPart {
        var part = VideoPart()
        let count = video.frameCount
        while part.frames.count < request.batchCount, nextFrame < count {
            part.times.append(Double(nextFrame) / Self.framesPerSecond)
            nextFrame += 1
            let isLast = nextFrame == count
            let end = request.unit == .seconds ? Double(nextFrame) / Self.framesPerSecond : Double(nextFrame)
            let points = VideoStream.points(shownUntil: end, isLast: isLast, of: request.grids, from: &nextPoints)
            if points.contains(where: { !$0.isEmpty }) {
                part.frames.append(
                    StreamedFrame(picture: request.shrunk(try video.frame(nextFrame - 1)), points: points))
            }
        }
        part.seconds = Double(nextFrame) / Self.framesPerSecond
        part.isLast = nextFrame == count
        if part.isLast { part.warnings = video.warnings.map(\.description) + [VideoWarning.assumedRate(framesPerSecond: Self.framesPerSecond).description] }
        return part
    }
}
