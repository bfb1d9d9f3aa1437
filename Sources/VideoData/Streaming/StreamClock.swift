/// Seconds from the first frame on for a stream of time stamps, none of which can be trusted.
///
/// Times never go back. A stamp that is missing, or that jumps back or far ahead (as where videos were joined, or a
/// transport stream's clock was set anew), is replaced by one frame's length after the last, and what follows counts
/// from there. How far ahead is too far depends on the container, as in the `ffmpeg` program: only where clocks may be
/// set anew can a stretch of minutes without a frame be anything but that.
package struct StreamClock {
    /// Longest time between two frames that is believed where clocks are set anew: slides may stand for minutes.
    package static let brokenGapLimit = 600.0
    /// Elsewhere, 30 hours: `ffmpeg`'s `-dts_error_threshold`.
    package static let soundGapLimit = 108_000.0
    private let gapLimit: Double
    /// Times may go back by this much through careless rounding; then they stand still.
    private static let slack = 0.5

    /// Of a frame whose successor's time is not known.
    package let frameSeconds: Double
    /// Added to stamps; set by the first frame and by each jump.
    private var offset: Double?
    package private(set) var last = 0.0
    private var interval: Double?
    package private(set) var jumpCount = 0
    package private(set) var missingCount = 0

    /// - Parameters:
    ///   - framesPerSecond: nil where unknown; then 25.
    ///   - mayBreak: the container's clock may be set anew, as in a transport stream.
    package init(framesPerSecond: Double?, mayBreak: Bool = true) {
        frameSeconds = 1 / (framesPerSecond ?? 25)
        gapLimit = mayBreak ? Self.brokenGapLimit : Self.soundGapLimit
    }

    /// The time of the next frame.
    ///
    /// - Parameter stamp: in seconds on the stream's own clock; nil where there is none.
    package mutating func time(ofStamp stamp: Double?) -> Double {
        guard let known = offset else {
            offset = -(stamp ?? 0)
            if stamp == nil { missingCount += 1 }
            return 0
        }
        guard let stamp, stamp.isFinite else {
            missingCount += 1
            last += frameSeconds
            return last
        }
        var time = stamp + known
        if time < last - Self.slack || time > last + gapLimit {
            jumpCount += 1
            time = last + (interval ?? frameSeconds)
            offset = time - stamp
        }
        time = max(time, last)
        if time > last { interval = time - last }
        last = time
        return time
    }

    /// Where the last frame ends, as far as that can be told.
    ///
    /// - Parameter duration: of the last frame in seconds; nil or 0 where the stream does not say.
    package func end(lastDuration duration: Double?) -> Double {
        let length = duration.flatMap { $0 > 0 && $0 <= gapLimit ? $0 : nil } ?? interval ?? frameSeconds
        return last + length
    }
}
