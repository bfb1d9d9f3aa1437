/// Reads films of every kind: files, members of archives, folders of frames.
package struct VideoFileReader: FilmReading {
    package var limits = VideoLimits()
    /// Turns frames as the file's display matrix asks. Off gives what decoders without that step give.
    package var appliesRotation = true
    /// Told what is odd about a film, after each reading of it; called from loading threads.
    package var report: @Sendable (_ path: String, _ warnings: [VideoWarning]) -> Void = { _, _ in }

    package init() {}

    package func frames(
        of path: String, choosing: (Int) -> [Int], converting: (VideoFrame) -> VideoFrame
    ) throws -> [VideoFrame] {
        // One codec thread each: the loader reads several films at once.
        let video = try openFilm(path, appliesRotation: appliesRotation, threadCount: 1, limits: limits)
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
