import CLIPModel
import Methods
import Tensors

/// A head in the place where a classifier compares features with texts.
struct HeadScorer: ClassifierHead {
    let head: any Head
    let temperature: Float
    /// Of the classes that are scored, their positions among the head's.
    let columns: [Int]

    var classCount: Int { columns.count }

    func logits(features: Matrix) -> [Float] { scores(meanFeature(of: features).reading)[0] }

    /// A row for each row of features. Numbers that are none where the head cannot score: the classifier refuses these.
    private func scores(_ rows: Matrix) -> [[Float]] {
        guard let logits = try? logits(of: rows) else {
            return (0..<rows.rowCount).map { _ in columns.map { _ in .nan } }
        }
        return (0..<rows.rowCount).map { row in columns.map { logits[row, $0] / temperature } }
    }

    /// - Parameter rows: as the tower's projection left them, or the head's own where it has one.
    private func logits(of rows: Matrix) throws(HeadError) -> Matrix {
        guard head.projection != nil, let linear = head.linear else { return try head.logits(of: HeadFeatures(projected: rows)) }
        return try linear.logits(ofUnit: HeadFeatures(projected: rows).unit)
    }

    /// By central differences along each number of the mean feature, all in two passes; every frame has an equal share.
    func logitGradient(features: Matrix, label: Int) -> MutableMatrix {
        let mean = meanFeature(of: features).values
        let square = mean.reduce(Float(0)) { $0 + $1 * $1 } / Float(mean.count)
        let step: Float = max(1e-6, 1e-3 * square.squareRoot())
        let moved = [step, -step].map { (step: Float) -> MutableMatrix in
            let rows = MutableMatrix(rows: mean.count, columns: mean.count)
            for place in mean.indices {
                rows.row(place).fill(with: mean)
                rows[place, place] += step
            }
            return rows
        }
        let (above, below) = (scores(moved[0].reading), scores(moved[1].reading))
        let width: Float = 2 * step * Float(features.rowCount)
        let share = mean.indices.map { (above[$0][label] - below[$0][label]) / width }
        let gradient = MutableMatrix(rows: features.rowCount, columns: features.columnCount)
        for row in 0..<features.rowCount { gradient.row(row).fill(with: share) }
        return gradient
    }

    func embedding(features: Matrix) -> [Float] {
        let unit = MutableMatrix(rows: 1, columns: features.columnCount)
        normalizeRows(meanFeature(of: features), into: unit, lengths: MutableMatrix(rows: 1, columns: 1))
        return unit.values
    }
}

/// The mean of a clip's frames, `[1, width]`.
///
/// - Parameter features: `[frames, width]`.
func meanFeature(of features: some Readable) -> MutableMatrix {
    let mean = MutableMatrix(rows: 1, columns: features.columnCount)
    meanRow(of: features, into: mean)
    return mean
}
