import Tensors
import WeightFiles

/// A transformer block in a graph, as `TransformerBlock` computes it.
struct BlockGraph {
    let parameters: BlockParameters<Matrix>
    let headCount: Int
    let activation: Activation
    let normEpsilon: Float
    /// `[rows, 2 × width]`, keys and values that every group sees beside its own, and a shape of the number of groups and three
    /// ones, to which they are expanded; nil for none.
    var shared: (keyValue: Matrix, groupShape: String)?
    /// `[rows, headWidth]` each, by which queries and keys are turned; nil where they are not.
    var rotation: (cosines: Matrix, sines: Matrix)?
    /// Whether only the first row of each group leaves the block.
    var readsFirstRow = false

    private var width: Int { parameters.attentionNorm.weight.columnCount }
    private var headWidth: Int { width / headCount }

    /// - Parameter input: `[groups, rows, width]`.
    /// - Returns: `[groups, rows, width]`, with one row where only the first is read.
    func add(_ input: String, to graph: inout GraphBuilder, name: String) -> String {
        graph.within(name) { graph in
            let normalized = graph.layerNorm(input, parameters.attentionNorm, epsilon: normEpsilon, name: "attention_norm")
            let (queries, keys, values) = project(normalized, to: &graph)
            let attended = attend(queries: queries, keys: keys, values: values, to: &graph)
            let residual = readsFirstRow ? graph.rows(0..<1, of: input, name: "first_row") : input
            let middle = graph.add("Add", residual, graph.linear(attended, parameters.attentionOutput, name: "attention_output"), name: "middle")
            let mlp = ResidualMLPParameters(norm: parameters.mlpNorm, input: parameters.mlpInput, output: parameters.mlpOutput)
            return graph.residualMLP(middle, mlp, activation: activation, normEpsilon: normEpsilon, name: "mlp")
        }
    }

    /// Queries, keys and values, `[groups, heads, rows, headWidth]` each.
    private func project(_ normalized: String, to graph: inout GraphBuilder) -> (queries: String, keys: String, values: String) {
        let input = parameters.attentionInput
        var parts: [String]
        if readsFirstRow {
            let first = graph.rows(0..<1, of: normalized, name: "first_normalized")
            parts = [graph.linear(first, weight: input.weight.rows(0..<width), bias: input.bias.columns(0..<width), name: "query")]
            let rest = graph.linear(
                normalized, weight: input.weight.rows(width..<3 * width), bias: input.bias.columns(width..<3 * width), name: "key_value")
            parts += graph.split(rest, widths: [width, width], names: ["key", "value"])
        } else {
            let packed = graph.linear(normalized, input, name: "query_key_value")
            parts = graph.split(packed, widths: [width, width, width], names: ["query", "key", "value"])
        }
        let heads = parts.enumerated().map { graph.heads(of: $1, headCount: headCount, headWidth: headWidth, name: "heads_\($0)") }
        guard let rotation else { return (heads[0], heads[1], heads[2]) }
        let turned = heads.prefix(2).enumerated().map { graph.turned($1, by: rotation, name: "turned_\($0)") }
        return (turned[0], turned[1], heads[2])
    }

    private func attend(queries: String, keys: String, values: String, to graph: inout GraphBuilder) -> String {
        var (keys, values) = (keys, values)
        if let shared {
            func joined(_ own: String, columns: Range<Int>, name: String) -> String {
                let constant = graph.headConstant(shared.keyValue.columns(columns), headCount: headCount, name: "shared_\(name)")
                let expanded = graph.add("Expand", constant, shared.groupShape, name: "expanded_\(name)")
                return graph.concatenated(own, expanded, axis: 2, name: "all_\(name)")
            }
            keys = joined(keys, columns: 0..<width, name: "keys")
            values = joined(values, columns: width..<2 * width, name: "values")
        }
        return graph.attention(queries: queries, keys: keys, values: values, headCount: headCount, headWidth: headWidth, name: "attended")
    }
}

extension GraphBuilder {
    /// `[groups, rows, width]` to `[groups, heads, rows, headWidth]`.
    mutating func heads(of input: String, headCount: Int, headWidth: Int, name: String) -> String {
        let cut = add("Reshape", input, integers(0, 0, headCount, headWidth), name: name + "/cut")
        return add("Transpose", cut, attributes: [("perm", .integers([0, 2, 1, 3]))], name: name)
    }

    /// Rows of a matrix, cut into heads: `[1, heads, rows, headWidth]`.
    mutating func headConstant(_ matrix: Matrix, headCount: Int, name: String) -> String {
        let (rows, headWidth) = (matrix.rowCount, matrix.columnCount / headCount)
        let heads = MutableMatrix(rows: headCount * rows, columns: headWidth)
        for head in 0..<headCount {
            heads.rows(head * rows..<(head + 1) * rows).copy(matrix.columns(head * headWidth..<(head + 1) * headWidth))
        }
        return constant(heads.reading, shape: [1, headCount, rows, headWidth], name: name)
    }

    /// `softmax(Q Kᵀ / √headWidth) V`, `[groups, query rows, width]`.
    ///
    /// - Parameter queries, keys, values: `[groups, heads, rows, headWidth]`.
    mutating func attention(queries: String, keys: String, values: String, headCount: Int, headWidth: Int, name: String) -> String {
        within(name) { graph in
            let scaled = graph.add("Mul", queries, graph.number(1 / Float(headWidth).squareRoot(), name: "factor"), name: "scaled_queries")
            let across = graph.add("Transpose", keys, attributes: [("perm", .integers([0, 1, 3, 2]))], name: "keys_across")
            let scores = graph.add("MatMul", scaled, across, name: "scores")
            let shares = graph.add("Softmax", scores, attributes: [("axis", .integer(-1))], name: "shares")
            let sums = graph.add("MatMul", shares, values, name: "sums")
            let rows = graph.add("Transpose", sums, attributes: [("perm", .integers([0, 2, 1, 3]))], name: "rows")
            return graph.add("Reshape", rows, graph.integers(0, 0, headCount * headWidth), name: "output")
        }
    }

    /// Each pair of numbers turned by its angle, as `rotatePairs` does: what is beside a number, with its sign, is a product
    /// with a matrix of ones.
    fileprivate mutating func turned(_ input: String, by rotation: (cosines: Matrix, sines: Matrix), name: String) -> String {
        let width = rotation.cosines.columnCount
        return within(name) { graph in
            let beside = MutableMatrix(rows: width, columns: width)
            for pair in 0..<width / 2 {
                beside[2 * pair + 1, 2 * pair] = -1
                beside[2 * pair, 2 * pair + 1] = 1
            }
            let swapped = graph.add("MatMul", input, graph.constant(beside.reading, name: "beside"), name: "swapped")
            let along = graph.add("Mul", input, graph.constant(rotation.cosines, name: "cosines"), name: "along")
            return graph.add("Add", along, graph.add("Mul", swapped, graph.constant(rotation.sines, name: "sines"), name: "across"), name: "output")
        }
    }

    /// `input + W_p · activation(W_f · LN(input) + b_f) + b_p`.
    mutating func residualMLP(
        _ input: String, _ parameters: ResidualMLPParameters<Matrix>, activation: Activation, normEpsilon: Float, name: String
    ) -> String {
        within(name) { graph in
            let normalized = graph.layerNorm(input, parameters.norm, epsilon: normEpsilon, name: "norm")
            let hidden = graph.linear(normalized, parameters.input, name: "hidden")
            let activated = graph.activated(hidden, activation, name: "activation")
            return graph.add("Add", input, graph.linear(activated, parameters.output, name: "change"), name: "output")
        }
    }
}
