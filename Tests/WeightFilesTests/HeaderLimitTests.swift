import Files
import Glibc
import TestSupport
import Testing
import WeightFiles

/// What a header may cost, and tensors of types that few read.
@Suite struct HeaderLimitTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func file(_ json: [UInt8], data: [UInt8] = []) throws -> String {
        try directory.write(bytes(UInt64(json.count)) + json + data, to: "a.safetensors")
    }

    /// Sizes by hand: F4 takes half a byte, F6 three quarters, C64 eight.
    @Test(arguments: [("F4", 3), ("F6_E2M3", 4), ("F6_E3M2", 4), ("F8_E8M0", 6), ("F8_E4M3FNUZ", 6), ("F8_E5M2FNUZ", 6), ("C64", 48)])
    func exoticTypes(spelling: String, byteCount: Int) throws {
        let (shape, wanted) = spelling.hasPrefix("F6") ? ("[4]", 3) : ("[2,3]", byteCount)
        func json(_ end: Int) -> [UInt8] {
            Array("""
                {"x":{"dtype":"\(spelling)","shape":\(shape),"data_offsets":[0,\(end)]},\
                "a":{"dtype":"F32","shape":[1],"data_offsets":[\(end),\(end + 4)]}}
                """.utf8)
        }
        let source = try openWeights(file(json(wanted), data: [UInt8](repeating: 0, count: wanted) + bytes([7])))
        #expect(source.names == ["a"] && source.ignoredObjects == ["x: \(spelling)"])
        #expect(try source.floats(named: "a") == [7])
        #expect(throws: WeightFileError(path: source.path, problem: .notATensor(name: "x", object: "of the type \(spelling)"))) {
            try source.description(of: "x")
        }
        #expect(throws: WeightFileError.self) {
            try openWeights(file(json(wanted + 1), data: [UInt8](repeating: 0, count: wanted + 1) + bytes([7])))
        }
    }

    /// S9.
    @Test func unknownTypes() throws {
        let path = try file(Array("{\"x\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}".utf8), data: [0, 0, 0, 0])
        #expect(throws: WeightFileError(path: path, problem: .unknownElementType(tensor: "x", spelling: "F33"))) { try openWeights(path) }
    }

    /// Long values are checked, and not kept.
    @Test(arguments: [false, true])
    func longMetadata(isEscaped: Bool) throws {
        let long = isEscaped ? String(repeating: "\\n", count: 9 << 20) : String(repeating: "é", count: 5 << 20)
        let path = try file(Array("{\"__metadata__\":{\"long\":\"\(long)\",\"short\":\"x\"}}".utf8))
        let file = try SafetensorsFile(path: path)
        #expect(file.metadata["short"] == "x")
        #expect(file.metadata["long"] == "… (\(isEscaped ? 9 << 20 : 10 << 20) bytes)")
        let broken = Array("{\"__metadata__\":{\"long\":\"".utf8) + [UInt8](repeating: 0x61, count: 9 << 20) + [0xC3] + Array("\"}}".utf8)
        #expect(throws: WeightFileError.self) { try SafetensorsFile(path: self.file(broken)) }
    }

    /// A download that reserved its room: 4 KB of 12.8 GB.
    @Test func sparseFiles() throws {
        let shape = 3_200_000_000
        let json = Array("{\"a\":{\"dtype\":\"F32\",\"shape\":[\(shape)],\"data_offsets\":[0,\(4 * shape)]}}".utf8)
        let path = try file(json)
        #expect(truncate(path, off_t(8 + json.count + 4 * shape)) == 0)
        do {
            _ = try openWeights(path)
            Issue.record("opened")
        } catch {
            guard case .sparse(let stored, let byteCount) = error.problem else {
                Issue.record("\(error)")
                return
            }
            #expect(stored <= 1 << 16 && byteCount == 8 + json.count + 4 * shape)
            #expect(error.description.contains("of its 12.8 GB are stored") && error.exitStatus == .badData)
        }
        // Small holes are zeros that a copy left out.
        let values = [Float](repeating: 1, count: 1 << 18)
        try SafetensorsWriter.write([("a", [1 << 18], values), ("b", [1 << 14], [Float](repeating: 0, count: 1 << 14))], to: path)
        #expect(try openWeights(path).floats(named: "a") == values)
    }
}
