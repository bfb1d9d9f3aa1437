import Files
import Training

/// "61.3 %"
package func percent(_ value: Double) -> String { NumberText.decimal(value, places: 1) + " %" }

/// With commas between thousands.
package func grouped(_ number: Int) -> String {
    let digits = String(number.magnitude)
    let groups = stride(from: digits.count, to: 0, by: -3).map { digits.dropLast(digits.count - $0).suffix(3) }
    return (number < 0 ? "-" : "") + groups.reversed().joined(separator: ",")
}

/// "a, b and 3 more", safe to print.
package func shortList(_ names: [String], limit: Int = 10) -> String {
    let shown = names.prefix(limit).map(\.escapedForDisplay).joined(separator: ", ")
    return names.count > limit ? "\(shown) and \(names.count - limit) more" : shown
}
