import Files

/// Labels that people or models gave to videos, or to parts of them, in annotation programs: one list to learn from.
package struct ImportedAnnotations {
    /// Labels of all files.
    package static let spanLimit = 1_000_000

    /// How the files are read.
    package struct Options {
        /// Of ELAN files; nil for the only one with annotations.
        package var tier: String?
        /// Frames of a second where files count frames; nil for the videos' own times.
        package var frameRate: Double?

        package init(tier: String? = nil, frameRate: Double? = nil) {
            self.tier = tier
            self.frameRate = frameRate
        }
    }

    /// In words: "ELAN annotations".
    package let kind: String
    package let classes: ClassNames
    private let spans: [LabeledSpan]
    private let options: Options
    private var warnings: [DatasetWarning]

    /// Whether the files are of annotation programs.
    package static func takes(_ files: [PublishedFile]) -> Bool { files.contains(where: \.isAnnotations) }

    /// - Parameter files: of one form, with class names beside them at most; these number the classes, which else have
    ///   the order of their names. Empty arrays are left out with a warning: a video in which nothing was found has one.
    package init(_ files: [PublishedFile], options: Options) throws(DatasetError) {
        let annotated = files.filter(\.isAnnotations)
        let names = files.filter { $0.form == .classTable || $0.form == .classLines }
        let others = files.filter { !$0.isAnnotations && ![.classTable, .classLines, .emptyArray].contains($0.form) }
        guard let first = annotated.first, annotated.allSatisfy({ $0.form == first.form }), others.isEmpty, names.count <= 1 else {
            let forms = [annotated.first].compactMap(\.self) + (annotated.first { $0.form != annotated.first?.form }.map { [$0] } ?? []) + others.prefix(2) + names.prefix(2)
            throw DatasetError(path: files[0].path, problem: .mixedForms(forms.map { "\($0.path.lastPathComponent.escapedForDisplay) (\($0.formName))" }))
        }
        if options.tier != nil, first.form != .elan { throw DatasetError(path: first.path, problem: .annotation(.tierOnly)) }
        kind = first.formName
        self.options = options
        var spans: [LabeledSpan] = []
        var warnings: [DatasetWarning] = files.filter { $0.form == .emptyArray }.map { .noLabels(file: $0.path) }
        for file in annotated {
            let found: [LabeledSpan]
            switch file.form {
            case .elan: found = try ELANImport.spans(of: file.path, tier: options.tier)
            case .cvat: found = try CVATImport.spans(of: file.path)
            case .createML: found = try CreateMLImport.spans(of: file.path)
            case .timelineTable, .timelineLines:
                let lines = try file.form == .timelineTable ? TimelineImport(table: file.path) : TimelineImport(json: file.path)
                found = lines.spans
                warnings += lines.warnings
            default:
                let tasks = try LabelStudioImport(file.path)
                found = tasks.spans
                warnings += tasks.warnings
            }
            if found.isEmpty { warnings.append(.noLabels(file: file.path)) }
            spans += found
            guard spans.count <= Self.spanLimit else { throw DatasetError(path: file.path, problem: .annotation(.tooManyLabels(limit: Self.spanLimit))) }
        }
        guard !spans.isEmpty else { throw DatasetError(path: first.path, problem: .noClips) }
        if let names = names.first {
            classes = try ClassNames.read(names.path)
            for span in spans where classes.index(of: span.label) == nil {
                throw DatasetError(path: span.file, problem: .unknownClass(span.label, nearest: span.label.nearest(among: classes.names)))
            }
        } else {
            classes = ClassNames(Set(spans.map(\.label)).sorted())
        }
        self.spans = spans
        self.warnings = warnings
    }

    /// The labels as a list: of the videos below `index.root`, or, without one, of the paths in the files.
    ///
    /// - Parameter skipsMissing: leaves out videos that are not there or cannot be told, with a warning.
    /// - Throws: `DatasetError`; `VideoError` for a video whose frames must be counted and cannot be.
    package func set(in index: VideoIndex?, skipsMissing: Bool) throws -> ImportedSet {
        let source = spans[0].file
        var paths: [String?] = spans.map(\.video)
        var warnings = warnings
        if let index {
            let entries = spans.map { VideoLookup.Entry(path: $0.video, label: nil, part: "train") }
            let located = LocatedVideos(entries, in: VideoLookup(entries, classNames: classes.names, in: index))
            let file = located.firstAtFault.map { spans[$0].file } ?? source
            if !skipsMissing || located.paths.allSatisfy({ $0 == nil }) { try located.refuse(list: file, root: index.root) }
            warnings += located.warnings(list: file)
            paths = located.paths
        }
        var clock = FrameClock(root: index?.root, frameRate: options.frameRate)
        var clips: [AnnotatedClip] = []
        for (span, path) in zip(spans, paths) {
            guard let path, let label = classes.index(of: span.label) else { continue }
            clips.append(AnnotatedClip(path: path, label: label, part: try clock.part(span, path: path)))
        }
        var set = ImportedSet(kind: kind, classes: classes, parts: [.init(name: "train", source: source, clips: clips)])
        set.warnings += warnings
        return set
    }
}

/// Turns frame numbers into times, by the videos' own time stamps or by a rate.
private struct FrameClock {
    private let root: String?
    private let frameRate: Double?
    /// Of the video that was asked for last: spans of one come one after another.
    private var known: (path: String, timing: FrameTiming)?

    init(root: String?, frameRate: Double?) {
        self.root = root
        self.frameRate = frameRate
    }

    /// - Parameter path: below the root.
    mutating func part(_ span: LabeledSpan, path: String) throws -> ClipPart? {
        let (start, end): (Double, Double)
        switch span.extent {
        case .whole: return nil
        case .seconds(let first, let last): (start, end) = (first, last)
        case .frames(let frames):
            if let frameRate {
                (start, end) = (Double(frames.lowerBound) / frameRate, Double(frames.upperBound) / frameRate)
            } else {
                (start, end) = try times(of: frames, span, path: path)
            }
        }
        guard let part = ClipPart(start: start, end: end) else {
            throw DatasetError(path: span.file, problem: .annotation(.badSpan(place: span.place, "\(start)", "\(end)")))
        }
        return part
    }

    private mutating func times(of frames: Range<Int>, _ span: LabeledSpan, path: String) throws -> (start: Double, end: Double) {
        guard let root else { throw DatasetError(path: span.file, problem: .annotation(.needsFrameTimes)) }
        if known?.path.hasSameBytes(as: path) != true {
            let video = try openVideo(root.appendingPath(path))
            known = (path, video.timing)
        }
        guard let timing = known?.timing, frames.upperBound <= timing.times.count else {
            throw DatasetError(
                path: span.file, problem: .annotation(.noSuchFrame(frames.upperBound - 1, video: path, frameCount: known?.timing.times.count ?? 0)))
        }
        return (timing.times[frames.lowerBound], frames.upperBound < timing.times.count ? timing.times[frames.upperBound] : timing.end)
    }
}
