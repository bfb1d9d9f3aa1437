import Files
import Glibc

/// Videos that are the same, as files or by their bytes, whatever their names; of parts of videos those that have moments
/// in common.
///
/// Sizes are compared first, which takes one look at each file. Of files of one size the first, middle and last bytes
/// are read, and only where these agree, too, all of them; the search ends with the tenth pair. So data sets of
/// terabytes are compared in the time that listing them takes.
package struct SameVideos: Sendable {
    package struct Pair: Sendable, Equatable {
        /// Positions in the lists that were compared.
        package let first: Int
        package let second: Int
        /// One file under two names, or under one; else two files with the same bytes.
        package let isOneFile: Bool
    }

    /// In the order of the second list.
    package private(set) var pairs: [Pair] = []
    /// Clips of videos of which the other list holds other parts: the first such pair, and how many there are, as far as
    /// the search went.
    package private(set) var neighbors: (first: Pair, count: Int)?
    /// Whether the search ended early.
    package private(set) var isCutShort = false

    package static let limit = 10

    /// Videos of `second` that are also in `first`.
    package init(_ first: AnnotationList, and second: AnnotationList) {
        var known = KnownVideos()
        for (position, clip) in first.clips.enumerated() { known.add(first.videoPath(clip), clip.part, position) }
        for (position, clip) in second.clips.enumerated() {
            let found = known.same(as: second.videoPath(clip), clip.part)
            guard note(found, position) else { return }
        }
    }

    /// Videos that a list holds more than once.
    package init(within list: AnnotationList) {
        var known = KnownVideos()
        for (position, clip) in list.clips.enumerated() {
            let path = list.videoPath(clip)
            let found = known.same(as: path, clip.part)
            guard note(found, position) else { return }
            known.add(path, clip.part, position)
        }
    }

    /// Returns false where enough is known.
    private mutating func note(_ found: KnownVideos.Match?, _ position: Int) -> Bool {
        guard let found else { return true }
        let pair = Pair(first: found.position, second: position, isOneFile: found.isOneFile)
        guard found.isMet else {
            neighbors = (neighbors?.first ?? pair, (neighbors?.count ?? 0) + 1)
            return true
        }
        guard pairs.count < Self.limit else {
            isCutShort = true
            return false
        }
        pairs.append(pair)
        return true
    }
}

/// Files by place and by size. What is not there, or holds nothing, is no video and not compared.
private struct KnownVideos {
    private struct Place: Hashable {
        let device: UInt
        let number: UInt
    }

    private struct File {
        let path: String
        let place: Place
    }

    /// The clips of each file.
    private var byPlace: [Place: PartsOfVideo] = [:]
    private var bySize: [Int: [File]] = [:]
    private var marks: [Bytewise: String?] = [:]
    private var digests: [Bytewise: String?] = [:]

    private static func look(at path: String) -> (place: Place, byteCount: Int)? {
        var status = stat()
        guard !path.utf8.contains(0), unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else {
            return nil
        }
        return (Place(device: UInt(status.st_dev), number: UInt(status.st_ino)), Int(status.st_size))
    }

    mutating func add(_ path: String, _ part: ClipPart?, _ position: Int) {
        guard let (place, byteCount) = Self.look(at: path) else { return }
        if byPlace[place] == nil { bySize[byteCount, default: []].append(File(path: path, place: place)) }
        byPlace[place, default: .init()].add(part, position)
    }

    struct Match {
        let position: Int
        let isOneFile: Bool
        /// Not only of the same video.
        let isMet: Bool
    }

    /// A clip of the same video: if there is one, one that has moments in common with the part.
    mutating func same(as path: String, _ part: ClipPart?) -> Match? {
        guard let (place, byteCount) = Self.look(at: path) else { return nil }
        let own = byPlace[place].flatMap { Self.match($0, isOneFile: true, part) }
        if let own, own.isMet { return own }
        guard let others = bySize[byteCount]?.filter({ $0.place != place }), !others.isEmpty, let mark = mark(path) else { return own }
        var nearest = own
        for other in others where self.mark(other.path) == mark {
            guard let digest = digest(path), digest == self.digest(other.path), let clips = byPlace[other.place],
                let copy = Self.match(clips, isOneFile: false, part)
            else { continue }
            if copy.isMet { return copy }
            nearest = nearest ?? copy
        }
        return nearest
    }

    private static func match(_ clips: PartsOfVideo, isOneFile: Bool, _ part: ClipPart?) -> Match? {
        let met = clips.meeting(part)
        return (met ?? clips.first).map { Match(position: $0, isOneFile: isOneFile, isMet: met != nil) }
    }

    private mutating func mark(_ path: String) -> String? {
        if let known = marks[Bytewise(path)] { return known }
        let mark = try? VideoMarks.mark(path).digest
        marks[Bytewise(path)] = .some(mark)
        return mark
    }

    private mutating func digest(_ path: String) -> String? {
        if let known = digests[Bytewise(path)] { return known }
        let digest = try? Digest.ofFile(path)
        digests[Bytewise(path)] = .some(digest)
        return digest
    }
}
