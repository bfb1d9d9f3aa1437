import COneDNN
import Synchronization

/// A weight `[outputs, inputs]` of products over many rows, prepared for a precision.
///
/// The precision is chosen once, when the weight is made; each product makes one decision by it.
package struct Weight: Sendable {
    /// Float32, as it was loaded or as it learns.
    package let values: Matrix
    private let half: HalfWeight?

    /// - Precondition: the precision is available here (`Precision.obstacle`).
    package init(_ values: some Readable, precision: Precision = .float32) {
        self.values = values.reading
        half = switch precision {
        case .float32: nil
        case .bfloat16: HalfWeight(values.reading)
        }
    }

    package var precision: Precision { half == nil ? .float32 : .bfloat16 }

    /// Takes over `values` that have changed. Not while anything multiplies with the weight.
    package func refresh() { half?.refresh() }
}

/// `output = input · weightᵀ`, or `output += input · weightᵀ` when `adding`.
///
/// - Parameters:
///   - input: `[rows, inputs]`.
///   - output: `[rows, outputs]`.
package func multiply(_ input: some Readable, _ weight: Weight, into output: MutableMatrix, adding: Bool = false) {
    weight.multiply(input.reading, .transposed, into: output, adding: adding)
}

/// The gradient of `multiply` with respect to its input: `inputGradient = outputGradient · weight`, or added to it.
package func multiplyBackward(
    _ outputGradient: some Readable, _ weight: Weight, into inputGradient: MutableMatrix, adding: Bool = false
) {
    weight.multiply(outputGradient.reading, .asStored, into: inputGradient, adding: adding)
}

/// `output = input · weightᵀ + bias`
///
/// - Parameters:
///   - input: `[rows, inputs]`.
///   - bias: `[1, outputs]`.
///   - output: `[rows, outputs]`.
package func linear(_ input: some Readable, weight: Weight, bias: some Readable, into output: MutableMatrix) {
    fillRows(of: output, with: bias)
    multiply(input, weight, into: output, adding: true)
}

extension Weight {
    /// `output (+)= input · weight`, the weight oriented as said.
    fileprivate func multiply(_ input: Matrix, _ orientation: Orientation, into output: MutableMatrix, adding: Bool) {
        guard let half else {
            return Tensors.multiply(input, .asStored, values, orientation, into: output, adding: adding)
        }
        let (inner, columns) = orientation == .asStored
            ? (values.rowCount, values.columnCount) : (values.columnCount, values.rowCount)
        precondition(
            input.columnCount == inner && output.rowCount == input.rowCount && output.columnCount == columns,
            "product \(input.rowCount)×\(input.columnCount) · \(inner)×\(columns) into \(output.rowCount)×\(output.columnCount)")
        guard input.rowCount > 0 else { return }
        let start = WorkMeter.now
        half.multiply(input, orientation, into: output, adding: adding)
        WorkMeter.addProduct(rows: input.rowCount, operations: 2 * input.rowCount * inner * columns, since: start)
    }
}

/// A weight rounded to bfloat16, in the order in which oneDNN reads it: one copy for the way forward, one for
/// the way back, each made when it is first needed, so that prediction holds only one.
private final class HalfWeight: Sendable {
    private let values: Matrix
    private let forward = Mutex(Packed())
    private let backward = Mutex(Packed())

    init(_ values: Matrix) {
        precondition(Precision.bfloat16.isAvailable, "bfloat16 products are not available here")
        self.values = values
    }

    func multiply(_ input: Matrix, _ orientation: Orientation, into output: MutableMatrix, adding: Bool) {
        let factor = unsafe factor(orientation)
        let status = unsafe vifi_bf16_multiply(
            input.pointer, input.stride, input.rowCount, factor, output.pointer, output.stride, adding ? 1 : 0)
        precondition(status == 0, "oneDNN cannot multiply \(input.rowCount) rows by \(values.rowCount)×\(values.columnCount)")
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
