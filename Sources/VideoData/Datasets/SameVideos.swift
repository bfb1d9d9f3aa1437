import Files
import Glibc

/// Videos that are the same, as files or by their bytes, whatever their names.
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
    /// Whether the search ended early.
    package private(set) var isCutShort = false

    package static let limit = 10

    /// Videos of `second` that are also in `first`.
    package init(_ first: AnnotationList, and second: AnnotationList) {
        var known = KnownVideos()
        for (position, clip) in first.clips.enumerated() { known.add(first.videoPath(clip), position) }
        for (position, clip) in second.clips.enumerated() {
            guard note(known.same(as: second.videoPath(clip)), position) else { return }
        }
    }

    /// Videos that a list holds more than once.
    package init(within list: AnnotationList) {
        var known = KnownVideos()
        for (position, clip) in list.clips.enumerated() {
            let path = list.videoPath(clip)
            guard note(known.same(as: path), position) else { return }
            known.add(path, position)
        }
    }

    /// Returns false where enough is known.
    private mutating func note(_ found: (position: Int, isOneFile: Bool)?, _ position: Int) -> Bool {
        guard let found else { return true }
        guard pairs.count < Self.limit else {
            isCutShort = true
            return false
        }
        pairs.append(Pair(first: found.position, second: position, isOneFile: found.isOneFile))
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
        let position: Int
    }

    private var byPlace: [Place: Int] = [:]
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

    mutating func add(_ path: String, _ position: Int) {
        guard let (place, byteCount) = Self.look(at: path), byPlace[place] == nil else { return }
        byPlace[place] = position
        bySize[byteCount, default: []].append(File(path: path, position: position))
    }

    mutating func same(as path: String) -> (position: Int, isOneFile: Bool)? {
        guard let (place, byteCount) = Self.look(at: path) else { return nil }
        if let position = byPlace[place] { return (position, true) }
        guard let others = bySize[byteCount], let mark = mark(path) else { return nil }
        for other in others where self.mark(other.path) == mark {
            if let digest = digest(path), digest == self.digest(other.path) { return (other.position, false) }
        }
        return nil
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
