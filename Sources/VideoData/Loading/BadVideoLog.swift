import Files
import Tensors

/// A film that could not be read.
package struct BadVideo: Sendable, Equatable, Codable {
    package let path: String
    package let reason: String

    package init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }
}

/// The films of a data set that could not be read so far, each once, in the order they were met.
///
/// Sendable because its contents are touched only under the monitor.
package final class BadVideoLog: @unchecked Sendable {
    private let monitor = Monitor()
    private let listPath: String
    private let filmCount: Int
    private let limit: Int
    private var films: [BadVideo] = []
    private var paths: Set<Bytewise> = []

    init(listPath: String, filmCount: Int, share: Double) {
        self.listPath = listPath
        self.filmCount = filmCount
        // In a small data set the share may be less than one film; but some film must be left.
        limit = min(max(1, Int(share * Double(filmCount))), filmCount - 1)
    }

    package var all: [BadVideo] { monitor.locked { films } }

    /// Takes over what an earlier part of the run has met.
    package func restore(_ bad: [BadVideo]) {
        monitor.locked {
            films = bad
            paths = Set<Bytewise>(texts: bad.map(\.path))
        }
    }

    /// Takes over what several processes have met, each once, as if one had read the list.
    ///
    /// - Throws: as `note`.
    package func replace(with bad: [BadVideo], orderedAs list: AnnotationList) throws(DatasetError) {
        let positions = Dictionary(list.clips.enumerated().map { (Bytewise(list.filmPath($0.element)), $0.offset) }) { first, _ in first }
        restore([])
        for film in bad.sorted(by: { (positions[$0.path] ?? .max, Bytewise($0.path)) < (positions[$1.path] ?? .max, Bytewise($1.path)) }) { try note(film) }
    }

    /// - Throws: `tooManyBadVideos` once more films are bad than the data set may hold.
    package func note(_ film: BadVideo) throws(DatasetError) {
        let films: [BadVideo] = monitor.locked {
            if paths.insert(film.path) { self.films.append(film) }
            return self.films
        }
        guard films.count <= limit else {
            throw DatasetError(
                path: listPath,
                problem: .tooManyBadVideos(first: films.prefix(10).map(\.reason), count: films.count, total: filmCount, limit: limit))
        }
    }
}
