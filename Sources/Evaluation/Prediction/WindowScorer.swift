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

/// Makes the time lines of models that look at a video alike, from the parts of its stream: its frames go through their vision
/// tower once.
///
/// A window's embedding is the mean of its frames' (with other fusions, its logits are).
struct WindowScorer {
    /// With their positions among all models.
    private let models: [(position: Int, model: VideoModel)]
    private let path: String
    private let grid: WindowGrid
    private var pooler: WindowPooler
    /// For each of the models.
    private var windows: [[ScoredWindow]]

    /// Probabilities that a time line may hold: 256 MiB of them.
    private static let probabilityLimit = 64 << 20

    /// - Parameter gridIndex: position of `grid` in the stream's request.
    /// - Precondition: there are models, and all look at windows alike.
    init(models: [(position: Int, model: VideoModel)], grid: WindowGrid, gridIndex: Int, path: String) {
        self.models = models
        self.path = path
        self.grid = grid
        let looker = models[0].model
        pooler = WindowPooler(encoder: looker.classifier.encoder, transform: looker.transform, grid: grid, gridIndex: gridIndex)
        windows = models.map { _ in [] }
    }

    /// - Throws: where a video of this length would have too many windows.
    func check(length: Double) throws(PredictionError) {
        let count = Int(clamping: Int64(exactly: (length / grid.stride).rounded(.up)) ?? .max)
        for (_, model) in models { try Self.check(windowCount: count, of: model, path: path) }
    }

    private static func check(windowCount: Int, of model: VideoModel, path: String) throws(PredictionError) {
        let classes = model.classifier.classCount
        guard windowCount.multipliedReportingOverflow(by: classes).overflow || windowCount * classes > probabilityLimit
        else { return }
        throw .tooManyWindows(path: path, count: windowCount, classes: classes)
    }

    mutating func add(_ part: VideoPart) throws {
        var made: [[ScoredWindow]] = models.map { _ in [] }
        let (models, path, before) = (models, path, windows[0].count)
        try pooler.add(part) { window in
            for (index, (_, model)) in models.enumerated() {
                try Self.check(windowCount: before + made[index].count + 1, of: model, path: path)
                made[index].append(ScoredWindow(start: window.start, end: window.end, scores: try model.scores(of: window)))
            }
        }
        for index in models.indices { windows[index] += made[index] }
    }

    /// - Parameter seconds: length of the video.
    func timelines(seconds: Double) -> [(position: Int, timeline: Timeline)] {
        zip(models, windows).map { ($0.position, Timeline(seconds: seconds, windows: $1)) }
    }
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

/// Makes the time lines of a video for several models in one pass over it. Models that look at it alike, such as heads on one
/// backbone and prompts of the text tower alone, share one pass through the vision tower, and say to the bit what each says alone.
package struct VideoTimelines {
    private let models: [VideoModel]
    /// Of models that look at windows alike their positions, in order of the first of them.
    private let groups: [[Int]]
    /// One of each group.
    private let grids: [WindowGrid]
    private let pictures: PictureRules
    /// Frames of a part: a few megabytes of pixels.
    static let partFrameCount = 32

    /// - Precondition: the models' transforms shrink alike.
    package init(models: [VideoModel], window: VideoSpan, stride: VideoSpan, pictures: PictureRules = PictureRules()) {
        precondition(!models.isEmpty && Set(models.map(\.transform.shortSide)).count == 1, "the models shrink frames alike")
        self.models = models
        self.pictures = pictures
        let lookers = VideoModel.windowLookers(of: models)
        groups = models.indices.filter { lookers[$0] == $0 }.map { first in models.indices.filter { lookers[$0] == first } }
        grids = groups.map { WindowGrid(window: window, stride: stride, sampleCount: models[$0[0]].sampler.sampleCount) }
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
        var scorers = zip(groups, grids).enumerated().map { index, group in
            WindowScorer(models: group.0.map { (position: $0, model: models[$0]) }, grid: group.1, gridIndex: index, path: path)
        }
        if let length = stream.outlook.seconds, grids[0].unit == .seconds {
            for scorer in scorers { try scorer.check(length: length) }
        }
        // One thread: parts come in order, each from where the last one ended.
        let parts = Prefetcher(count: .max, threadCount: 1, capacity: 2) { _ in try stream.next() }
        defer { parts.cancel() }
        while let part = try parts.next() {
            for index in scorers.indices { try scorers[index].add(part) }
            try report(part)
            if part.isLast { return (Self.ordered(scorers, seconds: part.seconds), part.warnings) }
        }
        return (Self.ordered(scorers, seconds: 0), [])
    }

    /// In the models' order.
    private static func ordered(_ scorers: [WindowScorer], seconds: Double) -> [Timeline] {
        scorers.flatMap { $0.timelines(seconds: seconds) }.sorted { $0.position < $1.position }.map(\.timeline)
    }
}
