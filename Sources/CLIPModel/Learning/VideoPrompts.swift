import Tensors

/// What X-CLIP adds to the texts of the classes for one video: layers in which the texts query the video's patches.
///
///     visual  = LN(mean over frames of LN(patches) · P)
///     x       = texts;  x = x + attention(LN(x), visual);  x = x + W_p · activation(W_f · LN(x))  for each layer
///     prompted = texts + α · x
///
/// Source: Ni et al., ECCV 2022, section 3.3, video-specific prompting; `methods.md` 6.
package struct VideoPrompts: Sendable {
    let parameters: VideoPromptParameters<MutableMatrix>
    let headCount: Int

    /// What a backward pass needs of one clip.
    package struct Activations {
        /// `[frames × patches, vision width]`
        let patches: MutableMatrix
        let patchNorm: LayerNormStatistics
        /// `[patches, vision width]`, the mean over frames.
        let meanPatches: MutableMatrix
        /// `[patches, embeddingWidth]`, before and behind its norm.
        let projected, visual: MutableMatrix
        let norm: LayerNormStatistics
        let layers: [Layer]
        /// `[classes, embeddingWidth]`, what the last layer makes of the texts.
        let output: MutableMatrix

        struct Layer {
            /// `[classes, embeddingWidth]`
            let input, normalized, queries, attended: MutableMatrix
            let queryNorm: LayerNormStatistics
            /// Behind the attention.
            let mlp: ResidualMLPActivations
            /// `[patches, 2 × embeddingWidth]`
            let keyValue: MutableMatrix
            let logSums: MutableMatrix
            let scratch: AttentionScratch
        }
    }

    /// The texts as the video's patches make them.
    ///
    /// - Parameters:
    ///   - texts: `[classes, embeddingWidth]`, not normalized.
    ///   - patches: `[frames × patches, vision width]`.
    /// - Returns: `[classes, embeddingWidth]`, not normalized.
    func forward(texts: Matrix, patches: MutableMatrix, frameCount: Int) -> (prompted: MutableMatrix, saved: Activations) {
        let p = parameters
        let (visionWidth, width) = (patches.columnCount, texts.columnCount)
        let patchCount = patches.rowCount / frameCount
        let patchNorm = LayerNormStatistics(rows: patches.rowCount)
        let normalized = MutableMatrix(rows: patches.rowCount, columns: visionWidth)
        layerNorm(patches, weight: p.patchNorm.weight, bias: p.patchNorm.bias, into: normalized, saving: patchNorm)
        // The projection is linear: the mean over frames is projected once.
        let meanPatches = MutableMatrix(rows: patchCount, columns: visionWidth)
        for frame in 0..<frameCount { add(normalized.rows(frame * patchCount..<(frame + 1) * patchCount), times: 1 / Float(frameCount), to: meanPatches) }
        let projected = MutableMatrix(rows: patchCount, columns: width)
        multiply(meanPatches, .asStored, p.patchProjection, .asStored, into: projected)
        let (norm, visual) = (LayerNormStatistics(rows: patchCount), MutableMatrix(rows: patchCount, columns: width))
        layerNorm(projected, weight: p.norm.weight, bias: p.norm.bias, into: visual, saving: norm)

        var stream = MutableMatrix(rows: texts.rowCount, columns: width)
        stream.copy(texts)
        var layers: [Activations.Layer] = []
        for layer in p.layers {
            let output = MutableMatrix(rows: texts.rowCount, columns: width)
            layers.append(forward(stream, visual: visual, layer: layer, into: output))
            stream = output
        }
        let prompted = MutableMatrix(rows: texts.rowCount, columns: width)
        prompted.copy(stream)
        for row in 0..<prompted.rowCount { multiplyPlaces(of: prompted.row(row), by: p.scale) }
        add(texts, to: prompted)
        return (prompted, Activations(
            patches: patches, patchNorm: patchNorm, meanPatches: meanPatches, projected: projected, visual: visual, norm: norm, layers: layers,
            output: stream))
    }

    private func forward(
        _ input: MutableMatrix, visual: MutableMatrix, layer p: CrossAttentionParameters<MutableMatrix>, into output: MutableMatrix
    ) -> Activations.Layer {
        let (classes, width, patchCount) = (input.rowCount, input.columnCount, visual.rowCount)
        func memory(_ columns: Int) -> MutableMatrix { MutableMatrix(rows: classes, columns: columns) }
        let saved = Activations.Layer(
            input: input, normalized: memory(width), queries: memory(width), attended: memory(width), queryNorm: LayerNormStatistics(rows: classes),
            mlp: ResidualMLPActivations(rows: classes, width: width, mlpWidth: p.mlp.input.weight.rowCount),
            keyValue: MutableMatrix(rows: patchCount, columns: 2 * width), logSums: MutableMatrix(rows: 1, columns: headCount * classes),
            scratch: AttentionScratch(scoreCount: classes * patchCount, keyCount: patchCount, headWidth: width / headCount, forGradients: true))
        layerNorm(input, weight: p.queryNorm.weight, bias: p.queryNorm.bias, into: saved.normalized, saving: saved.queryNorm)
        multiply(saved.normalized, .asStored, p.query, .transposed, into: saved.queries)
        multiply(visual, .asStored, p.key, .transposed, into: saved.keyValue.columns(0..<width))
        multiply(visual, .asStored, p.value, .transposed, into: saved.keyValue.columns(width..<2 * width))
        attention(
            queries: saved.queries, sources: AttentionSources(shared: nil, own: saved.keyValue), headCount: headCount, mask: .none,
            logSums: saved.logSums, scratch: saved.scratch, output: saved.attended)
        add(p.output.bias, toRowsOf: input, into: saved.mlp.input)
        multiply(saved.attended, .asStored, p.output.weight, .transposed, into: saved.mlp.input, adding: true)
        mlp(of: p).forward(saved: saved.mlp, output: output)
        return saved
    }

    private func mlp(of layer: CrossAttentionParameters<MutableMatrix>) -> ResidualMLP<MutableMatrix> {
        ResidualMLP(parameters: layer.mlp, activation: .quickGELU)
    }

    /// The gradient of `forward` with respect to patches and parameters; the texts stay as they are.
    ///
    /// - Parameters:
    ///   - promptedGradient: `[classes, embeddingWidth]`.
    ///   - patchGradient: `[frames × patches, vision width]`, added to.
    ///   - gradients: of the parameters, added to; nil where they stay as they are.
    func backward(
        _ promptedGradient: MutableMatrix, saved: Activations, frameCount: Int, patchGradient: MutableMatrix,
        gradients: VideoPromptParameters<MutableMatrix>?
    ) {
        let p = parameters
        let width = promptedGradient.columnCount
        var streamGradient = MutableMatrix(rows: promptedGradient.rowCount, columns: width)
        streamGradient.copy(promptedGradient)
        multiplyPlaces(of: streamGradient, by: saved.output)
        if let gradients { sumRows(of: streamGradient, into: gradients.scale) }
        streamGradient.copy(promptedGradient)
        for row in 0..<streamGradient.rowCount { multiplyPlaces(of: streamGradient.row(row), by: p.scale) }
        let visualGradient = MutableMatrix(rows: saved.visual.rowCount, columns: width)
        for layer in p.layers.indices.reversed() {
            streamGradient = backward(
                streamGradient, saved: saved.layers[layer], visual: saved.visual, layer: p.layers[layer], visualGradient: visualGradient,
                gradients: gradients?.layers[layer])
        }
        let projectedGradient = MutableMatrix(rows: saved.projected.rowCount, columns: width)
        layerNormBackward(
            outputGradient: visualGradient, input: saved.projected, weight: p.norm.weight, saved: saved.norm, inputGradient: projectedGradient)
        let meanGradient = MutableMatrix(rows: saved.meanPatches.rowCount, columns: saved.meanPatches.columnCount)
        multiply(projectedGradient, .asStored, p.patchProjection, .transposed, into: meanGradient, scale: 1 / Float(frameCount))
        let normGradient = MutableMatrix(rows: saved.patches.rowCount, columns: saved.patches.columnCount)
        for frame in 0..<frameCount { normGradient.rows(frame * meanGradient.rowCount..<(frame + 1) * meanGradient.rowCount).copy(meanGradient) }
        layerNormBackward(
            outputGradient: normGradient, input: saved.patches, weight: p.patchNorm.weight, saved: saved.patchNorm, inputGradient: patchGradient)
        guard let gradients else { return }
        gradients.norm.add(outputGradient: visualGradient, input: saved.projected, saved: saved.norm)
        multiply(saved.meanPatches, .transposed, projectedGradient, .asStored, into: gradients.patchProjection, adding: true)
        gradients.patchNorm.add(outputGradient: normGradient, input: saved.patches, saved: saved.patchNorm)
    }

    /// From the gradient of a layer's output to that of its input.
    ///
    /// - Parameter visualGradient: added to.
    private func backward(
        _ outputGradient: MutableMatrix, saved: Activations.Layer, visual: MutableMatrix, layer p: CrossAttentionParameters<MutableMatrix>,
        visualGradient: MutableMatrix, gradients: CrossAttentionParameters<MutableMatrix>?
    ) -> MutableMatrix {
        let (classes, width) = (outputGradient.rowCount, outputGradient.columnCount)
        func memory(_ columns: Int) -> MutableMatrix { MutableMatrix(rows: classes, columns: columns) }
        let behindAttention = mlp(of: p).backward(outputGradient, saved: saved.mlp)
        // The attention's own, until what passes round it joins.
        let gradient = behindAttention.inputGradient
        let attendedGradient = memory(width)
        multiply(gradient, .asStored, p.output.weight, .asStored, into: attendedGradient)
        let (queryGradient, keyValueGradient) = (memory(width), MutableMatrix(rows: visual.rowCount, columns: 2 * width))
        attentionBackward(
            outputGradient: attendedGradient, queries: saved.queries, sources: AttentionSources(shared: nil, own: saved.keyValue),
            headCount: headCount, mask: .none, logSums: saved.logSums, scratch: saved.scratch, queryGradient: queryGradient,
            sourceGradients: AttentionSources(shared: nil, own: keyValueGradient))
        let (keyGradient, valueGradient) = (keyValueGradient.columns(0..<width), keyValueGradient.columns(width..<2 * width))
        multiply(keyGradient, .asStored, p.key, .asStored, into: visualGradient, adding: true)
        multiply(valueGradient, .asStored, p.value, .asStored, into: visualGradient, adding: true)
        let normGradient = memory(width)
        multiply(queryGradient, .asStored, p.query, .asStored, into: normGradient)
        if let gradients {
            behindAttention.add(to: gradients.mlp)
            gradients.output.add(outputGradient: gradient, input: saved.attended)
            multiply(queryGradient, .transposed, saved.normalized, .asStored, into: gradients.query, adding: true)
            multiply(keyGradient, .transposed, visual, .asStored, into: gradients.key, adding: true)
            multiply(valueGradient, .transposed, visual, .asStored, into: gradients.value, adding: true)
            gradients.queryNorm.add(outputGradient: normGradient, input: saved.input, saved: saved.queryNorm)
        }
        layerNormBackward(outputGradient: normGradient, input: saved.input, weight: p.queryNorm.weight, saved: saved.queryNorm, inputGradient: gradient)
        return gradient
    }
}
