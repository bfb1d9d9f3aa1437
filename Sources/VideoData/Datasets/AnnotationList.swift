import Files

/// One line of a list: a film and its class.
package struct AnnotatedClip: Sendable, Hashable {
    /// Relative to the list's root.
    package var path: String
    package var label: Int

    package init(path: String, label: Int) {
        self.path = path
        self.label = label
    }

    package static func == (left: AnnotatedClip, right: AnnotatedClip) -> Bool {
        left.label == right.label && left.path.hasSameBytes(as: right.path)
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(Bytewise(path))
        hasher.combine(label)
    }
}

/// A list of films with their classes, `relative/path label` on each line.
///
/// The label is what follows the last blank, so paths may hold blanks; a path may also stand in double
/// quotes. Where a film's name is followed by a whole number and the label (`clip.mp4 120 3`), the number is
/// taken for a count of frames and passed over. Empty lines are passed over. Paths start from `root`,
/// cannot leave it and are never addresses.
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

    /// Reads a list. Only the list itself is opened; see `checkFiles` for the films.
    ///
    /// - Parameters:
    ///   - root: the list's own folder where nil.
    ///   - classCount: labels must be below it.
    package static func read(
        _ path: String, root: String? = nil, classCount: Int? = nil
    ) throws(DatasetError) -> AnnotationList {
        var lines = try LineReader(path: path, lineLimit: lineLimit)
        var list = AnnotationList(path: path, root: root ?? path.parentDirectory, clips: [])
        var repeats = RepeatedPaths()
        var labels = CountedLabels()
        while let line = try lines.nextOfPaths() {
            let text = line.trimmingBlanks()
            if text.isEmpty { continue }
            do {
                let clip = try parse(text, classCount: classCount)
                repeats.note(clip, line: lines.lineNumber)
                labels.note(clip.label)
                list.clips.append(clip)
            } catch {
                throw DatasetError(path: path, line: lines.lineNumber, problem: error.problem)
            }
            guard list.clips.count <= clipLimit else {
                throw DatasetError(path: path, problem: .tooManyLines(limit: clipLimit))
            }
        }
        guard !list.clips.isEmpty else { throw DatasetError(path: path, problem: .noClips) }
        list.warnings = repeats.warnings(list: path) + (labels.lastFromOne.map { [.labelsFromOne(list: path, last: $0)] } ?? [])
        return list
    }

    /// Where the film of a clip lies.
    package func filmPath(_ clip: AnnotatedClip) -> String {
        root.appendingPath(clip.path)
    }

    /// Clips of each class.
    package func clipCounts(classCount: Int) -> [Int] {
        var counts = [Int](repeating: 0, count: classCount)
        for clip in clips where clip.label < classCount { counts[clip.label] += 1 }
        return counts
    }
}

// MARK: - One line

/// A problem on its way to getting a file and a line.
struct LineFault: Error {
    let problem: DatasetError.Problem
    init(_ problem: DatasetError.Problem) { self.problem = problem }
}

/// - Parameter text: without blanks at its ends, not empty.
private func parse(_ text: String, classCount: Int?) throws(LineFault) -> AnnotatedClip {
    var fields = try text.unicodeScalars.first == "\"" ? quotedFields(text) : plainFields(text)
    let label = try label(fields.label, classCount: classCount)
    if text.unicodeScalars.first != "\"", let path = beforeNumber(fields.path) {
        // A frame count after a film's name says nothing new. After anything else it counts the pictures of
        // a folder, as in mmaction's rawframe lists, or belongs to the name: nobody can tell.
        guard ClassFolders.isFilm(path) else { throw LineFault(.threeColumns) }
        fields.path = path
    }
    try checkPath(fields.path)
    return AnnotatedClip(path: fields.path, label: label)
}

private func plainFields(_ text: String) throws(LineFault) -> (path: String, label: String) {
    guard let blank = text.lastIndex(where: \.isBlank) else { throw LineFault(.oneField) }
    return (String(text[..<blank]).trimmingBlanks(), String(text[text.index(after: blank)...]))
}

/// What stands before a whole number that ends `path`; nil where it does not end in one.
private func beforeNumber(_ path: String) -> String? {
    guard let blank = path.lastIndex(where: \.isBlank) else { return nil }
    let last = path[path.index(after: blank)...]
    return last.allSatisfy { $0.isASCII && $0.isNumber } ? String(path[..<blank]).trimmingBlanks() : nil
}

private func quotedFields(_ text: String) throws(LineFault) -> (path: String, label: String) {
    // By scalars: with an accent after it a quote would be another character.
    let text = text.unicodeScalars
    var path = String.UnicodeScalarView()
    var index = text.index(after: text.startIndex)
    while index < text.endIndex {
        let next = text.index(after: index)
        if text[index] != "\"" {
            path.append(text[index])
            index = next
        } else if next < text.endIndex && text[next] == "\"" {
            path.append("\"")
            index = text.index(after: next)
        } else {
            let rest = String(text[next...])
            guard rest.first?.isBlank == true else { throw LineFault(rest.isEmpty ? .oneField : .textAfterQuote) }
            return (String(path), rest.trimmingBlanks())
        }
    }
    throw LineFault(.unclosedQuote)
}

private func label(_ text: String, classCount: Int?) throws(LineFault) -> Int {
    let digits = text.first == "-" ? text.dropFirst() : Substring(text)
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
        let number = Int(text)
    else { throw LineFault(.labelNotANumber(text)) }
    let limit = classCount ?? AnnotationList.labelLimit
    guard number >= 0 && number < limit else {
        throw LineFault(.labelOutOfRange(label: number, classCount: limit))
    }
    return number
}

func checkPath(_ path: String) throws(LineFault) {
    guard !path.isEmpty else { throw LineFault(.oneField) }
    // By bytes, as the kernel reads paths: a combining mark after a slash makes it another Character.
    guard path.utf8.first != UInt8(ascii: "/") else { throw LineFault(.absolutePath(path)) }
    guard !path.utf8.split(separator: UInt8(ascii: "/")).contains(where: { $0.elementsEqual("..".utf8) }) else {
        throw LineFault(.leavesRoot(path))
    }
    let scheme = path.prefix { $0 != ":" && $0 != "/" }.lowercased()
    if path.contains("://") || path.dropFirst(scheme.count).first == ":" && filmProtocols.contains(scheme) {
        throw LineFault(.protocolName(path))
    }
}

/// What FFmpeg takes for an address before a colon. Films are opened as plain files in any case; the
/// check is here to say so before training.
private let filmProtocols: Set<String> = [
    "async", "bluray", "cache", "concat", "concatf", "crypto", "data", "fd", "file", "ftp", "gopher", "gophers", "hls",
    "http", "httpproxy", "https", "icecast", "ipfs", "ipns", "md5", "mmsh", "mmst", "pipe", "prompeg", "rtmp", "rtmps",
    "rtmpt", "rtp", "rtsp", "sctp", "sftp", "smb", "srt", "srtp", "subfile", "tcp", "tee", "tls", "udp", "unix",
]

/// Paths met before, for the warnings.
private struct RepeatedPaths {
    private var labels: [Bytewise: Int] = [:]
    private var same: (path: String, line: Int, count: Int)?
    private var contradicting: (path: String, line: Int, count: Int)?

    mutating func note(_ clip: AnnotatedClip, line: Int) {
        guard let earlier = labels.updateValue(clip.label, forKey: Bytewise(clip.path)) else { return }
        if earlier == clip.label {
            same = (same?.path ?? clip.path, same?.line ?? line, (same?.count ?? 0) + 1)
        } else {
            contradicting = (
                contradicting?.path ?? clip.path, contradicting?.line ?? line, (contradicting?.count ?? 0) + 1
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

extension Character {
    fileprivate var isBlank: Bool { self == " " || self == "\t" }
}

extension String {
    func trimmingBlanks() -> String {
        var text = Substring(self)
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return String(text)
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
        clips.map { "\(written($0.path)) \($0.label)\n" }.joined().pathBytes
    }

    private static func written(_ path: String) -> String {
        let needsQuotes = path.unicodeScalars.first == "\"" || path != path.trimmingBlanks() || beforeNumber(path) != nil
        return needsQuotes ? path.inDoubleQuotes : path
    }
}
