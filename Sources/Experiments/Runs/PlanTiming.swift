import CLIPModel
import Evaluation
import Files
import Tensors
import Training
import VideoData

/// How many clips stay in memory as far as no step changes them.
package struct PrefixRoom {
    package let clips: Int
    package let validationClips: Int
    /// Of the training clips.
    package let keptShare: Double

    package init(_ caching: PrefixCaching?, clips: Int, validationClips: Int) {
        let room = caching.map { $0.byteBudget / max(1, $0.clipBytes) } ?? 0
        self.clips = min(room, clips)
        self.validationClips = min(room - self.clips, validationClips)
        keptShare = Double(self.clips) / Double(max(1, clips))
    }
}

/// Takes a few clips through the real thing.
package struct PlanTiming {
    package let run: LearningRun
    package let configuration: TrainingConfiguration
    package let sequences: [[Int]]
    package let caching: PrefixCaching?
    package let room: PrefixRoom

    /// Test clips that are classified; few, as one takes seconds with a large backbone.
    private static let testClipCount = 4

    /// - Parameters:
    ///   - stepOperations: of a step with all frames.
    ///   - stepShare: of all steps' operations, as far as clips have fewer frames in some epochs.
    package func measured(_ task: some LearningTask, work: RunPlan.Work, stepOperations: Double, stepShare: Double) throws -> RunPlan.Time {
        run.context.note(.learning(.measuringBatch(testClips: Self.testClipCount)))
        let batchSize = min(configuration.batchSize, work.clips)
        let (batch, reading, kept) = try read(batchSize)
        var clips = batch.compactMap(\.views.first).map(\.matrix)
        var cachingClip: Double?
        if let caching {
            let pixels = clips
            cachingClip = secondsTaken { clips = caching.compute(pixels) } / Double(pixels.count)
        }
        let (step, addSeconds) = try stepSeconds(task, clips: clips, labels: batch.map(\.label), clipsPerStep: work.clipsPerStep)
        let threads = Double(run.settings.pool.threadCount)
        // Clips whose prefix is kept are neither read nor computed again.
        let again = max(0, work.epochs - 1) * (work.clips - room.clips)
        // Reading goes on beside the model, on the same processors.
        let readings = Double(work.clips) * reading + Double(again) * kept
        let cachings = Double(work.clips + again) * (cachingClip ?? 0)
        let computing = Double(work.steps) * step * stepShare + cachings
        let scored = work.validationClips > 0 ? work.validationClips : work.testClips
        let evaluation = scored == 0 ? (each: 0, once: 0) : try evaluationSeconds(
            task, clips: scored, threads: threads, cachingClip: cachingClip ?? 0)
        let evaluating = evaluation.once + Double(work.evaluations) * evaluation.each
            + evaluation.each * Double(work.testClips) / Double(max(1, scored))
        let training = computing + readings / threads
        return RunPlan.Time(
            step: step, readingClip: reading, readingKeptClip: kept, cachingClip: cachingClip,
            readingShare: readings / threads / max(training, 1e-9),
            evaluation: evaluation.each,
            total: Double(work.seeds) * (training + evaluating),
            speed: stepOperations / max(step, 1e-9) * (addSeconds > 0 ? 1 : 0))
    }

    /// A batch, read twice on this thread alone.
    private func read(_ count: Int) throws -> (batch: [LoadedClip], first: Double, again: Double) {
        var loading = run.options.loading(cacheByteBudget: run.cacheBytes)
        loading.threadCount = 0
        let loader = ClipLoader(
            list: run.data.train, reader: run.reader, sampler: FrameSampler(sampleCount: run.settings.frameCount),
            transform: run.settings.trainingTransform(for: run.backbone), seed: run.settings.seed, configuration: loading)
        let positions = Array(loader.trainingOrder(epoch: 0).prefix(count))
        var batch: [LoadedClip] = []
        let seconds = try (0..<2).map { epoch in
            try secondsTaken { batch = try loader.clips(at: positions, epoch: epoch).next(count) } / Double(count)
        }
        guard !batch.isEmpty else { throw TrainingError.noClips }
        return (batch, seconds[0], seconds[1])
    }

    /// Seconds of a whole step, from one batch of it: what comes once a step counts once.
    private func stepSeconds(
        _ task: some LearningTask, clips: [Matrix], labels: [Int], clipsPerStep: Int
    ) throws -> (step: Double, add: Double) {
        let input: ClipInput = caching == nil ? .pixels : .cachedPrefix
        let target = [Float](repeating: 1 / Float(run.data.classes.count), count: run.data.classes.count)
        var result = StepResult()
        func pass() throws -> (once: Double, add: Double) {
            let begin = secondsTaken { task.begin() }
            let add = secondsTaken {
                task.add(
                    ClipBatch(clips: clips, input: input, labels: labels, targets: clips.map { _ in target }), weight: 1 / Float(clips.count), to: &result)
            }
            // The rate is 0: the step is taken, and changes next to nothing.
            let finish = try secondsTaken { try task.finish(rate: 0.0, scale: 1) }
            return (begin + finish, add)
        }
        var measured = try pass()
        // The first pass pays for fresh memory; where it was short, further ones are closer to the truth.
        if measured.once + measured.add < 5 {
            let passes = try (0..<3).map { _ in try pass() }.sorted { $0.add < $1.add }
            measured = passes[1]
        }
        return (measured.once + measured.add * Double(clipsPerStep) / Double(clips.count), measured.add)
    }

    /// Seconds of one look at all clips that are scored, and of what is done once before the first.
    private func evaluationSeconds(
        _ task: some LearningTask, clips: Int, threads: Double, cachingClip: Double
    ) throws -> (each: Double, once: Double) {
        guard let list = run.data.val ?? run.data.test else { return (0, 0) }
        let count = min(Self.testClipCount, clips)
        let loader = ClipLoader(
            list: list, reader: run.reader, sampler: FrameSampler(sampleCount: run.settings.frameCount),
            transform: run.settings.testTransform(for: run.backbone), seed: run.settings.seed,
            configuration: {
                var loading = run.options.loading()
                loading.threadCount = 0
                return loading
            }())
        var videos: [LoadedClip] = []
        let reading = try secondsTaken { videos = try loader.clips(at: Array(0..<count)).next(count) } / Double(count)
        var classifier: CLIPClassifier?
        let making = secondsTaken { classifier = task.classifier(sequences: sequences) }
        guard let classifier, !videos.isEmpty else { return (0, 0) }
        let input: ClipInput = caching == nil ? .pixels : .cachedPrefix
        let pixels = videos.flatMap { $0.views.map(\.matrix) }
        let views = caching?.compute(pixels) ?? pixels
        // The first call pays for fresh memory.
        var computing = try secondsTaken { _ = try classifier.logits(clips: views, input: input) }
        if computing < 2 { computing = try secondsTaken { _ = try classifier.logits(clips: views, input: input) } }
        let preparing = cachingClip + reading / threads
        return (
            making + Double(clips) * computing / Double(videos.count) + Double(clips - room.validationClips) * preparing,
            Double(room.validationClips) * preparing
        )
    }

}

/// How long something takes.
func secondsTaken(_ body: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try body()
    return (ContinuousClock.now - start) / .seconds(1)
}
