import CLIPModel
import Files
import Foundation
import TestSupport
import Testing

/// CLIP's own vocabulary without its packing, ends of lines as Windows writes them, and the vocabulary that an import keeps.
@Suite struct VocabularyFormTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private static let needed = 48_894

    /// Enough merges of two symbols of one byte each.
    private static let merges: [String] = {
        let symbols = (Array(0x21...0x7E) + Array(0xA1...0xAC) + Array(0xAE...0x130))
            .compactMap { Unicode.Scalar($0 as UInt32).map { String(Character($0)) } }
        return Array(symbols.flatMap { first in symbols.map { "\(first) \($0)" } }.prefix(needed))
    }()

    private func ids(_ text: String, name: String = "v.txt") throws -> [Int] {
        let tokenizer = try BPETokenizer(vocabularyPath: directory.write(text, to: name))
        #expect(tokenizer.vocabularySize == 49_408)
        return tokenizer.encode("!!! \"#")
    }

    private func fault(_ text: String) throws -> TokenizerError.VocabularyFault? {
        do {
            _ = try BPETokenizer(vocabularyPath: directory.write(text, to: "v.txt"))
            return nil
        } catch TokenizerError.vocabulary(_, let fault) {
            return fault
        }
    }

    /// The same ids from every form.
    @Test func forms() throws {
        let expected = try ids((["#version: 0.2"] + Self.merges).joined(separator: "\n") + "\n")
        #expect(expected.count > 1)
        for heading in [["\"bpe_simple_vocab_16e6.txt#version: 0.2"], []] {
            for end in ["\n", "\r\n"] {
                let text = (heading + Self.merges + ["z z z beyond what is used"]).joined(separator: end)
                #expect(try ids(text) == expected, "\(heading) \(end.debugDescription)")
                #expect(try ids("\u{FEFF}" + text) == expected, "\(heading) \(end.debugDescription)")
            }
        }
        #expect(try ids((["#version: 0.2"] + Self.merges).joined(separator: "\r\n") + "\r\n", name: "merges.txt") == expected)
    }

    @Test func textThatIsCutOff() throws {
        let text = (["\"bpe_simple_vocab_16e6.txt#version: 0.2"] + Self.merges.dropLast()).joined(separator: "\n")
        #expect(try fault(text) == .tooFewMerges(found: Self.needed - 1, needed: Self.needed))
        #expect(try fault(String(text.prefix(300_000))) != nil)
        #expect(try fault("two words\n") == .unknownForm)
    }

    private func model() throws -> Checkpoint { try Checkpoint(path: fixturePath("checkpoints/hf-gelu-bf16")) }

    /// The fixture has 100 tokens: a vocabulary that is named must have as many.
    @Test func aNamedVocabularyMustFit() throws {
        let one = try directory.write("#version: 0.2\nl o\n", to: "one.txt")
        #expect(throws: ModelError.inFile(path: one, .vocabularySize(tokenizer: 515, backbone: 100))) {
            try self.model().write(to: self.directory.path("own.safetensors"), vocabulary: one)
        }
        #expect(try directoryEntries(directory.path) == ["one.txt"])
    }

    @Test func anImportKeepsWhatIsNamed() throws {
        // 515 tokens: the bytes, one merge, start and end.
        var parts = try FileParts(fixturePath("clip/clip-mini.safetensors"))
        let width = try #require(parts.tensors["token_embedding.weight"]?.shape.last)
        parts.set("token_embedding.weight", shape: [515, width])
        try parts.write(to: directory.path("clip.safetensors"))
        let merges = try directory.write("#version: 0.2\r\nl o\r\n", to: "named.txt")
        let checkpoint = try Checkpoint(path: directory.path("clip.safetensors"), options: CheckpointOptions(activation: .quickGELU))
        let report = try checkpoint.write(to: directory.path("own.safetensors"), vocabulary: merges)
        #expect(report.vocabularyPath == directory.path("own.merges.txt"))
        let backbone = try Backbone.load(directory.path("own.safetensors"))
        #expect(try backbone.tokenizer(vocabularyPath: nil).encode("lo").count == 2)
        #expect(try String(contentsOfFile: directory.path("own.merges.txt"), encoding: .utf8) == "#version: 0.2\nl o\n")
    }
}
