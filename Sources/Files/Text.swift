extension String {
    /// The string with control characters, direction overrides and line breaks written as escapes,
    /// so that a hostile name cannot move the cursor or forge a message.
    package var escapedForDisplay: String {
        var result = ""
        for scalar in unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
                result += "\\u{" + String(scalar.value, radix: 16) + "}"
            default:
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Edits (insert, delete, replace one character) that turn one string into the other.
    package func editDistance(to other: String) -> Int {
        let target = Array(other)
        var previous = Array(0...target.count)
        for (row, character) in self.enumerated() {
            var current = [row + 1]
            for (column, candidate) in target.enumerated() {
                let replaced = previous[column] + (character == candidate ? 0 : 1)
                current.append(Swift.min(replaced, previous[column + 1] + 1, current[column] + 1))
            }
            previous = current
        }
        return previous[target.count]
    }

    /// The candidate that this string most likely was meant to be, if one is near enough to suggest.
    package func nearest(among candidates: some Sequence<String>) -> String? {
        let limit = Swift.max(2, count / 3)
        return candidates
            .map { (candidate: $0, distance: lowercased().editDistance(to: $0.lowercased())) }
            .filter { $0.distance <= limit }
            .min { ($0.distance, $0.candidate) < ($1.distance, $1.candidate) }?.candidate
    }
}

/// "1 video", "2 videos".
package func counted(_ count: Int, _ one: String, _ many: String) -> String { "\(count) \(count == 1 ? one : many)" }
