import COneDNN
import COpenBLAS

/// Whether a factor enters a product as it is stored or transposed.
package enum Orientation: Sendable {
    case asStored, transposed

    var code: CBLAS_TRANSPOSE {
        switch self {
        case .asStored: CblasNoTrans
        case .transposed: CblasTrans
        }
    }
}

/// OpenBLAS runs each product on the calling thread: measured on two cores, its own threads reach
/// 23–70 GFLOP/s on a frame's shapes, single-threaded calls side by side twice 97.
let blasIsSingleThreaded: Bool = {
    openblas_set_num_threads(1)
    return true
}()

/// From so many operations on a product goes to oneDNN where it is there: measured on two cores with AVX-512,
/// 184 to 208 GFLOP/s on a frame's 197 rows, against OpenBLAS's 165 to 183.
private let largeProduct = 1 << 24

/// `output = scale · left · right`, or `output += scale · left · right` when `adding`.
///
/// - Parameter precision: of the factors. In bfloat16 `scale` is 1.
package func multiply(
    _ left: some Readable, _ leftOrientation: Orientation,
    _ right: some Readable, _ rightOrientation: Orientation,
    into output: MutableMatrix, scale: Float = 1, adding: Bool = false, precision: Precision = .float32
) {
    let start = WorkMeter.now
    let operations = product(
        left, leftOrientation, right, rightOrientation, into: output, scale: scale, adding: adding, precision: precision)
    WorkMeter.addProduct(rows: output.rowCount, operations: operations, since: start)
}

/// `multiply` without counting. Returns its floating-point operations.
func product(
    _ left: some Readable, _ leftOrientation: Orientation,
    _ right: some Readable, _ rightOrientation: Orientation,
    into output: MutableMatrix, scale: Float = 1, adding: Bool = false, precision: Precision = .float32
) -> Int {
    let left = left.reading
    let right = right.reading
    let (rows, inner) = leftOrientation == .asStored
        ? (left.rowCount, left.columnCount) : (left.columnCount, left.rowCount)
    let (rightInner, columns) = rightOrientation == .asStored
        ? (right.rowCount, right.columnCount) : (right.columnCount, right.rowCount)
    precondition(
        inner == rightInner && output.rowCount == rows && output.columnCount == columns,
        "product \(rows)×\(inner) · \(rightInner)×\(columns) into \(output.rowCount)×\(output.columnCount)")
    precondition(blasIsSingleThreaded)
    vifi_blas_alone()
    guard rows > 0, columns > 0 else { return 0 }
    guard inner > 0 else {
        if !adding { output.fill(0) }
        return 0
    }
    let operations = 2 * rows * columns * inner
    switch precision {
    case .float32:
        if operations >= largeProduct {
            let status = unsafe vifi_fp32_multiply(
                leftOrientation == .transposed ? 1 : 0, rightOrientation == .transposed ? 1 : 0, rows, columns, inner, scale,
                left.pointer, left.stride, right.pointer, right.stride, adding ? 1 : 0, output.pointer, output.stride)
            if status == 0 { return operations }
        }
        unsafe cblas_sgemm(
            CblasRowMajor, leftOrientation.code, rightOrientation.code,
            blasint(rows), blasint(columns), blasint(inner), scale,
            left.pointer, blasint(left.stride), right.pointer, blasint(right.stride),
            adding ? 1 : 0, output.pointer, blasint(output.stride))
    case .bfloat16:
        precondition(scale == 1, "products in bfloat16 are not scaled")
        let status = unsafe vifi_bf16_multiply_both(
            left.factor, leftOrientation == .transposed ? 1 : 0, right.factor, rightOrientation == .transposed ? 1 : 0,
            rows, columns, inner, output.pointer, output.stride, adding ? 1 : 0)
        precondition(status == 0, "oneDNN cannot multiply \(rows)×\(inner) · \(inner)×\(columns)")
    case .int8: preconditionFailure("int8 is for products with prepared weights")
    }
    return operations
}

extension Matrix {
    /// As the C library takes it; products only read it.
    var factor: vifi_product_rows { unsafe vifi_product_rows(pointer: UnsafeMutableRawPointer(mutating: pointer), stride: stride, is_half: 0) }
}

extension Rows {
    var factor: vifi_product_rows {
        switch self {
        case .float32(let matrix): unsafe matrix.reading.factor
        case .bfloat16(let matrix): unsafe vifi_product_rows(pointer: matrix.pointer, stride: matrix.stride, is_half: 1)
        }
    }
}
