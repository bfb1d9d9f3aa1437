import Files
import Glibc
import TestSupport
import Testing
import WeightFiles

/// Damaged and hostile files, one test for each rule. Where the reference implementation (0.8.0)
/// accepts a case, the test says so.
@Suite struct SafetensorsHostileTests {
    /// S1.
    @Test(arguments: [0, 1, 7])
    func tooShort(byteCount: Int) throws {
        #expect(try problemOpening([UInt8](repeating: 0, count: byteCount)) == .tooShort(byteCount: byteCount))
    }

    /// S1, S2.
    @Test(arguments: [0, 3, 1 << 63, 100_000_001, .max] as [UInt64])
    func headerLength(declared: UInt64) throws {
        #expect(
            try problemOpening(littleEndian(declared) + [0x7B, 0x7D])
                == .headerLength(declared: declared, available: 2))
    }

    @Test func headerAboveTheLimitIsRefusedBeforeItIsRead() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write(littleEndian(UInt64(100_000_001)), to: "sparse.safetensors")
        truncate(path, 8 + 100_000_001)
        #expect(throws: WeightFileError(
            path: path, problem: .headerLength(declared: 100_000_001, available: 100_000_001))
        ) { try SafetensorsFile(path: path) }
    }

    /// S3.
    @Test func holeOverlapAndReversedRanges() throws {
        let a = tensorEntry("a", 0, 4)
        #expect(
            try problemOpening(safetensors("{\(a),\(tensorEntry("b", 8, 12))}", dataByteCount: 12))
                == .misplaced(tensor: "b", start: 8, expected: 4))
        #expect(
            try problemOpening(safetensors("{\(a),\(tensorEntry("b", 2, 6))}", dataByteCount: 6))
                == .misplaced(tensor: "b", start: 2, expected: 4))
        #expect(
            try problemOpening(safetensors("{\(tensorEntry("a", 4, 8))}", dataByteCount: 8))
                == .misplaced(tensor: "a", start: 4, expected: 0))
        #expect(
            try problemOpening(safetensors("{\(tensorEntry("a", 4, 0))}", dataByteCount: 4))
                == .reversedRange(tensor: "a", start: 4, end: 0))
        #expect(
            try problemOpening(safetensors("{\(tensorEntry("a", -4, 0))}", dataByteCount: 4))
                == .syntax(offset: 8 + 48, expected: "a non-negative whole number"))
    }

    /// S4.
    @Test(arguments: [3, 5, 0])
    func missingAndExtraBytes(stored: Int) throws {
        #expect(
            try problemOpening(safetensors("{\(tensorEntry("a", 0, 4))}", dataByteCount: stored))
                == .dataLength(declared: 4, stored: stored))
    }

    @Test func declaredSizeMustFitTheRange() throws {
        #expect(
            try problemOpening(safetensors("{\(tensorEntry("a", "F32", "[3]", 0, 8))}", dataByteCount: 8))
                == .sizeMismatch(tensor: "a", stored: 8, declared: 12))
    }

    /// S5.
    /// The reference accepts two names with one range.
    @Test(arguments: ["a", "\\u0061"])
    func duplicateNames(second: String) throws {
        #expect(
            try problemOpening(safetensors("{\(tensorEntry("a", 0, 4)),\(tensorEntry(second, 0, 4))}", dataByteCount: 4))
                == .duplicateName("a"))
        #expect(
            try problemOpening(safetensors("{\(tensorEntry("a", 0, 4)),\(tensorEntry(second, 4, 8))}", dataByteCount: 8))
                == .duplicateName("a"))
    }

    /// S6.
    @Test func duplicateAndUnknownFields() throws {
        let twice = "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}"
        #expect(
            try problemOpening(safetensors(twice, dataByteCount: 4)) == .duplicateField(owner: "a", field: "shape"))
        #expect(
            try problemOpening(safetensors("{\"__metadata__\":{},\"__metadata__\":{}}"))
                == .duplicateName("__metadata__"))
        #expect(
            try problemOpening(safetensors("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}"))
                == .duplicateField(owner: "__metadata__", field: "k"))
        let more = "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"stride\":[1]}}"
        #expect(
            try problemOpening(safetensors(more, dataByteCount: 4)) == .unknownField(tensor: "a", field: "stride"))
        #expect(
            try problemOpening(safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", dataByteCount: 4))
                == .missingField(tensor: "a", field: "data_offsets"))
        #expect(
            try problemOpening(safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}"))
                == .missingField(tensor: "a", field: "data_offsets"))
    }

    /// S7.
    @Test(arguments: ["[1.0]", "[1e0]", "[NaN]", "[\"1\"]", "[01]", "[+1]", "[ ]x", "1", "null", "[1,]", "[1 1]"])
    func numbersThatAreNotWholeNumbers(shape: String) throws {
        let problem = try problemOpening(safetensors("{\(tensorEntry("a", "F32", shape, 0, 4))}", dataByteCount: 4))
        guard case .syntax = problem else {
            Issue.record("expected a syntax error, got \(String(describing: problem))")
            return
        }
    }

    /// S8.
    /// The reference accepts the second, though it refuses the same with the zero at the end.
    @Test(arguments: [[1 << 62, 8], [0, 1 << 62, 1 << 62], [1 << 62, 1 << 62, 0], [Int.max]])
    func shapesThatOverflow(shape: [Int]) throws {
        #expect(
            try problemOpening(safetensors("{\(tensorEntry("a", "F32", "\(shape)", 0, 0))}"))
                == .sizeOverflow(tensor: "a", shape: shape))
    }

    @Test(arguments: ["9223372036854775808", "99999999999999999999999999"])
    func numbersBeyondInt(number: String) throws {
        #expect(
            try problemOpening(safetensors("{\(tensorEntry("a", "F32", "[\(number)]", 0, 0))}"))
                == .numberTooLarge(offset: 8 + 29))
    }

    /// S9.
    @Test(arguments: ["F4", "f32", "", "FLOAT"])
    func unknownElementType(spelling: String) throws {
        #expect(
            try problemOpening(safetensors("{\(tensorEntry("a", spelling, "[1]", 0, 4))}", dataByteCount: 4))
                == .unknownElementType(tensor: "a", spelling: spelling))
    }

    /// S10.
    @Test(arguments: ["{\"k\":{}}", "{\"k\":1}", "{\"k\":null}", "[]", "\"text\""])
    func metadataHoldsStringsOnly(metadata: String) throws {
        let problem = try problemOpening(safetensors("{\"__metadata__\":\(metadata)}"))
        guard case .syntax = problem else {
            Issue.record("expected a syntax error, got \(String(describing: problem))")
            return
        }
    }

    /// S11.
    @Test(.timeLimit(.minutes(15)))
    func manyNamesOnOneRange() throws {
        let few = (0..<1000).map { tensorEntry("tensor\($0)", 0, 4) }.joined(separator: ",")
        guard case .misplaced = try problemOpening(safetensors("{\(few)}", dataByteCount: 4)) else {
            Issue.record("1,000 names on one range were not refused")
            return
        }
        let many = (0..<100_000).map { tensorEntry("tensor\($0)", 0, 4) }.joined(separator: ",")
        #expect(
            try problemOpening(safetensors("{\(many)}", dataByteCount: 4))
                == .tooMany(what: "tensors", limit: 65_536))
    }

    /// S12.
    @Test func textThatIsNotStrict() throws {
        let plain = Array("{}".utf8)
        #expect(
            try problemOpening(safetensors([0xEF, 0xBB, 0xBF] + plain)) == .syntax(offset: 8, expected: "'{'"))
        #expect(try problemOpening(safetensors(plain + [0])) == .syntax(offset: 10, expected: "its end"))
        #expect(try problemOpening(safetensors("{} {}")) == .syntax(offset: 11, expected: "its end"))
        #expect(
            try problemOpening(safetensors("{\"\\ud800\":0}")) == .text(offset: 16, fault: .loneSurrogate))
        #expect(
            try problemOpening(safetensors("{\"\\ud800\\u0041\":0}")) == .text(offset: 22, fault: .loneSurrogate))
        #expect(
            try problemOpening(safetensors("{\"\\udc00\":0}")) == .text(offset: 16, fault: .loneSurrogate))
        #expect(
            try problemOpening(safetensors("{\"\\uD83G\":0}")) == .text(offset: 15, fault: .unknownEscape))
        #expect(try problemOpening(safetensors("{\"\\x\":0}")) == .text(offset: 12, fault: .unknownEscape))
        #expect(try problemOpening(safetensors("{\"a\nb\":0}")) == .text(offset: 11, fault: .controlCharacter))
        let overlong: [UInt8] = [0x7B, 0x22, 0xC0, 0xAF, 0x22, 0x3A, 0x7D]
        #expect(try problemOpening(safetensors(overlong)) == .text(offset: 12, fault: .notUTF8))
        // CESU-8: a surrogate pair written as two three-byte sequences.
        let surrogates: [UInt8] = [0x7B, 0x22, 0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80, 0x22, 0x3A, 0x7D]
        #expect(try problemOpening(safetensors(surrogates)) == .text(offset: 16, fault: .notUTF8))
    }

    @Test func headerThatEndsTooSoon() throws {
        let whole = "{\"__metadata__\":{\"k\":\"\\u0041\"},\(tensorEntry("a", 0, 4))}"
        for length in 1..<whole.utf8.count {
            let problem = try problemOpening(safetensors(String(decoding: whole.utf8.prefix(length), as: UTF8.self), dataByteCount: 4))
            #expect(problem != nil, "the first \(length) bytes opened")
        }
        #expect(try problemOpening(safetensors(whole, dataByteCount: 4)) == nil)
    }

    /// S13.
    @Test(arguments: ["[", "{\"__metadata__\":", "{\"a\":{\"shape\":[", "{\"a\":{\"dtype\":{"], [5_000, 1_000_000])
    func deepNesting(opening: String, depth: Int) throws {
        let problem = try problemOpening(safetensors(String(repeating: opening, count: depth)))
        guard case .syntax = problem else {
            Issue.record("expected a syntax error, got \(String(describing: problem))")
            return
        }
    }

    @Test func namesThatAreTooLong() throws {
        let name = String(repeating: "n", count: 513)
        #expect(
            try problemOpening(safetensors("{\(tensorEntry(name, 0, 4))}", dataByteCount: 4))
                == .text(offset: 9, fault: .tooLong(byteCount: 513, limit: 512)))
    }

    /// Comparing names in canonical form sorts their combining marks, at a cost that is the square
    /// of their number: a file of 10 MB with longer runs would keep a reader busy for many seconds.
    @Test func namesThatAreSlowToCompare() throws {
        let marks = String(repeating: "\u{345}\u{315}\u{F73}", count: 10)
        #expect(
            try problemOpening(safetensors("{\(tensorEntry("a\(marks)\u{334}", 0, 4))}", dataByteCount: 4))
                == .text(offset: 9, fault: .tooManyMarks(limit: 30)))
        let entries = (0..<10_000).map { tensorEntry("\(marks)b\(marks)\($0)", 0, 4) }.joined(separator: ",")
        let time = try ContinuousClock().measure {
            guard case .misplaced = try problemOpening(safetensors("{\(entries)}", dataByteCount: 4)) else {
                Issue.record("not refused")
                return
            }
        }
        #expect(time < .seconds(10), "\(time)")
    }

    @Test func otherFilesUnderTheName() throws {
        let cases: [(String, WeightFileError.Lookalike)] = [
            ("version https://git-lfs.github.com/spec/v1\noid sha256:00\n", .gitLFSPointer),
            ("<!DOCTYPE html>\n<html>", .webPage),
            ("\n <html lang=\"en\">", .webPage),
            ("PK\u{3}\u{4}0123456789", .zipArchive),
        ]
        for (text, expected) in cases {
            #expect(try problemOpening(Array(text.utf8)) == .lookalike(expected))
        }
    }

    @Test func notAFile() throws {
        let directory = try TemporaryDirectory()
        let missing = directory.path("none.safetensors")
        #expect(throws: WeightFileError(path: missing, problem: .file(FileError(path: missing, problem: .missing)))) {
            try SafetensorsFile(path: missing)
        }
        mkfifo(directory.path("fifo"), 0o600)
        for path in [directory.path, directory.path("fifo"), "/dev/zero"] {
            #expect(throws: WeightFileError.self, "\(path)") { try SafetensorsFile(path: path) }
        }
    }
}
