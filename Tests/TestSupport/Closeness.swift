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

/// Length of the difference over the length of `expected`.
package func relativeError(_ actual: [Float], _ expected: [Float]) -> Double {
    let difference = zip(actual, expected).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
    return (difference / expected.reduce(0.0) { $0 + Double($1) * Double($1) }).squareRoot()
}
