import Files

/// The tokenizers of SigLIP and SigLIP 2, read from the model's own `tokenizer.json` or `spiece.model`.
///
/// A text is split at tokens that it spells out; what is between them is normalized, split and made of pieces. Texts end with an end
/// token and are padded behind it up to the context length: the text tower reads the last place (`methods_more.md` 5). Sources:
/// huggingface/tokenizers, google/sentencepiece; for SigLIP 2 google-research/big_vision (`lower`, `eos="sticky"`), and open_clip
/// `tokenizer.py` (`padding_side='right', add_bos_token=False, add_eos_token=True`).
package struct SentencePieceTokenizer: Tokenizer {
    package let startToken: Int? = nil
    package let endToken: Int
    package let paddingToken: Int?
    package let vocabularySize: Int
    /// SHA-256 of the file.
    let digest: String

    private let added: AddedTokens
    private let normalizers: [TextNormalizer]
    /// Found in normalized text.
    private let addedToNormalized: AddedTokens
    private let splitters: [TextSplitter]
    private let model: PieceModel

    static let byteLimit = 64 << 20

    /// - Parameter isSecond: SigLIP 2's, which keeps punctuation.
    /// - Throws: `TokenizerError` that names the file, and the place in it where something is wrong.
    package init(path: String, isSecond: Bool) throws(TokenizerError) {
        let bytes: [UInt8]
        do {
            bytes = try InputFile.contents(of: path, limit: Self.byteLimit)
        } catch {
            throw .file(error)
        }
        try self.init(bytes, path: path, isSecond: isSecond)
    }

    init(_ bytes: [UInt8], path: String, isSecond: Bool) throws(TokenizerError) {
        let file = try Self.read(bytes, path: path)
        do throws(SentencePieceFault) {
            if case .merges = file.model, !isSecond { throw .otherKind(found: "a byte-pair tokenizer (SigLIP 2's)", needed: "SigLIP's unigram") }
            if case .unigram = file.model, isSecond { throw .otherKind(found: "a unigram tokenizer (SigLIP's)", needed: "SigLIP 2's byte pairs") }
            endToken = try Self.token(isSecond ? "<eos>" : "</s>", 1, in: file)
            paddingToken = isSecond ? try Self.token("<pad>", 0, in: file) : endToken
        } catch {
            throw .tokenizer(path: path, error)
        }
        digest = Digest.of(bytes)
        vocabularySize = file.vocabularySize
        model = file.model
        splitters = file.splitters
        added = AddedTokens(file.added)
        normalizers = Self.steps(isSecond: isSecond, before: file.normalizers)
        let steps = normalizers
        addedToNormalized = AddedTokens(
            file.addedToNormalized.map {
                .init(id: $0.id, text: steps.normalized($0.text), takesSpaceBefore: $0.takesSpaceBefore, takesSpaceBehind: $0.takesSpaceBehind)
            })
    }

    private static func read(_ bytes: [UInt8], path: String) throws(TokenizerError) -> TokenizerFile {
        let start = bytes.drop { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
        if start.first == UInt8(ascii: "{") { return try TokenizerFile(json: bytes, path: path) }
        do throws(SentencePieceFault) {
            if start.starts(with: Array("version https://git-lfs".utf8)) { throw .lookalike("a pointer of Git LFS (run `git lfs pull`)") }
            if start.first == UInt8(ascii: "<") { throw .lookalike("a web page") }
            // The first field of SentencePiece's message is a list of pieces.
            guard bytes.first == 0x0A else { throw .unknownForm }
            return try TokenizerFile(sentencePiece: bytes)
        } catch {
            throw .tokenizer(path: path, error)
        }
    }

    private static func token(_ name: String, _ needed: Int, in file: TokenizerFile) throws(SentencePieceFault) -> Int {
        let found = file.idOfToken[Array(name.utf8)]
        guard found == needed else { throw .token(name, found: found, needed: needed) }
        return needed
    }

    /// What is done first to a text because the model was trained so, where the file does not do it by itself.
    private static func steps(isSecond: Bool, before own: [TextNormalizer]) -> [TextNormalizer] {
        let lowers = own.normalized("A").utf8.allSatisfy { $0 != UInt8(ascii: "A") }
        if isSecond { return (lowers ? [] : [.lowercase(finalSigma: false)]) + own }
        let dropsPunctuation = !own.normalized("a!").utf8.contains(UInt8(ascii: "!"))
        return (lowers ? [] : [.lowercase(finalSigma: true)]) + (dropsPunctuation ? [] : [.withoutPunctuation, .singleSpaces]) + own
    }

    /// The ids of `text`. A token that it spells out, such as `</s>`, is that token, as in the tokenizers library.
    package func encode(_ text: String) -> [Int] {
        var ids: [Int] = []
        for part in added.parts(of: text) {
            switch part {
            case .token(let id): ids.append(id)
            case .text(let text, let isFirst): append(normalizers.normalized(text), isFirst: isFirst, to: &ids)
            }
        }
        return ids
    }

    private func append(_ text: String, isFirst: Bool, to ids: inout [Int]) {
        for part in addedToNormalized.parts(of: text) {
            switch part {
            case .token(let id): ids.append(id)
            case .text(let text, let isOwnFirst):
                var parts = [(text: text, isFirst: isFirst && isOwnFirst)]
                for splitter in splitters { parts = parts.flatMap { splitter.split($0.text, isFirst: $0.isFirst) } }
                for part in parts { model.append(Array(part.text.utf8), to: &ids) }
            }
        }
    }

    package func isEmpty(_ text: String) -> Bool { encode(text).isEmpty }
}

/// The two ways to make pieces.
enum PieceModel: Sendable {
    case unigram(UnigramModel)
    case merges(MergeModel)

    func append(_ text: [UInt8], to ids: inout [Int]) {
        switch self {
        case .unigram(let model): model.append(text, to: &ids)
        case .merges(let model): model.append(text, to: &ids)
        }
    }
}
