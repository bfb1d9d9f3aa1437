import Tensors

/// What an attention map shows of a block.
package enum AttentionMapKind: Sendable, Equatable {
    /// Gradient-weighted relevance of each patch for a class's logit, from a block on (`methods.md` 8.8).
    case relevance
    /// The attention of what is read out, mean over heads, or of one head: of the class token, or of the probe that pools the tokens.
    case raw(head: Int?)
}

/// Where the vision tower looks in each frame of a video. Prompts are left out, and so is what frames of an X-CLIP hear of others.
///
/// Where a probe pools the tokens of a frame, this attention counts as the block above the tower's.
package struct AttentionMaps: Sendable {
    /// The video's, one per class.
    package let logits: [Float]
    /// The class that the maps are about.
    package let label: Int
    /// Patches along a side of a frame.
    package let gridSide: Int
    /// The first block that was looked at, from 0.
    package let firstBlock: Int
    /// `[block − firstBlock][frame][patch]`. Relevance: from this block on; raw: of this block.
    package let blocks: [[[Float]]]
}

extension CLIPClassifier {
    /// Heads of what is read out.
    package var headCount: Int { backbone.architecture.poolingHeadCount ?? backbone.architecture.vision.headCount }
    /// Blocks that maps are made of, with the pooling above them where there is one.
    package var blockCount: Int { backbone.architecture.vision.layerCount + (poolsTokens ? 1 : 0) }
    /// Whether a probe pools the tokens of a frame, whose attention alone is then raw attention of what is read out.
    package var poolsTokens: Bool { backbone.architecture.poolingHeadCount != nil }

    /// Looks into the vision tower while it sees a clip.
    ///
    /// Relevance follows Chefer et al. 2021 as the paper's authors used it: with S the logit of the class (of the
    /// video: mean over frames, unit length, scale), E_b = meanₕ max(0, ∂S/∂A_b ⊙ A_b) of block b, and
    /// R ← R + E_b R from `firstBlock` on, starting at R = I, a frame's map is R[class token, patches]. Where a probe pools the
    /// tokens, its row takes the place of the class token's: E of the pooling, times R of the blocks below.
    ///
    /// - Parameters:
    ///   - clip: `[frames, 3 × side × side]`, normalized pixels.
    ///   - label: nil for the class with the largest logit.
    ///   - firstBlock: in `0 ..< blockCount`; for raw attention where a probe pools the tokens, the last.
    /// - Throws: `ModelError` where the logits are not numbers.
    package func attention(
        in clip: Matrix, of kind: AttentionMapKind, label: Int? = nil, from firstBlock: Int
    ) throws(ModelError) -> AttentionMaps {
        precondition((0..<blockCount).contains(firstBlock), "no block \(firstBlock)")
        precondition(kind == .relevance || !poolsTokens || firstBlock == blockCount - 1, "below the pooling no block is asked by what is read out")
        let features = pass.forward(clips: [clip], context: context)[0]
        let logits = head.logits(features: features.reading)
        guard logits.allSatisfy(\.isFinite) else { throw .notNumbers(what: "the logits") }
        let chosen = label ?? logits.indices.max { (logits[$0], $1) < (logits[$1], $0) } ?? 0
        let featureGradient = head.logitGradient(features: features.reading, label: chosen).reading

        let longest = pass.chunks.map(\.count).max() ?? 1
        // Maps are made of gradients, also where the clip was classified in numbers that have none.
        let precision = backbone.precision
        let tower = precision.hasBackward ? backbone.vision : backbone.computing(in: precision.besideProducts).vision
        let workers = (0..<min(pass.pool.threadCount, pass.chunks.count)).map { _ in
            AttentionWorker(tower: tower, layout: pass.layout, frameCount: longest)
        }
        let maps = ChunkMaps(count: pass.chunks.count)
        pass.pool.parallelFor(pass.chunks.count) { [pass, context] worker, item in
            let chunk = pass.chunks[item]
            maps.set(
                workers[worker].maps(
                    frames: clip.rows(chunk), featureGradient: featureGradient.rows(chunk), context: context, kind: kind,
                    firstBlock: firstBlock), at: item)
        }
        let chunks = maps.all
        return AttentionMaps(
            logits: logits, label: chosen, gridSide: backbone.architecture.patchesPerSide, firstBlock: firstBlock,
            blocks: (0..<blockCount - firstBlock).map { block in chunks.flatMap { $0[block] } })
    }
}

/// What workers leave behind, in the order of chunks. Unchecked Sendable: guarded by the monitor.
private final class ChunkMaps: @unchecked Sendable {
    private let monitor = Monitor()
    private var maps: [[[[Float]]]]

    init(count: Int) { maps = Array(repeating: [], count: count) }

    func set(_ value: [[[Float]]], at index: Int) { monitor.locked { maps[index] = value } }
    var all: [[[[Float]]]] { monitor.locked { maps } }
}

/// The memory of one thread, and how it goes through a few frames.
private struct AttentionWorker: Sendable {
    let tower: VisionTower
    let layout: VisionLayout
    private let memory: VisionActivations
    private let scratch: VisionScratch
    /// Not looked at: prompts do not learn here, but gradients of what frames share need a place.
    private let accumulator: VisionPromptAccumulator

    init(tower: VisionTower, layout: VisionLayout, frameCount: Int) {
        self.tower = tower
        self.layout = layout
        memory = VisionActivations(layout: layout, frameCount: frameCount, keeping: .prompts, keepsPrefix: true)
        scratch = VisionScratch(layout: layout, frameCount: frameCount, keeping: .prompts)
        accumulator = VisionPromptAccumulator(layout: layout)
    }

    /// `[block − firstBlock][frame][patch]`
    func maps(
        frames: Matrix, featureGradient: Matrix, context: VisionPromptContext?, kind: AttentionMapKind, firstBlock: Int
    ) -> [[[Float]]] {
        let saved = memory.prefix(frames.rowCount)
        tower.forward(frames: frames, context: context, saved: saved, scratch: scratch)
        switch kind {
        case .relevance: return relevance(featureGradient, context: context, saved: saved, firstBlock: firstBlock)
        case .raw(let head):
            if let pooling = tower.pooling, let own = saved.pooling {
                let heads = head.map { $0..<$0 + 1 } ?? 0..<pooling.headCount
                return [(0..<saved.frameCount).map { patches(among: pooling.seen(in: $0, by: nil, heads: heads, saved: own)) }]
            }
            return (firstBlock..<layout.layerCount).map { layer in
                (0..<saved.frameCount).map { classAttention(of: $0, layer: layer, head: head, context: context, saved: saved) }
            }
        }
    }

    /// The class token's attention to the patches of one frame.
    private func classAttention(
        of frame: Int, layer: Int, head: Int?, context: VisionPromptContext?, saved: VisionActivations
    ) -> [Float] {
        let block = saved.block(layer, scratch: scratch)
        let headCount = layout.architecture.vision.headCount
        let queryRows = block.shape.queryRows(of: frame)
        let logSums = block.logSums(of: frame)
        let ofClassToken = MutableMatrix(rows: 1, columns: headCount)
        for head in 0..<headCount { ofClassToken[0, head] = logSums[0, head * queryRows.count] }
        let tokens = seen(
            by: block.queries.row(queryRows.lowerBound).reading, weights: MutableMatrix(rows: 1, columns: 1, [1]).reading,
            gradient: nil, logSums: ofClassToken.reading, heads: head.map { $0..<$0 + 1 } ?? 0..<headCount, frame: frame, layer: layer,
            context: context, saved: saved)
        return patches(of: tokens, frame: frame, layer: layer, saved: saved)
    }

    /// What tokens of `layer` have, handed back to the patches that they stand for.
    private func patches(of tokens: [Float], frame: Int, layer: Int, saved: VisionActivations) -> [Float] {
        let own = Array(tokens.prefix(layout.frameRows(of: layer)))
        let all = stride(from: layer, to: 0, by: -1).reduce(own) { spread($0, frame: frame, below: $1, saved: saved) }
        return patches(among: all)
    }

    /// Without the class token, where there is one, and prompts.
    private func patches(among tokens: [Float]) -> [Float] {
        Array(tokens.dropFirst(layout.frameRows - layout.architecture.patchCount).prefix(layout.architecture.patchCount))
    }

    /// What rows of `layer` have, handed back to those of the layer below that merged there: each gets its share.
    private func spread(_ values: [Float], frame: Int, below layer: Int, saved: VisionActivations) -> [Float] {
        saved.block(layer - 1, scratch: scratch).beforeMerging(values, group: frame)
    }

    /// As R[class token] is the row vector e (I + E_last) ⋯ (I + E_first), it is built from the last block down, as
    /// gradients are; no R is kept. Prompts whose outputs the next layer replaces have no gradient, so their rows of
    /// E are zero and nothing passes through them.
    private func relevance(
        _ featureGradient: Matrix, context: VisionPromptContext?, saved: VisionActivations, firstBlock: Int
    ) -> [[[Float]]] {
        var maps: [[[Float]]] = []
        let output = tower.outputGradient(of: featureGradient, saved: saved, weights: FrozenVision(), scratch: scratch)
        var streamGradient = output.stream
        var rows = (0..<saved.frameCount).map { outputRow(of: $0, pooled: output.pooled, saved: saved) }
        if output.pooled != nil { maps.append(rows.map { patches(among: $0) }) }
        for layer in stride(from: layout.layerCount - 1, through: firstBlock, by: -1) {
            let block = tower.blocks[layer]
            let activations = saved.block(layer, scratch: scratch)
            let attended = block.attendedGradient(outputGradient: streamGradient, saved: activations, scratch: scratch.block)
            for frame in rows.indices {
                let queryRows = activations.shape.queryRows(of: frame)
                let weights = MutableMatrix(rows: 1, columns: queryRows.count, Array(rows[frame].prefix(queryRows.count)))
                let added = seen(
                    by: activations.queries.rows(queryRows).reading, weights: weights.reading, gradient: attended.rows(queryRows).reading,
                    logSums: activations.logSums(of: frame).reading, heads: 0..<layout.architecture.vision.headCount, frame: frame,
                    layer: layer, context: context, saved: saved)
                for (row, value) in added.enumerated() { rows[frame][row] += value }
            }
            maps.append(rows.indices.map { patches(of: rows[$0], frame: $0, layer: layer, saved: saved) })
            if layer > firstBlock {
                streamGradient = tower.blockBackward(
                    layer, outputGradient: streamGradient, context: context, saved: saved, promptAccumulator: accumulator, weights: FrozenVision(),
                    scratch: scratch)
            }
            if layer == layout.joinLayer { rows = rows.map { Array($0.prefix(layout.frameRows(of: layer))) } }
            if layer > firstBlock { rows = rows.indices.map { spread(rows[$0], frame: $0, below: layer, saved: saved) } }
        }
        return maps.reversed()
    }

    /// How much each row that leaves the last block counts before that block: the class token alone, or what the pooling sees of each;
    /// prompts are not pooled.
    private func outputRow(of frame: Int, pooled: AttentionPooling.Contribution?, saved: VisionActivations) -> [Float] {
        let count = layout.rows(of: layout.layerCount - 1)
        var result: [Float] = [1]
        if let pooled, let pooling = tower.pooling, let own = saved.pooling {
            result = pooling.seen(in: frame, by: pooled, heads: 0..<pooling.headCount, saved: own)
        }
        return result + [Float](repeating: 0, count: count - result.count)
    }

    /// What one frame's queries see of its own rows, with the weights given.
    private func seen(
        by queries: Matrix, weights: Matrix, gradient: Matrix?, logSums: Matrix, heads: Range<Int>, frame: Int, layer: Int,
        context: VisionPromptContext?, saved: VisionActivations
    ) -> [Float] {
        let block = saved.block(layer, scratch: scratch)
        let sources = block.attentionSources(of: frame, shared: tower.shared(in: layer, context: context, saved: saved))
        let result = MutableMatrix(rows: 1, columns: sources.keyCount)
        addRelevance(
            outputGradient: gradient, queries: queries, sources: sources, headCount: layout.architecture.vision.headCount, heads: heads,
            logSums: logSums, rowWeights: weights, into: result)
        return Array(result.values.dropFirst(sources.sharedCount))
    }
}

extension TransformerBlock {
    /// The gradient of the heads' outputs, `[queries, width]`, in scratch memory: the first half of `backward`.
    fileprivate func attendedGradient(
        outputGradient: MutableMatrix, saved: BlockActivations, scratch: BlockScratch
    ) -> MutableMatrix {
        mlpBackward(outputGradient: outputGradient, saved: saved, scratch: scratch)
        let rows = 0..<saved.shape.queryCount
        multiplyBackward(scratch.middleGradient.rows(rows), weights.attentionOutput, into: scratch.attendedGradient.rows(rows))
        return scratch.attendedGradient.rows(rows)
    }
}
