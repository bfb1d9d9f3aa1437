import CLIPModel
import Evaluation
import Recipes
import Tensors
import VideoData

/// How features of videos are made: the backbone as it is, how it looks at a video, and how videos are read.
package struct FeatureSource {
    package let backbone: Backbone
    package let frameCount: Int
    package let context: RunContext
    let pool: WorkerPool
    private let sampler: FrameSampler
    /// Of a video's first view, as it is tested.
    private let transform: ClipTransform
    /// Of further views: other frames, mirrored by chance and cropped at several scales; colors stay as they are.
    private let augmentation: ClipTransform
    private let seed: UInt64
    private let reader: any VideoReading
    private var loading: ClipLoader.Configuration
    private let rules: PictureRules
    /// How pictures are made, in words.
    private let pictures: String

    /// - Parameters:
    ///   - settings: whose frames, pictures and faults to repeat hold.
    ///   - transform: of the first view.
    ///   - own: the pixel normalization where the settings name none.
    package init(
        backbone: Backbone, frameCount: Int, settings: Recipe, transform: ClipTransform, own: PixelNormalization, seed: UInt64,
        videos: VideoInputs, pool: WorkerPool, context: RunContext
    ) {
        self.backbone = backbone
        self.frameCount = frameCount
        self.context = context
        self.pool = pool
        self.transform = transform
        self.seed = seed
        sampler = settings.sampler(frameCount: frameCount)
        var configuration = ClipTransform.Configuration()
        configuration.jitterProbability = 0
        configuration.grayProbability = 0
        configuration.flipProbability = Float(settings.augmentation.flip ?? 0.5)
        settings.apply(to: &configuration, own: own)
        augmentation = .training(side: backbone.architecture.imagePixels, configuration)
        reader = videos.reader(shortSide: transform.shortSide, pictures: settings.pictures, context: context)
        // Another video in a bad one's place would be kept under the wrong name.
        let policy = settings.data.onBadVideo ?? videos.badVideoPolicy ?? .fail
        loading = videos.loading(badVideoPolicy: policy == .fail ? .fail : .skip)
        rules = settings.pictures
        pictures = "\(transform) \(settings.pictures)"
    }

    /// Passes over any number of videos that cannot be read: a folder may hold all sorts.
    package mutating func passOverBadVideos() {
        loading.badVideoPolicy = .skip
        loading.badVideoShare = 1
    }

    /// Of a run's clips.
    package init(_ run: LearningRun) {
        let (settings, backbone) = (run.settings, run.backbone)
        self.init(
            backbone: backbone, frameCount: settings.frameCount, settings: settings.recipe, transform: settings.testTransform(for: backbone),
            own: backbone.description.normalization, seed: settings.seed, videos: run.options, pool: settings.pool, context: run.context)
    }

    /// Of what an evaluation scores.
    package init(_ job: EvaluationJob, of subject: LoadedModel) {
        self.init(
            backbone: subject.backbone, frameCount: job.frameCount(of: subject), settings: job.settings, transform: job.transform(for: subject),
            own: subject.normalization, seed: UInt64(job.settings.training.seed ?? 1), videos: job.videos, pool: job.pool, context: job.context)
    }

    /// Of videos with a model as it is, with the settings' frames, else as many as the model is used to.
    package init(_ model: LoadedModel, settings: Recipe, videos: VideoInputs, pool: WorkerPool, context: RunContext) {
        self.init(
            EvaluationJob(
                evaluationProtocol: "features", settings: settings, videos: videos, model: ModelInputs(), pool: pool, context: context),
            of: model)
    }

    /// What tells these features from others.
    ///
    /// - Parameter windows: in words, where the features are those of windows instead of whole videos.
    func space(windows: String? = nil) -> FeatureSpace {
        FeatureSpace(
            backbone: backbone.description.name, backboneSHA256: backbone.digest, precision: PrecisionChoice(backbone.precision).rawValue,
            frames: frameCount, sampling: windows.map { "\(sampler) \($0)" } ?? "\(sampler)", pictures: pictures)
    }

    func windows(_ grid: WindowGrid) -> VideoWindows {
        VideoWindows(encoder: encoder(), transform: transform, grid: grid, pictures: rules)
    }

    /// Numbers of a row of the cache: the features on both sides of the projection.
    var widths: (projected: Int, unprojected: Int) {
        (backbone.architecture.embeddingWidth, backbone.architecture.vision.width)
    }

    /// Of a row with both.
    var rowWidth: Int { widths.projected + widths.unprojected }

    /// - Parameter prompts: of the vision tower; none for the backbone as it is, whose features are kept.
    func encoder(prompts: PromptSet<Matrix> = PromptSet(vision: [], text: [])) -> VideoEncoder {
        VideoEncoder(backbone: backbone, prompts: prompts, frameCount: frameCount, pool: pool)
    }

    /// What tells a view from others of the same video.
    ///
    /// - Parameters:
    ///   - view: 0 for the one that is tested.
    ///   - clip: place in its list, which an augmented view depends on.
    func name(ofView view: Int, clip: Int) -> String {
        view == 0 ? "test" : "seed \(seed), view \(view), clip \(clip), \(augmentation)"
    }

    /// Seconds that a clip takes through the vision tower.
    func secondsOfLook(_ clips: [Matrix]) -> Double {
        let encoder = encoder()
        // The first pass pays for fresh memory; where it was short, another is closer to the truth.
        var passing = secondsTaken { _ = encoder.frameVectors(of: clips) }
        if passing < 5 { passing = secondsTaken { _ = encoder.frameVectors(of: clips) } }
        return passing / Double(clips.count)
    }

    /// Clips that go through the tower together.
    static let batchSize = 16

    /// Looks at clips once: the mean of each one's frame vectors, on both sides of the projection, one row.
    ///
    /// - Parameters:
    ///   - places: of the clips in the list.
    ///   - view: 0 for the one that is tested.
    ///   - take: called with every batch.
    /// - Returns: what could not be read.
    /// - Throws: what reading clips throws; `EvaluationStopped` after a signal.
    func look(
        at places: [Int], of list: AnnotationList, view: Int = 0, with encoder: VideoEncoder, take: ([(place: Int, row: [Float])]) -> Void
    ) throws -> [BadVideo] {
        let loader = loader(of: list, view: view)
        let stream = loader.clips(at: places, epoch: view)
        defer { stream.cancel() }
        while true {
            let batch = try stream.next(Self.batchSize)
            if batch.isEmpty { break }
            let vectors = encoder.frameVectors(of: batch.compactMap { $0.views.first?.matrix })
            var rows: [(place: Int, row: [Float])] = []
            for (clip, frames) in zip(batch, vectors) {
                let row = meanFeature(of: frames.projected).values + meanFeature(of: frames.unprojected).values
                guard row.allSatisfy(\.isFinite) else { throw ModelError.notNumbers(what: "the features of \(list.clips[clip.index].name)") }
                rows.append((clip.index, row))
            }
            take(rows)
            if context.isCancelled { throw EvaluationStopped() }
        }
        return loader.badVideos.all
    }

    /// - Parameter view: 0 for the one that is tested.
    func loader(of list: AnnotationList, view: Int) -> ClipLoader {
        ClipLoader(
            list: list, reader: reader, sampler: sampler, transform: view == 0 ? transform : augmentation, seed: seed, configuration: loading)
    }
}
