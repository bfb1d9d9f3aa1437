import Tensors

/// Bytes that a step's matrices take, added up from the shapes that the towers allocate. Buffers of a few rows
/// are left out.
package struct MemoryCount: Sendable, Equatable, Codable {
    /// Activations of the frames that are in memory together, and the workers' scratch memory.
    package var vision: Int
    package var text: Int
    /// Both towers of the classifier that evaluates between epochs.
    package var evaluation: Int

    /// Parameters as for `OperationCount` and the learners.
    package init(
        _ architecture: CLIPArchitecture, learned: LearnedPart, sequences: [[Int]], frameCount: Int, threadCount: Int,
        activationBytes: Int = 2 << 30
    ) {
        let pass = VisionPass.Sizes(
            layout: VisionLayout(architecture: architecture, prompts: learned.prompts), frameCount: frameCount,
            activationBytes: activationBytes)
        let text = TextTowerLayout(
            batch: TextBatch(sequences: sequences, promptTokens: learned.prompts.textTokens),
            promptDepth: learned.prompts.textDepth, architecture: architecture)
        vision = Self.vision(pass, forGradients: learned.vision, threadCount: threadCount)
        self.text = Self.text(text, architecture: architecture, forGradients: learned.text)
        evaluation = Self.vision(pass, forGradients: false, threadCount: threadCount)
            + Self.text(text, architecture: architecture, forGradients: false)
    }

    private static func vision(_ sizes: VisionPass.Sizes, forGradients: Bool, threadCount: Int) -> Int {
        let layout = sizes.layout
        let tower = layout.architecture.vision
        func activations(frames: Int) -> Int {
            let shapes = (0..<layout.layerCount).map { layout.shape(of: $0, frameCount: frames) }
            // Without gradients, layers of one shape take turns with two memories.
            let kept = forGradients ? shapes : shapes.enumerated().filter { $0.offset < 2 || shapes[$0.offset - 2] != $0.element }.map(\.element)
            let stream = frames * layout.frameRows * tower.width * (layout.joinLayer == nil ? 1 : 2)
            return kept.reduce(stream) { $0 + floats(of: $1, tower: tower) }
        }
        let longest = sizes.chunks.map(\.count).max() ?? 1
        let shapes = (0..<layout.layerCount).map { layout.shape(of: $0, frameCount: longest) }
        var scratch = Self.scratch(for: shapes, width: tower.width, forGradients: forGradients)
        if forGradients { scratch += 3 * longest * (layout.frameRows + layout.promptTokens) * tower.width }
        let slots = forGradients
            ? sizes.waveClipCount * sizes.chunks.reduce(0) { $0 + activations(frames: $1.count) }
            : threadCount * (activations(frames: longest) + activations(frames: sizes.chunks.map(\.count).min() ?? 1))
        return 4 * (slots + threadCount * scratch)
    }

    private static func text(_ layout: TextTowerLayout, architecture: CLIPArchitecture, forGradients: Bool) -> Int {
        let width = architecture.text.width
        let prefix = (0..<layout.layerCount).map { layout.prefixShape(of: $0) }
        var floats = prefix.reduce(scratch(for: prefix, width: width, forGradients: forGradients)) {
            $0 + Self.floats(of: $1, tower: architecture.text)
        }
        for chunk in layout.chunks.indices {
            let shapes = (0..<layout.layerCount).map { layout.chunkShape(of: chunk, layer: $0) }
            floats += shapes.reduce(scratch(for: shapes, width: width, forGradients: forGradients)) {
                $0 + Self.floats(of: $1, tower: architecture.text)
            }
            let rows = shapes.first?.groups.rowCount ?? 0
            if forGradients { floats += layout.layerCount * layout.batch.prefix.count * 2 * width + 2 * rows * width }
        }
        return 4 * floats
    }

    /// As `BlockActivations` allocates.
    private static func floats(of shape: BlockShape, tower: CLIPArchitecture.Tower) -> Int {
        let rows = shape.groups.rowCount
        let queries = shape.queryCount
        let scores = (0..<shape.groups.count).reduce(0) {
            $0 + shape.queryRows(of: $1).count * (shape.sharedCount + shape.groups.length(of: $1))
        }
        return 4 * rows * tower.width + (shape.queries == .every ? 0 : queries * tower.width) + tower.headCount * scores
            + 6 * queries * tower.width
    }

    /// As `BlockScratch` allocates.
    private static func scratch(for shapes: [BlockShape], width: Int, forGradients: Bool) -> Int {
        let rows = shapes.map(\.groups.rowCount).max() ?? 0
        return rows * width * (forGradients ? 6 + 12 : 6)
    }
}
