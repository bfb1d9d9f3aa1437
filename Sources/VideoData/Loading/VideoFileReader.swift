/// Reads films through `VideoFile`.
package struct VideoFileReader: FilmReading {
    package var limits = VideoLimits()
    /// Turns frames as the file's display matrix asks. Off gives what decoders without that step give.
    package var appliesRotation = true
    /// Told what is odd about a film, after each reading of it; called from loading threads.
    package var report: @Sendable (_ path: String, _ warnings: [VideoWarning]) -> Void = { _, _ in }

    /// Of the files that were read; copies of a reader share it.
    private let indexes = FrameIndexes()

    package init() {}

    package func frames(
        of path: String, choosing: (Int) -> [Int], converting: (VideoFrame) -> VideoFrame
    ) throws -> [VideoFrame] {
        // One codec thread each: the loader reads several films at once.
        var video = try VideoFile(path: path, appliesRotation: appliesRotation, threadCount: 1, limits: limits, indexes: indexes)
        let indices = choosing(video.frameCount)
        let frames = try video.frames(at: indices, transform: converting)
        var warnings = video.warnings
        if video.frameCount < indices.count {
            warnings.append(.fewerFramesThanNeeded(found: video.frameCount, needed: indices.count))
        }
        if !warnings.isEmpty { report(path, warnings) }
        return frames
    }
}
