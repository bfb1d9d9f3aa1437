import CLIPModel
import Files
import Foundation
import TestSupport
import Testing

/// CLIP's own vocabulary, where `make vocabulary` has put it.
let vocabularyPath = fixturePath("../../Checkpoints/vocabulary/bpe_simple_vocab_16e6.txt.gz")

@Suite(.enabled(if: fileExists(vocabularyPath), "run 'make vocabulary' first"))
struct BPETokenizerTests {
    private struct Case: Decodable {
        let text: String
        let ids: [Int]
    }

    private let tokenizer: BPETokenizer

    init() throws { tokenizer = try BPETokenizer(vocabularyPath: vocabularyPath) }

    /// Against open_clip's tokenizer.
    @Test(arguments: ["clip/tokenizer.json", "clip/tokenizer-hard.json"])
    func sameAsTheReference(fixture: String) throws {
        let cases = try JSONDecoder().decode([Case].self, from: Data(contentsOf: URL(fileURLWithPath: fixturePath(fixture))))
        #expect(cases.count >= 28)
        for item in cases {
            #expect(tokenizer.encode(item.text) == item.ids, "\(item.text.debugDescription)")
        }
    }

    @Test func specialTokens() {
        #expect(tokenizer.vocabularySize == 49_408)
        #expect(tokenizer.startToken == 49_406)
        #expect(tokenizer.endToken == 49_407)
        #expect(tokenizer.encode("a <|ENDOFTEXT|>b<|startoftext|>") == [320, 49_407, 321, 49_406])
    }

    @Test func sequencesOfPhotosAndPrompts() throws {
        let photo = try TokenSequence.sequences(
            for: ["archery", "cartwheel"], wording: .photo, tokenizer: tokenizer, contextLength: 77)
        #expect(photo[0].tokens == [49_406, 320, 1125, 539, 320, 23935, 269, 49_407])
        #expect(photo[0].promptRange.isEmpty)
        let prompts = try TokenSequence.sequences(
            for: ["archery", "cartwheel"], wording: .prompts(count: 3), tokenizer: tokenizer, contextLength: 77)
        #expect(prompts[1].tokens == [49_406, 0, 0, 0, 27705, 6744, 269, 49_407])
        #expect(prompts[1].promptRange == 1..<4)
    }

    @Test func namesThatSpellSpecialTokens() {
        let error = #expect(throws: TokenizerError.self) {
            try TokenSequence.sequences(
                for: ["a", "x<|EndOfText|>"], wording: .photo, tokenizer: tokenizer, contextLength: 77)
        }
        guard case .classNames(let faults, contextLength: 77) = error else {
            Issue.record("another error")
            return
        }
        #expect(faults.map(\.index) == [1])
        #expect(faults.map(\.problem) == [.holdsSpecialToken])
    }

    /// One word of a megabyte: merging must not take the square of its length times its length.
    @Test(.timeLimit(.minutes(15)))
    func longWords() {
        #expect(tokenizer.encode(String(repeating: "a", count: 1 << 20)).count > 100_000)
        let letters = (0..<10_000).map { Character(Unicode.Scalar(UInt8(97 + $0 * $0 % 26))) }
        #expect(tokenizer.encode(String(letters)).count > 1000)
    }
}

@Suite struct TokenSequenceTests {
    private let bytes = ByteTokenizer()

    @Test func bytesAsTokens() {
        #expect(bytes.encode(" A &amp;\t é") == [97, 32, 38, 32, 0xC3, 0xA9])
        #expect(bytes.endToken == bytes.vocabularySize - 1)
    }

    @Test func layout() throws {
        let sequences = try TokenSequence.sequences(
            for: ["Run", "rest"], wording: .prompts(count: 2), tokenizer: bytes, contextLength: 9)
        #expect(sequences[0].tokens == [256, 0, 0, 114, 117, 110, 46, 257])
        #expect(sequences[0].endIndex == 7)
        #expect(sequences[0].padded(to: 9) == [256, 0, 0, 114, 117, 110, 46, 257, 0])
        #expect(sequences[1].tokens.count == 9)
    }

    @Test func template() throws {
        let sequence = try TokenSequence.sequences(
            for: ["x"], wording: .template("{}"), tokenizer: bytes, contextLength: 77)
        #expect(sequence[0].tokens == [256, 120, 257])
        for template in ["no place", "{} and {}", "{", ""] {
            #expect(throws: TokenizerError.template(template)) {
                try TokenSequence.sequences(
                    for: ["x"], wording: .template(template), tokenizer: bytes, contextLength: 77)
            }
        }
    }

    /// B5: a name of 1 MB is one of them.
    /// A label file of a megabyte, an empty label and one that just does not fit: all are listed.
    @Test func allNamesThatDoNotFitAreListed() throws {
        let names = ["run", String(repeating: "word ", count: 200_000), " \t", "abcdef", "abcde", "\u{1B}[31m12345678"]
        let error = #expect(throws: TokenizerError.self) {
            try TokenSequence.sequences(
                for: names, wording: .prompts(count: 2), tokenizer: bytes, contextLength: 10)
        }
        let long = String(repeating: "word ", count: 12)
        #expect(
            error.map { "\($0)" } == """
                4 class names cannot be used; at most 10 tokens fit, including the prompt and the start and end tokens:
                  class 1 "\(long)…" is far too long
                  class 2 " \\u{9}" is empty
                  class 3 "abcdef" takes 11 tokens
                  class 5 "\\u{1b}[31m12345678" takes 13 tokens
                Shorten the names, or use fewer prompt tokens.
                """)
    }
}
