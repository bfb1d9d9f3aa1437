import Tensors

/// Sends clips through the vision tower in chunks of frames that workers share out.
///
/// Chunks depend on the frame count alone, never on the number of threads, and sums over chunks are
/// made in their order: results are the same for any number of threads. How many clips are in flight follows the
/// threads and the memory, and changes nothing either: chunks whose activations do not fit are computed again for the
/// backward pass, to the same numbers.
package final class VisionPass: Sendable {
    /// Frames go together until they fill about this many rows, which is one of a ViT-B/16: products of two are not
    /// faster by more than 4 %, and half as many chunks would leave threads without work.
    private static let chunkRows = 224
    /// At least so many chunks are in flight, and two for each thread, so that all workers have something to do until
    /// the end of a loop.
    private static func chunksInFlight(threadCount: Int) -> Int { max(8, 2 * threadCount) }

    let tower: VisionTower
    let layout: VisionLayout
    let frameCount: Int
    let pool: WorkerPool
    /// Frames of each chunk of a clip.
    let chunks: [Range<Int>]
    /// Clips that go through the tower together.
    package let clipsInFlight: Int
    private let keeping: Keeping
    /// Threads that take part: each needs memory of its own, and more than there are chunks have nothing to do.
    private let workerCount: Int
    /// Held by whoever uses `scratch` and activations.
    private let turn = Monitor()
    private let scratch: [VisionScratch]
    /// Activations of the first chunks in flight, one per chunk; they stay until the backward pass.
    private let stored: [VisionActivations]
    /// One per worker, for chunks whose activations are not stored but computed again.
    private let recomputed: [VisionActivations]
    /// Layers whose MLP computes its hidden rows twice (activation checkpointing).
    package let recomputedMLPLayerCount: Int
    /// Bytes that the budget is too small by.
    package let shortfall: Int

    /// Chunks in flight whose activations are computed twice.
    package var recomputedChunkCount: Int { !keeping.hasBackward ? 0 : clipsInFlight * chunks.count - stored.count }

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
        func frameBytes(_ recomputed: Int) -> Int {
            max(1, VisionActivations.bytesPerFrame(layout: layout, keeping: keeping, recomputedMLPLayers: recomputed, precision: tower.precision))
        }
        func makeScratch() -> VisionScratch {
            VisionScratch(layout: layout, frameCount: longest, keeping: keeping, recomputedMLPLayers: layerCount, precision: tower.precision)
        }
        let mostClips = Self.clipsInFlight(chunkCount, threadCount: pool.threadCount)
        let before = WorkMeter.reading.liveBytes
        let first = makeScratch()
        let scratchBytes = WorkMeter.reading.liveBytes - before
        // Where people have set a bound, threads whose scratch memory would take the place of clips bring nothing.
        let affordable = budget.isBoundByPeople
            ? Self.affordableClips(
                upTo: mostClips, bytes: budget.left() + scratchBytes, clipBytes: frameCount * frameBytes(0), chunkCount: chunkCount,
                threadCount: pool.threadCount, scratchBytes: scratchBytes)
            : mostClips
        let workerCount = min(
            pool.threadCount, keeping.hasBackward ? affordable * chunkCount : max(8, chunkCount, WorkerPool.availableProcessors))
        self.workerCount = workerCount
        scratch = [first] + (1..<workerCount).map { _ in makeScratch() }
        guard keeping.hasBackward else {
            clipsInFlight = mostClips
            (stored, recomputedMLPLayerCount, shortfall) = ([], layerCount, 0)
            recomputed = (0..<workerCount).map { _ in
                VisionActivations(layout: layout, frameCount: longest, keeping: keeping, precision: tower.precision)
            }
            return
        }
        func planned(bytes: Int, mostRecomputed: Int?) -> Plan {
            Self.plan(
                bytes: bytes, mostRecomputed: mostRecomputed, mostClips: affordable, frameCount: frameCount, chunkCount: chunkCount,
                longest: longest, layerCount: layerCount, threadCount: workerCount, frameBytes: frameBytes)
        }
        var chosen: Plan
        if budget.isBoundByPeople {
            chosen = planned(bytes: budget.left(), mostRecomputed: nil)
        } else {
            // Where nobody has set a bound, no more than so many layers recompute their MLP, whatever that takes, if it is there.
            let standard = MemoryBudget.standardBytes(for: keeping, threadCount: pool.threadCount)
            chosen = planned(bytes: standard, mostRecomputed: 5 * layerCount / 12)
            if chosen.clips * frameCount * frameBytes(chosen.recomputedMLPLayers) > budget.left() { chosen = planned(bytes: budget.left(), mostRecomputed: nil) }
        }
        let plan = chosen
        (clipsInFlight, recomputedMLPLayerCount, shortfall) = (plan.clips, plan.recomputedMLPLayers, plan.shortfall)
        stored = (0..<plan.stored).map { item in
            VisionActivations(
                layout: layout, frameCount: chunks[item % chunkCount].count, keeping: keeping, recomputedMLPLayers: plan.recomputedMLPLayers,
                precision: tower.precision)
        }
        recomputed = (0..<(plan.stored < plan.clips * chunkCount ? workerCount : 0)).map { _ in
            VisionActivations(
                layout: layout, frameCount: longest, keeping: keeping, recomputedMLPLayers: plan.recomputedMLPLayers, precision: tower.precision)
        }
    }

    /// Which of so many clips go through the tower together.
    func inFlight(of clipCount: Int) -> [Range<Int>] {
        stride(from: 0, to: clipCount, by: clipsInFlight).map { $0..<min($0 + clipsInFlight, clipCount) }
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

    private static func clipsInFlight(_ chunkCount: Int, threadCount: Int) -> Int {
        (chunksInFlight(threadCount: threadCount) + chunkCount - 1) / chunkCount
    }

    /// The most clips whose activations fit beside the scratch memory of the workers that would share them out.
    private static func affordableClips(
        upTo mostClips: Int, bytes: Int, clipBytes: Int, chunkCount: Int, threadCount: Int, scratchBytes: Int
    ) -> Int {
        (1...mostClips).last { $0 * clipBytes + min(threadCount, $0 * chunkCount) * scratchBytes <= bytes } ?? 1
    }

    private struct Plan {
        var clips = 1
        var stored = 0
        var recomputedMLPLayers = 0
        var shortfall = 0
    }

    /// What costs least time within `bytes`: several clips in flight; layers whose MLP is recomputed, one after the other; then
    /// whole chunks that are computed twice.
    private static func plan(
        bytes: Int, mostRecomputed: Int?, mostClips: Int, frameCount: Int, chunkCount: Int, longest: Int, layerCount: Int, threadCount: Int,
        frameBytes: (_ recomputed: Int) -> Int
    ) -> Plan {
        var plan = Plan()
        plan.clips = max(1, min(mostClips, bytes / (frameCount * frameBytes(0))))
        plan.stored = plan.clips * chunkCount
        if let recomputed = (0..<layerCount).first(where: { plan.clips * frameCount * frameBytes($0) <= bytes || $0 == mostRecomputed }) {
            plan.recomputedMLPLayers = recomputed
            return plan
        }
        plan.recomputedMLPLayers = layerCount - 1
        let chunkBytes = longest * frameBytes(plan.recomputedMLPLayers)
        plan.stored = min(chunkCount - 1, max(0, bytes / chunkBytes - threadCount))
        plan.shortfall = max(0, threadCount * chunkBytes - bytes)
        return plan
    }

    /// What the prompts leave as it is: the input of the first layer that has some, `[frames × rows, width]` a clip.
    package func cachedPrefix(clips: [Matrix]) -> [MutableMatrix] {
        turn.lock()
        defer { turn.unlock() }
        let result = clips.map { _ in MutableMatrix(rows: frameCount * layout.frameRows, columns: layout.architecture.vision.width) }
        for start in stride(from: 0, to: clips.count, by: clipsInFlight) {
            pool.parallelFor(min(clipsInFlight, clips.count - start) * chunks.count, workers: workerCount) { worker, item in
                let (clip, chunk) = item.quotientAndRemainder(dividingBy: chunks.count)
                let rows = tower.cachedPrefix(
                    frames: clips[start + clip].rows(chunks[chunk]), saved: activations(of: item, worker: worker), scratch: scratch[worker])
                result[start + clip].rows(rowRange(of: chunk, input: .cachedPrefix)).copy(rows)
            }
        }
        return result
    }

    /// A chunk's rows of a clip.
    private func rowRange(of chunk: Int, input: ClipInput) -> Range<Int> {
        let (frames, rows) = (chunks[chunk], input == .pixels ? 1 : layout.frameRows)
        return frames.lowerBound * rows..<frames.upperBound * rows
    }

    /// The frames' features of each clip, `[frames, embeddingWidth]`, not normalized.
    ///
    /// With gradients all clips must be in flight together; their activations stay for `backward` as far as they fit.
    ///
    /// - Parameter clips: pixels `[frames, 3 × side × side]`, or what `cachedPrefix` made of them.
    package func forward(clips: [Matrix], input: ClipInput = .pixels, context: VisionPromptContext?) -> [MutableMatrix] {
        precondition(keeping == .nothing || clips.count <= clipsInFlight, "\(clips.count) clips where \(clipsInFlight) are in flight")
        turn.lock()
        defer { turn.unlock() }
        let features = clips.map { _ in MutableMatrix(rows: frameCount, columns: tower.architecture.embeddingWidth) }
        pool.parallelFor(clips.count * chunks.count, workers: workerCount) { worker, item in
            let (clip, chunk) = item.quotientAndRemainder(dividingBy: chunks.count)
            let saved = activations(of: item, worker: worker)
            tower.forward(
                frames: clips[clip].rows(rowRange(of: chunk, input: input)), input: input, context: context, saved: saved,
                scratch: scratch[worker])
            features[clip].rows(chunks[chunk]).copy(saved.features)
        }
        return features
    }

    /// The gradient of the last `forward`.
    ///
    /// - Parameters:
    ///   - promptAccumulators: one per chunk in flight, added to; empty without vision prompts.
    ///   - weights: where chunk `item` leaves its weight gradients.
    package func backward(
        clips: [Matrix], input: ClipInput = .pixels, featureGradients: [MutableMatrix], context: VisionPromptContext?,
        promptAccumulators: [VisionPromptAccumulator], weights: @Sendable (_ item: Int) -> some VisionGradientSink
    ) {
        turn.lock()
        defer { turn.unlock() }
        pool.parallelFor(clips.count * chunks.count, workers: workerCount) { worker, item in
            let (clip, chunk) = item.quotientAndRemainder(dividingBy: chunks.count)
            let frames = clips[clip].rows(rowRange(of: chunk, input: input))
            let saved = activations(of: item, worker: worker)
            if item >= stored.count { tower.forward(frames: frames, input: input, context: context, saved: saved, scratch: scratch[worker]) }
            tower.backward(
                featureGradient: featureGradients[clip].rows(chunks[chunk]).reading, frames: frames, context: context,
                saved: saved, promptAccumulator: promptAccumulators.isEmpty ? nil : promptAccumulators[item], weights: weights(item),
                scratch: scratch[worker])
        }
    }

    private func activations(of item: Int, worker: Int) -> VisionActivations {
        item < stored.count ? stored[item] : recomputed[worker].prefix(chunks[item % chunks.count].count)
    }
}
