import CLIPModel
import Glibc
import Tensors

/// What a bench came to. Keys as `--json` prints them.
package struct BenchReport: Encodable, Sendable {
    /// Thread seconds of a step by what they went into; together `threads × seconds_per_step`.
    package struct Breakdown: Encodable, Sendable {
        /// Products with weights.
        package var products = 0.0
        package var attention = 0.0
        /// Norms, activations, sums, copies: all that is neither product nor attention.
        package var elementwise = 0.0
        /// Reading and decoding videos.
        package var decode = 0.0
        /// Threads without work: the ends of parallel loops, what only one thread can do, waiting for videos.
        package var waiting = 0.0
    }

    /// The exact step, measured in turns with the one that the report is of.
    package struct Exact: Encodable, Sendable {
        /// The median.
        package var secondsPerStep: Double
        package var taskBytes: Int
        /// The median of how many times as long as the step after it an exact one took.
        package var speedup: Double

        enum CodingKeys: String, CodingKey {
            case speedup
            case secondsPerStep = "seconds_per_step"
            case taskBytes = "task_bytes"
        }
    }

    package var work: String
    /// Nil for prompts of both towers, or both towers as a whole.
    package var method: String?
    package var frames: Int
    /// Nil where the backward pass goes through all of them.
    package var backwardFrames: Int?
    /// Pairs of a frame's tokens that merge in each layer.
    package var mergeTokens: Int
    package var clips: Int
    package var classes: Int
    package var tokens: Int
    package var depth: Int
    /// With prompts of their own: "6-11", "none".
    package var visionLayers: String
    package var textLayers: String
    /// Whether steps begin at what prompts leave as it is.
    package var fixedFrames: Bool
    package var precision: String
    package var threads: Int
    package var processor: String
    /// Numbers that learn.
    package var learningParameters: Int
    /// Steps that were timed, after one that was not.
    package var steps: Int
    /// The median.
    package var secondsPerStep: Double
    package var fastestStep: Double
    package var slowestStep: Double
    /// Floating-point operations that exact arithmetic needs, two a multiplication and addition.
    package var flopsNeeded: Int
    /// Those that were carried out.
    package var flopsDone: Int
    /// Rows that went through products with weights.
    package var productRows: Int
    /// 10⁹ operations a second of matrix products alone, measured between the steps.
    package var productGflops: Double
    /// Needed operations a second over product speed.
    package var shareOfProductSpeed: Double
    /// Most memory that the process held, as the system counts it; with an exact step beside, both models'.
    package var peakBytes: Int
    /// Matrices that are kept from step to step, beside the backbone.
    package var taskBytes: Int
    /// Where steps are not exact.
    package var exact: Exact?
    /// Matrices that a step allocated.
    package var allocations: Int
    package var breakdown: Breakdown
    /// Share of a step that the model waited for clips; of steps fed from videos.
    package var waitingForVideos: Double?

    enum CodingKeys: String, CodingKey {
        case work, method, frames, clips, classes, tokens, depth, precision, threads, processor, steps, allocations, breakdown, exact
        case backwardFrames = "backward_frames"
        case mergeTokens = "merge_tokens"
        case taskBytes = "task_bytes"
        case visionLayers = "vision_layers"
        case textLayers = "text_layers"
        case fixedFrames = "fixed_frames"
        case learningParameters = "learning_parameters"
        case secondsPerStep = "seconds_per_step"
        case fastestStep = "fastest_step"
        case slowestStep = "slowest_step"
        case flopsNeeded = "flops_needed"
        case flopsDone = "flops_done"
        case productRows = "product_rows"
        case productGflops = "product_gflops"
        case shareOfProductSpeed = "share_of_product_speed"
        case peakBytes = "peak_bytes"
        case waitingForVideos = "waiting_for_videos"
    }
}

/// Times the steps of a model and says where the time goes.
package struct Bench {
    package let model: BenchModel
    /// The same work with exact steps, to be measured beside.
    private let exact: BenchModel?
    package let pool: WorkerPool
    package let stepCount: Int
    private let videos: (() -> VideoTime)?

    /// Seconds since the start.
    package struct VideoTime: Sendable {
        /// Processor time spent on reading and decoding.
        package var decoding: Double
        /// Spent by the model waiting for clips.
        package var waiting: Double

        package init(decoding: Double, waiting: Double) {
            self.decoding = decoding
            self.waiting = waiting
        }
    }

    package init(model: BenchModel, beside exact: BenchModel? = nil, pool: WorkerPool, stepCount: Int, videos: (() -> VideoTime)? = nil) {
        self.exact = exact
        self.videos = videos
        self.model = model
        self.pool = pool
        self.stepCount = stepCount
    }

    private struct Step {
        let seconds: Double
        let work: WorkReading
        let videos: VideoTime
        /// Of the exact step before it.
        let exactSeconds: Double?
    }

    /// - Parameter onStep: told each step's seconds; the first, which is not counted, is step 0.
    package func run(onStep: (_ step: Int, _ seconds: Double) -> Void = { _, _ in }) throws -> BenchReport {
        let rows = model.work.architecture.patchCount + 1
        let speed = ProductSpeed(
            block: model.block, precision: model.work.precision, rowCounts: [rows + 10, 2 * (rows + 10)], pool: pool)
        var speeds: [Double] = []
        var steps: [Step] = []
        for index in 0...stepCount {
            speeds.append(speed.measured())
            let exactSeconds = try exact.map(seconds)
            let videosBefore = videos?() ?? VideoTime(decoding: 0, waiting: 0)
            let before = WorkMeter.reading
            let start = WorkMeter.now
            try model.step()
            let seconds = Double(WorkMeter.now - start) * 1e-9
            let work = WorkMeter.reading - before
            let videosNow = videos?() ?? videosBefore
            let videoTime = VideoTime(
                decoding: videosNow.decoding - videosBefore.decoding, waiting: videosNow.waiting - videosBefore.waiting)
            if index > 0 { steps.append(Step(seconds: seconds, work: work, videos: videoTime, exactSeconds: exactSeconds)) }
            onStep(index, seconds)
        }
        speeds.append(speed.measured())
        return report(steps: steps.sorted { $0.seconds < $1.seconds }, speed: median(speeds) ?? .nan)
    }

    private func seconds(of model: BenchModel) throws -> Double {
        let start = WorkMeter.now
        try model.step()
        return Double(WorkMeter.now - start) * 1e-9
    }

    private func exactReport(_ steps: [Step]) -> BenchReport.Exact? {
        guard let exact, let seconds = median(steps.compactMap(\.exactSeconds)),
            let speedup = median(steps.compactMap { step in step.exactSeconds.map { $0 / step.seconds } })
        else { return nil }
        return BenchReport.Exact(secondsPerStep: seconds, taskBytes: exact.taskBytes, speedup: speedup)
    }

    private func report(steps: [Step], speed: Double) -> BenchReport {
        let work = model.work
        let needed = work.operationsNeeded
        let middle = steps[steps.count / 2]
        return BenchReport(
            work: work.kind.rawValue, method: work.method?.name, frames: work.frameCount, backwardFrames: work.backwardFrameCount, mergeTokens: work.mergedTokens,
            clips: work.clipCount, classes: work.classCount,
            tokens: work.reportedTokens, depth: work.reportedDepth,
            visionLayers: PromptLayers(work.prompts.visionLayers).text, textLayers: PromptLayers(work.prompts.textLayers).text,
            fixedFrames: work.hasFixedFrames,
            precision: work.precision.rawValue, threads: pool.threadCount, processor: Machine.processorName,
            learningParameters: model.learningCount, steps: steps.count,
            secondsPerStep: middle.seconds, fastestStep: steps[0].seconds, slowestStep: steps[steps.count - 1].seconds,
            flopsNeeded: needed, flopsDone: middle.work.operations, productRows: middle.work.productRows,
            productGflops: speed * 1e-9, shareOfProductSpeed: Double(needed) / middle.seconds / speed,
            peakBytes: Machine.peakMemory, taskBytes: model.taskBytes, exact: exactReport(steps), allocations: middle.work.allocations,
            breakdown: breakdown(of: middle), waitingForVideos: videos == nil ? nil : middle.videos.waiting / middle.seconds)
    }

    private func breakdown(of step: Step) -> BenchReport.Breakdown {
        func seconds(_ nanoseconds: Int) -> Double { Double(nanoseconds) * 1e-9 }
        var result = BenchReport.Breakdown()
        let total = Double(pool.threadCount) * step.seconds
        // Outside of parallel loops the calling thread works alone.
        let alone = step.seconds - seconds(step.work.loops) - step.videos.waiting
        let working = seconds(step.work.busy) + alone - seconds(step.work.turns)
        result.products = seconds(step.work.products)
        result.attention = seconds(step.work.attention)
        result.elementwise = max(0, working - result.products - result.attention)
        result.waiting = max(0, total - working)
        // On a thread of its own, beside the model's.
        result.decode = step.videos.decoding
        return result
    }
}
