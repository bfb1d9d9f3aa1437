import Tensors

/// Sends clips through the vision tower in chunks of frames that workers share out.
///
/// Chunks depend on the frame count alone, never on the number of threads, and sums over chunks are
/// made in their order: results are the same for any number of threads.
package final class VisionPass: Sendable {
    /// Frames go together until they fill about this many rows: enough for BLAS's full speed.
    private static let chunkRows = 448
    /// A wave has at least this many chunks, so that all workers have something to do.
    private static let chunksPerWave = 8

    /// How a clip's frames and a batch's clips are portioned.
    struct Sizes: Sendable, Equatable {
        let layout: VisionLayout
        /// Frames of each chunk of a clip.
        let chunks: [Range<Int>]
        /// Clips whose activations are in memory together.
        let waveClipCount: Int

        init(layout: VisionLayout, frameCount: Int, activationBytes: Int) {
            let target = max(1, VisionPass.chunkRows / layout.frameRows)
            let chunkCount = (frameCount + target - 1) / target
            let clipBytes = max(1, frameCount * VisionActivations.bytesPerFrame(layout: layout))
            self.layout = layout
            chunks = (0..<chunkCount).map { $0 * frameCount / chunkCount..<($0 + 1) * frameCount / chunkCount }
            waveClipCount = max(1, min((VisionPass.chunksPerWave + chunkCount - 1) / chunkCount, activationBytes / clipBytes))
        }
    }

    let tower: VisionTower
    let layout: VisionLayout
    let frameCount: Int
    let pool: WorkerPool
    /// Frames of each chunk of a clip.
    let chunks: [Range<Int>]
    /// Clips whose activations are in memory together.
    package let waveClipCount: Int
    private let scratch: [VisionScratch]
    /// With gradients one a chunk of a wave, otherwise one a worker and chunk length.
    private let slots: [VisionActivations]
    private let forGradients: Bool

    /// - Parameter activationBytes: bound on a wave's activations; at least one clip is taken.
    package init(
        tower: VisionTower, prompts: PromptConfiguration, frameCount: Int, forGradients: Bool, pool: WorkerPool,
        activationBytes: Int = 2 << 30
    ) {
        let layout = VisionLayout(architecture: tower.architecture, prompts: prompts)
        self.tower = tower
        self.layout = layout
        self.frameCount = frameCount
        self.pool = pool
        self.forGradients = forGradients
        let sizes = Sizes(layout: layout, frameCount: frameCount, activationBytes: activationBytes)
        let chunks = sizes.chunks
        let waveClipCount = sizes.waveClipCount
        self.chunks = chunks
        self.waveClipCount = waveClipCount
        let longest = chunks.map(\.count).max() ?? 1
        scratch = (0..<pool.threadCount).map { _ in
            VisionScratch(layout: layout, frameCount: longest, forGradients: forGradients)
        }
        let lengths = forGradients
            ? (0..<waveClipCount).flatMap { _ in chunks.map(\.count) }
            : (0..<pool.threadCount).flatMap { _ in [longest, chunks.map(\.count).min() ?? 1] }
        slots = lengths.map { VisionActivations(layout: layout, frameCount: $0, forGradients: forGradients) }
    }

    /// The frames' features of each clip, `[frames, embeddingWidth]`, not normalised.
    ///
    /// With gradients the clips must be one wave; their activations stay for `backward`.
    package func forward(clips: [Matrix], context: VisionPromptContext?) -> [MutableMatrix] {
        precondition(!forGradients || clips.count <= waveClipCount, "\(clips.count) clips in a wave of \(waveClipCount)")
        let features = clips.map { _ in MutableMatrix(rows: frameCount, columns: tower.architecture.embeddingWidth) }
        pool.parallelFor(clips.count * chunks.count) { worker, item in
            let (clip, chunk) = item.quotientAndRemainder(dividingBy: chunks.count)
            let saved = slot(item: item, worker: worker, frameCount: chunks[chunk].count)
            tower.forward(
                frames: clips[clip].rows(chunks[chunk]), context: context, saved: saved, scratch: scratch[worker])
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
        clips: [Matrix], featureGradients: [MutableMatrix], context: VisionPromptContext?,
        promptSums: [VisionPromptSums], weights: @Sendable (_ item: Int) -> some VisionGradientSink
    ) {
        pool.parallelFor(clips.count * chunks.count) { worker, item in
            let (clip, chunk) = item.quotientAndRemainder(dividingBy: chunks.count)
            let frames = chunks[chunk]
            tower.backward(
                featureGradient: featureGradients[clip].rows(frames).reading, frames: clips[clip].rows(frames), context: context,
                saved: slots[item], promptSums: promptSums.isEmpty ? nil : promptSums[item], weights: weights(item),
                scratch: scratch[worker])
        }
    }

    private func slot(item: Int, worker: Int, frameCount: Int) -> VisionActivations {
        if forGradients { return slots[item] }
        let own = slots[2 * worker]
        return own.frameCount == frameCount ? own : slots[2 * worker + 1]
    }
}
