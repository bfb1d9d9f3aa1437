/// Stretches of time on rows of their own, one row a name.
package struct Lanes: Sendable, Equatable {
    package struct Bar: Sendable, Equatable {
        /// Row, from the top.
        package var lane: Int
        /// In seconds.
        package var start: Double
        package var end: Double
        /// In `0...1`: how dark the bar is.
        package var value: Double

        package init(lane: Int, start: Double, end: Double, value: Double) {
            self.lane = lane
            self.start = start
            self.end = end
            self.value = value
        }
    }

    package var labels: [String]
    package var bars: [Bar]
    /// Length of the time axis.
    package var seconds: Double

    /// - Precondition: every bar's lane has a label.
    package init(labels: [String], bars: [Bar], seconds: Double) {
        precondition(bars.allSatisfy { labels.indices.contains($0.lane) }, "a label for each lane")
        self.labels = labels
        self.bars = bars
        self.seconds = seconds
    }
}

extension Painter {
    static let laneHeight = 24.0
    private static let timeRoom = 26.0

    func drawLanes(_ lanes: Lanes) {
        let top = drawHead([]) { _, _ in }
        let size = Self.slotNameHeight
        let names = lanes.labels.map { canvas.shortened($0.escapedForDisplay, toWidth: Self.nameLimit, height: size) }
        let left = leftMargin(names)
        let plot = Rectangle(left, top, width - left - Self.edge - 20, Double(lanes.labels.count) * Self.laneHeight)
        let length = lanes.seconds.isDrawable && lanes.seconds > 0 ? lanes.seconds : 1
        func place(_ seconds: Double) -> Double { plot.x + min(max(seconds / length, 0), 1) * plot.width }
        for (index, name) in names.enumerated() {
            let y = plot.y + (Double(index) + 0.5) * Self.laneHeight
            canvas.write(name, at: Point(plot.x - 8, y), height: size, anchor: .right)
            canvas.line([Point(plot.x, y), Point(plot.maxX, y)], .grid)
        }
        for tick in TimeTicks.ticks(seconds: length) {
            let x = place(tick)
            canvas.line([Point(x, plot.y), Point(x, plot.maxY + 4)], .grid)
            canvas.write(TimeTicks.text(tick), at: Point(x, plot.maxY + 6 + size / 2), height: size, anchor: .middle)
        }
        let isCrowded = Double(lanes.bars.count) > plot.width / 6
        for bar in lanes.bars where bar.start.isDrawable && bar.end.isDrawable && bar.value.isDrawable {
            let (start, end) = (place(bar.start), place(bar.end))
            let box = Rectangle(start, plot.y + Double(bar.lane) * Self.laneHeight + 4, max(0.5, end - start), Self.laneHeight - 8)
            // Even the least likely answer is seen.
            canvas.fill([box], .shade(0.25 + 0.75 * bar.value))
            if !isCrowded { canvas.outline([box], width: 0.7) }
            let text = "\(Int((bar.value * 100).rounded()))"
            if canvas.width(of: text, height: 9) <= box.width - 4 {
                let isDark = Color.shade(0.25 + 0.75 * bar.value).lightness < 0.45
                canvas.write(text, at: Point(box.midX, box.midY), height: 9, anchor: .middle, color: isDark ? .white : .ink)
            }
        }
        canvas.outline([plot])
        drawAxisTitles(plot)
    }

    static func laneExtent(_ lanes: Lanes) -> (width: Double, height: Double) {
        (1000, (edge * 2 + titleHeight + 26 + timeRoom + Double(max(1, lanes.labels.count)) * laneHeight).rounded())
    }
}

/// Round times along an axis.
enum TimeTicks {
    private static let steps: [Double] = [
        0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400,
    ]

    /// About ten, in seconds.
    static func ticks(seconds: Double) -> [Double] {
        guard seconds > 0, seconds.isDrawable else { return [0] }
        let step = steps.first { seconds / $0 <= 12 } ?? (seconds / 10)
        return (0...Int(seconds / step + 1e-9)).map { Double($0) * step }
    }

    /// `1:02:03`, `2:03`, `0:03.5`.
    static func text(_ seconds: Double) -> String {
        let tenths = Int((seconds * 10).rounded())
        func pair(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let fraction = tenths % 10 == 0 ? "" : ".\(tenths % 10)"
        let whole = tenths / 10
        let minutes = whole / 60 % 60
        return (whole >= 3600 ? "\(whole / 3600):\(pair(minutes))" : "\(minutes)") + ":\(pair(whole % 60))\(fraction)"
    }
}
