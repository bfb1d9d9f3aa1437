import Foundation

/// What is wanted of a camera of this machine; nil where it is what the camera does by itself.
package struct CameraSettings: Sendable, Equatable {
    package var size: FrameSize?
    package var framesPerSecond: Double?

    package init(size: FrameSize? = nil, framesPerSecond: Double? = nil) {
        self.size = size
        self.framesPerSecond = framesPerSecond
    }

    package var isEmpty: Bool { size == nil && framesPerSecond == nil }
}

/// What is wanted of a live source.
package struct LiveRequest: Sendable {
    package var address: LiveAddress
    /// One a model, all with the same windows in seconds.
    package var grids: [WindowGrid]
    /// Frames are scaled to this many pixels on their shorter side.
    package var shortSide: Int
    package var pictures: PictureRules
    /// Within which something must come; nothing is asked of standard input.
    package var timeoutSeconds: Double
    package var camera = CameraSettings()

    /// - Precondition: windows in seconds.
    package init(address: LiveAddress, grids: [WindowGrid], shortSide: Int, pictures: PictureRules = PictureRules(), timeoutSeconds: Double = 10) {
        precondition(
            !grids.isEmpty && grids.allSatisfy { $0.unit == .seconds && $0.window == grids[0].window && $0.stride == grids[0].stride }, "no such windows")
        self.address = address
        self.grids = grids
        self.shortSide = shortSide
        self.pictures = pictures
        self.timeoutSeconds = timeoutSeconds
    }
}

/// A frame that windows show.
package struct LiveFrame: Sendable {
    /// Counts the frames that are looked at: neighboring windows share them.
    package let number: Int
    package let picture: VideoFrame
    /// For each grid the moments at which it is shown.
    let points: [Range<Int>]
}

/// A window of a live source with its frames.
package struct LiveWindow: Sendable {
    /// In seconds from the source's first frame.
    package var start: Double
    package var end: Double
    /// When it was complete here.
    package var date: Date
    /// At least one.
    package var frames: [LiveFrame]
    /// For each grid how often each of `frames` is shown, in their order; at least one of them once.
    package var counts: [[Int]]
}

/// Gathers the frames of a source into windows.
package struct WindowAssembler {
    private let grids: [WindowGrid]
    private let fillsGaps: Bool
    private var frames: [LiveFrame] = []
    private var nextPoints: [Int]
    private var nextNumber = 0
    private var windowCount = 0
    private var complete: [LiveWindow] = []
    /// Where windows begin to be counted, in seconds of the source; later than 0 behind a gap.
    private var origin = 0.0
    private var lastSeconds = 0.0

    /// - Parameter fillsGaps: a picture is shown until the next one comes, however long that takes, as in a file; else it is not
    ///   known what there was to see meanwhile.
    package init(grids: [WindowGrid], fillsGaps: Bool) {
        self.grids = grids
        self.fillsGaps = fillsGaps
        nextPoints = grids.map { _ in 0 }
    }

    package var hasComplete: Bool { !complete.isEmpty }

    package mutating func takeComplete() -> LiveWindow? { complete.isEmpty ? nil : complete.removeFirst() }

    /// Where nothing new is shown for longer than so many windows, the next one begins with what is shown then.
    private static let gapWindows = 4.0

    /// A frame is over, and what it was shown for.
    ///
    /// - Parameters:
    ///   - seconds: at which it is over.
    ///   - picture: makes its picture, where one is wanted.
    package mutating func add(until seconds: Double, isLast: Bool, picture: () throws -> VideoFrame) rethrows {
        if !isLast, !fillsGaps, seconds - lastSeconds > Self.gapWindows * max(grids[0].window, grids[0].stride) {
            // What came before the gap ends as a source does; its last picture counts for one moment of each grid.
            try add(until: lastSeconds + (grids.map(\.step).max() ?? 0), isLast: true, picture: picture)
            begin(at: seconds)
            return
        }
        lastSeconds = seconds
        let local = seconds - origin
        let points = VideoStream.points(shownUntil: local, isLast: isLast, of: grids, from: &nextPoints)
        if points.contains(where: { !$0.isEmpty }) {
            frames.append(LiveFrame(number: nextNumber, picture: try picture(), points: points))
            nextNumber += 1
        }
        let grid = grids[0]
        while grid.isComplete(windowCount, at: local) {
            let bounds = grid.bounds(ofWindow: windowCount)
            windowCount += 1
            emit(from: bounds.start, to: bounds.end)
        }
        if isLast, let last = grid.lastWindow(after: windowCount, end: local) { emit(from: last.start, to: last.end) }
        // The last window may reach back by its whole length.
        let needed = min(grid.bounds(ofWindow: windowCount).start, local - grid.window)
        frames.removeAll { frame in
            zip(grids, frame.points).allSatisfy { $1.isEmpty || $1.upperBound <= $0.firstPoint(from: needed) } && frame.number + 1 < nextNumber
        }
    }

    private mutating func begin(at seconds: Double) {
        origin = seconds
        lastSeconds = seconds
        frames = []
        nextPoints = grids.map { _ in 0 }
        windowCount = 0
    }

    private mutating func emit(from start: Double, to end: Double) {
        let counts = grids.enumerated().map { index, grid in
            var points = grid.points(from: start, to: end).clamped(to: 0..<nextPoints[index])
            if points.isEmpty { points = max(0, nextPoints[index] - 1)..<nextPoints[index] }
            var shown = frames.map { $0.points[index].clamped(to: points).count }
            // A last window that is cut may lie between two moments, and the one before it in a gap that no frame is kept of.
            if !frames.isEmpty, shown.allSatisfy({ $0 == 0 }) { shown[frames.lastIndex { !$0.points[index].isEmpty } ?? frames.count - 1] = 1 }
            return shown
        }
        let shown = frames.indices.filter { frame in counts.contains { $0[frame] > 0 } }
        guard !shown.isEmpty else { return }
        complete.append(
            LiveWindow(
                start: start + origin, end: end + origin, date: Date(), frames: shown.map { frames[$0] }, counts: counts.map { of in shown.map { of[$0] } }))
    }
}
