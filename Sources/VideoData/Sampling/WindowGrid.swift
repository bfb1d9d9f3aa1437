/// A length along a video, as people say it: `2s` or `48f`.
package enum VideoSpan: Sendable, Equatable, Codable {
    case seconds(Double)
    case frames(Int)

    package enum Unit: String, Sendable, Equatable, Codable { case seconds, frames }

    package var unit: Unit {
        switch self {
        case .seconds: .seconds
        case .frames: .frames
        }
    }

    /// In its own unit.
    package var count: Double {
        switch self {
        case .seconds(let seconds): seconds
        case .frames(let frames): Double(frames)
        }
    }

    package static let form = "a number with its unit, such as 2s, 500ms, 1.5min or 48f"

    /// Positions along a video are counted in shares of it, which must stay numbers.
    package static let leastSeconds = 0.001

    /// Whether windows of this length can slide over a video.
    package var isUsable: Bool {
        switch self {
        case .seconds(let seconds): seconds >= Self.leastSeconds && seconds < 1e9
        case .frames(let frames): (1..<1_000_000_000).contains(frames)
        }
    }

    /// - Parameter text: a number followed by s, ms, min, m, h (time) or f, frames; nil where it is none, or not
    ///   usable.
    package init?(_ text: String) {
        let text = text.lowercased()
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }
        guard let number = Double(digits) else { return nil }
        switch unit {
        case "ms": self = .seconds(number / 1000)
        case "s", "sec": self = .seconds(number)
        case "m", "min": self = .seconds(number * 60)
        case "h": self = .seconds(number * 3600)
        case "f", "frame", "frames":
            guard let frames = Int(exactly: number) else { return nil }
            self = .frames(frames)
        default: return nil
        }
        guard isUsable else { return nil }
    }

    /// As `init` reads it.
    package var text: String {
        switch self {
        case .seconds(let seconds): seconds == seconds.rounded() ? "\(Int(seconds))s" : "\(seconds)s"
        case .frames(let frames): "\(frames)f"
        }
    }
}

/// Windows that slide over a video, and the moments in them that a model looks at.
///
/// Positions are seconds or frames from the video's start. Window i is `[i·stride, i·stride + window)`. Moments lie on
/// one grid for the whole video, `window / sampleCount` apart, so that overlapping windows share their frames: moment j
/// is at `(j + ½) · step`, as in `FrameSampler.testIndices` for a video that is one window long. What is shown at a
/// moment is the last frame that began before or at it.
package struct WindowGrid: Sendable, Equatable, Codable {
    package let unit: VideoSpan.Unit
    package let window: Double
    package let stride: Double
    /// Moments in a window; one more or less where the stride is not a multiple of the step.
    package let sampleCount: Int

    /// - Precondition: window and stride have one unit and are positive; at least one sample.
    package init(window: VideoSpan, stride: VideoSpan, sampleCount: Int) {
        precondition(window.unit == stride.unit && window.isUsable && stride.isUsable && sampleCount >= 1, "no such windows")
        unit = window.unit
        self.window = window.count
        self.stride = stride.count
        self.sampleCount = sampleCount
    }

    /// Between two moments.
    package var step: Double { window / Double(sampleCount) }

    package func position(ofPoint point: Int) -> Double { (Double(point) + 0.5) * step }

    /// The first moment at or after `position`; never below 0.
    package func firstPoint(from position: Double) -> Int {
        // The least position that a sum of steps can miss by rounding belongs to the moment.
        max(0, Int((position / step - 0.5 - 1e-9).rounded(.up)))
    }

    /// Moments in `[start, end)`.
    package func points(from start: Double, to end: Double) -> Range<Int> {
        let first = firstPoint(from: start)
        return first..<max(first, firstPoint(from: end))
    }

    /// Whether some window sees the moment; all are seen unless the stride is longer than the window.
    package func isSeen(_ point: Int) -> Bool {
        guard stride > window else { return true }
        let position = position(ofPoint: point)
        let last = (position / stride + 1e-9).rounded(.down)
        return position < last * stride + window
    }

    /// Start and end of window `index` in a video that is long enough.
    package func bounds(ofWindow index: Int) -> (start: Double, end: Double) {
        let start = Double(index) * stride
        return (start, start + window)
    }

    /// Whether the whole of window `index` is in a video, or part of a video, of length `end`.
    package func isComplete(_ index: Int, at end: Double) -> Bool { bounds(ofWindow: index).end <= end + 1e-9 * max(1, end) }

    /// The window that covers the end of a video of length `end`, where windows up to `count` do not.
    ///
    /// It is moved back to end with the video, so that it is as long as the others; a shorter video is one window.
    /// Windows with gaps between them stay where they are, and the last one may be cut.
    package func lastWindow(after count: Int, end: Double) -> (start: Double, end: Double)? {
        let covered = count == 0 ? 0 : bounds(ofWindow: count - 1).end
        // Rounded time stamps make a video seem a little longer than it is.
        guard count == 0 || covered < end - 0.01 * stride else { return nil }
        guard count > 0 else { return (0, end) }
        guard stride > window else { return (max(0, end - window), end) }
        let start = bounds(ofWindow: count).start
        return start < end ? (start, end) : nil
    }
}
