import Tensors

/// Features of clips, one row per view.
package struct HeadFeatures: Sendable {
    /// `[rows, width]`, as the projection left them or of unit length.
    package let projected: Matrix
    /// `[rows, inner width]`: the same views before the projection.
    package let unprojected: Matrix?

    package init(projected: some Readable, unprojected: (any Readable)? = nil) {
        self.projected = projected.reading
        self.unprojected = unprojected?.reading
    }

    package var count: Int { projected.rowCount }

    /// Through another projection than the tower's.
    ///
    /// - Parameter projection: `[inner width, width]`.
    /// - Precondition: the features from before the projection are there.
    package func projected(through projection: Matrix) -> Matrix {
        guard let unprojected else { preconditionFailure("features from before the projection") }
        let result = MutableMatrix(rows: unprojected.rowCount, columns: projection.columnCount)
        multiply(unprojected, .asStored, projection, .asStored, into: result)
        return result.reading
    }
}

/// What a head is learned from: labeled features and the texts of the classes, checked.
package struct HeadExamples: Sendable {
    package let features: HeadFeatures
    /// The class of each row, counted from 0.
    package let labels: [Int]
    /// The clip that each row is a view of: any numbers, equal for views of one clip.
    package let clips: [Int]
    /// `[classes, width]`: the mean over templates of the classes' text features, before normalization. Classes without clips
    /// have a row like all others.
    package let texts: Matrix
    /// `[inner width, width]`.
    package let projection: Matrix?
    /// CLIP's exp(logit_scale).
    package let logitScale: Float

    /// Rows of each clip, in the order in which clips first appear.
    package let rowsOfClips: [[Int]]
    package let labelsOfClips: [Int]
    /// Clips of each class.
    package let clipCounts: [Int]
    /// The features at unit length.
    package let unit: Matrix
    /// The texts at unit length.
    package let unitTexts: Matrix

    package var count: Int { labels.count }
    package var width: Int { texts.columnCount }
    package var classCount: Int { texts.rowCount }
    package var clipCount: Int { rowsOfClips.count }
    /// The largest number of views of a clip.
    package var viewCount: Int { rowsOfClips.reduce(0) { max($0, $1.count) } }

    package init(
        features: HeadFeatures, labels: [Int], clips: [Int], texts: some Readable, projection: (any Readable)? = nil,
        logitScale: Float = 100
    ) throws(HeadError) {
        let (projected, texts, projection) = (features.projected, texts.reading, projection?.reading)
        guard projected.rowCount > 0, texts.rowCount > 0 else { throw .noExamples }
        try needs("labels of the features", labels.count, projected.rowCount)
        try needs("clip numbers of the features", clips.count, projected.rowCount)
        try needs("columns of the features", projected.columnCount, texts.columnCount)
        if let unprojected = features.unprojected {
            try needs("rows before the projection", unprojected.rowCount, projected.rowCount)
            try checkNumbers(unprojected, "the features before the projection")
        }
        if let projection {
            try needs("columns of the projection", projection.columnCount, texts.columnCount)
            if let unprojected = features.unprojected {
                try needs("rows of the projection", projection.rowCount, unprojected.columnCount)
            }
            try checkNumbers(projection, "the projection")
        }
        guard logitScale.isFinite, logitScale > 0 else { throw .notNumbers(what: "the logit scale", row: 0) }
        for (row, label) in labels.enumerated() where label < 0 || label >= texts.rowCount {
            throw .label(label, row: row, classCount: texts.rowCount)
        }
        var places: [Int: Int] = [:]
        var rowsOfClips: [[Int]] = []
        for (row, clip) in clips.enumerated() {
            guard let place = places[clip] else {
                places[clip] = rowsOfClips.count
                rowsOfClips.append([row])
                continue
            }
            let first = labels[rowsOfClips[place][0]]
            guard first == labels[row] else { throw .clipLabels(clip: clip, first: first, second: labels[row]) }
            rowsOfClips[place].append(row)
        }
        self.features = features
        self.labels = labels
        self.clips = clips
        self.texts = texts
        self.projection = projection
        self.logitScale = logitScale
        self.rowsOfClips = rowsOfClips
        labelsOfClips = rowsOfClips.map { labels[$0[0]] }
        clipCounts = labelsOfClips.reduce(into: [Int](repeating: 0, count: texts.rowCount)) { $0[$1] += 1 }
        unit = try unitRows(projected, "the features")
        unitTexts = try unitRows(texts, "the class texts")
    }

    /// The row of each clip's view number `view`; a clip of fewer views begins again with its first.
    package func rows(ofView view: Int) -> [Int] { rowsOfClips.map { $0[view % $0.count] } }

    /// Some of the clips, counted as in `rowsOfClips`: for folds. All classes stay.
    package func subset(clips indices: [Int]) throws(HeadError) -> HeadExamples {
        let rows = indices.flatMap { rowsOfClips[$0] }
        return try HeadExamples(
            features: HeadFeatures(
                projected: gathered(rows, of: features.projected), unprojected: features.unprojected.map { gathered(rows, of: $0) }),
            labels: rows.map { labels[$0] }, clips: rows.map { clips[$0] }, texts: texts, projection: projection, logitScale: logitScale)
    }

    /// Throws for the first class without clips.
    func needsAllClasses(_ head: HeadKind) throws(HeadError) {
        if let label = clipCounts.firstIndex(of: 0) { throw .classWithoutClips(label: label, head: head) }
    }

    /// Throws for the first class with one clip.
    func needsTwoClips(_ head: HeadKind) throws(HeadError) {
        try needsAllClasses(head)
        if let label = clipCounts.firstIndex(of: 1) { throw .oneClip(label: label, head: head) }
    }
}

func needs(_ what: String, _ found: Int, _ needed: Int) throws(HeadError) {
    if found != needed { throw .sizes(what: what, found: found, needed: needed) }
}

func checkNumbers(_ matrix: Matrix, _ what: String) throws(HeadError) {
    for row in 0..<matrix.rowCount where nonFiniteCount(in: matrix.row(row)) > 0 { throw .notNumbers(what: what, row: row) }
}

/// Rows divided by their lengths.
///
/// - Throws: `notNumbers`, or `zeroLength` where a row has no direction.
func unitRows(_ matrix: some Readable, _ what: String) throws(HeadError) -> Matrix {
    try checkNumbers(matrix.reading, what)
    let unit = MutableMatrix(rows: matrix.rowCount, columns: matrix.columnCount)
    let lengths = MutableMatrix(rows: 1, columns: matrix.rowCount)
    normalizeRows(matrix, into: unit, lengths: lengths)
    for row in 0..<matrix.rowCount {
        // The square of a finite number may still overflow.
        guard lengths[0, row].isFinite else { throw .notNumbers(what: what, row: row) }
        guard lengths[0, row] > 1e-12 else { throw .zeroLength(what: what, row: row) }
    }
    return unit.reading
}

/// The named rows, in that order.
func gathered(_ rows: [Int], of matrix: Matrix) -> MutableMatrix {
    let output = MutableMatrix(rows: rows.count, columns: matrix.columnCount)
    for (place, row) in rows.enumerated() { output.row(place).copy(matrix.row(row)) }
    return output
}

extension HeadFeatures {
    /// The projected features at unit length.
    package var unit: Matrix { get throws(HeadError) { try unitRows(projected, "the features") } }

    /// The projected features at unit length, as wide as a head was learned for.
    func unit(width: Int) throws(HeadError) -> Matrix {
        try needs("columns of the features", projected.columnCount, width)
        return try unit
    }
}
