import Evaluation
import Synchronization
import VideoData

/// A length along a video.
public enum VideoLength: Sendable, Equatable {
    case seconds(Double)
    case frames(Int)

    var span: VideoSpan {
        switch self {
        case .seconds(let seconds): .seconds(seconds)
        case .frames(let frames): .frames(frames)
        }
    }
}

/// What happens when in a video: windows that slide over it, and stretches of windows with the same answer.
public struct VideoTimeline: Sendable {
    /// What was said of one window.
    public struct Window: Sendable, Equatable {
        /// In seconds from the video's start.
        public let start: Double
        public let end: Double
        /// All classes, the most likely first.
        public let scores: [ClassScore]
    }

    /// Neighboring windows with the same answer.
    public struct Segment: Sendable, Equatable {
        /// In seconds from the video's start.
        public let start: Double
        public let end: Double
        /// Position in the list of class names; nil for none of them.
        public let label: Int?
        /// Nil for none of the classes.
        public let name: String?
        /// Mean over the windows of what the class was given; nil for none.
        public let probability: Float?
        /// Positions in `windows`.
        public let windows: Range<Int>
    }

    /// The classes, in the order of their labels.
    public let classNames: [String]
    private let timeline: Timeline

    init(classNames: [String], timeline: Timeline) {
        self.classNames = classNames
        self.timeline = timeline
    }

    /// Length of the video in seconds.
    public var seconds: Double { timeline.seconds }

    /// In order of time. The last one ends with the video.
    public var windows: [Window] {
        timeline.windows.map { Window(start: $0.start, end: $0.end, scores: ranked($0.scores, names: classNames)) }
    }

    /// Every window's probabilities replaced by the mean over `count` windows around it.
    ///
    /// - Parameter count: the window itself and as many on each side: an even number counts as the next odd one, 1 changes
    ///   nothing.
    public func smoothed(over count: Int) -> VideoTimeline {
        VideoTimeline(classNames: classNames, timeline: timeline.smoothed(over: max(1, count) | 1))
    }

    /// Stretches with the same answer; together they cover the video.
    ///
    /// - Parameters:
    ///   - threshold: windows whose best class is less likely show none of the classes.
    ///   - minimumSeconds: shorter stretches go to the longer of their neighbors.
    public func segments(threshold: Float = 0, minimumSeconds: Double = 0) -> [Segment] {
        timeline.segments(RejectionRule(threshold: threshold), minimumSeconds: minimumSeconds).map { segment in
            Segment(
                start: segment.start, end: segment.end, label: segment.label, name: segment.label.map { classNames[$0] },
                probability: segment.probability, windows: segment.windows)
        }
    }

    /// SubRip subtitles of the segments; none where the answer is none of the classes.
    public func subRip(threshold: Float = 0, minimumSeconds: Double = 0) -> String {
        TimelineText.subRip(
            timeline.segments(RejectionRule(threshold: threshold), minimumSeconds: minimumSeconds), names: classNames)
    }

    /// WebVTT subtitles of the segments; none where the answer is none of the classes.
    public func webVTT(threshold: Float = 0, minimumSeconds: Double = 0) -> String {
        TimelineText.webVTT(
            timeline.segments(RejectionRule(threshold: threshold), minimumSeconds: minimumSeconds), names: classNames)
    }
}

func ranked(_ scores: VideoScores, names: [String]) -> [ClassScore] {
    scores.ranking.map { ClassScore(label: $0, name: names[$0], probability: scores.classes[$0]) }
}

extension [ClassScore] {
    /// The most likely class, or nil for none of them: where it is less likely than `threshold`, or than the classifier's
    /// `noneTexts` together (what is missing to a sum of 1).
    public func answer(threshold: Float = 0) -> ClassScore? {
        guard let best = self.max(by: { ($0.probability, $1.label) < ($1.probability, $0.label) }) else { return nil }
        let none = Swift.max(0, 1 - reduce(Float(0)) { $0 + $1.probability })
        return best.probability >= threshold && best.probability > none ? best : nil
    }
}

extension VideoClassifier {
    /// Labels windows that slide over a video of any length, which is read once, in bounded memory. Until it ends,
    /// other threads wait for their turn.
    ///
    /// Each window is seen by `frameCount` frames spread evenly over it; overlapping windows share them, and each goes
    /// through the model once.
    ///
    /// - Parameters:
    ///   - path: anything that FFmpeg decodes; only this file is opened.
    ///   - window: length of a window, at least 1 ms.
    ///   - stride: from one window's start to the next's, in the same unit; half a window by default.
    ///   - onProgress: told how many seconds of the video are done; returning false stops with an error.
    ///   - onWarning: told what is odd about a video that can be used even so.
    /// - Throws: `VifiPromptError`, naming the video, if it holds no video that can be decoded.
    public func timeline(
        of path: String, window: VideoLength, stride: VideoLength? = nil, onProgress: (Double) -> Bool = { _ in true },
        onWarning: (String) -> Void = { _ in }
    ) throws(VifiPromptError) -> VideoTimeline {
        guard
            let timeline = try Self.timelines(
                of: path, with: [self], window: window, stride: stride, onProgress: onProgress, onWarning: onWarning
            ).first
        else { throw VifiPromptError(RequestError.noClassifiers) }
        return timeline
    }

    /// The time lines of several classifiers of one backbone, say with different prompts: the video is decoded once.
    ///
    /// - Returns: one time line a classifier, in their order.
    public static func timelines(
        of path: String, with classifiers: [VideoClassifier], window: VideoLength, stride: VideoLength? = nil,
        onProgress: (Double) -> Bool = { _ in true }, onWarning: (String) -> Void = { _ in }
    ) throws(VifiPromptError) -> [VideoTimeline] {
        let stride = stride?.span ?? window.span.halved
        return try reporting {
            guard window.span.isUsable, stride.isUsable, window.span.unit == stride.unit else {
                throw RequestError.windows
            }
            return try together(classifiers) { models in
                let timelines = VideoTimelines(models: models, window: window.span, stride: stride)
                let stream = try openVideoStream(timelines.request(path))
                let (made, warnings) = try timelines.timelines(of: path, stream: stream) { part in
                    guard onProgress(part.seconds) else { throw RequestError.stopped }
                }
                for warning in warnings { onWarning(warning) }
                return zip(models, made).map { VideoTimeline(classNames: $0.classNames, timeline: $1) }
            }
        }
    }

    /// Scores a video with several classifiers of one backbone, say with different prompts: it is decoded once.
    ///
    /// - Returns: for each classifier all its classes, the most likely first.
    public static func classify(
        video path: String, with classifiers: [VideoClassifier], onWarning: (String) -> Void = { _ in }
    ) throws(VifiPromptError) -> [[ClassScore]] {
        try reporting {
            try check(classifiers)
            let told = Mutex<[String]>([])
            // Decoding needs no turn.
            let video = try PreparedVideo(
                path: path, models: classifiers.map { $0.withModel { $0 } },
                reader: Reader { warnings in told.withLock { $0 += warnings } })
            for warning in told.withLock({ $0 }) { onWarning(warning) }
            return try zip(classifiers, video.views).map { classifier, views in
                try classifier.withModel { ranked(try $0.scores(views: views), names: $0.classNames) }
            }
        }
    }

    private static func check(_ classifiers: [VideoClassifier]) throws(RequestError) {
        guard !classifiers.isEmpty else { throw .noClassifiers }
        guard Set(classifiers.map(\.shortSide)).count == 1 else { throw .otherSides }
        guard Set(classifiers.map(ObjectIdentifier.init)).count == classifiers.count else { throw .sameClassifier }
    }

    /// Runs `body` with all classifiers held, so that nobody else's clips come between.
    private static func together<Result>(
        _ classifiers: [VideoClassifier], _ body: ([VideoModel]) throws -> Result
    ) throws -> Result {
        try check(classifiers)
        // In one order for all callers, so that two of them cannot wait for each other.
        func hold(_ rest: ArraySlice<Int>, _ models: [Int: VideoModel]) throws -> Result {
            guard let next = rest.first else { return try body(classifiers.indices.compactMap { models[$0] }) }
            return try classifiers[next].withModel { try hold(rest.dropFirst(), models.merging([next: $0]) { $1 }) }
        }
        return try hold(classifiers.indices.sorted { classifiers[$0].serial < classifiers[$1].serial }[...], [:])
    }

    /// Reads single frames, on the calling thread.
    private struct Reader: VideoReading {
        let report: @Sendable ([String]) -> Void

        func frames(
            of path: String, part: ClipPart?, choosing: (Int) -> [Int], converting: (VideoFrame) -> VideoFrame
        ) throws -> [VideoFrame] {
            let video = try openVideo(path)
            let shown = try video.frames(of: part, path: path)
            let frames = try video.frames(at: choosing(shown.count).map { shown.lowerBound + $0 }, transform: converting)
            report(video.warnings.map(\.description))
            return frames
        }
    }
}
