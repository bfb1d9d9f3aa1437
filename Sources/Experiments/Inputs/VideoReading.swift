import Files
import Foundation
import VideoData

extension VideoFileReader {
    /// Reads videos and says what is odd about them.
    package static func reporting(_ context: RunContext) -> VideoFileReader {
        var reader = VideoFileReader()
        let reported = ReportedVideos()
        reader.report = { path, warnings in
            guard let position = reported.position(of: path), position <= ReportedVideos.limit else { return }
            if position == ReportedVideos.limit {
                context.warning(.data(.moreOddVideos))
            } else {
                for warning in warnings { context.warning(.data(.video(path: path, warning))) }
            }
        }
        return reader
    }
}

/// Videos whose oddities have been told. Unchecked Sendable: guarded by the lock.
private final class ReportedVideos: @unchecked Sendable {
    private let lock = NSLock()
    private var paths: Set<Bytewise> = []

    /// How many are named.
    static let limit = 20

    /// How many videos were told before this one; nil where it was among them.
    func position(of path: String) -> Int? { lock.withLock { paths.insert(path) ? paths.count - 1 : nil } }
}
