import Files

/// What an annotation program says of a video, or of a part of one.
struct LabeledSpan: Equatable {
    enum Extent: Equatable {
        case whole
        /// From the first frame on.
        case seconds(Double, Double)
        /// Counted from 0.
        case frames(Range<Int>)
    }

    /// A path as the program knows it, made fit to be looked for; see `videoName`.
    var video: String
    var label: String
    var extent: Extent
    /// The file that says it.
    var file: String
    /// Where in the file, in words.
    var place: String

    init(video: String, label: String, extent: Extent, file: String, place: String) throws(DatasetError) {
        self.label = label.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        (self.video, self.extent, self.file, self.place) = (Self.videoName(video), extent, file, place)
        guard !self.label.isEmpty else { throw DatasetError(path: file, problem: .annotation(.noLabel(place: place))) }
        guard !self.video.isEmpty else { throw DatasetError(path: file, problem: .annotation(.noVideo(place: place))) }
        try DatasetError.checkPath(self.video, file: file, line: nil)
    }

    /// The path in what programs write for a video: a path on another disk, with backslashes or from another folder, an
    /// address of a server or a file, Label Studio's `/data/local-files/?d=walk/a.mp4`, or its `/data/upload/1/0b9ca1e4-a.mp4`
    /// with eight digits of its own before the name.
    static func videoName(_ text: String) -> String {
        var path = text.trimmingBlanks()
        var isAddress = false
        if let scheme = path.firstRange(of: "://"), path[..<scheme.lowerBound].allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) }) {
            // Files have no server, others have one before the path.
            let isFile = path[..<scheme.lowerBound].lowercased() == "file"
            let rest = path[scheme.upperBound...]
            path = String(isFile ? rest : rest[(rest.firstIndex(of: "/") ?? rest.endIndex)...])
            isAddress = true
        } else if path.lowercased().hasPrefix("file:") {
            path = String(path.dropFirst(5))
            isAddress = true
        }
        if let query = path.firstRange(of: "?d=") {
            path = String(path[query.upperBound...].prefix { $0 != "&" })
            isAddress = true
        } else if isAddress || path.hasPrefix("/data/"), let query = path.firstIndex(where: { $0 == "?" || $0 == "#" }) {
            path = String(path[..<query])
        }
        if isAddress || path.hasPrefix("/data/") || path.hasPrefix("./") { path = path.withoutPercents }
        // `C:\videos\a.mp4`, in addresses `/C:/videos/a.mp4`; elsewhere a backslash is a character of a name.
        if isAddress, path.dropFirst(2).first == ":", path.first == "/" { path = String(path.dropFirst()) }
        let hasDrive = path.first?.isLetter == true && path.dropFirst().first == ":"
        if hasDrive || path.hasPrefix(".\\") || path.hasPrefix("\\\\") { path = String(path.dropFirst(hasDrive ? 2 : 0)).replacing("\\", with: "/") }
        let isUpload = path.hasPrefix("/data/upload/")
        var parts = path.split(separator: "/").map(String.init).filter { $0 != "." && $0 != ".." }
        if isUpload, let name = parts.last, name.count > 9, name.prefix(8).allSatisfy(\.isHexDigit), name.dropFirst(8).first == "-" {
            parts = [String(name.dropFirst(9))]
        }
        return parts.joined(separator: "/")
    }
}

extension String {
    /// With `%20` and the like as the bytes that they stand for; as it is where these are no UTF-8.
    fileprivate var withoutPercents: String {
        guard utf8.contains(UInt8(ascii: "%")) else { return self }
        let bytes = Array(utf8)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let byte = UInt8(String(decoding: bytes[index + 1...index + 2], as: UTF8.self), radix: 16), byte != 0 {
                result.append(byte)
                index += 3
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(validating: result, as: UTF8.self) ?? self
    }
}

/// What can be wrong with a file of an annotation program.
package enum AnnotationFault: Sendable, Equatable {
    case notXML(reason: String)
    case noLabel(place: String)
    case noVideo(place: String)
    case badSpan(place: String, String, String)
    case badFrame(place: String, String)
    case tooManyLabels(limit: Int)
    // ELAN.
    case severalTiers([String])
    case noTier(String, known: [String])
    case noTimes(place: String)
    case otherUnits(String)
    // Label Studio.
    case shortForm(String)
    case severalAnnotations(place: String, count: Int)
    case severalChoices(place: String, [String])
    case severalVideos(place: String, keys: [String])
    // Frames.
    case needsFrameTimes
    case noSuchFrame(Int, video: String, frameCount: Int)
    case tierOnly

    var words: String {
        switch self {
        case .notXML(let reason):
            "is not the expected XML: \(reason.escapedForDisplay)."
        case .noLabel(let place):
            "\(place.escapedForDisplay) has no label. Give it one, or remove it."
        case .noVideo(let place):
            "\(place.escapedForDisplay) names no video. Name its file there."
        case .badSpan(let place, let start, let end):
            "\(place.escapedForDisplay) goes from '\(start.escapedForDisplay)' to '\(end.escapedForDisplay)'. A part starts at 0 or later and ends after its start."
        case .badFrame(let place, let frame):
            "\(place.escapedForDisplay) is at frame '\(frame.escapedForDisplay)'. Frames are whole numbers from 0 on."
        case .tooManyLabels(let limit):
            "has more than \(limit) labels, counted together with the files before it. Import its parts one by one."
        case .severalTiers(let names):
            "has several tiers with annotations: \(Self.list(names)). Choose one with --tier."
        case .noTier(let name, let known):
            "has no tier '\(name.escapedForDisplay)' with annotations in time; it has \(known.isEmpty ? "none at all" : Self.list(known))."
        case .noTimes(let place):
            "\(place.escapedForDisplay) has no times of its own. Align it in ELAN, or choose another tier with --tier."
        case .otherUnits(let units):
            "counts time in '\(units.escapedForDisplay)', and milliseconds are needed. Convert its TIME_VALUEs, and name milliseconds as TIME_UNITS."
        case .shortForm(let name):
            "is Label Studio's \(name), which does not say what a label is about. Export the project as JSON."
        case .severalAnnotations(let place, let count):
            "\(place.escapedForDisplay) was annotated \(count) times. Mark one annotation as ground truth, or export one of them."
        case .severalChoices(let place, let names):
            "\(place.escapedForDisplay) has several choices for the whole video: \(Self.list(names)). Lists give a video one label."
        case .severalVideos(let place, let keys):
            "\(place.escapedForDisplay) has several fields that may be its video: \(Self.list(keys)). Leave one in \"data\", or call it \"video\"."
        case .needsFrameTimes:
            "counts frames, whose times only the videos tell. Say with --root where these are, or with --frame-rate how many frames are a second."
        case .noSuchFrame(let frame, let video, let frameCount):
            "names frame \(frame) of '\(video.escapedForDisplay)', counted from 0, which has \(frameCount). Check that it is the same video; where the "
                + "program counts frames at a rate of its own, such as Label Studio's frameRate, pass it as --frame-rate."
        case .tierOnly:
            "has no tiers: --tier is about ELAN files."
        }
    }

    private static func list(_ names: [String]) -> String {
        names.prefix(10).map { "'\($0.escapedForDisplay)'" }.joined(separator: ", ") + (names.count > 10 ? " and \(names.count - 10) more" : "")
    }
}
