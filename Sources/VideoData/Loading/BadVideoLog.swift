import Files
import Tensors

/// A video that could not be read.
package struct BadVideo: Sendable, Equatable, Codable {
    package let path: String
    package let reason: String

    package init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }
}

/// The videos of a data set that could not be read so far, each once, in the order they were met.
///
/// Sendable because its contents are touched only under the monitor.
package final class BadVideoLog: @unchecked Sendable {
    private let monitor = Monitor()
    private let listPath: String
    private let videoCount: Int
    private let limit: Int
    private var videos: [BadVideo] = []
    private var paths: Set<Bytewise> = []

    init(listPath: String, videoCount: Int, share: Double) {
        self.listPath = listPath
        self.videoCount = videoCount
        // In a small data set the share may be less than one video; but some video must be left.
        limit = min(max(1, Int(share * Double(videoCount))), videoCount - 1)
    }

    package var all: [BadVideo] { monitor.locked { videos } }

    /// Takes over what an earlier part of the run has met.
    package func restore(_ bad: [BadVideo]) {
        monitor.locked {
            videos = bad
            paths = Set<Bytewise>(texts: bad.map(\.path))
        }
    }

    /// Takes over what several processes have met, each once, as if one had read the list.
    ///
    /// - Throws: as `note`.
    package func replace(with bad: [BadVideo], orderedAs list: AnnotationList) throws(DatasetError) {
        let positions = Dictionary(list.clips.enumerated().map { (Bytewise(list.videoPath($0.element)), $0.offset) }) { first, _ in first }
        restore([])
        for video in bad.sorted(by: { (positions[$0.path] ?? .max, Bytewise($0.path)) < (positions[$1.path] ?? .max, Bytewise($1.path)) }) { try note(video) }
    }

    /// - Throws: `tooManyBadVideos` once more videos are bad than the data set may hold.
    package func note(_ video: BadVideo) throws(DatasetError) {
        let videos: [BadVideo] = monitor.locked {
            if paths.insert(video.path) { self.videos.append(video) }
            return self.videos
        }
        guard videos.count <= limit else {
            throw DatasetError(
                path: listPath,
                problem: .tooManyBadVideos(first: videos.prefix(10).map(\.reason), count: videos.count, total: videoCount, limit: limit))
        }
    }
}
