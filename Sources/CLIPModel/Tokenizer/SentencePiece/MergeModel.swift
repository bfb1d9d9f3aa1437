/// Merges neighboring symbols of a text, the best pair of all first.
///
/// Source: huggingface/tokenizers `models/bpe/word.rs` (`merge_all`) and google/sentencepiece `bpe_model.cc`. A text may be one word of
/// any length: pairs wait in a heap.
struct MergeModel: Sendable {
    struct Merge: Sendable {
        let rank: Int32
        let symbol: Int32
    }

    /// What two symbols become, by `key`. Symbols that are no tokens merge too.
    var merges: [UInt64: Merge] = [:]
    /// Single characters, by their value.
    var symbolOfCharacter: [UInt32: Int32] = [:]
    /// The token of each byte, where unknown characters are spelled in bytes.
    var byteTokens: [Int]?
    var unknownToken: Int?
    /// Whether a run of unknown characters is one token.
    var fusesUnknown = true
    /// Whole texts that are tokens as they stand.
    var wholeWords: PieceTrie?
    /// Pieces that nothing is merged with.
    var userDefined = PieceTrie()
    /// Symbols beyond these are no tokens.
    var tokenCount: Int

    static func key(_ first: Int32, _ second: Int32) -> UInt64 { UInt64(UInt32(bitPattern: first)) << 32 | UInt64(UInt32(bitPattern: second)) }

    private struct Symbol {
        /// Negative where nothing is merged with it: the complement of a token.
        var id: Int32
        var previous: Int
        var next: Int
        var bytes: Range<Int>
        var isMerged = false
    }

    private static let noSymbol = Int32.min

    func append(_ text: [UInt8], to ids: inout [Int]) {
        if let wholeWords, let piece = wholeWords.longest(in: text, at: 0), piece.end == text.count {
            ids.append(piece.value)
            return
        }
        var symbols = symbols(of: text)
        merge(&symbols)
        var isAfterUnknown = false
        for symbol in symbols where !symbol.isMerged {
            let token = Int(symbol.id < 0 && symbol.id != Self.noSymbol ? ~symbol.id : symbol.id)
            let isKnown = symbol.id != Self.noSymbol && token < tokenCount
            if isKnown {
                ids.append(token)
            } else if let byteTokens {
                ids += text[symbol.bytes].map { byteTokens[Int($0)] }
            } else if let unknownToken, !(isAfterUnknown && fusesUnknown) {
                ids.append(unknownToken)
            }
            isAfterUnknown = !isKnown && byteTokens == nil
        }
    }

    private func symbols(of text: [UInt8]) -> [Symbol] {
        var result: [Symbol] = []
        result.reserveCapacity(text.count)
        func add(_ id: Int32, _ bytes: Range<Int>) {
            result.append(Symbol(id: id, previous: result.count - 1, next: result.count + 1, bytes: bytes))
        }
        var position = 0
        while position < text.count {
            if !userDefined.isEmpty, let piece = userDefined.longest(in: text, at: position) {
                add(~Int32(piece.value), position..<piece.end)
                position = piece.end
                continue
            }
            let end = min(position + characterLength(startingWith: text[position]), text.count)
            var value: UInt32 = 0
            for byte in text[position..<end] { value = value << 8 | UInt32(byte) }
            if let id = symbolOfCharacter[value] {
                add(id, position..<end)
            } else if let byteTokens, mergesBytes {
                for place in position..<end { add(Int32(byteTokens[Int(text[place])]), place..<place + 1) }
            } else {
                add(Self.noSymbol, position..<end)
            }
            position = end
        }
        if !result.isEmpty { result[result.count - 1].next = -1 }
        return result
    }

    /// Whether bytes of unknown characters are symbols like all others, as in the tokenizers library.
    var mergesBytes = false

    private struct Pair {
        let rank: Int32
        let symbol: Int32
        let place: Int

        func isBefore(_ other: Pair) -> Bool { rank == other.rank ? place < other.place : rank < other.rank }
    }

    private func merge(_ symbols: inout [Symbol]) {
        var heap: [Pair] = []
        func push(_ place: Int) {
            let next = symbols[place].next
            guard next >= 0, symbols[place].id >= 0, symbols[next].id >= 0,
                let merge = merges[Self.key(symbols[place].id, symbols[next].id)]
            else { return }
            Self.push(Pair(rank: merge.rank, symbol: merge.symbol, place: place), to: &heap)
        }
        for place in symbols.indices { push(place) }
        while let best = Self.pop(&heap) {
            let symbol = symbols[best.place]
            guard !symbol.isMerged, symbol.next >= 0, symbol.id >= 0 else { continue }
            let next = symbols[symbol.next]
            // The pair may have become another one since.
            guard next.id >= 0, let merge = merges[Self.key(symbol.id, next.id)], merge.symbol == best.symbol else { continue }
            symbols[symbol.next].isMerged = true
            symbols[best.place].id = merge.symbol
            symbols[best.place].bytes = symbol.bytes.lowerBound..<next.bytes.upperBound
            symbols[best.place].next = next.next
            if next.next >= 0 { symbols[next.next].previous = best.place }
            if symbol.previous >= 0 { push(symbol.previous) }
            push(best.place)
        }
    }

    private static func push(_ pair: Pair, to heap: inout [Pair]) {
        heap.append(pair)
        var place = heap.count - 1
        while place > 0 {
            let parent = (place - 1) / 2
            guard heap[place].isBefore(heap[parent]) else { return }
            heap.swapAt(place, parent)
            place = parent
        }
    }

    private static func pop(_ heap: inout [Pair]) -> Pair? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first }
        heap[0] = last
        var place = 0
        while true {
            var smallest = place
            for child in [2 * place + 1, 2 * place + 2] where child < heap.count && heap[child].isBefore(heap[smallest]) {
                smallest = child
            }
            guard smallest != place else { return first }
            heap.swapAt(place, smallest)
            place = smallest
        }
    }
}
