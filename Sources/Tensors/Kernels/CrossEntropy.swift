import Glibc

/// Softmax of one row of logits, summed in double precision.
package func softmax(of logits: [Float]) -> [Float] {
    let largest = Double(logits.max() ?? 0)
    let exponentials = logits.map { exp(Double($0) - largest) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { Float($0 / sum) }
}

/// `log softmax` of one row of logits, in double precision.
package func logProbabilities(of logits: [Float]) -> [Double] {
    let largest = Double(logits.max() ?? 0)
    let logSum = log(logits.reduce(0) { $0 + exp(Double($1) - largest) })
    return logits.map { Double($0) - largest - logSum }
}

/// Cross-entropy with soft targets: `−Σ_c target_c · log softmax(logits)_c`.
///
/// Source: `methods.md` 1.3, ViFi-CLIP main.py (SoftTargetCrossEntropy).
/// - Returns: the loss, and its gradient with respect to the logits, `softmax · Σ target − target`.
package func softCrossEntropy(logits: [Float], target: [Float]) -> (loss: Double, gradient: [Float]) {
    precondition(logits.count == target.count, "\(logits.count) logits for \(target.count) targets")
    let mass = target.reduce(0) { $0 + Double($1) }
    var loss = 0.0
    var gradient = [Float](repeating: 0, count: logits.count)
    for (index, logProbability) in logProbabilities(of: logits).enumerated() {
        loss -= Double(target[index]) * logProbability
        gradient[index] = Float(exp(logProbability) * mass - Double(target[index]))
    }
    return (loss, gradient)
}
