import Files

/// Layers of one tower that have prompts of their own, as flags, recipes and prompt files spell them:
/// `6-11`, `6`, `none`. Layers count from 0, the last one is meant too.
package struct PromptLayers: Sendable, Equatable {
    package let range: Range<Int>

    /// What flags and recipes want to see.
    package static let form = "layers counted from 0, such as 6-11, one number, or none"
    private static let noneName = "none"
    private static let limit = 1000

    package init(_ range: Range<Int>) { self.range = range.isEmpty ? 0..<0 : range }

    package static let none = PromptLayers(0..<0)

    /// Nil where the text names no layers, or a last one before the first.
    package init?(_ text: String) {
        if text == Self.noneName {
            range = 0..<0
        } else if let (first, last) = Self.ends(of: text), first <= last {
            range = first..<last + 1
        } else {
            return nil
        }
    }

    /// Reads back as these layers.
    package var text: String {
        guard let last = range.last else { return Self.noneName }
        return range.count == 1 ? "\(last)" : "\(range.lowerBound)-\(last)"
    }

    /// What is wrong with a text that names no layers.
    package static func complaint(about text: String) -> String {
        if let (first, last) = ends(of: text), first > last { return "\(text) ends before it begins; write \(last)-\(first)." }
        return "\"\(text.escapedForDisplay)\" names no layers; write \(form)."
    }

    private static func ends(of text: String) -> (Int, Int)? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { part in
            part.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } ? Int(part).flatMap { $0 < limit ? $0 : nil } : nil
        }
        guard numbers.count == parts.count, (1...2).contains(numbers.count), let first = numbers.first, let last = numbers.last else {
            return nil
        }
        return (first, last)
    }
}
