import Foundation

/// Round numbers along an axis.
package struct Ticks: Equatable {
    package let values: [Double]
    package let labels: [String]

    /// Ticks at 1, 2 or 5 times a power of ten, near `count` of them, within `range`.
    ///
    /// - Parameter isWhole: no step below 1.
    package init(_ range: ClosedRange<Double>, count: Int, isWhole: Bool = false) {
        var step = Self.step(span: range.upperBound - range.lowerBound, count: count)
        if isWhole { step = max(1, step) }
        let first = (range.lowerBound / step - 1e-9).rounded(.up)
        let last = (range.upperBound / step + 1e-9).rounded(.down)
        // Counted as whole numbers of steps: a running sum drifts.
        let numbers = last >= first && last - first < 1000 ? Array(stride(from: first, through: last, by: 1)) : []
        values = numbers.map { $0 * step + 0 }
        labels = values.map { Self.text($0, step: step) }
    }

    /// The range widened to whole steps, so that the outermost ticks are its ends.
    package static func rounded(_ range: ClosedRange<Double>, count: Int, isWhole: Bool = false) -> ClosedRange<Double> {
        var step = step(span: range.upperBound - range.lowerBound, count: count)
        if isWhole { step = max(1, step) }
        let low = (range.lowerBound / step + 1e-9).rounded(.down) * step
        let high = (range.upperBound / step - 1e-9).rounded(.up) * step
        return low...max(high, low + step)
    }

    private static func step(span: Double, count: Int) -> Double {
        guard span > 0, span.isFinite else { return 1 }
        let rough = span / Double(max(1, count))
        let power = pow(10, log10(rough).rounded(.down))
        let factor = rough / power
        return power * (factor <= 1.0001 ? 1 : factor <= 2.0001 ? 2 : factor <= 5.0001 ? 5 : 10)
    }

    private static func text(_ value: Double, step: Double) -> String {
        guard abs(value) < 1e7, step >= 1e-6 else { return String(format: "%g", value) }
        let decimals = max(0, Int((-log10(step) - 1e-9).rounded(.up)))
        return grouped(String(format: "%.\(decimals)f", value))
    }

    /// 12345 as 12,345.
    private static func grouped(_ text: String) -> String {
        let parts = text.split(separator: ".", maxSplits: 1).map(String.init)
        let digits = parts[0].filter(\.isNumber)
        guard digits.count > 3 else { return text }
        var result = ""
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index) % 3 == 0 { result += "," }
            result.append(digit)
        }
        return (text.hasPrefix("-") ? "-" : "") + ([result] + parts.dropFirst()).joined(separator: ".")
    }
}
