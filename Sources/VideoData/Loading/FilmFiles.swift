/// Reads films from files through FFmpeg, and collects what was odd about them.
package final class FilmFiles: FilmReading, @unchecked Sendable {
    // Unchecked Sendable: the only mutable state is behind the monitor.
    private let monitor = Monitor()
    private var noted: [String: [VideoWarning]] = [:]

    package init() {}

    /// - Throws: `VideoError`, naming the file.
    package func frames(
        of path: String, choosing: (_ frameCount: Int) -> [Int], converting: (VideoFrame) -> VideoFrame
    ) throws -> [VideoFrame] {
        var file = try VideoFile(path: path)
        let frames = try file.frames(at: choosing(file.frameCount), transform: converting)
        let warnings = file.warnings
        if !warnings.isEmpty { monitor.locked { noted[path] = warnings } }
        return frames
    }

    /// Every warning so far, by path.
    package var warnings: [(path: String, warnings: [VideoWarning])] {
        monitor.locked { noted.sorted { $0.key < $1.key }.map { (path: $0.key, warnings: $0.value) } }
    }
}
