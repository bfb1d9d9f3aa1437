import CLIPModel
import Methods
import Tensors

/// Frames that are matched with each class's descriptions, in the place where a classifier compares features with texts.
struct DescribedHead: ClassifierHead {
    private let matcher: TransportMatcher

    /// - Parameters:
    ///   - text: of all descriptions, of each kind those of each class one after the other.
    ///   - counts: how many, of each class of each kind.
    init(_ text: TextFeatures, counts: [[Int]], scale: Float) {
        var start = 0
        let kinds = counts.map { classes in
            classes.map { count in
                defer { start += count }
                return ClassDescription(unit: text.unit.rows(start..<start + count))
            }
        }
        matcher = TransportMatcher(kinds: kinds, scale: Double(scale))
    }

    var classCount: Int { matcher.classCount }

    private func unit(_ features: Matrix) -> (unit: MutableMatrix, lengths: MutableMatrix) {
        let unit = MutableMatrix(rows: features.rowCount, columns: features.columnCount)
        let lengths = MutableMatrix(rows: 1, columns: features.rowCount)
        normalizeRows(features, into: unit, lengths: lengths)
        return (unit, lengths)
    }

    func logits(features: Matrix) -> [Float] { matcher.logits(ofUnit: [DoubleMatrix(unit(features).unit)])[0].map { Float($0) } }

    func logitGradient(features: Matrix, label: Int) -> MutableMatrix {
        let (unit, lengths) = unit(features)
        let unitGradient = matcher.gradient(ofUnit: DoubleMatrix(unit), label: label).matrix
        let gradient = MutableMatrix(rows: features.rowCount, columns: features.columnCount)
        normalizeRowsBackward(output: unit, lengths: lengths, outputGradient: unitGradient, inputGradient: gradient)
        return gradient
    }

    func embedding(features: Matrix) -> [Float] {
        let mean = meanFeature(of: features)
        return unit(mean.reading).unit.values
    }
}
