import Tensors

/// Token sequences of all classes, split into what they share and what each has of its own.
///
/// Under a causal mask the first tokens (start token and prompts or template words) do not see the
/// class name, so they are computed once. Nothing after the end token exists.
package struct TextBatch: Sendable, Equatable {
    /// Tokens at positions `0 ..< prefix.count` of every class.
    let prefix: [Int]
    /// Each class's tokens from position `prefix.count` to its end token.
    let suffixes: [[Int]]
    /// As many positions, behind the start token where there is one, hold prompts instead of embeddings.
    let promptTokens: Int
    /// - Parameters:
    ///   - sequences: one a class, from start to end token. With prompts, the positions behind the start token, or the
    ///     first ones where there is none, hold any token.
    ///   - isCausal: whether a token sees those before it alone. Where every token sees all others, no class shares anything
    ///     with another.
    fileprivate init(sequences: [[Int]], promptTokens: Int, isCausal: Bool) {
        precondition(!sequences.isEmpty && sequences.allSatisfy { $0.count >= promptTokens + 2 }, "class sequences are too short")
        self.promptTokens = promptTokens
        let sharedCount: Int
        if !isCausal {
            sharedCount = 0
        } else if promptTokens > 0 {
            sharedCount = 1 + promptTokens
        } else {
            // Nothing where texts have no start token.
            let limit = (sequences.map(\.count).min() ?? 2) - 1
            sharedCount = (0..<limit).first { position in sequences.contains { $0[position] != sequences[0][position] } } ?? limit
        }
        prefix = Array(sequences[0][0..<sharedCount])
        suffixes = sequences.map { Array($0[sharedCount...]) }
    }

    package var classCount: Int { suffixes.count }
}

/// How a text batch goes through the layers: prefix first, then the classes in chunks.
package struct TextTowerLayout: Sendable, Equatable {
    /// Classes go together until their own tokens fill about this many rows.
    private static let chunkRows = 192
    /// From so many rows on there are two chunks at least: half the speed of full chunks on two workers
    /// is still more than the full speed of one.
    private static let sharedOutRows = 96

    let batch: TextBatch
    /// Layers whose input takes learned prompts in place of the layer below's outputs.
    let promptLayers: Range<Int>
    let layerCount: Int
    /// Classes of each chunk.
    let chunks: [Range<Int>]

    /// - Parameters:
    ///   - sequences: as `TextBatch` takes them.
    ///   - promptTokens: in each of them.
    package init(sequences: [[Int]], promptTokens: Int = 0, promptLayers: Range<Int> = 0..<0, architecture: CLIPArchitecture) {
        batch = TextBatch(sequences: sequences, promptTokens: promptTokens, isCausal: architecture.form.isTextCausal)
        self.promptLayers = promptTokens > 0 && !promptLayers.isEmpty ? promptLayers : 0..<0
        layerCount = architecture.text.layerCount
        chunks = Self.chunks(of: batch.suffixes)
    }

    /// An even number of chunks of about equal rows, so that two workers or more finish together. Depends on
    /// the classes alone.
    private static func chunks(of suffixes: [[Int]]) -> [Range<Int>] {
        let rowCount = suffixes.reduce(0) { $0 + $1.count }
        var wanted = (rowCount + chunkRows - 1) / chunkRows
        if rowCount >= sharedOutRows { wanted += wanted % 2 }
        var chunks: [Range<Int>] = []
        var start = 0
        var rows = 0
        for (index, suffix) in suffixes.enumerated() {
            rows += suffix.count
            if rows * wanted >= rowCount * (chunks.count + 1) {
                chunks.append(start..<index + 1)
                start = index + 1
            }
        }
        return chunks
    }

    func replacesPrompts(at layer: Int) -> Bool { promptLayers.contains(layer) }

    /// Whether prompts are rows of every class, before its tokens: where texts are not masked, prompts see the class.
    var hasOwnPrompts: Bool { batch.prefix.isEmpty && !promptLayers.isEmpty }

    /// The place of a layer among those with prompts, where these are rows of every class; nil for other layers.
    func ownPromptPlace(of layer: Int) -> Int? { hasOwnPrompts && replacesPrompts(at: layer) ? layer - promptFreeLayerCount : nil }

    /// Layers `0 ..< promptFreeLayerCount` see no learned prompts: where only prompts learn, they are the same in every step.
    var promptFreeLayerCount: Int { promptLayers.lowerBound }

    func prefixShape(of layer: Int) -> BlockShape {
        let queries: QuerySelection = layer == layerCount - 1 ? .none : replacesPrompts(at: layer + 1) ? .first : .every
        return BlockShape(groups: RowGroups(lengths: [batch.prefix.count]), sharedCount: 0, queries: queries)
    }

    func chunkShape(of chunk: Int, layer: Int) -> BlockShape {
        BlockShape(
            groups: RowGroups(lengths: chunks[chunk].map { batch.suffixes[$0].count }), sharedCount: batch.prefix.count,
            queries: layer == layerCount - 1 ? .last : .every)
    }
}

/// What the text tower keeps of one chunk of classes.
struct TextChunkActivations: Sendable {
    let classes: Range<Int>
    let blocks: [BlockActivations]
    let endRows: MutableMatrix
    let outputNorm: LayerNormStatistics
    let normalized: MutableMatrix

    /// Memory for any one of `chunks`, seen as the first.
    init(layout: TextTowerLayout, chunks: [Int], architecture: CLIPArchitecture, keeping: Keeping) {
        let tower = architecture.text
        var blocks: [BlockActivations] = []
        for layer in 0..<layout.layerCount {
            let shapes = chunks.map { layout.chunkShape(of: $0, layer: layer) }
            // No backward pass comes below the first prompts.
            let keeping = keeping == .prompts && layer < layout.promptFreeLayerCount ? .nothing : keeping
            if keeping == .nothing, layer >= 2, blocks[layer - 2].shape == shapes[0] {
                blocks.append(blocks[layer - 2])
            } else {
                blocks.append(BlockActivations(shapes: shapes, tower: tower, keeping: keeping))
            }
        }
        let classCount = chunks.map { layout.chunks[$0].count }.max() ?? 0
        self.blocks = blocks
        classes = layout.chunks[chunks[0]]
        endRows = MutableMatrix(rows: classCount, columns: tower.width)
        outputNorm = LayerNormStatistics(rows: classCount)
        normalized = MutableMatrix(rows: classCount, columns: tower.width)
    }

    /// The same memory seen as another of its chunks.
    func viewed(as chunk: Int, of layout: TextTowerLayout) -> TextChunkActivations {
        TextChunkActivations(memory: self, chunk: chunk, layout: layout)
    }

    private init(memory: TextChunkActivations, chunk: Int, layout: TextTowerLayout) {
        classes = layout.chunks[chunk]
        blocks = memory.blocks.enumerated().map { $1.viewed(as: layout.chunkShape(of: chunk, layer: $0)) }
        endRows = memory.endRows.rows(0..<classes.count)
        outputNorm = memory.outputNorm
        normalized = memory.normalized.rows(0..<classes.count)
    }
}

/// Memory that a worker reuses from chunk to chunk.
struct TextScratch: Sendable {
    let block: BlockScratch
    /// Two gradients of the residual stream take turns.
    let gradients: [MutableMatrix]
    let endGradient: MutableMatrix
}

/// What the text tower keeps of a forward pass.
package final class TextActivations: Sendable {
    let layout: TextTowerLayout
    package let prefix: [BlockActivations]
    let prefixScratch: BlockScratch
    /// Gradients of the prefix's keys and values that each chunk adds up, one `[prefix, 2 × width]` a layer.
    let sharedGradients: [[MutableMatrix]]
    /// Prompts that are rows of every class, one `[promptTokens, width]` a layer with prompts, those of the first layer with
    /// their positions; empty where they stand in the prefix.
    let ownPrompts: [MutableMatrix]
    /// Their gradients that each chunk adds up.
    let ownPromptGradients: [[MutableMatrix]]
    /// `[classes, embeddingWidth]`, not normalized.
    package let features: MutableMatrix
    /// What enters the first layer with prompts, one a chunk; empty where that is the first of all, or where nothing is kept.
    let cachedInputs: [MutableMatrix]
    let scratch: [TextScratch]
    /// Activations of the first chunks; they stay until the backward pass.
    private let stored: [TextChunkActivations]
    /// One per worker, for chunks whose activations are computed again.
    private let recomputed: [TextChunkActivations]
    private let largestChunkBytes: Int
    /// Held by whoever fills or reads the activations.
    let turn = Monitor()

    /// - Parameter activationBytes: bound on the chunks' activations; what each worker needs for one is taken
    ///   in any case.
    package init(
        layout: TextTowerLayout, architecture: CLIPArchitecture, keeping: Keeping, threadCount: Int,
        activationBytes: Int = 1 << 30
    ) {
        let tower = architecture.text
        let prefixRows = layout.batch.prefix.count
        self.layout = layout
        let prefixShapes = (0..<layout.layerCount).map { layout.prefixShape(of: $0) }
        prefix = prefixShapes.map { BlockActivations(shapes: [$0], tower: tower, keeping: keeping) }
        prefixScratch = BlockScratch(for: prefixShapes, tower: tower, keeping: keeping)

        let chunkCount = layout.chunks.count
        let shapes = (0..<chunkCount).flatMap { [layout.chunkShape(of: $0, layer: 0), layout.chunkShape(of: $0, layer: layout.layerCount - 1)] }
        let rows = shapes.map(\.groups.rowCount).max() ?? 0
        // A loop over the chunks has no more workers than there are chunks.
        let workerCount = min(threadCount, chunkCount)
        scratch = (0..<workerCount).map { _ in
            TextScratch(
                block: BlockScratch(for: shapes, tower: tower, keeping: keeping, keepsHidden: layout.promptFreeLayerCount == 0),
                gradients: (0..<2).map { _ in MutableMatrix(rows: keeping.hasBackward ? rows : 0, columns: tower.width) },
                endGradient: MutableMatrix(rows: keeping.hasBackward ? rows : 0, columns: tower.width))
        }
        var storedCount = keeping.hasBackward ? chunkCount : 0
        let chunkBytes = Self.chunkBytes(rows: rows, layout: layout, tower: tower, keeping: keeping)
        largestChunkBytes = chunkBytes
        if storedCount * chunkBytes > activationBytes {
            storedCount = min(storedCount, max(0, activationBytes - workerCount * chunkBytes) / max(1, chunkBytes))
        }
        stored = (0..<storedCount).map { TextChunkActivations(layout: layout, chunks: [$0], architecture: architecture, keeping: keeping) }
        recomputed = (0..<(storedCount < chunkCount ? workerCount : 0)).map { _ in
            TextChunkActivations(layout: layout, chunks: Array(0..<chunkCount), architecture: architecture, keeping: keeping)
        }
        sharedGradients = layout.chunks.map { _ in
            (0..<layout.layerCount).map { _ in MutableMatrix(rows: keeping.hasBackward ? prefixRows : 0, columns: 2 * tower.width) }
        }
        let ownPromptLayers = layout.hasOwnPrompts ? layout.promptLayers : 0..<0
        func promptRows() -> [MutableMatrix] {
            ownPromptLayers.map { _ in MutableMatrix(rows: layout.batch.promptTokens, columns: tower.width) }
        }
        ownPrompts = promptRows()
        ownPromptGradients = keeping.hasBackward ? layout.chunks.map { _ in promptRows() } : []
        features = MutableMatrix(rows: layout.batch.classCount, columns: architecture.embeddingWidth)
        cachedInputs = layout.chunks.indices.prefix(keeping == .prompts && layout.promptFreeLayerCount > 0 ? chunkCount : 0).map {
            MutableMatrix(rows: layout.chunkShape(of: $0, layer: 0).groups.rowCount, columns: tower.width)
        }
    }

    /// Memory for a text tower within a budget: what cannot be kept is computed twice, to the same numbers.
    ///
    /// - Parameter others: bytes that what is made later takes in any case; they go before what is kept here.
    static func fitted(
        layout: TextTowerLayout, architecture: CLIPArchitecture, keeping: Keeping, pool: WorkerPool, budget: MemoryBudget,
        others: () -> Int = { 0 }
    ) -> TextActivations {
        func made(_ bytes: Int) -> TextActivations {
            TextActivations(
                layout: layout, architecture: architecture, keeping: keeping, threadCount: pool.threadCount, activationBytes: bytes)
        }
        guard keeping.hasBackward else { return made(0) }
        let standard = MemoryBudget.standardBytes(for: keeping, pool: pool)
        guard budget != .standard else { return made(standard) }
        let wanted: Int
        do {
            let least = made(0)
            let before = least.recomputedBytes
            let left = withExtendedLifetime(least) { budget.left() }
            let third = (left + before) / 3
            wanted = min(budget.isBoundByPeople ? third : min(third, standard), before + max(0, left - others()))
        }
        return made(wanted)
    }

    /// Bytes of the activations that take turns.
    private var recomputedBytes: Int { recomputed.isEmpty ? 0 : recomputed.count * largestChunkBytes }

    private static func chunkBytes(rows: Int, layout: TextTowerLayout, tower: CLIPArchitecture.Tower, keeping: Keeping) -> Int {
        rows * layout.layerCount * BlockActivations.bytesPerRow(tower: tower, keeping: keeping)
    }

    /// Keys and values that all classes see; nil where they share nothing.
    func sharedKeyValue(of layer: Int) -> SharedRows<Matrix>? {
        layout.batch.prefix.isEmpty ? nil : .everyGroup(prefix[layer].keyValue.reading)
    }

    func isStored(_ chunk: Int) -> Bool { chunk < stored.count }

    func activations(of chunk: Int, worker: Int) -> TextChunkActivations {
        isStored(chunk) ? stored[chunk] : recomputed[worker].viewed(as: chunk, of: layout)
    }

    /// Chunks whose activations are computed twice.
    package var recomputedChunkCount: Int { sharedGradients.first?.first?.rowCount == 0 ? 0 : layout.chunks.count - stored.count }
}
