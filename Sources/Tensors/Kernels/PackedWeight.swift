import COneDNN
import Synchronization

/// A weight rounded to bfloat16, in the order in which oneDNN reads it: one copy for the way forward, one for
/// the way back, each made when it is first needed, so that prediction holds only one.
final class BFloat16Weight: Sendable {
    private let values: Matrix
    private let forward = Mutex(PackedBFloat16())
    private let backward = Mutex(PackedBFloat16())

    init(_ values: Matrix) {
        precondition(Precision.bfloat16.isAvailable, "bfloat16 products are not available here")
        self.values = values
    }

    func multiply(
        _ input: vifi_product_rows, count: Int, _ orientation: Orientation, bias: Matrix?, into output: vifi_product_rows, adding: Bool
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

    private func lock<Result>(of orientation: Orientation, _ body: (inout sending PackedBFloat16) -> sending Result) -> Result {
        orientation == .transposed ? forward.withLock(body) : backward.withLock(body)
    }
}

/// Owns what the C library made.
@safe private struct PackedBFloat16: ~Copyable {
    var factor: OpaquePointer?
    deinit { unsafe vifi_bf16_factor_free(factor) }
}

/// A weight in bytes, in the order in which oneDNN reads it, with a scale for each output; made when it is first needed.
final class Int8Weight: Sendable {
    private let values: Matrix
    private let packed = Mutex(PackedInt8())

    init(_ values: Matrix) {
        precondition(Precision.int8.isAvailable, "int8 products are not available here")
        self.values = values
    }

    func multiply(
        _ input: vifi_product_rows, count: Int, bias: Matrix?, activation: Activation?, into output: vifi_product_rows, adding: Bool
    ) {
        let factor = unsafe factor
        let code = switch activation {
        case nil: VIFI_NO_ACTIVATION
        case .quickGELU: VIFI_QUICK_GELU
        case .gelu: VIFI_GELU
        case .tanhGELU: VIFI_TANH_GELU
        }
        let status = unsafe vifi_int8_multiply(input, count, factor, bias?.pointer, code, output, adding ? 1 : 0)
        precondition(status == 0, "oneDNN cannot multiply \(count) rows by \(values.rowCount)×\(values.columnCount)")
    }

    /// The next product makes the bytes anew.
    func refresh() {
        packed.withLock { packed in
            unsafe vifi_int8_factor_free(packed.factor)
            unsafe packed.factor = nil
        }
    }

    private var factor: OpaquePointer {
        unsafe packed.withLock { packed in
            if let factor = unsafe packed.factor { return unsafe factor }
            let created = unsafe vifi_int8_factor_create(values.pointer, values.rowCount, values.columnCount, values.stride)
            guard let created = unsafe created else {
                preconditionFailure("oneDNN cannot pack \(values.rowCount)×\(values.columnCount)")
            }
            unsafe packed.factor = created
            return unsafe created
        }
    }
}

/// Owns what the C library made.
@safe private struct PackedInt8: ~Copyable {
    var factor: OpaquePointer?
    deinit { unsafe vifi_int8_factor_free(factor) }
}
