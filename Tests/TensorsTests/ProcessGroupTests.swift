import Tensors
import TestSupport
import Testing

/// What ranks do together, with ranks that are threads.
@Suite(.timeLimit(.minutes(15))) struct ProcessGroupTests {
    @Test(arguments: [1, 2, 3, 5])
    func everybodyHearsEverybody(_ count: Int) throws {
        let heard = try ThreadGroup.run(count) { try $0.gathered([UInt8](repeating: UInt8($0.rank), count: $0.rank * 300)) }.map { try $0.get() }
        let expected = (0..<count).map { [UInt8](repeating: UInt8($0), count: $0 * 300) }
        #expect(heard == Array(repeating: expected, count: count))
        let told = try ThreadGroup.run(count) { try $0.told([UInt8($0.rank), 7]) }.map { try $0.get() }
        #expect(told == Array(repeating: [0, 7], count: count))
    }

    /// Added in the order of the ranks, whatever the shapes.
    @Test(arguments: [1, 2, 3, 4], [[(1, 1)], [(3, 5), (1, 1), (40, 7)], [(1, 2), (2, 1)]])
    func sumsHaveAnOrder(_ count: Int, _ shapes: [(Int, Int)]) throws {
        @Sendable func values(_ rank: Int) -> [[Float]] {
            shapes.enumerated().map { index, shape in
                var random = RandomSource(seed: 9, purpose: .test, epoch: rank, item: index)
                return (0..<shape.0 * shape.1).map { _ in random.uniform(in: -1...1) * (rank == 1 ? 1e6 : 1) }
            }
        }
        let sums = try ThreadGroup.run(count) { group in
            let matrices = zip(shapes, values(group.rank)).map { MutableMatrix(rows: $0.0, columns: $0.1, $1) }
            try group.sum(matrices)
            return matrices.map(\.values)
        }.map { try $0.get() }
        var expected = values(0)
        for rank in 1..<max(1, count) where rank < count {
            expected = zip(expected, values(rank)).map { zip($0, $1).map { $0 + $1 } }
        }
        for sum in sums { #expect(sum == expected) }
    }

    /// More than goes through in one block.
    @Test func largeSumsGoInParts() throws {
        let length = (8 << 20) + 12_345
        let sums = try ThreadGroup.run(2) { group in
            let matrix = MutableMatrix(rows: 1, columns: length)
            matrix.fill(Float(group.rank + 1))
            matrix[0, length - 1] = Float(10 * group.rank)
            try group.sum([matrix])
            return [matrix[0, 0], matrix[0, 8 << 20], matrix[0, length - 2], matrix[0, length - 1]]
        }.map { try $0.get() }
        #expect(sums == [[3, 3, 3, 10], [3, 3, 3, 10]])
    }

    @Test(arguments: 0...9, 1...6)
    func sharesAreEven(_ items: Int, _ ranks: Int) {
        let shares = Shares(of: items, over: ranks)
        let all = (0..<ranks).map(shares.items)
        #expect(all.flatMap(Array.init) == Array(0..<items))
        #expect((all.map(\.count).max() ?? 0) - (all.map(\.count).min() ?? 0) <= 1)
        for (rank, items) in all.enumerated() { #expect(items.allSatisfy { shares.owner(of: $0) == rank }) }
    }

    /// The same bits for any number of ranks, also with fewer clips than ranks; and another order gives other bits.
    @Test(arguments: [1, 2, 3, 5, 7, 8, 13, 64])
    func orderedSumsDoNotDependOnRanks(_ clips: Int) throws {
        let length = 37
        @Sendable func leaf(_ clip: Int) -> [Float] {
            var random = RandomSource(seed: 4, purpose: .test, item: clip)
            return (0..<length).map { _ in random.uniform(in: -1...1) * Float(1 << (clip % 20)) }
        }
        let alone = OrderedSum(length: length)
        let total = MutableMatrix(rows: 1, columns: length)
        for _ in 0..<2 {
            alone.begin()
            for clip in 0..<clips { alone.add(MutableMatrix(rows: 1, columns: length, leaf(clip))) }
            alone.total(into: total)
        }
        // Pairs of neighbors, written out another way.
        var level = (0..<clips).map(leaf)
        while level.count > 1 {
            level = stride(from: 0, to: level.count, by: 2).map { at in
                at + 1 < level.count ? zip(level[at], level[at + 1]).map { $0 + $1 } : level[at]
            }
        }
        #expect(total.values == level[0])
        for ranks in [2, 3, 4, 7] {
            let results = try ThreadGroup.run(ranks) { group in
                let sum = OrderedSum(length: length)
                let shares = Shares(of: clips, over: group.count)
                let total = MutableMatrix(rows: 1, columns: length)
                for _ in 0..<2 {
                    sum.begin(at: shares.items(of: group.rank).lowerBound)
                    for clip in shares.items(of: group.rank) { sum.add(MutableMatrix(rows: 1, columns: length, leaf(clip))) }
                    try sum.total(into: total, shares: shares, over: group)
                }
                return total.values
            }.map { try $0.get() }
            for result in results { #expect(result == total.values, "\(ranks) ranks") }
        }
    }
}
