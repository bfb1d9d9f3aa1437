import Tensors

/// Sums of unit features by class, from which a clip can be taken out again.
struct ClassSums: Sendable {
    /// `[classes, width]`, in Double, so that taking a clip out leaves no trace of it.
    private(set) var sums: DoubleMatrix
    private(set) var counts: [Int]
    private let features: DoubleMatrix

    init(_ examples: HeadExamples) {
        features = DoubleMatrix(examples.unit)
        sums = DoubleMatrix(rows: examples.classCount, columns: examples.width)
        counts = [Int](repeating: 0, count: examples.classCount)
        for (row, label) in examples.labels.enumerated() { add(row, label: label, sign: 1) }
    }

    /// Sums that were kept, from which nothing can be taken out.
    init(sums: DoubleMatrix, counts: [Int]) {
        self.sums = sums
        self.counts = counts
        features = DoubleMatrix(rows: 0, columns: sums.columnCount)
    }

    /// The classes of two, those of the second behind the first's.
    init(_ first: ClassSums, and second: ClassSums) throws(HeadError) {
        try needs("columns of the features", second.sums.columnCount, first.sums.columnCount)
        self.init(
            sums: DoubleMatrix(
                rows: first.sums.rowCount + second.sums.rowCount, columns: first.sums.columnCount, first.sums.values + second.sums.values),
            counts: first.counts + second.counts)
    }

    private mutating func add(_ row: Int, label: Int, sign: Int) {
        let width = sums.columnCount
        for column in 0..<width { sums.values[label * width + column] += Double(sign) * features.values[row * width + column] }
        counts[label] += sign
    }

    /// The sums without some rows of one class.
    func without(rows: [Int], label: Int) -> ClassSums {
        var rest = self
        for row in rows { rest.add(row, label: label, sign: -1) }
        return rest
    }

    /// The mean of each class; zeros where it has no rows.
    var means: DoubleMatrix {
        var means = sums
        for label in 0..<means.rowCount {
            for column in 0..<means.columnCount { means[label, column] /= Double(max(1, counts[label])) }
        }
        return means
    }

    /// The mean of all rows of the other classes; zeros where there are none.
    var meansOfOthers: DoubleMatrix {
        let width = sums.columnCount
        var total = [Double](repeating: 0, count: width)
        for label in 0..<sums.rowCount { for column in 0..<width { total[column] += sums[label, column] } }
        let count = counts.reduce(0, +)
        return DoubleMatrix(
            rows: sums.rowCount, columns: width,
            (0..<sums.values.count).map { (total[$0 % width] - sums.values[$0]) / Double(max(1, count - counts[$0 / width])) })
    }

    /// `[rows, classes]`: every row scored by what `classifier` makes of the sums without that row's clip.
    static func leaveOneOut(
        _ examples: HeadExamples, head: HeadKind, context: HeadContext,
        classifier: (ClassSums) throws(HeadError) -> LinearClassifier
    ) throws(HeadError) -> Matrix {
        let sums = ClassSums(examples)
        let logits = MutableMatrix(rows: examples.count, columns: examples.classCount)
        for (clip, rows) in examples.rowsOfClips.enumerated() {
            let scores = try classifier(sums.without(rows: rows, label: examples.labelsOfClips[clip]))
                .logits(ofUnit: gathered(rows, of: examples.unit).reading)
            for (place, row) in rows.enumerated() { logits.row(row).copy(scores.row(place)) }
            try context.report(head, step: clip + 1, of: examples.clipCount)
        }
        return logits.reading
    }
}

/// Each row divided by its length.
func unitRows(_ matrix: DoubleMatrix, _ what: String) throws(HeadError) -> DoubleMatrix {
    var unit = matrix
    for row in 0..<matrix.rowCount {
        let length = matrix.row(row).reduce(0) { $0 + $1 * $1 }.squareRoot()
        guard length.isFinite else { throw .notNumbers(what: what, row: row) }
        guard length > 1e-12 else { throw .zeroLength(what: what, row: row) }
        for column in 0..<matrix.columnCount { unit[row, column] /= length }
    }
    return unit
}
