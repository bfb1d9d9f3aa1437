/// CLIP's tokenizer: cleaned text, split into words, numbers and punctuation, each merged byte pair
/// by byte pair.
///
/// Source: openai/CLIP `clip/simple_tokenizer.py`.
package struct BPETokenizer: Tokenizer {
    private let vocabulary: BPEVocabulary

    /// Reads `bpe_simple_vocab_16e6.txt.gz`, packed or not, or Hugging Face's `merges.txt` or `tokenizer.json`.
    package init(vocabularyPath: String) throws(TokenizerError) {
        vocabulary = try BPEVocabulary(path: vocabularyPath)
    }

    init(vocabulary: BPEVocabulary) { self.vocabulary = vocabulary }

    package var startToken: Int? { vocabulary.startToken }
    package var endToken: Int { vocabulary.endToken }
    package var vocabularySize: Int { vocabulary.endToken + 1 }

    /// The ids of `text`. A spelled-out `<|startoftext|>` or `<|endoftext|>` becomes that token, as
    /// in CLIP; `TokenSequence` refuses class names that hold one.
    package func encode(_ text: String) -> [Int] {
        var ids: [Int] = []
        for piece in pieces(of: Array(cleanedText(text).unicodeScalars)) {
            switch piece {
            case .start: ids.append(vocabulary.startToken)
            case .end: ids.append(endToken)
            case .text(let scalars): ids += merged(scalars)
            }
        }
        return ids
    }

    /// The ids of one word: its bytes, merged by rank until nothing merges.
    private func merged(_ scalars: ArraySlice<Unicode.Scalar>) -> [Int] {
        var ids = scalars.flatMap { UTF8.encode($0).map { Array($0) } ?? [] }.map { vocabulary.idOfByte[Int($0)] }
        ids[ids.count - 1] += 256
        // What each symbol and the next one become. The lowest id was learnt first and merges first.
        var candidates = zip(ids, ids.dropFirst()).map { vocabulary.merged($0, $1) ?? .max }
        while let lowest = candidates.min(), lowest != .max {
            (ids, candidates) = pass(ids, candidates, merging: lowest)
        }
        return ids
    }

    /// Merges, from left to right, every pair that becomes `id`.
    private func pass(_ ids: [Int], _ candidates: [Int], merging id: Int) -> (ids: [Int], candidates: [Int]) {
        var newIDs: [Int] = []
        var newCandidates: [Int] = []
        var position = 0
        var isAfterMerge = false
        while position < ids.count {
            let merges = position < candidates.count && candidates[position] == id
            let symbol = merges ? id : ids[position]
            if let previous = newIDs.last {
                // Only the neighbors of a merge pair up anew.
                newCandidates.append(
                    merges || isAfterMerge ? vocabulary.merged(previous, symbol) ?? .max : candidates[position - 1])
            }
            newIDs.append(symbol)
            isAfterMerge = merges
            position += merges ? 2 : 1
        }
        return (newIDs, newCandidates)
    }
}

private enum Piece {
    case start, end
    case text(ArraySlice<Unicode.Scalar>)
}

/// Splits cleaned text as the regular expression does, first match at each place:
///
///     <|startoftext|> <|endoftext|> 's 't 're 've 'm 'll 'd [\p{L}]+ [\p{N}] [^\s\p{L}\p{N}]+
private func pieces(of text: [Unicode.Scalar]) -> [Piece] {
    var result: [Piece] = []
    var position = 0
    while position < text.count {
        let rest = text[position...]
        let length: Int
        if let (piece, specialLength) = specialToken(at: rest) {
            length = specialLength
            result.append(piece)
        } else {
            length = contractionLength(at: rest) ?? classLength(at: rest)
            if length > 0 { result.append(.text(rest.prefix(length))) }
        }
        position += max(1, length)
    }
    return result
}

private func specialToken(at text: ArraySlice<Unicode.Scalar>) -> (Piece, length: Int)? {
    guard text.first == "<" else { return nil }
    let start = "<|startoftext|>".unicodeScalars, end = "<|endoftext|>".unicodeScalars
    if text.starts(with: start) { return (.start, start.count) }
    if text.starts(with: end) { return (.end, end.count) }
    return nil
}

private let contractions: [[Unicode.Scalar]] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].map {
    Array($0.unicodeScalars)
}

private func contractionLength(at text: ArraySlice<Unicode.Scalar>) -> Int? {
    guard text.first == "'" else { return nil }
    // The expression ignores case, and the long s is an s then.
    let folded = text.prefix(3).map { $0 == "ſ" ? "s" : $0 }
    return contractions.first { folded.starts(with: $0) }?.count
}

private enum CharacterClass {
    case space, letter, number, other

    init(_ scalar: Unicode.Scalar) {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
        case .decimalNumber, .letterNumber, .otherNumber: self = .number
        default: self = scalar.properties.isWhitespace ? .space : .other
        }
    }
}

/// How many scalars of one class come first: any number of letters or others, one number, no space.
private func classLength(at text: ArraySlice<Unicode.Scalar>) -> Int {
    guard let first = text.first.map(CharacterClass.init) else { return 0 }
    switch first {
    case .space: return 0
    case .number: return 1
    case .letter, .other: return text.prefix { CharacterClass($0) == first }.count
    }
}
