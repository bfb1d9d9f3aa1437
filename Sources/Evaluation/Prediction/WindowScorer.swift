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

extension VideoSpan {
    /// From one window to the next, where nobody says it: half of a window, but a frame or the least time at least.
    package var halved: VideoSpan {
        switch self {
        case .seconds(let seconds): .seconds(max(Self.leastSeconds, seconds / 2))
        case .frames(let frames): .frames(max(1, frames / 2))
        }
    }
}

/// Makes one model's time line of a video from the parts of its stream.
///
/// A window's embedding is the mean of its frames' (with other fusions, its logits are).
struct WindowScorer {
    private let model: VideoModel
    private let path: String
    private var pooler: WindowPooler
    private var windows: [ScoredWindow] = []

    /// Probabilities that a time line may hold: 256 MiB of them.
    private static let probabilityLimit = 64 << 20

    /// - Parameter gridIndex: position of `grid` in the stream's request.
    init(model: VideoModel, grid: WindowGrid, gridIndex: Int, path: String) {
        self.model = model
        self.path = path
        pooler = WindowPooler(encoder: model.classifier.encoder, transform: model.transform, grid: grid, gridIndex: gridIndex)
    }

    /// Windows that a video of this length would have.
    static func windowCount(grid: WindowGrid, length: Double) -> Int {
        Int(clamping: Int64(exactly: (length / grid.stride).rounded(.up)) ?? .max)
    }

    func check(windowCount: Int) throws(PredictionError) { try Self.check(windowCount: windowCount, of: model, path: path) }

    private static func check(windowCount: Int, of model: VideoModel, path: String) throws(PredictionError) {
        let classes = model.classifier.classCount
        guard windowCount.multipliedReportingOverflow(by: classes).overflow || windowCount * classes > probabilityLimit
        else { return }
        throw .tooManyWindows(path: path, count: windowCount, classes: classes)
    }

    mutating func add(_ part: VideoPart) throws {
        var made: [ScoredWindow] = []
        let (model, path, before) = (model, path, windows.count)
        try pooler.add(part) { window in
            try Self.check(windowCount: before + made.count + 1, of: model, path: path)
            made.append(ScoredWindow(start: window.start, end: window.end, scores: try model.scores(of: window)))
        }
        windows += made
    }

    /// - Parameter seconds: length of the video.
    func timeline(seconds: Double) -> Timeline { Timeline(seconds: seconds, windows: windows) }
}

extension VideoModel {
    /// The mean over crops of the softmax of their logits.
    func scores(of window: PooledWindow) throws -> VideoScores {
        let scores = try window.crops.map { features in
            VideoScores(probabilities: softmax(of: try classifier.logits(features: features)), classCount: classNames.count)
        }
        return .mean(of: scores)
    }
}

/// Makes the time lines of a video for several models in one pass over it.
package struct VideoTimelines {
    private let models: [VideoModel]
    private let grids: [WindowGrid]
    private let pictures: PictureRules
    /// Frames of a part: a few megabytes of pixels.
    static let partFrameCount = 32

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
