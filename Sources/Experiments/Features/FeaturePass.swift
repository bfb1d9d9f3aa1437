import CLIPModel
import Evaluation
import Files
import Recipes
import Tensors
import Training
import VideoData

/// One pass over the clips of a list: the mean of each clip's frame features, from the cache where it has them.
package struct FeaturePass {
    /// Rows in the order of the clips, each clip's views one after the other.
    package struct Features {
        /// `[rows, embeddingWidth]`, as the projection left them.
        package let projected: Matrix
        package let labels: [Int]
        /// Position in the list of the clip that each row is a view of.
        package let clips: [Int]
        /// Of the rows, those that were in the cache.
        package let cachedCount: Int
    }

    private let run: LearningRun
    private let encoder: VideoEncoder
    private let cache: FeatureCache
    /// Clips that go through the tower together.
    static let batchSize = 16

    package init(_ run: LearningRun) throws {
        self.run = run
        encoder = Self.encoder(of: run)
        cache = try FeatureCache(Self.space(of: run), width: Self.width(of: run), context: run.context)
    }

    static func encoder(of run: LearningRun) -> VideoEncoder {
        VideoEncoder(
            backbone: run.backbone.rounded(run.settings.rounding), prompts: PromptSet(vision: [], text: []),
            frameCount: run.settings.frameCount, pool: run.settings.pool)
    }

    /// Numbers of a row.
    static func width(of run: LearningRun) -> Int { run.backbone.architecture.embeddingWidth }

    static func space(of run: LearningRun) -> FeatureSpace {
        let (settings, backbone) = (run.settings, run.backbone)
        return FeatureSpace(
            backbone: backbone.description.name, backboneSHA256: backbone.digest,
            precision: PrecisionChoice(backbone.precision).rawValue, frames: settings.frameCount, sampling: "\(settings.sampler)",
            pictures: "\(settings.testTransform(for: backbone)) \(settings.recipe.pictures) \(Quirk.text(of: settings.recipe.compat ?? []))")
    }

    /// What the views of each clip are kept as.
    static func keys(of list: AnnotationList, views: Int, seed: UInt64) -> [[String]] {
        list.clips.enumerated().map { index, clip in
            let mark = (try? VideoMarks.mark(list.videoPath(clip))).map { "\($0.digest) \($0.byteCount)" } ?? "unreadable \(clip.path)"
            return (0..<views).map { view in
                // An augmented view depends on the clip's place in the list and on the seed.
                let way = view == 0 ? "test" : "seed \(seed), view \(view), clip \(index)"
                return String(Digest.of("\(mark) \(way)").prefix(32))
            }
        }
    }

    /// - Parameters:
    ///   - views: of each clip: the first as in testing, the others with other frames, mirrored and cropped by the run's
    ///     seed.
    ///   - title: of the progress.
    /// - Throws: what reading clips throws; `EvaluationStopped` after a signal.
    package func features(of list: AnnotationList, views: Int, title: String) throws -> Features {
        let keys = Self.keys(of: list, views: views, seed: run.settings.seed)
        let wanted = list.clips.count * views
        var rows: [[[Float]?]] = keys.map { $0.map(cache.row) }
        let cached = rows.reduce(0) { $0 + $1.count { $0 != nil } }
        if cached < wanted {
            if cached > 0 { run.context.note("\(cached) of \(wanted) features are in the cache.") }
            let progress = run.context.progress(title, total: wanted, unit: "clips", from: cached)
            defer {
                progress.finish()
                cache.sync()
            }
            var done = cached
            for view in 0..<views {
                let missing = list.clips.indices.filter { rows[$0][view] == nil }
                guard !missing.isEmpty else { continue }
                let loader = view == 0 ? run.evaluationLoader(list) : augmentedLoader(list)
                let stream = loader.clips(at: missing, epoch: view)
                defer { stream.cancel() }
                while true {
                    let batch = try stream.next(Self.batchSize)
                    if batch.isEmpty { break }
                    let frames = encoder.frameFeatures(of: batch.compactMap { $0.views.first?.matrix })
                    for (clip, features) in zip(batch, frames) {
                        let row = meanFeature(of: features).values
                        guard row.allSatisfy(\.isFinite) else { throw ModelError.notNumbers(what: "the features of \(list.clips[clip.index].path)") }
                        rows[clip.index][view] = row
                        cache.keep(row, as: keys[clip.index][view])
                    }
                    done += batch.count
                    progress.show(done)
                    if run.context.isCancelled { throw EvaluationStopped() }
                }
                for bad in loader.badVideos.all { run.context.warning("not used: \(bad.reason)") }
            }
        }
        // Videos that could not be read have no rows.
        let kept = rows.indices.flatMap { clip in rows[clip].compactMap { row in row.map { (clip: clip, row: $0) } } }
        guard !kept.isEmpty else { throw TrainingError.noClips }
        let width = run.backbone.architecture.embeddingWidth
        return Features(
            projected: MutableMatrix(rows: kept.count, columns: width, kept.flatMap(\.row)).reading,
            labels: kept.map { list.clips[$0.clip].label }, clips: kept.map(\.clip), cachedCount: cached)
    }

    /// Other frames, mirrored by chance and cropped at several scales; colors stay as they are.
    private func augmentedLoader(_ list: AnnotationList) -> ClipLoader {
        var configuration = ClipTransform.Configuration()
        configuration.jitterProbability = 0
        configuration.grayProbability = 0
        configuration.flipProbability = Float(run.settings.recipe.augmentation.flip ?? 0.5)
        run.settings.recipe.apply(to: &configuration, own: run.backbone.description.normalization)
        return ClipLoader(
            list: list, reader: run.reader, sampler: run.settings.sampler,
            transform: .training(side: run.backbone.architecture.imagePixels, configuration), seed: run.settings.seed,
            configuration: run.options.loading(badVideoPolicy: run.settings.recipe.data.onBadVideo == .fail ? .fail : .skip))
    }
}
