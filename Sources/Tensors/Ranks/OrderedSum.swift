/// Which items of a step each rank works on: neighbors, as many as the others have or one more.
package struct Shares: Sendable, Equatable {
    package let itemCount: Int
    package let rankCount: Int

    package init(of itemCount: Int, over rankCount: Int) {
        precondition(itemCount >= 0 && rankCount >= 1, "no such shares")
        self.itemCount = itemCount
        self.rankCount = rankCount
    }

    /// Empty for the last ranks where there are fewer items than ranks.
    package func items(of rank: Int) -> Range<Int> {
        let (each, left) = itemCount.quotientAndRemainder(dividingBy: rankCount)
        let start = rank * each + min(rank, left)
        return start..<start + each + (rank < left ? 1 : 0)
    }

    package func owner(of item: Int) -> Int {
        let (each, left) = itemCount.quotientAndRemainder(dividingBy: rankCount)
        let inLonger = left * (each + 1)
        return item < inLonger ? item / (each + 1) : left + (item - inLonger) / each
    }
}

/// A sum over the clips of a step whose order depends on their places in the step alone, not on who adds
/// which: the same bits for any number of ranks.
///
/// Neighbors are added, then pairs of neighbors, and so on. Node `index` of `level` stands for the clips
/// `index << level ..< (index + 1) << level`; a rank keeps the largest nodes that its clips fill.
package final class OrderedSum {
    private struct Node {
        var level: Int
        var index: Int
        let value: MutableMatrix
    }

    private let length: Int
    private var nodes: [Node] = []
    private var free: [MutableMatrix] = []
    private var next = 0

    /// - Parameter length: numbers of a clip.
    package init(length: Int) { self.length = length }

    /// Starts a step at one of its clips.
    package func begin(at clip: Int = 0) {
        free += nodes.map(\.value)
        nodes = []
        next = clip
    }

    /// Adds the next clip's numbers, `[1, length]`; they are copied.
    package func add(_ leaf: MutableMatrix) {
        let value = memory()
        value.copy(leaf)
        nodes.append(Node(level: 0, index: next, value: value))
        next += 1
        while nodes.count > 1 {
            let (left, right) = (nodes[nodes.count - 2], nodes[nodes.count - 1])
            guard left.level == right.level, left.index % 2 == 0, right.index == left.index + 1 else { break }
            Tensors.add(right.value, to: left.value)
            free.append(right.value)
            nodes.removeLast(2)
            nodes.append(Node(level: left.level + 1, index: left.index / 2, value: left.value))
        }
    }

    /// The sum over all clips of a step that has no other ranks.
    ///
    /// - Parameter total: `[1, length]`, overwritten.
    package func total(into total: MutableMatrix) {
        // Only the last node of each level may lack its right half.
        for index in nodes.indices.dropLast().reversed() { Tensors.add(nodes[index + 1].value, to: nodes[index].value) }
        if let first = nodes.first { total.copy(first.value) } else { total.fill(0) }
        begin()
    }

    /// The sum over all clips, on all ranks.
    ///
    /// A rank hands on at most one sum for each doubling of the clips, most of them just one.
    ///
    /// - Parameters:
    ///   - total: `[1, length]`, overwritten.
    ///   - shares: of the step's clips, at least one; each rank has added its own.
    package func total(
        into total: MutableMatrix, shares: Shares, over group: any ProcessGroup
    ) throws(ProcessGroupError) {
        precondition(shares.itemCount > 0, "a sum over no clips")
        var level = 0
        while 1 << level < shares.itemCount { level += 1 }
        let root = try sum(level: level, index: 0, shares: shares, group: group)
        // Rank 0 has clip 0, so it holds the root.
        if let root { total.copy(root) }
        try group.broadcast(total)
        begin()
    }

    /// The sum over the clips of a node; nil where another rank holds it.
    private func sum(level: Int, index: Int, shares: Shares, group: any ProcessGroup) throws(ProcessGroupError) -> MutableMatrix? {
        let first = index << level
        let home = shares.owner(of: first)
        let last = shares.owner(of: min((index + 1) << level, shares.itemCount) - 1)
        if home == last, home != group.rank { return nil }
        if let own = nodes.first(where: { $0.level == level && $0.index == index }) { return own.value }
        precondition(level > 0, "clip \(first) was not added")
        let left = try sum(level: level - 1, index: 2 * index, shares: shares, group: group)
        let middle = (2 * index + 1) << (level - 1)
        guard middle < shares.itemCount else { return left }
        let right = try sum(level: level - 1, index: 2 * index + 1, shares: shares, group: group)
        let other = shares.owner(of: middle)
        if let left, let right {
            Tensors.add(right, to: left)
        } else if let left {
            let received = memory()
            try group.receive(into: received, from: other)
            Tensors.add(received, to: left)
            free.append(received)
        } else if let right {
            try group.send(right, to: home)
        }
        return left
    }

    private func memory() -> MutableMatrix { free.popLast() ?? MutableMatrix(rows: 1, columns: length) }
}
