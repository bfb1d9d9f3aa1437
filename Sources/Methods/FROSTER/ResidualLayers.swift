import CLIPModel
import Tensors

/// Two layers whose outcome is added to a unit vector before that is compared with a teacher's, so that the vector itself need not
/// be the teacher's.
///
///     output = unit + 0.1 · outer · GELU(inner · unit)
///
/// Source: `projector_v` and `projector_t` of slowfast/models/temporalclip_video_model.py, Visual-AI/FROSTER.
package struct ResidualLayers: Sendable {
    private static let share: Float = 0.1

    /// `[width, width]` each.
    private let inner: MutableMatrix
    private let outer: MutableMatrix
    /// The inner layer, then the outer one.
    package let tensors: [LearnedTensor]

    package init(named name: String, inner: MutableMatrix, outer: MutableMatrix) {
        (self.inner, self.outer) = (inner, outer)
        tensors = [("inner", inner), ("outer", outer)].map { part, value in
            LearnedTensor(name: "\(name).\(part)", value: value, gradient: MutableMatrix(rows: value.rowCount, columns: value.columnCount))
        }
    }

    /// As training starts: the inner layer is N(0, 2 / width), the outer one adds nothing yet.
    init(named name: String, width: Int, from random: RandomSource) {
        var random = random
        let deviation = (2 / Float(width)).squareRoot()
        self.init(
            named: name,
            inner: MutableMatrix(rows: width, columns: width, (0..<width * width).map { _ in deviation * random.normal() }),
            outer: MutableMatrix(rows: width, columns: width))
    }

    /// One less the mean cosine between outputs and a teacher's vectors.
    ///
    /// - Parameters:
    ///   - unit, taught: `[rows, width]`, unit length.
    ///   - weight: multiplies the gradients, not the distance.
    ///   - tensorGradients: of `tensors`, added to.
    /// - Returns: the distance, and its gradient in `unit`.
    package func distance(
        of unit: MutableMatrix, from taught: MutableMatrix, weight: Float, tensorGradients: [MutableMatrix]
    ) -> (distance: Double, unitGradient: MutableMatrix) {
        let (rowCount, width) = (unit.rowCount, unit.columnCount)
        func rows() -> MutableMatrix { MutableMatrix(rows: rowCount, columns: width) }
        let (hidden, activated, output) = (rows(), rows(), rows())
        multiply(unit, .asStored, inner, .transposed, into: hidden)
        Activation.gelu(hidden, into: activated)
        output.copy(unit)
        multiply(activated, .asStored, outer, .transposed, into: output, scale: Self.share, adding: true)
        let direction = TextFeatures(output)
        let cosines = zip(direction.unit.values, taught.values).reduce(0) { $0 + Double($1.0) * Double($1.1) }

        let directionGradient = MutableMatrix(
            rows: rowCount, columns: width, taught.values.map { -weight / Float(rowCount) * $0 })
        let gradient = direction.backward(unitGradient: directionGradient)
        multiply(gradient, .transposed, activated, .asStored, into: tensorGradients[1], scale: Self.share, adding: true)
        let hiddenGradient = rows()
        multiply(gradient, .asStored, outer, .asStored, into: hiddenGradient, scale: Self.share)
        Activation.gelu.backward(input: hidden, gradient: hiddenGradient)
        multiply(hiddenGradient, .transposed, unit, .asStored, into: tensorGradients[0], adding: true)
        multiply(hiddenGradient, .asStored, inner, .asStored, into: gradient, adding: true)
        return (1 - cosines / Double(rowCount), gradient)
    }
}
