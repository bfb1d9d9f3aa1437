import Tensors

/// Sends clips through the vision tower in chunks of frames that workers share out.
///
/// Chunks depend on the frame count alone, never on the number of threads, and sums over chunks are
/// made in their order: results are the same for any number of threads. How many clips are in flight follows the
/// threads and the memory, and changes nothing either: chunks whose activations do not fit are computed again for the
/// backward pass, to the same numbers. The frames of an X-CLIP see each other, so that each clip is one chunk.
///
/// Where the backward pass goes through some frames only (`BackwardFrames`), these have chunks of their own, and
/// the other frames pass through memory that is used again at once.
package final class VisionPass: Sendable {
    /// Frames go together until they fill about this many rows, which is two of a ViT-B/16: steps with one frame a chunk
    /// take 5 % longer on two cores, and give work to more than 32 threads with four clips.
    private static let chunkRows = 448
    /// At least so many chunks are in flight, and two for each thread, so that all workers have something to do until
    /// the end of a loop.
    private static func chunksInFlight(threadCount: Int) -> Int { max(8, 2 * threadCount) }

    let tower: VisionTower
    let layout: VisionLayout
    let frameCount: Int
    let pool: WorkerPool
    /// Frames of each chunk of a clip; where some are drawn, places in the order of the draw.
    let chunks: [Range<Int>]
    /// The first chunks of a clip, which the backward pass goes through.
    let keptChunkCount: Int
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
    /// One per worker, for chunks that the backward pass leaves out.
    private let passing: [VisionActivations]
    /// Layers whose MLP computes its hidden rows twice (activation checkpointing).
    package let recomputedMLPLayerCount: Int
    /// Bytes that the budget is too small by.
    package let shortfall: Int

    /// Chunks in flight whose activations are computed twice.
    package var recomputedChunkCount: Int { !keeping.hasBackward ? 0 : clipsInFlight * keptChunkCount - stored.count }

    /// - Parameters:
    ///   - backwardFrameCount: frames of a clip that the backward pass goes through; nil for all.
    ///   - budget: bound on activations; what each worker needs for one chunk is taken in any case.
    package init(
        tower: VisionTower, prompts: PromptConfiguration, frameCount: Int, backwardFrameCount: Int? = nil, keeping: Keeping,
        pool: WorkerPool, budget: MemoryBudget = .standard
    ) {
        let keptFrameCount = keeping.hasBackward ? backwardFrameCount ?? frameCount : frameCount
        precondition((1...frameCount).contains(keptFrameCount), "\(keptFrameCount) of \(frameCount) frames in the backward pass")
        precondition(keptFrameCount == frameCount || keeping == .prompts, "weights learn from all frames")
        let layout = VisionLayout(architecture: tower.architecture, prompts: prompts)
        self.tower = tower
        self.layout = layout
        self.frameCount = frameCount
        self.pool = pool
        self.keeping = keeping
        precondition(!layout.mixesFrames || keptFrameCount == frameCount, "frames that see each other go back together")
        let keptChunks = layout.mixesFrames ? [0..<frameCount] : Self.chunks(of: 0..<keptFrameCount, frameRows: layout.frameRows)
        let chunkCount = keptChunks.count
        let chunks = keptChunks + Self.chunks(of: keptFrameCount..<frameCount, frameRows: layout.frameRows)
        self.chunks = chunks
        keptChunkCount = chunkCount
        let longest = chunks.map(\.count).max() ?? 1
        let layerCount = layout.layerCount
        func frameBytes(_ recomputed: Int) -> Int {
            max(1, VisionActivations.bytesPerFrame(layout: layout, keeping: keeping, recomputedMLPLayers: recomputed, precision: tower.precision))
        }
        let mostClips = Self.clipsInFlight(chunkCount: chunks.count, keptChunkCount: chunkCount, threadCount: pool.concurrentCount)
        func makeScratch() -> VisionScratch {
            VisionScratch(layout: layout, frameCount: longest, keeping: keeping, recomputedMLPLayers: layerCount, precision: tower.precision)
        }
        let before = WorkMeter.reading.liveBytes
        let first = makeScratch()
        let scratchBytes = WorkMeter.reading.liveBytes - before
        // Where people have set a bound, threads whose scratch memory would take the place of clips bring nothing.
        let affordable = budget.isBoundByPeople
            ? Self.affordableClips(
                upTo: mostClips, bytes: budget.left() + scratchBytes, clipBytes: keptFrameCount * frameBytes(0), chunkCount: chunks.count,
                threadCount: pool.threadCount, scratchBytes: scratchBytes)
            : mostClips
        let workerCount = min(
            pool.threadCount, keeping.hasBackward ? affordable * chunks.count : max(8, chunks.count, pool.concurrentCount))
        self.workerCount = workerCount
        scratch = [first] + (1..<workerCount).map { _ in makeScratch() }
        passing = (0..<(chunks.count > chunkCount ? workerCount : 0)).map { _ in
            VisionActivations(
                layout: layout, frameCount: chunks[chunkCount...].map(\.count).max() ?? 1, keeping: .nothing, precision: tower.precision)
        }
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
                bytes: bytes, mostRecomputed: mostRecomputed, mostClips: affordable, frameCount: keptFrameCount, chunkCount: chunkCount,
                longest: longest, layerCount: layerCount, threadCount: workerCount, frameBytes: frameBytes)
        }
        var chosen: Plan
        if budget.isBoundByPeople {
            chosen = planned(bytes: budget.left(), mostRecomputed: nil)
        } else {
            // Where nobody has set a bound, no more than so many layers recompute their MLP, whatever that takes, if it is there.
            let standard = MemoryBudget.standardBytes(for: keeping, pool: pool)
            chosen = planned(bytes: standard, mostRecomputed: 5 * layerCount / 12)
            if chosen.clips * keptFrameCount * frameBytes(chosen.recomputedMLPLayers) > budget.left() { chosen = planned(bytes: budget.left(), mostRecomputed: nil) }
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

    /// So many frames at a time, as equal as can be.
    private static func chunks(of frames: Range<Int>, frameRows: Int) -> [Range<Int>] {
        let target = max(1, chunkRows / frameRows)
        let count = (frames.count + target - 1) / target
        return (0..<count).map { frames.lowerBound + $0 * frames.count / count..<frames.lowerBound + ($0 + 1) * frames.count / count }
    }

    /// Which of so many clips go through the tower together.
    func inFlight(of clipCount: Int) -> [Range<Int>] {
        stride(from: 0, to: clipCount, by: clipsInFlight).map { $0..<min($0 + clipsInFlight, clipCount) }
    }

    /// Bytes that a pass takes in any case, where nothing is kept that can be computed twice.
    static func leastBytes(
        tower: VisionTower, prompts: PromptConfiguration, frameCount: Int, backwardFrameCount: Int? = nil, keeping: Keeping, pool: WorkerPool
    ) -> Int {
        let before = WorkMeter.reading.liveBytes
        let least = VisionPass(
            tower: tower, prompts: prompts, frameCount: frameCount, backwardFrameCount: backwardFrameCount, keeping: keeping, pool: pool,
            budget: .activations(0))
        return withExtendedLifetime(least) { WorkMeter.reading.liveBytes - before }
    }

    /// Enough clips to keep the workers busy; where chunks are left out on the way back, no more than give each worker one
    /// there, since every clip takes memory and less of it is what these steps are for.
    private static func clipsInFlight(chunkCount: Int, keptChunkCount: Int, threadCount: Int) -> Int {
        let most = chunksInFlight(threadCount: threadCount)
        let wanted = keptChunkCount == chunkCount ? most : min(most, threadCount)
        return (wanted + keptChunkCount - 1) / keptChunkCount
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
        // Whole rounds, where there are such: no thread waits at the end of one for the chunks that are too few for all.
        plan.clips = (1...plan.clips).last { $0 * chunkCount % threadCount == 0 } ?? plan.clips
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

    /// What the prompts leave as it is: the input of the first layer that has some, `[frames × cachedRows, cachedColumns]`
    /// a clip.
    package func cachedPrefix(clips: [Matrix]) -> [MutableMatrix] {
        turn.lock()
        defer { turn.unlock() }
        let result = clips.map { _ in MutableMatrix(rows: frameCount * layout.cachedRows, columns: layout.cachedColumns) }
        for start in stride(from: 0, to: clips.count, by: clipsInFlight) {
            pool.parallelFor(min(clipsInFlight, clips.count - start) * chunks.count, workers: workerCount) { worker, item in
                let (clip, chunk) = item.quotientAndRemainder(dividingBy: chunks.count)
                tower.keepCachedPrefix(
                    of: clips[start + clip].rows(chunks[chunk]), into: result[start + clip].rows(rowRange(of: chunk, input: .cachedPrefix)),
                    saved: activations(of: chunk, clip: clip, worker: worker), scratch: scratch[worker])
            }
        }
        return result
    }

    /// A chunk's rows of a clip.
    private func rowRange(of chunk: Int, input: ClipInput) -> Range<Int> {
        let (frames, rows) = (chunks[chunk], input == .pixels ? 1 : layout.cachedRows)
        return frames.lowerBound * rows..<frames.upperBound * rows
    }

    /// The frames' features of each clip, `[frames, featureWidth]`, not normalized.
    ///
    /// With gradients all clips must be in flight together; their activations stay for `backward` as far as they fit.
    ///
    /// - Parameters:
    ///   - clips: pixels `[frames, 3 × side × side]`, or what `cachedPrefix` made of them.
    ///   - draws: of each clip, where the backward pass goes through some frames only; empty otherwise.
    ///   - unprojected: for each clip `[frames, width]`, overwritten with what the projection took in; none for callers
    ///     that do not want it, and where there are draws.
    package func forward(
        clips: [Matrix], input: ClipInput = .pixels, draws: [FrameDraw] = [], context: VisionPromptContext?, unprojected: [MutableMatrix] = []
    ) -> [MutableMatrix] {
        precondition(keeping == .nothing || clips.count <= clipsInFlight, "\(clips.count) clips where \(clipsInFlight) are in flight")
        turn.lock()
        defer { turn.unlock() }
        let features = clips.map { _ in MutableMatrix(rows: frameCount, columns: tower.architecture.featureWidth) }
        pool.parallelFor(clips.count * chunks.count, workers: workerCount) { worker, item in
            let (clip, chunk) = item.quotientAndRemainder(dividingBy: chunks.count)
            let saved = activations(of: chunk, clip: clip, worker: worker)
            let draw = draws.isEmpty ? nil : draws[clip]
            tower.forward(
                frames: frames(of: clips[clip], chunk: chunk, input: input, draw: draw), input: input,
                context: context?.at(clip: clip, chunk: chunk), saved: saved,
                scratch: scratch[worker])
            if let draw {
                draw.scatter(saved.features, from: chunks[chunk], into: features[clip])
            } else {
                features[clip].rows(chunks[chunk]).copy(saved.features)
                if !unprojected.isEmpty { unprojected[clip].rows(chunks[chunk]).copy(saved.normalized) }
            }
        }
        return features
    }

    /// The gradient of the last `forward`.
    ///
    /// - Parameters:
    ///   - draws: as in `forward`.
    ///   - promptAccumulators: one per chunk in flight that is kept, added to; empty without vision prompts.
    ///   - weights: where chunk `item` leaves its weight gradients.
    package func backward(
        clips: [Matrix], input: ClipInput = .pixels, draws: [FrameDraw] = [], featureGradients: [MutableMatrix], context: VisionPromptContext?,
        promptAccumulators: [VisionPromptAccumulator], weights: @Sendable (_ item: Int) -> some VisionGradientSink
    ) {
        turn.lock()
        defer { turn.unlock() }
        pool.parallelFor(clips.count * keptChunkCount, workers: workerCount) { worker, item in
            let (clip, chunk) = item.quotientAndRemainder(dividingBy: keptChunkCount)
            let draw = draws.isEmpty ? nil : draws[clip]
            let frames = frames(of: clips[clip], chunk: chunk, input: input, draw: draw)
            let saved = activations(of: chunk, clip: clip, worker: worker)
            let context = context?.at(clip: clip, chunk: chunk)
            if item >= stored.count { tower.forward(frames: frames, input: input, context: context, saved: saved, scratch: scratch[worker]) }
            tower.backward(
                featureGradient: draw?.weighted(chunks[chunk], of: featureGradients[clip]) ?? featureGradients[clip].rows(chunks[chunk]).reading,
                frames: frames, context: context,
                saved: saved, promptAccumulator: promptAccumulators.isEmpty ? nil : promptAccumulators[item], weights: weights(item),
                scratch: scratch[worker])
        }
    }

    /// A chunk's frames as the tower takes them.
    private func frames(of clip: Matrix, chunk: Int, input: ClipInput, draw: FrameDraw?) -> Matrix {
        draw?.gathered(chunks[chunk], of: clip, frameRows: input == .pixels ? 1 : layout.cachedRows) ?? clip.rows(rowRange(of: chunk, input: input))
    }

    private func activations(of chunk: Int, clip: Int, worker: Int) -> VisionActivations {
        guard chunk < keptChunkCount else { return passing[worker].prefix(chunks[chunk].count) }
        let item = clip * keptChunkCount + chunk
        return item < stored.count ? stored[item] : recomputed[worker].prefix(chunks[chunk].count)
    }
}
