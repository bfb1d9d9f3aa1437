import Tensors
import WeightFiles

/// Adds the operations of towers and heads to an ONNX graph, in their own words.
///
/// Matrices are stored as the operations take them: the weight of a linear layer lies the other way round than here,
/// `[inputs, outputs]`, as in other programs' exports.
package struct GraphBuilder {
    package var graph: ONNXGraph
    /// Before the names of what is added, such as `blocks.0/`.
    private var scope = ""

    package init(name: String) { graph = ONNXGraph(name: name) }

    // MARK: Names and constants

    /// Adds what `body` adds under names that begin with `name`.
    mutating func within<Result>(_ name: String, _ body: (inout GraphBuilder) -> Result) -> Result {
        let outer = scope
        scope += name + "/"
        defer { scope = outer }
        return body(&self)
    }

    package mutating func add(
        _ operation: String, _ inputs: String..., attributes: [(name: String, value: ONNXGraph.Attribute)] = [], name: String
    ) -> String {
        graph.add(operation, inputs, attributes, name: scope + name)
    }

    package mutating func integers(_ numbers: Int...) -> String { graph.addIntegers(numbers) }

    /// A number, as a constant without dimensions.
    package mutating func number(_ value: Float, name: String) -> String {
        graph.addConstant(scope + name, shape: []) { [value] }
    }

    /// - Parameter shape: of as many numbers; rows and columns by default.
    package mutating func constant(_ matrix: Matrix, shape: [Int]? = nil, name: String) -> String {
        graph.addConstant(scope + name, shape: shape ?? [matrix.rowCount, matrix.columnCount]) { matrix.values }
    }

    /// The matrix with rows as columns.
    package mutating func transposedConstant(_ matrix: Matrix, name: String) -> String {
        graph.addConstant(scope + name, shape: [matrix.columnCount, matrix.rowCount]) { matrix.transposedValues }
    }

    // MARK: Layers

    /// `input · weightᵀ + bias`.
    mutating func linear(_ input: String, weight: Matrix, bias: Matrix, name: String) -> String {
        let weight = transposedConstant(weight, name: name + ".weight")
        let bias = constant(bias, shape: [bias.count], name: name + ".bias")
        let product = add("MatMul", input, weight, name: name + "/product")
        return add("Add", product, bias, name: name)
    }

    mutating func linear(_ input: String, _ parameters: LinearParameters<Matrix>, name: String) -> String {
        linear(input, weight: parameters.weight, bias: parameters.bias, name: name)
    }

    /// Over the last dimension.
    mutating func layerNorm(_ input: String, _ parameters: NormParameters<Matrix>, epsilon: Float, name: String) -> String {
        let weight = constant(parameters.weight, shape: [parameters.weight.count], name: name + ".weight")
        let bias = constant(parameters.bias, shape: [parameters.bias.count], name: name + ".bias")
        return add(
            "LayerNormalization", input, weight, bias, attributes: [("axis", .integer(-1)), ("epsilon", .float(epsilon))], name: name)
    }

    /// Operator set 17 has no GELU: it is written out.
    mutating func activated(_ input: String, _ activation: Activation, name: String) -> String {
        within(name) { graph in
            switch activation {
            case .quickGELU:
                let scaled = graph.add("Mul", input, graph.number(1.702, name: "factor"), name: "scaled")
                return graph.add("Mul", input, graph.add("Sigmoid", scaled, name: "sigmoid"), name: "output")
            case .gelu:
                let scaled = graph.add("Mul", input, graph.number(Float(0.5.squareRoot()), name: "factor"), name: "scaled")
                return graph.halved(input, weight: graph.add("Erf", scaled, name: "erf"))
            case .tanhGELU:
                let square = graph.add("Mul", input, input, name: "square")
                let third = graph.add("Mul", graph.add("Mul", square, input, name: "cube"), graph.number(0.044715, name: "third"), name: "bend")
                let sum = graph.add("Add", input, third, name: "sum")
                let scaled = graph.add("Mul", sum, graph.number(Float((2 / Double.pi).squareRoot()), name: "factor"), name: "scaled")
                return graph.halved(input, weight: graph.add("Tanh", scaled, name: "tanh"))
            }
        }
    }

    /// `½ · input · (1 + weight)`.
    private mutating func halved(_ input: String, weight: String) -> String {
        let sum = add("Add", weight, number(1, name: "one"), name: "weight")
        return add("Mul", add("Mul", input, sum, name: "weighted"), number(0.5, name: "half"), name: "output")
    }

    /// Each vector along the last dimension divided by its length.
    package mutating func normalized(_ input: String, name: String) -> String {
        let length = add("ReduceL2", input, attributes: [("axes", .integers([-1])), ("keepdims", .integer(1))], name: name + "/length")
        // The least length is that of the program itself.
        let divisor = add("Max", length, number(1e-12, name: name + "/least"), name: name + "/divisor")
        return add("Div", input, divisor, name: name)
    }

    /// The mean over one dimension, which is gone then.
    package mutating func mean(_ input: String, over axis: Int, name: String) -> String {
        add("ReduceMean", input, attributes: [("axes", .integers([axis])), ("keepdims", .integer(0))], name: name)
    }

    /// Some rows of each group: `[groups, rows, width]` to `[groups, count, width]`.
    mutating func rows(_ range: Range<Int>, of input: String, name: String) -> String {
        add("Slice", input, integers(range.lowerBound), integers(range.upperBound), integers(1), name: name)
    }

    package mutating func concatenated(_ inputs: String..., axis: Int, name: String) -> String {
        graph.add("Concat", inputs, [("axis", .integer(axis))], name: scope + name)
    }

    /// Parts of the last dimension.
    mutating func split(_ input: String, widths: [Int], names: [String]) -> [String] {
        graph.add("Split", [input, graph.addIntegers(widths)], [("axis", .integer(-1))], names: names.map { scope + $0 })
    }
}
