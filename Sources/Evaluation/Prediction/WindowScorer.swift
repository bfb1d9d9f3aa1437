import CLIPModel
import Files
import Tensors
import VideoData

/// Why a video's time line cannot be made.
package enum PredictionError: ReportableError {
    case tooManyWindows(path: String, count: Int, classes: Int)

    package var exitStatus: ExitStatus { .badConfiguration }
    package var description: String {
        switch self {
        case .tooManyWindows(let path, let count, let classes):
            "\(path.escapedForDisplay): \(count) windows of \(classes) classes do not fit into memory. Choose a longer stride."
        }
    }
}

/// Makes one model's time line of a video from the parts of its stream.
///
/// Each frame goes through the model once; a window's embedding is the mean of its frames' (with other fusions, its
/// logits are). Only the frames' features of about one window are kept.
struct WindowScorer {
    private let model: VideoModel
    private let grid: WindowGrid
    /// Position of `grid` in the stream's request.
    private let gridIndex: Int
    private let path: String
    /// Frames that wait until a batch is full.
    private var waiting: [(picture: VideoFrame, points: Range<Int>)] = []
    /// The features of frames, for each crop, in order of time.
    private var kept: [(points: Range<Int>, features: [[Float]])] = []
    /// Moments that have features, from the first on.
    private var pointCount = 0
    private var windows: [ScoredWindow] = []
    /// Where frames begin, in seconds; for windows counted in frames.
    private var times: [Double] = []
    private var frameCount = 0

    /// Probabilities that a time line may hold: 256 MiB of them.
    private static let probabilityLimit = 64 << 20

    init(model: VideoModel, grid: WindowGrid, gridIndex: Int, path: String) {
        self.model = model
        self.grid = grid
        self.gridIndex = gridIndex
        self.path = path
    }

    /// Windows that a video of this length would have.
    static func windowCount(grid: WindowGrid, length: Double) -> Int {
        Int(clamping: Int64(exactly: (length / grid.stride).rounded(.up)) ?? .max)
    }

    func check(windowCount: Int) throws(PredictionError) {
        let classes = model.classifier.classCount
        guard windowCount.multipliedReportingOverflow(by: classes).overflow || windowCount * classes > Self.probabilityLimit
        else { return }
        throw .tooManyWindows(path: path, count: windowCount, classes: classes)
    }

    /// Frames that go through the model together: whole clips of it, as many as the tower has in flight. Always as many, so
    /// that results do not depend on how the video was cut into parts.
    private var batchCount: Int { model.classifier.frameCount * max(1, 32 / model.classifier.frameCount) }

    mutating func add(_ part: VideoPart) throws {
        frameCount += part.times.count
        if grid.unit == .frames { times += part.times }
        for frame in part.frames where !frame.points[gridIndex].isEmpty {
            waiting.append((frame.picture, frame.points[gridIndex]))
        }
        while waiting.count >= batchCount { encode(batchCount) }
        if part.isLast { encode(waiting.count) }
        // The newest frame is not delivered before its end is known.
        let length = grid.unit == .frames ? Double(part.isLast ? frameCount : frameCount - 1) : part.seconds
        while grid.isComplete(windows.count, at: length) {
            let bounds = grid.bounds(ofWindow: windows.count)
            guard part.isLast || grid.firstPoint(from: bounds.end) <= pointCount else { break }
            try check(windowCount: windows.count + 1)
            windows.append(try scored(from: bounds.start, to: bounds.end, seconds: part.seconds))
        }
        if part.isLast, let last = grid.lastWindow(after: windows.count, end: length) {
            windows.append(try scored(from: last.start, to: last.end, seconds: part.seconds))
        }
        // The last window may reach back by its whole length.
        let needed = grid.firstPoint(from: min(grid.bounds(ofWindow: windows.count).start, length - grid.window))
        let stale = kept.prefix { $0.points.upperBound <= needed }.count
        if stale > 0, stale < kept.count { kept.removeFirst(stale) }
    }

    /// - Parameter seconds: length of the video.
    func timeline(seconds: Double) -> Timeline { Timeline(seconds: seconds, windows: windows) }

    /// Computes the features of the first `count` frames that wait.
    private mutating func encode(_ count: Int) {
        guard count > 0 else { return }
        let crops = model.transform.clips(from: waiting.prefix(count).map(\.picture), key: ClipKey(seed: 0, epoch: 0, clip: 0))
            .map { model.classifier.features(frames: $0.matrix) }
        for (index, frame) in waiting.prefix(count).enumerated() {
            kept.append((frame.points, crops.map { $0.row(index).values }))
            pointCount = frame.points.upperBound
        }
        waiting.removeFirst(count)
    }

    /// Scores one window.
    ///
    /// - Parameters:
    ///   - start, end: in the grid's unit.
    ///   - seconds: up to which the video is known.
    private func scored(from start: Double, to end: Double, seconds: Double) throws -> ScoredWindow {
        var points = grid.points(from: start, to: end).clamped(to: 0..<pointCount)
        if points.isEmpty { points = max(0, pointCount - 1)..<pointCount }
        var rows = [[Float]](repeating: [], count: model.transform.cropCount)
        var rowCount = 0
        for (frame, features) in kept {
            let shared = frame.clamped(to: points).count
            guard shared > 0 else { continue }
            // A frame that is shown at several moments counts as often.
            for _ in 0..<shared {
                for crop in rows.indices { rows[crop] += features[crop] }
            }
            rowCount += shared
        }
        if rowCount == 0, let newest = kept.last {
            rows = newest.features
            rowCount = 1
        }
        let scores = try rows.map { values in
            let features = MutableMatrix(rows: rowCount, columns: values.count / max(1, rowCount), values)
            return VideoScores(
                probabilities: softmax(of: try model.classifier.logits(features: features)), classCount: model.classNames.count)
        }
        return ScoredWindow(
            start: self.seconds(at: start, length: seconds), end: self.seconds(at: end, length: seconds),
            scores: .mean(of: scores))
    }

    private func seconds(at position: Double, length: Double) -> Double {
        guard grid.unit == .frames else { return min(position, length) }
        let frame = Int(position.rounded())
        return frame < times.count ? times[frame] : length
    }
}

/// Makes the time lines of a video for several models in one pass over it.
package struct VideoTimelines {
    private let models: [VideoModel]
    private let grids: [WindowGrid]
    private let pictures: PictureRules
    /// Frames of a part: a few megabytes of pixels.
    private static let partFrameCount = 32

    /// - Precondition: the models' transforms shrink alike.
    package init(models: [VideoModel], window: VideoSpan, stride: VideoSpan, pictures: PictureRules = PictureRules()) {
        precondition(!models.isEmpty && Set(models.map(\.transform.shortSide)).count == 1, "the models shrink frames alike")
        self.models = models
        self.pictures = pictures
        grids = models.map { WindowGrid(window: window, stride: stride, sampleCount: $0.sampler.sampleCount) }
    }

    /// What to ask of a video.
    package func request(_ path: String) -> VideoStreamRequest {
        VideoStreamRequest(
            path: path, grids: grids, shortSide: models[0].transform.shortSide, batchCount: Self.partFrameCount, pictures: pictures)
    }

    /// Reads a video to its end while the next part is decoded in the background.
    ///
    /// - Parameters:
    ///   - stream: opened for `request(path)`.
    ///   - report: called after each part; may throw to stop.
    /// - Returns: a time line a model, and what was odd about the video.
    /// - Throws: what the stream throws; `PredictionError`, `ModelError`.
    package func timelines(
        of path: String, stream: any VideoStreaming, report: (VideoPart) throws -> Void = { _ in }
    ) throws -> (timelines: [Timeline], warnings: [String]) {
        var scorers = zip(models, grids).enumerated().map { WindowScorer(model: $1.0, grid: $1.1, gridIndex: $0, path: path) }
        if let length = stream.outlook.seconds, grids[0].unit == .seconds {
            for (scorer, grid) in zip(scorers, grids) {
                try scorer.check(windowCount: WindowScorer.windowCount(grid: grid, length: length))
            }
        }
        // One thread: parts come in order, each from where the last one ended.
        let parts = Prefetcher(count: .max, threadCount: 1, capacity: 2) { _ in try stream.next() }
        defer { parts.cancel() }
        while let part = try parts.next() {
            for index in scorers.indices { try scorers[index].add(part) }
            try report(part)
            if part.isLast { return (scorers.map { $0.timeline(seconds: part.seconds) }, part.warnings) }
        }
        return (scorers.map { $0.timeline(seconds: 0) }, [])
    }
}
