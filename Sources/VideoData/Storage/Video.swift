/// When the frames of a video are shown, in seconds from the first.
package struct FrameTiming: Sendable, Equatable {
    /// Of each frame, ascending.
    package let times: [Double]
    /// Until when the last frame is shown.
    package let end: Double
}

/// A video opened for reading single frames by number, whatever it is stored as.
package protocol Video: AnyObject {
    var info: VideoInfo { get }
    /// What is odd about it, as far as it was noticed up to now.
    var warnings: [VideoWarning] { get }
    /// When frames are shown. Worked out of all frames each time that it is asked for.
    var timing: FrameTiming { get }

    /// Decodes the frames `indices`, which may repeat and stand in any order.
    ///
    /// - Parameter transform: called for each different index.
    /// - Returns: what it makes of the frames, all of the same size, in the order asked for.
    func frames<Result>(at indices: [Int], transform: (VideoFrame) -> Result) throws(VideoError) -> [Result]
}

extension Video {
    package var frameCount: Int { info.frameCount }

    /// When each frame is shown, in seconds from the first.
    package var times: [Double] { timing.times }

    package func frames(at indices: [Int]) throws(VideoError) -> [VideoFrame] { try frames(at: indices) { $0 } }
}

extension Video {
    /// The frames of a part of the video: those that are shown from its start until before its end.
    ///
    /// - Parameter part: nil for the whole.
    /// - Throws: `noSuchPart`, naming `path`, where the part reaches beyond the video's end.
    package func frames(of part: ClipPart?, path: String) throws(VideoError) -> Range<Int> {
        guard let part else { return 0..<frameCount }
        let timing = timing
        guard let frames = part.frames(of: timing) else { throw VideoError(path: path, problem: .noSuchPart(part, seconds: timing.end)) }
        return frames
    }
}

/// Opens a video file, a member of a tar archive or a folder of frames.
///
/// - Parameters:
///   - pictures: what a video says about its pictures and is followed.
///   - indexes: of videos that were opened before; then they are not read as a whole again.
///   - threadCount: of the codec.
/// - Throws: `VideoError`, naming the video.
package func openVideo(
    _ path: String, pictures: PictureRules = PictureRules(), threadCount: Int = 1, limits: VideoLimits = VideoLimits(),
    indexes: FrameIndexes? = nil
) throws(VideoError) -> any Video {
    if let folder = try FrameFolder(path, limits: limits) { return try FrameFolderVideo(folder, pictures: pictures, limits: limits) }
    return CodedVideo(
        try VideoFile(path: path, pictures: pictures, threadCount: threadCount, limits: limits, indexes: indexes))
}

/// Opens a video to be read once, forward.
///
/// - Throws: `VideoError`, naming the video.
package func openVideoStream(_ request: VideoStreamRequest, limits: VideoLimits = VideoLimits()) throws(VideoError) -> any VideoStreaming {
    if let folder = try FrameFolder(request.path, limits: limits) { return try FrameFolderStream(request, folder, limits: limits) }
    return try VideoStream(request, limits: limits)
}

/// A video in a container.
private final class CodedVideo: Video {
    private var video: VideoFile

    init(_ video: consuming VideoFile) { self.video = video }

    var info: VideoInfo { video.info }
    var warnings: [VideoWarning] { video.warnings }
    var timing: FrameTiming { video.timing }

    func frames<Result>(at indices: [Int], transform: (VideoFrame) -> Result) throws(VideoError) -> [Result] {
        try video.frames(at: indices, transform: transform)
    }
}
