import Files

/// Draws one chart on one canvas. Sizes are CSS pixels.
struct Painter {
    let chart: Chart
    let canvas: Canvas
    /// Of the whole page.
    let width: Double
    let height: Double

    static let edge = 14.0
    static let titleHeight = 16.0
    static let tickHeight = 11.0
    static let axisTitleHeight = 12.0
    /// Room for names beside an axis.
    static let nameLimit = 190.0
    static let slotNameHeight = 10.0

    func draw() {
        switch chart.content {
        case .bars(let bars): drawBars(bars)
        case .lines(let curves): drawCurves(curves, isJoined: true)
        case .scatter(let curves): drawCurves(curves, isJoined: false)
        case .groups(let groups): drawGroups(groups)
        case .heatMap(let map): drawHeatMap(map)
        case .lanes(let lanes): drawLanes(lanes)
        }
    }

    // MARK: Frame

    /// Writes title and legend. Returns the height they take.
    func drawHead(_ names: [String], swatch: (_ index: Int, _ middle: Point) -> Void) -> Double {
        var y = Self.edge
        let title = chart.title.escapedForDisplay
        if !title.isEmpty {
            canvas.writeTitle(title, at: Point(Self.edge, y), width: width - 2 * Self.edge)
            y += Self.titleHeight + 10
        }
        guard names.count > 1 || names.first.map({ !$0.isEmpty }) == true else { return y }
        var x = Self.edge
        for (index, name) in names.enumerated() {
            let shown = canvas.shortened(name.escapedForDisplay, toWidth: width - 2 * Self.edge - 40)
            let entryWidth = 34 + canvas.width(of: shown) + 18
            if x > Self.edge && x + entryWidth > width - Self.edge {
                x = Self.edge
                y += 18
            }
            swatch(index, Point(x + 14, y + 8))
            canvas.write(shown, at: Point(x + 34, y + 8))
            x += entryWidth
        }
        return y + 18 + 12
    }

    /// - Parameter nameInterval: every how many slots a name stands; said if it is not every one.
    func drawAxisTitles(_ plot: Rectangle, nameInterval: Int = 1) {
        let horizontal = chart.horizontal.title.escapedForDisplay + (nameInterval > 1 ? " (one in \(nameInterval) is named)" : "")
        if !horizontal.isEmpty {
            canvas.write(
                canvas.shortened(horizontal, toWidth: width - 2 * Self.edge, height: Self.axisTitleHeight),
                at: Point(plot.midX, height - Self.edge - Self.axisTitleHeight / 2), height: Self.axisTitleHeight, anchor: .middle)
        }
        let vertical = chart.vertical.title.escapedForDisplay
        if !vertical.isEmpty {
            canvas.write(
                canvas.shortened(vertical, toWidth: height - 2 * Self.edge, height: Self.axisTitleHeight),
                at: Point(Self.edge + Self.axisTitleHeight / 2, plot.midY), height: Self.axisTitleHeight, anchor: .middle,
                isUpright: true)
        }
    }

    /// Room right of the left edge for the vertical axis's title and its numbers.
    func leftMargin(_ labels: [String]) -> Double {
        let widest = labels.map { canvas.width(of: $0, height: Self.tickHeight) }.max() ?? 0
        return Self.edge + (chart.vertical.title.isEmpty ? 0 : Self.axisTitleHeight + 8) + widest + 8
    }

    func bottomMargin(_ names: Double) -> Double {
        Self.edge + (chart.horizontal.title.isEmpty ? 0 : Self.axisTitleHeight + 8) + names + 8
    }

    func drawVerticalTicks(_ ticks: Ticks, _ plot: Rectangle, place: (Double) -> Double) {
        for (value, label) in zip(ticks.values, ticks.labels) {
            let y = place(value)
            canvas.line([Point(plot.x, y), Point(plot.maxX, y)], .grid)
            canvas.write(label, at: Point(plot.x - 6, y), height: Self.tickHeight, anchor: .right)
        }
    }

    // MARK: Bars

    private func drawBars(_ bars: Bars) {
        let values = bars.series.flatMap(\.values).compactMap { $0 }.filter(\.isDrawable)
        let range = chart.vertical.usableRange
            ?? Ticks.rounded(min(0, values.min() ?? 0)...max(0, values.max() ?? 1), count: 6, isWhole: chart.vertical.isWhole)
        let ticks = Ticks(range, count: 6, isWhole: chart.vertical.isWhole)
        let top = drawHead(bars.series.map(\.name)) { index, middle in
            let box = Rectangle(middle.x - 13, middle.y - 6, 26, 12)
            fill([box], SeriesStyle.at(index), isOutlined: true)
        }
        let left = leftMargin(ticks.labels)
        let slotWidth = (width - left - Self.edge) / Double(max(1, bars.labels.count))
        let names = SlotNames(bars.labels, slotWidth: slotWidth, canvas: canvas)
        let plot = Rectangle(left, top, width - left - Self.edge, height - top - bottomMargin(names.height))
        func place(_ value: Double) -> Double {
            plot.maxY - (min(max(value, range.lowerBound), range.upperBound) - range.lowerBound)
                / (range.upperBound - range.lowerBound) * plot.height
        }
        drawVerticalTicks(ticks, plot, place: place)
        drawBarSeries(bars, slotWidth: slotWidth, plot: plot, place: place)
        let zero = place(max(0, range.lowerBound))
        canvas.line([Point(plot.x, zero), Point(plot.maxX, zero)])
        names.draw(in: plot, slotWidth: slotWidth, canvas: canvas)
        drawAxisTitles(plot, nameInterval: names.interval)
    }

    private func drawBarSeries(_ bars: Bars, slotWidth: Double, plot: Rectangle, place: (Double) -> Double) {
        var boxes = [[Rectangle]](repeating: [], count: bars.series.count)
        let gap = slotWidth >= 6 ? slotWidth * 0.16 : 0
        for slot in bars.labels.indices {
            let present = bars.series.indices.filter { bars.series[$0].values[slot]?.isDrawable == true }
            let barWidth = (slotWidth - gap) / Double(max(1, present.count))
            for (position, series) in present.enumerated() {
                guard let value = bars.series[series].values[slot] else { continue }
                let x = plot.x + Double(slot) * slotWidth + gap / 2 + Double(position) * barWidth
                let (zero, end) = (place(0), place(value))
                boxes[series].append(Rectangle(x, min(zero, end), barWidth, abs(end - zero)))
            }
        }
        for (series, boxes) in boxes.enumerated() {
            fill(boxes, SeriesStyle.at(series), isOutlined: slotWidth >= 6)
        }
    }

    private func fill(_ boxes: [Rectangle], _ style: SeriesStyle, isOutlined: Bool) {
        canvas.fill(boxes, style.color)
        canvas.hatch(boxes, style.hatch)
        if isOutlined { canvas.outline(boxes, width: 0.7) }
    }

    // MARK: Lines and points

    private func drawCurves(_ curves: [Curve], isJoined: Bool) {
        let points = curves.flatMap(\.points).filter(\.isDrawable)
        let across = range(chart.horizontal, points.map(\.x), isTight: isJoined)
        let up = range(chart.vertical, points.map(\.y), isTight: false)
        let upTicks = Ticks(up, count: 6, isWhole: chart.vertical.isWhole)
        let acrossTicks = Ticks(across, count: 8, isWhole: chart.horizontal.isWhole)
        let top = drawHead(curves.map(\.name)) { index, middle in
            let style = SeriesStyle.at(index)
            if isJoined { canvas.line([Point(middle.x - 14, middle.y), Point(middle.x + 14, middle.y)], style.color, width: 2, dash: style.dash) }
            canvas.marker(style.marker, style.filling, at: middle, radius: 4, style.color)
        }
        let left = leftMargin(upTicks.labels)
        let plot = Rectangle(left, top, width - left - Self.edge - 8, height - top - bottomMargin(Self.tickHeight))
        func place(_ point: Curve.Point) -> Point {
            Point(
                plot.x + (point.x - across.lowerBound) / (across.upperBound - across.lowerBound) * plot.width,
                plot.maxY - (point.y - up.lowerBound) / (up.upperBound - up.lowerBound) * plot.height)
        }
        drawVerticalTicks(upTicks, plot) { place(Curve.Point(across.lowerBound, $0)).y }
        for (value, label) in zip(acrossTicks.values, acrossTicks.labels) {
            let x = place(Curve.Point(value, up.lowerBound)).x
            canvas.line([Point(x, plot.y), Point(x, plot.maxY)], .grid)
            canvas.write(label, at: Point(x, plot.maxY + 5 + Self.tickHeight / 2), height: Self.tickHeight, anchor: .middle)
        }
        canvas.line([Point(plot.x, plot.y), Point(plot.x, plot.maxY), Point(plot.maxX, plot.maxY)])
        func isShown(_ point: Curve.Point) -> Bool { point.isDrawable && across.contains(point.x) && up.contains(point.y) }
        for (index, curve) in curves.enumerated() {
            let style = SeriesStyle.at(index)
            if isJoined {
                for run in curve.points.split(whereSeparator: { !isShown($0) }) {
                    canvas.line(run.map(place), style.color, width: 2, dash: style.dash)
                }
            }
            // On a long curve some markers tell the series apart as well as all of them.
            let interval = isJoined ? max(1, curve.points.count / 12) : 1
            let radius = isJoined || curve.points.count < 500 ? 4.0 : 2.5
            for (number, point) in curve.points.enumerated() where number % interval == 0 && isShown(point) {
                canvas.marker(style.marker, style.filling, at: place(point), radius: radius, style.color)
            }
        }
        drawAxisTitles(plot)
    }

    /// The axis's own range, else one that holds all values; never empty.
    private func range(_ axis: Axis, _ values: [Double], isTight: Bool) -> ClosedRange<Double> {
        if let range = axis.usableRange { return range }
        guard let least = values.min(), let most = values.max() else { return 0...1 }
        let range = least == most
            ? least - 0.5...most + 0.5 : isTight ? least...most : Ticks.rounded(least...most, count: 6, isWhole: axis.isWhole)
        guard let limits = axis.limits, limits.contains(least), limits.contains(most) else { return range }
        // Where all values are the limit itself the axis shows a part below it, or above.
        let low = max(range.lowerBound, limits.lowerBound)
        let high = min(range.upperBound, limits.upperBound)
        return low < high ? low...high : range
    }
}
