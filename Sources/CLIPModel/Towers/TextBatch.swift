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
    /// Positions `1 ... promptTokens` hold prompts instead of embeddings.
    let promptTokens: Int

    /// - Parameters:
    ///   - sequences: one a class, from start to end token. With prompts, positions
    ///     `1 ... promptTokens` hold any token.
    package init(sequences: [[Int]], promptTokens: Int) {
        precondition(!sequences.isEmpty && sequences.allSatisfy { $0.count >= promptTokens + 2 }, "class sequences are too short")
        self.promptTokens = promptTokens
        let sharedCount: Int
        if promptTokens > 0 {
            sharedCount = 1 + promptTokens
        } else {
            let limit = (sequences.map(\.count).min() ?? 2) - 1
            sharedCount = (0..<limit).first { position in sequences.contains { $0[position] != sequences[0][position] } } ?? limit
        }
        prefix = Array(sequences[0][0..<max(1, sharedCount)])
        suffixes = sequences.map { Array($0[max(1, sharedCount)...]) }
    }

    package var classCount: Int { suffixes.count }
}

/// How a text batch goes through the layers: prefix first, then the classes in chunks.
package struct TextTowerLayout: Sendable, Equatable {
    /// Classes go together until their own tokens fill about this many rows.
    private static let chunkRows = 256

    let batch: TextBatch
    let promptDepth: Int
    let layerCount: Int
    /// Classes of each chunk.
    let chunks: [Range<Int>]

    package init(batch: TextBatch, promptDepth: Int, architecture: CLIPArchitecture) {
        self.batch = batch
        self.promptDepth = promptDepth
        layerCount = architecture.text.layerCount
        var chunks: [Range<Int>] = []
        var start = 0
        var rows = 0
        for (index, suffix) in batch.suffixes.enumerated() {
            if rows > 0 && rows + suffix.count > Self.chunkRows {
                chunks.append(start..<index)
                start = index
                rows = 0
            }
            rows += suffix.count
        }
        chunks.append(start..<batch.classCount)
        self.chunks = chunks
    }

    /// Whether the layer's input takes learned prompts in place of the layer below's outputs.
    func replacesPrompts(at layer: Int) -> Bool { batch.promptTokens > 0 && layer < promptDepth }

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
    let scratch: BlockScratch
    let endRows: MutableMatrix
    let outputNorm: LayerNormStatistics
    let normalised: MutableMatrix
    /// Gradients of the prefix's keys and values that this chunk adds up, one `[prefix, 2 × width]` a layer.
    let sharedGradients: [MutableMatrix]
    let gradients: [MutableMatrix]
}

/// What the text tower keeps of a forward pass.
package final class TextActivations: Sendable {
    let layout: TextTowerLayout
    let prefix: [BlockActivations]
    let prefixScratch: BlockScratch
    let chunks: [TextChunkActivations]
    /// `[classes, embeddingWidth]`, not normalised.
    package let features: MutableMatrix

    package init(layout: TextTowerLayout, architecture: CLIPArchitecture, forGradients: Bool) {
        let tower = architecture.text
        self.layout = layout
        let prefixShapes = (0..<layout.layerCount).map { layout.prefixShape(of: $0) }
        prefix = prefixShapes.map { BlockActivations(shape: $0, tower: tower) }
        prefixScratch = BlockScratch(for: prefixShapes, tower: tower, forGradients: forGradients)
        chunks = layout.chunks.enumerated().map { index, classes in
            let shapes = (0..<layout.layerCount).map { layout.chunkShape(of: index, layer: $0) }
            let rows = shapes.first?.groups.rowCount ?? 0
            return TextChunkActivations(
                classes: classes, blocks: shapes.map { BlockActivations(shape: $0, tower: tower) },
                scratch: BlockScratch(for: shapes, tower: tower, forGradients: forGradients),
                endRows: MutableMatrix(rows: classes.count, columns: tower.width),
                outputNorm: LayerNormStatistics(rows: classes.count),
                normalised: MutableMatrix(rows: classes.count, columns: tower.width),
                sharedGradients: shapes.map { _ in
                    MutableMatrix(rows: forGradients ? layout.batch.prefix.count : 0, columns: 2 * tower.width)
                },
                gradients: (0..<2).map { _ in MutableMatrix(rows: forGradients ? rows : 0, columns: tower.width) })
        }
        features = MutableMatrix(rows: layout.batch.classCount, columns: architecture.embeddingWidth)
    }
}
