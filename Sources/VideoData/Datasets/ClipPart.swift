import Files

/// The part of a video that a clip is taken from, in seconds from the video's first frame.
///
/// Its frames are those that are shown in `[start, end)`; see `Video.frames(of:)`.
package struct ClipPart: Sendable, Hashable {
    package let start: Double
    package let end: Double

    /// Times below it can be counted in microseconds without loss.
    package static let secondsLimit = 1e9

    /// - Returns: nil unless 0 ≤ start < end < `secondsLimit`, both rounded to the microsecond.
    package init?(start: Double, end: Double) {
        guard start >= 0, end < Self.secondsLimit, start < end else { return nil }
        let (first, last) = ((start * 1e6).rounded(), (end * 1e6).rounded())
        guard first < last else { return nil }
        (self.start, self.end) = (first / 1e6, last / 1e6)
    }

    package var seconds: Double { end - start }

    /// Both times as lists hold them: `3.2 7.5`.
    package var text: String { "\(Self.text(of: start)) \(Self.text(of: end))" }

    /// At least one decimal, at most six.
    private static func text(of seconds: Double) -> String {
        let (whole, rest) = Int((seconds * 1e6).rounded()).quotientAndRemainder(dividingBy: 1_000_000)
        var decimals = String(String(1_000_000 + rest).dropFirst())
        while decimals.count > 1, decimals.hasSuffix("0") { decimals.removeLast() }
        return "\(whole).\(decimals)"
    }

    /// Whether two clips of one video have a moment in common; a clip without a part is the whole video.
    package static func overlap(_ left: ClipPart?, _ right: ClipPart?) -> Bool {
        guard let left, let right else { return true }
        return left.start < right.end && right.start < left.end
    }
}

extension ClipPart: Codable {
    private enum CodingKeys: String, CodingKey { case start, end }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let (start, end) = (try container.decode(Double.self, forKey: .start), try container.decode(Double.self, forKey: .end))
        guard let part = ClipPart(start: start, end: end) else {
            throw DecodingError.dataCorruptedError(forKey: .end, in: container, debugDescription: "no part of a video")
        }
        self = part
    }
}

// MARK: - Reading

extension ClipPart {
    /// A time as people write it: `3.2`, `3`, `3.2s`, `1:03.5`, `0:01:03.5`.
    struct Time: Equatable {
        /// Not finite for `inf` and `nan`, and negative after a minus: refused where a time is needed.
        let seconds: Double
        /// It has a decimal point, an `s` at its end or colons, so that it cannot be a count of frames or a label.
        let isMarked: Bool

        /// Nil for text that is no time.
        init?(_ text: String) {
            var rest = Substring(text)
            let sign: Double = rest.first == "-" ? -1 : 1
            if rest.first == "-" || rest.first == "+" { rest.removeFirst() }
            if ["inf", "infinity", "nan"].contains(rest.lowercased()) {
                (seconds, isMarked) = (.nan, true)
                return
            }
            let hasUnit = rest.last == "s"
            if hasUnit { rest.removeLast() }
            let fields = rest.split(separator: ":", omittingEmptySubsequences: false)
            guard (1...3).contains(fields.count), !(hasUnit && fields.count > 1), let last = fields.last, Self.isDecimal(last) else { return nil }
            var total = 0.0
            for (place, field) in fields.enumerated() {
                guard place == fields.count - 1 || Self.areDigits(field), let number = Double(field), place == 0 || number < 60 else { return nil }
                total = total * 60 + number
            }
            seconds = sign * total
            isMarked = hasUnit || fields.count > 1 || last.contains(".")
        }

        private static func areDigits(_ text: Substring) -> Bool {
            !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        }

        private static func isDecimal(_ text: Substring) -> Bool {
            let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
            return parts.allSatisfy(areDigits)
        }
    }

    /// The part between two texts that may be times.
    ///
    /// - Returns: nil where they are none, or whole numbers, which are counts of frames and labels.
    /// - Throws: where one of them alone is marked as a time, and where they bound no part of a video.
    static func between(_ first: String, _ second: String) throws(LineFault) -> ClipPart? {
        guard let start = Time(first), let end = Time(second), start.isMarked || end.isMarked else { return nil }
        guard start.isMarked && end.isMarked else { throw LineFault(.oneTimeUnmarked(first, second)) }
        return try of(start, end, first, second)
    }

    /// The part in the columns `start` and `end` of a table, where whole numbers are times, too.
    ///
    /// - Returns: nil where both are empty: the whole video.
    static func inColumns(_ first: String, _ second: String) throws(LineFault) -> ClipPart? {
        if first.isEmpty && second.isEmpty { return nil }
        guard let start = Time(first) else { throw LineFault(.noTime(first)) }
        guard let end = Time(second) else { throw LineFault(.noTime(second)) }
        return try of(start, end, first, second)
    }

    private static func of(_ start: Time, _ end: Time, _ first: String, _ second: String) throws(LineFault) -> ClipPart {
        for (time, text) in [(start, first), (end, second)] {
            guard time.seconds >= 0, time.seconds < secondsLimit else { throw LineFault(.timeOutOfRange(text)) }
        }
        guard let part = ClipPart(start: start.seconds, end: end.seconds) else { throw LineFault(.endsBeforeStart(first, second)) }
        return part
    }
}

// MARK: - Frames

extension ClipPart {
    /// Most programs write times in whole milliseconds: what two times differ by less than half of one is rounding.
    package static let slackSeconds = 0.0005
    /// A part may end so much after the last frame does: players count to the end of the sound.
    static let overhangSeconds = 1.0

    /// The frames that are shown in `[start, end)`: from the one shown at `start`, the last that begins at or before it, to
    /// the last that begins before `end`.
    ///
    /// - Returns: nil where the part reaches beyond the video's end.
    func frames(of timing: FrameTiming) -> Range<Int>? {
        guard start < timing.end - Self.slackSeconds, end <= timing.end + Self.overhangSeconds else { return nil }
        let times = timing.times
        let first = max(0, times.partitionPoint { $0 <= start + Self.slackSeconds } - 1)
        let last = max(first, times.partitionPoint { $0 < end - Self.slackSeconds } - 1)
        return times.isEmpty ? nil : first..<last + 1
    }
}
