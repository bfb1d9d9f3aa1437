import Foundation

/// The parts of Hugging Face's `tokenizer.json` that CLIP's tokenizer needs.
struct TokenizerJSON {
    let ids: [String: Int]
    /// `first second`, in UTF-8.
    let merges: [[UInt8]]

    private struct File: Decodable {
        let model: Model
    }

    private struct Model: Decodable {
        let type: String?
        let vocab: [String: Int]?
        let merges: [Merge]?
        let end_of_word_suffix: String?
    }

    /// `"a b"`, or `["a", "b"]` in newer files.
    private struct Merge: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                self.text = text
            } else {
                text = try container.decode([String].self).joined(separator: " ")
            }
        }
    }

    init(_ bytes: [UInt8]) throws(TokenizerError.VocabularyFault) {
        guard let file = try? JSONDecoder().decode(File.self, from: Data(bytes)) else { throw .notJSON }
        guard file.model.type ?? "BPE" == "BPE", file.model.end_of_word_suffix == "</w>", let vocab = file.model.vocab,
            let merges = file.model.merges
        else { throw .otherTokenizer }
        ids = vocab
        self.merges = merges.map { Array($0.text.utf8) }
    }

    /// The contents of a `vocab.json`.
    static func ids(_ bytes: [UInt8]) throws(TokenizerError.VocabularyFault) -> [String: Int] {
        guard let ids = try? JSONDecoder().decode([String: Int].self, from: Data(bytes)) else { throw .notJSON }
        return ids
    }
}
