import Foundation

/// Numbers as people read them.
package enum NumberText {
    /// A number with a fixed count of decimals, always with a point.
    package static func decimal(_ value: Double, places: Int) -> String {
        String(format: "%.\(places)f", value)
    }

    /// Such as "42 s", "3:05 min", "2:10 h".
    package static func time(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded())
        func pair(_ high: Int, _ low: Int) -> String { "\(high):\(low < 10 ? "0" : "")\(low)" }
        return whole < 60 ? "\(whole) s" : whole < 3600 ? pair(whole / 60, whole % 60) + " min" : pair(whole / 3600, whole % 3600 / 60) + " h"
    }
}
