/// Reads videos of every kind: files, members of archives, folders of frames.
package struct VideoFileReader: VideoReading {
    package var limits = VideoLimits()
    package var pictures = PictureRules()
    /// Told what is odd about a video, after each reading of it; called from loading threads.
    package var report: @Sendable (_ path: String, _ warnings: [VideoWarning]) -> Void = { _, _ in }

    /// Of the files that were read; copies of a reader share it.
    private let indexes = FrameIndexes()

    package init() {}

    /// The same, with other rules.
    package func following(_ pictures: PictureRules) -> VideoFileReader {
        var reader = self
        reader.pictures = pictures
        return reader
    }

    package func frames(
        of path: String, part: ClipPart?, choosing: (Int) -> [Int], converting: (VideoFrame) -> VideoFrame
    ) throws -> [VideoFrame] {
        // One codec thread each: the loader reads several videos at once.
        let video = try openVideo(path, pictures: pictures, threadCount: 1, limits: limits, indexes: indexes)
        let shown = try video.frames(of: part, path: path)
        let indices = choosing(shown.count)
        let frames = try video.frames(at: indices.map { shown.lowerBound + $0 }, transform: converting)
        var warnings = video.warnings
        if shown.count < indices.count {
            warnings.append(.fewerFramesThanNeeded(found: shown.count, needed: indices.count))
        }
        if !warnings.isEmpty { report(path, warnings) }
        return frames
    }
}
