import Tensors

/// The vision prompts of one step, as the layers use them: computed once, read by every frame.
package struct VisionPromptContext: Sendable {
    struct Layer: Sendable {
        /// `[tokens, width]`, the prompts as rows of the layer's input.
        let rows: Matrix
        let statistics: LayerNormStatistics
        /// `[tokens, 2 × width]`; only where the layer's prompts are shared.
        let keyValue: MutableMatrix?
    }

    /// One a prompted layer, from `firstLayer` on.
    let layers: [Layer]
    let firstLayer: Int
    /// Of the tower's input norm, through which the first layer's prompts pass where `VisionLayout.normalizesPrompts`.
    let inputStatistics: LayerNormStatistics
    let prompts: [Matrix]
    /// `[patches, width]`, what is added to pixels as the patches' projection makes it: that is linear, so that every frame adds it to its
    /// own. Nil where nothing is.
    var pixelRows: Matrix? = nil
    /// Where in the frames it was added.
    var pixelPlace: PixelArea.Place? = nil
    /// Of low-rank updates in place of prompts.
    var dropout: LowRankDropout? = nil

    func rows(of layer: Int) -> Matrix { layers[layer - firstLayer].rows }

    func keyValue(of layer: Int) -> Matrix? {
        layers.indices.contains(layer - firstLayer) ? layers[layer - firstLayer].keyValue?.reading : nil
    }
}

extension VisionPromptContext {
    /// Without prompts.
    init(dropout: LowRankDropout) {
        self.init(layers: [], firstLayer: 0, inputStatistics: LayerNormStatistics(rows: 0), prompts: [], dropout: dropout)
    }

    /// The same as one chunk of a clip in flight sees it.
    func at(clip: Int, chunk: Int) -> VisionPromptContext {
        guard let dropout else { return self }
        var result = self
        result.dropout = dropout.at(clip: clip, chunk: chunk)
        return result
    }
}

/// What frames add up for the prompts of each layer: gradients of keys and values `[tokens, 2 × width]`
/// where these are shared, of rows `[tokens, width]` where prompts join the frames; of projected patches `[patches, width]` where
/// something is added to pixels.
package struct VisionPromptAccumulator: Sendable {
    let layers: [MutableMatrix]
    /// Nil where nothing is added to pixels.
    let pixelRows: MutableMatrix?
    private let firstLayer: Int

    func sum(of layer: Int) -> MutableMatrix { layers[layer - firstLayer] }

    package init(layout: VisionLayout) {
        firstLayer = layout.promptLayers.lowerBound
        layers = Self.layerShapes(of: layout).map { MutableMatrix(rows: $0.rows, columns: $0.columns) }
        pixelRows = Self.pixelShape(of: layout).map { MutableMatrix(rows: $0.rows, columns: $0.columns) }
    }

    /// In memory that is there: `[1, count]` from its start on.
    init(layout: VisionLayout, in memory: MutableMatrix) {
        firstLayer = layout.promptLayers.lowerBound
        var start = 0
        func next(_ shape: (rows: Int, columns: Int)) -> MutableMatrix {
            defer { start += shape.rows * shape.columns }
            return memory.columns(start..<start + shape.rows * shape.columns).reshaped(rows: shape.rows, columns: shape.columns)
        }
        layers = Self.layerShapes(of: layout).map(next)
        pixelRows = Self.pixelShape(of: layout).map(next)
    }

    /// Numbers of all layers and of the patches.
    static func count(of layout: VisionLayout) -> Int {
        (layerShapes(of: layout) + [pixelShape(of: layout)].compactMap(\.self)).reduce(0) { $0 + $1.rows * $1.columns }
    }

    private static func pixelShape(of layout: VisionLayout) -> (rows: Int, columns: Int)? {
        layout.promptsPixels ? (layout.architecture.patchCount, layout.architecture.vision.width) : nil
    }

    private static func layerShapes(of layout: VisionLayout) -> [(rows: Int, columns: Int)] {
        let width = layout.architecture.vision.width
        return layout.promptLayers.map { (layout.promptTokens, layout.mode(of: $0) == .shared ? 2 * width : width) }
    }

    private var all: [MutableMatrix] { layers + [pixelRows].compactMap(\.self) }

    package func reset() { for sum in all { sum.fill(0) } }

    package func add(_ other: VisionPromptAccumulator) {
        for (own, added) in zip(all, other.all) { Tensors.add(added, to: own) }
    }
}

extension VisionTower {
    /// The rows, keys and values of the prompts, and the projection of what is added to pixels, once a step.
    ///
    /// - Parameter pixelPlace: of a patch in the frames; where nothing is drawn if nil.
    package func promptContext(
        for prompts: PromptSet<Matrix>, layout: VisionLayout, pixelPlace: PixelArea.Place? = nil
    ) -> VisionPromptContext {
        let width = architecture.vision.width
        let inputStatistics = LayerNormStatistics(rows: layout.promptTokens)
        let layers = zip(layout.promptLayers, prompts.vision).map { layer, prompt in
            var rows = prompt
            if layer == 0, layout.normalizesPrompts, let norm = parameters.inputNorm {
                let normalized = MutableMatrix(rows: prompt.rowCount, columns: width)
                layerNorm(prompt, weight: norm.weight, bias: norm.bias, into: normalized, saving: inputStatistics)
                rows = normalized.reading
            }
            let statistics = LayerNormStatistics(rows: prompt.rowCount)
            guard layout.mode(of: layer) == .shared else {
                return VisionPromptContext.Layer(rows: rows, statistics: statistics, keyValue: nil)
            }
            let keyValue = MutableMatrix(rows: prompt.rowCount, columns: 2 * width)
            blocks[layer].sharedKeyValue(
                of: rows, normalized: MutableMatrix(rows: prompt.rowCount, columns: width), statistics: statistics, into: keyValue)
            return VisionPromptContext.Layer(rows: rows, statistics: statistics, keyValue: keyValue)
        }
        return VisionPromptContext(
            layers: layers, firstLayer: layout.promptLayers.lowerBound, inputStatistics: inputStatistics, prompts: prompts.vision,
            pixelRows: prompts.pixels.map { projectedPatches(of: $0.frame(at: pixelPlace)).reading }, pixelPlace: pixelPlace)
    }

    /// `[patches, width]`, without what a convolution's bias adds.
    private func projectedPatches(of frame: MutableMatrix) -> MutableMatrix {
        let patches = MutableMatrix(rows: architecture.patchCount, columns: architecture.patchWidth)
        cutPatches(frame: frame, side: architecture.imagePixels, patch: architecture.patchPixels, into: patches)
        let rows = MutableMatrix(rows: architecture.patchCount, columns: architecture.vision.width)
        multiply(patches, patchProjection, into: rows)
        return rows
    }

    /// The gradient of `projectedPatches`, `[1, 3 × side × side]`.
    private func frameGradient(ofPatches rowGradient: MutableMatrix) -> MutableMatrix {
        let patches = MutableMatrix(rows: architecture.patchCount, columns: architecture.patchWidth)
        multiplyBackward(rowGradient, patchProjection, into: patches)
        let frame = MutableMatrix(rows: 1, columns: 3 * architecture.imagePixels * architecture.imagePixels)
        joinPatches(patches, side: architecture.imagePixels, patch: architecture.patchPixels, into: frame)
        return frame
    }

    /// Turns what the frames added up into gradients of the prompts, added to `gradients`.
    package func promptBackward(
        accumulator: VisionPromptAccumulator, context: VisionPromptContext, layout: VisionLayout, into gradients: PromptSet<MutableMatrix>
    ) {
        if let rowGradient = accumulator.pixelRows, let pixels = gradients.pixels {
            pixels.backward(frameGradient: frameGradient(ofPatches: rowGradient), at: context.pixelPlace, into: pixels)
        }
        for (index, layer) in context.layers.enumerated() {
            let number = context.firstLayer + index
            let rowGradient: MutableMatrix
            if layout.mode(of: number) == .shared {
                rowGradient = MutableMatrix(rows: layer.rows.rowCount, columns: layer.rows.columnCount)
                blocks[number].sharedKeyValueBackward(
                    keyValueGradient: accumulator.layers[index], rows: layer.rows, statistics: layer.statistics, rowGradient: rowGradient)
            } else {
                rowGradient = accumulator.layers[index]
            }
            if number == 0, layout.normalizesPrompts, let norm = parameters.inputNorm {
                layerNormBackward(
                    outputGradient: rowGradient, input: context.prompts[0], weight: norm.weight,
                    saved: context.inputStatistics, inputGradient: gradients.vision[0])
            } else {
                add(rowGradient, to: gradients.vision[index])
            }
        }
    }
}
