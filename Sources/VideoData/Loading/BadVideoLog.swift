import Files
import Tensors

/// A video, or a part of one, that could not be read.
package struct BadVideo: Sendable, Equatable, Codable {
    package let path: String
    package let part: ClipPart?
    package let reason: String

    package init(path: String, part: ClipPart? = nil, reason: String) {
        self.path = path
        self.part = part
        self.reason = reason
    }

    /// What tells it from others.
    package var name: String { clipName(path, part) }
}

/// The clips of a data set that could not be read so far, each once, in the order they were met.
///
/// Sendable because its contents are touched only under the monitor.
package final class BadVideoLog: @unchecked Sendable {
    private let monitor = Monitor()
    private let listPath: String
    private let videoCount: Int
    private let limit: Int
    private var videos: [BadVideo] = []
    private var names: Set<Bytewise> = []

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
            names = Set<Bytewise>(texts: bad.map(\.name))
        }
    }

    /// Takes over what several processes have met, each once, as if one had read the list.
    ///
    /// - Throws: as `note`.
    package func replace(with bad: [BadVideo], orderedAs list: AnnotationList) throws(DatasetError) {
        let positions = Dictionary(list.clips.enumerated().map { (Bytewise(list.fullName($0.element)), $0.offset) }) { first, _ in first }
        restore([])
        for video in bad.sorted(by: { (positions[$0.name] ?? .max, Bytewise($0.name)) < (positions[$1.name] ?? .max, Bytewise($1.name)) }) { try note(video) }
    }

    /// - Throws: `tooManyBadVideos` once more videos are bad than the data set may hold.
    package func note(_ video: BadVideo) throws(DatasetError) {
        let videos: [BadVideo] = monitor.locked {
            if names.insert(video.name) { self.videos.append(video) }
            return self.videos
        }
        guard videos.count <= limit else {
            throw DatasetError(
                path: listPath,
                problem: .tooManyBadVideos(first: videos.prefix(10).map(\.reason), count: videos.count, total: videoCount, limit: limit))
        }
    }
}
