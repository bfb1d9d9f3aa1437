import Files
import Foundation
import VideoData

extension DataOptions {
    func loading(cacheByteBudget: Int = 0, badVideoPolicy: BadVideoPolicy? = nil) -> ClipLoader.Configuration {
        films.loading(cacheByteBudget: cacheByteBudget, badVideoPolicy: badVideoPolicy)
    }

    var reader: VideoFileReader { films.reader }
}

extension FilmOptions {
    /// How films are read ahead. The model's workers take turns with one reading thread a processor.
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
    /// Reads films and says what is odd about them.
    static var reporting: VideoFileReader {
        var reader = VideoFileReader()
        let reported = ReportedFilms()
        reader.report = { path, warnings in
            guard let position = reported.position(of: path), position <= ReportedFilms.limit else { return }
            if position == ReportedFilms.limit {
                Console.warning("more films are like these; they are not named. `vifi-prompt data check` names all damaged ones.")
            } else {
                for warning in warnings { Console.warning("\(path.escapedForDisplay): \(warning)") }
            }
        }
        return reader
    }
}

/// Films whose oddities have been told. Unchecked Sendable: guarded by the lock.
private final class ReportedFilms: @unchecked Sendable {
    private let lock = NSLock()
    private var paths: Set<Bytewise> = []

    /// How many are named.
    static let limit = 20

    /// How many films were told before this one; nil where it was among them.
    func position(of path: String) -> Int? { lock.withLock { paths.insert(path) ? paths.count - 1 : nil } }
}
