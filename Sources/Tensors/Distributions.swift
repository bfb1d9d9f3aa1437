import Glibc

extension RandomSource {
    /// Normal with mean 0 and deviation 1 (Box and Muller 1958, one of the pair).
    package mutating func normal() -> Float {
        let radius = sqrt(-2 * log(1 - Double(uniform())))
        return Float(radius * cos(2 * .pi * Double(uniform())))
    }

    /// Normal with mean 0 and deviation 1, drawn again where it is further than 2 from 0: TensorFlow's `truncated_normal`.
    package mutating func truncatedNormal() -> Float {
        while true {
            let number = normal()
            if abs(number) < 2 { return number }
        }
    }

    /// Gamma with the given shape and scale 1 (Marsaglia and Tsang 2000).
    package mutating func gamma(shape: Double) -> Double {
        guard shape >= 1 else {
            // Gamma(a) = Gamma(a + 1) · U^(1/a), the same paper's section 6.
            let boosted = gamma(shape: shape + 1)
            return boosted * pow(1 - Double(uniform()), 1 / shape)
        }
        let d = shape - 1.0 / 3
        let c = 1 / sqrt(9 * d)
        while true {
            let x = Double(normal())
            let v = (1 + c * x) * (1 + c * x) * (1 + c * x)
            if v > 0, log(1 - Double(uniform())) < x * x / 2 + d - d * v + d * log(v) { return d * v }
        }
    }

    /// Beta(α, β) as a ratio of gammas, in `0...1`.
    package mutating func beta(_ alpha: Double, _ beta: Double) -> Double {
        let x = gamma(shape: alpha)
        let y = gamma(shape: beta)
        return x / (x + y)
    }

    /// The numbers `0 ..< count` in random order (Fisher and Yates).
    package mutating func permutation(of count: Int) -> [Int] {
        var order = Array(0..<count)
        for last in stride(from: count - 1, to: 0, by: -1) {
            order.swapAt(last, integer(below: last + 1))
        }
        return order
    }
}
