/// A network as ONNX has it: operations by name, what flows between them by name, and constants.
///
/// It knows no models. Names of operations and their attributes are those of operator set 17 (onnx.ai, "ONNX Operators").
package struct ONNXGraph: Sendable {
    /// A size that is fixed, or chosen by whoever runs the network.
    package enum Dimension: Sendable, Equatable {
        case fixed(Int)
        case named(String)
    }

    /// A float32 tensor that goes in or comes out.
    package struct Value: Sendable, Equatable {
        package let name: String
        package let shape: [Dimension]

        package init(name: String, shape: [Dimension]) {
            self.name = name
            self.shape = shape
        }
    }

    package enum Attribute: Sendable, Equatable {
        case integer(Int)
        case integers([Int])
        case float(Float)
    }

    struct Node: Sendable {
        let operation: String
        let inputs: [String]
        let outputs: [String]
        let attributes: [(name: String, value: Attribute)]
    }

    /// A constant. Large ones are made when they are written, so that no two need be in memory.
    struct Constant: Sendable {
        enum Elements: Sendable {
            case floats(@Sendable () -> [Float])
            case integers([Int])
        }

        let name: String
        let shape: [Int]
        let elements: Elements
    }

    package let name: String
    package private(set) var inputs: [Value] = []
    package private(set) var outputs: [Value] = []
    private(set) var nodes: [Node] = []
    private(set) var constants: [Constant] = []
    private var names: Set<String> = []
    /// Lists of integers that are there already, by their numbers.
    private var integerNames: [[Int]: String] = [:]

    package init(name: String) { self.name = name }

    /// - Returns: the value's name.
    package mutating func addInput(_ name: String, _ shape: [Dimension]) -> String {
        inputs.append(Value(name: unique(name), shape: shape))
        return name
    }

    /// Gives what an operation made the name by which it comes out.
    package mutating func addOutput(_ name: String, _ shape: [Dimension], from value: String) {
        outputs.append(Value(name: unique(name), shape: shape))
        nodes.append(Node(operation: "Identity", inputs: [value], outputs: [name], attributes: []))
    }

    /// Adds an operation with one result.
    ///
    /// - Parameter name: of the result; numbered where it is taken.
    /// - Returns: the result's name.
    @discardableResult
    package mutating func add(
        _ operation: String, _ inputs: [String], _ attributes: [(name: String, value: Attribute)] = [], name: String
    ) -> String {
        add(operation, inputs, attributes, names: [name])[0]
    }

    /// Adds an operation with several results.
    package mutating func add(
        _ operation: String, _ inputs: [String], _ attributes: [(name: String, value: Attribute)] = [], names: [String]
    ) -> [String] {
        for input in inputs { precondition(self.names.contains(input), "\(operation) reads \(input), which nothing makes") }
        let outputs = names.map { unique($0) }
        nodes.append(Node(operation: operation, inputs: inputs, outputs: outputs, attributes: attributes))
        return outputs
    }

    /// Adds a constant.
    ///
    /// - Parameter values: as many as the shape says; asked for when the file is written.
    /// - Returns: its name.
    package mutating func addConstant(_ name: String, shape: [Int], values: @escaping @Sendable () -> [Float]) -> String {
        let name = unique(name)
        constants.append(Constant(name: name, shape: shape, elements: .floats(values)))
        return name
    }

    /// Adds a list of integers, such as a shape, once for all that need it.
    package mutating func addIntegers(_ numbers: [Int]) -> String {
        if let name = integerNames[numbers] { return name }
        let name = unique("integers/" + numbers.map(String.init).joined(separator: "_"))
        constants.append(Constant(name: name, shape: [numbers.count], elements: .integers(numbers)))
        integerNames[numbers] = name
        return name
    }

    private mutating func unique(_ name: String) -> String {
        if names.insert(name).inserted { return name }
        var number = 2
        while !names.insert("\(name)_\(number)").inserted { number += 1 }
        return "\(name)_\(number)"
    }
}
