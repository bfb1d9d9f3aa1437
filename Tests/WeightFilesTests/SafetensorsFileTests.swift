import Files
import TestSupport
import Testing
import WeightFiles

@Suite struct SafetensorsFileTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func open(_ header: String, data: [UInt8] = []) throws -> SafetensorsFile {
        try SafetensorsFile(path: directory.write(safetensors(Array(header.utf8), data: data), to: "file.safetensors"))
    }

    // MARK: What is odd but right

    /// S14.
    @Test(arguments: ["  \n\t {}", "{ }  ", "{\r\n}"])
    func spaceAroundTheHeader(header: String) throws {
        #expect(try open(header).tensors.isEmpty)
    }

    /// S15.
    @Test func namesAreLabels() throws {
        let name = "../../etc/passwd"
        let file = try open("{\(tensorEntry(name, 0, 4))}", data: littleEndian(Float(2.5).bitPattern))
        #expect(file.names == [name])
        #expect(try file.floats(named: name) == [2.5])
    }

    /// S16.
    @Test func emptyTensorsAndScalars() throws {
        let header = "{\(tensorEntry("empty", "F32", "[3,0,2]", 4, 4)),\(tensorEntry("scalar", "F32", "[]", 0, 4)),"
            + "\(tensorEntry("first", "I8", "[0]", 0, 0))}"
        let file = try open(header, data: littleEndian(Float(-1).bitPattern))
        #expect(file.names == ["first", "scalar", "empty"])
        #expect(try file.floats(named: "empty") == [])
        #expect(try file.floats(named: "scalar") == [-1])
        #expect(try file.description(of: "scalar").shape == [])
        #expect(try file.integers(named: "first") == [])
    }

    @Test func escapesInText() throws {
        let header = #"{"__metadata__":{"a\"\\\/\b\f\n\r\t\u00e9\ud83c\udfc3":"\u0000ü"},"#
            + "\(tensorEntry(#"x\u2028y"#, 0, 4))}"
        let file = try open(header, data: [0, 0, 0, 0])
        #expect(file.metadata == ["a\"\\/\u{8}\u{c}\n\r\té🏃": "\0ü"])
        #expect(file.names == ["x\u{2028}y"])
    }

    @Test func tensorsComeInTheOrderOfTheirBytes() throws {
        let file = try open("{\(tensorEntry("a", 4, 8)),\(tensorEntry("b", 0, 4))}", data: [UInt8](repeating: 0, count: 8))
        #expect(file.names == ["b", "a"])
        #expect(file.tensors.map(\.byteRange) == [8 + 107..<8 + 111, 8 + 111..<8 + 115])
    }

    // MARK: Values

    @Test func integersOfEveryWidth() throws {
        let cases: [(String, [UInt8], [Int])] = [
            ("BOOL", [0, 1], [0, 1]), ("U8", [0, 255], [0, 255]), ("I8", [0x80, 0x7F], [-128, 127]),
            ("I16", [0, 0x80, 0xFF, 0x7F], [-32768, 32767]), ("U16", [0xFF, 0xFF], [65535]),
            ("I32", littleEndian(Int32.min) + littleEndian(Int32.max), [-2_147_483_648, 2_147_483_647]),
            ("U32", littleEndian(UInt32.max), [4_294_967_295]),
            ("I64", littleEndian(Int64.min), [Int.min]), ("U64", littleEndian(UInt64(7)), [7]),
        ]
        for (elementType, data, expected) in cases {
            let file = try open("{\(tensorEntry("x", elementType, "[\(expected.count)]", 0, data.count))}", data: data)
            #expect(try file.integers(named: "x") == expected, "\(elementType)")
        }
    }

    @Test(arguments: [("BOOL", [2] as [UInt8]), ("U64", littleEndian(UInt64.max))])
    func integersOutOfRange(elementType: String, data: [UInt8]) throws {
        let file = try open("{\(tensorEntry("x", elementType, "[1]", 0, data.count))}", data: data)
        #expect(throws: WeightFileError.self) { try file.integers(named: "x") }
    }

    @Test func floatsOfEveryWidth() throws {
        let data = littleEndian(Double(0.1).bitPattern) + littleEndian(Double(1e300).bitPattern)
        #expect(try open("{\(tensorEntry("x", "F64", "[2]", 0, 16))}", data: data).floats(named: "x") == [0.1, .infinity])
        #expect(
            try open("{\(tensorEntry("x", "BF16", "[2]", 0, 4))}", data: [0x80, 0x3F, 0x49, 0xC0]).floats(named: "x")
                == [1, -3.140625])
    }

    /// All 65,536 half-precision numbers, against the compiler's own conversion.
    @Test func everyHalf() throws {
        let all = (0...UInt16.max).flatMap { littleEndian($0) }
        let file = try open("{\(tensorEntry("x", "F16", "[65536]", 0, all.count))}", data: all)
        for (bits, value) in zip(0...UInt16.max, try file.floats(named: "x")) {
            let expected = Float(Float16(bitPattern: bits))
            #expect(value == expected && value.sign == expected.sign || value.isNaN && expected.isNaN, "\(bits)")
        }
    }

    @Test func pieceByPieceEqualsAtOnce() throws {
        // More than one piece, and not a multiple of it.
        let count = 600_001
        let data = (0..<count).flatMap { littleEndian(UInt16(truncatingIfNeeded: $0)) }
        let file = try open("{\(tensorEntry("x", "U16", "[\(count)]", 0, data.count))}", data: data)
        #expect(try file.integers(named: "x") == (0..<count).map { $0 & 0xFFFF })
    }

    @Test func intoTheCallersMemory() throws {
        let fixture = try TensorFixture("clip/forward")
        let expected = try fixture.floats("logits.embedding")
        var values = [Float](repeating: .nan, count: 12)
        try values.withUnsafeMutableBufferPointer { buffer in
            try fixture.file.readFloats(
                named: "logits.embedding", shape: [2, 5],
                into: UnsafeMutableBufferPointer(rebasing: buffer[1..<11]))
        }
        #expect(values[1..<11] == expected[...])
        #expect(values[0].isNaN && values[11].isNaN)
    }

    // MARK: Wishes that cannot be met

    @Test func messages() throws {
        let file = try open(
            "{\(tensorEntry("visual.proj", "F32", "[2,1]", 0, 8)),\(tensorEntry("b\\u001b[2J", "F8_E4M3", "[1]", 8, 9))}",
            data: [UInt8](repeating: 0, count: 9))
        let path = file.path
        func message(_ body: () throws -> Void) -> String {
            do { try body() } catch { return "\(error)" }
            return "no error"
        }
        #expect(
            message { _ = try file.floats(named: "visual.prj") }
                == "\(path): has no tensor \"visual.prj\". The nearest name is \"visual.proj\".")
        #expect(
            message { _ = try file.floats(named: "logit_scale") }
                == "\(path): has no tensor \"logit_scale\". Is it a checkpoint of this model?")
        #expect(
            message { _ = try file.floats(named: "visual.proj", shape: [2, 2]) }
                == "\(path): tensor \"visual.proj\" is [2, 1], but [2, 2] is needed. Choose a matching checkpoint.")
        #expect(
            message { _ = try file.floats(named: "b\u{1B}[2J") }
                == "\(path): tensor \"b\\u{1b}[2J\" holds F8_E4M3, but F32, F16, BF16 or F64 is needed.")
        #expect(
            message { _ = try file.integers(named: "visual.proj") }
                == "\(path): tensor \"visual.proj\" holds F32, but an integer type is needed.")
        #expect(
            message { _ = try open("{\(tensorEntry("a", "F32", "[600]", 0, 24))}", data: [UInt8](repeating: 0, count: 24)) }
                == "\(path): tensor \"a\": 24 bytes are stored, but 2400 are declared. The file is damaged; download it again.")
    }
}
