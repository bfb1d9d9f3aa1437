/// Splits a text into the pieces whose scores have the largest sum.
///
/// Source: google/sentencepiece `unigram_model.cc`, `EncodeOptimized`, as huggingface/tokenizers has it too. Sums are float32 in the
/// former and float64 in the latter; which pieces win where two ways are equally good depends on it.
struct UnigramModel: Sendable {
    /// A character that no piece stands for costs this much more than the worst piece.
    private static let unknownPenalty = 10.0

    private let trie: PieceTrie
    private let scores: [Double]
    private let unknownToken: Int
    private let unknownScore: Double
    /// The token of each byte, where unknown characters are spelled in bytes.
    private let byteTokens: [Int]?
    private let isFloat32: Bool
    /// Pieces that win wherever they stand.
    private let userDefined: Set<Int>
    private let largestScore: Double

    /// - Parameters:
    ///   - matched: ids of the pieces that a text may hold.
    ///   - scored: ids of the pieces that the score of unknown characters is derived from.
    init(
        pieces: [[UInt8]], scores: [Double], matched: some Sequence<Int>, scored: some Sequence<Int>, unknownToken: Int,
        byteTokens: [Int]?, isFloat32: Bool, userDefined: Set<Int> = []
    ) {
        var trie = PieceTrie()
        for id in matched { trie.insert(pieces[id], value: id) }
        let counted = scored.map { scores[$0] }
        let worst = counted.min() ?? 0
        self.trie = trie
        self.scores = scores
        self.unknownToken = unknownToken
        self.byteTokens = byteTokens
        self.isFloat32 = isFloat32
        self.userDefined = userDefined
        largestScore = counted.max() ?? 0
        unknownScore = isFloat32 ? Double(Float(worst - Self.unknownPenalty)) : worst - Self.unknownPenalty
    }

    /// The best way to an end.
    private struct Step {
        var score = 0.0
        var start = -1
        var token = 0
    }

    func append(_ text: [UInt8], to ids: inout [Int]) {
        var steps = [Step](repeating: Step(), count: text.count + 1)
        var start = 0
        while start < text.count {
            let length = min(characterLength(startingWith: text[start]), text.count - start)
            let before = steps[start].score
            var holdsCharacter = false
            trie.forEachPiece(in: text, at: start) { end, token in
                let own = userDefined.contains(token) ? Double(end - start) * largestScore - 0.1 : scores[token]
                take(&steps[end], Step(score: rounded(own + before), start: start, token: token))
                if end - start == length { holdsCharacter = true }
            }
            if !holdsCharacter {
                take(&steps[start + length], Step(score: rounded(unknownScore + before), start: start, token: unknownToken))
            }
            start += length
        }
        appendBest(steps, of: text, to: &ids)
    }

    private func take(_ best: inout Step, _ candidate: Step) {
        guard best.start < 0 || candidate.score > best.score else { return }
        best = candidate
    }

    private func rounded(_ sum: Double) -> Double { isFloat32 ? Double(Float(sum)) : sum }

    /// A run of unknown characters is one token, or the tokens of its bytes.
    private func appendBest(_ steps: [Step], of text: [UInt8], to ids: inout [Int]) {
        var backwards: [Int] = []
        var end = text.count
        var isAfterUnknown = false
        while end > 0 {
            let step = steps[end]
            let isUnknown = step.token == unknownToken
            if isUnknown, let byteTokens {
                for byte in text[step.start..<end].reversed() { backwards.append(byteTokens[Int(byte)]) }
            } else if !(isUnknown && isAfterUnknown) {
                backwards.append(step.token)
            }
            isAfterUnknown = isUnknown
            end = step.start
        }
        ids += backwards.reversed()
    }
}
