import CLIPModel
import Evaluation
import Files
import Tensors
import VideoData

/// The mean feature of each window of videos, from the cache where it has them.
package struct WindowFeatures {
    package struct Window {
        /// In seconds from the video's start.
        package let start: Double
        package let end: Double
        /// `embeddingWidth` numbers, not normalized.
        package let mean: [Float]
    }

    private let source: FeatureSource
    private let windows: VideoWindows
    private let cache: FeatureCache

    /// - Parameter spans: length of a window, and from the start of one to that of the next; of one unit.
    package init(_ source: FeatureSource, spans: (window: VideoSpan, stride: VideoSpan)) throws {
        self.source = source
        windows = source.windows(WindowGrid(window: spans.window, stride: spans.stride, sampleCount: source.frameCount))
        // A row: how many windows the video has, where this one begins and ends, and its feature.
        cache = try FeatureCache(
            source.space(windows: "windows of \(spans.window.text) every \(spans.stride.text)"), width: 3 + source.widths.projected,
            context: source.context)
    }

    /// The windows of each video in order of time; none for one that cannot be read, which is warned of.
    ///
    /// - Throws: `DatasetError` for a list with parts of videos; what reading videos throws.
    package func windows(of list: AnnotationList, title: String) throws -> [[Window]] {
        guard list.clips.allSatisfy({ $0.part == nil }) else { throw DatasetError(path: list.path, problem: .partsNotTaken(by: "a search by windows")) }
        let keys = list.clips.map { FeatureCache.mark(list.videoPath($0)) }
        var result = keys.map(cached)
        let missing = result.indices.filter { result[$0] == nil }
        guard !missing.isEmpty else { return result.compactMap(\.self) }
        if missing.count < keys.count { source.context.note(.features(.cachedVideos(count: keys.count - missing.count, of: keys.count))) }
        let progress = source.context.progress(title, total: keys.count, unit: "videos", from: keys.count - missing.count)
        defer {
            progress.finish()
            cache.sync()
        }
        for (done, video) in missing.enumerated() {
            let path = list.videoPath(list.clips[video])
            do {
                result[video] = try read(path)
            } catch let error as VideoError {
                source.context.warning(.data(.unreadable(BadVideo(path: path, reason: error.description), .notUsed)))
                continue
            }
            keep(result[video] ?? [], of: keys[video])
            progress.show(keys.count - missing.count + done + 1)
        }
        return result.map { $0 ?? [] }
    }

    private func read(_ path: String) throws -> [Window] {
        var result: [Window] = []
        let warnings = try windows.read(path) { _ in
            if source.context.isCancelled { throw EvaluationStopped() }
        } take: { window in
            // One crop: features are those of the test view.
            guard let features = window.crops.first else { return }
            let mean = meanFeature(of: features).values
            guard mean.allSatisfy(\.isFinite) else { throw ModelError.notNumbers(what: "the features of \(path)") }
            // As the cache keeps them, so that answers are the same from there.
            result.append(Window(start: Double(Float(window.start)), end: Double(Float(window.end)), mean: mean))
        }
        for warning in warnings { source.context.warning(.ofFile(path: path, warning: warning)) }
        return result
    }

    private func cached(_ mark: String) -> [Window]? {
        guard let first = cache.row(FeatureCache.key(mark, "window 0")) else { return nil }
        var result: [Window] = []
        for index in 0..<Int(first[0]) {
            guard let row = cache.row(FeatureCache.key(mark, "window \(index)")) else { return nil }
            result.append(Window(start: Double(row[1]), end: Double(row[2]), mean: Array(row.dropFirst(3))))
        }
        return result
    }

    private func keep(_ windows: [Window], of mark: String) {
        for (index, window) in windows.enumerated() {
            cache.keep([Float(windows.count), Float(window.start), Float(window.end)] + window.mean, as: FeatureCache.key(mark, "window \(index)"))
        }
    }
}
