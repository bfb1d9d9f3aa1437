import Files

/// Writes a network as an ONNX file, whole or not at all. The same network and facts give the same bytes.
///
/// The numbers of fields are those of onnx.proto (github.com/onnx/onnx). Constants lie in the file itself, which therefore
/// is smaller than 2 GiB: that is as much as a message of Protocol Buffers may hold.
package enum ONNXWriter {
    /// Of the file format, and of the operators: both known to ONNX Runtime 1.12 and OpenVINO 2022.2 and to all that is newer.
    private static let (formatVersion, operatorSet) = (8, 17)
    package static let largestByteCount = Int(Int32.max)

    /// Returns the file's SHA-256.
    ///
    /// - Parameter facts: what the file says of itself, written in the order of their names.
    @discardableResult
    package static func write(
        _ graph: ONNXGraph, facts: [String: String], producer: String, version: String, to path: String
    ) throws(WeightFileError) -> String {
        let layout = Layout(graph, facts: facts, producer: producer, version: version)
        guard layout.byteCount <= largestByteCount else {
            throw WeightFileError(path: path, problem: .tooLargeForONNX(byteCount: layout.byteCount))
        }
        do {
            var file = try DurableFile(path: path, expectedByteCount: layout.byteCount)
            try file.write(layout.start.bytes)
            for constant in layout.constants {
                try file.write(constant.header.bytes)
                try write(constant.values(), to: &file)
            }
            try file.write(layout.end.bytes)
            return try file.commit()
        } catch {
            throw asWeightFileError(error, path: path)
        }
    }

    private static func write(_ values: ConstantBytes, to file: inout DurableFile) throws {
        switch values {
        case .floats(let floats): try unsafe floats.withUnsafeBytes { try unsafe file.write($0) }
        case .bytes(let bytes): try file.write(bytes)
        }
    }

    /// Float32 as the machine has it, which is as the file has it.
    private enum ConstantBytes {
        case floats([Float])
        case bytes([UInt8])
    }

    /// Everything but the constants' values, with the lengths that these will have.
    private struct Layout {
        struct StoredConstant {
            /// Tag and length in the graph, the tensor's facts, and tag and length of its values.
            var header: ProtobufMessage
            let byteCount: Int
            let values: () -> ConstantBytes
        }

        var start = ProtobufMessage()
        var constants: [StoredConstant] = []
        var end = ProtobufMessage()

        var byteCount: Int { start.bytes.count + constants.reduce(0) { $0 + $1.header.bytes.count + $1.byteCount } + end.bytes.count }

        init(_ graph: ONNXGraph, facts: [String: String], producer: String, version: String) {
            constants = graph.constants.map(Self.stored)
            var (graphStart, graphEnd) = (ProtobufMessage(), ProtobufMessage())
            for node in graph.nodes { graphStart.add(1, ONNXWriter.message(node)) }
            graphStart.add(2, graph.name)
            for value in graph.inputs { graphEnd.add(11, ONNXWriter.message(value)) }
            for value in graph.outputs { graphEnd.add(12, ONNXWriter.message(value)) }
            let graphByteCount = constants.reduce(graphStart.bytes.count + graphEnd.bytes.count) { $0 + $1.header.bytes.count + $1.byteCount }

            start.add(1, formatVersion)
            start.add(2, producer)
            start.add(3, version)
            start.addLength(7, graphByteCount)
            start.append(graphStart)
            end.append(graphEnd)
            var operators = ProtobufMessage()
            operators.add(1, "")
            operators.add(2, operatorSet)
            end.add(8, operators)
            for (key, value) in facts.sorted(by: { $0.key < $1.key }) {
                var entry = ProtobufMessage()
                entry.add(1, key)
                entry.add(2, value)
                end.add(14, entry)
            }
        }

        private static func stored(_ constant: ONNXGraph.Constant) -> StoredConstant {
            let count = constant.shape.reduce(1, *)
            var tensor = ProtobufMessage()
            for size in constant.shape { tensor.add(1, size) }
            let (type, byteCount) =
                switch constant.elements {
                case .floats: (1, 4 * count)
                case .integers: (7, 8 * count)
                }
            tensor.add(2, type)
            tensor.add(8, constant.name)
            tensor.addLength(9, byteCount)
            var header = ProtobufMessage()
            header.addLength(5, tensor.bytes.count + byteCount)
            header.append(tensor)
            return StoredConstant(header: header, byteCount: byteCount) {
                switch constant.elements {
                case .floats(let values):
                    let values = values()
                    precondition(values.count == count, "\(constant.name) has \(values.count) values for \(constant.shape)")
                    return .floats(values)
                case .integers(let numbers):
                    return .bytes(numbers.flatMap { littleEndian(Int64($0)) })
                }
            }
        }
    }

    private static func message(_ node: ONNXGraph.Node) -> ProtobufMessage {
        var message = ProtobufMessage()
        for input in node.inputs { message.add(1, input) }
        for output in node.outputs { message.add(2, output) }
        message.add(3, node.outputs[0])
        message.add(4, node.operation)
        for (name, value) in node.attributes {
            var attribute = ProtobufMessage()
            attribute.add(1, name)
            switch value {
            case .integer(let number):
                attribute.add(3, number)
                attribute.add(20, 2)
            case .integers(let numbers):
                for number in numbers { attribute.add(8, number) }
                attribute.add(20, 7)
            case .float(let number):
                attribute.add(2, number)
                attribute.add(20, 1)
            }
            message.add(5, attribute)
        }
        return message
    }

    /// Name, element type and shape.
    private static func message(_ value: ONNXGraph.Value) -> ProtobufMessage {
        var shape = ProtobufMessage()
        for size in value.shape {
            var dimension = ProtobufMessage()
            switch size {
            case .fixed(let count): dimension.add(1, count)
            case .named(let name): dimension.add(2, name)
            }
            shape.add(1, dimension)
        }
        var (tensor, type, message) = (ProtobufMessage(), ProtobufMessage(), ProtobufMessage())
        tensor.add(1, 1)
        tensor.add(2, shape)
        type.add(1, tensor)
        message.add(1, value.name)
        message.add(2, type)
        return message
    }
}
