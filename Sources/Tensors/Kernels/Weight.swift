import COneDNN
import Synchronization

/// A weight `[outputs, inputs]` of products over many rows, prepared for a precision.
///
/// The precision is chosen once, when the weight is made; each product makes one decision by it.
package struct Weight: Sendable {
    /// Float32, as it was loaded or as it learns.
    package let values: Matrix
    private let bfloat16: BFloat16Weight?

    /// - Precondition: the precision is available here (`Precision.obstacle`).
    package init(_ values: some Readable, precision: Precision = .float32) {
        self.values = values.reading
        bfloat16 = switch precision {
        case .float32: nil
        case .bfloat16: BFloat16Weight(values.reading)
        }
    }

    package var precision: Precision { bfloat16 == nil ? .float32 : .bfloat16 }

    /// Takes over `values` that have changed. Not while anything multiplies with the weight.
    package func refresh() { bfloat16?.refresh() }
}

/// `output = input · weightᵀ`, or `output += input · weightᵀ` when `adding`.
///
/// - Parameters:
///   - input: `[rows, inputs]`.
///   - output: `[rows, outputs]`.
package func multiply(_ input: some Readable, _ weight: Weight, into output: MutableMatrix, adding: Bool = false) {
    weight.multiply(.float(input.reading), .transposed, bias: nil, into: .float32(output), adding: adding)
}

package func multiply(_ input: Rows, _ weight: Weight, into output: MutableMatrix, adding: Bool = false) {
    weight.multiply(Factor(input), .transposed, bias: nil, into: .float32(output), adding: adding)
}

/// The gradient of `multiply` with respect to its input: `inputGradient = outputGradient · weight`, or added to it.
package func multiplyBackward(
    _ outputGradient: some Readable, _ weight: Weight, into inputGradient: MutableMatrix, adding: Bool = false
) {
    weight.multiply(.float(outputGradient.reading), .asStored, bias: nil, into: .float32(inputGradient), adding: adding)
}

package func multiplyBackward(_ outputGradient: some Readable, _ weight: Weight, into inputGradient: Rows) {
    weight.multiply(.float(outputGradient.reading), .asStored, bias: nil, into: inputGradient, adding: false)
}

package func multiplyBackward(_ outputGradient: Rows, _ weight: Weight, into inputGradient: MutableMatrix) {
    weight.multiply(Factor(outputGradient), .asStored, bias: nil, into: .float32(inputGradient), adding: false)
}

/// `output = input · weightᵀ + bias`
///
/// - Parameters:
///   - input: `[rows, inputs]`.
///   - bias: `[1, outputs]`.
///   - output: `[rows, outputs]`.
package func linear(_ input: some Readable, weight: Weight, bias: some Readable, into output: MutableMatrix) {
    weight.multiply(.float(input.reading), .transposed, bias: bias.reading, into: .float32(output), adding: false)
}

package func linear(_ input: Rows, weight: Weight, bias: some Readable, into output: Rows) {
    weight.multiply(Factor(input), .transposed, bias: bias.reading, into: output, adding: false)
}

/// What a weight is multiplied with.
private enum Factor {
    case float(Matrix)
    case bfloat16(BFloat16Matrix)

    init(_ rows: Rows) {
        self = switch rows {
        case .float32(let matrix): .float(matrix.reading)
        case .bfloat16(let matrix): .bfloat16(matrix)
        }
    }

    var shape: (rows: Int, columns: Int) {
        switch self {
        case .float(let matrix): (matrix.rowCount, matrix.columnCount)
        case .bfloat16(let matrix): (matrix.rowCount, matrix.columnCount)
        }
    }

    var rows: vifi_bf16_rows {
        switch self {
        case .float(let matrix): unsafe matrix.factor
        case .bfloat16(let matrix): unsafe Rows.bfloat16(matrix).factor
        }
    }
}

extension Weight {
    /// `output (+)= input · weight + bias`, the weight oriented as said.
    fileprivate func multiply(_ input: Factor, _ orientation: Orientation, bias: Matrix?, into output: Rows, adding: Bool) {
        if let bias { precondition(bias.rowCount == 1 && bias.columnCount == output.columnCount, "a bias of another width") }
        guard let bfloat16 else {
            guard case .float(let input) = input, case .float32(let output) = output else {
                preconditionFailure("rows of bfloat16 for a weight of float32")
            }
            if let bias { fillRows(of: output, with: bias) }
            return Tensors.multiply(input, .asStored, values, orientation, into: output, adding: adding || bias != nil)
        }
        let (inner, columns) = orientation == .asStored
            ? (values.rowCount, values.columnCount) : (values.columnCount, values.rowCount)
        let shape = input.shape
        precondition(
            shape.columns == inner && output.rowCount == shape.rows && output.columnCount == columns,
            "product \(shape.rows)×\(shape.columns) · \(inner)×\(columns) into \(output.rowCount)×\(output.columnCount)")
        guard shape.rows > 0 else { return }
        let start = WorkMeter.now
        unsafe bfloat16.multiply(input.rows, count: shape.rows, orientation, bias: bias, into: output.factor, adding: adding)
        WorkMeter.addProduct(rows: shape.rows, operations: 2 * shape.rows * inner * columns, since: start)
    }
}

/// A weight rounded to bfloat16, in the order in which oneDNN reads it: one copy for the way forward, one for
/// the way back, each made when it is first needed, so that prediction holds only one.
private final class BFloat16Weight: Sendable {
    private let values: Matrix
    private let forward = Mutex(Packed())
    private let backward = Mutex(Packed())

    init(_ values: Matrix) {
        precondition(Precision.bfloat16.isAvailable, "bfloat16 products are not available here")
        self.values = values
    }

    func multiply(
        _ input: vifi_bf16_rows, count: Int, _ orientation: Orientation, bias: Matrix?, into output: vifi_bf16_rows, adding: Bool
    ) {
        let factor = unsafe factor(orientation)
        let status = unsafe vifi_bf16_multiply(input, count, factor, bias?.pointer, output, adding ? 1 : 0)
        precondition(status == 0, "oneDNN cannot multiply \(count) rows by \(values.rowCount)×\(values.columnCount)")
    }

    func refresh() {
        for packed in [Orientation.transposed, .asStored] {
            lock(of: packed) { packed in
                guard let factor = unsafe packed.factor else { return }
                let status = unsafe vifi_bf16_factor_refresh(factor, values.pointer)
                precondition(status == 0, "oneDNN cannot pack \(values.rowCount)×\(values.columnCount)")
            }
        }
    }

    private func factor(_ orientation: Orientation) -> OpaquePointer {
        unsafe lock(of: orientation) { packed in
            if let factor = unsafe packed.factor { return unsafe factor }
            let created = orientation == .asStored
                ? unsafe vifi_bf16_factor_create(values.pointer, values.rowCount, values.columnCount, values.stride, 1)
                : unsafe vifi_bf16_factor_create(values.pointer, values.columnCount, values.rowCount, 1, values.stride)
            guard let created = unsafe created else {
                preconditionFailure("oneDNN cannot pack \(values.rowCount)×\(values.columnCount)")
            }
            unsafe packed.factor = created
            return unsafe created
        }
    }

    private func lock<Result>(of orientation: Orientation, _ body: (inout sending Packed) -> sending Result) -> Result {
        orientation == .transposed ? forward.withLock(body) : backward.withLock(body)
    }
}

/// Owns what the C library made.
@safe private struct Packed: ~Copyable {
    var factor: OpaquePointer?
    deinit { unsafe vifi_bf16_factor_free(factor) }
}
