import Glibc
import Tensors

/// Token merging: in a block, between attention and MLP, the most similar tokens of a frame become one.
///
/// Tokens at even places, the class token among them, are compared with those at odd places by the cosine of their
/// keys, summed over heads. Each at an even place has its best match at an odd place; the pairs that are most alike
/// merge into their mean, weighed by how many patches either stands for. The class token and prompts never merge.
/// After it come the class token, what is left at even places, what was at odd places, and prompts.
///
/// A token that stands for n patches counts n times in the attention of later blocks: log n is added to its logits.
/// Backwards, matches and weights are constants.
///
/// Source: Bolya et al., Token Merging: Your ViT But Faster, ICLR 2023, section 3.
package struct TokenMerging: Sendable, Equatable {
    /// Tokens of a group, at its start: class token and patches. Prompts come behind them.
    let tokenCount: Int
    /// Pairs of a group that merge in this block; 0 in a tower's last block, which only the class token leaves.
    let pairCount: Int

    package init(tokenCount: Int, pairCount: Int) {
        precondition(pairCount <= Self.mostPairs(of: tokenCount), "\(pairCount) pairs of \(tokenCount) tokens")
        self.tokenCount = tokenCount
        self.pairCount = pairCount
    }

    /// Tokens at even places without the class token: each can merge once.
    static func mostPairs(of tokenCount: Int) -> Int { max(0, (tokenCount + 1) / 2 - 1) }

    /// The most pairs that can merge in each layer of a vision tower but the last.
    package static func mostPairs(in architecture: CLIPArchitecture) -> Int {
        let mergingLayers = architecture.vision.layerCount - 1
        let tokens = architecture.patchCount + 1
        guard mergingLayers > 0 else { return 0 }
        return (0...tokens).last { $0 <= mostPairs(of: tokens - $0 * (mergingLayers - 1)) } ?? 0
    }

    var evenCount: Int { (tokenCount + 1) / 2 }
    var oddCount: Int { tokenCount / 2 }
}

/// What a block keeps of its tokens' sizes and of what merged, `[1, rows]` each.
struct MergingActivations: Sendable {
    /// How many patches each input row stands for; 1 for the class token and for prompts.
    let sizes: MutableMatrix
    /// What attention adds to products of queries with each key.
    let keyBias: MutableMatrix
    /// The row of its group's output that each row became a part of: whole numbers.
    let places: MutableMatrix
    /// Its share of that row.
    let shares: MutableMatrix

    init(rows: Int) {
        sizes = MutableMatrix(rows: 1, columns: rows)
        keyBias = MutableMatrix(rows: 1, columns: rows)
        places = MutableMatrix(rows: 1, columns: rows)
        shares = MutableMatrix(rows: 1, columns: rows)
    }

    func rows(_ rows: Range<Int>) -> MergingActivations {
        MergingActivations(
            sizes: sizes.columns(rows), keyBias: keyBias.columns(rows), places: places.columns(rows), shares: shares.columns(rows))
    }

    private init(sizes: MutableMatrix, keyBias: MutableMatrix, places: MutableMatrix, shares: MutableMatrix) {
        self.sizes = sizes
        self.keyBias = keyBias
        self.places = places
        self.shares = shares
    }

    /// Makes `keyBias` of `sizes`: log n, before attention divides by the root of the head's width.
    func weighKeys(headWidth: Int) {
        let root = Float(headWidth).squareRoot()
        keyBias.fill(with: sizes.values.map { root * log($0) })
    }
}

/// Memory of a worker for one group's matches, and for the rows of all groups before they merge.
struct MergingScratch: Sendable {
    /// `[queries, width]`
    fileprivate let unmerged: MutableMatrix
    /// `[tokens, headWidth]` and one row more where tokens are odd in number.
    fileprivate let keys: MutableMatrix
    fileprivate let normalized: MutableMatrix
    fileprivate let lengths: MutableMatrix
    /// `[even places, odd places]`
    fileprivate let similarity: MutableMatrix

    /// Nil where none of `shapes` merges tokens.
    init?(for shapes: [BlockShape], tower: CLIPArchitecture.Tower) {
        let merging = shapes.filter { $0.mergedPairCount > 0 }
        guard let evenCount = merging.compactMap(\.merging?.evenCount).max() else { return nil }
        unmerged = MutableMatrix(rows: merging.map(\.queryCount).max() ?? 0, columns: tower.width)
        keys = MutableMatrix(rows: 2 * evenCount, columns: tower.headWidth)
        normalized = MutableMatrix(rows: 2 * evenCount, columns: tower.headWidth)
        lengths = MutableMatrix(rows: 1, columns: 2 * evenCount)
        similarity = MutableMatrix(rows: evenCount, columns: evenCount)
    }
}

extension BlockActivations {
    /// `[1, rows]` of one group; nil where no token has merged.
    func keyBias(of group: Int) -> Matrix? { merging?.keyBias.columns(shape.groups.rows(of: group)).reading }

    /// The keys and values that one group sees.
    func attentionSources(of group: Int, shared: SharedRows<Matrix>?) -> AttentionSources<Matrix> {
        AttentionSources(
            shared: shared?.rows(of: group), own: keyValue.rows(shape.groups.rows(of: group)).reading, keyBias: keyBias(of: group))
    }

    /// What rows of a group's output have, handed back to the rows that merged into them, each its share.
    ///
    /// - Parameter values: of the output's first rows; rows that became a part of others get none.
    func beforeMerging(_ values: [Float], group: Int) -> [Float] {
        guard shape.mergedPairCount > 0, let merging else { return values }
        let own = shape.groups.rows(of: group)
        return zip(merging.places.columns(own).values, merging.shares.columns(own).values).map { place, share in
            Int(place) < values.count ? share * values[Int(place)] : 0
        }
    }

    /// Keys of some of a group's first rows, `[tokens, width]`.
    fileprivate func keys(of group: Int, tokenCount: Int) -> Rows {
        let width = input.columnCount
        let first = shape.groups.rows(of: group).lowerBound
        let start = queryKeyValue.columnCount - 2 * width
        return queryKeyValue.window(rows: first..<first + tokenCount, columns: start..<start + width)
    }
}

extension TransformerBlock {
    /// Where rows stand before they merge, `[queries, width]`.
    func unmerged(saved: BlockActivations, scratch: BlockScratch) -> MutableMatrix {
        guard let merging = scratch.merging else { preconditionFailure("scratch memory was made for a tower that merges nothing") }
        return merging.unmerged.rows(0..<saved.shape.queryCount)
    }

    /// Merges `rows`, `[queries, width]`, into `saved.middle`.
    ///
    /// - Parameter mergedSizes: `[1, outputs]`, overwritten.
    func merge(_ rows: MutableMatrix, saved: BlockActivations, mergedSizes: MutableMatrix?, scratch: BlockScratch) {
        guard let merging = saved.shape.merging, let memory = saved.merging, let matching = scratch.merging, let mergedSizes else {
            preconditionFailure("nowhere to keep what merged")
        }
        for group in 0..<saved.shape.groups.count {
            let own = saved.shape.groups.rows(of: group)
            let sizes = memory.sizes.columns(own).values
            let places = merging.places(
                keys: saved.keys(of: group, tokenCount: merging.tokenCount), headCount: headCount, rowCount: own.count, scratch: matching)
            var merged = [Float](repeating: 0, count: own.count - merging.pairCount)
            for (place, size) in zip(places, sizes) { merged[place] += size }
            memory.places.columns(own).fill(with: places.map { Float($0) })
            memory.shares.columns(own).fill(with: zip(places, sizes).map { $1 / merged[$0] })
            mergedSizes.columns(saved.shape.outputRows(of: group)).fill(with: merged)
            mergeRows(
                rows.rows(own), places: memory.places.columns(own), factors: memory.shares.columns(own),
                into: saved.middle.rows(saved.shape.outputRows(of: group)))
        }
    }

    /// The gradient of `merge`.
    ///
    /// - Parameters:
    ///   - mergedGradient: `[outputs, width]`.
    ///   - gradient: `[queries, width]`, overwritten.
    func mergeBackward(_ mergedGradient: MutableMatrix, saved: BlockActivations, into gradient: MutableMatrix) {
        guard let memory = saved.merging else { preconditionFailure("nothing was kept of what merged") }
        for group in 0..<saved.shape.groups.count {
            let own = saved.shape.groups.rows(of: group)
            mergeRowsBackward(
                outputGradient: mergedGradient.rows(saved.shape.outputRows(of: group)), places: memory.places.columns(own),
                factors: memory.shares.columns(own), inputGradient: gradient.rows(own))
        }
    }
}

extension TokenMerging {
    /// The row of the output that each row of a group becomes a part of.
    ///
    /// - Parameters:
    ///   - keys: `[tokens, heads × headWidth]`.
    ///   - rowCount: tokens and the prompts behind them.
    fileprivate func places(keys: Rows, headCount: Int, rowCount: Int, scratch: MergingScratch) -> [Int] {
        let best = bestMatches(keys: keys, headCount: headCount, scratch: scratch)
        // Of equals those at lower places merge, whatever the sort does.
        let merging = (1..<evenCount).sorted { (best[$1].similarity, $0) < (best[$0].similarity, $1) }.prefix(pairCount)
        var isMerging = [Bool](repeating: false, count: evenCount)
        for even in merging { isMerging[even] = true }
        let oddStart = evenCount - pairCount
        var places = [Int](repeating: 0, count: rowCount)
        var next = 0
        for even in 0..<evenCount {
            places[2 * even] = isMerging[even] ? oddStart + best[even].odd : next
            if !isMerging[even] { next += 1 }
        }
        for odd in 0..<oddCount { places[2 * odd + 1] = oddStart + odd }
        for row in tokenCount..<rowCount { places[row] = row - pairCount }
        return places
    }

    /// For each even place the first of the odd ones that are most like it.
    private func bestMatches(keys: Rows, headCount: Int, scratch: MergingScratch) -> [(similarity: Float, odd: Int)] {
        let headWidth = keys.columnCount / headCount
        let summed = scratch.keys.rows(0..<tokenCount)
        summed.fill(0)
        for head in 0..<headCount { add(keys.columns(head * headWidth..<(head + 1) * headWidth), to: summed) }
        normalizeRows(summed, into: scratch.normalized.rows(0..<tokenCount), lengths: scratch.lengths)
        // Two rows side by side: one at an even place, one at an odd.
        let pairs = scratch.normalized.reshaped(rows: evenCount, columns: 2 * headWidth)
        let similarity = scratch.similarity.reshaped(rows: evenCount, columns: oddCount)
        multiply(
            pairs.columns(0..<headWidth), .asStored, pairs.rows(0..<oddCount).columns(headWidth..<2 * headWidth), .transposed,
            into: similarity)
        let values = similarity.values
        return (0..<evenCount).map { even in
            var best = (similarity: -Float.infinity, odd: 0)
            for odd in 0..<oddCount where values[even * oddCount + odd] > best.similarity { best = (values[even * oddCount + odd], odd) }
            return best
        }
    }
}
