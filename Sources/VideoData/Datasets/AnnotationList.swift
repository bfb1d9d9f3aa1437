import Files

/// One line of a list: a video, or a part of one, and its class.
package struct AnnotatedClip: Sendable, Hashable {
    /// Relative to the list's root.
    package var path: String
    package var label: Int
    /// Frames that the list says the video has; the video itself is not changed by it.
    package var frameCount: Int?
    /// The part of the video that is meant; nil for all of it.
    package var part: ClipPart?

    package init(path: String, label: Int, frameCount: Int? = nil, part: ClipPart? = nil) {
        self.path = path
        self.label = label
        self.frameCount = frameCount
        self.part = part
    }

    /// What tells the clip from others of its list: `walk.mp4`, or `walk.mp4 3.2 7.5` for a part.
    package var name: String { clipName(path, part) }

    package static func == (left: AnnotatedClip, right: AnnotatedClip) -> Bool {
        left.label == right.label && left.part == right.part && left.path.hasSameBytes(as: right.path)
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(Bytewise(path))
        hasher.combine(label)
        hasher.combine(part)
    }
}

/// A video's path, and behind it the times of the part that is meant.
package func clipName(_ path: String, _ part: ClipPart?) -> String { part.map { "\(path) \($0.text)" } ?? path }

/// A list of videos with their classes: lines of `path label`, `path frames label` or `path start end label`, or a table
/// of `path,label` or `path,start,end,label`.
///
/// The label is a number from 0 on or the name of a class. Paths may hold blanks, and stand in double quotes. A number
/// between path and label counts the video's frames: it is held against the video when that is opened, and stands in all
/// lines or in none. Two times there, with decimal points, bound the part of the video that is meant. Empty lines are passed over. Paths start from `root`, cannot leave it and are never addresses;
/// absolute ones lead below it.
package struct AnnotationList: Sendable {
    /// Longest line read, in bytes.
    package static let lineLimit = 4096
    package static let clipLimit = 10_000_000
    /// Labels accepted where the number of classes is unknown.
    package static let labelLimit = 1_000_000

    package let path: String
    /// The folder that paths start from.
    package let root: String
    package var clips: [AnnotatedClip]
    package var warnings: [DatasetWarning] = []

    package init(path: String, root: String, clips: [AnnotatedClip]) {
        self.path = path
        self.root = root
        self.clips = clips
    }

    /// Names that stand for labels in the list, sorted, where the caller named no classes; nil where it has numbers.
    package var labelNames: ClassNames?

    /// Reads a list. Only the list itself is opened; see `checkFiles` for the videos.
    ///
    /// - Parameters:
    ///   - root: the list's own folder where nil.
    ///   - classCount: labels must be below it.
    ///   - classes: what labels are called; says how many there are, too.
    ///   - takesForeignPaths: takes absolute paths of other disks for names of videos that are looked for afterwards.
    package static func read(
        _ path: String, root: String? = nil, classCount: Int? = nil, classes: ClassNames? = nil, takesForeignPaths: Bool = false
    ) throws(DatasetError) -> AnnotationList {
        var builder = ListBuilder(
            path: path, root: root ?? path.parentDirectory, ListLabels(classCount: classCount, classes: classes),
            takesForeignPaths: takesForeignPaths)
        if let table = try ListTable(of: path) {
            var isHeader = table.hasHeader
            try CSVReader.eachRecord(of: path, byteLimit: CaptionList.byteLimit) { record throws(DatasetError) in
                if isHeader {
                    isHeader = false
                    return
                }
                try builder.add(line: record.line) { _ throws(LineFault) in try table.line(record) }
            }
        } else {
            var lines = try LineReader(path: path, lineLimit: lineLimit)
            while let line = try lines.nextOfPaths() {
                let text = line.trimmingBlanks()
                if text.isEmpty { continue }
                try builder.add(line: lines.lineNumber) { labels throws(LineFault) in try ListLine(text, isClass: labels.isClass) }
            }
        }
        return try builder.finished()
    }

    /// Where the video of a clip lies.
    package func videoPath(_ clip: AnnotatedClip) -> String {
        root.appendingPath(clip.path)
    }

    /// What tells a clip from those of other lists, as `BadVideo` names it.
    package func fullName(_ clip: AnnotatedClip) -> String { clipName(videoPath(clip), clip.part) }

    /// Clips of each class.
    package func clipCounts(classCount: Int) -> [Int] {
        var counts = [Int](repeating: 0, count: classCount)
        for clip in clips where clip.label < classCount { counts[clip.label] += 1 }
        return counts
    }
}

// MARK: - Paths

func checkPath(_ path: String) throws(LineFault) {
    guard !path.isEmpty else { throw LineFault(.oneField) }
    // By bytes, as the kernel reads paths: a combining mark after a slash makes it another Character.
    guard path.utf8.first != UInt8(ascii: "/") else { throw LineFault(.absolutePath(path)) }
    guard !path.utf8.split(separator: UInt8(ascii: "/")).contains(where: { $0.elementsEqual("..".utf8) }) else {
        throw LineFault(.leavesRoot(path))
    }
    let scheme = path.prefix { $0 != ":" && $0 != "/" }.lowercased()
    if path.contains("://") || path.dropFirst(scheme.count).first == ":" && videoProtocols.contains(scheme) {
        throw LineFault(.protocolName(path))
    }
}

/// What FFmpeg takes for an address before a colon. Videos are opened as plain files in any case; the
/// check is here to say so before training.
private let videoProtocols: Set<String> = [
    "async", "bluray", "cache", "concat", "concatf", "crypto", "data", "fd", "file", "ftp", "gopher", "gophers", "hls",
    "http", "httpproxy", "https", "icecast", "ipfs", "ipns", "md5", "mmsh", "mmst", "pipe", "prompeg", "rtmp", "rtmps",
    "rtmpt", "rtp", "rtsp", "sctp", "sftp", "smb", "srt", "srtp", "subfile", "tcp", "tee", "tls", "udp", "unix",
]

/// Paths met before, for the warnings.
struct RepeatedPaths {
    private var labels: [Bytewise: Int] = [:]
    private var same: (path: String, line: Int, count: Int)?
    private var contradicting: (path: String, line: Int, count: Int)?

    mutating func note(_ clip: AnnotatedClip, line: Int) {
        guard let earlier = labels.updateValue(clip.label, forKey: Bytewise(clip.name)) else { return }
        if earlier == clip.label {
            same = (same?.path ?? clip.name, same?.line ?? line, (same?.count ?? 0) + 1)
        } else {
            contradicting = (
                contradicting?.path ?? clip.name, contradicting?.line ?? line, (contradicting?.count ?? 0) + 1
            )
        }
    }

    func warnings(list: String) -> [DatasetWarning] {
        var warnings: [DatasetWarning] = []
        if let same {
            warnings.append(.repeatedPaths(list: list, first: same.path, line: same.line, count: same.count))
        }
        if let contradicting {
            warnings.append(
                .contradictingLabels(
                    list: list, first: contradicting.path, line: contradicting.line, count: contradicting.count))
        }
        return warnings
    }
}

// MARK: - Writing

extension String {
    /// In double quotes, its own quotes written twice.
    var inDoubleQuotes: String {
        // By scalars: with an accent after it a quote would be another character.
        var result = String.UnicodeScalarView("\"".unicodeScalars)
        for scalar in unicodeScalars { result.append(contentsOf: scalar == "\"" ? [scalar, scalar] : [scalar]) }
        result.append("\"")
        return String(result)
    }
}

extension AnnotationList {
    /// The list as `read` reads it back.
    package static func bytes(of clips: [AnnotatedClip]) -> [UInt8] {
        clips.map { line(of: $0) + "\n" }.joined().pathBytes
    }

    private static func line(of clip: AnnotatedClip) -> String {
        let rest = " " + (clip.part.map { $0.text + " " } ?? "") + "\(clip.label)"
        guard clip.path.unicodeScalars.first != "\"", clip.path.hasSameBytes(as: clip.path.trimmingBlanks()) else { return clip.path.inDoubleQuotes + rest }
        guard clip.path.contains(where: \.isBlank) else { return clip.path + rest }
        // Numbers at the end of a path, or within it, must not be taken for others.
        let plain = try? ListLine(clip.path + rest, isClass: { _ in false })
        return plain == ListLine(path: clip.path, label: "\(clip.label)", frameCount: nil, part: clip.part) ? clip.path + rest : clip.path.inDoubleQuotes + rest
    }
}
