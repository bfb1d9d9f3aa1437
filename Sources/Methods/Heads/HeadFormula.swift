import Tensors

/// How a head scores, in steps that are no code of its own: what other programs compute from its numbers.
///
/// f is a clip's mean feature as the tower's projection leaves it, or the head's own; f̂ is f at unit length. Logits are the
/// same numbers as `Head.logits`, not divided by a temperature yet.
package enum HeadFormula: Sendable {
    /// `logits = f̂ · weightᵀ + bias`.
    case linear(weight: Matrix, bias: [Float])
    /// `logits = scale · f̂ · textsᵀ + exp(−sharpness · (1 − f̂ · keysᵀ)) · values`.
    case kernel(texts: Matrix, scale: Float, keys: Matrix, sharpness: Float, values: Matrix)
    /// `f′ = ratio · ReLU(second · ReLU(first · f)) + (1 − ratio) · f`, `logits = scale · f̂′ · textsᵀ`.
    case adapter(first: Matrix, second: Matrix, ratio: Float, texts: Matrix, scale: Float)
    /// `z = ((f̂ − mean) / deviation) · map`, `logits = scale · ẑ · textsᵀ`.
    case mapped(mean: [Float], deviation: [Float], map: Matrix, texts: Matrix, scale: Float)

    /// - Parameter offset: what `Head.logits` adds to the scores of `linear`, for all classes alike.
    static func linear(_ classifier: LinearClassifier, adding offset: Float = 0) -> HeadFormula {
        .linear(weight: classifier.weight, bias: classifier.bias.map { $0 + offset })
    }
}

extension Head {
    package var formula: HeadFormula? { linear.map { .linear($0) } }
}
