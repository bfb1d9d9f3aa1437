import COneDNN

/// A weight `[outputs, inputs]` of products over many rows, prepared for a precision.
///
/// The precision is chosen once, when the weight is made; each product makes one decision by it.
package struct Weight: Sendable {
    /// Float32, as it was loaded or as it learns.
    package let values: Matrix
    private let prepared: Prepared

    /// What products read in place of `values`.
    private enum Prepared: Sendable {
        case nothing
        case bfloat16(BFloat16Weight)
        case int8(Int8Weight)
    }

    /// - Precondition: the precision is available here (`Precision.obstacle`).
    package init(_ values: some Readable, precision: Precision = .float32) {
        self.values = values.reading
        prepared = switch precision {
        case .float32: .nothing
        case .bfloat16: .bfloat16(BFloat16Weight(values.reading))
        case .int8: .int8(Int8Weight(values.reading))
        }
    }

    package var precision: Precision {
        switch prepared {
        case .nothing: .float32
        case .bfloat16: .bfloat16
        case .int8: .int8
        }
    }

    /// Takes over `values` that have changed. Not while anything multiplies with the weight.
    package func refresh() {
        switch prepared {
        case .nothing: break
        case .bfloat16(let weight): weight.refresh()
        case .int8(let weight): weight.refresh()
        }
    }
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

/// `output = activation(input · weightᵀ + bias)`, in one pass over the sums where the weight is int8, which keeps
/// nothing for a way back.
///
/// - Parameter hidden: `[rows, outputs]`, receives the rows before the activation unless the weight is int8.
package func linear(
    _ input: Rows, weight: Weight, bias: some Readable, hidden: Rows, activation: Activation, into output: Rows
) {
    guard weight.precision != .int8 else {
        return weight.multiply(Factor(input), .transposed, bias: bias.reading, activation: activation, into: output, adding: false)
    }
    linear(input, weight: weight, bias: bias, into: hidden)
    activation(hidden, into: output)
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

    var rows: vifi_product_rows {
        switch self {
        case .float(let matrix): unsafe matrix.factor
        case .bfloat16(let matrix): unsafe Rows.bfloat16(matrix).factor
        }
    }
}

extension Weight {
    /// `output (+)= activation(input · weight + bias)`, the weight oriented as said.
    ///
    /// - Parameter activation: only with int8, and where nothing is added to.
    fileprivate func multiply(
        _ input: Factor, _ orientation: Orientation, bias: Matrix?, activation: Activation? = nil, into output: Rows, adding: Bool
    ) {
        if let bias { precondition(bias.rowCount == 1 && bias.columnCount == output.columnCount, "a bias of another width") }
        if case .nothing = prepared {
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
        switch prepared {
        case .nothing: break
        case .bfloat16(let weight):
            unsafe weight.multiply(input.rows, count: shape.rows, orientation, bias: bias, into: output.factor, adding: adding)
        case .int8(let weight):
            precondition(orientation == .transposed, "int8 weights have no way back")
            unsafe weight.multiply(
                input.rows, count: shape.rows, bias: bias, activation: activation, into: output.factor, adding: adding)
        }
        WorkMeter.addProduct(rows: shape.rows, operations: 2 * shape.rows * inner * columns, since: start)
    }
}
