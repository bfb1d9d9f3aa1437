import CLIPModel
import Files
import Foundation
import TestSupport
import Testing

/// SigLIP's and SigLIP 2's tokenizers, read from each of their files, against sentencepiece and the tokenizers library.
@Suite struct SentencePieceTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private static func fixture(_ name: String) -> String { fixturePath("siglip-tokenizers/\(name)") }

    private func tokenizer(_ name: String) throws -> SentencePieceTokenizer {
        try SentencePieceTokenizer(path: Self.fixture(name), isSecond: name.hasPrefix("siglip2"))
    }

    /// Random characters, runs of spaces, emoji, combining marks, digits, punctuation, and what looks like special tokens.
    @Test(
        arguments: [
            "siglip.tokenizer.json", "siglip-bare.tokenizer.json", "siglip.spiece.model", "siglip2.tokenizer.json", "siglip2.spiece.model",
        ])
    func sameAsTheLibraries(name: String) throws {
        let tokenizer = try tokenizer(name)
        let cases = try #require(
            JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: Self.fixture("cases.json")))) as? [[String: Any]])
        var count = 0
        for item in cases {
            // Not every file has an answer to what spells a special token.
            guard let text = item["text"] as? String, let ids = item[name] as? [Int] else { continue }
            #expect(tokenizer.encode(text) == ids, "\(text.debugDescription)")
            count += 1
        }
        #expect(count > 230)
        #expect(tokenizer.vocabularySize == (name.hasPrefix("siglip2") ? 700 : 450))
    }

    /// The end token comes last of the text, and padding reaches to the length: `</s>` (1) in SigLIP, `<pad>` (0) in SigLIP 2.
    @Test func sequences() throws {
        let first = try tokenizer("siglip.spiece.model"), second = try tokenizer("siglip2.tokenizer.json")
        #expect(first.startToken == nil && first.endToken == 1 && first.paddingToken == 1)
        #expect(second.startToken == nil && second.endToken == 1 && second.paddingToken == 0)
        let ids = first.encode("a dog")
        #expect(first.sequence(of: ids, length: 16) == ids + Array(repeating: 1, count: 16 - ids.count))
        let others = second.encode("a dog")
        #expect(second.sequence(of: others, length: 16) == others + [1] + Array(repeating: 0, count: 15 - others.count))
        // What does not fit loses its end.
        #expect(second.sequence(of: Array(5..<30), length: 8) == [5, 6, 7, 8, 9, 10, 11, 1])
        #expect(second.sequence(of: [5, 6], prompts: [3, 3], length: 6) == [3, 3, 5, 6, 1, 0])
        #expect(first.sequence(of: [], length: 3) == [1, 1, 1])
    }

    @Test func classNames() throws {
        let tokenizer = try tokenizer("siglip.tokenizer.json")
        let made = try TokenSequence.sequences(for: ["Dog!", "horse"], wording: .photo, tokenizer: tokenizer, contextLength: 64)
        // Lower case, and the template's full stop is punctuation.
        let ids = tokenizer.encode("a photo of a dog")
        #expect(made[0].tokens == ids + Array(repeating: 1, count: 64 - ids.count))
        #expect(made[0].endIndex == 63)
        let prompted = try TokenSequence.sequences(for: ["dog"], wording: .prompts(count: 4), tokenizer: tokenizer, contextLength: 16)
        #expect(prompted[0].promptRange == 0..<4)
        #expect(prompted[0].tokens.count == 16)
        for (name, problem) in [("?!", TokenizerError.ClassNameFault.Problem.empty), ("a </s>", .holdsSpecialToken)] {
            #expect(throws: TokenizerError.classNames([.init(index: 0, name: name, problem: problem)], contextLength: 64)) {
                try TokenSequence.sequences(for: [name], wording: .template("{}"), tokenizer: tokenizer, contextLength: 64)
            }
        }
        #expect(throws: TokenizerError.self) {
            try TokenSequence.sequences(for: [String(repeating: "dog horse ", count: 40)], wording: .photo, tokenizer: tokenizer, contextLength: 64)
        }
    }

    /// Texts of a megabyte are no burden: merging and splitting take about as long as the text is.
    @Test(.timeLimit(.minutes(5)))
    func longTexts() throws {
        for name in ["siglip.tokenizer.json", "siglip2.tokenizer.json", "siglip2.spiece.model"] {
            let tokenizer = try tokenizer(name)
            #expect(tokenizer.encode(String(repeating: "ab c", count: 1 << 16)).count > 1 << 16, "\(name)")
            #expect(tokenizer.encode(String(repeating: " ", count: 1 << 18)).count <= 1 << 18, "\(name)")
        }
    }

    // MARK: Files that are not to be trusted

    private func words(_ bytes: [UInt8], isSecond: Bool = false) throws -> String {
        let path = try directory.write(bytes, to: "tokenizer")
        do {
            _ = try SentencePieceTokenizer(path: path, isSecond: isSecond)
            return "accepted"
        } catch {
            return "\(error)".replacingOccurrences(of: path, with: "FILE")
        }
    }

    private func words(_ json: String, isSecond: Bool = false) throws -> String { try words(Array(json.utf8), isSecond: isSecond) }

    @Test func anAbsentFileIsNamed() {
        let path = directory.path("spiece.model")
        #expect(throws: TokenizerError.file(FileError(path: path, problem: .missing))) { try SentencePieceTokenizer(path: path, isSecond: false) }
    }

    @Test func otherFiles() throws {
        #expect(try words("") == "FILE: is neither a tokenizer.json nor a spiece.model. Pass one of the files that belong to the model.")
        #expect(try words("<!DOCTYPE html>") == "FILE: is a web page, not a tokenizer. Download it again.")
        #expect(try words("version https://git-lfs.github.com/spec/v1\n").contains("git lfs pull"))
        let first = try InputFile.contents(of: Self.fixture("siglip.tokenizer.json"), limit: 1 << 20)
        #expect(
            try words(first, isSecond: true)
                == "FILE: is a unigram tokenizer (SigLIP's), but the model needs SigLIP 2's byte pairs. Pass the file that belongs to the model.")
        let second = try InputFile.contents(of: Self.fixture("siglip2.spiece.model"), limit: 1 << 20)
        #expect(
            try words(second)
                == "FILE: is a byte-pair tokenizer (SigLIP 2's), but the model needs SigLIP's unigram. Pass the file that belongs to the model.")
    }

    @Test func damagedMessages() throws {
        let whole = try InputFile.contents(of: Self.fixture("siglip.spiece.model"), limit: 1 << 20)
        // A cut inside a field that declares its length, a length of 2^63, a number without end.
        #expect(try words(Array(whole.prefix(whole.count - 3))).hasPrefix("FILE: byte "))
        #expect(try words([0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]).contains("9223372036854775807 bytes are declared, 0 are left"))
        #expect(try words([0x0A] + [UInt8](repeating: 0xFF, count: 20)).contains("a number has more than 64 bits"))
        #expect(try words([0x0A, 0x00]) == "FILE: piece 0: is not UTF-8 text. Download it again.")
        #expect(try words([0x0A, 0x03, 0x0A, 0x01, 0x61, 0x0A, 0x03, 0x0A, 0x01, 0x61]) == "FILE: piece 1: is the same as an earlier one. Download it again.")
        #expect(try words([0x0A, 0x03, 0x0A, 0x01, 0x61]).contains("0 are of the kind UNKNOWN"))
        // A score that is not a number.
        #expect(try words([0x0A, 0x08, 0x0A, 0x01, 0x61, 0x15, 0, 0, 0xC0, 0x7F]).contains("its score is not a number"))
        // A map of characters that declares more than there is.
        #expect(try words([0x0A, 0x05, 0x0A, 0x01, 0x61, 0x18, 0x02, 0x1A, 0x08, 0x12, 0x06, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0]).contains("precompiled_charsmap: a trie of"))
    }

    /// A tokenizer.json in which one part is another.
    private func changed(_ old: String, _ new: String) throws -> String {
        let text = try String(contentsOfFile: Self.fixture("siglip.tokenizer.json"), encoding: .utf8)
        let result = text.replacingOccurrences(of: old, with: new)
        #expect(result != text, "\(old)")
        return try words(result)
    }

    @Test func wrongJSON() throws {
        #expect(try words("{\"model\":1}").hasPrefix("FILE: "))
        #expect(try words("{}") == "FILE: model: is missing. Download it again.")
        #expect(try changed("\"unk_id\":2", "\"unk_id\":99999") == "FILE: model.unk_id: is not one of 450 pieces. Download it again.")
        #expect(try changed("[\"</s>\",0.0]", "[\"<pad>\",0.0]") == "FILE: piece 1: is the same as an earlier one. Download it again.")
        #expect(try changed("[\"</s>\",0.0]", "[\"\(String(repeating: "a", count: 300))\",0.0]").contains("300 bytes, at most 256 are read"))
        #expect(try changed("\"type\":\"Lowercase\"", "\"type\":\"BertNormalizer\"").contains("normalizer is BertNormalizer, which this program does not compute"))
        #expect(try changed("\"Regex\":\" {2,}\"", "\"Regex\":\"(a+)+b\"").contains("the expression (a+)+b"))
        #expect(try changed("\"type\":\"Unigram\"", "\"type\":\"WordPiece\"").contains("model.type is WordPiece"))
        #expect(try changed("\"replacement\":\"▁\"", "\"replacement\":\"\"").contains("pre_tokenizer"))
        let second = try String(contentsOfFile: Self.fixture("siglip2.tokenizer.json"), encoding: .utf8)
        #expect(try words(second.replacingOccurrences(of: "\"<eos>\"", with: "\"<end>\""), isSecond: true).contains("token <eos> is missing"))
        #expect(try words(second.replacingOccurrences(of: "\"merges\":[[", with: "\"merges\":[[\"q\",\"zz\"],["), isSecond: true).contains("model.merges[0]"))
    }

    // MARK: Beside a backbone

    private func backbone(_ kind: TokenizerKind, tokens: Int) throws -> String {
        var parts = try FileParts(fixturePath("clip/clip-mini.safetensors"))
        let width = try #require(parts.tensors["token_embedding.weight"]?.shape.last)
        parts.set("token_embedding.weight", shape: [tokens, width])
        try parts.write(to: directory.path("clip.safetensors"))
        let checkpoint = try Checkpoint(path: directory.path("clip.safetensors"), options: CheckpointOptions(activation: .quickGELU))
        _ = try checkpoint.write(to: directory.path("plain.safetensors"))
        let plain = try Backbone.load(directory.path("plain.safetensors"))
        let backbone = Backbone(
            architecture: plain.architecture, parameters: plain.parameters,
            description: BackboneDescription(name: "small", normalization: .clip, tokenizer: kind, provenance: "a test"))
        let path = directory.path("own.safetensors")
        _ = try backbone.save(to: path, elementType: .float32)
        return path
    }

    @Test(arguments: [("siglip.tokenizer.json", "own.tokenizer.json"), ("siglip.spiece.model", "own.spiece.model")])
    func keptBesideABackbone(name: String, kept: String) throws {
        let path = try backbone(.siglip, tokens: 450)
        let alone = try Backbone.load(path)
        #expect(alone.description.tokenizer == .siglip)
        #expect(throws: ModelError.missingTokenizer(backbone: "small")) { try alone.tokenizer(vocabularyPath: nil) }
        #expect(try keepVocabulary(Self.fixture(name), beside: path, for: .siglip) == directory.path(kept))
        let found = try Backbone.load(path)
        #expect(found.vocabularyPath == directory.path(kept))
        #expect(try found.tokenizer(vocabularyPath: nil).encode("a dog") == tokenizer(name).encode("a dog"))
    }

    @Test func theOtherModelsTokenizerIsRefused() throws {
        let path = try backbone(.siglip2, tokens: 600)
        let found = try Backbone.load(path)
        #expect(throws: TokenizerError.self) { try found.tokenizer(vocabularyPath: Self.fixture("siglip.spiece.model")) }
        #expect(throws: ModelError.vocabularySize(tokenizer: 700, backbone: 600)) {
            try found.tokenizer(vocabularyPath: Self.fixture("siglip2.spiece.model"))
        }
    }
}
