import ArgumentParser

/// - Parameter value: of a flag; nil where it is not given.
/// - Throws: `ValidationError` where it lies outside.
func requireRange<Value: Comparable>(_ flag: String, _ value: Value?, _ range: ClosedRange<Value>) throws {
    guard let value, !range.contains(value) else { return }
    throw ValidationError("\(flag) is \(value); it must be between \(range.lowerBound) and \(range.upperBound).")
}
