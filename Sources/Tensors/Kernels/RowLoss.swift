import Glibc

/// Cross-entropy of rows of logits with one right class each, `−(1/rows) Σ log softmax(logits)_label`.
///
/// - Parameter logits: replaced by the gradient of the mean loss, `(softmax − onehot) / rows`.
/// - Returns: the mean loss.
package func crossEntropyOfRows(_ logits: MutableMatrix, labels: [Int]) -> Double {
    precondition(labels.count == logits.rowCount, "\(labels.count) labels for \(logits.rowCount) rows")
    let width = logits.columnCount
    let share = 1 / Double(max(1, labels.count))
    var exponentials = [Double](repeating: 0, count: width)
    var loss = 0.0
    for (row, label) in labels.enumerated() {
        precondition(label >= 0 && label < width, "label outside the classes")
        let values = unsafe logits.pointer + row * logits.stride
        var largest = -Float.infinity
        for column in 0..<width { unsafe largest = max(largest, values[column]) }
        var sum = 0.0
        for column in 0..<width {
            let exponential = unsafe exp(Double(values[column] - largest))
            exponentials[column] = exponential
            sum += exponential
        }
        unsafe loss += log(sum) - Double(values[label] - largest)
        for column in 0..<width { unsafe values[column] = Float(exponentials[column] / sum * share) }
        unsafe values[label] -= Float(share)
    }
    return loss * share
}

/// Each row's softmax in place.
package func softmaxOfRows(_ logits: MutableMatrix) {
    for row in 0..<logits.rowCount { logits.row(row).fill(with: softmax(of: logits.row(row).values)) }
}

/// `values = exp(−sharpness · (1 − values))` in place: the kernel of Tip-Adapter and ProKeR on cosines.
package func exponentialKernel(_ values: MutableMatrix, sharpness: Float) {
    for row in 0..<values.rowCount {
        let start = unsafe values.pointer + row * values.stride
        for column in 0..<values.columnCount { unsafe start[column] = Float(exp(Double(-sharpness * (1 - start[column])))) }
    }
}

/// `values = max(0, values)` in place.
package func rectify(_ values: MutableMatrix) {
    for row in 0..<values.rowCount {
        let start = unsafe values.pointer + row * values.stride
        for column in 0..<values.columnCount { unsafe start[column] = max(0, start[column]) }
    }
}

/// The gradient of `rectify` in place: 0 where the output is not positive.
package func rectifyBackward(output: some Readable, gradient: MutableMatrix) {
    let output = output.reading
    precondition(output.rowCount == gradient.rowCount && output.columnCount == gradient.columnCount, "rectify shapes differ")
    for row in 0..<gradient.rowCount {
        let start = unsafe gradient.pointer + row * gradient.stride
        let values = unsafe output.pointer + row * output.stride
        for column in 0..<gradient.columnCount where unsafe !(values[column] > 0) { unsafe start[column] = 0 }
    }
}

/// Numbers below 0 times `slope`, in place: the leaky rectifier (Maas et al. 2013).
///
/// - Parameter slope: at least 0.
package func rectify(_ values: MutableMatrix, slope: Float) {
    for row in 0..<values.rowCount {
        let start = unsafe values.pointer + row * values.stride
        for column in 0..<values.columnCount where unsafe start[column] < 0 { unsafe start[column] *= slope }
    }
}

/// The gradient of `rectify(_:slope:)` in place: times the slope where the output is not positive.
package func rectifyBackward(output: some Readable, gradient: MutableMatrix, slope: Float) {
    let output = output.reading
    precondition(output.rowCount == gradient.rowCount && output.columnCount == gradient.columnCount, "rectify shapes differ")
    for row in 0..<gradient.rowCount {
        let start = unsafe gradient.pointer + row * gradient.stride
        let values = unsafe output.pointer + row * output.stride
        for column in 0..<gradient.columnCount where unsafe !(values[column] > 0) { unsafe start[column] *= slope }
    }
}

/// `values *= other`, place by place.
package func multiplyPlaces(of values: MutableMatrix, by other: some Readable) {
    let other = other.reading
    precondition(other.rowCount == values.rowCount && other.columnCount == values.columnCount, "factors of different shapes")
    for row in 0..<values.rowCount {
        let start = unsafe values.pointer + row * values.stride
        let factors = unsafe other.pointer + row * other.stride
        for column in 0..<values.columnCount { unsafe start[column] *= factors[column] }
    }
}

/// `output += factor · input`
package func add(_ input: some Readable, times factor: Float, to output: MutableMatrix) {
    let input = input.reading
    precondition(input.rowCount == output.rowCount && input.columnCount == output.columnCount, "add between different shapes")
    for row in 0..<output.rowCount {
        let start = unsafe output.pointer + row * output.stride
        let values = unsafe input.pointer + row * input.stride
        for column in 0..<output.columnCount { unsafe start[column] += factor * values[column] }
    }
}

/// `multiply` with the rows of the output shared out over threads. The pieces are fixed, so the numbers do not depend on
/// the number of threads.
package func multiply(
    _ left: some Readable, _ leftOrientation: Orientation, _ right: some Readable, _ rightOrientation: Orientation,
    into output: MutableMatrix, scale: Float = 1, adding: Bool = false, pool: WorkerPool
) {
    let pieceRows = 192
    let rowCount = output.rowCount
    pool.parallelFor((rowCount + pieceRows - 1) / pieceRows) { _, index in
        let rows = index * pieceRows..<min((index + 1) * pieceRows, rowCount)
        multiply(
            leftOrientation == .asStored ? left.rows(rows) : left.columns(rows), leftOrientation, right, rightOrientation,
            into: output.rows(rows), scale: scale, adding: adding)
    }
}
