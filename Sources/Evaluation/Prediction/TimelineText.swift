import Files
import Foundation

/// Time lines in forms that other programs read. Times are in seconds.
package enum TimelineText {
    /// A line of text that is shown for a while.
    package struct Caption {
        package let start: Double
        package let end: Double
        /// Safe to show.
        package let text: String

        package init(start: Double, end: Double, text: String) {
            self.start = start
            self.end = end
            self.text = text
        }
    }

    /// SubRip subtitles.
    package static func subRip(_ captions: [Caption]) -> String {
        captions.enumerated().map { number, caption in
            "\(number + 1)\n\(times(caption, ","))\n\(caption.text.replacing("-->", with: "→"))\n\n"
        }.joined()
    }

    /// WebVTT subtitles.
    package static func webVTT(_ captions: [Caption]) -> String {
        "WEBVTT\n\n" + captions.map { caption in
            let text = caption.text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            return "\(times(caption, "."))\n\(text)\n\n"
        }.joined()
    }

    package static func subRip(_ segments: [TimelineSegment], names: [String]) -> String { subRip(captions(segments, names: names)) }
    package static func webVTT(_ segments: [TimelineSegment], names: [String]) -> String { webVTT(captions(segments, names: names)) }

    /// A caption a segment, none where the answer is none of the classes.
    private static func captions(_ segments: [TimelineSegment], names: [String]) -> [Caption] {
        segments.compactMap { segment in
            guard let label = segment.label, let probability = segment.probability else { return nil }
            return Caption(
                start: segment.start, end: segment.end, text: "\(names[label].escapedForDisplay) (\(Int((probability * 100).rounded())) %)")
        }
    }

    private static func times(_ caption: Caption, _ separator: String) -> String {
        "\(stamp(caption.start, separator)) --> \(stamp(caption.end, separator))"
    }

    /// `01:02:03,500`
    private static func stamp(_ seconds: Double, _ separator: String) -> String {
        let thousandths = Int((seconds * 1000).rounded())
        func digits(_ value: Int, _ count: Int) -> String {
            String(repeating: "0", count: max(0, count - "\(value)".count)) + "\(value)"
        }
        let whole = thousandths / 1000
        return "\(digits(whole / 3600, 2)):\(digits(whole / 60 % 60, 2)):\(digits(whole % 60, 2))\(separator)\(digits(thousandths % 1000, 3))"
    }

    /// `1:02:03.5` for people; hours only where there are some.
    package static func time(_ seconds: Double) -> String {
        let tenths = Int((seconds * 10).rounded())
        let (hours, minutes, rest) = (tenths / 36_000, tenths / 600 % 60, tenths % 600)
        let small = (rest < 100 ? "0" : "") + "\(rest / 10).\(rest % 10)"
        return hours > 0 ? "\(hours):\(minutes < 10 ? "0" : "")\(minutes):\(small)" : "\(minutes):\(small)"
    }
}

extension Double {
    /// Seconds to the millisecond, as programs are told them: sums of strides have long tails.
    package var inMilliseconds: Double { (self * 1000).rounded() / 1000 }
}
