import Tensors

/// Sends clips through the vision tower in chunks of frames that workers share out.
///
/// Chunks depend on the frame count alone, never on the number of threads, and sums over chunks are
/// made in their order: results are the same for any number of threads. Nor do they depend on memory:
/// chunks whose activations do not fit are computed again for the backward pass, to the same numbers.
package final class VisionPass: Sendable {
    /// Frames go together until they fill about this many rows: enough for BLAS's full speed.
    private static let chunkRows = 448
    /// A wave has at least this many chunks, so that all workers have something to do.
    private static let chunksPerWave = 8

    let tower: VisionTower
    let layout: VisionLayout
    let frameCount: Int
    let pool: WorkerPool
    /// Frames of each chunk of a clip.
    let chunks: [Range<Int>]
    /// Clips that go through the tower together.
    package let waveClipCount: Int
    private let keeping: Keeping
    /// Threads that take part: each needs memory of its own, and more than there are chunks have nothing to do.
    private let workerCount: Int
    /// Held by whoever uses `scratch` and activations.
    private let turn = Monitor()
    private let scratch: [VisionScratch]
    /// Activations of a wave's first chunks, one a chunk; they stay until the backward pass.
    private let kept: [VisionActivations]
    /// One a worker, for chunks whose activations are not kept.
    private let passing: [VisionActivations]
    /// Layers whose MLP is half computed twice.
    package let leanLayerCount: Int
    /// Bytes that the budget is too small by.
    package let shortfall: Int

    /// Chunks of a wave whose activations are computed twice.
    package var recomputedChunkCount: Int { !keeping.hasBackward ? 0 : waveClipCount * chunks.count - kept.count }

    /// - Parameter budget: bound on activations; what each worker needs for one chunk is taken in any case.
    package init(
        tower: VisionTower, prompts: PromptConfiguration, frameCount: Int, keeping: Keeping, pool: WorkerPool,
        budget: MemoryBudget = .standard
    ) {
        let layout = VisionLayout(architecture: tower.architecture, prompts: prompts)
        self.tower = tower
        self.layout = layout
        self.frameCount = frameCount
        self.pool = pool
        self.keeping = keeping
        let target = max(1, Self.chunkRows / layout.frameRows)
        let chunkCount = (frameCount + target - 1) / target
        let chunks = (0..<chunkCount).map { $0 * frameCount / chunkCount..<($0 + 1) * frameCount / chunkCount }
        self.chunks = chunks
        let longest = chunks.map(\.count).max() ?? 1
        let layerCount = layout.layerCount
        func frameBytes(_ lean: Int) -> Int {
            max(1, VisionActivations.bytesPerFrame(layout: layout, keeping: keeping, leanLayers: lean, precision: tower.precision))
        }
        let mostItems = Self.clipsPerWave(chunkCount) * chunkCount
        let workerCount = min(pool.threadCount, keeping.hasBackward ? mostItems : max(mostItems, WorkerPool.availableProcessors))
        self.workerCount = workerCount
        scratch = (0..<workerCount).map { _ in
            VisionScratch(layout: layout, frameCount: longest, keeping: keeping, leanLayers: layerCount, precision: tower.precision)
        }
        guard keeping.hasBackward else {
            waveClipCount = Self.clipsPerWave(chunkCount)
            (kept, leanLayerCount, shortfall) = ([], layerCount, 0)
            passing = (0..<workerCount).map { _ in
                VisionActivations(layout: layout, frameCount: longest, keeping: keeping, precision: tower.precision)
            }
            return
        }
        func planned(bytes: Int, mostLean: Int?) -> Plan {
            Self.plan(
                bytes: bytes, mostLean: mostLean, frameCount: frameCount, chunkCount: chunkCount, longest: longest, layerCount: layerCount,
                threadCount: workerCount, frameBytes: frameBytes)
        }
        var chosen: Plan
        if budget.isBoundByPeople {
            chosen = planned(bytes: budget.left(), mostLean: nil)
        } else {
            // Where nobody has set a bound, no more than so many layers are lean, whatever that takes, if it is there.
            chosen = planned(bytes: MemoryBudget.standardBytes(for: keeping), mostLean: 5 * layerCount / 12)
            if chosen.clips * frameCount * frameBytes(chosen.leanLayers) > budget.left() { chosen = planned(bytes: budget.left(), mostLean: nil) }
        }
        let plan = chosen
        (waveClipCount, leanLayerCount, shortfall) = (plan.clips, plan.leanLayers, plan.shortfall)
        kept = (0..<plan.kept).map { item in
            VisionActivations(
                layout: layout, frameCount: chunks[item % chunkCount].count, keeping: keeping, leanLayers: plan.leanLayers,
                precision: tower.precision)
        }
        passing = (0..<(plan.kept < plan.clips * chunkCount ? workerCount : 0)).map { _ in
            VisionActivations(
                layout: layout, frameCount: longest, keeping: keeping, leanLayers: plan.leanLayers, precision: tower.precision)
        }
    }

    /// Bytes that a pass takes in any case, where nothing is kept that can be computed twice.
    static func leastBytes(
        tower: VisionTower, prompts: PromptConfiguration, frameCount: Int, keeping: Keeping, pool: WorkerPool
    ) -> Int {
        let before = WorkMeter.reading.liveBytes
        let least = VisionPass(
            tower: tower, prompts: prompts, frameCount: frameCount, keeping: keeping, pool: pool, budget: .activations(0))
        return withExtendedLifetime(least) { WorkMeter.reading.liveBytes - before }
    }

    private static func clipsPerWave(_ chunkCount: Int) -> Int { (chunksPerWave + chunkCount - 1) / chunkCount }

    private struct Plan {
        var clips = 1
        var kept = 0
        var leanLayers = 0
        var shortfall = 0
    }

    /// What costs least time within `bytes`: several clips a wave; lean layers, one after the other; then
    /// whole chunks that are computed twice.
    private static func plan(
        bytes: Int, mostLean: Int?, frameCount: Int, chunkCount: Int, longest: Int, layerCount: Int, threadCount: Int,
        frameBytes: (_ lean: Int) -> Int
    ) -> Plan {
        var plan = Plan()
        plan.clips = max(1, min(clipsPerWave(chunkCount), bytes / (frameCount * frameBytes(0))))
        plan.kept = plan.clips * chunkCount
        if let lean = (0..<layerCount).first(where: { plan.clips * frameCount * frameBytes($0) <= bytes || $0 == mostLean }) {
            plan.leanLayers = lean
            return plan
        }
        plan.leanLayers = layerCount - 1
        let chunkBytes = longest * frameBytes(plan.leanLayers)
        plan.kept = min(chunkCount - 1, max(0, bytes / chunkBytes - threadCount))
        plan.shortfall = max(0, threadCount * chunkBytes - bytes)
        return plan
    }

    /// What the prompts leave as it is: the input of the first layer that has some, `[frames × rows, width]` a clip.
    package func trunk(clips: [Matrix]) -> [MutableMatrix] {
        turn.lock()
        defer { turn.unlock() }
        let result = clips.map { _ in MutableMatrix(rows: frameCount * layout.frameRows, columns: layout.architecture.vision.width) }
        for start in stride(from: 0, to: clips.count, by: waveClipCount) {
            pool.parallelFor(min(waveClipCount, clips.count - start) * chunks.count, workers: workerCount) { worker, item in
                let (clip, chunk) = item.quotientAndRemainder(dividingBy: chunks.count)
                let rows = tower.trunk(
                    frames: clips[start + clip].rows(chunks[chunk]), saved: activations(of: item, worker: worker), scratch: scratch[worker])
                result[start + clip].rows(rowRange(of: chunk, stage: .frozen)).copy(rows)
            }
        }
        return result
    }

    /// A chunk's rows of a clip.
    private func rowRange(of chunk: Int, stage: ClipStage) -> Range<Int> {
        let (frames, rows) = (chunks[chunk], stage == .pixels ? 1 : layout.frameRows)
        return frames.lowerBound * rows..<frames.upperBound * rows
    }

    /// The frames' features of each clip, `[frames, embeddingWidth]`, not normalized.
    ///
    /// With gradients the clips must be one wave; their activations stay for `backward` as far as they fit.
    ///
    /// - Parameter clips: pixels `[frames, 3 × side × side]`, or what `trunk` made of them.
    package func forward(clips: [Matrix], stage: ClipStage = .pixels, context: VisionPromptContext?) -> [MutableMatrix] {
        precondition(keeping == .nothing || clips.count <= waveClipCount, "\(clips.count) clips in a wave of \(waveClipCount)")
        turn.lock()
        defer { turn.unlock() }
        let features = clips.map { _ in MutableMatrix(rows: frameCount, columns: tower.architecture.embeddingWidth) }
        pool.parallelFor(clips.count * chunks.count, workers: workerCount) { worker, item in
            let (clip, chunk) = item.quotientAndRemainder(dividingBy: chunks.count)
            let saved = activations(of: item, worker: worker)
            tower.forward(
                frames: clips[clip].rows(rowRange(of: chunk, stage: stage)), stage: stage, context: context, saved: saved,
                scratch: scratch[worker])
            features[clip].rows(chunks[chunk]).copy(saved.features)
        }
        return features
    }

    /// The gradient of the last `forward`.
    ///
    /// - Parameters:
    ///   - promptSums: one a chunk of the wave, added to; empty without vision prompts.
    ///   - weights: where chunk `item` leaves its weight gradients.
    package func backward(
        clips: [Matrix], stage: ClipStage = .pixels, featureGradients: [MutableMatrix], context: VisionPromptContext?,
        promptSums: [VisionPromptSums], weights: @Sendable (_ item: Int) -> some VisionGradientSink
    ) {
        turn.lock()
        defer { turn.unlock() }
        pool.parallelFor(clips.count * chunks.count, workers: workerCount) { worker, item in
            let (clip, chunk) = item.quotientAndRemainder(dividingBy: chunks.count)
            let frames = clips[clip].rows(rowRange(of: chunk, stage: stage))
            let saved = activations(of: item, worker: worker)
            if item >= kept.count { tower.forward(frames: frames, stage: stage, context: context, saved: saved, scratch: scratch[worker]) }
            tower.backward(
                featureGradient: featureGradients[clip].rows(chunks[chunk]).reading, frames: frames, context: context,
                saved: saved, promptSums: promptSums.isEmpty ? nil : promptSums[item], weights: weights(item),
                scratch: scratch[worker])
        }
    }

    private func activations(of item: Int, worker: Int) -> VisionActivations {
        item < kept.count ? kept[item] : passing[worker].prefix(chunks[item % chunks.count].count)
    }
}
