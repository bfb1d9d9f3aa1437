import CLIPModel
import Tensors
import VideoData

/// The features of the frames that a window shows.
package struct PooledWindow {
    /// In seconds from the video's start.
    package let start: Double
    package let end: Double
    /// For each crop `[frames, embeddingWidth]`; a frame that is shown at several moments counts as often.
    package let crops: [Matrix]
}

/// Gathers the features of a video's frames into those of its windows, from the parts of its stream.
///
/// Each frame goes through the model once; only the frames' features of about one window are kept. Where frames see each
/// other there, windows share pixels alone, and each goes through the model as a whole.
struct WindowPooler {
    private let encoder: VideoEncoder
    private let transform: ClipTransform
    private let grid: WindowGrid
    /// Position of `grid` in the stream's request.
    private let gridIndex: Int
    /// Frames that wait until a batch is full.
    private var waiting: [(picture: VideoFrame, points: Range<Int>)] = []
    /// The features of frames, or their pixels where frames see each other; for each crop, in order of time.
    private var kept: [(points: Range<Int>, features: [[Float]])] = []
    /// Moments that have features, from the first on.
    private var pointCount = 0
    /// Windows that were made.
    private(set) var windowCount = 0
    /// Where frames begin, in seconds; for windows counted in frames.
    private var times: [Double] = []
    private var frameCount = 0

    init(encoder: VideoEncoder, transform: ClipTransform, grid: WindowGrid, gridIndex: Int) {
        self.encoder = encoder
        self.transform = transform
        self.grid = grid
        self.gridIndex = gridIndex
    }

    /// Frames that go through the model together: whole clips of it, as many as the tower has in flight. Always as many, so
    /// that results do not depend on how the video was cut into parts.
    private var batchCount: Int { encoder.frameCount * max(1, 32 / encoder.frameCount) }

    /// - Parameter take: given each window that is complete, in order of time.
    mutating func add(_ part: VideoPart, take: (PooledWindow) throws -> Void) rethrows {
        frameCount += part.times.count
        if grid.unit == .frames { times += part.times }
        for frame in part.frames where !frame.points[gridIndex].isEmpty {
            waiting.append((frame.picture, frame.points[gridIndex]))
        }
        while waiting.count >= batchCount { encode(batchCount) }
        if part.isLast { encode(waiting.count) }
        // The newest frame is not delivered before its end is known.
        let length = grid.unit == .frames ? Double(part.isLast ? frameCount : frameCount - 1) : part.seconds
        while grid.isComplete(windowCount, at: length) {
            let bounds = grid.bounds(ofWindow: windowCount)
            guard part.isLast || grid.firstPoint(from: bounds.end) <= pointCount else { break }
            windowCount += 1
            try take(pooled(from: bounds.start, to: bounds.end, seconds: part.seconds))
        }
        if part.isLast, let last = grid.lastWindow(after: windowCount, end: length) {
            windowCount += 1
            try take(pooled(from: last.start, to: last.end, seconds: part.seconds))
        }
        // The last window may reach back by its whole length.
        let needed = grid.firstPoint(from: min(grid.bounds(ofWindow: windowCount).start, length - grid.window))
        let stale = kept.prefix { $0.points.upperBound <= needed }.count
        if stale > 0, stale < kept.count { kept.removeFirst(stale) }
    }

    /// Computes the features of the first `count` frames that wait.
    private mutating func encode(_ count: Int) {
        guard count > 0 else { return }
        let crops = transform.clips(from: waiting.prefix(count).map(\.picture), key: ClipKey(seed: 0, epoch: 0, clip: 0))
            .map { encoder.mixesFrames ? $0.matrix : encoder.features(frames: $0.matrix).reading }
        for (index, frame) in waiting.prefix(count).enumerated() {
            kept.append((frame.points, crops.map { $0.row(index).values }))
            pointCount = frame.points.upperBound
        }
        waiting.removeFirst(count)
    }

    /// - Parameters:
    ///   - start, end: in the grid's unit.
    ///   - seconds: up to which the video is known.
    private func pooled(from start: Double, to end: Double, seconds: Double) -> PooledWindow {
        var points = grid.points(from: start, to: end).clamped(to: 0..<pointCount)
        if points.isEmpty { points = max(0, pointCount - 1)..<pointCount }
        var rows = [[Float]](repeating: [], count: transform.cropCount)
        var rowCount = 0
        for (frame, features) in kept {
            let shared = frame.clamped(to: points).count
            guard shared > 0 else { continue }
            for _ in 0..<shared {
                for crop in rows.indices { rows[crop] += features[crop] }
            }
            rowCount += shared
        }
        if rowCount == 0, let newest = kept.last {
            rows = newest.features
            rowCount = 1
        }
        return PooledWindow(
            start: self.seconds(at: start, length: seconds), end: self.seconds(at: end, length: seconds),
            crops: rows.map { Self.features(of: MutableMatrix(rows: rowCount, columns: $0.count / max(1, rowCount), $0).reading, encoder: encoder) })
    }

    /// The features of a window's frames.
    ///
    /// - Parameter rows: what is kept of them.
    static func features(of rows: Matrix, encoder: VideoEncoder) -> Matrix {
        guard encoder.mixesFrames else { return rows }
        // As many as the model was trained with: a short end of a video shows some longer.
        let clip = MutableMatrix(rows: encoder.frameCount, columns: rows.columnCount)
        for frame in 0..<clip.rowCount { clip.row(frame).copy(rows.row(frame * rows.rowCount / clip.rowCount)) }
        return encoder.frameFeatures(of: [clip.reading])[0].reading
    }

    private func seconds(at position: Double, length: Double) -> Double {
        guard grid.unit == .frames else { return min(position, length) }
        let frame = Int(position.rounded())
        return frame < times.count ? times[frame] : length
    }
}

/// The windows of a video with their frames' features, in one pass over it.
package struct VideoWindows {
    private let encoder: VideoEncoder
    private let transform: ClipTransform
    private let grid: WindowGrid
    private let pictures: PictureRules

    /// - Parameter transform: for testing.
    package init(encoder: VideoEncoder, transform: ClipTransform, grid: WindowGrid, pictures: PictureRules) {
        self.encoder = encoder
        self.transform = transform
        self.grid = grid
        self.pictures = pictures
    }

    /// - Parameters:
    ///   - report: called after each part; may throw to stop.
    ///   - take: given each window, in order of time.
    /// - Returns: what was odd about the video.
    /// - Throws: `VideoError`, and what `report` and `take` throw.
    package func read(
        _ path: String, report: (VideoPart) throws -> Void = { _ in }, take: (PooledWindow) throws -> Void
    ) throws -> [String] {
        let stream = try openVideoStream(
            VideoStreamRequest(
                path: path, grids: [grid], shortSide: transform.shortSide, batchCount: VideoTimelines.partFrameCount, pictures: pictures))
        var pooler = WindowPooler(encoder: encoder, transform: transform, grid: grid, gridIndex: 0)
        // One thread: parts come in order, each from where the last one ended.
        let parts = Prefetcher(count: .max, threadCount: 1, capacity: 2) { _ in try stream.next() }
        defer { parts.cancel() }
        while let part = try parts.next() {
            try pooler.add(part, take: take)
            try report(part)
            if part.isLast { return part.warnings }
        }
        return []
    }
}
