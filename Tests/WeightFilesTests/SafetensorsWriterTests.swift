import Files
import TestSupport
import Testing
import WeightFiles

@Suite struct SafetensorsWriterTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// Files that Python wrote, read and written again, are the same bytes.
    @Test(arguments: ["clip-tiny", "clip-mini", "prompts"])
    func sameBytesAsTheReference(fixture: String) throws {
        let source = try SafetensorsFile(path: fixturePath("clip/\(fixture).safetensors"))
        let path = directory.path("copy.safetensors")
        var writer = try SafetensorsWriter(
            path: path,
            tensors: source.tensors.shuffled().map { .init(name: $0.name, shape: $0.shape) },
            metadata: source.metadata)
        for plan in writer.plans { try writer.append(source.floats(named: plan.name)) }
        #expect(try writer.commit() == Digest.ofFile(source.path))
    }

    @Test func roundTripWithAwkwardText() throws {
        let path = directory.path("a.safetensors")
        let metadata = ["quote\"\\/\u{1}\u{1F}\n\r\t\u{8}é🏃": "\u{0}\u{7F}\u{2028}", "": ""]
        try SafetensorsWriter.write(
            [("b\"\n", [2, 1], [1, -0.0]), ("a", [], [.infinity]), ("z", [0, 4], [])], metadata: metadata, to: path)
        let file = try SafetensorsFile(path: path)
        #expect(file.metadata == metadata)
        #expect(file.names == ["a", "b\"\n", "z"])
        #expect(try file.floats(named: "b\"\n", shape: [2, 1]).map(\.bitPattern) == [0x3F80_0000, 0x8000_0000])
        #expect(try file.floats(named: "a", shape: []) == [.infinity])
        #expect(try file.floats(named: "z", shape: [0, 4]) == [])
        #expect(file.tensors.allSatisfy { $0.byteRange.lowerBound % 8 % 4 == 0 })
    }

    /// Metadata is a dictionary, whose own order changes from run to run.
    @Test func bytesDoNotDependOnOrder() throws {
        let keys = (0..<50).map { "key\($0)" }
        let tensors = (0..<20).map { (name: "t\($0)", shape: [1], values: [Float($0)]) }
        let digests = try (0..<4).map { _ in
            try SafetensorsWriter.write(
                tensors.shuffled(), metadata: Dictionary(uniqueKeysWithValues: keys.shuffled().map { ($0, "v" + $0) }),
                to: directory.path("order.safetensors"))
        }
        #expect(Set(digests).count == 1)
    }

    /// Halves against the compiler's own conversion: around every half, and many more.
    @Test func halfPrecision() throws {
        var values: [Float] = []
        for bits in stride(from: UInt32(0), through: 0x477F_EFFF, by: 4093) {
            values += [Float(bitPattern: bits), -Float(bitPattern: bits)]
        }
        for half in UInt16(0)..<0x7BFF {
            let low = Float(Float16(bitPattern: half)), high = Float(Float16(bitPattern: half + 1))
            let middle = low + (high - low) / 2
            values += [low, middle, middle.nextUp, middle.nextDown]
        }
        values += [.infinity, -.infinity, .nan]
        let path = directory.path("half.safetensors")
        try SafetensorsWriter.write([("x", [values.count], values)], to: path, elementType: .float16)
        let file = try SafetensorsFile(path: path)
        #expect(try file.description(of: "x").elementType == .float16)
        for (value, stored) in zip(values, try file.floats(named: "x")) {
            let expected = Float(Float16(value))
            #expect(stored == expected || stored.isNaN && expected.isNaN, "\(value)")
        }
    }

    @Test func halfPrecisionOutOfRange() throws {
        let path = directory.path("big.safetensors")
        let expected = WeightFileError(
            path: path, problem: .notRepresentable(tensor: "x", value: 65_520, elementType: .float16))
        #expect(throws: expected) {
            try SafetensorsWriter.write([("x", [1], [65_520])], to: path, elementType: .float16)
        }
        #expect(try directoryEntries(directory.path) == [], "nothing may be left behind")
    }

    /// Narrow elements come last, so that no wide one is misaligned.
    @Test func widerElementsFirst() throws {
        let writer = try SafetensorsWriter(
            path: directory.path("mixed.safetensors"),
            tensors: [
                .init(name: "a", shape: [3], elementType: .float16), .init(name: "c", shape: [1]),
                .init(name: "b", shape: [1]),
            ])
        #expect(writer.plans.map(\.name) == ["b", "c", "a"])
    }

    @Test func namesThatAReaderWouldRefuse() throws {
        let path = directory.path("names.safetensors")
        let tooLong = String(repeating: "n", count: 513)
        for names in [["a", "a"], [tooLong]] {
            #expect(throws: WeightFileError.self) {
                try SafetensorsWriter.write(names.map { ($0, [1], [0]) }, to: path)
            }
        }
        #expect(throws: WeightFileError.self) {
            _ = try SafetensorsWriter(path: path, tensors: [.init(name: "a", shape: [1 << 62])])
        }
        #expect(try directoryEntries(directory.path) == [])
    }

    @Test func anUnfinishedFileLeavesTheOldOne() throws {
        let path = directory.path("model.safetensors")
        let digest = try SafetensorsWriter.write([("x", [1], [1])], to: path)
        do {
            var writer = try SafetensorsWriter(
                path: path, tensors: [.init(name: "x", shape: [1]), .init(name: "y", shape: [1])])
            try writer.append([2])
        }
        #expect(try Digest.ofFile(path) == digest)
        #expect(try directoryEntries(directory.path) == ["model.safetensors"])
    }
}
