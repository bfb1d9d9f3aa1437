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

    /// Nil where there is none for a head.
    package init?(_ head: any Head) {
        switch head {
        case let head as TipAdapter: self.init(head.core)
        case let head as TipAdapterF: self.init(head.core)
        case let head as ProKeR: self.init(head.core)
        case let head as KernelRidge: self.init(head.core)
        case let head as CLIPAdapter:
            self = .adapter(first: head.first, second: head.second, ratio: Float(head.settings.ratio), texts: head.texts, scale: head.scale)
        case let head as SJE:
            self = .mapped(mean: head.mean, deviation: head.deviation, map: head.map, texts: head.texts, scale: head.scale)
        default:
            guard let linear = head.linear else { return nil }
            let offset = Self.offset(of: head)
            self = .linear(weight: linear.weight, bias: linear.bias.map { $0 + offset })
        }
    }

    private init(_ cache: TipCache) {
        let votes = MutableMatrix(rows: cache.labels.count, columns: cache.texts.rowCount)
        add(cache.values, times: cache.alpha, to: votes)
        self = .kernel(texts: cache.texts, scale: cache.scale, keys: cache.keys, sharpness: cache.beta, values: votes.reading)
    }

    private init(_ regression: KernelRegression) {
        self = .kernel(
            texts: regression.texts, scale: 1, keys: regression.vectors, sharpness: Float(regression.beta), values: regression.coefficients)
    }

    /// What `logits` adds to those of `linear`, for all classes alike: distances count ‖f̂‖² = 1.
    private static func offset(of head: any Head) -> Float {
        switch head {
        case is NearestMean: -1
        case let head as DEM where !head.usesCosine: -1
        default: 0
        }
    }
}
