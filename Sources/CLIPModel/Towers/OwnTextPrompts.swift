import Tensors

// Prompts where texts are not masked: they see the class name, so that each class has them as its own first rows.

extension TextTower {
    /// Keeps the prompts for all chunks, and for those that are computed again on the way back.
    ///
    /// - Parameter prompts: one `[tokens, width]` a prompted layer; those of the first layer get their positions.
    func keepOwnPrompts(_ prompts: [Matrix], saved: TextActivations) {
        for (prompts, own) in zip(prompts, saved.ownPrompts) { own.copy(prompts) }
        guard let first = saved.ownPrompts.first, saved.layout.replacesPrompts(at: 0) else { return }
        add(parameters.positionalEmbedding.rows(0..<first.rowCount), to: first)
    }

    /// Puts a layer's prompts where the layer below left others, or words.
    ///
    /// - Parameter rows: of a chunk of classes, the input of the layer.
    func placeOwnPrompts(in rows: MutableMatrix, at layer: Int, chunk: Int, saved: TextActivations) {
        guard let place = saved.layout.ownPromptPlace(of: layer) else { return }
        for own in promptRows(of: rows, at: layer, chunk: chunk, layout: saved.layout) { own.copy(saved.ownPrompts[place]) }
    }

    /// The gradient of `placeOwnPrompts`: a chunk's sum for the prompts, and nothing for what stood in their places.
    func takeOwnPrompts(from gradient: MutableMatrix, at layer: Int, chunk: Int, saved: TextActivations) {
        guard let place = saved.layout.ownPromptPlace(of: layer) else { return }
        let sum = saved.ownPromptGradients[chunk][place]
        sum.fill(0)
        for own in promptRows(of: gradient, at: layer, chunk: chunk, layout: saved.layout) {
            add(own, to: sum)
            own.fill(0)
        }
    }

    /// Each class's prompts among the rows of a chunk.
    private func promptRows(of rows: MutableMatrix, at layer: Int, chunk: Int, layout: TextTowerLayout) -> [MutableMatrix] {
        let groups = layout.chunkShape(of: chunk, layer: layer).groups
        return (0..<groups.count).map { group in
            let first = groups.rows(of: group).lowerBound
            return rows.rows(first..<first + layout.batch.promptTokens)
        }
    }
}
