import CKernels
import COneDNN

/// `output = input · weightᵀ + bias`
///
/// - Parameters:
///   - input: `[rows, inputWidth]`.
///   - weight: `[outputWidth, inputWidth]`, as PyTorch stores it.
///   - bias: `[1, outputWidth]`.
///   - output: `[rows, outputWidth]`.
package func linear(_ input: some Readable, weight: some Readable, bias: some Readable, into output: MutableMatrix) {
    fillRows(of: output, with: bias)
    multiply(input, .asStored, weight, .transposed, into: output, adding: true)
}

/// The gradients of `linear` with respect to weight and bias, added to `weightGradient` and `biasGradient`.
///
/// With respect to the input it is `multiplyBackward`. `precision` is that of the product's factors.
package func linearWeightBackward(
    outputGradient: some Readable, input: some Readable,
    weightGradient: MutableMatrix, biasGradient: MutableMatrix, precision: Precision = .float32
) {
    multiply(outputGradient, .transposed, input, .asStored, into: weightGradient, adding: true, precision: precision)
    sumRows(of: outputGradient, into: biasGradient)
}

/// `linearWeightBackward` of rows that products read; in bfloat16 if any of them are.
package func linearWeightBackward(
    outputGradient: Rows, input: Rows, weightGradient: MutableMatrix, biasGradient: MutableMatrix, precision: Precision
) {
    if case .float32(let outputGradient) = outputGradient, case .float32(let input) = input {
        return linearWeightBackward(
            outputGradient: outputGradient, input: input, weightGradient: weightGradient, biasGradient: biasGradient,
            precision: precision)
    }
    let start = WorkMeter.now
    let (rows, columns, inner) = (outputGradient.columnCount, input.columnCount, input.rowCount)
    precondition(
        outputGradient.rowCount == inner && weightGradient.rowCount == rows && weightGradient.columnCount == columns,
        "weight gradient \(rows)×\(inner) · \(inner)×\(columns) into \(weightGradient.rowCount)×\(weightGradient.columnCount)")
    let status = unsafe vifi_bf16_multiply_both(
        outputGradient.factor, 1, input.factor, 0, rows, columns, inner, weightGradient.pointer, weightGradient.stride, 1)
    precondition(status == 0, "oneDNN cannot multiply \(rows)×\(inner) · \(inner)×\(columns)")
    WorkMeter.addProduct(rows: rows, operations: 2 * rows * columns * inner, since: start)
    switch outputGradient {
    case .float32(let gradient): sumRows(of: gradient, into: biasGradient)
    case .bfloat16(let gradient):
        precondition(biasGradient.count == gradient.columnCount, "sumRows needs a row of the same width")
        unsafe vifi_sum_rows_bf16(gradient.pointer, gradient.stride, biasGradient.pointer, gradient.rowCount, gradient.columnCount)
    }
}

/// Every row of `output` becomes `row`.
package func fillRows(of output: MutableMatrix, with row: some Readable) {
    let row = row.reading
    precondition(row.rowCount == 1 && row.columnCount == output.columnCount, "fillRows needs a row of the same width")
    unsafe vifi_fill_rows(row.pointer, output.pointer, output.stride, output.rowCount, output.columnCount)
}

/// `output = input + row`, the row added to every row.
package func add(_ row: some Readable, toRowsOf input: some Readable, into output: MutableMatrix) {
    let row = row.reading
    let input = input.reading
    precondition(row.rowCount == 1 && row.columnCount == input.columnCount, "add needs a row of the same width")
    precondition(input.rowCount == output.rowCount && input.columnCount == output.columnCount, "add between different shapes")
    unsafe vifi_add_row(
        input.pointer, input.stride, row.pointer, output.pointer, output.stride, input.rowCount, input.columnCount)
}

/// `output += input`
package func add(_ input: some Readable, to output: MutableMatrix) {
    let input = input.reading
    precondition(input.rowCount == output.rowCount && input.columnCount == output.columnCount, "add between different shapes")
    unsafe vifi_add(input.pointer, input.stride, output.pointer, output.stride, input.rowCount, input.columnCount)
}

/// `output += input`, whichever numbers the input is in.
package func add(_ input: Rows, to output: MutableMatrix) {
    switch input {
    case .float32(let input): add(input, to: output)
    case .bfloat16(let input):
        precondition(input.rowCount == output.rowCount && input.columnCount == output.columnCount, "add between different shapes")
        unsafe vifi_add_bf16(input.pointer, input.stride, output.pointer, output.stride, input.rowCount, input.columnCount)
    }
}

/// `sums += Σ rows`, `sums` being one row.
package func sumRows(of input: some Readable, into sums: MutableMatrix) {
    let input = input.reading
    precondition(sums.rowCount == 1 && sums.columnCount == input.columnCount, "sumRows needs a row of the same width")
    unsafe vifi_sum_rows(input.pointer, input.stride, sums.pointer, input.rowCount, input.columnCount)
}

/// `matrix *= factor`, for a matrix without gaps.
package func scale(_ matrix: MutableMatrix, by factor: Float) {
    unsafe matrix.withMutableValues { values in
        for index in values.indices { unsafe values[index] *= factor }
    }
}

/// Number of values that are NaN or infinite.
package func nonFiniteCount(in matrix: some Readable) -> Int {
    unsafe matrix.withValues { values in
        guard let start = values.baseAddress else { return 0 }
        return unsafe vifi_count_non_finite(start, values.count)
    }
}
