import CLIPModel
import Foundation
import TestSupport
import Testing

/// Class names as CLIP's tokenizer cleans them, against ftfy (`scripts/make_cleaning.py`).
@Suite struct CleaningTests {
    private struct Case: Decodable {
        let text: String
        let cleaned: String
    }

    @Test func asFtfyCleans() throws {
        let cases = try JSONDecoder().decode(
            [Case].self, from: Data(contentsOf: URL(fileURLWithPath: fixturePath("clip/cleaning.json"))))
        #expect(cases.count > 2000)
        let tokenizer = ByteTokenizer()
        var wrong: [String] = []
        for item in cases where tokenizer.encode(item.text) != Array(item.cleaned.utf8).map(Int.init) {
            let found = String(decoding: tokenizer.encode(item.text).map { UInt8(truncatingIfNeeded: $0) }, as: UTF8.self)
            wrong.append("\(item.text.debugDescription): \(found.debugDescription), not \(item.cleaned.debugDescription)")
        }
        #expect(wrong.isEmpty, "\(wrong.count) of \(cases.count):\n\(wrong.prefix(40).joined(separator: "\n"))")
    }

    /// What people see of the two commonest kinds.
    @Test func garbledAndColoredNames() {
        let tokenizer = ByteTokenizer()
        for (text, meant) in [("CafÃ©", "café"), ("\u{1B}[31mwaving\u{1B}[0m", "waving"), ("donâ€™t", "don't")] {
            #expect(tokenizer.encode(text) == tokenizer.encode(meant), "\(text.debugDescription)")
        }
    }

    /// Time grows with the length of a text, not faster.
    @Test(.timeLimit(.minutes(15)))
    func longTexts() {
        let text = String(repeating: "Ã©Â ", count: 20_000)
        #expect(ByteTokenizer().encode(text).count < text.utf8.count)
    }

    /// Each problem has its own remedy.
    @Test func remedies() {
        func words(_ names: [String]) -> String {
            var words = ""
            do {
                _ = try TokenSequence.sequences(for: names, wording: .photo, tokenizer: Marks(), contextLength: 30)
            } catch { words = "\(error)" }
            return words
        }
        #expect(words(["x<|endoftext|>"]) == """
            1 class name cannot be used:
              class 0 "x<|endoftext|>" spells a start or end token
            Remove <|startoftext|> and <|endoftext|> from the names: they mark where CLIP's texts begin and end.
            """)
        #expect(words(["", "a"]) == """
            1 class name cannot be used:
              class 0 "" is empty
            Give every class a name of at least one visible character.
            """)
        let both = words([String(repeating: "long ", count: 9), "<|endoftext|>"])
        #expect(both.contains("30 tokens fit") && both.contains("Shorten the names") && both.contains("Remove <|startoftext|>"))
    }

    /// Bytes, and an end token where it is spelled out.
    private struct Marks: Tokenizer {
        let startToken: Int? = 256
        let endToken = 257
        let vocabularySize = 258

        func encode(_ text: String) -> [Int] {
            ByteTokenizer().encode(text) + (text.contains("<|endoftext|>") ? [endToken] : [])
        }
    }
}
