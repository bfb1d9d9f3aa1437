import Tensors
import WeightFiles

/// A vision tower with its prompts in a graph, as `VisionTower` computes it.
struct VisionGraph {
    let tower: VisionTower
    let layout: VisionLayout
    /// Nil without prompts.
    let context: VisionPromptContext?
    /// Of pixels in 0 … 1, for each channel.
    let mean, deviation: [Float]

    private var architecture: CLIPArchitecture { tower.architecture }
    private var width: Int { architecture.vision.width }

    /// - Parameter frames: `[frames, 3, side, side]`, RGB in 0 … 1.
    /// - Returns: the frames' features, `[frames, embeddingWidth]`, not normalized.
    /// - Precondition: frames do not see each other, and no tokens merge.
    func add(frames: String, to graph: inout GraphBuilder) -> String {
        precondition(!layout.mixesFrames && layout.mergedTokens == 0, "frames that see each other and tokens that merge have no graph")
        let frameShape = graph.add("Shape", frames, attributes: [("start", .integer(0)), ("end", .integer(1))], name: "frame_count")
        let rowShape = graph.concatenated(frameShape, graph.integers(1, 1), axis: 0, name: "row_shape")
        let groupShape = context.map { _ in graph.concatenated(frameShape, graph.integers(1, 1, 1), axis: 0, name: "group_shape") }
        let blocks = tower.blocks
        var rows = embedded(frames, rowShape: rowShape, to: &graph)
        for (layer, block) in blocks.enumerated() {
            if layer == layout.joinLayer, let context {
                let prompts = expanded(context.rows(of: layer), rowShape: rowShape, name: "prompts.\(layer)", to: &graph)
                rows = graph.concatenated(rows, prompts, axis: 1, name: "rows_with_prompts")
            }
            let description = BlockGraph(
                parameters: block.parameters, headCount: block.headCount, activation: block.activation, normEpsilon: block.normEpsilon,
                shared: groupShape.flatMap { shape in context?.keyValue(of: layer).map { ($0, shape) } }, rotation: block.rotation?.tables(rowCount: layout.rows(of: layer)),
                readsFirstRow: layer == blocks.count - 1 && !layout.readsEveryRow)
            rows = description.add(rows, to: &graph, name: "blocks.\(layer)")
        }
        let output = tower.pooling.map { pooled($0, rows, to: &graph) } ?? classToken(of: rows, to: &graph)
        guard let projection = tower.parameters.projection else { return output }
        return graph.add("MatMul", output, graph.constant(projection, name: "projection"), name: "features")
    }

    /// Patches with the class token before them, their places, and the tower's first norm: `[frames, rows, width]`.
    private func embedded(_ frames: String, rowShape: String, to graph: inout GraphBuilder) -> String {
        let parameters = tower.parameters
        let patch = architecture.patchPixels
        let (mean, deviation) = (mean, deviation)
        let means = graph.graph.addConstant("pixel_mean", shape: [1, 3, 1, 1]) { mean }
        let deviations = graph.graph.addConstant("pixel_std", shape: [1, 3, 1, 1]) { deviation }
        let pixels = graph.add("Div", graph.add("Sub", frames, means, name: "centered_pixels"), deviations, name: "normalized_pixels")
        let weight = graph.constant(parameters.patchProjection, shape: [width, 3, patch, patch], name: "patch_projection")
        let inputs = [pixels, weight] + (parameters.patchBias.map { [graph.constant($0, shape: [width], name: "patch_bias")] } ?? [])
        let planes = graph.graph.add(
            "Conv", inputs, [("kernel_shape", .integers([patch, patch])), ("strides", .integers([patch, patch]))], name: "patch_planes")
        let flat = graph.add("Reshape", planes, graph.integers(0, width, architecture.patchCount), name: "flat_planes")
        var rows = graph.add("Transpose", flat, attributes: [("perm", .integers([0, 2, 1]))], name: "patches")
        if let pixelRows = context?.pixelRows {
            rows = graph.add("Add", rows, graph.constant(pixelRows, name: "prompts_in_pixels"), name: "prompted_patches")
        }
        if let classEmbedding = parameters.classEmbedding {
            let token = expanded(classEmbedding, rowShape: rowShape, name: "class_token", to: &graph)
            rows = graph.concatenated(token, rows, axis: 1, name: "tokens")
        }
        rows = graph.add("Add", rows, graph.constant(parameters.positionalEmbedding, name: "positions"), name: "placed_tokens")
        return parameters.inputNorm.map { graph.layerNorm(rows, $0, epsilon: architecture.form.normEpsilon, name: "input_norm") } ?? rows
    }

    /// The same rows for every frame: `[frames, rows, width]`.
    private func expanded(_ rows: Matrix, rowShape: String, name: String, to graph: inout GraphBuilder) -> String {
        let count = rows.count / width
        return graph.add("Expand", graph.constant(rows, shape: [1, count, width], name: name), rowShape, name: name + "/expanded")
    }

    /// `[frames, width]`, behind the last norm.
    private func classToken(of rows: String, to graph: inout GraphBuilder) -> String {
        let token = graph.add("Reshape", rows, graph.integers(-1, width), name: "class_rows")
        return graph.layerNorm(token, tower.parameters.outputNorm, epsilon: architecture.form.normEpsilon, name: "output_norm")
    }

    /// All tokens of a frame as one row, as `AttentionPooling` makes it: `[frames, width]`.
    private func pooled(_ pooling: AttentionPooling, _ rows: String, to graph: inout GraphBuilder) -> String {
        let normalized = graph.layerNorm(rows, tower.parameters.outputNorm, epsilon: architecture.form.normEpsilon, name: "output_norm")
        let hasPrompts = layout.outputRows > layout.frameRows
        let (width, frameRows) = (width, layout.frameRows)
        return graph.within("pooling") { graph in
            let tokens = hasPrompts ? graph.rows(0..<frameRows, of: normalized, name: "frame_rows") : normalized
            let parameters = pooling.parameters
            let input = parameters.attentionInput
            // The probe asks every frame the same.
            let query = MutableMatrix(rows: 1, columns: width)
            Tensors.linear(
                parameters.probe.reshaped(rows: 1, columns: width), weight: input.weight.rows(0..<width), bias: input.bias.columns(0..<width), into: query)
            let headWidth = width / pooling.headCount
            let keyValue = graph.linear(
                tokens, weight: input.weight.rows(width..<3 * width), bias: input.bias.columns(width..<3 * width), name: "key_value")
            let parts = graph.split(keyValue, widths: [width, width], names: ["key", "value"])
                .enumerated().map { graph.heads(of: $1, headCount: pooling.headCount, headWidth: headWidth, name: "heads_\($0)") }
            let attended = graph.attention(
                queries: graph.headConstant(query.reading, headCount: pooling.headCount, name: "probe"), keys: parts[0], values: parts[1],
                headCount: pooling.headCount, headWidth: headWidth, name: "attended")
            let row = graph.add("Reshape", attended, graph.integers(-1, width), name: "row")
            let output = graph.linear(row, parameters.attentionOutput, name: "attention_output")
            return graph.residualMLP(
                output, parameters.mlp, activation: pooling.activation, normEpsilon: pooling.normEpsilon, name: "mlp")
        }
    }
}

extension RotaryPositions {
    /// `[rows, headWidth]` each, for all rows of a frame: those without a place are turned by no angle.
    func tables(rowCount: Int) -> (cosines: Matrix, sines: Matrix) {
        let headWidth = 2 * cosines.columnCount
        let (wideCosines, wideSines) = (MutableMatrix(rows: rowCount, columns: headWidth), MutableMatrix(rows: rowCount, columns: headWidth))
        wideCosines.fill(1)
        for patch in 0..<cosines.rowCount {
            for column in 0..<headWidth {
                wideCosines[firstRow + patch, column] = cosines[patch, column / 2]
                wideSines[firstRow + patch, column] = sines[patch, column / 2]
            }
        }
        return (wideCosines.reading, wideSines.reading)
    }
}
