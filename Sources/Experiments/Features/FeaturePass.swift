import CLIPModel
import Files
import Methods
import Tensors
import Training
import VideoData

/// One pass over the clips of a list: the mean of each clip's frame vectors, from the cache where it has them.
package struct FeaturePass {
    /// Rows in the order of the clips, each clip's views one after the other.
    package struct Features {
        /// As the tower made them, on both sides of its projection.
        package let vectors: HeadFeatures
        package let labels: [Int]
        /// Position in the list of the clip that each row is a view of.
        package let clips: [Int]
        /// Clips that could not be read, which have no rows.
        package let unreadable: [BadVideo]
    }

    let source: FeatureSource
    private let cache: FeatureCache

    package init(_ source: FeatureSource) throws {
        self.source = source
        cache = try FeatureCache(source.space(), width: source.rowWidth, context: source.context)
    }

    /// - Parameters:
    ///   - views: of each clip: the first as in testing, the others with other frames, mirrored and cropped by the seed.
    ///   - title: of the progress.
    /// - Throws: what reading clips throws; `EvaluationStopped` after a signal.
    package func features(of list: AnnotationList, views: Int = 1, title: String) throws -> Features {
        let keys = Self.keys(of: list, views: views, source: source)
        var rows: [[[Float]?]] = keys.map { $0.map(cache.row) }
        let cached = rows.reduce(0) { $0 + $1.count { $0 != nil } }
        var unreadable: [BadVideo] = []
        if cached < list.clips.count * views {
            unreadable = try fill(&rows, of: list, keys: keys, cached: cached, title: title)
        }
        let kept = rows.indices.flatMap { clip in rows[clip].compactMap { row in row.map { (clip: clip, row: $0) } } }
        guard !kept.isEmpty else { throw TrainingError.noClips }
        let (width, inner) = source.widths
        return Features(
            vectors: HeadFeatures(
                projected: MutableMatrix(rows: kept.count, columns: width, kept.flatMap { $0.row.prefix(width) }),
                unprojected: MutableMatrix(rows: kept.count, columns: inner, kept.flatMap { $0.row.suffix(inner) })),
            labels: kept.map { list.clips[$0.clip].label }, clips: kept.map(\.clip), unreadable: unreadable)
    }

    /// What the views of each clip are kept as.
    static func keys(of list: AnnotationList, views: Int, source: FeatureSource) -> [[String]] {
        list.clips.indices.map { clip in
            let mark = FeatureCache.mark(list.videoPath(list.clips[clip]), part: list.clips[clip].part)
            return (0..<views).map { FeatureCache.key(mark, source.name(ofView: $0, clip: clip)) }
        }
    }

    /// Computes the rows that are missing; returns what could not be read.
    private func fill(
        _ rows: inout [[[Float]?]], of list: AnnotationList, keys: [[String]], cached: Int, title: String
    ) throws -> [BadVideo] {
        let views = keys.first?.count ?? 0
        let context = source.context
        if cached > 0 { context.note(.features(.cached(count: cached, of: list.clips.count * views))) }
        let encoder = source.encoder()
        let progress = context.progress(title, total: list.clips.count * views, unit: "clips", from: cached)
        defer {
            progress.finish()
            cache.sync()
        }
        var done = cached
        var unreadable: [BadVideo] = []
        for view in 0..<views {
            let missing = list.clips.indices.filter { rows[$0][view] == nil }
            guard !missing.isEmpty else { continue }
            unreadable += try source.look(at: missing, of: list, view: view, with: encoder) { batch in
                for (clip, row) in batch {
                    rows[clip][view] = row
                    cache.keep(row, as: keys[clip][view])
                }
                done += batch.count
                progress.show(done)
            }
        }
        return unreadable
    }
}
