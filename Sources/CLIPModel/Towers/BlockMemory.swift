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

    package init(lengths: some Sequence<Int>) {
        var offsets = [0]
        for length in lengths { offsets.append((offsets.last ?? 0) + length) }
        self.offsets = offsets
    }

    var count: Int { offsets.count - 1 }
    var rowCount: Int { offsets.last ?? 0 }
    func rows(of group: Int) -> Range<Int> { offsets[group]..<offsets[group + 1] }
    func length(of group: Int) -> Int { offsets[group + 1] - offsets[group] }
}

/// Keys and values that groups attend to beside their own: rows, or the gradients of rows.
package enum SharedRows<Element: Readable>: Sendable {
    /// `[shared, 2 × width]`, the same for every group: a vision layer's prompts, the prefix of all class names.
    case everyGroup(Element)
    /// `[groups × shared, 2 × width]`, others for each group.
    case perGroup(Element, shared: Int)

    func rows(of group: Int) -> Element {
        switch self {
        case .everyGroup(let rows): rows
        case .perGroup(let rows, let shared): rows.rows(group * shared..<(group + 1) * shared)
        }
    }
}

/// The sizes of one block's work on one batch of groups.
package struct BlockShape: Sendable, Equatable {
    let groups: RowGroups
    /// Keys and values that each group sees beside its own.
    let sharedCount: Int
    let queries: QuerySelection
    /// Nil where no token has merged, or will here.
    let merging: TokenMerging?

    package init(groups: RowGroups, sharedCount: Int, queries: QuerySelection, merging: TokenMerging? = nil) {
        precondition(merging.map { $0.pairCount == 0 || queries == .every } ?? true, "only rows that all query can merge")
        self.groups = groups
        self.sharedCount = sharedCount
        self.queries = queries
        self.merging = merging
    }

    var queryCount: Int {
        switch queries {
        case .every: groups.rowCount
        case .first, .last: groups.count
        case .none: 0
        }
    }

    /// Pairs of rows of each group that merge between attention and MLP.
    var mergedPairCount: Int { merging?.pairCount ?? 0 }

    /// Rows that pass the MLP and leave the block.
    var outputCount: Int { queryCount - groups.count * mergedPairCount }

    /// The output rows of one group among all of them.
    func outputRows(of group: Int) -> Range<Int> {
        let rows = queryRows(of: group)
        return rows.lowerBound - group * mergedPairCount..<rows.upperBound - (group + 1) * mergedPairCount
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

    /// The numbers in which a tower of `precision` holds rows between its products: bfloat16 where every product
    /// and attention of the block takes it.
    ///
    /// - Precondition: no row is masked.
    package func rowPrecision(_ precision: Precision, headWidth: Int) -> Precision {
        guard precision.besideProducts == .bfloat16, queries == .every else { return .float32 }
        let isLong = (0..<groups.count).allSatisfy { attentionTakesBFloat16(queryCount: groups.length(of: $0), headWidth: headWidth) }
        return isLong ? .bfloat16 : .float32
    }

    func mask(of group: Int, isCausal: Bool) -> AttentionMask {
        guard isCausal else { return .none }
        return .causal(firstQueryRow: queries == .last ? groups.length(of: group) - 1 : 0)
    }
}

/// What activations are kept for.
package enum Keeping: Sendable, Equatable {
    /// No backward pass: layers take turns with the same memory.
    case nothing
    /// A backward pass that reaches prompts only.
    case prompts
    /// A backward pass that reaches weights, too, which need the attention's output.
    case weights

    var hasBackward: Bool { self != .nothing }
}

/// What one block keeps of its forward pass for the backward pass.
package struct BlockActivations: Sendable {
    let shape: BlockShape
    /// `[rows, width]`; the block before writes its output here.
    package let input: MutableMatrix
    /// Of the rows that products read: normalized, queries, keys and values, attended, hidden.
    let precision: Precision
    let attentionNorm: LayerNormStatistics
    /// `[rows, 3 × width]`; `[rows, 2 × width]`, without queries, when only some rows query.
    let queryKeyValue: Rows
    /// `[queries, width]`, of the rows that query when not all do.
    private let selectedQueries: MutableMatrix
    /// `[1, headCount × queries]`, group after group.
    private let logSums: MutableMatrix
    private let headCount: Int
    /// `[queries, width]`, the heads' outputs side by side; nil where no weights learn from them.
    let attended: Rows?
    /// Nil where no shape merges tokens.
    let merging: MergingActivations?
    /// `[outputs, width]`, the residual stream between attention and MLP, once tokens have merged.
    let middle: MutableMatrix
    let mlpNorm: LayerNormStatistics
    /// `[outputs, mlpWidth]`, before the activation; nil where the backward pass computes it again.
    let hidden: Rows?

    /// Memory for any one of `shapes`, all or none of which let every row query; seen as the first.
    ///
    /// - Parameter precision: of rows between products, as `BlockShape.rowPrecision` has it.
    package init(
        shapes: [BlockShape], tower: CLIPArchitecture.Tower, keeping: Keeping, keepsHidden: Bool = true,
        precision: Precision = .float32
    ) {
        precondition(!shapes.isEmpty, "no shape to keep activations of")
        let rows = shapes.map(\.groups.rowCount).max() ?? 0
        let queryCount = shapes.map(\.queryCount).max() ?? 0
        let outputCount = shapes.map(\.outputCount).max() ?? 0
        let width = tower.width
        shape = shapes[0]
        headCount = tower.headCount
        self.precision = precision
        input = MutableMatrix(rows: rows, columns: width)
        attentionNorm = LayerNormStatistics(rows: rows)
        queryKeyValue = Rows(rows: rows, columns: (shapes[0].queries == .every ? 3 : 2) * width, precision: precision)
        let selected = shapes.filter { $0.queries != .every }.map(\.queryCount).max() ?? 0
        selectedQueries = MutableMatrix(rows: selected, columns: width)
        logSums = MutableMatrix(rows: 1, columns: tower.headCount * queryCount)
        attended = keeping == .weights ? Rows(rows: queryCount, columns: width, precision: precision) : nil
        merging = shapes.contains { $0.merging != nil } ? MergingActivations(rows: rows) : nil
        middle = MutableMatrix(rows: outputCount, columns: width)
        mlpNorm = LayerNormStatistics(rows: outputCount)
        hidden = keeping.hasBackward && keepsHidden ? Rows(rows: outputCount, columns: tower.mlpWidth, precision: precision) : nil
    }

    /// Whether it can be seen as `shape`, of fewer rows since tokens merge.
    func hasRoom(for shape: BlockShape) -> Bool {
        shape.merging != nil && merging != nil && shape.queries == self.shape.queries && shape.groups.rowCount <= self.shape.groups.rowCount
            && shape.outputCount <= self.shape.outputCount
    }

    /// The same memory seen as another of its shapes.
    func viewed(as shape: BlockShape) -> BlockActivations { BlockActivations(memory: self, shape: shape) }

    private init(memory: BlockActivations, shape: BlockShape) {
        let rows = 0..<shape.groups.rowCount
        let queries = 0..<shape.queryCount
        let outputs = 0..<shape.outputCount
        self.shape = shape
        headCount = memory.headCount
        precision = memory.precision
        input = memory.input.rows(rows)
        attentionNorm = memory.attentionNorm
        queryKeyValue = memory.queryKeyValue.rows(rows)
        selectedQueries = shape.queries == .every ? memory.selectedQueries : memory.selectedQueries.rows(queries)
        logSums = memory.logSums
        attended = memory.attended?.rows(queries)
        merging = memory.merging?.rows(rows)
        middle = memory.middle.rows(outputs)
        mlpNorm = memory.mlpNorm
        hidden = memory.hidden?.rows(outputs)
    }

    /// `[queries, width]`, float32.
    var queries: MutableMatrix { shape.queries == .every ? queryKeyValue.float32.columns(0..<input.columnCount) : selectedQueries }

    /// `[rows, 2 × width]`, float32.
    var keyValue: MutableMatrix {
        queryKeyValue.float32.columns(queryKeyValue.columnCount - 2 * input.columnCount..<queryKeyValue.columnCount)
    }

    /// The first rows of scratch memory in this block's numbers.
    func view(_ memory: MutableMatrix, rows: Int) -> Rows { Rows(over: memory, rows: rows, precision: precision) }

    /// `[1, headCount × queries]` of one group.
    func logSums(of group: Int) -> MutableMatrix {
        let queries = shape.queryRows(of: group)
        return logSums.columns(headCount * queries.lowerBound..<headCount * queries.upperBound)
    }

    /// The rows of `matrix` that query, `[queries, width]`; copied into `scratch` unless all do.
    func selectedRows(of matrix: MutableMatrix, scratch: MutableMatrix) -> MutableMatrix {
        guard shape.queries != .every else { return matrix }
        let selected = scratch.reshaped(rows: shape.queryCount, columns: matrix.columnCount)
        for group in 0..<shape.queryCount { selected.row(group).copy(matrix.row(shape.selectedRow(of: group))) }
        return selected
    }

    /// Bytes that a row of a block keeps when every row queries.
    static func bytesPerRow(tower: CLIPArchitecture.Tower, keeping: Keeping, precision: Precision = .float32) -> Int {
        let between = (keeping == .weights ? 4 : 3) * tower.width
        return 4 * (2 * tower.width + tower.headCount) + precision.byteCount * between
            + hiddenBytesPerRow(tower: tower, precision: precision)
    }

    static func hiddenBytesPerRow(tower: CLIPArchitecture.Tower, precision: Precision) -> Int { precision.byteCount * tower.mlpWidth }
}

/// Memory that a worker reuses from block to block.
package struct BlockScratch: Sendable {
    let normalized: MutableMatrix
    let selected: MutableMatrix
    let attended: MutableMatrix
    let hidden: MutableMatrix
    let activated: MutableMatrix
    let hiddenGradient: MutableMatrix
    let mlpNormGradient: MutableMatrix
    let middleGradient: MutableMatrix
    let attendedGradient: MutableMatrix
    let queryKeyValueGradient: MutableMatrix
    let queryGradient: MutableMatrix
    let attentionNormGradient: MutableMatrix
    let attention: AttentionScratch
    /// Nil where no shape merges tokens.
    let merging: MergingScratch?

    /// Memory for any of `shapes`.
    ///
    /// - Parameters:
    ///   - keepsHidden: whether all activations keep their hidden rows, so that there is no need of them here.
    ///   - precision: of the tower, where no row is masked.
    package init(
        for shapes: [BlockShape], tower: CLIPArchitecture.Tower, keeping: Keeping, keepsHidden: Bool = true,
        precision: Precision = .float32
    ) {
        let rows = shapes.map(\.groups.rowCount).max() ?? 0
        let queryCount = shapes.map(\.queryCount).max() ?? 0
        let selectedCount = shapes.filter { $0.queries != .every }.map(\.queryCount).max() ?? 0
        let width = tower.width
        let forGradients = keeping.hasBackward
        func memory(_ rows: Int, _ columns: Int) -> MutableMatrix { MutableMatrix(rows: rows, columns: columns) }
        normalized = memory(rows, width)
        selected = memory(max(selectedCount, 1), width)
        attended = memory(keeping == .weights ? 0 : queryCount, width)
        hidden = memory(forGradients && keepsHidden ? 0 : queryCount, tower.mlpWidth)
        activated = memory(queryCount, tower.mlpWidth)
        // Weight gradients are made of all of these at the end. Without them, each is read before the next is written.
        let isShared = keeping != .weights
        hiddenGradient = isShared ? activated : memory(queryCount, tower.mlpWidth)
        mlpNormGradient = isShared ? normalized : memory(queryCount, width)
        attendedGradient = isShared ? normalized : memory(queryCount, width)
        attentionNormGradient = isShared ? normalized : memory(rows, width)
        middleGradient = isShared ? attended : memory(queryCount, width)
        let fitsActivated = isShared && rows * 3 * width <= queryCount * tower.mlpWidth
        queryKeyValueGradient = fitsActivated
            ? activated.reshaped(rows: rows, columns: 3 * width) : memory(forGradients ? rows : 0, 3 * width)
        queryGradient = memory(forGradients ? selectedCount : 0, width)
        merging = MergingScratch(for: shapes, tower: tower)
        let sizes = shapes.flatMap { shape in
            (0..<shape.groups.count).map { (shape.queryRows(of: $0).count, shape.sharedCount + shape.groups.length(of: $0)) }
        }
        attention = AttentionScratch(
            scoreCount: sizes.map { $0.0 * $0.1 }.max() ?? 0, keyCount: sizes.map(\.1).max() ?? 0, headWidth: tower.headWidth,
            forGradients: forGradients,
            bfloat16Counts: precision.besideProducts == .bfloat16 ? (sizes.map(\.0).max() ?? 0, sizes.map(\.1).max() ?? 0) : (0, 0))
    }
}
