import CLIPModel
import CZlib
import Files
import TestSupport
import Testing

/// Damaged and hostile vocabularies, one test for each rule. The right one here is made of any two
/// letters, in the form of CLIP's.
@Suite struct VocabularyTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private static let needed = 48_894

    /// Enough merges of two bytes that stand for themselves or one of the first others.
    private static let merges: [String] = {
        let symbols = (Array(0x21...0x7E) + Array(0xA1...0xAC) + Array(0xAE...0x130))
            .compactMap { Unicode.Scalar($0 as UInt32).map { String(Character($0)) } }
        return Array(symbols.flatMap { first in symbols.map { "\(first) \($0)" } }.prefix(needed + 10))
    }()

    private func problem(merges: [String], end: String = "\n") throws -> TokenizerError.VocabularyFault? {
        try problem(packed: gzip(Array((["#version"] + merges).joined(separator: "\n").utf8) + Array(end.utf8)))
    }

    private func problem(packed: [UInt8]) throws -> TokenizerError.VocabularyFault? {
        let path = try directory.write(packed, to: "vocabulary.gz")
        do {
            _ = try BPETokenizer(vocabularyPath: path)
            return nil
        } catch TokenizerError.vocabulary(path, let fault) {
            return fault
        }
    }

    @Test func theRightOne() throws {
        #expect(try problem(merges: Self.merges) == nil)
        #expect(try problem(merges: Array(Self.merges.prefix(Self.needed)), end: "") == nil)
        // "!!" is the first merge; "!" at the end of a word has its own id.
        let tokenizer = try BPETokenizer(vocabularyPath: directory.path("vocabulary.gz"))
        #expect(tokenizer.encode("!!!") == [512, 256])
        #expect(tokenizer.vocabularySize == 49_408)
    }

    @Test func bomb() throws {
        let packed = gzip([UInt8](repeating: 0x61, count: 200 << 20))
        #expect(packed.count < 1 << 20)
        #expect(try problem(packed: packed) == .tooLarge(limit: 16 << 20))
    }

    @Test func truncatedOrDamaged() throws {
        let packed = gzip(Array((["#version"] + Self.merges).joined(separator: "\n").utf8))
        for count in [2, 9, 10, 11, packed.count / 2, packed.count - 8, packed.count - 1] {
            #expect(try problem(packed: Array(packed.prefix(count))) == .damaged, "\(count) bytes")
        }
        var wrongChecksum = packed
        wrongChecksum[packed.count - 8] ^= 1
        #expect(try problem(packed: wrongChecksum) == .damaged)
        #expect(try problem(packed: packed + [0]) == .damaged)
        #expect(try problem(packed: []) == .unknownForm)
        #expect(try problem(packed: Array("<html>".utf8)) == .unknownForm)
    }

    @Test func tooFewMerges() throws {
        for end in ["", "\n"] {
            #expect(
                try problem(merges: Array(Self.merges.prefix(Self.needed - 1)), end: end)
                    == .tooFewMerges(found: Self.needed - 1, needed: Self.needed))
        }
        #expect(try problem(packed: gzip([])) == .tooFewMerges(found: 0, needed: Self.needed))
    }

    @Test(arguments: [
        ("!", .fieldCount(line: 102, found: 1)), ("! ! !", .fieldCount(line: 102, found: 3)),
        ("!  !", .fieldCount(line: 102, found: 2)), ("", .fieldCount(line: 102, found: 0)),
        ("! !", .duplicateMerge(line: 102)), ("! unknown", .unknownSymbol(line: 102, symbol: "unknown")),
        (String(repeating: "x", count: 1025), .lineTooLong(line: 102, limit: 1024)),
    ] as [(String, TokenizerError.VocabularyFault)])
    func wrongLine(line: String, expected: TokenizerError.VocabularyFault) throws {
        var merges = Self.merges
        merges[100] = line
        #expect(try problem(merges: merges) == expected)
    }

    /// Two ways to the same symbol would give it two ids.
    @Test func sameSymbolTwice() throws {
        var merges = Self.merges
        merges[100...102] = ["# #!", "## !", "a b"]
        merges.insert(contentsOf: ["# !", "# #"], at: 0)
        #expect(try problem(merges: merges) != nil)
    }

    @Test func notUTF8() throws {
        let text = Array((["#version"] + Self.merges).joined(separator: "\n").utf8)
        #expect(try problem(packed: gzip(text + [0x0A, 0xC3])) == .notUTF8)
    }

    @Test func missing() throws {
        let path = directory.path("none.gz")
        #expect(throws: TokenizerError.file(FileError(path: path, problem: .missing))) {
            try BPETokenizer(vocabularyPath: path)
        }
    }
}

/// `bytes` packed by zlib.
private func gzip(_ bytes: [UInt8]) -> [UInt8] {
    var stream = z_stream()
    deflateInit2_(
        &stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    defer { deflateEnd(&stream) }
    var input = bytes
    var output = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(bytes.count))))
    let capacity = output.count
    input.withUnsafeMutableBufferPointer { input in
        output.withUnsafeMutableBufferPointer { output in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(input.count)
            stream.next_out = output.baseAddress
            stream.avail_out = UInt32(output.count)
            _ = deflate(&stream, Z_FINISH)
        }
    }
    return Array(output.prefix(capacity - Int(stream.avail_out)))
}
