/// How a normalized text is split before pieces are looked for, as huggingface/tokenizers does it (`pre_tokenizers`).
enum TextSplitter: Sendable {
    case whitespace
    /// - Parameter prefix: whether a mark goes before each part, before the first one of the text, or nowhere.
    case spaceMarks(mark: Unicode.Scalar, prefix: MarkPrefix, splits: Bool)
    case pattern(TextPattern, SplitBehavior, isInverted: Bool)

    enum MarkPrefix: String, Sendable {
        case always, first, never
    }

    enum SplitBehavior: String, Sendable {
        case removed = "Removed"
        case isolated = "Isolated"
        case mergedWithPrevious = "MergedWithPrevious"
        case mergedWithNext = "MergedWithNext"
        case contiguous = "Contiguous"
    }

    /// The parts of `text` that are not empty.
    ///
    /// - Parameter isFirst: whether the text begins where the whole one did.
    func split(_ text: String, isFirst: Bool) -> [(text: String, isFirst: Bool)] {
        switch self {
        case .whitespace:
            let words = text.unicodeScalars.split { $0.properties.isWhitespace }
            return words.map { (String($0), isFirst && $0.startIndex == text.startIndex) }
        case .spaceMarks(let mark, let prefix, let splits):
            var scalars = text.unicodeScalars.map { $0 == " " ? mark : $0 }
            if let first = scalars.first, first != mark, prefix == .always || prefix == .first && isFirst { scalars.insert(mark, at: 0) }
            guard splits else { return Self.parts([0..<scalars.count], of: scalars, isFirst: isFirst) }
            let places = scalars.indices.filter { scalars[$0] == mark }
            return Self.parts(Self.ranges(places.map { $0..<$0 + 1 }, in: scalars.count, .mergedWithNext), of: scalars, isFirst: isFirst)
        case .pattern(let pattern, let behavior, let isInverted):
            let scalars = Array(text.unicodeScalars)
            let found = pattern.matches(in: scalars)
            let matches = isInverted ? Self.gaps(between: found, in: scalars.count) : found
            return Self.parts(Self.ranges(matches, in: scalars.count, behavior), of: scalars, isFirst: isFirst)
        }
    }

    private static func parts(_ ranges: [Range<Int>], of scalars: [Unicode.Scalar], isFirst: Bool) -> [(text: String, isFirst: Bool)] {
        ranges.filter { !$0.isEmpty }.map { (String(scalars: scalars[$0]), isFirst && $0.lowerBound == 0) }
    }

    private static func gaps(between matches: [Range<Int>], in count: Int) -> [Range<Int>] {
        let starts = [0] + matches.map(\.upperBound)
        let ends = matches.map(\.lowerBound) + [count]
        return zip(starts, ends).filter { $0 < $1 }.map { $0..<$1 }
    }

    private static func ranges(_ matches: [Range<Int>], in count: Int, _ behavior: SplitBehavior) -> [Range<Int>] {
        switch behavior {
        case .removed: return gaps(between: matches, in: count)
        case .isolated, .contiguous:
            var result: [Range<Int>] = []
            var isAfterMatch = false
            var position = 0
            func add(_ range: Range<Int>, isMatch: Bool) {
                if behavior == .contiguous, isMatch, isAfterMatch, let last = result.popLast() {
                    result.append(last.lowerBound..<range.upperBound)
                } else {
                    result.append(range)
                }
                isAfterMatch = isMatch
            }
            for match in matches {
                if position < match.lowerBound { add(position..<match.lowerBound, isMatch: false) }
                add(match, isMatch: true)
                position = match.upperBound
            }
            if position < count { add(position..<count, isMatch: false) }
            return result
        case .mergedWithPrevious, .mergedWithNext:
            let cuts = matches.map { behavior == .mergedWithPrevious ? $0.upperBound : $0.lowerBound }
            let bounds = [0] + cuts + [count]
            return zip(bounds, bounds.dropFirst()).map { $0..<$1 }
        }
    }
}
