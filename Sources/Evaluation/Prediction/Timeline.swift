/// What was said of one window of a video.
package struct ScoredWindow: Sendable, Equatable {
    /// In seconds from the video's start.
    package var start: Double
    package var end: Double
    package var scores: VideoScores

    package init(start: Double, end: Double, scores: VideoScores) {
        self.start = start
        self.end = end
        self.scores = scores
    }

    var middle: Double { (start + end) / 2 }
}

/// Neighboring windows with the same answer.
package struct TimelineSegment: Sendable, Equatable {
    /// In seconds from the video's start.
    package var start: Double
    package var end: Double
    /// Nil for none of the classes.
    package var label: Int?
    /// Mean over the windows of what the class was given; nil for none.
    package var probability: Float?
    /// Positions in the time line's windows.
    package var windows: Range<Int>

    package init(start: Double, end: Double, label: Int?, probability: Float?, windows: Range<Int>) {
        (self.start, self.end, self.label, self.probability, self.windows) = (start, end, label, probability, windows)
    }
}

/// What happens when in a video.
package struct Timeline: Sendable, Equatable {
    /// Length of the video in seconds.
    package var seconds: Double
    /// In order of time.
    package var windows: [ScoredWindow]

    package init(seconds: Double, windows: [ScoredWindow]) {
        self.seconds = seconds
        self.windows = windows
    }

    /// Every window's scores replaced by the mean over `count` windows around it, fewer at the ends.
    ///
    /// - Parameter count: odd; 1 changes nothing.
    package func smoothed(over count: Int) -> Timeline {
        precondition(count >= 1 && count % 2 == 1, "a middle window and as many on each side")
        guard count > 1 else { return self }
        var result = self
        for index in windows.indices {
            let around = max(0, index - count / 2)...min(windows.count - 1, index + count / 2)
            result.windows[index].scores = VideoScores.mean(of: windows[around].map(\.scores))
        }
        return result
    }

    /// Neighboring windows with the same answer as one stretch each. Together they cover the video.
    ///
    /// Windows overlap; each speaks for the time that is nearer to its middle than to its neighbors'.
    ///
    /// - Parameter minimumSeconds: shorter stretches go to the longer of their neighbors, the shortest first.
    package func segments(_ rule: RejectionRule = RejectionRule(), minimumSeconds: Double = 0) -> [TimelineSegment] {
        var segments: [TimelineSegment] = []
        for (index, window) in windows.enumerated() {
            let label = rule.answer(window.scores)
            let end = index + 1 < windows.count ? (window.middle + windows[index + 1].middle) / 2 : seconds
            if let last = segments.indices.last, segments[last].label == label {
                segments[last].end = end
                segments[last].windows = segments[last].windows.lowerBound..<index + 1
            } else {
                let start = segments.last?.end ?? 0
                segments.append(TimelineSegment(start: start, end: end, label: label, probability: nil, windows: index..<index + 1))
            }
        }
        Self.mergeShort(&segments, minimumSeconds: minimumSeconds)
        for index in segments.indices { segments[index].probability = meanProbability(of: segments[index]) }
        return segments
    }

    private static func mergeShort(_ segments: inout [TimelineSegment], minimumSeconds: Double) {
        while segments.count > 1,
            let shortest = segments.indices.min(by: { segments[$0].length < segments[$1].length }),
            segments[shortest].length < minimumSeconds
        {
            let neighbors = [shortest - 1, shortest + 1].filter(segments.indices.contains)
            guard let taker = neighbors.max(by: { segments[$0].length < segments[$1].length }) else { return }
            segments[shortest].label = segments[taker].label
            join(&segments)
        }
    }

    /// Makes one of neighbors with the same label.
    private static func join(_ segments: inout [TimelineSegment]) {
        var joined: [TimelineSegment] = []
        for segment in segments {
            if let last = joined.indices.last, joined[last].label == segment.label {
                joined[last].end = segment.end
                joined[last].windows = joined[last].windows.lowerBound..<segment.windows.upperBound
            } else {
                joined.append(segment)
            }
        }
        segments = joined
    }

    private func meanProbability(of segment: TimelineSegment) -> Float? {
        guard let label = segment.label else { return nil }
        let sum = windows[segment.windows].reduce(0.0) { $0 + Double($1.scores.classes[label]) }
        return Float(sum / Double(max(1, segment.windows.count)))
    }
}

extension TimelineSegment {
    var length: Double { end - start }
}
