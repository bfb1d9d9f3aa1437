import Files
import TestSupport
import Testing
import WeightFiles

/// Messages of Protocol Buffers and ONNX files byte by byte, as protoc's own code writes them.
@Suite struct ONNXWriterTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// The examples of protobuf.dev, "Encoding", and numbers at the ends of their ranges.
    @Test func fieldsOfMessages() {
        var message = ProtobufMessage()
        message.add(1, 150)
        #expect(message.bytes == [0x08, 0x96, 0x01])
        var text = ProtobufMessage()
        text.add(2, "testing")
        #expect(text.bytes == [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6E, 0x67])
        var outer = ProtobufMessage()
        outer.add(3, message)
        #expect(outer.bytes == [0x1A, 0x03, 0x08, 0x96, 0x01])
        var numbers = ProtobufMessage()
        numbers.add(1, -2)
        numbers.add(16, 0)
        numbers.add(2, Float(1))
        numbers.add(3, -2.5)
        #expect(numbers.bytes == [0x08, 0xFE] + [UInt8](repeating: 0xFF, count: 8) + [0x01]
            + [0x80, 0x01, 0x00] + [0x15, 0, 0, 0x80, 0x3F] + [0x19, 0, 0, 0, 0, 0, 0, 0x04, 0xC0])
        var rest = ProtobufMessage()
        rest.addLength(9, 300)
        rest.append(message)
        #expect(rest.bytes == [0x4A, 0xAC, 0x02, 0x08, 0x96, 0x01])
    }

    /// `y = x · w + [1, 2]` as onnx 1.23's own helpers make it, serialized by protoc's code (Tests/Fixtures/onnx/README.md).
    @Test func theFileThatOnnxsOwnCodeWrites() throws {
        var graph = ONNXGraph(name: "tiny")
        let input = graph.addInput("x", [.named("batch"), .fixed(2)])
        let weight = graph.addConstant("w", shape: [2, 2]) { [1, -2, 0.5, 3] }
        let product = graph.add("MatMul", [input, weight], name: "product")
        let shift = graph.addConstant("shift", shape: [2]) { [1, 2] }
        let sum = graph.add("Add", [product, shift], name: "sum")
        let shape = graph.addIntegers([-1, 2])
        let flat = graph.add("Reshape", [sum, shape], [("allowzero", .integer(0))], name: "flat")
        let norm = graph.add("LpNormalization", [flat], [("axis", .integer(-1)), ("p", .integer(2))], name: "norm")
        let scaled = graph.add("Elu", [norm], [("alpha", .float(0.25))], name: "scaled")
        let turned = graph.add("Transpose", [scaled], [("perm", .integers([1, 0]))], name: "turned")
        graph.addOutput("y", [.fixed(2), .named("batch")], from: turned)
        try ONNXWriter.write(graph, facts: ["b": "2", "a": "é"], producer: "vifi-prompt", version: "1", to: directory.path("tiny.onnx"))
        let expected = try InputFile.contents(of: fixturePath("onnx/tiny.onnx"), limit: 1 << 20)
        #expect(try InputFile.contents(of: directory.path("tiny.onnx"), limit: 1 << 20) == expected)
    }

    @Test func namesAreUnique() {
        var graph = ONNXGraph(name: "names")
        let input = graph.addInput("x", [.fixed(1)])
        #expect(graph.add("Relu", [input], name: "r") == "r")
        #expect(graph.add("Relu", [input], name: "r") == "r_2")
        #expect(graph.add("Relu", [input], name: "r") == "r_3")
        #expect(graph.addIntegers([1, 2]) == graph.addIntegers([1, 2]))
        #expect(graph.addIntegers([1]) != graph.addIntegers([2]))
    }

    /// Nothing is written of what no ONNX file can hold; its values are not even asked for.
    @Test func filesOfTwoGibibytesAreRefused() throws {
        var graph = ONNXGraph(name: "large")
        let input = graph.addInput("x", [.fixed(1)])
        let weight = graph.addConstant("w", shape: [1 << 29]) { preconditionFailure("values of a file that is not written") }
        graph.addOutput("y", [.fixed(1)], from: graph.add("Add", [input, weight], name: "sum"))
        let path = directory.path("large.onnx")
        let error = #expect(throws: WeightFileError.self) {
            try ONNXWriter.write(graph, facts: [:], producer: "test", version: "1", to: path)
        }
        #expect(error?.description.contains("an ONNX file with its weights in it holds at most 2 GiB") == true)
        #expect(try directoryEntries(directory.path) == [])
    }
}
