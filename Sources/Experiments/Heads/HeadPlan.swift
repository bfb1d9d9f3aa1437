import CLIPModel
import Evaluation
import Files
import Methods
import Tensors
import Training
import VideoData

/// What learning a head would compute, keep in memory and write, and how long it would take: one look at each view of a clip
/// that is not in the feature cache, and one at each clip that is scored.
package struct HeadPlan: LearningPlan {
    package struct Work: Encodable {
        package let clips: Int
        /// Of each clip.
        package let views: Int
        /// Scored at the end, as those of the test list.
        package let validationClips: Int
        package let testClips: Int
        package let classes: Int
        package let framesPerClip: Int
        /// One for each view of each clip.
        package let features: Int
        /// Those in the feature cache.
        package let cachedFeatures: Int
        package let parameters: Int
        /// Of the head; of the largest where it is chosen.
        package let headParameters: Int
        package let seeds: Int
    }

    /// In floating-point operations, two a multiply-add; without learning the head.
    package struct Arithmetic: Encodable {
        /// A view through the vision tower.
        package let view: Double
        package let total: Double
    }

    /// In bytes, at the moment when most is needed.
    package struct Memory: Encodable {
        package let backbone: Int
        /// Of both towers.
        package let activations: Int
        package let features: Int
        /// Of the head while it is learned.
        package let head: Int
        /// Clips that are read ahead.
        package let clips: Int
        package let program: Int
        package let total: Int
        package let available: Int
    }

    /// In bytes.
    package struct Storage: Encodable {
        package let results: Int
        /// That are added to the feature cache.
        package let features: Int
        package let free: Int
    }

    /// In seconds, on this machine; without learning the head.
    package struct Time: Encodable {
        /// A view through the vision tower.
        package let view: Double
        package let readingClip: Double
        /// All views that are not in the feature cache.
        package let features: Double
        /// Of the validation and the test list.
        package let evaluation: Double
        package let total: Double
    }

    package let kind: String
    package let method: String
    package let work: Work
    package let arithmetic: Arithmetic
    package let memory: Memory
    package let storage: Storage
    package let time: Time?
    /// Within a budget: prompts that would be tried. Nil without a budget, or where nothing was measured.
    package let prompts: Prompts?

    package struct Prompts: Encodable {
        /// In seconds.
        package let budget: Double
        package struct Variant: Encodable {
            package let name: String
            /// Of learning it once from all clips.
            package let seconds: Double
            /// Whether it fits.
            package let isTried: Bool
        }
        package let variants: [Variant]
        /// Parts that the clips are cut into, each of which is held out once; 0 where nothing fits.
        package let folds: Int
    }

    package var memoryBytes: Int { memory.total }
    package var seconds: Double? { time?.total }
    package var learnedCount: Int { work.headParameters }
    package var stepCount: Int? { nil }
    package var operationCount: Double { arithmetic.total }
    package var seedCount: Int { work.seeds }

    /// - Parameter isTimed: whether two clips are read and sent through the vision tower.
    package init(
        _ run: LearningRun, method: HeadMethod, views: Int, sequences: [[Int]], seedCount: Int, isTimed: Bool, budget: Double? = nil
    ) throws {
        let (architecture, list) = (run.backbone.architecture, run.data.train)
        let source = FeatureSource(run)
        let kept = FeatureCache.keys(source.space(), width: source.rowWidth)
        let keys = FeaturePass.keys(of: list, views: views, source: source)
        let rows = keys.count * views
        let cached = keys.reduce(0) { $0 + $1.count(where: kept.contains) }
        let (validationClips, testClips) = (run.data.val?.clips.count ?? 0, run.data.test?.clips.count ?? 0)
        let scoredLists = [run.data.val, run.data.test].compactMap(\.self)
        let size = method.candidates.map { kind in
            kind.parameterCount(
                classes: run.data.classes.count, width: architecture.embeddingWidth, innerWidth: architecture.vision.width,
                clips: keys.count, rows: rows)
        }.max() ?? 0
        kind = run.kind.rawValue
        self.method = method.name
        work = Work(
            clips: keys.count, views: views, validationClips: validationClips, testClips: testClips, classes: run.data.classes.count,
            framesPerClip: run.settings.frameCount, features: rows, cachedFeatures: cached, parameters: run.backbone.parameterCount,
            headParameters: size, seeds: seedCount)

        // Another seed draws other clips and looks at other views; of all clips, the views as in testing are the same.
        let isDrawn = run.settings.recipe.training.shots != nil
        let computed = rows - cached + (seedCount - 1) * (isDrawn ? rows : rows - keys.count)
        // The first seed's look at the scored lists serves the others.
        let scored = scoredLists.reduce(0) { sum, list in
            sum + FeaturePass.keys(of: list, views: 1, source: source).count { !kept.contains($0[0]) }
        }
        let count = OperationCount(architecture, learned: .prompts(.none), sequences: sequences, frameCount: work.framesPerClip)
        let texts = seedCount * (1 + [validationClips, testClips].count { $0 > 0 })
        arithmetic = Arithmetic(
            view: 2 * Double(count.clipForward),
            total: 2 * Double(computed + scored) * Double(count.clipForward) + 2 * Double(texts) * Double(count.stepForward + count.textCachedPrefix))
        memory = Self.memory(run, source, method: method, sequences: sequences, rows: rows, headParameters: size)
        storage = Storage(
            results: 4 * (size + work.classes * architecture.embeddingWidth),
            features: (rows - cached + scored) * FeatureCache.lineByteCount(width: source.rowWidth),
            free: freeByteCount(near: BackboneFinder.runsFolder))
        let time = isTimed ? try Self.time(run, source, computed: computed, scored: scored) : nil
        self.time = time
        prompts = try time.flatMap { time in try budget.map { try Self.prompts(run, within: $0, after: time.features) } }
    }

    private static func prompts(_ run: LearningRun, within budget: Double, after seconds: Double) throws -> Prompts {
        let prices = try PromptSearch.prices(run)
        let plan = PromptPlan(prices, within: max(0, budget - seconds))
        return Prompts(
            budget: budget,
            variants: prices.map { .init(name: $0.variant.rawValue, seconds: $0.seconds, isTried: plan.variants.contains($0.variant)) },
            folds: plan.folds)
    }

    private static func memory(
        _ run: LearningRun, _ source: FeatureSource, method: HeadMethod, sequences: [[Int]], rows: Int, headParameters: Int
    ) -> Memory {
        let architecture = run.backbone.architecture
        let backbone = 4 * run.backbone.parameterCount + architecture.packedWeightBytes(precision: run.backbone.precision, hasBackward: false)
        let activations = run.backbone.evaluationBytes(
            prompts: .none, sequences: sequences, frameCount: run.settings.frameCount, pool: run.settings.pool)
        // As the cache has them, as a matrix, and at unit length.
        let features = 4 * source.rowWidth * 3 * rows
        let head = 4 * headParameters + (method.candidates.map { $0.learningBytes(width: architecture.embeddingWidth, rows: rows) }.max() ?? 0)
        let loading = ClipLoader.Configuration()
        // A batch is held as pixels and as matrices.
        let waiting = min(loading.queuedClipCount + loading.threadCount + 2 * FeatureSource.batchSize, 2 * run.data.train.clips.count)
        let clips = waiting * 4 * run.settings.frameCount * 3 * architecture.imagePixels * architecture.imagePixels
        let program = RunPlan.programBytes
        return Memory(
            backbone: backbone, activations: activations, features: features, head: head, clips: clips, program: program,
            total: backbone + activations + features + head + clips + program, available: Machine.availableMemory)
    }

    /// Clips that are measured; few, as one takes seconds with a large backbone.
    private static let timedClipCount = 2

    /// - Parameters:
    ///   - computed: views whose features are computed.
    ///   - scored: clips of the validation and the test list that are not in the cache.
    private static func time(_ run: LearningRun, _ source: FeatureSource, computed: Int, scored: Int) throws -> Time {
        let count = min(timedClipCount, run.data.train.clips.count)
        run.context.note(.head(.measuringFeatures(clips: count)))
        var clips: [Matrix] = []
        let reading = try secondsTaken {
            clips = try run.evaluationLoader(run.data.train, threadCount: 0).clips(at: Array(0..<count)).next(count).flatMap { $0.views.map(\.matrix) }
        }
        guard !clips.isEmpty else { throw TrainingError.noClips }
        let (view, readingClip) = (source.secondsOfLook(clips), reading / Double(clips.count))
        // Reading goes on beside the model, on the same processors.
        let each = view + readingClip / Double(run.settings.pool.threadCount)
        return Time(
            view: view, readingClip: readingClip, features: Double(computed) * each, evaluation: Double(scored) * each,
            total: Double(computed + scored) * each)
    }
}

/// In words.
extension HeadPlan {
    package var text: String {
        var lines = PlanLines()
        func row(_ title: String, _ text: String) { lines.add(title, text) }
        row(
            "data", "\(work.clips) clips of \(work.classes) classes, \(work.validationClips) validation and \(work.testClips) test clips, "
                + "\(work.framesPerClip) frames each")
        row(
            "features", "\(work.features), \(counted(work.views, "view", "views")) of each clip; \(work.cachedFeatures) are in the cache"
                + (work.seeds > 1 ? "; all of it \(work.seeds) times, once per seed, but for views that seeds share" : ""))
        row("parameters", "\(method == "auto" ? "at most " : "")\(work.headParameters) in the head (\(method)), of a backbone of \(work.parameters)")
        row("arithmetic", "\(operations(arithmetic.view)) per view, \(operations(arithmetic.total)) in all; learning the head comes to little beside it")
        row(
            "memory", "\(bytes(memory.total)) at most, \(bytes(memory.available)) are available: backbone \(bytes(memory.backbone)), "
                + "activations \(bytes(memory.activations)), features \(bytes(memory.features)), head \(bytes(memory.head)), "
                + "clips \(bytes(memory.clips)), program \(bytes(memory.program))")
        row("files", "results \(bytes(storage.results)), features \(bytes(storage.features)) in the cache; \(bytes(storage.free)) are free")
        if let time {
            row(
                "time", "\(duration(time.total)) in all: features \(duration(time.features)), \(duration(time.view)) per view and "
                    + "\(duration(time.readingClip)) to read its clip, evaluation \(duration(time.evaluation)); learning the head is not counted")
        } else {
            row("time", "not measured")
        }
        if let prompts {
            let prices = prompts.variants.map { "\($0.name) \(duration($0.seconds))" }.joined(separator: ", ")
            let tried = prompts.variants.filter(\.isTried).map(\.name).joined(separator: ", ")
            row(
                "budget", "\(duration(prompts.budget)); learned once from all clips: \(prices); "
                    + (tried.isEmpty ? "none fits" : "tried without each of \(prompts.folds) parts of the clips: \(tried)"))
        }
        return lines.text
    }

    package var warnings: [String] {
        [
            memoryWarning(needed: memory.total, available: memory.available, remedy: "Lower --frames or --views."),
            diskWarning(needed: storage.results + storage.features, free: storage.free),
        ].compactMap(\.self)
    }
}
