import CLIPModel
import CZlib
import Files
import Foundation
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

    /// B1.
    @Test func bomb() throws {
        let packed = gzip([UInt8](repeating: 0x61, count: 200 << 20))
        #expect(packed.count < 1 << 20)
        #expect(try problem(packed: packed) == .tooLarge(limit: 16 << 20))
    }

    /// B2.
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

    /// B3.
    @Test func tooFewMerges() throws {
        for end in ["", "\n"] {
            #expect(
                try problem(merges: Array(Self.merges.prefix(Self.needed - 1)), end: end)
                    == .tooFewMerges(found: Self.needed - 1, needed: Self.needed))
        }
        #expect(try problem(packed: gzip([])) == .tooFewMerges(found: 0, needed: Self.needed))
    }

    /// B4.
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

    /// B4.
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

/// Hugging Face's forms of the vocabulary: `merges.txt` with `vocab.json`, and `tokenizer.json`.
@Suite struct HuggingFaceVocabularyTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// A vocabulary of three merges: ids 512 to 514, start 515, end 516.
    private static let merges = ["l o", "lo w</w>", "e r</w>"]

    /// Bytes as CLIP spells them, in the order of their ids (openai/CLIP `bytes_to_unicode`).
    private static let byteSymbols: [String] = {
        let printing = Array(0x21...0x7E) + Array(0xA1...0xAC) + Array(0xAE...0xFF)
        return (printing + Array(0x100..<0x100 + 68)).compactMap { Unicode.Scalar($0 as Int).map { String(Character($0)) } }
    }()

    private static var ids: [String: Int] {
        let symbols = byteSymbols + byteSymbols.map { $0 + "</w>" } + ["lo", "low</w>", "er</w>", "<|startoftext|>", "<|endoftext|>"]
        return Dictionary(uniqueKeysWithValues: symbols.enumerated().map { ($0.element, $0.offset) })
    }

    private func writeFolder(ids: [String: Int]? = HuggingFaceVocabularyTests.ids, merges: [String] = merges) throws -> String {
        if let ids { try directory.write(Array(try JSONEncoder().encode(ids)), to: "vocab.json") }
        return try directory.write((["#version: 0.2"] + merges).joined(separator: "\n") + "\n", to: "merges.txt")
    }

    private struct File: Encodable {
        struct Model: Encodable {
            var type = "BPE"
            var end_of_word_suffix: String? = "</w>"
            var vocab: [String: Int]
            var merges: [[String]]
        }
        var model: Model
    }

    private func writeTokenizer(_ change: (inout File.Model) -> Void = { _ in }) throws -> String {
        var model = File.Model(vocab: Self.ids, merges: Self.merges.map { $0.split(separator: " ").map(String.init) })
        change(&model)
        return try directory.write(Array(try JSONEncoder().encode(File(model: model))), to: "tokenizer.json")
    }

    private func fault(_ path: String) throws -> TokenizerError.VocabularyFault? {
        do {
            _ = try BPETokenizer(vocabularyPath: path)
            return nil
        } catch TokenizerError.vocabulary(_, let fault) {
            return fault
        }
    }

    @Test func bothForms() throws {
        for path in [try writeFolder(), try writeTokenizer()] {
            let tokenizer = try BPETokenizer(vocabularyPath: path)
            #expect(tokenizer.vocabularySize == 517 && tokenizer.startToken == 515 && tokenizer.endToken == 516)
            // "lower" is l-o-w-e-r</w>: "low" inside a word is no symbol.
            #expect(tokenizer.encode("low") == [513])
            #expect(tokenizer.encode("lower") == [512, Self.ids["w"] ?? 0, 514])
        }
    }

    @Test func vocabulariesThatContradictTheirMerges() throws {
        var ids = Self.ids
        ids["lo"] = 900
        #expect(try fault(writeFolder(ids: ids)) == .otherID(symbol: "lo", found: 900, expected: 512))
        #expect(try fault(writeTokenizer { $0.vocab["lo"] = 900 }) == .otherID(symbol: "lo", found: 900, expected: 512))
        #expect(try fault(writeTokenizer { $0.vocab["lox"] = 517 }) == .otherID(symbol: "lox", found: 517, expected: nil))
        #expect(try fault(writeTokenizer { $0.vocab["er</w>"] = nil }) == .otherSize(found: 516, expected: 517))
        #expect(try fault(writeTokenizer { $0.merges.removeLast() }) == .otherID(symbol: "er</w>", found: 514, expected: nil))
        #expect(try fault(writeTokenizer { $0.merges.append(["x"]) }) == .fieldCount(line: 5, found: 1))
        #expect(try fault(writeTokenizer { $0.merges.append(["l", "o"]) }) == .duplicateMerge(line: 5))
        #expect(try fault(writeTokenizer { $0.type = "Unigram" }) == .otherTokenizer)
        #expect(try fault(writeTokenizer { $0.end_of_word_suffix = nil }) == .otherTokenizer)
    }

    @Test func textThatIsNoVocabulary() throws {
        #expect(try fault(directory.write("{\"model\": 1}", to: "a.json")) == .notJSON)
        #expect(try fault(directory.write("{", to: "a.json")) == .notJSON)
        #expect(try fault(directory.write("lo w\n", to: "a.txt")) == .unknownForm)
        #expect(try fault(directory.write("#version: 0.2\nl o p\n", to: "a.txt")) == .fieldCount(line: 2, found: 3))
        #expect(try fault(directory.write(Array("#version: 0.2\nl ".utf8) + [0xFF, 0x0A], to: "a.txt")) == .notUTF8)
        try directory.write("[]", to: "vocab.json")
        #expect(try fault(writeFolder(ids: nil)) == .notJSON)
    }

    /// The vocabulary travels with the backbone, and is the one that is used with it.
    @Test func importKeepsIt() throws {
        try FileManager.default.copyItem(atPath: fixturePath("checkpoints/hf-gelu-bf16"), toPath: directory.path("model"))
        let merges = try writeFolder(ids: nil)
        try FileManager.default.moveItem(atPath: merges, toPath: directory.path("model/merges.txt"))
        let checkpoint = try Checkpoint(path: directory.path("model"))
        let report = try checkpoint.write(to: directory.path("own.safetensors"))
        #expect(report.vocabularyPath == directory.path("own.merges.txt"))
        let backbone = try Backbone.load(directory.path("own.safetensors"))
        #expect(backbone.vocabularyPath == report.vocabularyPath)
        // The fixture has 100 tokens, this vocabulary 517.
        #expect(throws: ModelError.vocabularySize(tokenizer: 517, backbone: 100)) { try backbone.tokenizer(vocabularyPath: nil) }
        let other = try directory.write("#version: 0.2\nl o\n", to: "other.txt")
        #expect(throws: ModelError.otherVocabulary(path: other)) { try backbone.tokenizer(vocabularyPath: other) }
    }
}
