import Tensors

/// Which rows of each group a block computes an output for.
package enum QuerySelection: Sendable, Equatable {
    case every
    /// Each group's first row: the class token in the last vision layer, the start token of a text
    /// prefix whose other rows the next layer replaces.
    case first
    /// Each group's last row: the end token in the last text layer.
    case last
    /// No row: only keys and values are wanted.
    case none
}

/// How packed rows fall into groups (frames or class names) that attend only within themselves.
package struct RowGroups: Sendable, Equatable {
    /// Group g holds rows `offsets[g] ..< offsets[g + 1]`.
    let offsets: [Int]

    init(lengths: some Sequence<Int>) {
        var offsets = [0]
        for length in lengths { offsets.append((offsets.last ?? 0) + length) }
        self.offsets = offsets
    }

    var count: Int { offsets.count - 1 }
    var rowCount: Int { offsets.last ?? 0 }
    func rows(of group: Int) -> Range<Int> { offsets[group]..<offsets[group + 1] }
    func length(of group: Int) -> Int { offsets[group + 1] - offsets[group] }
}

/// The sizes of one block's work on one batch of groups.
package struct BlockShape: Sendable, Equatable {
    let groups: RowGroups
    /// Keys and values that every group sees besides its own.
    let sharedCount: Int
    let queries: QuerySelection

    var queryCount: Int {
        switch queries {
        case .every: groups.rowCount
        case .first, .last: groups.count
        case .none: 0
        }
    }

    /// The queries of one group among all queries.
    func queryRows(of group: Int) -> Range<Int> {
        switch queries {
        case .every: groups.rows(of: group)
        case .first, .last: group..<group + 1
        case .none: 0..<0
        }
    }

    /// The packed row that query `group` stands for when one row a group is selected.
    func selectedRow(of group: Int) -> Int {
        queries == .first ? groups.offsets[group] : groups.offsets[group + 1] - 1
    }

    func mask(of group: Int, isCausal: Bool) -> AttentionMask {
        guard isCausal else { return .none }
        return .causal(firstQueryRow: queries == .last ? groups.length(of: group) - 1 : 0)
    }
}

/// What one block keeps of its forward pass for the backward pass.
package struct BlockActivations: Sendable {
    let shape: BlockShape
    /// `[rows, width]`; the block before writes its output here.
    package let input: MutableMatrix
    let attentionNorm: LayerNormStatistics
    /// `[rows, 3 × width]`; the first third is unused when only some rows query.
    let queryKeyValue: MutableMatrix
    /// `[queries, width]`
    let queries: MutableMatrix
    /// One matrix `[headCount × queries, keys]` a group.
    let probabilities: [MutableMatrix]
    /// `[queries, width]`, the heads' outputs side by side.
    let attended: MutableMatrix
    /// `[queries, width]`, the residual stream between attention and MLP.
    let middle: MutableMatrix
    let mlpNorm: LayerNormStatistics
    /// `[queries, mlpWidth]`, before the activation.
    let hidden: MutableMatrix

    init(shape: BlockShape, tower: CLIPArchitecture.Tower) {
        let rows = shape.groups.rowCount
        let width = tower.width
        self.shape = shape
        input = MutableMatrix(rows: rows, columns: width)
        attentionNorm = LayerNormStatistics(rows: rows)
        queryKeyValue = MutableMatrix(rows: rows, columns: 3 * width)
        queries = shape.queries == .every
            ? queryKeyValue.columns(0..<width) : MutableMatrix(rows: shape.queryCount, columns: width)
        probabilities = (0..<shape.groups.count).map { group in
            MutableMatrix(
                rows: tower.headCount * shape.queryRows(of: group).count,
                columns: shape.sharedCount + shape.groups.length(of: group))
        }
        attended = MutableMatrix(rows: shape.queryCount, columns: width)
        middle = MutableMatrix(rows: shape.queryCount, columns: width)
        mlpNorm = LayerNormStatistics(rows: shape.queryCount)
        hidden = MutableMatrix(rows: shape.queryCount, columns: tower.mlpWidth)
    }

    /// `[rows, 2 × width]`
    var keyValue: MutableMatrix { queryKeyValue.columns(input.columnCount..<3 * input.columnCount) }

    /// The rows of `matrix` that query, `[queries, width]`; copied into `scratch` unless all do.
    func selectedRows(of matrix: MutableMatrix, scratch: MutableMatrix) -> MutableMatrix {
        guard shape.queries != .every else { return matrix }
        let selected = scratch.reshaped(rows: shape.queryCount, columns: matrix.columnCount)
        for group in 0..<shape.queryCount { selected.row(group).copy(matrix.row(shape.selectedRow(of: group))) }
        return selected
    }
}

/// Memory that a worker reuses from block to block.
package struct BlockScratch: Sendable {
    let normalised: MutableMatrix
    let selected: MutableMatrix
    let activated: MutableMatrix
    let hiddenGradient: MutableMatrix
    let mlpNormGradient: MutableMatrix
    let middleGradient: MutableMatrix
    let attendedGradient: MutableMatrix
    let queryKeyValueGradient: MutableMatrix
    let queryGradient: MutableMatrix
    let attentionNormGradient: MutableMatrix
    let scores: MutableMatrix

    /// - Parameters:
    ///   - rows: the most rows that a batch has.
    ///   - scoreCount: the most queries × keys that a group has.
    init(rows: Int, scoreCount: Int, tower: CLIPArchitecture.Tower, forGradients: Bool) {
        let width = tower.width
        let gradientRows = forGradients ? rows : 0
        normalised = MutableMatrix(rows: rows, columns: width)
        selected = MutableMatrix(rows: rows, columns: width)
        activated = MutableMatrix(rows: rows, columns: tower.mlpWidth)
        hiddenGradient = MutableMatrix(rows: gradientRows, columns: tower.mlpWidth)
        mlpNormGradient = MutableMatrix(rows: gradientRows, columns: width)
        middleGradient = MutableMatrix(rows: gradientRows, columns: width)
        attendedGradient = MutableMatrix(rows: gradientRows, columns: width)
        queryKeyValueGradient = MutableMatrix(rows: gradientRows, columns: 3 * width)
        queryGradient = MutableMatrix(rows: gradientRows, columns: width)
        attentionNormGradient = MutableMatrix(rows: gradientRows, columns: width)
        scores = MutableMatrix(rows: 1, columns: forGradients ? scoreCount : 0)
    }

    init(for shapes: [BlockShape], tower: CLIPArchitecture.Tower, forGradients: Bool) {
        let scoreCount = shapes.flatMap { shape in
            (0..<shape.groups.count).map { shape.queryRows(of: $0).count * (shape.sharedCount + shape.groups.length(of: $0)) }
        }
        self.init(
            rows: shapes.map(\.groups.rowCount).max() ?? 0, scoreCount: scoreCount.max() ?? 0, tower: tower,
            forGradients: forGradients)
    }
}
