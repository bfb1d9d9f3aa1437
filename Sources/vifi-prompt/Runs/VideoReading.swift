import Files
import Foundation
import VideoData

extension DataOptions {
    func loading(cacheByteBudget: Int = 0, badVideoPolicy: BadVideoPolicy? = nil) -> ClipLoader.Configuration {
        videos.loading(cacheByteBudget: cacheByteBudget, badVideoPolicy: badVideoPolicy)
    }

    var reader: VideoFileReader { videos.reader }
}

extension VideoOptions {
    /// How videos are read ahead. The model's workers take turns with one reading thread a processor.
    ///
    /// - Parameter badVideoPolicy: the recipe's, into which flags have gone; nil for the flag alone.
    func loading(cacheByteBudget: Int = 0, badVideoPolicy policy: BadVideoPolicy? = nil) -> ClipLoader.Configuration {
        var configuration = ClipLoader.Configuration()
        configuration.cacheByteBudget = cacheByteBudget
        configuration.badVideoPolicy = policy ?? badVideoPolicy ?? .fail
        return configuration
    }

    var reader: VideoFileReader { .reporting }
}

extension VideoFileReader {
    /// Reads videos and says what is odd about them.
    static var reporting: VideoFileReader {
        var reader = VideoFileReader()
        let reported = ReportedVideos()
        reader.report = { path, warnings in
            guard let position = reported.position(of: path), position <= ReportedVideos.limit else { return }
            if position == ReportedVideos.limit {
                Console.warning("more videos are like these; they are not named. `vifi-prompt data check` names all damaged ones.")
            } else {
                for warning in warnings { Console.warning("\(path.escapedForDisplay): \(warning)") }
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
