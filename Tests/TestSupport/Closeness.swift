import Testing

/// Expects `actual` to equal `expected` within `tolerance` times the largest magnitude of `expected`.
///
/// Relative to the whole tensor, not to each element: an element near zero is the sum of larger ones
/// and carries their rounding. A tensor of zeros must be met exactly.
///
/// - Parameter name: the tensor's name in the failure.
package func expectClose(
    _ actual: [Float], _ expected: [Float], tolerance: Float, _ name: String = "values",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    guard actual.count == expected.count else {
        Issue.record("\(name): \(actual.count) values, expected \(expected.count)", sourceLocation: sourceLocation)
        return
    }
    let scale = expected.reduce(0) { max($0, abs($1)) }
    var worst: (index: Int, difference: Float) = (0, 0)
    for index in actual.indices {
        let difference = abs(actual[index] - expected[index])
        // A NaN compares false with everything: it must not slip through.
        if !(difference <= worst.difference) { worst = (index, difference) }
        if difference.isNaN { break }
    }
    guard !(worst.difference <= tolerance * scale) else { return }
    Issue.record(
        """
        \(name)[\(worst.index)]: \(actual[worst.index]), expected \(expected[worst.index]); off by \
        \(worst.difference / scale) of the largest magnitude \(scale), allowed \(tolerance)
        """,
        sourceLocation: sourceLocation)
}

/// `expectClose` for one number.
package func expectClose(
    _ actual: Float, _ expected: Float, tolerance: Float, _ name: String = "value",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    expectClose([actual], [expected], tolerance: tolerance, name, sourceLocation: sourceLocation)
}

/// What a tensor became by steps of Adam, beside what another program's Adam made of it: `train.final.NAME` and `grad.NAME` of a fixture.
///
/// Adam's steps are as long as the rate, however small the gradient is. Where the first gradient is smaller than rounding makes it, the order
/// in which a processor adds decides where an entry goes, and it is held to twice the `way` that all steps lead; everything else to `tolerance`.
///
/// - Parameters:
///   - way: the sum of the steps' rates.
///   - rounding: of gradients, as a share of the tensor's largest.
package func expectLearned(
    _ values: [Float], _ name: String, of fixture: TensorFixture, way: Double, rounding: Float = 5e-4, tolerance: Float = 1e-3,
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    var (actual, expected) = try fixture.entries("train.final.\(name)", besides: values)
    var gradient = try fixture.entries("grad.\(name)", besides: values).expected
    if gradient.count == values.count { gradient = fixture.sampled(gradient, as: "train.final.\(name)") }
    guard actual.count == gradient.count, actual.count == expected.count else {
        Issue.record("\(name): \(actual.count) values, \(gradient.count) gradients, expected \(expected.count)", sourceLocation: sourceLocation)
        return
    }
    func largest(_ values: [Float]) -> Float { values.reduce(0) { max($0, abs($1)) } }
    let (least, near) = (rounding * largest(gradient), tolerance * largest(expected))
    var excusedCount = 0
    for index in gradient.indices where abs(gradient[index]) < least {
        let difference = abs(actual[index] - expected[index])
        guard difference > near, difference <= near + 2 * Float(way) else { continue }
        actual[index] = expected[index]
        excusedCount += 1
    }
    // Keys' biases, a third of their tensor, have no gradient but rounding.
    #expect(excusedCount * 2 <= gradient.count, "\(name): \(excusedCount) of \(gradient.count) are far off", sourceLocation: sourceLocation)
    expectClose(actual, expected, tolerance: tolerance, name, sourceLocation: sourceLocation)
}

/// Length of the difference over the length of `expected`.
package func relativeError(_ actual: [Float], _ expected: [Float]) -> Double {
    let difference = zip(actual, expected).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
    return (difference / expected.reduce(0.0) { $0 + Double($1) * Double($1) }).squareRoot()
}
